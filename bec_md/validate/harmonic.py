"""The harmonic crystal: full tensor from arrays, and the same through files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.validate.common import kernel_bias, permittivity_scale, value
from bec_md.validate.crystal import HarmonicCrystal, random_crystal
from bec_md.validate.crystal_files import write_extxyz, write_lammps_dump
from bec_md.validate.expectation import expected_sigma, sigma_of_susceptibility
from bec_md.validate.statistics import agreement, independent_points
from bec_md.validate.table import CaseResult, Check, Curve

if TYPE_CHECKING:
    from bec_md.spectrum import Spectrum


ARRAYS, FILES, STATIC = "harmonic crystal", "harmonic crystal from files", "static ε and Lyddane–Sachs–Teller"
COMPONENTS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
TIMESTEP_FS, RESOLUTION_CM, BAND_CM = 5.0, 12.0, (170.0, 900.0)


def _name(part: str, a: int, b: int) -> str:
    return f"{'ε₂' if part == 'real' else 'ε₁'},{'xyz'[a]}{'xyz'[b]}"


def _exact(crystal: HarmonicCrystal, nu: Array, n_steps: int, dt: float, resolution: float) -> Complex:
    # beyond 60 ps·cm⁻¹ over the resolution the window is below 1e-16
    times = np.arange(min(n_steps, round(60000.0 / resolution / dt))) * dt
    return expected_sigma(nu, crystal.kernel(times), dt, n_steps, resolution)


def harmonic_crystal(full: bool = False) -> CaseResult:
    """All components of ε over independent runs, and the f-sum rule."""
    from bec_md import compute_spectrum

    crystal, rng = random_crystal(), np.random.default_rng(20)
    runs, n_steps = (96 if full else 20), 32768
    spectra, ratios = [], []
    for _ in range(runs):
        _, velocities = crystal.run(n_steps, TIMESTEP_FS, rng)
        spectrum = compute_spectrum(
            crystal.current(velocities, TIMESTEP_FS),
            temperature_k=crystal.temperature_k,
            eps_inf=crystal.eps_inf,
            resolution_cm=RESOLUTION_CM,
            max_cm=1400.0,
            dc=False,
        )
        spectra.append(spectrum)
        ratios.append(spectrum.parameters["f_sum_ratio"])
    nu = spectra[0].wavenumber_cm
    exact = _exact(crystal, nu, n_steps, TIMESTEP_FS, RESOLUTION_CM)
    analytic = sigma_of_susceptibility(nu, crystal.eps(nu) - crystal.eps_inf)
    points = independent_points(nu, *BAND_CM, RESOLUTION_CM)
    checks: list[Check] = []
    for part in ("real", "imag"):
        for a, b in COMPONENTS:
            values = [getattr(s.sigma, part)[points, a, b] for s in spectra]
            errors = [getattr(s, f"sigma_{part}_err")[points, a, b] for s in spectra]
            target = getattr(exact, part)[points, a, b]
            checks += agreement(ARRAYS, _name(part, a, b), values, errors, target)
    checks += _f_sum(ARRAYS, crystal, np.array(ratios), n_steps, TIMESTEP_FS)
    checks.append(_asymmetry(spectra[0]))
    error = np.mean([s.sigma_real_err for s in spectra], axis=0)
    checks.append(kernel_bias(ARRAYS, float(np.max(np.abs((exact - analytic).real / error)[points]))))
    return CaseResult(tuple(checks), tuple(_curves(spectra, analytic)))


def _f_sum(case: str, crystal: HarmonicCrystal, ratios: Array, n_steps: int, dt: float) -> list[Check]:
    """f-sum ratio per axis, with the exact variance of ⟨J_a²⟩: 2 Σ_k (1 − |k|/N) K²/(N K(0)²)."""
    lags = np.arange(min(n_steps, 4000))
    kernel = crystal.kernel(lags * dt)
    rows = []
    for axis in range(3):
        ratio = (kernel[:, axis, axis] / kernel[0, axis, axis]) ** 2 * (1.0 - lags / n_steps)
        error = np.sqrt(2.0 * (2.0 * ratio.sum() - 1.0) / n_steps / len(ratios))
        rows.append(value(case, f"f-sum ratio, {'xyz'[axis]}", 1.0, ratios[:, axis].mean(), error))
    return rows


def _asymmetry(spectrum: Spectrum) -> Check:
    difference = float(np.abs(spectrum.sigma - spectrum.sigma.swapaxes(1, 2)).max())
    return Check(
        ARRAYS, "largest |σ_ab − σ_ba| / |σ|", 0.0, difference / np.abs(spectrum.sigma).max(), None, 1e-14
    )


def _curves(spectra: list[Spectrum], analytic: Complex) -> list[Curve]:
    nu = spectra[0].wavenumber_cm
    keep = (nu > 100.0) & (nu < 1100.0)
    scale = permittivity_scale(nu)[keep]
    curves = []
    for a, b in ((0, 0), (0, 1)):
        mean = np.mean([s.sigma.real[keep, a, b] for s in spectra], axis=0)
        error = np.sqrt(np.mean([s.sigma_real_err[keep, a, b] ** 2 for s in spectra], axis=0) / len(spectra))
        label = f"harmonic crystal, ε₂,{'xyz'[a]}{'xyz'[b]}"
        target = analytic.real[keep, a, b] / scale
        curves.append(Curve(label, "", nu[keep], mean / scale, error / scale, target))
    return curves


def harmonic_files(full: bool = False) -> CaseResult:
    """One run written as extended XYZ and as LAMMPS dump, read back, and analyzed by the program."""
    from bec_md import compute_current, compute_spectrum, open_trajectory

    crystal, rng = random_crystal(seed=11, gamma_cm=250.0), np.random.default_rng(21)
    n_steps, dt, resolution = (80000 if full else 16000), 12.0, 40.0
    displacements, velocities = crystal.run(n_steps, dt, rng)
    checks: list[Check] = []
    for name, suffix, write, options in (
        ("extended XYZ", "xyz", write_extxyz, {}),
        ("LAMMPS dump", "lammpstrj", write_lammps_dump, {"timestep_fs": dt, "elements": ["Mg", "O"]}),
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"crystal.{suffix}"
            write(path, crystal, displacements, velocities, dt)
            trajectory = open_trajectory(path, **options)  # type: ignore[arg-type]
            current = compute_current(trajectory, charges=crystal.charges)
        spectrum, direct = (
            compute_spectrum(
                series,
                temperature_k=crystal.temperature_k,
                eps_inf=crystal.eps_inf,
                resolution_cm=resolution,
                max_cm=1200.0,
                dc=False,
            )
            for series in (current, crystal.current(velocities, dt))
        )
        exact = _exact(crystal, spectrum.wavenumber_cm, n_steps, dt, resolution)
        checks += _file_checks(name, spectrum, exact, resolution)
        ratio = np.array([spectrum.parameters["f_sum_ratio"]])
        for row in _f_sum(FILES, crystal, ratio, n_steps, dt):
            checks.append(Check(FILES, f"{name}: {row.quantity}", 1.0, row.measured, row.error))
        difference = float(np.abs(spectrum.sigma - direct.sigma).max() / np.abs(direct.sigma).max())
        quantity = f"{name}: largest difference to arrays"
        checks.append(Check(FILES, quantity, 0.0, difference, None, 1e-7, "10 digits in the file"))
    return CaseResult(tuple(checks))


def _file_checks(name: str, spectrum: Spectrum, exact: Complex, resolution: float) -> list[Check]:
    """Mean z² of the diagonal and off-diagonal elements of one run."""
    points = independent_points(spectrum.wavenumber_cm, *BAND_CM, resolution)
    z = ((spectrum.sigma.real - exact.real) / _predicted_error(exact.real, spectrum))[points]
    rows = []
    for kind, components in (("diagonal", COMPONENTS[:3]), ("off-diagonal", COMPONENTS[3:])):
        three = np.array([z[:, a, b] for a, b in components])
        error = float(np.sqrt(2.0 / three.size)) * 1.2  # the three are correlated a little
        quantity = f"{name}: mean z² of ε₂, {kind}"
        rows.append(value(FILES, quantity, 1.0, float(np.mean(three**2)), error))
    return rows


def _predicted_error(exact: Array, spectrum: Spectrum) -> Array:
    """Standard error of each component from the exact spectrum: a single run has no average to offer."""
    relative = 1.0 / _bandwidth_time(spectrum)
    diagonal = np.einsum("faa->fa", exact)
    return np.asarray(np.sqrt(0.5 * (diagonal[:, :, None] * diagonal[:, None, :] + exact**2) * relative))


def _bandwidth_time(spectrum: Spectrum) -> float:
    """T·B: equivalent noise bandwidth B = 2√π σ_ν̃ c of the Gaussian times the length of the run."""
    from bec_md.units import SPEED_OF_LIGHT_CM_FS

    sigma_cm = float(spectrum.parameters["resolution_cm"]) / np.sqrt(8.0 * np.log(2.0))
    time_fs = 1000.0 * float(spectrum.parameters["total_time_ps"])
    return float(2.0 * np.sqrt(np.pi) * sigma_cm * SPEED_OF_LIGHT_CM_FS * time_fs)


def static_limit(full: bool = False) -> CaseResult:
    r"""Static ε from fluctuations, and the Lyddane–Sachs–Teller relation of a crystal of any symmetry.

    Along a direction q: :math:`q·ε(0)·q / q·ε_∞·q = \prod_m ω_{LO,m}^2(q)/ω_m^2`, the LO frequencies being
    those of the dynamical matrix with the non-analytic term. The current comes from positions (midpoint).
    """
    from dataclasses import replace

    from bec_md import compute_spectrum

    crystal, rng = random_crystal(seed=5), np.random.default_rng(22)
    runs, n_steps = (64 if full else 12), 16384
    series = []
    for _ in range(runs):
        displacements, _ = crystal.run(n_steps + 1, TIMESTEP_FS, rng)
        current = crystal.current(np.diff(displacements, axis=0) / TIMESTEP_FS, TIMESTEP_FS)
        series.append(replace(current, scheme="midpoint"))
    spectrum = compute_spectrum(
        series, temperature_k=crystal.temperature_k, eps_inf=crystal.eps_inf, resolution_cm=12.0, dc=False
    )
    exact = crystal.eps(np.zeros(1))[0].real
    checks = []
    kinds = [("fluctuation", "static ε", at) for at in COMPONENTS]
    kinds += [("kramers_kronig", "ε_∞ + (2/π)∫ε₂/ω dω", at) for at in COMPONENTS[:3]]
    for source, name, (a, b) in kinds:
        found = spectrum.static[source][a, b], spectrum.static[f"{source}_err"][a, b]
        checks.append(value(STATIC, f"{name},{'xyz'[a]}{'xyz'[b]}", exact[a, b], *found))
    frequencies, _ = crystal.modes()
    for axis in range(3):
        ratio = float(np.prod((crystal.longitudinal(np.eye(3)[axis]) / frequencies) ** 2))
        scale = crystal.eps_inf[axis, axis]
        measured = spectrum.static["fluctuation"][axis, axis] / scale
        error = spectrum.static["fluctuation_err"][axis, axis] / scale
        checks.append(value(STATIC, f"Π ω_LO²/ω_TO² = ε(0)/ε_∞, {'xyz'[axis]}", ratio, measured, error))
    return CaseResult(tuple(checks))
