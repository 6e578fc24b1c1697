"""Errors of predicted tensors against reference tensors: arrays in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

#: Labels with a larger `residual_per_root` (e) are broken: a training drops them unless told otherwise.
MAX_SUM_RULE_E = 0.5


def antisymmetric(tensors: Array) -> Array:
    """(Z − Zᵀ)/2 for each (…, 3, 3)."""
    return np.asarray((tensors - np.swapaxes(tensors, -1, -2)) / 2)


def frame_means(values: Array, frame: NDArray[np.int64], n_frames: int) -> Array:
    """Mean of a per-atom quantity (N,) over the atoms of each frame, (B,)."""
    count = np.bincount(frame, minlength=n_frames)
    return np.asarray(np.bincount(frame, weights=values, minlength=n_frames) / np.maximum(count, 1))


def tensor_errors(predicted: Array, labels: Array, frame: NDArray[np.int64]) -> dict[str, Any]:
    """Summarize the errors of all components.

    Parameters
    ----------
    predicted, labels
        (N, 3, 3), e.
    frame
        (N,) frame of each atom, 0 … B−1.

    Returns
    -------
    errors
        ``rmse_e`` and ``mae_e`` over all components; ``r2`` against the spread of the labels about the
        mean of each component; medians over frames; the same split by component, by diagonal and
        off-diagonal, and for the antisymmetric part (over its three independent components).
    """
    error = predicted - labels
    n_frames = int(frame.max()) + 1
    squared = frame_means((error**2).mean(axis=(1, 2)), frame, n_frames)
    absolute = frame_means(np.abs(error).mean(axis=(1, 2)), frame, n_frames)
    spread = float(((labels - labels.mean(axis=0)) ** 2).sum())
    off = ~np.eye(3, dtype=bool)
    upper = np.triu_indices(3, 1)
    anti_error = antisymmetric(error)[:, *upper]
    anti_label = antisymmetric(labels)[:, *upper]
    return {
        "rmse_e": _rms(error),
        "mae_e": float(np.abs(error).mean()),
        "r2": 1.0 - float((error**2).sum()) / spread if spread > 0.0 else math.nan,
        "median_frame_rmse_e": float(np.median(np.sqrt(squared))),
        "median_frame_mae_e": float(np.median(absolute)),
        "mae_components_e": np.abs(error).mean(axis=0).tolist(),
        "diagonal_rmse_e": _rms(error[:, ~off]),
        "off_diagonal_rmse_e": _rms(error[:, off]),
        "antisymmetric_rmse_e": _rms(anti_error),
        "antisymmetric_label_rms_e": _rms(anti_label),
        "n_tensors": len(labels),
        "n_frames": n_frames,
    }


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def per_element_errors(
    predicted: Array, labels: Array, numbers: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """RMSE, MAE, number of tensors and mean isotropic charge of each element."""
    from ase.data import chemical_symbols

    out: dict[str, dict[str, float]] = {}
    for number in np.unique(numbers).tolist():
        mine = numbers == number
        error = predicted[mine] - labels[mine]
        out[chemical_symbols[number]] = {
            "rmse_e": _rms(error),
            "mae_e": float(np.abs(error).mean()),
            "n_tensors": int(mine.sum()),
            "mean_charge_e": float(np.trace(labels[mine], axis1=1, axis2=2).mean() / 3),
            "mean_predicted_e": float(np.trace(predicted[mine], axis1=1, axis2=2).mean() / 3),
        }
    return out


def sum_rule_excess(charges: Array, total_charge: float) -> Array:
    """Σ_i Z_i − Q·1 of one frame.

    Parameters
    ----------
    charges
        (N, 3, 3), e.
    total_charge
        Q, e.

    Returns
    -------
    excess
        (3, 3), e.
    """
    return np.asarray(charges.sum(axis=0) - total_charge * np.eye(3))


def residual_per_root(charges: Array, total_charge: float) -> float:
    """Largest component of |Σ_i Z_i − Q·1| of one frame by √N, e: that of converged labels grows like √N."""
    return float(np.abs(sum_rule_excess(charges, total_charge)).max()) / float(np.sqrt(len(charges)))


def sum_rule_residual(charges: Array, frame: NDArray[np.int64], total_charge: Array) -> float:
    """Mean over frames of max|Σ_i Z_i − Q·1|/N, e."""
    n_frames = len(total_charge)
    total = np.zeros((n_frames, 3, 3))
    np.add.at(total, frame, charges)
    excess = np.abs(total - total_charge[:, None, None] * np.eye(3)).max(axis=(1, 2))
    return float(np.mean(excess / np.bincount(frame, minlength=n_frames)))


def eps_inf_errors(predicted: Array, labels: Array) -> dict[str, float]:
    """Errors of ε_∞, (B, 3, 3) each.

    ``eps_inf_mae`` over all components; ``eps_inf_median_relative`` the median of ‖Δε‖/‖ε‖;
    ``eps_inf_trace_median_relative`` that of the isotropic average alone.
    """
    error = predicted - labels
    relative = np.linalg.norm(error, axis=(1, 2)) / np.linalg.norm(labels, axis=(1, 2))
    trace = np.trace(labels, axis1=1, axis2=2)
    isotropic = np.abs(np.trace(error, axis1=1, axis2=2)) / np.abs(trace)
    return {
        "eps_inf_mae": float(np.abs(error).mean()),
        "eps_inf_median_relative": float(np.median(relative)),
        "eps_inf_trace_median_relative": float(np.median(isotropic)),
        "n_eps_inf": len(labels),
    }


def calibration(error: Array, uncertainty: Array, *, bins: int = 10) -> dict[str, Any]:
    """Compare the stated uncertainty of each atom with the errors found.

    Atoms are sorted by uncertainty into bins of equal number; a calibrated uncertainty gives an RMS
    error equal to the RMS uncertainty in every bin.

    Parameters
    ----------
    error
        (N, 3, 3), e.
    uncertainty
        (N,) standard deviation of one component, e.

    Returns
    -------
    table
        ``bins`` (rows with uncertainty_e, rmse_e, count), ``ence`` (mean relative distance between the
        two), ``coverage_68`` and ``coverage_95`` (of components), ``rank_correlation`` (Spearman) and
        ``scale``, the factor √⟨Δ²/s²⟩ by which the uncertainty should be multiplied, and ``scale_95``, the
        one with which 95 % bands hold.

    References
    ----------
    Levi et al. 2022 (expected normalized calibration error).
    """
    squared = (error**2).mean(axis=(1, 2))
    order = np.argsort(uncertainty, kind="stable")
    rows = []
    for part in np.array_split(order, min(bins, len(order))):
        stated = float(np.sqrt(np.mean(uncertainty[part] ** 2)))
        found = float(np.sqrt(np.mean(squared[part])))
        rows.append({"uncertainty_e": stated, "rmse_e": found, "count": len(part)})
    z = np.abs(error) / np.maximum(uncertainty, 1e-12)[:, None, None]
    return {
        "bins": rows,
        "ence": float(np.mean([abs(r["rmse_e"] - r["uncertainty_e"]) / r["uncertainty_e"] for r in rows]))
        if all(r["uncertainty_e"] > 0 for r in rows)
        else math.nan,
        "coverage_68": float(np.mean(z < 1.0)),
        "coverage_95": float(np.mean(z < 1.959964)),
        "rank_correlation": rank_correlation(uncertainty, np.sqrt(squared)),
        "scale": uncertainty_scale(error, uncertainty),
        "scale_95": float(np.quantile(z, 0.95)) / 1.959964,
    }


def uncertainty_scale(error: Array, uncertainty: Array) -> float:
    """√⟨Δ²/s²⟩ over atoms whose uncertainty is above zero; 1 if there are none.

    It maximizes the likelihood of N(0, (scale·s)²) for the errors.
    """
    mine = uncertainty > 0
    if not mine.any():
        return 1.0
    return float(np.sqrt(np.mean((error[mine] ** 2).mean(axis=(1, 2)) / uncertainty[mine] ** 2)))


def rank_correlation(x: Array, y: Array) -> float:
    """Spearman's coefficient (ties in order of appearance)."""
    if len(x) < 2:
        return math.nan
    a, b = (np.argsort(np.argsort(v, kind="stable"), kind="stable").astype(float) for v in (x, y))
    return float(np.corrcoef(a, b)[0, 1])


def element_mean_prediction(
    means: Mapping[int, float], numbers: NDArray[np.int64], frame: NDArray[np.int64], total_charge: Array
) -> Array:
    """Isotropic mean charge of each atom's element, made to obey the sum rule: the baseline to beat.

    Elements absent from `means` get zero before the sum rule.
    """
    scalar = np.array([means.get(int(z), 0.0) for z in numbers])
    n_frames = len(total_charge)
    excess = frame_means(scalar, frame, n_frames) - total_charge / np.bincount(frame, minlength=n_frames)
    return np.asarray((scalar - excess[frame])[:, None, None] * np.eye(3))
