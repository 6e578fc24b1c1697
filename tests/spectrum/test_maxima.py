"""Maxima, prominences and widths are those of scipy.signal, which takes half a second to import."""

from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks, peak_widths

from bec_md.spectrum.analysis.maxima import find_maxima


def test_maxima_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        n, width = int(rng.integers(5, 400)), int(rng.integers(1, 8))
        values = np.convolve(rng.normal(size=n + 20), np.ones(width), "same")[:n]
        distance, prominence = float(rng.choice([1.0, 2.5, 7.3])), float(rng.choice([0.01, 0.5, 2.0]))
        index, found = find_peaks(values, prominence=prominence, distance=distance)
        bases = (found["prominences"], found["left_bases"], found["right_bases"])
        ours = find_maxima(values, prominence, distance)
        np.testing.assert_array_equal(ours.index, index)
        np.testing.assert_allclose(ours.prominence, found["prominences"])
        np.testing.assert_allclose(ours.width, peak_widths(values, index, 0.5, prominence_data=bases)[0])


def test_flat_tops_and_monotonic_curves() -> None:
    found = find_maxima(np.array([0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 0.0]), 0.1)
    assert found.index.tolist() == [3]
    assert found.prominence.tolist() == [2.0]
    assert find_maxima(np.arange(10.0), 0.1).index.size == 0
    assert find_maxima(np.ones(10), 0.1).index.size == 0
