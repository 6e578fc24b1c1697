"""Everything that a killed run needs to go on: one safetensors file with a JSON header, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from bec_md.atomic import write_tensors
from bec_md.errors import DataError
from bec_md.network.network import Network

SCHEMA = 1


@dataclass
class Progress:
    """Where a run is. Everything here is written to the checkpoint."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches of the current epoch that are done
    step: int = 0  # optimizer steps
    elapsed_s: float = 0.0
    best_score: float | None = None
    best_epoch: int = 0
    stale: int = 0  # validations since the best one
    validated_s: float = 0.0  # elapsed time at the last validation
    sums: dict[str, float] = field(default_factory=dict)  # running sums of the current epoch
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False


def _optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    out: dict[str, Tensor] = {}
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            out[f"optimizer.{key}.{names[parameter]}"] = torch.as_tensor(value)
    return out


def _shape(network: Network) -> str:
    """What the weights belong to: elements, levels and sizes, as text."""
    return json.dumps(network.config.model_dump(mode="json", exclude_defaults=True), sort_keys=True)


def save_checkpoint(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    averages: Mapping[str, Tensor],
    best: Mapping[str, Tensor] | None,
    progress: Progress,
    fingerprint: str,
) -> None:
    """Write weights, averaged and best weights, optimizer state, random state and progress."""
    tensors = {f"network.{name}": p.detach() for name, p in network.named_parameters()}
    tensors |= {f"average.{name}": weight for name, weight in averages.items()}
    tensors |= {f"best.{name}": weight for name, weight in (best or {}).items()}
    tensors |= _optimizer_tensors(network, optimizer)
    tensors["random"] = torch.get_rng_state()
    header = {
        "format": "bec-md checkpoint",
        "schema": str(SCHEMA),
        "fingerprint": fingerprint,
        "network": _shape(network),
        "progress": json.dumps(asdict(progress)),
    }
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_tensors(path, stored, header)


def load_checkpoint(
    path: Path,
    network: Network,
    optimizer: torch.optim.Optimizer,
    averages: dict[str, Tensor],
    fingerprint: str,
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Restore what :func:`save_checkpoint` wrote into the given objects.

    Returns
    -------
    progress
        Where the run was.
    best
        The best averaged weights so far.

    Raises
    ------
    DataError
        If the checkpoint is damaged, or belongs to another configuration.
    """
    header, tensors = _content(path)
    if header.get("format") != "bec-md checkpoint" or header.get("schema") != str(SCHEMA):
        raise DataError(f"{path} is not a checkpoint of this version", "it cannot be resumed", "start anew")
    if header["fingerprint"] != fingerprint:
        raise DataError(
            f"{path} belongs to another configuration",
            "network, data, optimizer or loss changed since it was written",
            "give another output folder, or start anew without `resume`",
        )
    if header.get("network", _shape(network)) != _shape(network):
        raise DataError(
            f"{path} holds a network of other elements, levels or shape",
            "the model that it was fine-tuned from was replaced since it was written",
            "put that model back, or give another output folder to begin with the new one",
        )
    by_name = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in by_name.items():
            parameter.copy_(tensors[f"network.{name}"])
            averages[name].copy_(tensors[f"average.{name}"])
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = next(n for n, p in by_name.items() if p is parameter)
            keys = [k for k in ("step", "exp_avg", "exp_avg_sq") if f"optimizer.{k}.{name}" in tensors]
            state = {key: tensors[f"optimizer.{key}.{name}"].to(parameter.device) for key in keys}
            if state:
                optimizer.state[parameter] = state
    torch.set_rng_state(tensors["random"])
    best = {
        name: tensors[f"best.{name}"].to(p.device) for name, p in by_name.items() if f"best.{name}" in tensors
    }
    return Progress(**json.loads(header["progress"])), best or None


def _content(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return what a checkpoint says of itself, and its tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DataError(
            f"{path} is damaged ({error})",
            "it was cut off or changed since it was written",
            "copy it again, or remove it and start anew",
        ) from None
