"""The end of a run: held-back data through the best network, for the model card and the parity plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bec_md.archive import read_arrays
from bec_md.evaluation import Evaluation, compare
from bec_md.evaluation.index_order import check_index_order
from bec_md.training.dataset import GraphDataset, element_means
from bec_md.training.domain import domain_uncertainty
from bec_md.training.loop import TrainingData, predict_dataset

if TYPE_CHECKING:
    from bec_md.network.network import Network

CARD_KEYS = (
    "rmse_e",
    "mae_e",
    "r2",
    "median_frame_rmse_e",
    "median_frame_mae_e",
    "antisymmetric_rmse_e",
    "n_tensors",
    "n_frames",
    "eps_inf_mae",
    "eps_inf_median_relative",
    "baselines",
)
"""Metrics that go into the model card."""


def validate(
    network: Network, data: TrainingData, *, max_edges: int, model: str = "model"
) -> dict[str, Evaluation]:
    """Evaluate the network on each held-back data set."""
    means = element_means(data.training)
    return {
        name: evaluate_dataset(network, dataset, name, means, max_edges=max_edges, model=model)
        for name, dataset in data.validation.items()
    }


def evaluate_dataset(
    network: Network,
    dataset: GraphDataset,
    name: str,
    means: Mapping[int, float],
    *,
    max_edges: int,
    model: str = "model",
) -> Evaluation:
    """Errors on one data set, with the element means as baseline."""
    predicted = predict_dataset(network, dataset, max_edges)
    labelled = dataset.eps_weight.cpu().numpy() > 0
    return compare(
        model=model,
        data=name,
        numbers=dataset.numbers.cpu().numpy(),
        frame=np.repeat(np.arange(len(dataset)), dataset.n_atoms.cpu().numpy()),
        labels=dataset.charges.double().cpu().numpy(),
        predicted=predicted.charges,
        total_charge=dataset.total_charge.double().cpu().numpy(),
        uncertainty_e=np.sqrt(predicted.variance),
        eps_inf_labels=dataset.eps_inf.double().cpu().numpy()[labelled],
        eps_inf_predicted=predicted.eps_inf[labelled],
        element_means=means,
    )


def index_order_warnings(
    network: Network, data: TrainingData, names: Sequence[str], *, n_frames: int = 20
) -> list[str]:
    """Say which training files fit the network better after exchanging the indices of their tensors.

    A trained network knows the sign of the antisymmetric part from its other data; a file alone does not
    tell its order.
    """
    warnings = []
    start = 0
    for name, size in zip(names, data.sizes, strict=True):
        batch = data.training.batch(range(start, start + min(size, n_frames)))
        start += size
        with torch.no_grad():
            members = network(batch.graph, members=False)["charges"]
        predicted = members.mean(dim=1).double().cpu().numpy()
        check = check_index_order(predicted, batch.charges.double().cpu().numpy())
        if check.transposed:
            warnings.append(
                f"{name}: labels fit the network better after exchanging their indices (RMSE "
                f"{check.rmse_transposed_e:.4f} instead of {check.rmse_e:.4f} e); if they are stored as "
                "∂M_b/∂u_ia, set index_order: displacement-first"
            )
    return warnings


def card_entries(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Validation table and calibrated factor of the uncertainty, for the model card."""
    table = {
        name: {key: item.metrics[key] for key in CARD_KEYS if key in item.metrics}
        for name, item in evaluations.items()
    }
    scales = [
        item.metrics["calibration"]["scale"] for item in evaluations.values() if "calibration" in item.metrics
    ]
    entries: dict[str, Any] = {"validation": table}
    if table:
        entries["stated_error_e"] = float(np.mean([row["rmse_e"] for row in table.values()]))
    if scales:
        entries["uncertainty_scale"] = float(np.exp(np.mean(np.log(scales))))
        entries["uncertainty_scales"] = {
            name: item.metrics["calibration"]["scale"]
            for name, item in evaluations.items()
            if "calibration" in item.metrics
        }
    return entries


def training_domain(
    network: Network, data: TrainingData, scale: float, *, max_edges: int
) -> dict[str, float]:
    """Calibrated uncertainty that 95 % of the training environments of each element do not exceed, e."""
    spread = np.sqrt(predict_dataset(network, data.training, max_edges).variance)
    return domain_uncertainty(data.training.numbers.cpu().numpy(), scale * spread)


def write_parity(path: Path, evaluations: Mapping[str, Evaluation]) -> None:
    """Write what a parity plot shows: one group of plain arrays for each data set (npz, no pickle)."""
    arrays: dict[str, Any] = {}
    for name, item in evaluations.items():
        arrays[f"{name}.numbers"] = item.numbers
        arrays[f"{name}.frame"] = item.frame
        arrays[f"{name}.labels"] = item.labels
        arrays[f"{name}.predicted"] = item.predicted
        arrays[f"{name}.eps_inf_labels"] = item.eps_inf_labels
        arrays[f"{name}.eps_inf_predicted"] = item.eps_inf_predicted
        if item.uncertainty_e is not None:
            arrays[f"{name}.uncertainty_e"] = item.uncertainty_e
    np.savez_compressed(path, **arrays)


def read_parity(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read :func:`write_parity`'s file: arrays by data set and name."""
    out: dict[str, dict[str, Any]] = {}
    for key, values in read_arrays(Path(path)).items():
        name, _, quantity = key.rpartition(".")
        out.setdefault(name, {})[quantity] = values
    return out
