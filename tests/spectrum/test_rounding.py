"""A current that is stored with few digits: its dipole walks by rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.current import open_current
from bec_md.spectrum import compute_spectrum
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.statics import rounding_walk
from tests.spectrum.exact import omega_fs


def test_the_walk_of_a_current_that_is_rounded_is_taken_off(tmp_path: Path) -> None:
    """Two digits behind the point of J in e Å/fs, as a log of LAMMPS in `real` may have."""
    rng, frames, grid = np.random.default_rng(2), 20_000, 0.01
    tones, phases = omega_fs(rng.uniform(350.0, 450.0, (8, 3))), rng.uniform(0.0, 2.0 * np.pi, (8, 3))
    exact = 0.02 * np.cos(4.0 * np.arange(frames)[:, None, None] * tones + phases).sum(axis=1)
    means = []
    for name, values in (("exact", exact), ("rounded", np.rint(exact / grid) * grid)):
        path, rounded = tmp_path / f"{name}.dat", name == "rounded"
        np.savetxt(path, values, fmt="%.8g")
        series = open_current(path, units="e*ang/fs", timestep_fs=4.0, volume_ang3=500.0, temperature_k=300.0)
        assert series.metadata["current_rounding_e_ang_fs"] == (pytest.approx(grid) if rounded else None)
        assert any("is rounded to 0.01" in text for text in series.metadata["warnings"]) == rounded
        walk = rounding_walk(open_blocks((series,), "none"))
        by_hand = frames * 4.0 / 6.0 * grid**2 / 12.0 * 4.0 if rounded else 0.0
        np.testing.assert_allclose(walk, by_hand * np.eye(3), rtol=1e-6, atol=1e-12)
        found = compute_spectrum(series, resolution_cm=40.0, max_cm=1000.0)
        assert (found.parameters["static_source"] == "kramers_kronig") == rounded
        means.append(np.trace(found.static[str(found.parameters["static_source"])]) / 3.0)
    assert means[1] == pytest.approx(means[0], rel=0.02)
