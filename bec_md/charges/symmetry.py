r"""Space-group operations of a crystal, and tensors of symmetry-equivalent atoms.

Legend: A cell (rows are lattice vectors), x fractional positions (rows), W integer matrix acting on
fractional row vectors from the right, x' = x W + w; Cartesian rotation R (column vectors): r' = R r.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Operation:
    """One operation: Cartesian rotation (3, 3) and the atom that each atom is moved onto (N,)."""

    rotation: Array
    image: Indices


def symmetry_operations(
    cell_ang: Array, positions_ang: Array, numbers: Indices, tolerance_ang: float = 1e-2
) -> list[Operation]:
    """Return the operations that map a crystal onto itself.

    Rotations are integer matrices with entries −1, 0, 1 that keep the metric (all of them for a reduced
    cell; a very skewed cell may lose some). Translations are tried from the rarest species.

    Parameters
    ----------
    cell_ang, positions_ang, numbers
        (3, 3) Å, (N, 3) Å, (N,).
    tolerance_ang
        How far an atom may be from the image of another.
    """
    inverse = np.linalg.inv(cell_ang)
    fractional = positions_ang @ inverse
    kinds, counts = np.unique(numbers, return_counts=True)
    rare = np.flatnonzero(numbers == kinds[np.argmin(counts)])
    found = []
    for matrix in lattice_rotations(cell_ang, tolerance_ang):
        rotated = fractional @ matrix
        for target in rare:
            moved = rotated + (fractional[target] - rotated[rare[0]])
            image = matching_image(moved, fractional, numbers, cell_ang, tolerance_ang)
            if image is not None:
                found.append(Operation((inverse @ matrix @ cell_ang).T, image))
    return found


def lattice_rotations(cell_ang: Array, tolerance_ang: float) -> Iterator[Array]:
    """Yield integer matrices W with entries −1, 0, 1 whose lattice W A is congruent to A."""
    metric = cell_ang @ cell_ang.T
    lengths = np.sqrt(np.diag(metric))
    rows = np.array(list(product((-1, 0, 1), repeat=3)), dtype=np.float64)
    row_lengths = np.linalg.norm(rows @ cell_ang, axis=1)
    candidates = [rows[np.abs(row_lengths - length) < tolerance_ang] for length in lengths]
    bound = tolerance_ang * float(lengths.max()) * 2.0
    for first, second in product(candidates[0], candidates[1]):
        if abs(first @ metric @ second - metric[0, 1]) > bound:
            continue
        for third in candidates[2]:
            matrix = np.array([first, second, third])
            if abs(abs(np.linalg.det(matrix)) - 1.0) < 0.5 and np.all(
                np.abs(matrix @ metric @ matrix.T - metric) < bound
            ):
                yield matrix


def matching_image(
    moved: Array, fractional: Array, numbers: Indices, cell_ang: Array, tolerance_ang: float
) -> Indices | None:
    """Return the index of the atom at each moved position, or None if one is missing."""
    image = np.empty(len(moved), dtype=np.int64)
    for atom, position in enumerate(moved):
        difference = position - fractional
        difference -= np.round(difference)
        distance = np.linalg.norm(difference @ cell_ang, axis=1)
        distance[numbers != numbers[atom]] = np.inf
        image[atom] = np.argmin(distance)
        if distance[image[atom]] > tolerance_ang:
            return None
    return image if len(np.unique(image)) == len(image) else None


def orbits(operations: list[Operation], n_atoms: int) -> Indices:
    """Return the lowest index of an equivalent atom, for each atom, (N,)."""
    lowest = np.arange(n_atoms)
    for operation in operations:
        np.minimum.at(lowest, operation.image, np.arange(n_atoms))
    return lowest[lowest]


def expand_tensors(
    operations: list[Operation], listed: dict[int, Array], n_atoms: int
) -> tuple[Array, float]:
    r"""Return the tensors of all atoms from those of one atom per orbit.

    :math:`Z_j = \langle R Z_i R^T \rangle` over the operations that move i onto j, which also gives every
    tensor the symmetry of its site.

    Parameters
    ----------
    operations
        From `symmetry_operations`.
    listed
        Atom → its tensor (3, 3), e.
    n_atoms
        N.

    Returns
    -------
    (N, 3, 3) tensors, e, and the largest change that the site symmetry made to a listed tensor, e.
    """
    total = np.zeros((n_atoms, 3, 3))
    counts = np.zeros(n_atoms)
    for atom, tensor in listed.items():
        for operation in operations:
            image = int(operation.image[atom])
            total[image] += operation.rotation @ tensor @ operation.rotation.T
            counts[image] += 1
    tensors = total / counts[:, None, None]
    change = max(float(np.abs(tensors[atom] - tensor).max()) for atom, tensor in listed.items())
    return tensors, change
