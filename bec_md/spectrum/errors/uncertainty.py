r"""Statistical errors of spectra: analytic, χ², jackknife, and the real part's.

For Gaussian noise the smoothed estimate of a symmetric spectral matrix S has

.. math:: \mathrm{var}\,\hat S_{ab} = \tfrac12 (S_{aa}S_{bb} + S_{ab}^2)\, r, \qquad
          \mathrm{var}\,\tfrac13\mathrm{tr}\,\hat S = \tfrac19 \textstyle\sum_{ab} S_{ab}^2\, r,

r = 1/(n_rep T B) being the relative variance of one component. For three equivalent axes the second is the
familiar 1/√(3 n_rep T B). Degrees of freedom follow by matching two moments: ν = 2 (mean)²/variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.spectrum.response.symmetric_tensor import VOIGT, to_matrix, to_six


def relative_standard_error(
    bandwidth_per_fs: float, total_time_fs: float, components: float = 3.0, replicas: float = 1.0
) -> float:
    """Relative standard error 1/√(n_comp·n_rep·T·B) of a smoothed spectrum."""
    return float((components * replicas * total_time_fs * bandwidth_per_fs) ** -0.5)


def unbiased_products(power: Array, relative_variance: Array) -> tuple[Array, Array]:
    """S_aa S_bb and S_ab² (6, F) from estimates, without the bias that noise, (F,) or (6, F), adds."""
    every = np.broadcast_to(relative_variance, power.shape)
    diagonal = power[:3]
    squares = diagonal**2 / (1.0 + every[:3])
    product, square = np.empty_like(power), np.empty_like(power)
    for component, (a, b) in enumerate(VOIGT):
        if a == b:
            product[component] = square[component] = squares[a]
            continue
        product[component] = diagonal[a] * diagonal[b]
        r = every[component]
        noise = 0.5 * r * product[component]
        square[component] = np.clip(
            (power[component] ** 2 - noise) / (1.0 + 0.5 * r), 0.0, product[component]
        )
    return product, square


def component_variance(power: Array, relative_variance: Array, excess: Array | None = None) -> Array:
    """Variance of each Voigt component (6, F) of a symmetric power-spectrum matrix (6, F).

    Parameters
    ----------
    power, relative_variance
        Spectra, and the relative variance (F,) of one that is flat over the kernel.
    excess
        (3, F) by how much the variance along each axis exceeds that.
    """
    product, square = unbiased_products(power, relative_variance)
    return np.asarray(0.5 * (product + square) * relative_variance * _of_elements(excess))


def _of_elements(excess: Array | None) -> Array:
    """Excess of the variance of each Voigt component, (6, F), from that of the axes, (3, F)."""
    if excess is None:
        return np.ones((6, 1))
    return np.array([np.sqrt(excess[a] * excess[b]) for a, b in VOIGT])


def isotropic_variance(power: Array, relative_variance: Array, excess: Array | None = None) -> Array:
    """Variance (F,) of tr/3 of a symmetric power-spectrum matrix (6, F); see `component_variance`."""
    _, square = unbiased_products(power, relative_variance)
    square = square * _of_elements(excess)
    return np.asarray((square[:3].sum(axis=0) + 2.0 * square[3:].sum(axis=0)) / 9.0 * relative_variance)


def partial_variance(
    partial: Array, auto: Array, total: Array, relative_variance: Array, excess: Array | None = None
) -> Array:
    r"""Variance (F,) of tr/3 of the cross-spectrum of one group with the total; see `component_variance`.

    .. math:: \tfrac19 \sum_{ab} \tfrac12 (S^{gg}_{ab} S^{tt}_{ab} + S^{gt}_{ab} S^{gt}_{ab})\, r
    """
    r, beyond = relative_variance, _of_elements(excess)
    diagonal = np.sum((auto[:3] * total[:3] + partial[:3] ** 2) * beyond[:3], axis=0)
    variance = diagonal / (1.0 + r)
    for component, (a, b) in list(enumerate(VOIGT))[3:]:
        cross = partial[a] * partial[b]
        # what noise alone adds to the products if the axes are independent
        noise = 0.75 * cross + 0.125 * (auto[a] * total[b] + auto[b] * total[a])
        products = auto[component] * total[component] + partial[component] ** 2 - r * noise
        variance = variance + 2.0 * products * beyond[component]
    return np.asarray(np.maximum(variance, diagonal / 3.0) / 18.0 * r)


def degrees_of_freedom(mean: Array, variance: Array) -> Array:
    """Equivalent χ² degrees of freedom 2 mean²/variance; 2 n_comp n_rep T B for equivalent axes."""
    safe = np.where(variance > 0.0, variance, 1.0)
    return np.where(variance > 0.0, 2.0 * mean**2 / safe, np.inf)


def chi_square_interval(estimate: Array, dof: Array, level: float = 0.68) -> tuple[Array, Array]:
    """Central χ² confidence interval of a power spectrum.

    Parameters
    ----------
    estimate
        Estimated spectrum (F,).
    dof
        Equivalent degrees of freedom (F,) or a number.
    level
        Coverage, e.g. 0.68 or 0.95.

    Returns
    -------
    lower, upper
        Bounds, shape (F,).
    """
    from scipy.special import chdtri

    nu = np.clip(
        np.asarray(dof, dtype=float), 0.1, 1e8
    )  # bounds are far, not infinite, where nothing is known
    tail = 0.5 * (1.0 - level)
    return estimate * nu / chdtri(nu, tail), estimate * nu / chdtri(nu, 1.0 - tail)


def jackknife_error(values: NDArray[Any], weights: NDArray[Any]) -> Array:
    r"""Delete-one standard error of a weighted mean over K consecutive stretches.

    Parameters
    ----------
    values
        (K, ...) estimate from each stretch.
    weights
        (K,) weight of each (its length).

    Returns
    -------
    NDArray
        Standard error (...).

    Raises
    ------
    ValueError
        If there are fewer than two stretches.
    """
    count = len(weights)
    if count < 2:
        raise ValueError("a jackknife needs at least two stretches")
    share = (np.asarray(weights, dtype=float) / np.sum(weights)).reshape((count,) + (1,) * (values.ndim - 1))
    mean = np.sum(share * values, axis=0)
    left_out = (mean - share * values) / (1.0 - share)
    center = left_out.mean(axis=0)
    return np.asarray(np.sqrt((count - 1.0) / count * np.sum((left_out - center) ** 2, axis=0)))


def response_covariance(
    squares: Array, window: Array, timestep_fs: float, total_time_fs: float, n_out: int
) -> tuple[Array, Array]:
    r"""Variance of Im σ and its covariance with Re σ at the same frequency.

    Both parts are linear in the same periodogram I(ω'), whose ordinates are independent with variance S²:

    .. math:: \mathrm{var}\,\hat\sigma'' = \frac{2}{\pi T} \int_0^{\omega_N} s^2(\omega')
              [h(\omega-\omega') + h(\omega+\omega')]^2 d\omega', \quad
              h(x) = \Delta \textstyle\sum_{k\ge1} w_k \sin(x k\Delta),

    and the covariance with one factor h replaced by g(x) = Δ[½ + Σ w_k cos(xkΔ)]. The sum with ω+ω' makes
    the error of Im σ vanish at ω = 0, as it must.

    Parameters
    ----------
    squares
        s² for C components (C, F): variance density of Re σ on the full grid (σ_ab: ½(s_aa s_bb + s_ab²)).
    window
        (Equivalent) lag window (L + 1,).
    timestep_fs, total_time_fs
        Δ and the length T of all replicas.
    n_out
        Number of frequencies from ω = 0 wanted.

    Returns
    -------
    variance, covariance
        Shape (C, n_out).
    """
    from scipy import fft

    n_freq = squares.shape[-1]
    size = 2 * (n_freq - 1)
    causal = window.astype(float).copy()
    causal[0] = 0.5
    kernel = timestep_fs * np.conj(fft.fft(causal, size))
    # periodic tables of g (even) and h (odd), long enough for every difference and sum of grid indices
    table = np.concatenate([kernel, kernel])
    spacing = 2.0 * np.pi / (size * timestep_fs)
    weight = np.full(n_freq, 2.0 / (np.pi * total_time_fs) * spacing)
    weight[[0, -1]] *= 0.5
    weighted = (squares * weight).T

    rows = np.unique(np.linspace(0, n_out - 1, min(n_out, max(64, 30_000_000 // n_freq))).round().astype(int))
    variance = np.empty((len(rows), squares.shape[0]))
    covariance = np.empty_like(variance)
    for number, j in enumerate(rows):
        # index j − m + size and j + m, m = 0 … n_freq − 1
        both = table[j + size - n_freq + 1 : j + size + 1][::-1] + table[j : j + n_freq]
        variance[number] = (both.imag**2) @ weighted
        covariance[number] = (both.imag * both.real) @ weighted
    if len(rows) == n_out:
        return variance.T, covariance.T
    every = np.arange(n_out)
    return (
        np.array([np.interp(every, rows, column) for column in variance.T]),
        np.array([np.interp(every, rows, column) for column in covariance.T]),
    )


def leakage_errors(errors: Mapping[str, Any], leakage: Complex) -> dict[str, Array]:
    """Errors and covariances of the parts of σ with what the ends of a run add to it.

    Parameters
    ----------
    errors
        Arrays sigma_real_err, sigma_imag_err, sigma_covariance (F, 3, 3), and iso_… (F,) of tr σ/3.
    leakage
        (6, F) complex σ that leaks from the bands: far from them, and towards ω = 0, more than their noise.
    """
    found = {}
    for name, value in (("sigma", to_matrix(leakage)), ("iso", leakage[:3].mean(axis=0))):
        found[f"{name}_real_err"] = np.hypot(errors[f"{name}_real_err"], value.real)
        found[f"{name}_imag_err"] = np.hypot(errors[f"{name}_imag_err"], value.imag)
        found[f"{name}_covariance"] = errors[f"{name}_covariance"] + value.real * value.imag
    return found


def real_part_error(gradient: Complex, real_var: Array, imag_var: Array, covariance: Array) -> Array:
    """Standard error of a real function q(z) with dq = Re(g dz), to first order.

    Parameters
    ----------
    gradient
        g, complex.
    real_var, imag_var, covariance
        Variances and covariance of Re z and Im z.
    """
    c, d = gradient.real, gradient.imag
    variance = c**2 * real_var + d**2 * imag_var - 2.0 * c * d * covariance
    return np.asarray(np.sqrt(np.clip(variance, 0.0, None)))


def normal_quantile(level: float) -> float:
    """Half-width in standard deviations of the central interval of a normal law with this coverage."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 * (1.0 + level))


def relative_variance_along(axes: Array, values: Array, errors: Array, share: Array | float = 1.0) -> Array:
    """Variance of the spectrum along each of three axes over its square, (3, F).

    Parameters
    ----------
    axes
        (3, 3), one unit vector per column.
    values, errors
        (F, 3) diagonal of the spectra along x, y, z, and their standard errors.
    share
        (F, 3) `averaged_share`; 1 without an average.
    """
    ratio = np.divide(errors, values, out=np.zeros_like(values), where=values > 0.0) ** 2
    ratio = np.clip(ratio, 0.0, 0.999)
    return np.asarray((axes**2).T @ (ratio / (1.0 - ratio) / share).T)


def shared_noise(power: Array) -> Array:
    r"""Correlation (6, 6, F) of the noise of Voigt components of power spectra (F, 3, 3).

    .. math:: \mathrm{cov}(\hat S_{ab}, \hat S_{cd}) ∝ \tfrac12 (S_{ac}S_{bd} + S_{ad}S_{bc})
    """
    first, second = (np.array([pair[side] for pair in VOIGT]) for side in (0, 1))
    moved = np.moveaxis(power, 0, -1)
    found = (
        moved[first[:, None], first] * moved[second[:, None], second]
        + moved[first[:, None], second] * moved[second[:, None], first]
    )
    own = np.sqrt(np.maximum(np.einsum("kkf->kf", found), 1e-300))
    shared = np.clip(found / own[:, None] / own[None, :], -1.0, 1.0)
    shared[np.arange(6), np.arange(6)] = 1.0
    return np.asarray(shared)


def averaged_share(power: Array, weights: Array | None) -> Array:
    r"""Variance of S_aa averaged over a point group over that of a run's own, (F, 3): tr(WSWS)/S_aa²; else 1.

    Parameters
    ----------
    power
        (F, 3, 3) averaged spectra.
    weights
        (6, 3, 3) what each Voigt component is of the spectra before the average, tr(WS), or None.
    """
    diagonal = np.einsum("faa->fa", power)
    if weights is None:
        return np.ones_like(diagonal)
    products = np.einsum("kab,fbc->kfac", weights[:3], power)
    found = np.einsum("kfab,kfba->fk", products, products)
    return np.asarray(np.clip(found / np.maximum(diagonal**2, 1e-300), 1e-3, 1.0))


def projected_variance(
    weight: Array, power: Array, values: Array, errors: Array, averaged: Array | None = None
) -> Array:
    """Variance of tr(PS), (F,), for power spectra S (F, 3, 3) and a weight P.

    `values` and `errors` (F, 3) are the diagonal of S and its standard errors: what is known of its noise.
    Of spectra averaged over a point group, P is averaged, too, and `averaged` are the weights of
    `averaged_share`.
    """
    weights, axes = np.linalg.eigh(weight)
    six = to_six(np.einsum("ai,fab,bj->fij", axes, power, axes)).T
    along = relative_variance_along(axes, values, errors, averaged_share(power, averaged))
    r = np.array([np.sqrt(along[a] * along[b]) for a, b in VOIGT])
    _, squares = unbiased_products(six, r)
    pairs = np.array([weights[a] * weights[b] * (1.0 if a == b else 2.0) for a, b in VOIGT])
    return np.asarray(pairs @ (squares * r))
