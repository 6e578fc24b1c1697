"""The benchmark's structures are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.bench.structures import (
    QUARTZ_REPLICAS,
    SYSTEMS,
    WATER_CONTACT_ANG,
    WATER_DENSITY_G_CM3,
    WATER_HOH_DEG,
    WATER_OH_ANG,
    quartz,
    random_rotation,
    water,
)


def test_quartz_is_a_network_of_tetrahedra() -> None:
    atoms = quartz(72, rattle_ang=0.0)
    silicon = np.flatnonzero(atoms.numbers == 14)
    oxygen = np.flatnonzero(atoms.numbers == 8)
    lengths = atoms.get_all_distances(mic=True)[np.ix_(silicon, oxygen)]
    bonded = lengths < 2.0
    assert (bonded.sum(axis=1) == 4).all()
    assert (bonded.sum(axis=0) == 2).all()
    # Levien et al. 1980: 1.605 and 1.614 Å; their rounded coordinates allow 0.003 Å
    assert np.sort(lengths[bonded])[[0, -1]] == pytest.approx([1.605, 1.614], abs=0.003)


@pytest.mark.parametrize("n_atoms", QUARTZ_REPLICAS)
def test_quartz_has_its_density_at_every_size(n_atoms: int) -> None:
    atoms = quartz(n_atoms)
    assert len(atoms) == n_atoms
    # 2.646 g/cm³ from the published cell; rounded masses
    assert atoms.get_masses().sum() / atoms.get_volume() / 0.602214 == pytest.approx(2.646, abs=0.005)


def test_water_molecules_are_rigid_apart_and_as_dense_as_the_liquid() -> None:
    atoms = water(192)
    positions = atoms.positions.reshape(-1, 3, 3)
    bonds = positions[:, 1:] - positions[:, :1]
    assert np.linalg.norm(bonds, axis=2) == pytest.approx(np.full((64, 2), WATER_OH_ANG), abs=1e-9)
    cosine = np.einsum("na,na->n", bonds[:, 0], bonds[:, 1]) / WATER_OH_ANG**2
    assert np.degrees(np.arccos(cosine)) == pytest.approx(np.full(64, WATER_HOH_DEG), abs=1e-6)
    density = atoms.get_masses().sum() / atoms.get_volume() / 0.602214
    assert density == pytest.approx(WATER_DENSITY_G_CM3, rel=1e-3)
    lengths = atoms.get_all_distances(mic=True)
    molecule = np.arange(192) // 3
    assert lengths[molecule[:, None] != molecule].min() > WATER_CONTACT_ANG


@pytest.mark.parametrize("name", SYSTEMS)
def test_frames_differ_from_each_other_but_not_from_run_to_run(name: str) -> None:
    system = SYSTEMS[name][0]
    first, second = system.frames(2)
    (again,) = system.frames(1)
    assert np.array_equal(first.positions, again.positions)
    assert np.abs(first.positions - second.positions).max() > 0.05


def test_random_rotations_are_rotations() -> None:
    rotation = random_rotation(np.random.default_rng(3))
    # products of unit numbers in float64
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0, abs=1e-12)
