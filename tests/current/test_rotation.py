"""A molecule alone that does not turn has fewer degrees of freedom; what turns has all."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from scipy.spatial.transform import Rotation

import bec_md
from bec_md.ase import CurrentRecorder
from bec_md.current.rotation import count_rotations
from bec_md.errors import BecMDWarning
from bec_md.structure import Frame

WATER = np.array([[0.0, 0.0, 0.0], [0.8165, 0.5774, 0.0], [-0.8165, 0.5774, 0.0]])
LINE = np.array([[0.0, 0.0, -1.16], [0.0, 0.0, 0.0], [0.0, 0.0, 1.16]])
CELL = np.array([[9.0, 0.0, 0.0], [1.0, 8.0, 0.0], [-2.0, 1.0, 9.0]])


def frames_of(
    shape: np.ndarray,
    masses: np.ndarray,
    *,
    spin: float,
    drift: float = 0.0,
    count: int = 40,
    flat: bool = False,
) -> list[Frame]:
    """Random vibrations without angular momentum, turned by `spin` rad/fs and across the border."""
    random = np.random.default_rng(3)
    turn = Rotation.identity() if flat else Rotation.random(rng=random)
    places = turn.apply(shape - masses @ shape / masses.sum())
    weights = np.repeat(np.sqrt(masses), 3)
    rigid = [np.tile(axis, len(masses)) * weights for axis in np.eye(3)]
    rigid += [np.cross(axis, places).ravel() * weights for axis in np.eye(3)]
    basis, sizes, _ = np.linalg.svd(np.array(rigid).T)
    free = basis[:, int((sizes > 1e-8).sum()) :]
    omega, phase = random.uniform(0.3, 0.7, (2, free.shape[1]))
    frames = []
    for time in 0.5 * np.arange(count):
        modes = 0.01 * np.array([np.cos(omega * time + phase) / omega, -np.sin(omega * time + phase)])
        moved, velocities = (modes @ free.T / weights).reshape(2, -1, 3)
        velocities = velocities + drift + np.cross(turn.apply([spin, 0.0, 0.0]), places)
        if flat:  # to all digits
            moved[:, 2] = velocities[:, 2] = 0.0
        scaled = (places + moved + drift * time) @ np.linalg.inv(CELL)
        frames.append(
            Frame(
                (scaled - np.floor(scaled)) @ CELL, CELL, np.ones(3, dtype=bool),
                np.array([8, 1, 1]), masses, velocities,
            )
        )  # fmt: skip
    return frames


@pytest.mark.parametrize(("shape", "axes"), [(WATER, 3), (LINE, 2), (LINE[:2], 2)])
def test_a_molecule_without_angular_momentum_has_no_rotations(shape: np.ndarray, axes: int) -> None:
    masses = np.array([16.0, 1.0, 1.0])[: len(shape)]
    frames = frames_of(shape, masses, spin=0.0, drift=0.02)
    assert count_rotations(frames[:24], iter(frames[24:])) == axes
    turning = frames_of(shape, masses, spin=0.004)
    assert count_rotations(turning[:24], iter(turning[24:])) == 0
    assert count_rotations(frames[:24], iter(turning[24:])) == 0  # set turning by a thermostat
    assert count_rotations(frames[:24], iter(())) == axes  # no longer run


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_the_temperature_of_such_a_molecule(stored: bool, flat: bool) -> None:
    masses = np.array([16.0, 1.0, 1.0])
    atoms, energies = [], []
    for frame in frames_of(WATER, masses, spin=0.0, flat=flat):
        one = Atoms("OHH", frame.positions_ang, cell=CELL, pbc=True, masses=masses)
        one.set_velocities(frame.velocities_ang_fs / units.fs)
        energies.append(one.get_kinetic_energy())
        if not stored:
            del one.arrays["momenta"]
        atoms.append(one)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BecMDWarning)  # differences of positions
        current = bec_md.compute_current(atoms, charges="fixed:O=-0.8,H=0.4", timestep_fs=0.5)
    assert current.metadata["constraints"] == 3
    assert "do not turn" in " ".join(current.metadata["remarks"])
    kelvin = current.kinetic_temperature(3)
    assert kelvin is not None
    assert kelvin[0] == pytest.approx(2.0 * np.mean(energies) / (3 * units.kB), rel=1e-4 if stored else 0.03)


def test_ions_of_a_crystal_that_move_from_symmetric_places() -> None:
    crystal = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    sign = np.where(crystal.symbols == "Na", 1.0, -1.0)[:, None] / crystal.get_masses()[:, None]
    frames = []
    for index in range(60):
        along = sign * [1.0, 0.7, 0.5]
        frames.append(
            Frame(
                crystal.positions + along * np.cos(0.1 * index),
                crystal.cell.array,
                crystal.pbc,
                crystal.numbers,
                crystal.get_masses(),
                -0.1 * along * np.sin(0.1 * index),
            )
        )
    assert count_rotations(frames[:24], iter(frames[40:])) == 0


def test_a_molecule_in_a_running_dynamics(tmp_path: Path) -> None:
    molecule = Atoms("CO", [[4.9, 5.0, 5.1], [5.4, 5.9, 5.7]], cell=[10.0, 10.0, 10.0], pbc=True)
    molecule.calc = EMT()
    along = np.outer([1.0, -1.0], molecule.positions[1] - molecule.positions[0])
    molecule.set_momenta(2.0 * along)
    dynamics = VelocityVerlet(molecule, 0.5 * units.fs)
    with CurrentRecorder(dynamics, tmp_path / "j.h5", charges="fixed:C=0.2,O=-0.2") as recorder:
        dynamics.run(280)
    current = recorder.close()
    assert current is not None
    assert current.metadata["constraints"] == 2
