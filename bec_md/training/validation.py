"""The end of a run: held-back data through the best network, for the model card and the parity plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bec_md.archive import read_arrays
from bec_md.atomic import replacing
from bec_md.evaluation import Evaluation, compare
from bec_md.evaluation.index_order import check_index_order
from bec_md.training.dataset import GraphDataset, element_means
from bec_md.training.domain import (
    domain_uncertainty,
    limit_of_unseen,
    means_of_structures,
    structures_of_elements,
    structures_of_limits,
)
from bec_md.training.loop import TrainingData, predict_dataset

if TYPE_CHECKING:
    from bec_md.network.network import Network

#: Fewer held-back frames than this are no test.
FEW_FRAMES = 10

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
    eps_inf = dataset.labels["eps_inf"]
    labelled = eps_inf.weight.cpu().numpy() > 0
    return compare(
        model=model,
        data=name,
        numbers=dataset.numbers.cpu().numpy(),
        frame=np.repeat(np.arange(len(dataset)), dataset.n_atoms.cpu().numpy()),
        labels=dataset.labels["charges"].values.double().cpu().numpy(),
        predicted=predicted.charges,
        total_charge=dataset.total_charge.double().cpu().numpy(),
        uncertainty_e=np.sqrt(predicted.variance),
        eps_inf_labels=eps_inf.values.double().cpu().numpy()[labelled],
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
        check = check_index_order(predicted, batch.labels["charges"].values.double().cpu().numpy())
        if check.transposed:
            warnings.append(
                f"{name}: labels fit the network better after exchanging their indices (RMSE "
                f"{check.rmse_transposed_e:.4f} instead of {check.rmse_e:.4f} e); if they are stored in the "
                "other order, set index_order: displacement-first (or leave it out, if that is set)"
            )
    return warnings


def card_entries(
    evaluations: Mapping[str, Evaluation], unseen: frozenset[str] = frozenset(), n_copies: int = 0
) -> dict[str, Any]:
    """Validation table and calibrated factor of the uncertainty, for the model card.

    The factor is that of unseen compositions, if any were held back: there the errors have long tails, so it
    is chosen to make 95 % bands hold. Else it is the most likely one of Gaussian errors.
    """
    table = {
        name: {key: item.metrics[key] for key in CARD_KEYS if key in item.metrics}
        for name, item in evaluations.items()
    }
    entries: dict[str, Any] = {"validation": table}
    if table:
        entries["stated_error_e"] = float(np.mean([row["rmse_e"] for row in table.values()]))
        entries["stated_error_data"] = held_back_words(
            [item.frame for item in evaluations.values()], n_copies
        )
    scales = {
        name: item.metrics["calibration"]["scale_95" if unseen else "scale"]
        for name, item in evaluations.items()
        if "calibration" in item.metrics
    }
    if scales:
        chosen = [scale for name, scale in scales.items() if not unseen or name in unseen]
        entries["uncertainty_scale"] = float(np.exp(np.mean(np.log(chosen))))
        entries["uncertainty_scales"] = scales
        entries["calibrated_on"] = "unseen compositions" if unseen else "held-back frames"
    return entries


def held_back_words(frames: Sequence[NDArray[np.int64]], n_copies: int = 0) -> str:
    """Say what the error on held-back frames is worth: they chose the weights, and may be few or learned.

    Parameters
    ----------
    frames
        Frame of each tensor, for every file.
    n_copies
        How many of them are copies of training frames.
    """
    count = sum(len(np.unique(item)) for item in frames)
    few = "; too few to be a test: cross-validate" if count < FEW_FRAMES else ""
    copies = f"; {n_copies} of them also learned from" if n_copies else ""
    return f"{count} held-back frame{'s' if count != 1 else ''}, which also chose the weights{copies}{few}"


def training_domain(
    network: Network, data: TrainingData, evaluations: Mapping[str, Evaluation], *, max_edges: int
) -> dict[str, Any]:
    """Entries of the card about what the model knows: structures per element, limit of the uncertainty.

    Structures whose labels a teacher made up are not counted.
    """
    numbers = data.training.numbers.cpu().numpy()
    frame = np.repeat(np.arange(len(data.training)), data.training.n_atoms.cpu().numpy())
    computed = ~np.isin(np.repeat(np.arange(len(data.sizes)), data.sizes), list(data.taught))[frame]
    entries: dict[str, Any] = {
        "training_structures": structures_of_elements(frame[computed], numbers[computed])
    }
    if network.charges_from.members == 1:
        return entries
    scale = float(card_entries(evaluations, data.unseen).get("uncertainty_scale", 1.0))
    means = [
        means_of_structures(item.frame, scale * item.uncertainty_e)
        for name, item in evaluations.items()
        if name in data.unseen and item.uncertainty_e is not None
    ]
    if means:
        limit = limit_of_unseen(means)
        entries["domain_uncertainty_e"] = dict.fromkeys(structures_of_elements(frame, numbers), limit)
    else:
        frames = structures_of_limits(frame, numbers, data.sizes, data.repeats)
        spread = np.sqrt(predict_dataset(network, data.training, max_edges, frames=frames).variance)
        entries["domain_uncertainty_e"] = domain_uncertainty(numbers[np.isin(frame, frames)], scale * spread)
    return entries


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
    with replacing(path) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_parity(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read :func:`write_parity`'s file: arrays by data set and name."""
    out: dict[str, dict[str, Any]] = {}
    for key, values in read_arrays(Path(path)).items():
        name, _, quantity = key.rpartition(".")
        out.setdefault(name, {})[quantity] = values
    return out
