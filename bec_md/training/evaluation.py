"""`bec-md evaluate`: a model against labelled structures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bec_md.training.config import IndexOrder
from bec_md.training.extxyz import LabelledFrame, read_frames
from bec_md.training.labels import check_index_order
from bec_md.training.metrics import (
    calibration,
    element_mean_prediction,
    eps_inf_errors,
    per_element_errors,
    sum_rule_residual,
    tensor_errors,
)

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.trajectory.frame import Frame

Array = NDArray[np.float64]


class Predictor(Protocol):
    """What evaluation needs of a model (:class:`bec_md.network.BecModel` has it)."""

    name: str

    def predict_batch(self, frames: Sequence[Frame | Atoms]) -> Any:
        """Tensors, uncertainties and ε_∞ of frames with the same number of atoms."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """Predictions beside labels (the arrays of a parity plot) and the errors between them."""

    model: str
    data: str
    numbers: NDArray[np.int64]  # (N,) atomic numbers of all frames, end to end
    frame: NDArray[np.int64]  # (N,) frame of each atom
    labels: Array  # (N, 3, 3) e
    predicted: Array  # (N, 3, 3) e
    uncertainty_e: Array | None  # (N,) standard deviation of one component
    eps_inf_labels: Array  # (L, 3, 3) of the frames that have one
    eps_inf_predicted: Array  # (L, 3, 3)
    metrics: Mapping[str, Any]  # the keys of `evaluate --json`
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the metrics with the names of model and data, ready for `json.dumps`."""
        return {"model": self.model, "data": self.data, **self.metrics, "warnings": list(self.warnings)}


def compare(
    *,
    model: str,
    data: str,
    numbers: NDArray[np.int64],
    frame: NDArray[np.int64],
    labels: Array,
    predicted: Array,
    total_charge: Array,
    uncertainty_e: Array | None = None,
    eps_inf_labels: Array | None = None,
    eps_inf_predicted: Array | None = None,
    element_means: Mapping[int, float] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Compute all errors of :class:`Evaluation` from arrays.

    Parameters
    ----------
    numbers, frame, labels, predicted, uncertainty_e
        Per atom, as in :class:`Evaluation`.
    total_charge
        (B,) net charge of each frame, e.
    eps_inf_labels, eps_inf_predicted
        (L, 3, 3) for the frames with a label.
    element_means
        Mean charge of each element in the training data: gives the baseline ``element_mean``.
    extra
        Further metrics, e.g. ``us_per_atom``.
    """
    metrics: dict[str, Any] = tensor_errors(predicted, labels, frame)
    metrics["per_element"] = per_element_errors(predicted, labels, numbers)
    metrics["sum_rule_residual_e"] = sum_rule_residual(predicted, frame, total_charge)
    metrics["label_sum_rule_residual_e"] = sum_rule_residual(labels, frame, total_charge)
    if uncertainty_e is not None and float(uncertainty_e.max(initial=0.0)) > 0.0:
        metrics["calibration"] = calibration(predicted - labels, uncertainty_e)
    empty = np.zeros((0, 3, 3))
    eps_labels = empty if eps_inf_labels is None else eps_inf_labels
    eps_predicted = empty if eps_inf_predicted is None else eps_inf_predicted
    if len(eps_labels) and len(eps_predicted):
        metrics |= eps_inf_errors(eps_predicted, eps_labels)
    if element_means is not None:
        guess = element_mean_prediction(element_means, numbers, frame, total_charge)
        keys = ("rmse_e", "mae_e", "median_frame_rmse_e", "median_frame_mae_e")
        found = tensor_errors(guess, labels, frame)
        metrics["baselines"] = {"element_mean": {key: found[key] for key in keys}}
    metrics |= dict(extra or {})
    order = check_index_order(predicted, labels)
    metrics["antisymmetric_correlation"] = order.antisymmetric_correlation
    warnings = []
    if order.transposed:
        warnings.append(
            "the labels fit better after exchanging their indices "
            f"(RMSE {order.rmse_transposed_e:.4f} instead of {order.rmse_e:.4f} e): they are probably "
            "stored as ∂M_b/∂u_ia; read them with index order 'displacement-first'"
        )
    return Evaluation(
        model,
        data,
        numbers,
        frame,
        labels,
        predicted,
        uncertainty_e,
        eps_labels,
        eps_predicted,
        metrics,
        tuple(warnings),
    )


def as_frame(item: LabelledFrame) -> Frame:
    """Return the geometry of a labelled structure as a trajectory frame without velocities."""
    from ase.data import atomic_masses

    from bec_md.trajectory.frame import Frame

    return Frame(
        positions_ang=item.positions_ang,
        cell_ang=item.cell_ang,
        pbc=item.pbc,
        numbers=item.numbers,
        masses_amu=np.asarray(atomic_masses[item.numbers]),
        velocities_ang_fs=None,
        time_fs=None,
        total_charge=item.total_charge,
        index=item.index,
    )


def means_of_elements(frames: Sequence[LabelledFrame]) -> dict[int, float]:
    """Mean of tr Z/3 for each element, e."""
    numbers = np.concatenate([frame.numbers for frame in frames])
    trace = np.concatenate([np.trace(f.born_effective_charges, axis1=1, axis2=2) for f in frames]) / 3
    return {int(z): float(trace[numbers == z].mean()) for z in np.unique(numbers)}


def evaluate_model(
    model: str | Path | Predictor,
    data: str | Path | Sequence[LabelledFrame],
    *,
    level: str | None = None,
    charges_key: str | None = None,
    index_order: IndexOrder | None = None,
    total_charge: float | None = None,
    limit: int | None = None,
    training_data: Sequence[str | Path] = (),
    device: str = "cpu",
    engine: Literal["auto", "native", "torch"] = "auto",
    threads: int | None = None,
) -> Evaluation:
    """Measure the errors and the speed of a model on labelled structures.

    Parameters
    ----------
    model
        Name of a bundled model, path of a model file, or a loaded model.
    data
        Extended XYZ file with reference tensors, or frames read before.
    level
        Level of theory whose labels the model should reproduce; the model's own choice when not given.
    charges_key, index_order, total_charge
        How to read the file, see :func:`bec_md.training.extxyz.iterate_frames`.
    limit
        Use only the first frames.
    training_data
        Files whose mean charge of each element gives the baseline ``element_mean``.
    device, engine, threads
        Where a model given by name runs.

    Raises
    ------
    DataError
        If file or model cannot be read, or the file has elements that the model does not know.
    """
    if isinstance(data, (str, Path)):
        transposed = None if index_order is None else index_order == "displacement-first"
        frames = read_frames(data, charges_key=charges_key, transposed=transposed, total_charge=total_charge)
        name = Path(data).name
    else:
        frames, name = list(data), "frames"
    frames = frames[:limit]
    if isinstance(model, (str, Path)):
        from bec_md.network import load_model

        elements = sorted({int(z) for frame in frames for z in frame.numbers})
        predictor: Predictor = load_model(
            model, device=device, engine=engine, threads=threads, elements=elements, level=level
        )
    else:
        predictor = model
    means = (
        means_of_elements([f for path in training_data for f in read_frames(path)]) if training_data else None
    )
    predicted, uncertainty, eps, timing = _predict(predictor, frames)
    labelled = [i for i, frame in enumerate(frames) if frame.eps_inf is not None]
    eps_labels = [e for f in frames if (e := f.eps_inf) is not None]
    return compare(
        model=predictor.name,
        data=name,
        numbers=np.concatenate([frame.numbers for frame in frames]),
        frame=np.repeat(np.arange(len(frames)), [frame.n_atoms for frame in frames]),
        labels=np.concatenate([frame.born_effective_charges for frame in frames]),
        predicted=predicted,
        total_charge=np.array([frame.total_charge for frame in frames]),
        uncertainty_e=uncertainty,
        eps_inf_labels=np.array(eps_labels).reshape(-1, 3, 3),
        eps_inf_predicted=eps[labelled] if eps is not None else None,
        element_means=means,
        extra=timing,
    )


def _predict(
    predictor: Predictor, frames: Sequence[LabelledFrame]
) -> tuple[Array, Array | None, Array | None, dict[str, float]]:
    """Predict frame by frame and time it: the median over frames is robust on a shared machine."""
    tensors, spreads, eps, cpu, wall = [], [], [], [], []
    geometries: list[Frame | Atoms] = [as_frame(item) for item in frames]
    predictor.predict_batch(geometries[:1])  # caches and code are loaded by the first call
    for geometry in geometries:
        start_cpu, start = time.process_time(), time.perf_counter()
        prediction = predictor.predict_batch([geometry])
        n_atoms = len(geometry.numbers)
        cpu.append((time.process_time() - start_cpu) / n_atoms)
        wall.append((time.perf_counter() - start) / n_atoms)
        tensors.append(np.asarray(prediction.born_effective_charges)[0])
        if getattr(prediction, "uncertainty_e", None) is not None:
            spreads.append(np.asarray(prediction.uncertainty_e)[0])
        own = getattr(prediction, "eps_inf", None)
        if own is not None and not np.isnan(own).any():
            eps.append(np.asarray(own)[0])
    timing = {"us_per_atom": 1e6 * float(np.median(wall)), "cpu_us_per_atom": 1e6 * float(np.median(cpu))}
    complete = len(spreads) == len(frames)
    return (
        np.concatenate(tensors),
        np.concatenate(spreads) if complete else None,
        np.array(eps) if len(eps) == len(frames) else None,
        timing,
    )
