from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from bec_md.charges.symmetry import expand_tensors, orbits, symmetry_operations

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


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING.*:DeprecationWarning")  # about its own future
def test_agrees_with_spglib() -> None:
    spglib = pytest.importorskip("spglib")
    for atoms in (quartz(), tetragonal_perovskite()):
        cell = (np.array(atoms.cell), atoms.get_scaled_positions(), atoms.numbers)
        data = spglib.get_symmetry_dataset(cell, symprec=1e-3)
        operations = operations_of(atoms)
        assert len(operations) == len(data.rotations)
        assert np.array_equal(orbits(operations, len(atoms)), data.equivalent_atoms)


def test_expansion_gives_back_all_tensors_from_one_per_orbit() -> None:
    atoms = quartz()
    tensors = site_tensors(atoms)
    operations = operations_of(atoms)
    first = np.unique(orbits(operations, len(atoms)))
    found, change = expand_tensors(operations, {int(i): tensors[i] for i in first}, len(atoms))
    assert np.allclose(found, tensors, atol=1e-12)
    assert change < 1e-12
    # silicon sits on a twofold axis: 5 numbers; oxygen is general: the antisymmetric part survives
    assert np.abs(tensors[3] - tensors[3].T).max() > 0.1
