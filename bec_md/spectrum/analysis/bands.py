"""Transverse and longitudinal frequencies of a spectrum, isotropic and along the axes, with errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.analysis.peak import Peak, find_spectrum_peaks
from bec_md.spectrum.estimators.lag_window import FWHM_OVER_SIGMA, roughness
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import optics
from bec_md.spectrum.response.direction import Direction, to_direction
from bec_md.spectrum.response.scalar import Response

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

DIRECTIONS = ("isotropic", "x", "y", "z")
#: A maximum of ε₂ with less than this share of ∫ωε₂ that is wider than this part of its frequency is no
#: zone-center mode: combinations of phonons and of internal vibrations look so.
WEAK_SHARE, BROAD = 0.1, 0.1


@dataclass(frozen=True)
class BandFrequencies:
    """TO and LO frequencies along one direction.

    Parameters
    ----------
    direction
        "isotropic" (tr ε/3), "x", "xy" (mean of both), or components.
    to_cm, to_err_cm
        Significant maxima of ε₂ and the errors of their positions, without the sidebands.
    lo_cm, lo_err_cm
        Significant upward zeros of ε₁, and significant maxima of the loss function −Im(1/ε) without one. The
        errors hold what the resolution shifts them by where it is coarser than LO − TO.
    lo_zero_cm
        All upward zeros of ε₁, also those that noise alone may have made.
    sidebands_cm
        Weak and broad maxima of ε₂, as two-phonon absorption makes them: not called TO.
    """

    direction: str
    to_cm: tuple[float, ...]
    to_err_cm: tuple[float, ...]
    lo_cm: tuple[float, ...]
    lo_err_cm: tuple[float, ...]
    lo_zero_cm: tuple[float, ...]
    sidebands_cm: tuple[float, ...] = ()

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


def band_frequencies(spectrum: Spectrum, direction: Direction | str = "isotropic") -> BandFrequencies:
    """TO frequencies from ε₂ and LO frequencies from the zeros of ε₁ and the loss function.

    Parameters
    ----------
    spectrum
        With ε_∞.
    direction
        Name, components as text, or `Direction`: "z", "xy", "1,1,0".

    Raises
    ------
    UsageError
        Without ε_∞.
    """
    response.require_eps_inf(spectrum.eps_inf, "LO frequencies")
    along = to_direction(direction)
    resolution = float(spectrum.parameters["resolution_cm"])
    nu = spectrum.wavenumber_cm
    seen = spectrum.along(along)
    eps = seen.epsilon()
    rough = roughness(spectrum.lag_window, float(spectrum.parameters["timestep_fs"]), resolution)
    maxima = find_spectrum_peaks(nu, seen.eps_imag, seen.eps_imag_err, resolution, rough=rough)
    whole = float(np.sum(nu * np.clip(seen.eps_imag, 0.0, None))) * float(nu[1] - nu[0])
    sidebands = [p for p in maxima if _is_sideband(p, whole, resolution)]
    transverse = [p for p in maxima if p not in sidebands]
    longitudinal = _longitudinal(seen, resolution, maxima, rough)
    zeros = optics.longitudinal_frequencies_cm(nu, eps)
    return BandFrequencies(
        along.label,
        tuple(p.wavenumber_cm for p in transverse),
        tuple(p.wavenumber_err_cm for p in transverse),
        tuple(value for value, _ in longitudinal),
        tuple(error for _, error in longitudinal),
        tuple(float(z) for z in zeros),
        tuple(p.wavenumber_cm for p in sidebands),
    )


def _is_sideband(peak: Peak, whole: float, resolution_cm: float) -> bool:
    """Whether a maximum of ε₂ is weak and, without the window, broad; `whole` is ∫ν̃ε₂dν̃."""
    width = max(peak.width_cm**2 - resolution_cm**2, 0.0) ** 0.5
    share = 0.5 * np.pi * peak.height * width * peak.wavenumber_cm / max(whole, 1e-300)
    return bool(share < WEAK_SHARE) and width > BROAD * peak.wavenumber_cm


def all_band_frequencies(
    spectrum: Spectrum, directions: Sequence[Direction | str] = DIRECTIONS
) -> tuple[BandFrequencies, ...]:
    """Return `band_frequencies` of several directions."""
    return tuple(band_frequencies(spectrum, direction) for direction in directions)


def highest_longitudinal_cm(spectrum: Spectrum) -> float | None:
    """Return the highest LO frequency along x, y and z, or None if there is none (needs ε_∞)."""
    resolution = float(spectrum.parameters["resolution_cm"])
    found = []
    for axis in "xyz":
        seen = spectrum.along(axis)
        maxima = find_spectrum_peaks(seen.wavenumber_cm, seen.eps_imag, seen.eps_imag_err, resolution)
        found += [value for value, _ in _longitudinal(seen, resolution, maxima)]
    return max(found, default=None)


def _longitudinal(
    seen: Response, resolution_cm: float, maxima: Sequence[Peak], rough: float = 1.0
) -> list[tuple[float, float]]:
    """LO frequencies with errors: where ε₁ rises through zero, else maxima of the loss function.

    The loss function of a weakly damped band is narrower than the grid, which may miss its maximum; the
    zero of ε₁ below it is found wherever it lies. A zero counts if ε₁ is below and above zero by two
    standard errors on its sides. Between two LO frequencies lies a TO frequency: two that are equal within
    their errors, with none of the `maxima` of ε₂ between them, are one: the zero.
    """
    nu, real, error = seen.wavenumber_cm, seen.eps_real, seen.eps_real_err
    found = []
    change = np.flatnonzero(np.sign(real[:-1]) != np.sign(real[1:])) + 1
    edges = [0, *change.tolist(), len(nu)]
    for number in range(1, len(edges) - 1):
        at = edges[number]
        below, above = slice(edges[number - 1], at), slice(at, edges[number + 1])
        if np.any(real[below] < -2.0 * error[below]) and np.any(real[above] > 2.0 * error[above]):
            slope = float(real[at] - real[at - 1]) / float(nu[at] - nu[at - 1])
            found.append((float(nu[at] - real[at] / slope), float(error[at]) / slope))
    zeros = [value for value, _ in found]
    found += [
        (peak.wavenumber_cm, _longitudinal_error(nu, real, error, peak))
        for peak in find_spectrum_peaks(nu, seen.loss, seen.loss_err, resolution_cm, rough=rough)
        if all(abs(peak.wavenumber_cm - zero) > resolution_cm for zero in zeros)
    ]
    single: list[tuple[float, float]] = []
    for value, err in sorted(found):
        last, last_err = single[-1] if single else (-np.inf, 0.0)
        near = value - last < 2.0 * np.hypot(err, last_err)
        if not near or any(last < peak.wavenumber_cm < value for peak in maxima):
            single.append((value, err))
        elif value in zeros and last not in zeros:
            single[-1] = (value, err)
    return [
        (lo, float(np.hypot(err, _shifted_by_smoothing(lo, maxima, resolution_cm)))) for lo, err in single
    ]


def _shifted_by_smoothing(lo_cm: float, maxima: Sequence[Peak], resolution_cm: float) -> float:
    r"""How far the kernel of the estimate may have moved an LO frequency away from its TO, to first order.

    Smoothing by a kernel of variance σ² adds σ²χ''/2 to a band :math:`χ ∝ 1/(x + iw/2)`, which moves the zero
    of ε₁, or the maximum of the loss function, at x = s by :math:`σ^2 s/(s^2 + w^2/4)`.
    """
    below = [peak for peak in maxima if peak.wavenumber_cm < lo_cm]
    if not below:
        return 0.0
    splitting = lo_cm - below[-1].wavenumber_cm
    variance = (resolution_cm / FWHM_OVER_SIGMA) ** 2
    return variance * splitting / (splitting**2 + 0.25 * below[-1].width_cm ** 2)


def _longitudinal_error(nu: Array, eps_real: Array, real_err: Array, peak: Peak) -> float:
    """Error of an LO frequency: the noise of ε₁ over its slope, where ε₁ ≈ 0, or that of the maximum's shape.

    The first is that of the strength of all bands together, which moves the loss function as a whole.
    """
    at = int(np.searchsorted(nu, peak.wavenumber_cm).clip(1, len(nu) - 2))
    slope = abs(float(eps_real[at + 1] - eps_real[at - 1]) / float(nu[at + 1] - nu[at - 1]))
    shifted = min(float(real_err[at]) / max(slope, 1e-300), peak.width_cm)
    return max(shifted, peak.wavenumber_err_cm)
