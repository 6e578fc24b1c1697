"""Do the error bars mean what they say? Coverage on white noise, and on an oscillator for Re ε."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from bec_md.current.series import CurrentSeries
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.errors import uncertainty
from bec_md.spectrum.estimators.estimate import TAPERED
from bec_md.spectrum.estimators.lag_window import WINDOW_NAMES
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import SPEED_OF_LIGHT_CM_FS
from bec_md.validate import langevin
from bec_md.validate.expectation import omega_fs
from tests.spectrum.exact import (
    bare,
    expected_n_alpha,
    langevin_oscillator,
    lorentz_chi,
    oscillator_correlation,
)

RUNS = 100


@lru_cache
def white_runs(estimator: str) -> list[Spectrum]:
    rng = np.random.default_rng(11)
    return [
        compute_spectrum(
            bare(rng.normal(size=(2000, 3))),
            temperature_k=300.0,
            resolution_cm=300.0,
            estimator=estimator,
            eps_inf=2.0,
            dc=False,
        )
        for _ in range(RUNS)
    ]


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_white_noise_coverage_68_and_95(estimator: str) -> None:
    runs = white_runs(estimator)
    truth = 3.7673031 * 0.5 * 1.8592490e10 / (1000.0 * 300.0)  # nα of S = 1 (e Å/fs)² fs
    inside = {}
    for level in (0.68, 0.95):
        hits = []
        for s in runs:
            low, high = s.n_alpha_interval(level)
            hits.append((low <= truth) & (truth <= high))
        inside[level] = np.mean(hits)
    # 100 runs × ~50 independent points: statistical error of the coverage below 0.6 %
    assert inside[0.68] == pytest.approx(0.68, abs=0.03)
    assert inside[0.95] == pytest.approx(0.95, abs=0.02)
    values = np.array([s.n_alpha for s in runs])
    errors = np.array([s.n_alpha_err for s in runs])
    assert np.mean(values) == pytest.approx(truth, rel=0.01)
    assert np.sqrt(np.mean(values.var(axis=0)) / np.mean(errors**2)) == pytest.approx(1.0, abs=0.05)


def test_off_diagonal_errors_on_white_noise() -> None:
    runs = white_runs("lag")
    values = np.array([s.n_alpha_tensor for s in runs])
    errors = np.array([s.n_alpha_tensor_err for s in runs])
    for a in range(3):
        for b in range(3):
            ratio = np.mean(values[..., a, b].var(axis=0)) / np.mean(errors[..., a, b] ** 2)
            assert ratio == pytest.approx(1.0, abs=0.08)  # 100 runs × 50 points: 1.6 % and correlated axes
    diagonal = np.mean(errors[..., 0, 0] ** 2)
    assert np.mean(errors[..., 0, 1] ** 2) / diagonal == pytest.approx(0.5, abs=0.05)  # ½(S_aa S_bb + S_ab²)


def test_correlated_components_are_not_counted_three_times() -> None:
    # all three axes carry the same noise: one component, √3 larger errors
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4000, 1))
    same = compute_spectrum(bare(np.repeat(noise, 3, axis=1)), temperature_k=300.0, resolution_cm=200.0)
    apart = compute_spectrum(bare(rng.normal(size=(4000, 3))), temperature_k=300.0, resolution_cm=200.0)
    ratio = np.median(same.n_alpha_err / same.n_alpha) / np.median(apart.n_alpha_err / apart.n_alpha)
    assert ratio == pytest.approx(np.sqrt(3.0), rel=0.05)
    one = np.median(same.n_alpha_err / same.n_alpha)
    middle = np.sqrt(1.0 / (np.median(same.dof) / 2.0))
    assert one == pytest.approx(middle, rel=0.05)


def oscillator_runs(count: int = 120, **options: object) -> tuple[list[Spectrum], int]:
    n = 8000
    runs = []
    for seed in range(count):
        _, v = langevin_oscillator(n, 2.0, 500.0, 150.0, 10.0, seed)
        runs.append(
            compute_spectrum(
                bare(v, 2.0),
                temperature_k=300.0,
                resolution_cm=40.0,
                eps_inf=2.0,
                dc=False,
                max_cm=1500.0,
                **options,  # type: ignore[arg-type]
            )
        )
    return runs, n


def test_every_derived_error_matches_the_scatter_over_runs() -> None:
    runs, n = oscillator_runs()
    nu = runs[0].wavenumber_cm
    band = (nu > 150.0) & (nu < 900.0)
    for name in ("n_alpha", "eps_imag", "eps_real", "n", "kappa", "alpha_cm", "loss", "reflectivity"):
        values = np.array([getattr(s, name) for s in runs])[:, band]
        errors = np.array([getattr(s, f"{name}_err") for s in runs])[:, band]
        ratio = np.sqrt(np.mean(values.var(axis=0, ddof=1) / np.mean(errors**2, axis=0)))
        # 120 runs × ~12 independent points: 2–3 %; first-order propagation adds some per cent
        assert ratio == pytest.approx(1.0, abs=0.12), name
    # the mean over runs is the exact expectation (window and triangle included): no hidden factor
    exact = expected_n_alpha(runs[0], oscillator_correlation(np.arange(5000) * 2.0, 500.0, 150.0, 10.0), n)
    mean = np.mean([s.n_alpha for s in runs], axis=0)
    error = np.sqrt(np.mean([s.n_alpha_err**2 for s in runs], axis=0) / len(runs))
    z = (mean - exact)[band] / error[band]
    assert np.sqrt(np.mean(z**2)) < 1.5
    assert abs(np.mean(z)) < 1.0


def test_jackknife_agrees_with_the_analytic_error() -> None:
    _, v = langevin_oscillator(60000, 2.0, 500.0, 150.0, 10.0, 3)
    for estimator in ("lag", "welch", "multitaper"):
        s = compute_spectrum(
            bare(v, 2.0), temperature_k=300.0, resolution_cm=60.0, estimator=estimator, max_cm=1000.0
        )
        assert s.jackknife_err is not None
        # 20 stretches: an error of the error of 16 % per point, averaged over ~15 points
        assert np.median(s.jackknife_err / s.n_alpha_err) == pytest.approx(1.0, abs=0.15), estimator


def test_short_runs_have_no_jackknife() -> None:
    s = compute_spectrum(
        bare(np.random.default_rng(0).normal(size=(200, 3))),
        temperature_k=300.0,
        resolution_cm=400.0,
        estimator="multitaper",
    )
    assert s.jackknife_err is None


def test_partial_errors_on_shared_noise() -> None:
    # J_A = x + y, J_B = y: cross-spectra with the total are known, S_A,tot = S_x + 2 S_y, S_B,tot = 2 S_y
    rng = np.random.default_rng(8)
    values, errors = [], []
    for _ in range(120):
        x, y = rng.normal(size=(2, 1500, 3))
        current = np.stack([x + y, y], axis=1)
        from bec_md.current.series import CurrentSeries

        series = CurrentSeries(current=current, groups=("A", "B"), timestep_fs=1.0, volume_ang3=1000.0)
        s = compute_spectrum(series, temperature_k=300.0, resolution_cm=300.0, dc=False)
        values.append([s.partial_n_alpha["A"], s.partial_n_alpha["B"]])
        errors.append([s.partial_n_alpha_err["A"], s.partial_n_alpha_err["B"]])
    v, e = np.array(values), np.array(errors)
    unit = 3.7673031 * 0.5 * 1.8592490e10 / (1000.0 * 300.0)
    # 120 runs × ~40 points × 3 axes
    np.testing.assert_allclose(v.mean(axis=(0, 2)) / unit, [3.0, 2.0], rtol=0.02)
    ratio = v.var(axis=0).mean(axis=1) / (e**2).mean(axis=(0, 2))
    np.testing.assert_allclose(ratio, 1.0, atol=0.10)


def test_chi_square_interval_and_jackknife_by_hand() -> None:
    low, high = uncertainty.chi_square_interval(np.array([1.0]), np.array([10.0]), 0.95)
    assert low[0] == pytest.approx(10.0 / 20.4832, rel=1e-5)
    assert high[0] == pytest.approx(10.0 / 3.24697, rel=1e-5)
    values = np.array([1.0, 2.0, 4.0, 9.0])
    assert uncertainty.jackknife_error(values[:, None], np.ones(4))[0] == pytest.approx(
        values.std(ddof=1) / 2.0, rel=1e-12
    )
    with pytest.raises(ValueError, match="two stretches"):
        uncertainty.jackknife_error(values[:1, None], np.ones(1))


def test_model_uncertainty_is_kept_apart_and_combined() -> None:
    rng = np.random.default_rng(4)
    v = rng.normal(size=(3000, 3))
    scales = np.array([0.9, 1.0, 1.1])
    series = bare(v, member_current=v[:, None, :] * scales[:, None])
    s = compute_spectrum(series, temperature_k=300.0, resolution_cm=200.0)
    assert s.model_err is not None
    # every member's spectrum is scale² times the same one
    np.testing.assert_allclose(s.model_err / s.n_alpha, np.std(scales**2, ddof=1), rtol=1e-10)
    np.testing.assert_allclose(s.n_alpha_total_err**2, s.n_alpha_err**2 + s.model_err**2, rtol=1e-12)
    assert compute_spectrum(bare(v), temperature_k=300.0, resolution_cm=200.0).model_err is None


def test_lines_narrower_than_the_resolution_have_the_errors_of_their_few_ordinates() -> None:
    # a line of 12 cm⁻¹ under a kernel of 40: the square of the smoothed spectrum says half of the error
    values, errors = [], []
    for seed in range(150):
        _, v = langevin_oscillator(8000, 2.0, 500.0, 12.0, 10.0, seed)
        s = compute_spectrum(
            bare(v, 2.0), temperature_k=300.0, resolution_cm=40.0, eps_inf=2.0, dc=False, max_cm=800.0
        )
        near = np.abs(s.wavenumber_cm - 500.0) < 30.0
        values.append([s.n_alpha[near], s.eps_real[near]])
        errors.append([s.n_alpha_err[near], s.eps_real_err[near]])
    found, stated = np.std(values, axis=0, ddof=1), np.sqrt(np.mean(np.square(errors), axis=0))
    # 150 runs: 6 % for the scatter of points that are one number nearly
    assert np.mean(stated[0] / found[0]) == pytest.approx(1.0, abs=0.12)
    assert np.mean(stated[1] / found[1]) == pytest.approx(1.0, abs=0.15)


def test_the_variance_of_the_imaginary_part_is_that_of_its_ordinates() -> None:
    """A line narrower than the kernel: var Im σ summed over ordinates by hand, and from the grid of σ."""
    from bec_md.spectrum.errors.uncertainty import response_covariance
    from bec_md.spectrum.estimators.ordinates import fine_density

    step, length, size = 2.0, 8000, 1600
    window = np.exp(-0.5 * (np.arange(600) / 150.0) ** 2)
    omega = 2.0 * np.pi * np.arange(length // 2 + 1) / (length * step)
    square = np.where(np.abs(omega - 0.08) < 1e-3, 1.0, 0.0) * (1.0 + np.cos(2e4 * omega) ** 2)
    at = np.arange(size // 2 + 1)
    lags = step * np.arange(1, len(window))
    # Im σ(ω) = Σ_k I_k h_k(ω)/T, h_k the sine transform of w cos ω_k t; ordinates ±k are one
    sines = np.sin(2.0 * np.pi * at[:, None] / (size * step) * lags) * window[1:]
    kernel = 2.0 * step / (length * step) * sines @ np.cos(omega[:, None] * lags).T
    exact = (kernel**2 * square).sum(axis=1)
    fine = fine_density(square[None], window, size, step)
    # the density of σ is half of that of the two-sided spectrum
    found, _ = response_covariance(0.25 * fine, window, step, length * step, 2 * len(at) - 1)
    np.testing.assert_allclose(found[0, ::2], exact, rtol=2e-3, atol=1e-6 * exact.max())


@pytest.mark.parametrize("width_cm", [1.0, 60.0])
def test_a_group_with_a_fixed_share_has_that_share_of_the_error(width_cm: float) -> None:
    # of the current of one oscillator along each axis: also where its line is narrower than the resolution
    v = langevin_oscillator(10000, 4.0, 400.0, width_cm, 10.0, 3)[1]
    series = CurrentSeries(np.stack([0.7 * v, 0.3 * v], axis=1), ("a", "b"), 4.0, 1000.0)
    s = compute_spectrum(series, temperature_k=300.0, resolution_cm=10.0, max_cm=800.0)
    near = np.abs(s.wavenumber_cm - 400.0) < 5.0
    share = s.partial_n_alpha_err["a"][near] / s.n_alpha_err[near]
    # the floor of what independent axes have adds a few percent; 0.47 for the narrow line without its excess
    np.testing.assert_allclose(share, 0.7, atol=0.05)


def test_errors_of_a_run_no_longer_than_the_lag_window() -> None:
    """Squares of bands rang into the dark there, and the errors of Re ε were a thousand times too large."""
    values, errors = [], []
    for seed in range(24):
        bands = ((430.0, 1.0), (1040.0, 2.0))
        v = sum(height * langevin_oscillator(120, 5.0, nu, 20.0, 1.0, 99 * seed)[1] for nu, height in bands)
        s = compute_spectrum(
            bare(v, 5.0), temperature_k=300.0, resolution_cm=60.0, eps_inf=2.0, dc=False, max_cm=1500.0
        )
        dark = (s.wavenumber_cm > 50.0) & (s.wavenumber_cm < 1400.0)
        values.append(s.eps_real[dark])
        errors.append(s.eps_real_err[dark])
    found, stated = np.std(values, axis=0, ddof=1), np.median(errors, axis=0)
    # 24 runs: 15 %; at the tops of bands that have one ordinate the error is up to twice the scatter
    assert 0.6 < np.median(stated / found) < 1.6
    assert np.max(stated / found) < 4.0


@pytest.mark.parametrize(
    "options", [{"window": name} for name in WINDOW_NAMES] + [{"estimator": name} for name in TAPERED]
)
def test_errors_far_from_a_band_are_those_of_its_strength(options: dict[str, Any]) -> None:
    """Re ε far from a band of width γ is as wrong as ⟨J²⟩, √(2/3γT), with every window; ε₂ as 1/√(3TB)."""
    rng, n, dt, width = np.random.default_rng(5), 10_000, 2.0, 30.0
    w, gamma = omega_fs(np.array([400.0, width]))
    _, current = langevin.oscillators(n, dt, np.full(3, w), float(gamma), 300.0, rng)
    series = CurrentSeries(current[:, None], ("total",), dt, 400.0)
    found = compute_spectrum(
        series, temperature_k=300.0, eps_inf=2.0, resolution_cm=15.0, dc=False, **options
    )
    far = [int(np.argmin(abs(found.wavenumber_cm - nu))) for nu in (60.0, 1100.0)]
    strength = (2.0 / (3.0 * gamma * n * dt)) ** 0.5
    measured = found.error("eps_real")[far] / abs(found.get("eps_real")[far] - 2.0)
    np.testing.assert_allclose(measured, strength, rtol=0.3)
    if options.get("window") in ("bartlett", "lorentzian"):
        return  # their tails carry the band itself, with its error
    bandwidth = float(found.parameters["equivalent_noise_bandwidth_cm"]) * SPEED_OF_LIGHT_CM_FS
    flat = (3.0 * n * dt * bandwidth) ** -0.5
    at = far if "estimator" in options else far[1:]  # without tapers the ends of the run leak towards ω = 0
    np.testing.assert_allclose(found.eps_imag_err[at] / found.eps_imag[at], flat, rtol=0.25)


def test_what_leaks_into_the_dark_is_in_the_errors() -> None:
    """18 ps of a band at 150 cm⁻¹ with a width of 3: at 20 to 60 cm⁻¹ it leaks twice what is there."""
    found = []
    for seed in range(4):
        _, v = langevin_oscillator(6000, 3.0, 150.0, 3.0, 1.0, 40 + seed)
        options = {"temperature_k": 300.0, "resolution_cm": 5.0, "max_cm": 300.0}
        for estimator in ("lag", "welch"):
            s = compute_spectrum(bare(v, 3.0), estimator=estimator, **options)
            dark = (s.wavenumber_cm > 20.0) & (s.wavenumber_cm < 60.0)
            exact = 2.0 * np.pi * s.wavenumber_cm * lorentz_chi(s.wavenumber_cm, 150.0, 3.0, 1.0, 1000.0).imag
            found.append(((s.n_alpha - exact) / np.array([exact, s.n_alpha_err]))[:, dark])
    (over, z), (over_tapered, z_tapered) = (np.hstack(found[k::2]) for k in (0, 1))
    assert np.mean(over) > 1.0
    assert np.abs(np.mean(over_tapered)) < 0.3
    for scatter in (z, z_tapered):
        assert 0.4 < np.sqrt(np.mean(scatter**2)) < 1.6
