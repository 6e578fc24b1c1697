"""One charge on a spring (Lorentz), free ions (Drude), and the LO–TO splitting of a cubic crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bec_md.current.series import CurrentSeries
from bec_md.units import PLASMA_FREQUENCY2_FS2
from bec_md.validate import langevin
from bec_md.validate.common import compare_isotropic, permittivity_scale, value
from bec_md.validate.crystal import cubic_crystal, series_of_atoms
from bec_md.validate.expectation import (
    SIGMA_PER_KERNEL,
    expected_sigma,
    omega_fs,
    sigma_of_susceptibility,
)
from bec_md.validate.table import CaseResult, Check

if TYPE_CHECKING:
    from bec_md.spectrum import Spectrum

LORENTZ, DRUDE, LO_TO = "one charge, Langevin", "free Langevin ions (Drude)", "LO and TO of a cubic crystal"
TEMPERATURE_K, VOLUME_ANG3 = 300.0, 250.0


def lorentz(full: bool = False) -> CaseResult:
    """One charge on a spring: ε₂, ε₁, and the fitted position, width and strength."""
    from bec_md import compute_spectrum
    from bec_md.spectrum.analysis.fits import fit_lorentz

    mass, charge, position, width = 20.0, 1.5, 600.0, 60.0
    runs, n_steps, dt, resolution = (96 if full else 24), 20000, 4.0, 9.0
    rng = np.random.default_rng(30)
    w, gamma = float(omega_fs(np.array(position))), float(omega_fs(np.array(width)))
    series = []
    for _ in range(runs):
        _, p = langevin.oscillators(n_steps, dt, np.full(3, w), gamma, TEMPERATURE_K, rng)
        j = charge * p / mass**0.5
        series.append(CurrentSeries(j[:, None, :], ("total",), dt, VOLUME_ANG3))
    options = {"temperature_k": TEMPERATURE_K, "eps_inf": 2.0, "resolution_cm": resolution, "max_cm": 1200.0}
    spectra = [compute_spectrum(s, dc=False, **options) for s in series]  # type: ignore[arg-type]
    nu = spectra[0].wavenumber_cm
    plasma = PLASMA_FREQUENCY2_FS2 * charge**2 / mass / VOLUME_ANG3
    times = np.arange(6000) * dt
    kernel = plasma * langevin.velocity_kernel(times, np.array([w]), gamma)[:, 0]
    exact = expected_sigma(nu, kernel, dt, n_steps, resolution)
    omega = omega_fs(nu)
    analytic = sigma_of_susceptibility(nu, plasma / (w**2 - omega**2 - 1j * gamma * omega))
    checks, curve = compare_isotropic(LORENTZ, spectra, exact, analytic, (450.0, 750.0))
    together = compute_spectrum(series, dc=False, **options)  # type: ignore[arg-type]
    fit = fit_lorentz(together, [position], max_cm=1000.0)
    for name, number, target in (
        ("fitted position (cm⁻¹)", 0, position),
        ("fitted width (cm⁻¹)", 1, width),
        ("fitted strength Δε", 2, plasma / w**2),
    ):
        checks.append(value(LORENTZ, name, target, fit.bands[0, number], fit.errors[0, number]))
    return CaseResult(tuple(checks), (curve,))


def drude(full: bool = False) -> CaseResult:
    """Ions without forces: the whole σ(ω), and σ_dc by cepstral analysis and from the dipole's diffusion."""
    from bec_md import compute_spectrum
    from bec_md.spectrum.estimators.einstein import einstein_helfand

    runs, n_steps, dt, resolution = (96 if full else 24), 16384, 4.0, 15.0
    gamma, mass, n_ions = 0.02, 7.0, 8
    charges = np.where(np.arange(n_ions) % 2 == 0, 1.0, -1.0)
    rng = np.random.default_rng(31)
    thermal = (langevin.thermal_energy(TEMPERATURE_K) / mass) ** 0.5
    series = []
    for _ in range(runs):
        v = thermal * langevin.ornstein_uhlenbeck(n_steps, dt, gamma, (n_ions, 3), rng)
        tensors = charges[:, None, None] * np.eye(3)
        symbols = tuple("Li" if q > 0 else "F" for q in charges)
        series.append(series_of_atoms(v, tensors, np.full(n_ions, mass), symbols, dt, VOLUME_ANG3))
    options = {"temperature_k": TEMPERATURE_K, "resolution_cm": resolution, "max_cm": 1500.0, "dc": True}
    spectra = [compute_spectrum(s, **options) for s in series]  # type: ignore[arg-type]
    nu = spectra[0].wavenumber_cm
    plasma = PLASMA_FREQUENCY2_FS2 * n_ions / mass / VOLUME_ANG3
    exact = expected_sigma(nu, plasma * np.exp(-gamma * dt * np.arange(6000)), dt, n_steps, resolution)
    analytic = np.asarray(SIGMA_PER_KERNEL * plasma / (gamma - 1j * omega_fs(nu)))
    checks, curve = compare_isotropic(DRUDE, spectra, exact, analytic, (2.0 * resolution, 600.0))
    target = SIGMA_PER_KERNEL * plasma / gamma
    checks += _dc(spectra, target)
    found = [
        einstein_helfand(s.total(), dt, VOLUME_ANG3, TEMPERATURE_K, (10.0 / gamma, 40.0 / gamma))[0]
        for s in series
    ]
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1)) / runs**0.5
    checks.append(value(DRUDE, "σ_dc from the dipole's diffusion (S/m)", target, mean, error))
    return CaseResult(tuple(checks), (curve,))


def _dc(spectra: list[Spectrum], target: float) -> list[Check]:
    """Cepstral σ_dc: mean over runs, and the scatter of z (the interval is multiplicative)."""
    values = np.array([float(s.parameters["sigma_dc_s_per_m"]) for s in spectra])
    errors = np.array([float(s.parameters["sigma_dc_err_s_per_m"]) for s in spectra])
    runs = len(values)
    z = np.log(values / target) / (errors / values)
    mean = float(np.exp(np.mean(np.log(values))))
    error = mean * float(np.sqrt(np.mean((errors / values) ** 2) / runs))
    return [
        value(DRUDE, "σ_dc = nq²/(mγ), cepstral (S/m)", target, mean, error),
        value(DRUDE, "mean z² of σ_dc, cepstral", 1.0, float(np.mean(z**2)), (2.0 / runs) ** 0.5),
    ]


def longitudinal(full: bool = False) -> CaseResult:
    """LO and TO by the four-parameter fit, LO as the zero of ε₁, and their ratio as ε(0)/ε_∞."""
    from bec_md import compute_spectrum
    from bec_md.spectrum.analysis.fits import fit_four_parameter
    from bec_md.spectrum.response.optics import longitudinal_frequencies_cm

    crystal, rng = cubic_crystal(), np.random.default_rng(32)
    runs, n_steps, dt, resolution = (32 if full else 8), 32768, 4.0, 4.0
    series = []
    for _ in range(runs):
        _, velocities = crystal.run(n_steps, dt, rng)
        series.append(crystal.current(velocities, dt))
    spectrum = compute_spectrum(
        series,
        temperature_k=crystal.temperature_k,
        eps_inf=crystal.eps_inf,
        resolution_cm=resolution,
        max_cm=1200.0,
        dc=False,
    )
    transverse = 400.0
    scale = float(omega_fs(np.array(1.0)))
    lo = float(crystal.longitudinal(np.array([1.0, 0.0, 0.0]))[-1]) / scale
    fit = fit_four_parameter(spectrum, [(transverse + 5.0, lo - 15.0)], max_cm=1000.0)
    checks = [
        value(LO_TO, "TO, four-parameter fit (cm⁻¹)", transverse, fit.bands[0, 0], fit.errors[0, 0]),
        value(LO_TO, "LO, four-parameter fit (cm⁻¹)", lo, fit.bands[0, 2], fit.errors[0, 2]),
        value(LO_TO, "width, four-parameter fit (cm⁻¹)", crystal.gamma_cm, fit.bands[0, 1], fit.errors[0, 1]),
    ]
    nu = spectrum.wavenumber_cm
    kernel = crystal.kernel(np.arange(12000) * dt)[:, 0, 0]
    sigma = expected_sigma(nu, kernel, dt, n_steps, resolution)
    exact_eps = 3.0 + 1j * sigma / permittivity_scale(nu)
    zero_exact = float(longitudinal_frequencies_cm(nu, exact_eps)[-1])
    zero = float(longitudinal_frequencies_cm(nu, spectrum.eps_iso)[-1])
    at = int(np.searchsorted(nu, zero_exact))
    slope = (exact_eps[at + 1].real - exact_eps[at - 1].real) / (nu[at + 1] - nu[at - 1])
    error = float(spectrum.eps_real_err[at]) / slope
    checks.append(value(LO_TO, "LO, zero of ε₁ (cm⁻¹)", zero_exact, zero, error, f"undamped: {lo:.2f}"))
    ratio = float((fit.bands[0, 2] / fit.bands[0, 0]) ** 2)
    relative = 2.0 * float(np.hypot(fit.errors[0, 0] / fit.bands[0, 0], fit.errors[0, 2] / fit.bands[0, 2]))
    static = float(crystal.eps(np.zeros(1))[0, 0, 0].real) / 3.0
    checks.append(value(LO_TO, "(LO/TO)² = ε(0)/ε_∞", static, ratio, ratio * relative))
    return CaseResult(tuple(checks))
