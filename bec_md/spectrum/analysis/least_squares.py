"""Weighted least squares of smoothed spectra, whose neighboring points share noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bec_md.arrays import Array

Model = Callable[[Array], Array]


def least_squares_fit(
    model: Model,
    derivatives: Model,
    start: Array,
    measured: Array,
    errors: Array,
    points_per_independent: float,
    lower: Array | None = None,
) -> tuple[Array, Array, float]:
    """Fit a model to data with known errors.

    Parameters
    ----------
    model
        Parameters (P,) → values (N,).
    derivatives
        Parameters (P,) → derivatives of the values (P, N).
    start
        First guess (P,).
    measured, errors
        (N,) data and their weights 1/errors.
    points_per_independent
        How many neighboring points share one independent piece of information.
    lower
        Lower bounds of the parameters; none by default.

    Returns
    -------
    parameters, gain, chi2
        (P,); the response (P, N) of the parameters to the data; reduced χ² per independent point.
    """
    from scipy.optimize import least_squares

    def residuals(parameters: Array) -> Array:
        """Differences in units of their errors."""
        return (model(parameters) - measured) / errors

    def jacobian_of(parameters: Array) -> Array:
        """Derivatives of the residuals."""
        return np.asarray((derivatives(parameters) / errors).T)

    bounds = (-np.inf, np.inf) if lower is None else (lower, np.inf)
    inner = start if lower is None else np.maximum(start, lower + 1e-9 * np.maximum(np.abs(start), 1.0))
    found = least_squares(
        residuals,
        inner,
        jacobian_of,
        bounds=bounds,
        x_scale=np.maximum(np.abs(inner), 1e-6),
        max_nfev=100,
    )
    independent = max(len(measured) / points_per_independent - len(start), 1.0)
    chi2 = 2.0 * float(found.cost) / points_per_independent / independent
    jacobian = np.asarray(found.jac, dtype=np.float64)
    # of a band without strength position and width are anything: small columns are not to be cut off as none
    norms = np.maximum(np.linalg.norm(jacobian, axis=0), 1e-150)
    gain = np.linalg.pinv(jacobian / norms) / norms[:, None] / errors
    return np.asarray(found.x), np.asarray(gain, dtype=np.float64), chi2
