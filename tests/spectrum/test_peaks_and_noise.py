"""Maxima of noise stay out of the list of peaks; a line over nothing is in it, however noisy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from bec_md.spectrum.analysis.peak import find_spectrum_peaks

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
