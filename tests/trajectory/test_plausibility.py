"""Exchanged atoms, rounded positions, velocities that are none."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bec_md.errors import BecMDWarning, DataError
from bec_md.structure import Frame
from bec_md.structure.extxyz import write_frames
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.plausibility import find_exchange, rounding_grid_ang, rounding_temperature_k
from tests.trajectory.motion import HarmonicMotion
from tests.trajectory.readers.motion import Motion
from tests.trajectory.truth import assert_helpful


def frames_of(m: Motion, *, velocities: bool = True, wrap: bool = False) -> list[Frame]:
    numbers, pbc = np.array([11, 11, 17, 17]), np.ones(3, dtype=bool)
    frames = []
    for k in range(m.n_frames):
        positions = m.positions[k]
        if wrap:
            scaled = positions @ np.linalg.inv(m.cell)
            positions = (scaled - np.floor(scaled)) @ m.cell
        v = m.velocities[k] if velocities else None
        frames.append(Frame(positions, m.cell, pbc, numbers, velocities_ang_fs=v, index=k))
    return frames


def test_an_exchange_is_found_where_it_happens(tmp_path: Path) -> None:
    """Two atoms of one element change rows for good, late in the run; crossing the cell is no exchange."""
    motion = Motion(n_frames=120)
    # The first atom oscillates about a corner.
    motion.positions = motion.positions - 0.05 * motion.cell.sum(axis=0)
    frames = frames_of(motion, velocities=False, wrap=True)
    assert all(find_exchange(a, b) is None for a, b in pairwise(frames))
    order = [1, 0, 2, 3]
    swapped = [f if f.index < 77 else replace(f, positions_ang=f.positions_ang[order]) for f in frames]
    write_frames(tmp_path / "t.xyz", swapped)
    trajectory = open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0)
    read = []
    with pytest.raises(DataError) as caught:
        read.extend(frame.index for frame in trajectory.frames())
    assert_helpful(caught.value, "frame 77", "atom 0", "atom 1", "Na", "sorted by their id")
    assert read == list(range(77))


def test_ions_that_follow_each_other_are_no_exchange() -> None:
    """Ions of a hot lattice have hopped where the next one was; rows in disorder are another matter."""
    rng = np.random.default_rng(5)
    sites = 3.0 * np.stack(np.meshgrid(*[np.arange(6.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    numbers, cell = np.full(len(sites), 3), 18.0 * np.eye(3)

    def frame(positions: NDArray[np.float64]) -> Frame:
        return Frame(
            positions + rng.normal(0.0, 0.2, positions.shape), cell, np.ones(3, bool), numbers, index=0
        )

    lines = sites.reshape(36, 6, 3)[::6]  # along z, which is periodic
    hopped = sites.copy().reshape(36, 6, 3)
    hopped[::6, :3] = lines[:, 1:4]  # three of six, the last of them into what is another's place still
    for _ in range(20):
        before = frame(sites)
        assert find_exchange(before, frame(hopped.reshape(-1, 3))) is None
        assert find_exchange(before, frame(rng.permutation(sites))) is not None
    still = Frame(sites, cell, np.ones(3, bool), numbers, index=0)
    swapped = sites.copy()
    swapped[[7, 8]] = sites[[8, 7]]
    assert find_exchange(still, Frame(swapped, cell, np.ones(3, bool), numbers, index=1)) is not None


def test_exchanges_in_every_frame_are_refused_on_opening(tmp_path: Path) -> None:
    frames = frames_of(Motion(), velocities=False)
    rows = [[0, 1, 3, 2] if f.index % 2 else [0, 1, 2, 3] for f in frames]
    swapped = [replace(f, positions_ang=f.positions_ang[row]) for f, row in zip(frames, rows, strict=True)]
    write_frames(tmp_path / "t.xyz", swapped)
    with pytest.raises(DataError) as caught:
        open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0)
    assert_helpful(caught.value, "frame 1", "Cl")


@pytest.mark.parametrize("grid", [0.1, 0.01, 0.001, None])
@pytest.mark.parametrize("single", [False, True])
def test_rounding_grid(grid: float | None, single: bool) -> None:
    positions = Motion().positions[:3].reshape(-1, 3)
    rounded = positions if grid is None else np.rint(positions / grid) * grid
    if single:  # as XTC and DCD hold them, in nm
        rounded = (rounded / 10).astype(np.float32).astype(np.float64) * 10
    assert rounding_grid_ang(rounded) == grid


def test_rounded_velocities_are_noise_of_a_temperature(tmp_path: Path) -> None:
    """Kinetic temperature of what rounding to 0.001 Å/fs adds, from two runs of the same positions."""
    motion = Motion()
    for digits, said in ((3, True), (6, False)):
        exact = motion.velocities.copy()
        motion.velocities = np.round(motion.velocities, digits)
        write_frames(tmp_path / "t.xyz", frames_of(motion))
        found = open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0).info.warnings
        added = motion.velocities - exact
        motion.velocities = exact
        assert any("velocities are rounded to 0.001 Å/fs" in text for text in found) == said, found
        if said:
            masses = np.array([22.99, 22.99, 35.45, 35.45])[:, None]
            kelvin = float((masses * added**2).sum(axis=(1, 2)).mean()) / 12.0 * 103.642696 / 8.617333e-5
            noise = float(found[-1].split("noise of ")[1].split(" K")[0])
            assert noise == pytest.approx(kelvin, rel=0.2)  # 60 frames of 12 roundings


def test_noise_of_rounding() -> None:
    """The temperature of differences of a rounded random walk without velocity is that of the formula."""
    random = np.random.default_rng(3)
    masses, grid, interval = np.full(500, 23.0), 0.01, 2.0
    # Steps of many grid spacings: the errors of both ends are independent.
    drift = np.cumsum(random.uniform(-0.05, 0.05, (2, 500, 3)), axis=0)
    steps = np.diff(np.rint(drift / grid) * grid - drift, axis=0)[0]
    # ⟨m v²⟩/k_B with k_B = 8.31446e-7 amu Å²/fs²/K; 1500 numbers give ± 4 %.
    measured = float((masses[:, None] * (steps / interval) ** 2).mean()) / 8.31446e-7
    assert rounding_temperature_k(grid, interval, masses) == pytest.approx(measured, rel=0.12)


def test_rounded_positions_are_named_with_a_remedy(tmp_path: Path) -> None:
    frames = [
        replace(f, positions_ang=np.rint(f.positions_ang * 100) / 100)
        for f in frames_of(Motion(), velocities=False)
    ]
    write_frames(tmp_path / "t.xyz", frames)
    warnings = open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0).info.warnings
    assert any("rounded to 0.01 Å" in w and "stored velocities" in w and "stride=" in w for w in warnings)
    write_frames(tmp_path / "t.xyz", frames_of(Motion(), velocities=False))
    assert not open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0).info.warnings


def test_velocities_and_positions_that_are_none(tmp_path: Path) -> None:
    frames = frames_of(Motion())
    path = tmp_path / "t.xyz"
    write_frames(path, [replace(f, velocities_ang_fs=np.zeros((4, 3))) for f in frames])
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "velocities are zero", "velocities=none")
    assert not open_trajectory(path, timestep_fs=1.0, velocities="none").info.has_velocities
    write_frames(path, [replace(f, positions_ang=frames[0].positions_ang) for f in frames])
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "positions stand still")


def test_a_run_behind_a_relaxation_is_read_from_its_first_frame(tmp_path: Path) -> None:
    from ase import Atoms, units

    frames, path = frames_of(Motion()), tmp_path / "t.xyz"
    rest = [replace(f, velocities_ang_fs=np.zeros((4, 3))) for f in frames[:5]]
    write_frames(path, [*rest, *frames])
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "velocities are zero in its first 5 frames", "start=5")
    write_frames(path, [replace(f, velocities_ang_fs=None) for f in frames[:5]])
    head = path.read_text()
    write_frames(path, frames)
    path.write_text(head + path.read_text())
    atoms = [Atoms(f.numbers, f.positions_ang, cell=f.cell_ang, pbc=True) for f in (*frames[:5], *frames)]
    for one, frame in zip(atoms[5:], frames, strict=True):
        one.set_velocities(frame.velocities_ang_fs / units.fs)
    for source in (path, atoms):
        for start in (5, -len(frames)):
            run = open_trajectory(source, timestep_fs=1.0, start=start)
            assert run.info.has_velocities, source
            assert "no velocities" not in run.info.units_note
        assert not open_trajectory(source, timestep_fs=1.0, stop=5).info.has_velocities


def test_impossible_cells_and_numbers(tmp_path: Path) -> None:
    frames = frames_of(Motion())
    for change, words in (
        ({"cell_ang": np.diag([1e20, 4.0, 4.0])}, ("cell", "1.e+20")),
        ({"positions_ang": np.full((4, 3), 1e300)}, ("position", "1e+300")),
    ):
        write_frames(tmp_path / "t.xyz", [replace(f, **change) for f in frames])
        with pytest.raises(DataError) as caught:
            open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0)
        assert_helpful(caught.value, *words)
    frames[7] = replace(frames[7], positions_ang=np.full((4, 3), 1e300))  # far from the first frames, too
    write_frames(tmp_path / "t.xyz", frames)
    with pytest.raises(DataError) as caught:
        list(open_trajectory(tmp_path / "t.xyz", timestep_fs=1.0).frames())
    assert_helpful(caught.value, "position", "1e+300")


@pytest.mark.parametrize(("decimals", "rounded"), [(2, True), (8, False)])
def test_more_frames_are_no_remedy_for_rounded_positions(
    tmp_path: Path, decimals: int, rounded: bool
) -> None:
    """Vibrations of 300 … 500 cm⁻¹ lie far below the Nyquist wavenumber: what is there is rounding."""
    import bec_md

    path = tmp_path / "a.xyz"
    path.write_text(HarmonicMotion(n_frames=400).extxyz(velocities=False, decimals=decimals))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BecMDWarning)
        current = bec_md.compute_current(path, charges="fixed:Na=1,Cl=-1", timestep_fs=1.0)
        spectrum = bec_md.compute_spectrum(current, temperature_k=330.0)
    (nyquist,) = [check for check in spectrum.quality.checks if check.name == "nyquist"]
    assert current.metadata["rounding_ang"] == (0.01 if rounded else None)
    assert (nyquist.status == "fail") == rounded
    assert ("rounded to 0.01 Å" in nyquist.advice) == rounded
    assert ("store frames more often" in nyquist.advice) != rounded
