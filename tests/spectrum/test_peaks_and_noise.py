"""Maxima of noise stay out of the list of peaks; a line over nothing is in it, however noisy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from bec_md.spectrum import compute_spectrum
from bec_md.spectrum.analysis.peak import find_spectrum_peaks
from bec_md.spectrum.estimators.estimate import TAPERED
from bec_md.spectrum.estimators.lag_window import WINDOW_NAMES, roughness
from tests.spectrum.exact import bare, langevin_oscillator

RESOLUTION_CM = 10.0
N_CM = 3000


def periodogram(relative: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """A flat spectrum of a finite run, smoothed to the resolution, with a relative error."""
    sigma = RESOLUTION_CM / np.sqrt(8.0 * np.log(2.0))
    shape = 1.0 / (relative**2 * np.sqrt(4.0 * np.pi) * sigma)
    raw = generator.gamma(shape, 1.0 / shape, N_CM + 400)
    return np.asarray(gaussian_filter1d(raw, sigma)[200:-200])


@pytest.mark.parametrize("relative", [0.05, 0.2])
@pytest.mark.parametrize("power", [0, 2])
def test_noise_of_a_band_without_structure_is_no_peak(relative: float, power: int) -> None:
    generator = np.random.default_rng(1)
    nu = np.arange(N_CM) + 1.0
    found = 0
    for _ in range(20):
        values = periodogram(relative, generator) * nu**power
        found += bool(find_spectrum_peaks(nu, values, relative * values, RESOLUTION_CM))
    assert found <= 4  # 1 ± 1 expected


def test_weak_lines_over_noise_are_found() -> None:
    generator = np.random.default_rng(2)
    nu = np.arange(N_CM) + 1.0
    lines = 1.0 + sum(np.exp(-0.5 * ((nu - at) / 8.0) ** 2) for at in (700.0, 1500.0, 2300.0))
    others = 0
    for _ in range(20):
        values = periodogram(0.05, generator) * lines
        found = [p.wavenumber_cm for p in find_spectrum_peaks(nu, values, 0.05 * values, RESOLUTION_CM)]
        assert all(min(abs(np.array(found) - at)) < 5.0 for at in (700.0, 1500.0, 2300.0))
        others += len(found) - 3
    assert others <= 4  # 1 ± 1 expected


def test_a_noisy_line_over_nothing_counts() -> None:
    nu = np.arange(N_CM) + 1.0
    values = np.exp(-0.5 * ((nu - 700.0) / 8.0) ** 2)
    peaks = find_spectrum_peaks(nu, values, 0.7 * values, RESOLUTION_CM)
    assert [round(p.wavenumber_cm) for p in peaks] == [700]


@pytest.mark.parametrize("name", [*WINDOW_NAMES, *TAPERED])
def test_slopes_of_noise_are_those_that_the_window_leaves(name: str) -> None:
    """White noise: slopes over heights, with √2 σ the `roughness`, by which errors of positions grow.

    The mean window of several tapers is not quite the one that correlates their noise.
    """
    white = bare(np.random.default_rng(4).normal(size=(60_000, 3)), 4.0)
    option = {"estimator" if name in TAPERED else "window": name}
    found = compute_spectrum(white, temperature_k=300.0, resolution_cm=40.0, dc=False, **option)
    inside = (found.wavenumber_cm > 200.0) & (found.wavenumber_cm < 3900.0)
    values, step = found.n_alpha[inside], float(found.wavenumber_cm[1] - found.wavenumber_cm[0])
    slope = np.std(np.diff(values) / step) / np.std(values)
    expected = roughness(found.lag_window, 4.0, 40.0)
    assert slope * 2.0**0.5 * 40.0 / np.sqrt(8.0 * np.log(2.0)) == pytest.approx(
        expected, rel=0.4 if name == "multitaper" else 0.25
    )
    assert expected == pytest.approx({"multitaper": 2.5, "lorentzian": 0.85}.get(name, 1.03), rel=0.06)


def test_positions_in_multitaper_spectra_have_their_errors() -> None:
    found = []
    for seed in range(24):
        current = langevin_oscillator(8000, 4.0, 420.0, 12.0, 1.0, seed)[1]
        spectrum = compute_spectrum(
            bare(current, 4.0),
            temperature_k=300.0,
            eps_inf=2.0,
            resolution_cm=15.0,
            estimator="multitaper",
            max_cm=1000.0,
            dc=False,
        )
        peak = max(spectrum.peaks, key=lambda one: one.height)
        found.append((peak.wavenumber_cm, peak.wavenumber_err_cm))
    positions, errors = np.array(found).T
    # the scatter of 24 is known to 15 %
    assert 0.5 < np.std(positions, ddof=1) / np.sqrt(np.mean(errors**2)) < 1.3


def test_a_line_beside_another_one_is_no_surer_than_alone() -> None:
    """The valley between them makes it narrower than the resolution, by which it looked infinitely sharp."""
    nu = np.arange(0.0, 800.0, 0.5)

    def smoothed(*lines: tuple[float, float]) -> NDArray[np.float64]:
        lorentz = sum(height / (1.0 + ((nu - at) / 1.5) ** 2) for at, height in lines)
        return np.asarray(gaussian_filter1d(lorentz, 15.0 / np.sqrt(8.0 * np.log(2.0)) / 0.5))

    alone, both = smoothed((342.0, 1.0)), smoothed((342.0, 1.0), (366.0, 1.2))
    (single,) = find_spectrum_peaks(nu, alone, 0.1 * alone, 15.0)
    lower, _ = find_spectrum_peaks(nu, both, 0.1 * both, 15.0)
    assert lower.width_cm < 15.0
    assert single.wavenumber_err_cm == pytest.approx(0.17, abs=0.03)
    assert 1.0 < lower.wavenumber_err_cm / single.wavenumber_err_cm < 3.0
