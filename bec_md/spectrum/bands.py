"""Transverse and longitudinal frequencies of a spectrum, isotropic and along the axes, with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.spectrum import optics, response, uncertainty
from bec_md.spectrum.peak import Peak, find_spectrum_peaks
from bec_md.spectrum.spectrum import Spectrum

Array = NDArray[np.float64]
DIRECTIONS = ("isotropic", "x", "y", "z")


@dataclass(frozen=True)
class BandFrequencies:
    """TO and LO frequencies along one direction.

    Parameters
    ----------
    direction
        "isotropic" (tr ε/3), "x", "y" or "z".
    to_cm, to_err_cm
        Significant maxima of ε₂ and the errors of their positions.
    lo_cm, lo_err_cm
        Significant maxima of the loss function −Im(1/ε).
    lo_zero_cm
        Upward zeros of ε₁: only for bands narrower than their LO–TO splitting.
    """

    direction: str
    to_cm: tuple[float, ...]
    to_err_cm: tuple[float, ...]
    lo_cm: tuple[float, ...]
    lo_err_cm: tuple[float, ...]
    lo_zero_cm: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def pairs(self) -> list[tuple[float, float]]:
        """(TO, LO) pairs: each TO with the last LO before the next TO; a TO without one is left out."""
        found = []
        for low, high in zip(self.to_cm, (*self.to_cm, np.inf)[1:], strict=True):
            above = [lo for lo in self.lo_cm if low < lo < high]
            if above:
                found.append((low, above[-1]))
        return found


def band_frequencies(spectrum: Spectrum, direction: str = "isotropic") -> BandFrequencies:
    """TO frequencies from ε₂ and LO frequencies from the loss function and the zeros of ε₁.

    Parameters
    ----------
    spectrum
        With ε_∞.
    direction
        One of `DIRECTIONS`.

    Raises
    ------
    UsageError
        Without ε_∞.
    """
    response.require_eps_inf(spectrum.eps_inf, "LO frequencies")
    resolution = float(spectrum.parameters["resolution_cm"])
    nu = spectrum.wavenumber_cm
    eps, real_err, imag_err, loss_err = _along(spectrum, direction)
    transverse = find_spectrum_peaks(nu, eps.imag, imag_err, resolution)
    longitudinal = find_spectrum_peaks(nu, optics.energy_loss(eps), loss_err, resolution)
    zeros = optics.longitudinal_frequencies_cm(nu, eps)
    return BandFrequencies(
        direction,
        tuple(p.wavenumber_cm for p in transverse),
        tuple(p.wavenumber_err_cm for p in transverse),
        tuple(p.wavenumber_cm for p in longitudinal),
        tuple(_longitudinal_error(nu, eps.real, real_err, p) for p in longitudinal),
        tuple(float(z) for z in zeros),
    )


def all_band_frequencies(
    spectrum: Spectrum, directions: Sequence[str] = DIRECTIONS
) -> tuple[BandFrequencies, ...]:
    """Return `band_frequencies` of several directions."""
    return tuple(band_frequencies(spectrum, direction) for direction in directions)


def _longitudinal_error(nu: Array, eps_real: Array, real_err: Array, peak: Peak) -> float:
    """Error of an LO frequency: the noise of ε₁ over its slope, where ε₁ ≈ 0, or that of the maximum's shape.

    The first is that of the strength of all bands together, which moves the loss function as a whole.
    """
    at = int(np.searchsorted(nu, peak.wavenumber_cm).clip(1, len(nu) - 2))
    slope = abs(float(eps_real[at + 1] - eps_real[at - 1]) / float(nu[at + 1] - nu[at - 1]))
    shifted = min(float(real_err[at]) / max(slope, 1e-300), peak.width_cm)
    return max(shifted, peak.wavenumber_err_cm)


def _along(spectrum: Spectrum, direction: str) -> tuple[NDArray[np.complex128], Array, Array, Array]:
    """ε along a direction, and the errors of ε₁, of ε₂ and of the loss function."""
    if direction == "isotropic":
        return spectrum.eps_iso, spectrum.eps_real_err, spectrum.eps_imag_err, spectrum.loss_err
    a = "xyz".index(direction)
    eps = np.asarray(spectrum.eps)[:, a, a]
    scale = spectrum.eps_imag_tensor_err[:, a, a] / np.maximum(spectrum.sigma_real_err[:, a, a], 1e-300)
    real_var = (spectrum.sigma_imag_err[:, a, a] * scale) ** 2
    imag_var = spectrum.eps_imag_tensor_err[:, a, a] ** 2
    covariance = -spectrum.sigma_covariance[:, a, a] * scale**2
    loss_err = uncertainty.analytic_function_error(
        np.asarray(1.0 / eps**2, dtype=complex), real_var, imag_var, covariance, "imag"
    )
    return eps, np.sqrt(real_var), np.sqrt(imag_var), loss_err
