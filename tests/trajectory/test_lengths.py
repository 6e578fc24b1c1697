"""Lengths in other units are seen by how closely atoms are packed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.errors import DataError
from bec_md.trajectory import open_trajectory
from tests.trajectory.motion import HarmonicMotion
from tests.trajectory.truth import assert_helpful

BOHR = 0.529177210903
CRYSTALS = {
    "quartz": Atoms(
        "Si3O6",
        scaled_positions=[
            [0.4697, 0, 2 / 3], [0, 0.4697, 1 / 3], [0.5303, 0.5303, 0], [0.4135, 0.2669, 0.7858],
            [0.7331, 0.1466, 0.4525], [0.8534, 0.5865, 0.1191], [0.2669, 0.4135, 0.2142],
            [0.1466, 0.7331, 0.5475], [0.5865, 0.8534, 0.8809],
        ],
        cell=[4.9134, 4.9134, 5.4052, 90, 90, 120], pbc=True,
    ),
    "NaCl": bulk("NaCl", "rocksalt", 5.64).repeat(2), "CsCl": bulk("CsCl", "cesiumchloride", 4.12).repeat(2),
    "MgO": bulk("MgO", "rocksalt", 4.21).repeat(2), "Li": bulk("Li").repeat(2), "W": bulk("W").repeat(2),
    "Au": bulk("Au").repeat(2), "Si": bulk("Si").repeat(2), "K": bulk("K").repeat(2),
}  # fmt: skip


def scaled(atoms: Atoms, factor: float) -> Atoms:
    return Atoms(atoms.symbols, factor * atoms.positions, cell=factor * atoms.cell, pbc=True)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CRYSTALS)),
    hot=st.floats(0.0, 0.08),
    strain=st.floats(-0.04, 0.04),
    seed=st.integers(0, 10**6),
)
def test_crystals_in_angstrom_say_nothing_and_in_bohr_something(
    name: str, hot: float, strain: float, seed: int
) -> None:
    atoms = CRYSTALS[name].copy()
    atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
    atoms.rattle(hot, seed=seed)
    assert not open_trajectory(atoms, time_series=False).info.warnings
    (warning,) = open_trajectory(scaled(atoms, 1 / BOHR), time_series=False).info.warnings
    assert "look like bohr, read as Å" in warning
    (warning,) = open_trajectory(scaled(atoms, BOHR), time_series=False).info.warnings
    assert "look like Å, read as bohr" in warning


def test_a_molecule_in_a_box_an_argon_crystal_and_single_ions_are_left_alone() -> None:
    benzene = molecule("C6H6", vacuum=6.0, pbc=True)
    argon = bulk("Ar", "fcc", 5.26).repeat(3)
    random = np.random.default_rng(1)
    plasma = Atoms("NaCl" * 32, random.uniform(0, 30, (64, 3)), cell=[30, 30, 30], pbc=True)
    for atoms in (benzene, argon, plasma):
        assert not open_trajectory(atoms, time_series=False).info.warnings


def test_a_dump_in_real_units_read_as_electron_is_seen(write: Callable[..., Path]) -> None:
    """The two units of time differ by 3 % in these styles, too little for the clock."""
    crystal, motion = bulk("NaCl", "rocksalt", 5.64, cubic=True).repeat(2), HarmonicMotion(n_atoms=64)
    motion.cell = np.asarray(crystal.cell)
    motion.positions += crystal.positions - motion.positions.mean(axis=0)
    path = write(motion.lammps("x y z vx vy vz"), "run.lammpstrj")
    for units, words in (("real", ()), ("electron", ("look like Å, read as bohr",))):
        found = open_trajectory(path, lammps_units=units, elements=["Na", "Cl"], timestep_fs=1.0)
        assert len(list(found.frames())) == 60
        assert [word for word in words if any(word in said for said in found.info.warnings)] == [*words]
        assert bool(found.info.warnings) == bool(words)


@pytest.mark.parametrize("name", ["quartz", "NaCl", "W"])
def test_nanometers_are_refused(name: str) -> None:
    with pytest.raises(DataError) as caught:
        open_trajectory(scaled(CRYSTALS[name], 0.1), time_series=False)
    assert_helpful(caught.value, "covalent radii", "nm")
