r"""Space-group operations of a crystal (by spglib), and tensors of symmetry-equivalent atoms.

Legend: A cell (rows are lattice vectors), x fractional positions (rows), W integer matrix acting on
fractional column vectors, x' = W x + w; Cartesian rotation R (column vectors): r' = R r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import DataError, UsageError
from bec_md.structure.spacegroup import ask_spglib, cell_of

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Operation:
    """One operation: Cartesian rotation (3, 3) and the atom that each atom is moved onto (N,)."""

    rotation: Array
    image: Indices


def symmetry_operations(
    cell_ang: Array, positions_ang: Array, numbers: Indices, tolerance_ang: float = 1e-2
) -> list[Operation]:
    """Return the operations that map a crystal onto itself, translations within its cell included.

    Parameters
    ----------
    cell_ang, positions_ang, numbers
        (3, 3) Å, (N, 3) Å, (N,).
    tolerance_ang
        How far an atom may be from the image of another.

    Raises
    ------
    UsageError
        If the tolerance is no positive number.
    DataError
        If there is no crystal: atoms lie on top of each other, or the cell has no volume.

    References
    ----------
    Togo, Shinohara and Tanaka, Sci. Technol. Adv. Mater. Methods 4, 2384822 (2024).
    """
    if not 0.0 < tolerance_ang < np.inf:  # spglib crashes
        raise UsageError(
            f"`symmetry_tolerance={tolerance_ang:g}` is not a positive number",
            "it is a distance in Å",
            "give e.g. 1e-5, or leave it out",
        )
    fractional = positions_ang @ np.linalg.inv(cell_ang)
    found = ask_spglib("get_symmetry", cell_of(cell_ang, positions_ang, numbers), symprec=tolerance_ang)
    if found is None:
        raise DataError(
            f"no symmetry can be found for {len(numbers)} atoms within {tolerance_ang:g} Å",
            "atoms lie on top of each other to this tolerance, or the cell has no volume",
            "look at the structure",
        )
    to_cartesian = cell_ang.T
    operations, sites = [], Sites(fractional, numbers)
    for matrix, shift in zip(found["rotations"], found["translations"], strict=True):
        image = sites.nearest(fractional @ matrix.T + shift)
        operations.append(Operation(to_cartesian @ matrix @ np.linalg.inv(to_cartesian), image))
    return operations


def primitive_cell(
    cell_ang: Array, positions_ang: Array, numbers: Indices, tolerance_ang: float = 1e-2
) -> tuple[Array, Indices] | None:
    """Return a smaller cell of a crystal in the same axes, (3, 3) Å, and which atom of it each atom is, (N,).

    None where the cell is primitive, or spglib finds no crystal.
    """
    cell = cell_of(cell_ang, positions_ang, numbers)
    found = ask_spglib("get_symmetry_dataset", cell, symprec=tolerance_ang)
    if found is None:
        return None
    site = np.asarray(found.mapping_to_primitive, dtype=np.int64)
    smaller = int(site.max()) + 1 < len(numbers)
    return (np.asarray(found.primitive_lattice, dtype=np.float64), site) if smaller else None


class Sites:
    """Atoms of a cell by element, to be found by fractional positions: a supercell has as many operations.

    Parameters
    ----------
    fractional, numbers
        (N, 3), (N,).
    """

    def __init__(self, fractional: Array, numbers: Indices) -> None:
        from scipy.spatial import cKDTree

        wrapped = _wrapped(fractional)
        self._places = [np.flatnonzero(numbers == kind) for kind in np.unique(numbers)]
        self._trees = [cKDTree(wrapped[places], boxsize=np.ones(3)) for places in self._places]

    def nearest(self, moved: Array) -> Indices:
        """Return the atom at each moved position, (N,); they coincide, so that any metric finds it."""
        wrapped, image = _wrapped(moved), np.empty(len(moved), dtype=np.int64)
        for places, tree in zip(self._places, self._trees, strict=True):
            image[places] = places[tree.query(wrapped[places])[1]]
        return image


def _wrapped(fractional: Array) -> Array:
    """Return positions in the cell, each below 1, which the remainder of a tiny negative number is not."""
    inside = fractional % 1.0
    return np.asarray(np.where(inside < 1.0, inside, 0.0))


def site_change(operations: list[Operation], atom: int, tensor: Array) -> float:
    r"""Return how far a tensor is from the symmetry of a site, e: :math:`\max|\langle R Z R^T\rangle - Z|`.

    The mean is over the operations that leave the atom in its place.
    """
    turned = [o.rotation @ tensor @ o.rotation.T for o in operations if o.image[atom] == atom]
    return float(np.abs(np.mean(turned, axis=0) - tensor).max())


def orbits(operations: list[Operation], n_atoms: int) -> Indices:
    """Return the lowest index of an equivalent atom, for each atom, (N,)."""
    lowest = np.arange(n_atoms)
    for operation in operations:
        np.minimum.at(lowest, operation.image, np.arange(n_atoms))
    return lowest[lowest]


def expand_tensors(operations: list[Operation], listed: dict[int, Array], n_atoms: int) -> Array:
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
    (N, 3, 3) tensors, e.
    """
    total = np.zeros((n_atoms, 3, 3))
    counts = np.zeros(n_atoms)
    for atom, tensor in listed.items():
        for operation in operations:
            image = int(operation.image[atom])
            total[image] += operation.rotation @ tensor @ operation.rotation.T
            counts[image] += 1
    return np.asarray(total / counts[:, None, None])
