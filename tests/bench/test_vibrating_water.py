"""The trajectory of the end-to-end benchmark is one: readable, at its temperature, moving as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.trajectory import open_trajectory
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K
from tests.benchmarks.vibrating_water import TEMPERATURE_K, TIMESTEP_FS, write


@pytest.mark.parametrize("suffix", [".npz", ".xyz"])
def test_positions_and_velocities_belong_together(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"water{suffix}"
    write(path, 192, 60)
    trajectory = open_trajectory(path)
    frames = list(trajectory.frames())
    assert trajectory.info.timestep_fs == pytest.approx(TIMESTEP_FS)
    moved = frames[21].positions_ang - frames[19].positions_ang
    speed = frames[20].velocities_ang_fs
    assert speed is not None
    # central difference of 1 fs at 3400 cm⁻¹: 1 − (ωΔ)²/6 = 0.93; positions of the npz are rounded to 1e-3 Å
    assert np.abs(moved / (2 * TIMESTEP_FS) - speed).max() < 0.08 * np.abs(speed).max() + 1e-3
    molecules = np.array([frame.positions_ang for frame in frames]).reshape(-1, 3, 3)
    bonds = np.linalg.norm(molecules[:, 1:] - molecules[:, :1], axis=-1)
    assert bonds.min() > 0.5  # below, the program takes an atom for a shell
    energy = [AMU_ANG2_FS2_EV * (f.masses_amu[:, None] * f.velocities_ang_fs**2).sum() / 2 for f in frames]
    temperature = 2 * np.mean(energy) / (3 * 192 * BOLTZMANN_EV_K)
    # independent phases: 576 oscillators over a fraction of the slow periods, a few percent
    assert temperature == pytest.approx(TEMPERATURE_K, rel=0.1)
