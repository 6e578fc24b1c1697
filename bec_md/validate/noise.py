"""Noise: coverage and distribution of the estimates, shared noise of two species, and a moving crystal."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.current.series import CurrentSeries
from bec_md.validate import langevin
from bec_md.validate.common import value
from bec_md.validate.crystal import random_crystal
from bec_md.validate.expectation import omega_fs
from bec_md.validate.statistics import agreement, independent_points
from bec_md.validate.table import CaseResult, Check

if TYPE_CHECKING:
    from bec_md.spectrum import Spectrum


WHITE, SHARED, BOOST = "white noise", "shared noise of two species", "constant Z and a uniform boost"
TEMPERATURE_K, VOLUME_ANG3 = 300.0, 1000.0


def white_noise(full: bool = False) -> CaseResult:
    """Coverage of the 68 and 95 % bands, and the χ² distribution of the estimates, for all estimators."""
    from bec_md import compute_spectrum
    from bec_md.units import ABSORPTION_CM_PER_S_M, CONDUCTIVITY_S_M

    rng = np.random.default_rng(50)
    runs, n_steps, resolution = (400 if full else 80), 3000, 250.0
    truth = 0.5 * ABSORPTION_CM_PER_S_M * CONDUCTIVITY_S_M / (VOLUME_ANG3 * TEMPERATURE_K)  # S = 1
    series = [
        CurrentSeries(rng.normal(size=(n_steps, 1, 3)), ("total",), 1.0, VOLUME_ANG3) for _ in range(runs)
    ]
    checks: list[Check] = []
    for estimator in ("lag", "welch", "multitaper"):
        spectra = [
            compute_spectrum(
                s, temperature_k=TEMPERATURE_K, resolution_cm=resolution, estimator=estimator, dc=False
            )
            for s in series
        ]
        nu = spectra[0].wavenumber_cm
        points = independent_points(nu, 2.0 * resolution, nu[-1] - 2.0 * resolution, 1.2 * resolution)
        for level, allowed in ((0.68, 0.03), (0.95, 0.02)):
            covered = [_inside(s, truth, level)[points] for s in spectra]
            error = (level * (1.0 - level) / (runs * len(points))) ** 0.5
            checks.append(
                Check(
                    WHITE,
                    f"{estimator}: coverage of the {level:.0%} band",
                    level,
                    float(np.mean(covered)),
                    error,
                    allowed,
                )
            )
        dof = np.array([np.full(len(points), np.median(s.dof)) for s in spectra])
        values = np.array([s.n_alpha[points] / truth for s in spectra])
        checks.append(_histogram(estimator, values, dof))
    return CaseResult(tuple(checks))


def _inside(spectrum: Spectrum, truth: float, level: float) -> NDArray[np.bool_]:
    low, high = spectrum.n_alpha_interval(level)
    return np.asarray((low <= truth) & (truth <= high))


def _histogram(estimator: str, values: Array, dof: Array) -> Check:
    """χ² of a histogram with ten bins of equal probability: 9 expected, standard deviation √18."""
    from scipy.stats import chi2

    middle = float(np.median(dof))
    probability = chi2.cdf(middle * values.ravel(), middle)
    counts, _ = np.histogram(probability, bins=10, range=(0.0, 1.0))
    expected = values.size / 10.0
    found = float(np.sum((counts - expected) ** 2) / expected)
    note = f"{values.size} estimates, {middle:.0f} degrees of freedom"
    return value(WHITE, f"{estimator}: χ² of the χ² histogram", 9.0, found, 18.0**0.5, note)


def shared_noise(full: bool = False) -> CaseResult:
    """J_A = x + 2y, J_B = w − y: cross-spectra with the total are known, and the groups add up."""
    from bec_md import compute_spectrum
    from bec_md.validate.expectation import gaussian_window

    rng = np.random.default_rng(51)
    runs, n_steps, dt, resolution = (200 if full else 40), 8192, 2.0, 40.0
    rates = {"x": 0.02, "y": 0.05, "w": 0.1}
    spectra, worst = [], 0.0
    for _ in range(runs):
        noise = {n: langevin.ornstein_uhlenbeck(n_steps, dt, g, (3,), rng) for n, g in rates.items()}
        current = np.stack([noise["x"] + 2.0 * noise["y"], noise["w"] - noise["y"]], axis=1)
        spectrum = compute_spectrum(
            CurrentSeries(current, ("A", "B"), dt, VOLUME_ANG3),
            temperature_k=TEMPERATURE_K,
            resolution_cm=resolution,
            max_cm=1500.0,
            dc=False,
        )
        spectra.append(spectrum)
        parts = spectrum.partial_n_alpha["A"] + spectrum.partial_n_alpha["B"]
        worst = max(worst, float(np.max(np.abs(parts - spectrum.n_alpha)) / np.max(spectrum.n_alpha)))
    nu = spectra[0].wavenumber_cm
    lags = np.arange(4000)
    weight = gaussian_window(resolution, lags * dt) * (1.0 - lags / n_steps)
    weight[1:] *= 2.0
    phases = np.cos(np.outer(omega_fs(nu), lags * dt))
    power = {n: dt * phases @ (weight * np.exp(-g * dt * lags)) for n, g in rates.items()}
    scale = _n_alpha_of_power()
    exact = {"A": power["x"] + 2.0 * power["y"], "B": power["w"] - power["y"]}
    points = independent_points(nu, 30.0, 1400.0, resolution)
    checks: list[Check] = []
    for group, target in exact.items():
        checks += agreement(
            SHARED,
            f"partial nα of {group}",
            [s.partial_n_alpha[group][points] for s in spectra],
            [s.partial_n_alpha_err[group][points] for s in spectra],
            scale * target[points],
        )
    low = float(np.min(exact["B"]) * scale)
    at = int(np.argmin(exact["B"]))
    found = np.array([s.partial_n_alpha["B"][at] for s in spectra])
    checks.append(
        value(
            SHARED,
            f"partial nα of B at {nu[at]:.0f} cm⁻¹ (negative)",
            low,
            found.mean(),
            float(np.sqrt(np.mean([s.partial_n_alpha_err["B"][at] ** 2 for s in spectra]) / runs)),
        )
    )
    checks.append(Check(SHARED, "largest |Σ partials − total| / total", 0.0, worst, None, 1e-12))
    return CaseResult(tuple(checks))


def _n_alpha_of_power() -> float:
    from bec_md.units import ABSORPTION_CM_PER_S_M, CONDUCTIVITY_S_M

    return 0.5 * ABSORPTION_CM_PER_S_M * CONDUCTIVITY_S_M / (VOLUME_ANG3 * TEMPERATURE_K)


def boost(full: bool = False) -> CaseResult:
    """Tensors that violate the sum rule, read from a file with and without a uniform velocity."""
    from dataclasses import replace

    from bec_md import compute_current, compute_spectrum
    from bec_md.validate.crystal_files import write_extxyz

    crystal, rng = random_crystal(seed=3), np.random.default_rng(52)
    crystal = replace(crystal, charges=crystal.charges + 0.1 * rng.normal(size=crystal.charges.shape))
    n_steps, dt = (8000 if full else 1500), 5.0
    displacements, velocities = crystal.run(n_steps, dt, rng)
    spectra = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, shift in (("at rest", np.zeros(3)), ("moving", np.array([0.01, -0.02, 0.005]))):
            path = Path(folder) / f"{name}.xyz".replace(" ", "_")
            path_ang = displacements + dt * np.arange(n_steps)[:, None, None] * shift
            write_extxyz(path, crystal, path_ang, velocities + shift, dt, digits=17)
            current = compute_current(path, charges=crystal.charges)
            spectra[name] = {
                rule: compute_spectrum(
                    current,
                    temperature_k=crystal.temperature_k,
                    eps_inf=crystal.eps_inf,
                    resolution_cm=60.0,
                    sum_rule=rule,
                    dc=False,
                )
                for rule in ("mass", "equal", "none")
            }
    checks = []
    for rule in ("mass", "equal"):
        a, b = spectra["at rest"][rule].sigma, spectra["moving"][rule].sigma
        difference = float(np.abs(a - b).max() / np.abs(a).max())
        checks.append(Check(BOOST, f"change of σ, sum rule {rule}", 0.0, difference, None, 1e-10))
    a, b = spectra["at rest"]["none"].sigma, spectra["moving"]["none"].sigma
    seen = float(np.abs(a - b).max() / np.abs(a).max() > 1e-3)
    checks.append(
        Check(BOOST, "without the rule the boost is seen (1: yes)", 1.0, seen, None, 0.0, "the test can fail")
    )
    return CaseResult(tuple(checks))
