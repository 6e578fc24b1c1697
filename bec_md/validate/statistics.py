r"""Is the scatter what the error bars say? Means of z² over runs and frequencies, with their own errors.

For runs r and frequencies f with estimates v and predicted standard errors s,

.. math:: Q = \frac1F\sum_f \frac{\langle (v_{rf} - e_f)^2\rangle_r}{\langle s_{rf}^2\rangle_r}

is 1 if the predicted errors are right and there is no bias: a bias of half a standard error makes it 1.25.
The mean over runs has √R smaller errors and shows a bias of a tenth of a standard error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bec_md.arrays import Array
from bec_md.validate.table import Check


def independent_points(wavenumber_cm: Array, low_cm: float, high_cm: float, resolution_cm: float) -> Array:
    """Indices of frequencies 1.5 resolutions apart: the smoothing kernel correlates them by 4 %.

    Parameters
    ----------
    wavenumber_cm
        Uniform grid (F,).
    low_cm, high_cm
        Band.
    resolution_cm
        Full width at half maximum of the kernel.
    """
    step = max(round(1.5 * resolution_cm / float(wavenumber_cm[1] - wavenumber_cm[0])), 1)
    first, last = np.searchsorted(wavenumber_cm, [low_cm, high_cm])
    return np.arange(first, last, step)


def scatter(values: Array, errors: Array, exact: Array) -> tuple[float, float]:
    """Q of estimates (R, F) with errors (R, F) about exact values (F,), and its standard error."""
    per_point = np.mean((values - exact) ** 2, axis=0) / np.mean(errors**2, axis=0)
    return float(np.mean(per_point)), mean_square_error(values) / len(values) ** 0.5


def bias(values: Array, errors: Array, exact: Array) -> tuple[float, float]:
    """Mean z² of the mean over runs about the exact values, and its standard error."""
    z = (values.mean(axis=0) - exact) / np.sqrt(np.mean(errors**2, axis=0) / len(values))
    return float(np.mean(z**2)), mean_square_error(values)


def mean_square_error(values: Array) -> float:
    """Standard error of the mean of F squares of unit normal numbers, √(2 Σρ²)/F.

    The correlations ρ between frequencies are taken from the runs (R, F), less what R runs show by chance.
    """
    runs, points = values.shape
    if points == 1:
        return float(np.sqrt(2.0))
    square = np.corrcoef(values.T) ** 2
    apart = (square.sum() - points) / (points * (points - 1))
    apart = max((apart - 1.0 / (runs - 1)) / (1.0 - 1.0 / (runs - 1)), 0.0)
    return float(np.sqrt(2.0 * (1.0 / points + (1.0 - 1.0 / points) * apart)))


def agreement(
    case: str, quantity: str, values: Sequence[Array], errors: Sequence[Array], exact: Array, note: str = ""
) -> list[Check]:
    """Two rows: scatter over runs, and the mean over runs.

    Parameters
    ----------
    case, quantity
        Names.
    values, errors
        (F,) of each run, at independent frequencies.
    exact
        (F,) expectation.
    note
        Goes into the first row.
    """
    v, s = np.array(values), np.array(errors)
    q, q_error = scatter(v, s, exact)
    b, b_error = bias(v, s, exact)
    runs, points = v.shape
    return [
        Check(case, f"mean z² of {quantity}", 1.0, q, q_error, note=note or f"{runs} runs × {points} points"),
        Check(case, f"mean z² of {quantity}, runs averaged", 1.0, b, b_error),
    ]
