"""Predictions beside labels, and all errors between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, brief_repr
from bec_md.evaluation.index_order import check_index_order
from bec_md.evaluation.metrics import (
    calibration,
    element_mean_prediction,
    eps_inf_errors,
    per_element_errors,
    sum_rule_residual,
    tensor_errors,
)


@dataclass(frozen=True)
class Evaluation:
    """Predictions beside labels (the arrays of a parity plot) and the errors between them.

    Parameters
    ----------
    model, data
        What was measured, on what.
    numbers, frame
        (N,) atomic numbers of the atoms of all frames, end to end, and the frame of each atom.
    labels, predicted
        (N, 3, 3) tensors, e.
    uncertainty_e
        (N,) standard deviation of one component that the model states, e; None if it states none.
    eps_inf_labels, eps_inf_predicted
        (L, 3, 3) ε∞ of the frames that have a label.
    metrics
        Errors in e by the names of the JSON output.
    warnings
        What the reader should know.
    model_reason, stated_error
        Why this model was taken, and the error that its card states, in words; empty for other predictors.
    """

    model: str
    data: str
    numbers: NDArray[np.int64]
    frame: NDArray[np.int64]
    labels: Array
    predicted: Array
    uncertainty_e: Array | None
    eps_inf_labels: Array
    eps_inf_predicted: Array
    metrics: Mapping[str, Any]
    warnings: tuple[str, ...] = field(default=())
    model_reason: str = ""
    stated_error: str = ""

    __repr__ = brief_repr

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
    model, data
        Their names.
    numbers, frame, labels, predicted, uncertainty_e
        Per atom, as in :class:`Evaluation`.
    total_charge
        (B,) net charge of each frame, e.
    eps_inf_labels, eps_inf_predicted
        (L, 3, 3) for the frames with a label.
    element_means
        Mean charge of each element in the training data, e: gives the baseline ``element_mean``.
    extra
        Further metrics, e.g. ``us_per_atom``.

    Returns
    -------
    Evaluation
        Errors in e, with the arrays they come from.
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
            "stored in the other order; read them as 'displacement-first' (or not, if they were read so)"
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
