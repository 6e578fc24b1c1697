r"""Oscillator models of ε(ω): Lorentz sum and four-parameter (factorized) form.

Lorentz: :math:`ε = ε_∞ + \sum_j \frac{Δε_j\, ν_j^2}{ν_j^2 - ν^2 - iγ_jν}`.
Four parameters (Gervais & Piriou 1974, Phys. Rev. B 10, 1642):
:math:`ε = ε_∞ \prod_j \frac{Ω_{LO,j}^2 - ν^2 - iγ_{LO,j}ν}{Ω_{TO,j}^2 - ν^2 - iγ_{TO,j}ν}`.
All frequencies in cm⁻¹, e^{−iωt}; above the real axis, ν + iη, ε is that of correlations times e^{−2πcηt}.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.spectrum.estimators.one_sided import continuous_response
from bec_md.spectrum.response.conductivity import OMEGA_PER_CM
from bec_md.units import VACUUM_PERMITTIVITY_F_M


def lorentz_susceptibility(wavenumber_cm: NDArray[Any], bands: NDArray[Any]) -> Complex:
    """Return ε − ε_∞ of Lorentz oscillators.

    Parameters
    ----------
    wavenumber_cm
        (F,).
    bands
        (B, 3): position ν_j, width γ_j, strength Δε_j.
    """
    position, width, strength = np.asarray(bands, dtype=float).T[:, :, None]
    nu = np.asarray(wavenumber_cm)[None, :]
    terms = strength * position**2 / (position**2 - nu**2 - 1j * width * nu)
    return np.asarray(terms.sum(axis=0))


def four_parameter(wavenumber_cm: NDArray[Any], bands: NDArray[Any], eps_inf: float) -> Complex:
    """Return ε of the factorized form.

    Parameters
    ----------
    wavenumber_cm
        (F,).
    bands
        (B, 4): Ω_TO, γ_TO, Ω_LO, γ_LO.
    eps_inf
        ε_∞ along this direction.
    """
    to, to_width, lo, lo_width = np.asarray(bands, dtype=float).T[:, :, None]
    nu = np.asarray(wavenumber_cm)[None, :]
    ratio = (lo**2 - nu**2 - 1j * lo_width * nu) / (to**2 - nu**2 - 1j * to_width * nu)
    return np.asarray(eps_inf * ratio.prod(axis=0))


def lorentz_derivatives(wavenumber_cm: NDArray[Any], bands: NDArray[Any]) -> Complex:
    """Derivatives of `lorentz_susceptibility` by its parameters in the order of `bands`, (3 B, F)."""
    position, width, strength = np.asarray(bands, dtype=float).T[:, :, None]
    nu = np.asarray(wavenumber_cm)[None, :]
    inverse = 1.0 / (position**2 - nu**2 - 1j * width * nu)
    by_strength = position**2 * inverse
    by_width = strength * by_strength * 1j * nu * inverse
    by_position = 2.0 * position * strength * inverse * (1.0 - by_strength)
    return np.stack([by_position, by_width, by_strength], axis=1).reshape(-1, nu.shape[1])


def four_parameter_derivatives(wavenumber_cm: NDArray[Any], bands: NDArray[Any], eps_inf: float) -> Complex:
    """Derivatives of `four_parameter` by its parameters in the order of `bands`, (4 B, F)."""
    to, to_width, lo, lo_width = np.asarray(bands, dtype=float).T[:, :, None]
    nu = np.asarray(wavenumber_cm)[None, :]
    pole = 1.0 / (to**2 - nu**2 - 1j * to_width * nu)
    zero = 1.0 / (lo**2 - nu**2 - 1j * lo_width * nu)
    relative = np.stack([-2.0 * to * pole, 1j * nu * pole, 2.0 * lo * zero, -1j * nu * zero], axis=1).reshape(
        -1, nu.shape[1]
    )
    return np.asarray(relative * four_parameter(wavenumber_cm, bands, eps_inf))


def factorize(bands: NDArray[Any], eps_inf: float) -> Array:
    r"""Write a sum of Lorentz oscillators exactly in the four-parameter form.

    The zeros of ε are the eigenfrequencies of the oscillators coupled by the field they make,

    .. math:: \det\big[s^2 + s\,Γ + Ω^2 + c\,c^T/ε_∞\big] = 0, \quad c_j = ν_j\sqrt{Δε_j},\ s = -iν,

    a quadratic eigenvalue problem; each conjugate pair gives :math:`Ω_{LO} = |s|` and
    :math:`γ_{LO} = -2\,\mathrm{Re}\,s`.

    Parameters
    ----------
    bands
        (B, 3): position ν_j, width γ_j, strength Δε_j ≥ 0.
    eps_inf
        ε_∞ along this direction.

    Returns
    -------
    NDArray
        (B, 4): Ω_TO, γ_TO, Ω_LO, γ_LO, by Ω_TO. Neighboring zeros and poles are paired, the closest first,
        so that a weak band inside the reststrahlen band of a strong one gets the LO just below its TO.
    """
    position, width, strength = np.asarray(bands, dtype=float)[np.argsort(np.asarray(bands)[:, 0])].T
    count = len(position)
    coupling = position * np.sqrt(np.clip(strength, 0.0, None))
    stiffness = np.diag(position**2) + np.outer(coupling, coupling) / eps_inf
    companion = np.block([[np.zeros((count, count)), np.eye(count)], [-stiffness, -np.diag(width)]])
    roots = np.linalg.eigvals(companion)
    above = roots[roots.imag > 0.0]
    zeros = [(float(abs(s)), float(-2.0 * s.real)) for s in above]
    real = np.sort(roots[roots.imag == 0.0].real)
    zeros += [(float(np.sqrt(a * b)), float(-a - b)) for a, b in zip(real[::2], real[1::2], strict=True)]
    found = np.empty((count, 4))
    found[:, 0], found[:, 1] = position, width
    for pole, zero in _pair(position.tolist(), [z[0] for z in sorted(zeros)]):
        found[pole, 2:] = sorted(zeros)[zero]
    return found


def _pair(poles: list[float], zeros: list[float]) -> list[tuple[int, int]]:
    """Pair neighbors on the frequency axis, the closest first; what lies between a pair is paired already."""
    line = sorted([(value, 0, i) for i, value in enumerate(poles)] + [(v, 1, i) for i, v in enumerate(zeros)])
    pairs = []
    while line:
        gaps = [
            (right[0] - left[0], k) for k, (left, right) in enumerate(pairwise(line)) if left[1] != right[1]
        ]
        _, k = min(gaps)
        first, second = line[k], line[k + 1]
        pole, zero = (first, second) if first[1] == 0 else (second, first)
        pairs.append((pole[2], zero[2]))
        del line[k : k + 2]
    return pairs


def sigma_from_susceptibility(wavenumber_cm: NDArray[Any], chi: NDArray[Any]) -> Complex:
    """σ = −iωε₀χ in S/m."""
    return np.asarray(-1j * VACUUM_PERMITTIVITY_F_M * OMEGA_PER_CM * wavenumber_cm * chi)


def broaden_conductivity(real_part: Array, step_cm: float, window: Array, window_step_fs: float) -> Complex:
    """Complex σ seen through a lag window, from Re σ (..., F) on the grid 0, step, 2 step …

    The real part is convolved with the window's kernel and the imaginary part is its Kramers–Kronig
    partner: exactly what the estimator does to the truth.
    """
    from scipy import fft

    from bec_md.units import SPEED_OF_LIGHT_CM_FS

    size = 2 * (real_part.shape[-1] - 1)
    lag_step = 1.0 / (size * step_cm * SPEED_OF_LIGHT_CM_FS)
    lags = np.minimum(np.arange(size), size - np.arange(size)) * lag_step
    weight = np.interp(lags, np.arange(len(window)) * window_step_fs, window, right=0.0)
    smooth = fft.rfft(fft.irfft(real_part, size) * weight).real
    return continuous_response(smooth)
