"""Limits, units and marks of axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bec_md.plot.frequency import wavelength_marks
from bec_md.plot.limits import value_limits, visible_range_cm
from bec_md.plot.ordinate import power_of_thousand
from bec_md.spectrum import Spectrum
from bec_md.spectrum.analysis.bands import band_frequencies


def test_bands_fill_the_panel(spectrum: Spectrum) -> None:
    low, high = visible_range_cm(spectrum)
    beyond = spectrum.n_alpha[spectrum.wavenumber_cm > high]
    assert low == 0.0
    assert beyond.size
    assert beyond.max() < 0.01 * spectrum.n_alpha.max()


def test_the_range_ends_a_tenth_above_the_highest_longitudinal_mode(spectrum: Spectrum) -> None:
    highest = max(lo for axis in "xyz" for lo in band_frequencies(spectrum, axis).lo_cm)
    end = visible_range_cm(spectrum)[1]
    assert 1.1 * highest <= end <= 1.1 * highest + 50.0  # rounded up
    strong = replace(spectrum, sigma=3.0 * spectrum.sigma)
    assert visible_range_cm(strong)[1] > end
    assert visible_range_cm(replace(spectrum, eps_inf=None))[1] != end


def test_range_ends_with_the_data(spectrum: Spectrum) -> None:
    flat = replace(spectrum, sigma=np.ones_like(spectrum.sigma))
    assert visible_range_cm(flat)[1] == spectrum.wavenumber_cm[-1]


def test_floor_is_the_limit_unless_something_lies_below() -> None:
    x, y = np.arange(5.0), np.array([0.0, 1.0, 2.0, 1.0, 9.0])
    assert value_limits(x, [y], (0.0, 3.0), floor=0.0) == pytest.approx((0.0, 2.12))
    assert value_limits(x, [y - 1.0], (0.0, 3.0), floor=0.0)[0] < -1.0
    assert value_limits(x, [np.full(5, np.nan)], (0.0, 3.0)) == (0.0, 1.0)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1600.0), (0.0, 4000.0), (300.0, 500.0), (10.0, 90.0)])
def test_wavelength_marks_are_round_and_apart(low: float, high: float) -> None:
    marks = wavelength_marks(low, high)
    places = (1e4 / marks - low) / (high - low)
    assert 1 <= len(marks) <= 12
    assert np.all((places >= 0.0) & (places <= 1.0))
    assert np.all(np.diff(places) >= 0.08)


@pytest.mark.parametrize(
    ("largest", "power"), [(0.0, 0), (0.5, 0), (9999.0, 0), (1e4, 3), (4.7e5, 3), (2e6, 6), (3e-5, -6)]
)
def test_power_of_thousand(largest: float, power: int) -> None:
    assert power_of_thousand(largest) == power
