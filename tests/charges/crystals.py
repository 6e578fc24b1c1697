"""Reference crystals with tensors that have the symmetry of their sites."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal

from bec_md.charges.symmetry import expand_tensors, symmetry_operations
from bec_md.structure import Frame
from bec_md.structure.names import labels_of


def quartz() -> Atoms:
    return crystal(
        ["Si", "O"],
        [(0.4697, 0.0, 1.0 / 3.0), (0.4135, 0.2669, 0.7858)],
        spacegroup=152,
        cellpar=[4.916, 4.916, 5.405, 90, 90, 120],
    )


def tetragonal_perovskite() -> Atoms:
    return Atoms(
        "BaTiO3",
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.515], [0.5, 0.5, -0.02], [0.5, 0, 0.49], [0, 0.5, 0.49]],
        cell=[3.99, 3.99, 4.04],
        pbc=True,
    )


def site_tensors(atoms: Atoms, seed: int = 0) -> np.ndarray:
    """Random tensors with the symmetry of the crystal."""
    numbers = atoms.numbers.astype(np.int64)
    operations = symmetry_operations(np.array(atoms.cell), atoms.positions, numbers)
    rng = np.random.default_rng(seed)
    start = {i: 2.0 * np.eye(3) + rng.normal(size=(3, 3)) for i in range(len(atoms))}
    total = np.zeros((len(atoms), 3, 3))
    for operation in operations:
        for i, z in start.items():
            total[operation.image[i]] += operation.rotation @ z @ operation.rotation.T
    return total / len(operations)


def frame_of(atoms: Atoms, charges: np.ndarray | None = None) -> Frame:
    return Frame(
        np.array(atoms.positions),
        np.array(atoms.cell),
        np.array([True] * 3),
        atoms.numbers.astype(np.int64),
        atoms.get_masses(),
        None,
        None,
        labels_of(charges),
    )


__all__ = ["expand_tensors", "frame_of", "quartz", "site_tensors", "tetragonal_perovskite"]
