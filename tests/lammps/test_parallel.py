"""Any number of MPI ranks gives the same tensors, currents and trajectories."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from tests.lammps.systems import no_forces, quartz, read_data, soft_forces

Run = Callable[..., subprocess.CompletedProcess[str]]


def read_dump(path: Path) -> NDArray[np.float64]:
    """Rows of the last frame of a dump whose first column is the atom ID."""
    frames = path.read_text().split("ITEM: ATOMS")[1:]
    return np.array([line.split() for line in frames[-1].splitlines()[1:] if line[:1].isdigit()], dtype=float)


def run(
    run_lmp: Run, tmp_path: Path, script: str, ranks: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Final dump and the last line printed by fix print."""
    script += (
        "run 0 post no\nwrite_dump all custom final.lammpstrj id f_bec[*] x y z vx vy vz modify sort id "
        "format float %.12g\n"
        'print "LAST $(f_bec[1]:%.12g) $(f_bec[2]:%.12g) $(f_bec[3]:%.12g) $(f_bec[4]:%.12g) '
        '$(f_bec[5]:%.12g) $(f_bec[6]:%.12g) $(f_bec:%.12g)"\n'
    )
    done = run_lmp(script, ranks)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    last = re.findall(r"^LAST (.*)$", done.stdout, re.MULTILINE)[-1]
    return read_dump(tmp_path / "final.lammpstrj"), np.array(last.split(), dtype=float)


@pytest.mark.parametrize("every", [1, 7])
def test_hot_atoms_that_migrate(run_lmp: Run, tmp_path: Path, models: dict[str, Path], every: int) -> None:
    # 4000 K: atoms change rank all the time within 39 steps of 2 fs; the held tensors must follow them
    script = read_data(quartz((3, 3, 1)), tmp_path / "in.data") + soft_forces()
    script += "velocity all create 4000 11 loop geom\ntimestep 0.002\nfix nve all nve\n"
    script += f"fix bec all bec {models['two_layers']} Si O H every {every} efield 0.1 0.0 -0.05\n"
    script += "neigh_modify every 1 delay 0 check yes\nrun 39\n"
    atoms, totals = run(run_lmp, tmp_path, script, 1)
    for ranks in (2, 4):
        other_atoms, other_totals = run(run_lmp, tmp_path, script, ranks)
        # float32 sums in another order push every atom a little differently, and a hot fluid amplifies it;
        # tensors are of order 3 e, positions 10 Å, velocities 20 Å/ps
        np.testing.assert_allclose(other_atoms[:, :13], atoms[:, :13], rtol=0, atol=3e-5)
        np.testing.assert_allclose(other_atoms[:, 13:], atoms[:, 13:], rtol=0, atol=3e-4)
        np.testing.assert_allclose(other_totals, totals, rtol=1e-5, atol=1e-5 * np.abs(totals).max())


def test_ranks_without_atoms(run_lmp: Run, tmp_path: Path, models: dict[str, Path]) -> None:
    """A drop in the corner of a large box: three of four ranks own nothing, some not even ghosts."""
    drop = quartz((1, 1, 1))
    atoms = Atoms(
        drop.numbers, positions=drop.positions - drop.positions.min(0) + 0.5, cell=[60.0] * 3, pbc=True
    )
    script = read_data(atoms, tmp_path / "in.data") + no_forces() + "velocity all create 300 3 loop geom\n"
    script += f"fix nve all nve\nfix bec all bec {models['two_layers']} Si O H\nrun 10\n"
    one = run(run_lmp, tmp_path, script, 1)
    four = run(run_lmp, tmp_path, script, 4)
    np.testing.assert_allclose(four[0], one[0], rtol=0, atol=1e-6)  # float32
    np.testing.assert_allclose(four[1], one[1], rtol=0, atol=1e-5)


def test_load_balancing(run_lmp: Run, tmp_path: Path, models: dict[str, Path]) -> None:
    """Sub-domains of any tiling (recursive bisection) exchange messages as bricks do."""
    script = (
        read_data(quartz((2, 2, 2)), tmp_path / "in.data")
        + no_forces()
        + "velocity all create 300 3 loop geom\n"
    )
    tail = f"fix bec all bec {models['three_layers']} Si O H\nrun 0\n"
    one = run(run_lmp, tmp_path, script + tail, 1)
    tiled = "comm_style tiled\nbalance 0.9 rcb\n"
    four = run(run_lmp, tmp_path, script + tiled + tail, 4)
    np.testing.assert_allclose(four[0], one[0], rtol=0, atol=2e-6)  # float32, three layers
    np.testing.assert_allclose(four[1], one[1], rtol=0, atol=1e-4)
