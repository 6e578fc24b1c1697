"""Of all ways to place a crystal in a supercell, the one whose sites the atoms lie on."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from bec_md.charges.mapping import SiteMap, map_supercell

from .crystals import quartz, site_tensors, tetragonal_perovskite

#: Rotations that take z to another axis.
AXES = {
    "x": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "y": np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    "-x": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "-z": np.diag([1.0, -1.0, -1.0]),
}


def mapped(reference: Atoms, atoms: Atoms) -> SiteMap | None:
    parts = [
        part
        for item in (reference, atoms)
        for part in (np.array(item.cell), item.positions, item.numbers.astype(np.int64))
    ]
    return map_supercell(*parts)


def turned(atoms: Atoms, rotation: np.ndarray) -> Atoms:
    """The crystal turned, in a cell whose vectors lie along x, y and z again."""
    cell = np.abs(np.array(atoms.cell) @ rotation.T)
    other = Atoms(atoms.numbers, positions=atoms.positions @ rotation.T, cell=cell.sum(axis=0), pbc=True)
    other.wrap()
    return other


def heated(atoms: Atoms, amplitude_ang: float, seed: int = 0) -> Atoms:
    hot = atoms.copy()
    hot.positions += np.random.default_rng(seed).normal(scale=amplitude_ang, size=hot.positions.shape)
    return hot


@pytest.mark.parametrize("ratio", [1.01, 1.06])
@pytest.mark.parametrize("amplitude_ang", [0.0, 0.04])
@pytest.mark.parametrize("rotation", AXES.values(), ids=AXES)
def test_a_polar_crystal_is_found_along_its_own_axis(
    rotation: np.ndarray, amplitude_ang: float, ratio: float
) -> None:
    reference = tetragonal_perovskite()
    reference.set_cell([3.99, 3.99, 3.99 * ratio], scale_atoms=True)
    tensors = site_tensors(reference)
    atoms = turned(reference, rotation)
    atoms = heated(atoms.repeat((3, 3, 3)), amplitude_ang) if amplitude_ang else atoms
    found = mapped(reference, atoms)
    assert found is not None
    # thermal motion of each component, and what the mean over few atoms leaves of it
    assert found.rms_distance_ang < 1e-6 + 2.0 * amplitude_ang
    result = found.rotation @ tensors[found.atoms] @ found.rotation.T
    copies = len(atoms) // 5
    np.testing.assert_allclose(result, np.tile(rotation @ tensors @ rotation.T, (copies, 1, 1)), atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_hot_phase_of_higher_symmetry_keeps_the_axes_of_the_reference(seed: int) -> None:
    reference = tetragonal_perovskite()
    cubic = Atoms(
        reference.numbers,
        scaled_positions=np.round(2.0 * reference.get_scaled_positions(wrap=False)) / 2.0,
        cell=[4.01] * 3,
        pbc=True,
    )
    found = mapped(reference, heated(cubic.repeat((3, 3, 3)), 0.12, seed))
    assert found is not None
    np.testing.assert_allclose(found.rotation, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_warm_polar_crystal_in_any_axes_is_found_along_its_own(seed: int) -> None:
    reference = tetragonal_perovskite()
    tensors = site_tensors(reference)
    rotation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    warm = heated(reference.repeat((2, 2, 1)), 0.05, seed)
    cell = np.array(warm.cell) @ rotation.T
    atoms = Atoms(warm.numbers, positions=warm.positions @ rotation.T, cell=cell, pbc=True)
    found = mapped(reference, atoms)
    assert found is not None
    result = found.rotation @ tensors[found.atoms] @ found.rotation.T
    np.testing.assert_allclose(result, np.tile(rotation @ tensors @ rotation.T, (4, 1, 1)), atol=1e-9)


def test_the_mirror_image_of_a_chiral_crystal_gets_mirrored_tensors() -> None:
    reference, mirror = quartz(), np.diag([1.0, 1.0, -1.0])
    tensors = site_tensors(reference)
    left = Atoms(reference.numbers, positions=reference.positions @ mirror, cell=reference.cell, pbc=True)
    left.wrap()
    found = mapped(reference, left)
    assert found is not None
    assert found.max_distance_ang < 1e-6
    assert np.linalg.det(found.rotation) == pytest.approx(-1.0)
    assert "inverted" in found.describe()
    result = found.rotation @ tensors[found.atoms] @ found.rotation.T
    np.testing.assert_allclose(result, mirror @ tensors @ mirror, atol=1e-9)


@pytest.mark.parametrize(("apart_ang", "fits"), [(0.6, True), (1.6, False)])
def test_atoms_far_from_all_sites_do_not_match(apart_ang: float, fits: bool) -> None:
    """Sublattices of rock salt moved apart: half of it is the distance to the sites, 2.97 Å the next ones."""
    face_centered = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    places = np.vstack([face_centered, face_centered + np.array([0.5, 0, 0])])
    salt = Atoms("Mg4O4", scaled_positions=places, cell=[4.2] * 3, pbc=True)
    atoms = salt.repeat((2, 2, 2))
    atoms.positions[atoms.numbers == 8] += [0.0, 0.0, apart_ang]
    found = mapped(salt, atoms)
    assert (found is not None) == fits
    if found is not None:
        assert found.rms_distance_ang == pytest.approx(apart_ang / 2.0, abs=1e-6)
