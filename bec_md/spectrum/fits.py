"""Bands of a spectrum: integrated strengths, Lorentz and four-parameter fits, all with errors.

The models are smoothed by the same kernel as the spectrum before they are compared, so that widths and
strengths come out without the resolution in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.spectrum import oscillator, response
from bec_md.spectrum.fit_errors import functional_covariance
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import (
    ATOMIC_MASS_KG,
    ELEMENTARY_CHARGE_C,
    SPEED_OF_LIGHT_M_S,
    VACUUM_PERMITTIVITY_F_M,
)

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_LORENTZ = ("position_cm", "width_cm", "strength")
_FOUR = ("to_cm", "to_width_cm", "lo_cm", "lo_width_cm")


@dataclass(frozen=True)
class BandIntegral:
    """Integral over a band.

    Parameters
    ----------
    low_cm, high_cm
        Limits.
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
    """

    names: tuple[str, ...]
    bands: Array
    errors: Array
    covariance: Array
    chi2_reduced: float
    eps_inf: float
    model: str

    def epsilon(self, wavenumber_cm: Array) -> Complex:
        """ε of the fitted model, without broadening."""
        if self.model == "lorentz":
            return self.eps_inf + oscillator.lorentz_susceptibility(wavenumber_cm, self.bands)
        return oscillator.four_parameter(wavenumber_cm, self.bands, self.eps_inf)

    def n_alpha(self, wavenumber_cm: Array) -> Array:
        """nα of the fitted model in cm⁻¹, without broadening."""
        return np.asarray(2.0 * np.pi * wavenumber_cm * self.epsilon(wavenumber_cm).imag)


def fit_lorentz(
    spectrum: Spectrum,
    positions_cm: Sequence[float] | None = None,
    *,
    min_cm: float = 0.0,
    max_cm: float | None = None,
) -> OscillatorFit:
    """Fit a sum of Lorentz oscillators to the isotropic nα.

    Parameters
    ----------
    spectrum
        The spectrum, with any quantum correction other than the harmonic one undone.
    positions_cm
        First guesses of the positions; the peaks of the spectrum by default.
    min_cm, max_cm
        Range of the fit.

    Returns
    -------
    OscillatorFit
        Rows (ν_j, γ_j, Δε_j).

    Raises
    ------
    UsageError
        If there is nothing to start from.
    """
    guesses = [p.wavenumber_cm for p in spectrum.peaks] if positions_cm is None else list(positions_cm)
    nu = spectrum.wavenumber_cm
    inside = (nu >= min_cm) & (nu <= (nu[-1] if max_cm is None else max_cm))
    guesses = [g for g in guesses if nu[inside][0] < g < nu[inside][-1]] if np.any(inside) else []
    if not guesses:
        raise UsageError(
            "no band to fit", "the spectrum has no significant peak in the range", "pass positions_cm"
        )
    smoother = _Smoother(spectrum)
    measured = spectrum.n_alpha[inside]
    relative = np.maximum(spectrum.n_alpha_err[inside] / np.maximum(measured, 1e-300), 1e-12)

    def model(parameters: Array) -> Array:
        chi = oscillator.lorentz_susceptibility(smoother.grid_cm, parameters.reshape(-1, 3))
        return response.n_alpha_from_conductivity(smoother(chi).real)[inside]

    start = []
    for guess in guesses:
        peak = min(spectrum.peaks, key=lambda p: abs(p.wavenumber_cm - guess), default=None)
        width = 2.0 * smoother.resolution_cm if peak is None else max(peak.width_cm, smoother.resolution_cm)
        height = float(np.interp(guess, nu, spectrum.n_alpha))
        # nα at the maximum of a Lorentz band: 2π Δε ν²/γ
        start += [guess, width, max(height, 1e-9) * width / (2.0 * np.pi * guess**2)]
    best, gain, chi2 = _reweighted_fit(
        model, np.array(start), measured, relative, smoother.points_per_bandwidth
    )
    density = response.n_alpha_from_conductivity(spectrum.iso_real_err) ** 2
    covariance = smoother.covariance(gain, np.zeros_like(gain), density, inside) * max(chi2, 1.0)
    shape = (len(guesses), 3)
    eps_inf = 0.0 if spectrum.eps_inf is None else float(np.trace(spectrum.eps_inf)) / 3.0
    errors = np.sqrt(np.diag(covariance)).reshape(shape)
    return OscillatorFit(_LORENTZ, np.abs(best.reshape(shape)), errors, covariance, chi2, eps_inf, "lorentz")


def fit_four_parameter(
    spectrum: Spectrum,
    bands_cm: Sequence[tuple[float, float]],
    *,
    direction: tuple[float, float, float] | None = None,
    max_cm: float | None = None,
) -> OscillatorFit:
    """Fit the factorized four-parameter model to complex σ, isotropic or along a direction.

    Parameters
    ----------
    spectrum
        A spectrum with ε_∞.
    bands_cm
        First guesses (Ω_TO, Ω_LO) of each band, cm⁻¹.
    direction
        Cartesian direction; the isotropic average by default.
    max_cm
        Upper end of the fit.

    Returns
    -------
    OscillatorFit
        Rows (Ω_TO, γ_TO, Ω_LO, γ_LO).

    Raises
    ------
    UsageError
        If ε_∞ is missing or there is no band.
    """
    tensor = response.require_eps_inf(spectrum.eps_inf, "the four-parameter fit")
    if not bands_cm:
        raise UsageError("no band to fit", "first guesses are needed", "pass pairs (TO, LO) in cm⁻¹")
    nu = spectrum.wavenumber_cm
    inside = nu <= (nu[-1] if max_cm is None else max_cm)
    sigma, real_err, imag_err, eps_inf = _projected(spectrum, direction, tensor)
    smoother = _Smoother(spectrum)
    measured = np.concatenate([sigma.real[inside], sigma.imag[inside]])
    errors = np.concatenate([real_err[inside], imag_err[inside]])
    errors = np.maximum(errors, 1e-6 * float(np.max(errors)))

    def model(parameters: Array) -> Array:
        chi = oscillator.four_parameter(smoother.grid_cm, parameters.reshape(-1, 4), eps_inf) - eps_inf
        smooth = smoother(chi)[inside]
        return np.concatenate([smooth.real, smooth.imag])

    width = smoother.resolution_cm
    start = np.array([[to, width, lo, width] for to, lo in bands_cm], dtype=float).ravel()
    # real and imaginary parts come from one periodogram: two correlated data points for each
    points = 2.0 * smoother.points_per_bandwidth
    best, gain, chi2 = _weighted_fit(model, start, measured, errors, points)
    half = len(measured) // 2
    relative = errors[:half] / np.maximum(np.abs(measured[:half]), 1e-300)
    for _ in range(2):  # noise of σ' is multiplicative: weigh by the model, see `_reweighted_fit`
        level = np.abs(model(best)[:half])
        errors[:half] = relative * np.maximum(level, 1e-3 * float(np.max(level)))
        best, gain, chi2 = _weighted_fit(model, best, measured, errors, points)
    real_gain, imag_gain = np.split(gain, 2, axis=1)
    covariance = smoother.covariance(real_gain, imag_gain, real_err**2, inside)
    # points of Im σ are correlated at all distances: χ² of a right model scatters up to 2; more is misfit
    covariance *= max(0.5 * chi2, 1.0)
    shape = (len(bands_cm), 4)
    return OscillatorFit(
        _FOUR,
        np.abs(best.reshape(shape)),
        np.sqrt(np.diag(covariance)).reshape(shape),
        covariance,
        chi2,
        eps_inf,
        "four_parameter",
    )


def _projected(
    spectrum: Spectrum, direction: tuple[float, float, float] | None, eps_inf: Array
) -> tuple[Complex, Array, Array, float]:
    if direction is None:
        return (
            spectrum.sigma_iso,
            spectrum.iso_real_err,
            spectrum.iso_imag_err,
            float(np.trace(eps_inf)) / 3.0,
        )
    q = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    weight = np.abs(np.outer(q, q))
    sigma = np.einsum("a,fab,b->f", q, spectrum.sigma, q)
    # an upper bound for oblique directions, exact along the axes
    real = np.einsum("ab,fab->f", weight, spectrum.sigma_real_err)
    imag = np.einsum("ab,fab->f", weight, spectrum.sigma_imag_err)
    return sigma, real, imag, float(q @ eps_inf @ q)


class _Smoother:
    """Turns a model susceptibility into σ on the spectrum's grid, as the estimator would see it."""

    def __init__(self, spectrum: Spectrum) -> None:
        nu = spectrum.wavenumber_cm
        self.step_cm = float(nu[1] - nu[0])
        count = 4 * len(nu)
        # four times the range of the spectrum: the tail of the model must have decayed
        self.grid_cm = np.arange(count + 1, dtype=np.float64) * self.step_cm
        self.n_out = len(nu)
        self.window = spectrum.lag_window
        self.window_step_fs = float(spectrum.parameters["timestep_fs"])
        self.resolution_cm = float(spectrum.parameters["resolution_cm"])
        bandwidth = float(spectrum.parameters["equivalent_noise_bandwidth_cm"])
        self.points_per_bandwidth = max(bandwidth / self.step_cm, 1.0)
        self.steps = 1000.0 * float(spectrum.parameters["total_time_ps"]) / self.window_step_fs
        per_step = SPEED_OF_LIGHT_M_S * 1e-13 * self.window_step_fs  # cycles per step and cm⁻¹
        self.size = round(1.0 / (self.step_cm * per_step))
        self.relative_variance = 1.0 / (self.steps * bandwidth * per_step)

    def covariance(
        self, real_gain: Array, imag_gain: Array, variance: Array, inside: NDArray[np.bool_]
    ) -> Array:
        """Covariance of parameters whose response to the noise at the points `inside` is given.

        `variance` is that of the smoothed Re σ (or nα) on the whole grid.
        """
        full = np.zeros((2, len(real_gain), self.n_out))
        full[0][:, inside], full[1][:, inside] = real_gain, imag_gain
        return functional_covariance(
            full[0], full[1], variance / self.relative_variance, self.window, self.steps, self.size
        )

    def __call__(self, chi: Complex) -> Complex:
        sigma = oscillator.sigma_from_susceptibility(self.grid_cm, chi).real
        smooth = oscillator.broaden_conductivity(sigma, self.step_cm, self.window, self.window_step_fs)
        return smooth[1 : self.n_out + 1]


Model = Callable[[Array], Array]


def _weighted_fit(
    model: Model, start: Array, measured: Array, errors: Array, points_per_independent: float
) -> tuple[Array, Array, float]:
    """Least squares: parameters, their response (P, points) to the measured values, and reduced χ²."""
    from scipy.optimize import least_squares

    def residuals(parameters: Array) -> Array:
        return (model(parameters) - measured) / errors

    found = least_squares(residuals, start, x_scale=np.maximum(np.abs(start), 1e-6), max_nfev=200)
    independent = max(len(measured) / points_per_independent - len(start), 1.0)
    chi2 = 2.0 * float(found.cost) / points_per_independent / independent
    jacobian = np.asarray(found.jac, dtype=np.float64)
    gain = np.linalg.pinv(jacobian) / errors
    return np.asarray(found.x), np.asarray(gain, dtype=np.float64), chi2


def _reweighted_fit(
    model: Model, start: Array, measured: Array, relative: Array, points_per_independent: float
) -> tuple[Array, Array, float]:
    """Least squares with errors proportional to the *model*.

    Noise of a power spectrum is multiplicative; weighting with the measured values would favor points
    that are low by chance and bias every strength downward.
    """
    level = measured
    result = None
    for _ in range(3):
        errors = relative * np.maximum(level, 1e-3 * float(np.max(level)))
        result = _weighted_fit(model, start, measured, errors, points_per_independent)
        start, level = result[0], model(result[0])
    assert result is not None
    return result
