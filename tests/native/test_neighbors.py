"""The cell list against vesin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from bec_md.network.graph import neighbor_pairs
from bec_md.network.native import native_neighbors
from tests.native.conftest import random_frame

Pairs = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def canonical(pairs: Pairs) -> NDArray[np.float64]:
    """One sorted row (i, j, x, y, z) per pair; vectors to 1e-4 Å, far below the distance of two images."""
    rows = np.column_stack([pairs[0], pairs[1], np.round(pairs[2], 4) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


def check(frame: Atoms, cutoff: float) -> None:
    cell = np.asarray(frame.cell)
    own = native_neighbors(frame.positions, cell, frame.pbc, cutoff)
    expected = neighbor_pairs(frame.positions, cell, frame.pbc, cutoff)
    assert np.all(np.diff(own[0]) >= 0)
    a, b = canonical(own), canonical(expected)
    assert a.shape == b.shape
    # float32 vectors of at most 10 Å: 1e-6 Å; rounding to 1e-4 may still fall to either side
    np.testing.assert_allclose(a, b, atol=1.01e-4)


@pytest.mark.parametrize("cutoff", [1.1, 3.0, 5.0, 9.0])
@pytest.mark.parametrize("pbc", [True, False, (True, False, False), (False, True, True)], ids=str)
def test_random_cells(cutoff: float, pbc: Any) -> None:
    for seed in range(3):
        check(random_frame(seed, pbc=pbc), cutoff)


def test_tiny_cells() -> None:
    check(bulk("Si"), 8.0)
    check(bulk("Cu", "hcp", a=2.0, c=3.2), 6.0)
    one = Atoms("H", cell=[[1.5, 0, 0], [0.7, 1.4, 0], [-0.6, 0.5, 1.3]], pbc=True)  # 100 of its own images
    check(one, 5.0)


def test_flat_and_long_cells() -> None:
    needle = Atoms("Si3", positions=[(0, 0, 0), (0.3, 0.2, 40), (1, 1, 79)], cell=(2.1, 2.2, 80.0), pbc=True)
    check(needle, 5.0)
    skewed = Atoms(
        "SiO", positions=[(0, 0, 0), (1, 1, 1)], cell=[[3, 0, 0], [9, 3.5, 0], [-7, 8, 4]], pbc=True
    )
    check(skewed, 5.0)
    rng = np.random.default_rng(0)
    gas = Atoms("H40", positions=rng.uniform(-2000, 2000, (40, 3)))  # bins are coarsened
    gas.positions[1] = gas.positions[0] + 1.0
    check(gas, 5.0)


def test_atoms_outside_the_cell() -> None:
    frame = random_frame(5)
    moved = frame.copy()
    moved.positions += np.random.default_rng(1).integers(-50, 50, (len(frame), 3)) @ np.asarray(frame.cell)
    cell = np.asarray(frame.cell)
    a = canonical(native_neighbors(frame.positions, cell, frame.pbc, 5.0))
    b = canonical(native_neighbors(moved.positions, cell, frame.pbc, 5.0))
    np.testing.assert_allclose(a, b, atol=1.01e-4)
