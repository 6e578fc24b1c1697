"""Cells and distances that have no meaning, refused before neighbors are counted.

The compiled evaluator refuses the same (`bec_md/native/neighbors.cpp`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError

#: Atoms closer than this are the same atom twice, or a simulation that has blown up, Å.
CLOSEST_ATOMS_ANG = 0.1
#: No lattice vector is longer, Å.
LONGEST_CELL_ANG = 1e6


def check_cell(cell_ang: NDArray[np.float64], pbc: NDArray[np.bool_]) -> None:
    """Refuse a cell whose images cannot be counted.

    Raises
    ------
    DataError
        If a periodic lattice vector is not a number, shorter than 0.1 Å or longer than 10⁶ Å, or if planes of
        the lattice are closer than 0.1 Å.
    """
    vectors = np.asarray(cell_ang, dtype=np.float64)[np.asarray(pbc)]  # (k, 3) of the periodic directions
    lengths = np.linalg.norm(vectors, axis=1)
    for length in lengths[~((lengths >= CLOSEST_ATOMS_ANG) & (lengths <= LONGEST_CELL_ANG))]:
        raise DataError(
            f"a periodic direction has a lattice vector of length {length:g} Å",
            "its images coincide, or the cell is an error of units or of the file",
            "give the cell in Å, or declare the direction as not periodic",
        )
    if len(vectors) < 2:
        return
    # height over the others: its square is the inverse of the diagonal of the inverse Gram matrix
    directions = vectors / lengths[:, None]
    gram = directions @ directions.T
    heights = lengths * np.sqrt(max(np.linalg.det(gram), 0.0) / _minors(gram))
    if not (heights >= CLOSEST_ATOMS_ANG).all():
        raise DataError(
            f"the cell is only {heights.min():g} Å high along a periodic direction",
            "it is too flat, or too skewed, for its images to be counted",
            "check the cell of this frame, or reduce it to a less skewed one of the same lattice",
        )


def check_distances(
    receiver: NDArray[np.int64], sender: NDArray[np.int64], vectors_ang: NDArray[np.float64]
) -> None:
    """Refuse two atoms in one place.

    Raises
    ------
    DataError
        If a pair is closer than 0.1 Å.
    """
    squares = np.einsum("ec,ec->e", vectors_ang, vectors_ang)
    if len(squares) == 0 or squares.min() >= CLOSEST_ATOMS_ANG**2:
        return
    pair = int(squares.argmin())
    raise DataError(
        f"atoms {receiver[pair]} and {sender[pair]} are {np.sqrt(squares[pair]):.6f} Å apart",
        f"atoms closer than {CLOSEST_ATOMS_ANG} Å are no structure of matter, and the network has seen "
        "nothing like it",
        "check the trajectory at this frame: an atom is there twice, the simulation has blown up, or the "
        "cell does not belong to the positions",
    )


def _minors(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal minors that leave out one direction each."""
    rest = [np.delete(np.arange(len(gram)), k) for k in range(len(gram))]
    return np.array([max(np.linalg.det(gram[np.ix_(keep, keep)]), 1e-300) for keep in rest])
