r"""Oscillator models of ε(ω): Lorentz sum and four-parameter (factorized) form.

Lorentz: :math:`ε = ε_∞ + \sum_j \frac{Δε_j\, ν_j^2}{ν_j^2 - ν^2 - iγ_jν}`.
Four parameters (Gervais & Piriou 1974, Phys. Rev. B 10, 1642):
:math:`ε = ε_∞ \prod_j \frac{Ω_{LO,j}^2 - ν^2 - iγ_{LO,j}ν}{Ω_{TO,j}^2 - ν^2 - iγ_{TO,j}ν}`.
All frequencies in cm⁻¹, e^{−iωt}.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.spectrum.one_sided import continuous_response
from bec_md.spectrum.response import OMEGA_PER_CM
from bec_md.units import VACUUM_PERMITTIVITY_F_M

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def lorentz_susceptibility(wavenumber_cm: Array, bands: NDArray[Any]) -> Complex:
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


def four_parameter(wavenumber_cm: Array, bands: NDArray[Any], eps_inf: float) -> Complex:
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


def sigma_from_susceptibility(wavenumber_cm: Array, chi: NDArray[Any]) -> Complex:
    """σ = −iωε₀χ in S/m."""
    return np.asarray(-1j * VACUUM_PERMITTIVITY_F_M * OMEGA_PER_CM * wavenumber_cm * chi)


def broaden_conductivity(real_part: Array, step_cm: float, window: Array, window_step_fs: float) -> Complex:
    """Complex σ seen through a lag window, from Re σ on the grid 0, step, 2 step …

    The real part is convolved with the window's kernel and the imaginary part is its Kramers–Kronig
    partner: exactly what the estimator does to the truth.
    """
    from scipy import fft

    from bec_md.units import SPEED_OF_LIGHT_CM_FS

    size = 2 * (len(real_part) - 1)
    lag_step = 1.0 / (size * step_cm * SPEED_OF_LIGHT_CM_FS)
    lags = np.minimum(np.arange(size), size - np.arange(size)) * lag_step
    weight = np.interp(lags, np.arange(len(window)) * window_step_fs, window, right=0.0)
    smooth = fft.rfft(fft.irfft(real_part, size) * weight).real
    return continuous_response(smooth)
