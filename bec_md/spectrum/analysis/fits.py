"""Bands of a spectrum: integrated strengths, Lorentz and four-parameter fits, all with errors.

The models are smoothed by the same kernel as the spectrum before they are compared, so that widths and
strengths come out without the resolution in them. The noise is that of the model's periodogram: lines
narrower than the resolution scatter more than the smoothed spectrum shows. A σ_dc that is left out of ε is
left out of what is fitted, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.errors import UsageError
from bec_md.kinds import require_spectrum
from bec_md.spectrum.analysis.least_squares import least_squares_fit
from bec_md.spectrum.analysis.peak import find_spectrum_peaks
from bec_md.spectrum.analysis.smoother import Smoother
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response import oscillator
from bec_md.spectrum.response.direction import Direction, to_direction
from bec_md.spectrum.response.scalar import Response
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import (
    ATOMIC_MASS_KG,
    ELEMENTARY_CHARGE_C,
    SPEED_OF_LIGHT_M_S,
    VACUUM_PERMITTIVITY_F_M,
)

#: Weight of points between bands: what no oscillator describes (two-phonon absorption, other wave vectors).
FLOOR = 0.02
_LORENTZ = ("position_cm", "width_cm", "strength")
_FOUR = ("to_cm", "to_width_cm", "lo_cm", "lo_width_cm")


@dataclass(frozen=True)
class BandIntegral:
    """Integral over a band.

    Parameters
    ----------
    low_cm, high_cm
        Limits, cm⁻¹.
    n_alpha_cm2, n_alpha_cm2_err
        ∫nα dν̃ in cm⁻².
    zz_over_mass, zz_over_mass_err
        The same as Σtr(ZZᵀ)/m = 12 V ε₀ c² ∫nα dν̃ in e²/amu.
    eps_contribution, eps_contribution_err
        (2/π)∫ε₂/ν̃ dν̃: what the band adds to the static ε.
    """

    low_cm: float
    high_cm: float
    n_alpha_cm2: float
    n_alpha_cm2_err: float
    zz_over_mass: float
    zz_over_mass_err: float
    eps_contribution: float
    eps_contribution_err: float


def integrate_band(spectrum: Spectrum, low_cm: float, high_cm: float) -> BandIntegral:
    """Integrated absorption, effective charge strength and dielectric contribution of a band.

    Parameters
    ----------
    spectrum
        Result of `compute_spectrum`.
    low_cm, high_cm
        Limits of the band, cm⁻¹.

    Returns
    -------
    BandIntegral
        Integral in cm⁻², strength in e²/amu and contribution to ε(0), with standard errors.

    Raises
    ------
    UsageError
        If no grid point lies between the limits.
    """
    nu = spectrum.wavenumber_cm
    inside = (nu >= low_cm) & (nu <= high_cm)
    if not np.any(inside):
        raise UsageError(
            f"no frequency between {low_cm} and {high_cm} cm⁻¹",
            f"the spectrum covers {nu[0]:.3g} … {nu[-1]:.5g} cm⁻¹",
            "choose limits inside",
        )
    step = float(nu[1] - nu[0])
    bandwidth = float(spectrum.parameters["equivalent_noise_bandwidth_cm"])

    def integral(values: Array, errors: Array) -> tuple[float, float]:
        # neighboring points share noise over the bandwidth B: var = B ∫ err² dν̃
        """Integral over the band with its standard error."""
        variance = bandwidth * step * float(np.sum(errors[inside] ** 2))
        return float(step * np.sum(values[inside])), variance**0.5

    area, area_err = integral(spectrum.n_alpha, spectrum.n_alpha_err)
    eps, eps_err = integral(spectrum.eps_imag / nu, spectrum.eps_imag_err / nu)
    per_area = 12.0 * spectrum.volume_ang3 * 1e-30 * VACUUM_PERMITTIVITY_F_M * SPEED_OF_LIGHT_M_S**2
    per_area *= 1e4 * ATOMIC_MASS_KG / ELEMENTARY_CHARGE_C**2  # cm⁻² → m⁻², C²/kg → e²/amu
    factor = 2.0 / np.pi
    return BandIntegral(
        low_cm, high_cm, area, area_err, area * per_area, area_err * per_area, factor * eps, factor * eps_err
    )


@dataclass(frozen=True)
class OscillatorFit:
    """Fitted oscillators.

    Parameters
    ----------
    names
        Names of the parameters of one band.
    bands, errors
        (B, P) values and standard errors.
    covariance
        (B·P, B·P).
    chi2_reduced
        χ² per independent data point: 1 if the model describes the spectrum within its noise.
    eps_inf
        ε_∞ used (0 for a Lorentz fit of nα alone).
    model
        "lorentz" or "four_parameter".
    direction
        Label of the direction.
    """

    names: tuple[str, ...]
    bands: Array
    errors: Array
    covariance: Array
    chi2_reduced: float
    eps_inf: float
    model: str
    direction: str = "isotropic"

    def epsilon(self, wavenumber_cm: Array) -> Complex:
        """ε of the fitted model, without broadening."""
        if self.model == "lorentz":
            return self.eps_inf + oscillator.lorentz_susceptibility(wavenumber_cm, self.bands)
        return oscillator.four_parameter(wavenumber_cm, self.bands, self.eps_inf)

    def n_alpha(self, wavenumber_cm: Array) -> Array:
        """nα of the fitted model in cm⁻¹, without broadening."""
        return np.asarray(2.0 * np.pi * wavenumber_cm * self.epsilon(wavenumber_cm).imag)


Along = Direction | str | Sequence[float] | None


def fit_lorentz(
    spectrum: Spectrum,
    positions_cm: Sequence[float] | None = None,
    *,
    direction: Along = None,
    min_cm: float = 0.0,
    max_cm: float | None = None,
) -> OscillatorFit:
    """Fit a sum of Lorentz oscillators to nα, isotropic or along a direction.

    Parameters
    ----------
    spectrum
        The spectrum, with the harmonic quantum correction.
    positions_cm
        First guesses of the positions, cm⁻¹; the peaks of the spectrum by default.
    direction
        Name, components or `Direction`; the isotropic average by default.
    min_cm, max_cm
        Range of the fit, cm⁻¹.

    Returns
    -------
    OscillatorFit
        Rows (ν_j, γ_j, Δε_j).

    Raises
    ------
    UsageError
        If there is nothing to start from, or the spectrum is multiplied by another quantum factor.
    """
    along = to_direction(direction)
    smoother, seen = _to_fit(spectrum, along, max_cm)
    nu = seen.wavenumber_cm
    inside = (nu >= min_cm) & (nu <= (np.inf if max_cm is None else max_cm))
    start = _first_guess(spectrum, along, positions_cm, nu[inside])
    dc, dc_err = response.n_alpha_from_conductivity(np.array([seen.sigma_dc, seen.sigma_dc_err]))

    def model(parameters: Array) -> Array:
        """Smoothed spectrum of the oscillators."""
        chi = oscillator.lorentz_susceptibility(smoother.grid_cm, parameters.reshape(-1, 3))
        return response.n_alpha_from_conductivity(smoother(chi).real)[inside]

    def derivatives(parameters: Array) -> Array:
        """Its derivatives by the parameters."""
        chi = oscillator.lorentz_derivatives(smoother.grid_cm, parameters.reshape(-1, 3))
        return response.n_alpha_from_conductivity(smoother(chi).real)[:, inside]

    grid, best, errors = smoother.fine_grid_cm(), start.ravel(), _raised(seen.n_alpha_err)
    for _ in range(3):
        best, gain, chi2 = least_squares_fit(
            model,
            derivatives,
            best,
            seen.n_alpha[inside] - dc,
            errors[inside],
            smoother.points_per_bandwidth,
            np.zeros_like(best),
        )
        chi = oscillator.lorentz_susceptibility(grid, smoother.resolved(best.reshape(-1, 3)))
        sharp = 2.0 * np.pi * grid * chi.imag + dc
        density = smoother.density(sharp, seen.n_alpha, seen.n_alpha_err)
        # noise of a power spectrum is multiplicative: weights by the measured values would favor points
        # that are low by chance and bias every strength downward
        errors = _raised(smoother.error(density))
    covariance = smoother.covariance(gain, np.zeros_like(gain), density, inside)
    covariance = (covariance + _of_dc(gain, dc_err)) * max(chi2, 1.0)
    return OscillatorFit(
        _LORENTZ,
        best.reshape(start.shape),
        np.sqrt(np.diag(covariance)).reshape(start.shape),
        covariance,
        chi2,
        seen.eps_inf or 0.0,
        "lorentz",
        along.label,
    )


def _to_fit(spectrum: Spectrum, along: Direction, max_cm: float | None) -> tuple[Smoother, Response]:
    """Return the response along a direction, no further than a fit goes, and its smoother.

    What is no spectrum is refused, and one times a function of T.
    """
    require_spectrum(spectrum)
    quantum = spectrum.parameters.get("quantum") or "harmonic"
    if quantum != "harmonic":
        raise UsageError(
            f"a fit to a spectrum with `quantum={quantum}`",
            "oscillators describe the response itself; such a factor multiplies it by a function of T",
            "compute the spectrum with `quantum=harmonic` for the fit",
        )
    smoother = Smoother(spectrum, max_cm)
    names = ("wavenumber_cm", "sigma", "real_err", "imag_err", "covariance")
    seen = spectrum.along(along)
    cut: dict[str, Any] = {name: getattr(seen, name)[: smoother.n_out] for name in names}
    return smoother, replace(seen, **cut, member_sigma=None, model_err=None)


def _first_guess(
    spectrum: Spectrum, along: Direction, positions_cm: Sequence[float] | None, within_cm: Array
) -> Array:
    """Rows (ν_j, γ_j, Δε_j) from the peaks of nα along a direction, between the ends of a grid."""
    seen, nu = spectrum.along(along), spectrum.wavenumber_cm
    resolution = float(spectrum.parameters["resolution_cm"])
    peaks = spectrum.peaks
    if along.label != "isotropic":
        peaks = find_spectrum_peaks(nu, seen.n_alpha, seen.n_alpha_err, resolution)
    guesses = [p.wavenumber_cm for p in peaks] if positions_cm is None else np.ravel(positions_cm).tolist()
    guesses = [g for g in guesses if within_cm[0] < g < within_cm[-1]] if len(within_cm) else []
    if not guesses:
        raise UsageError(
            "no band to fit", "the spectrum has no significant peak in the range", "pass positions_cm"
        )
    start = []
    for guess in guesses:
        peak = min(peaks, key=lambda p: abs(p.wavenumber_cm - guess), default=None)
        width = 2.0 * resolution if peak is None else max(peak.width_cm, resolution)
        height = float(np.interp(guess, nu, seen.n_alpha))
        # nα at the maximum of a Lorentz band: 2π Δε ν²/γ
        start.append([guess, width, max(height, 1e-9) * width / (2.0 * np.pi * guess**2)])
    return np.array(start)


def _of_dc(gain: Array, error: float) -> Array:
    """Covariance of parameters by the error of a σ_dc that is left out, which all points share."""
    shift = error * gain.sum(axis=1)
    return np.outer(shift, shift)


def _raised(errors: Array) -> Array:
    """Errors with a floor: neither a point that is zero by chance nor a weak background may decide a fit."""
    return np.asarray(np.maximum(errors, FLOOR * float(np.max(errors))))


def fit_four_parameter(
    spectrum: Spectrum,
    bands_cm: Sequence[tuple[float, float]] | None = None,
    *,
    direction: Along = None,
    max_cm: float | None = None,
) -> OscillatorFit:
    """Fit the factorized four-parameter model to complex σ, isotropic or along a direction.

    Parameters
    ----------
    spectrum
        A spectrum with ε_∞.
    bands_cm
        First guesses (Ω_TO, Ω_LO) of each band, cm⁻¹. By default a Lorentz fit along the same direction,
        factorized: TO, LO and widths of all its bands.
    direction
        Name, components or `Direction`; the isotropic average by default, which is right for cubic and
        isotropic matter only: in others the mean of ε over directions is no product of such factors.
    max_cm
        Upper end of the fit, cm⁻¹.

    Returns
    -------
    OscillatorFit
        Rows (Ω_TO, γ_TO, Ω_LO, γ_LO).

    Raises
    ------
    UsageError
        If ε_∞ is missing or there is no band, or the spectrum is multiplied by another quantum factor.
    """
    along = to_direction(direction)
    smoother, seen = _to_fit(spectrum, along, max_cm)
    nu, eps_inf = seen.wavenumber_cm, response.require_eps_inf(seen.eps_inf, "the four-parameter fit")
    if bands_cm is None:
        start = oscillator.factorize(fit_lorentz(spectrum, direction=along, max_cm=max_cm).bands, eps_inf)
    else:
        start = np.array([[to, smoother.resolution_cm, lo, smoother.resolution_cm] for to, lo in bands_cm])
    if not start.size:
        raise UsageError("no band to fit", "first guesses are needed", "pass pairs (TO, LO) in cm⁻¹")
    inside = nu <= (np.inf if max_cm is None else max_cm)

    def model(parameters: Array) -> Array:
        """Smoothed ε − ε_∞ of the oscillators, real and imaginary part."""
        chi = oscillator.four_parameter(smoother.grid_cm, parameters.reshape(-1, 4), eps_inf) - eps_inf
        smooth = smoother(chi)[inside]
        return np.concatenate([smooth.real, smooth.imag])

    def derivatives(parameters: Array) -> Array:
        """Its derivatives by the parameters."""
        chi = oscillator.four_parameter_derivatives(smoother.grid_cm, parameters.reshape(-1, 4), eps_inf)
        smooth = smoother(chi)[:, inside]
        return np.concatenate([smooth.real, smooth.imag], axis=1)

    measured = np.concatenate([seen.sigma.real[inside] - seen.sigma_dc, seen.sigma.imag[inside]])
    # real and imaginary parts come from one periodogram: two correlated data points for each
    points = 2.0 * smoother.points_per_bandwidth
    grid, best, real_err = smoother.fine_grid_cm(), start.ravel(), _raised(seen.real_err)
    for _ in range(3):
        errors = np.concatenate([real_err[inside], _raised(seen.imag_err)[inside]])
        best, gain, chi2 = least_squares_fit(
            model, derivatives, best, measured, errors, points, np.zeros_like(best)
        )
        chi = oscillator.four_parameter(grid, smoother.resolved(best.reshape(-1, 4)), eps_inf) - eps_inf
        sharp = oscillator.sigma_from_susceptibility(grid, chi).real + seen.sigma_dc
        density = smoother.density(sharp, seen.sigma.real, seen.real_err)
        real_err = _raised(smoother.error(density))
    real_gain, imag_gain = np.split(gain, 2, axis=1)
    covariance = smoother.covariance(real_gain, imag_gain, density, inside)
    covariance += _of_dc(real_gain, seen.sigma_dc_err)
    # points of Im σ are correlated at all distances: χ² of a right model scatters up to 2; more is misfit
    covariance *= max(0.5 * chi2, 1.0)
    return OscillatorFit(
        _FOUR,
        best.reshape(start.shape),
        np.sqrt(np.diag(covariance)).reshape(start.shape),
        covariance,
        chi2,
        eps_inf,
        "four_parameter",
        along.label,
    )
