from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell

from bec_md.charges.symmetry import expand_tensors, orbits, site_change, symmetry_operations
from bec_md.errors import DataError

from .crystals import quartz, site_tensors, tetragonal_perovskite


def operations_of(atoms: Atoms) -> list:
    return symmetry_operations(np.array(atoms.cell), atoms.positions, atoms.numbers.astype(np.int64))


@pytest.mark.parametrize(
    ("atoms", "order", "independent"),
    [
        (quartz(), 6, 2),
        (tetragonal_perovskite(), 8, 4),
        (bulk("MgO", "rocksalt", a=4.2), 48, 2),
        (bulk("MgO", "rocksalt", a=4.2, cubic=True), 192, 2),
        (bulk("ZnS", "zincblende", a=5.4), 24, 2),
    ],
)
def test_orders_of_known_space_groups(atoms: Atoms, order: int, independent: int) -> None:
    operations = operations_of(atoms)
    assert len(operations) == order
    assert len(np.unique(orbits(operations, len(atoms)))) == independent
    for operation in operations:
        assert np.allclose(operation.rotation @ operation.rotation.T, np.eye(3), atol=1e-10)


@pytest.mark.parametrize("primitive", [quartz(), bulk("MgO", "rocksalt", a=4.2)])
def test_a_skewed_cell_has_the_same_operations(primitive: Atoms) -> None:
    """The same lattice by other vectors, with entries beyond −1, 0, 1 in the integer rotations."""
    skewed = primitive.copy()
    skewed.set_cell(
        np.array([[1, 0, 0], [3, 1, 0], [-2, 4, 1]]) @ np.array(primitive.cell), scale_atoms=False
    )
    plain, other = operations_of(primitive), operations_of(skewed)
    assert len(plain) == len(other)
    for operation in plain:
        assert min(np.abs(operation.rotation - o.rotation).max() for o in other) < 1e-9
    for operation in other:
        assert sorted(operation.image.tolist()) == list(range(len(skewed)))


@pytest.mark.parametrize("old", [True, False])
def test_atoms_on_top_of_each_other_have_no_symmetry(old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both ways in which spglib tells errors: phonopy changes it for the whole process."""
    error = pytest.importorskip("spglib.error")
    monkeypatch.setattr(error, "OLD_ERROR_HANDLING", old)
    with pytest.raises(DataError, match="no symmetry"):
        operations_of(Atoms("OO", positions=[[0, 0, 0], [0, 0, 0]], cell=[3, 3, 3], pbc=True))


def test_expansion_gives_back_all_tensors_from_one_per_orbit() -> None:
    atoms = quartz()
    tensors = site_tensors(atoms)
    operations = operations_of(atoms)
    first = np.unique(orbits(operations, len(atoms)))
    found = expand_tensors(operations, {int(i): tensors[i] for i in first}, len(atoms))
    assert np.allclose(found, tensors, atol=1e-12)
    assert max(site_change(operations, atom, tensors[atom]) for atom in range(len(atoms))) < 1e-12
    # silicon sits on a twofold axis: 5 numbers; oxygen is general: the antisymmetric part survives
    assert np.abs(tensors[3] - tensors[3].T).max() > 0.1


def test_operations_of_a_skewed_supercell_take_atoms_onto_atoms() -> None:
    """Found by a tree, in time that grows with the atoms and not with their square."""
    atoms = make_supercell(bulk("ZnO", "wurtzite", a=3.25, c=5.2), [[1, 1, 0], [-1, 2, 0], [3, -2, 2]])
    atoms.positions += [-0.3, 11.0, 0.0]
    cell, inverse = atoms.cell.array, np.linalg.inv(atoms.cell.array)
    operations = symmetry_operations(cell, atoms.positions, atoms.numbers)
    assert len(operations) == 2 * 6  # of the supercell, and its translations
    for operation in operations:
        assert sorted(operation.image) == list(range(len(atoms)))
        np.testing.assert_array_equal(atoms.numbers[operation.image], atoms.numbers)
        moved = (atoms.positions - atoms.positions[0]) @ operation.rotation.T
        apart = moved - (atoms.positions[operation.image] - atoms.positions[operation.image[0]])
        fractional = apart @ inverse
        np.testing.assert_allclose((fractional - np.round(fractional)) @ cell, 0.0, atol=1e-6)
