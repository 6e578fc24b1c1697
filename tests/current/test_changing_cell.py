"""The current under a changing cell is that of the atoms, not of the box: barostats, shear and flips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.current import compute_current
from bec_md.errors import DataError
from bec_md.spectrum import compute_spectrum
from tests.trajectory.motion import HarmonicMotion
from tests.trajectory.truth import assert_helpful

pytestmark = pytest.mark.filterwarnings("ignore:.*has no velocities:bec_md.errors.BecMDWarning")

CHARGES = "fixed:Na=1,Cl=-1"
OPTIONS = {"lammps_units": "real", "timestep_fs": 1.0, "elements": ["Na", "Cl"], "charges": CHARGES}
COLUMNS = ["x y z", "x y z ix iy iz", "xu yu zu"]


def exact(motion: HarmonicMotion, cells: np.ndarray) -> np.ndarray:
    """Σ q Δs·Ā/Δt with the fractional coordinates of the motion, e Å/fs."""
    charges = np.where(np.arange(motion.n_atoms) % 2, -1.0, 1.0)
    scaled = np.diff(motion.positions @ np.linalg.inv(motion.cell), axis=0)
    return np.einsum("i,kis,ksx->kx", charges, scaled, 0.5 * (cells[1:] + cells[:-1]))


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("rate", [0.0, -0.0012])
def test_a_barostat_is_no_current(tmp_path: Path, columns: str, rate: float) -> None:
    """The box breathes, or shrinks by 7 % in a picosecond; atoms far away in image flags move with it."""
    motion = HarmonicMotion()
    time = np.arange(motion.n_frames)
    lengths = 9.0 * (1.0 + 0.004 * np.sin(0.1 * time) + rate * time / 17.0)
    images = np.random.default_rng(2).integers(-40, 40, (4, 3))
    path = tmp_path / "npt.lammpstrj"
    path.write_text(motion.lammps(columns, lengths=lengths, images=images))
    found = compute_current(path, **OPTIONS)
    expected = exact(motion, lengths[:, None, None] * np.eye(3))
    # ten digits of positions up to 370 Å, four atoms
    np.testing.assert_allclose(found.total("none"), expected, atol=2e-6)
    # with velocities of the same frames the spectrum is the same
    path.write_text(motion.lammps(f"{columns} vx vy vz", lengths=lengths, images=images))
    other = compute_current(path, **OPTIONS)
    spectra = [compute_spectrum(one, temperature_k=330.0, resolution_cm=300.0) for one in (found, other)]
    peak = max(float(one.n_alpha.max()) for one in spectra)
    # the midpoint rule interpolates between frames that lie 1 fs apart, and one sample in sixty is missing
    np.testing.assert_allclose(spectra[0].n_alpha[:30], spectra[1].n_alpha[:30], atol=0.03 * peak)


@pytest.mark.parametrize("columns", COLUMNS)
def test_a_flipped_box_is_no_motion(tmp_path: Path, columns: str) -> None:
    """A sheared box is put back by a lattice vector in the middle of the run, as `fix npt` does."""
    motion = HarmonicMotion()
    shear = 4.0 + 0.05 * np.arange(motion.n_frames)
    cells = np.array([[[9.0, 0, 0], [xy, 9.0, 0], [0, 0, 9.0]] for xy in shear])
    lines = []
    for k in range(motion.n_frames):
        xy = shear[k] - 9.0 if shear[k] > 5.5 else shear[k]
        cell = np.array([[9.0, 0, 0], [xy, 9.0, 0], [0, 0, 9.0]])
        unwrapped = motion.positions[k] / 9.0 @ cells[k]
        scaled = unwrapped @ np.linalg.inv(cell)
        images = np.floor(scaled)
        low, high = min(0.0, xy), 9.0 + max(0.0, xy)
        lines += [f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n4\nITEM: BOX BOUNDS xy xz yz pp pp pp"]
        lines += [f"{low:.10f} {high:.10f} {xy:.10f}\n0 9 0\n0 9 0\nITEM: ATOMS id type {columns}"]
        values = {
            **dict(zip("xyz", ((scaled - images) @ cell).T, strict=True)),
            **dict(zip(("xu", "yu", "zu"), unwrapped.T, strict=True)),
            **dict(zip(("ix", "iy", "iz"), images.T, strict=True)),
        }
        for atom in range(4):
            row = " ".join(f"{values[name][atom]:.10g}" for name in columns.split())
            lines.append(f"{atom + 1} {1 + atom % 2} {row}")
    path = tmp_path / "sheared.lammpstrj"
    path.write_text("\n".join(lines) + "\n")
    found = compute_current(path, **OPTIONS)
    np.testing.assert_allclose(found.total("none"), exact(motion, cells), atol=2e-7)
    # neither the mean cell nor the mean structure know of the flip
    np.testing.assert_allclose(found.cell_ang, cells.mean(axis=0), atol=0.03)
    assert found.metadata["mean_structure"]["spread"] < 0.3


def test_a_side_that_follows_the_outermost_atoms_is_no_motion(tmp_path: Path) -> None:
    """`boundary p p s` of LAMMPS: the box of a slab has other bounds in every frame."""
    motion, lines = HarmonicMotion(), []
    for k, places in enumerate(motion.positions):
        low, high = places[:, 2].min() - 1e-3, places[:, 2].max() + 1e-3
        lines += [f"ITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n4\nITEM: BOX BOUNDS pp pp ss\n0 9\n0 9"]
        lines += [f"{low:.10f} {high:.10f}\nITEM: ATOMS id type x y z"]
        lines += [f"{i + 1} {1 + i % 2} {x:.10f} {y:.10f} {z:.10f}" for i, (x, y, z) in enumerate(places)]
    path = tmp_path / "slab.lammpstrj"
    path.write_text("\n".join(lines) + "\n")
    found = compute_current(path, **OPTIONS)
    expected = exact(motion, np.tile(motion.cell, (motion.n_frames, 1, 1)))
    np.testing.assert_allclose(found.total("none"), expected, atol=1e-8)


def test_a_trajectory_that_was_continued_at_another_interval_is_refused(tmp_path: Path) -> None:
    """ASE appends to a file whose description tells the interval of the first run."""
    from ase import Atoms, units
    from ase.io.trajectory import Trajectory

    motion = HarmonicMotion()
    path = tmp_path / "run.traj"
    for mode, numbers in (("w", range(30)), ("a", range(32, 60, 3))):
        with Trajectory(path, mode) as file:
            for k in numbers:
                atoms = Atoms(motion.symbols, motion.positions[k], cell=motion.cell, pbc=True)
                atoms.set_masses(motion.masses)
                atoms.set_velocities(motion.velocities[k] / units.fs)
                file.write(atoms)
    with pytest.raises(DataError) as caught:
        compute_current(path, charges=CHARGES, timestep_fs=1.0)
    assert_helpful(caught.value, "frame 30", "3 times as far")
