r"""Dielectric response from the conductivity: ε(ω) = ε_∞ + iσ(ω)/(ε₀ω) and its static limit.

Convention e^{−iωt}: Im ε > 0 is absorption. SI: σ in S/m, wavenumbers in cm⁻¹.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.units import (
    ABSORPTION_CM_PER_S_M,
    CONDUCTIVITY_S_M,
    SPEED_OF_LIGHT_M_S,
    SUSCEPTIBILITY,
    VACUUM_PERMITTIVITY_F_M,
)

Known = TypeVar("Known")

#: ω [rad/s] = this × wavenumber [cm⁻¹].
OMEGA_PER_CM = 2.0 * math.pi * SPEED_OF_LIGHT_M_S * 100.0


def conductivity_from_power(power: NDArray[Any], volume_ang3: float, temperature_k: float) -> Array:
    r"""Re σ [S/m] from the two-sided power spectral density S_J [(e Å/fs)² fs]: S_J/(2 V k_B T)."""
    return np.asarray(0.5 * CONDUCTIVITY_S_M / (volume_ang3 * temperature_k) * power)


def n_alpha_from_conductivity(sigma_real: NDArray[Any]) -> Array:
    """Absorption times refractive index nα = Re σ/(ε₀c) in cm⁻¹."""
    return np.asarray(ABSORPTION_CM_PER_S_M * sigma_real)


def omega_eps0(wavenumber_cm: Array) -> Array:
    """ωε₀ in S/m, the factor in σ = −iωε₀(ε − ε_∞)."""
    return np.asarray(VACUUM_PERMITTIVITY_F_M * OMEGA_PER_CM * wavenumber_cm)


def susceptibility(wavenumber_cm: Array, sigma: NDArray[Any]) -> NDArray[np.complex128]:
    """iσ/(ε₀ω), complex, for σ with frequency on the first axis; its imaginary part is ε₂."""
    shape = (len(wavenumber_cm),) + (1,) * (sigma.ndim - 1)
    return np.asarray(1j * sigma / omega_eps0(wavenumber_cm).reshape(shape))


def dielectric_function(
    wavenumber_cm: Array, sigma: NDArray[Any], eps_inf: Array, sigma_dc: Array | None = None
) -> NDArray[np.complex128]:
    r"""ε(ω) = ε_∞ + i[σ(ω) − σ_dc]/(ε₀ω), shape (F, 3, 3).

    Parameters
    ----------
    wavenumber_cm
        (F,), all positive.
    sigma
        (F, 3, 3) complex, S/m.
    eps_inf
        (3, 3).
    sigma_dc
        (3, 3) real, S/m, to be removed for an ionic conductor; None leaves it in.
    """
    kept = sigma if sigma_dc is None else sigma - sigma_dc
    return eps_inf + susceptibility(wavenumber_cm, kept)


def static_susceptibility_fluctuation(
    dipole_covariance: NDArray[Any], volume_ang3: float, temperature_k: float
) -> Array:
    """⟨δM_a δM_b⟩/(V k_B T ε₀) from the covariance of M in (e Å)² (tin-foil boundary)."""
    return np.asarray(SUSCEPTIBILITY / (volume_ang3 * temperature_k) * dipole_covariance)


def static_susceptibility_kramers_kronig(
    correlation: NDArray[Any], timestep_fs: float, volume_ang3: float, temperature_k: float
) -> Array:
    r"""(2/π)∫ε₂/ω dω of a spectrum, from its correlation function.

    With C the even inverse transform of the two-sided spectrum the integral is
    :math:`-\frac{1}{V k_B T ε_0}\int_0^\infty t\,C(t)\,dt`, the ω → 0 limit of the Kramers–Kronig partner;
    the sum over samples stands for it with the end correction :math:`Δ^2 C(0)/12`.

    Parameters
    ----------
    correlation
        (..., L + 1), (e Å/fs)².
    """
    lags = np.arange(correlation.shape[-1])
    moment = -(timestep_fs**2) * (np.sum(lags * correlation, axis=-1) + correlation[..., 0] / 12.0)
    return np.asarray(SUSCEPTIBILITY / (volume_ang3 * temperature_k) * moment)


def require_eps_inf(eps_inf: Known | None, quantity: str) -> Known:
    """Return ε_∞ or refuse: no real part, index, reflectivity or loss without it.

    Raises
    ------
    UsageError
        If `eps_inf` is None.
    """
    if eps_inf is None:
        raise UsageError(
            f"{quantity} needs ε_∞, which was not given",
            "the electronic response adds to ε; without it only nα, σ and ε₂ are defined",
            "compute it with `eps_inf` (1, 3, 6 or 9 numbers, or model), or use n_alpha, sigma or eps_imag",
        )
    return eps_inf
