"""Model files: safetensors with a JSON header, no pickle.

The header's metadata entry ``bec_md`` holds a JSON object: `schema`, `config` (the hyperparameters),
`convention` ("dM/du": Z[i, a, b] = ∂M_a/∂u_ib), `units`, and `card` (name, data, errors, provenance). Beside
the weights the file carries the coupling tables ``coupling.l1.l2.l3`` (√(2l3+1) × e3nn's Wigner 3j, float64),
so that an evaluator in another language needs no conventions of its own.

Weights are named as in `bec_md.network.network.Network`: those of a read-out begin with ``readouts.NAME.``.
The file of a mean of networks (`save_mean`) has no weights: `mean_of` in place of `config` names their files,
relative to its folder, and how much each counts; `read_header` gives the `config` and the card in common.

Schema 1 had `config.readout` (tensor or polarization), `config.members` and other names; it is upgraded when
it is read, and `rewrite` makes a file of schema 2 of it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bec_md.atomic import write_tensors
from bec_md.errors import DataError, UsageError
from bec_md.files import expanded, require_file, resolved
from bec_md.network.config import NetworkConfig, upgraded
from bec_md.schema import Positive, checked

if TYPE_CHECKING:
    from torch import Tensor

    from bec_md.network.network import Network

SCHEMA = 2
CONVENTION = "dM/du"
_FIX = "use a file that `bec-md train` wrote"


class _Card(BaseModel):
    """What a card may say; only what the program uses has a type."""

    model_config = ConfigDict(extra="allow")

    name: str | None = None
    description: str | None = None
    default_level: str | None = None
    stated_error_e: Positive | None = None
    uncertainty_scale: Positive = 1.0
    eps_inf_trained: bool = True
    domain: dict[str, Any] | None = None
    training_structures: dict[str, int] | None = None


class _Header(BaseModel):
    """What the entry ``bec_md`` of a model file has to hold."""

    schema_: int = Field(alias="schema", ge=1)
    config: dict[str, Any] = {}
    mean_of: dict[str, Positive] | None = Field(None, min_length=2)
    convention: Literal["dM/du"]
    card: _Card = _Card()


class _Tensor(BaseModel):
    """Entry of a tensor: its bytes from the end of the header on."""

    shape: list[Annotated[int, Field(ge=0, lt=2**40)]]
    data_offsets: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


def save_model(path: str | Path, network: Network, card: dict[str, Any]) -> None:
    """Write a network and its card; the file appears at once or not at all."""
    tensors = {
        name: value.detach().float().cpu().contiguous() for name, value in network.state_dict().items()
    }
    tensors |= _coupling_tables(network.config)
    header = {
        "schema": SCHEMA,
        "config": network.config.model_dump(mode="json", exclude_none=True),
        "convention": CONVENTION,
        "units": {"length": "angstrom", "charge": "e"},
        "card": card,
    }
    write_tensors(path, tensors, {"bec_md": json.dumps(header)})


def save_mean(
    path: str | Path, shares: Mapping[str | Path, float], card: Mapping[str, Any] | None = None
) -> None:
    """Write a model that is the mean of others, which stay files of their own.

    Parameters
    ----------
    path
        Model file to write.
    shares
        Model file, absolute or relative to the folder of `path`, and how much it counts, made to sum to one.
    card
        As of a network; ``uncertainty_scale`` multiplies a spread that is calibrated for each network.

    Raises
    ------
    DataError, UsageError
        If shares are no positive numbers, or a file is not there, is a mean itself or the file to write, or
        has no element or level in common with the others.
    """
    path = expanded(path)
    header = {
        "schema": SCHEMA,
        "mean_of": {str(name): share for name, share in shares.items()},
        "convention": CONVENTION,
        "card": dict(card or {}),
    }
    fix = "give two model files or more, each with a share above zero"
    header["mean_of"] = checked(_Header, header, path.name, fix).mean_of
    _with_common(header, path)
    write_tensors(path, {}, {"bec_md": json.dumps(header)})


def read_header(path: str | Path) -> dict[str, Any]:
    """Hyperparameters (in those of the present schema) and card of a model file, without its weights."""
    path = require_file(Path(path), "a model is read from it: a path, or the name of a bundled model")
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length < min(2**26, path.stat().st_size):
                raise ValueError("not a safetensors file")
            entries = dict(json.loads(stream.read(length)))
        header: dict[str, Any] = json.loads(entries.pop("__metadata__")["bec_md"])
        if not isinstance(header, dict):
            raise TypeError("its entry bec_md is no JSON object")
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise DataError(
            f"{path} is not a bec-md model file ({error})",
            "model files are safetensors with a bec_md entry in their metadata",
            "train one with `bec-md train`, or name a bundled model (`bec-md models`)",
        ) from None
    checked(_Header, header, path.name, _FIX)
    if header["schema"] > SCHEMA:
        raise DataError(
            f"{path} has schema {header['schema']}, this program reads up to {SCHEMA}",
            "the file was written by a newer bec-md",
            "upgrade bec-md",
        )
    _check_tensors(entries, path.stat().st_size - 8 - length, path.name)
    if header.get("mean_of"):
        return _with_common({"card": {}, **header}, path)
    header["config"] = upgraded(header["config"])
    config = checked(NetworkConfig, header["config"], path.name, _FIX)
    header["config"] |= config.model_dump(mode="json", exclude_none=True)
    return {"card": {}, **header}


def _with_common(header: dict[str, Any], path: Path) -> dict[str, Any]:
    """Complete the header of a mean by what its networks have in common; `mean_of` by paths and shares."""
    total = sum(header["mean_of"].values())
    shares = {str(path.parent / name): share / total for name, share in header["mean_of"].items()}
    if len({resolved(path), *map(resolved, shares)}) <= len(header["mean_of"]):
        raise DataError(
            f"{path}: the mean of {' and '.join(header['mean_of'])}",
            "one of these files is the mean itself, or is named twice",
            "name different files, and the mean by another name",
        )
    if missing := [name for name in shares if not Path(name).is_file()]:
        raise UsageError(
            f"{path} is a mean of networks: there is no file {' or '.join(missing)}",
            "it names their files, relative to its own folder",
            "put every network there, or make the mean again (bec_md.network.save_mean)",
        )
    parts = [read_header(name) for name in shares]
    configs = [part["config"] for part in parts]
    config = {
        "elements": sorted(set[int].intersection(*(set(one["elements"]) for one in configs))),
        "levels": [name for name in configs[0]["levels"] if all(name in one["levels"] for one in configs)],
        "cutoff_ang": max(one["cutoff_ang"] for one in configs),
    }
    if any("mean_of" in part for part in parts) or not config["elements"] or not config["levels"]:
        raise DataError(
            f"{path}: its networks have no element or no level of theory in common, or are means themselves",
            "a mean is taken of tensors that every network predicts",
            "name networks that were trained on the same elements and levels",
        )
    counts = [part["card"].get("training_structures") or {} for part in parts]
    usual = [part["card"].get("default_level") for part in parts]
    common = {
        "name": path.stem,
        "default_level": next((name for name in usual if name in config["levels"]), config["levels"][0]),
        "eps_inf_trained": any(part["card"].get("eps_inf_trained", True) for part in parts),
        "training_structures": {
            s: min(one[s] for one in counts) for s in set.intersection(*map(set, counts))
        },
    }
    return header | {"config": config, "mean_of": shares, "card": common | header["card"]}


def shares_in_words(path: Path, header: Mapping[str, Any]) -> str:
    """How much each network of a mean counts; their files as they are seen from its folder."""
    shares = header["mean_of"].items()
    return " and ".join(f"{share:.2g} of {relpath(name, path.parent)}" for name, share in shares)


def content_hash(path: Path, header: Mapping[str, Any]) -> str:
    """SHA-256 of a model file and of those that it is the mean of, hexadecimal."""
    files = (path, *map(Path, header.get("mean_of") or ()))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def check_card(card: dict[str, Any], place: str, fix: str) -> None:
    """Refuse entries of a card that the program uses and could not read.

    Raises
    ------
    DataError
        With the place, and what to do.
    """
    checked(_Card, card, place, fix)


def _check_tensors(entries: dict[str, Any], size: int, place: str) -> None:
    """Refuse tensors that do not fill the file one after another: cut off, overlapping, or more than told."""
    fields = [checked(_Tensor, entry, f"{place}, {name:.60}", _FIX) for name, entry in entries.items()]
    position = 0
    for begin, end in sorted(item.data_offsets for item in fields):
        if begin != position or end < begin:
            break
        position = end
    else:
        begin = end = position
    if position != size or begin != position:
        raise DataError(
            f"{place}: its tensors fill {position} bytes without a gap, of {size} that follow the header",
            "the file is cut off or damaged: every byte belongs to one tensor",
            f"copy it again, or {_FIX}",
        )


def load_network(path: str | Path) -> Network:
    """The network of a model file, in evaluation mode on the CPU."""
    from safetensors.torch import load_file

    from bec_md.network.network import Network

    header = read_header(path)
    if "mean_of" in header:
        raise DataError(
            f"{path} is the mean of several networks",
            "it has no weights of its own",
            f"name one of its networks: {' or '.join(header['mean_of'])}",
        )
    network = Network(NetworkConfig.model_validate(header["config"]))
    tensors = {k: v for k, v in load_file(path).items() if not k.startswith("coupling.")}
    weights = _upgraded_weights(tensors) if header["schema"] < SCHEMA else tensors
    for name, weight in weights.items():
        if not weight.isfinite().all():
            kind = "NaN" if weight.isnan().any() else "an infinite number"
            raise DataError(
                f"tensor {name} of {path} contains {kind}",
                "every prediction would be meaningless",
                "train the model again, or take an earlier state: the training had diverged",
            )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:  # missing tensors, others, or of other shapes
        raise DataError(
            f"{path}: {' '.join(str(error).split())[:200]}",
            "the weights do not fit the hyperparameters in the file's header",
            _FIX,
        ) from None
    return network.eval()


def rewrite(path: str | Path, target: str | Path) -> None:
    """Write a model file of any schema as one of this schema; weights and card stay as they are."""
    save_model(target, load_network(path), read_header(path)["card"])


#: First parts of the names of weights in schema 1 and now.
_RENAMED = {
    "readout.": "readouts.charges.mix.",
    "dipole": "readouts.dipole.weight",
    "polarizability.": "readouts.polarizability.size.",
    "anisotropy.": "readouts.polarizability.anisotropy.",
}


def _upgraded_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of schema 1 by their names in schema 2."""
    kind = "dipole" if "dipole" in tensors else "charges"
    renamed = _RENAMED | {"reference_charge": f"readouts.{kind}.reference_charge"}
    found = {}
    for name, value in tensors.items():
        old = next((old for old in renamed if name.startswith(old)), "")
        found[renamed.get(old, "") + name[len(old) :]] = value[:, None] if old == "dipole" else value
    return found


def _coupling_tables(config: NetworkConfig) -> dict[str, Tensor]:
    import torch
    from e3nn import o3

    degrees = range(config.l_max + 1)
    return {
        f"coupling.{a}.{b}.{c}": o3.wigner_3j(a, b, c, dtype=torch.float64) * math.sqrt(2 * c + 1)
        for a in degrees
        for b in degrees
        for c in range(abs(a - b), min(a + b, 2) + 1)
    }
