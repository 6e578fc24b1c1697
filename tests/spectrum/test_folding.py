"""Errors of static numbers where random forces between samples fold power onto ω = 0."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.spectrum import compute_spectrum
from tests.spectrum.exact import bare, langevin_oscillator


def test_a_walk_by_folding_that_is_taken_off_is_known_to_a_tenth() -> None:
    """Means of twelve times five runs of 20 ps, a tenth of ⟨δM²⟩ of folded power: scatter known to 21 %."""
    values, errors = [], []
    for seed in range(12):
        v = langevin_oscillator(5000, 4.0, 300.0, 30.0, 16.0, seed, (5, 3))[1]
        series = [bare(run, 4.0, 1000.0) for run in np.moveaxis(v, 1, 0)]
        found = compute_spectrum(series, temperature_k=300.0, resolution_cm=20.0, max_cm=700.0)
        values.append(float(np.trace(found.static["fluctuation"])) / 3.0)
        errors.append(found.static_average_err("fluctuation"))
    assert np.mean(errors) / np.std(values, ddof=1) == pytest.approx(1.0, abs=0.35)
