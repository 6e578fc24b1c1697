r"""The point group that a run is averaged over: of its mean structure, of a file, or by its name.

The rotations of a mean cell A (rows) that is symmetric only within its fluctuations are no rotations to all
digits. Its metric is averaged over them first,

.. math:: G = \frac1{|W|}\sum_W W^T A A^T W, \qquad L = A P, \quad P^2 = A^{-1} G A^{-T}, \qquad
          R = L^T W L^{-T},

P being symmetric: a pure strain, so that the axes stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import DataError, UsageError
from bec_md.structure.spacegroup import ask_spglib, cell_of
from bec_md.trajectory.mean_structure import LEAST_ANG


@dataclass(frozen=True)
class PointGroup:
    """A point group and where it comes from.

    Parameters
    ----------
    symbol
        Hermann–Mauguin symbol.
    rotations
        (n, 3, 3) Cartesian rotations.
    source
        What it is the group of, in words.
    tolerance_ang
        Tolerance in Å, None for a group that was named.
    """

    symbol: str
    rotations: Array
    source: str
    tolerance_ang: float | None = None

    @property
    def trivial(self) -> bool:
        """Whether every tensor of rank two has this symmetry: 1 and -1."""
        return bool(np.allclose(np.abs(np.einsum("naa->n", self.rotations)), 3.0, atol=1e-6))


def point_group(
    cell_ang: Array, positions_ang: Array, numbers: Any, tolerance_ang: float = LEAST_ANG, source: str = ""
) -> PointGroup:
    """Return the point group of a crystal in its cell (spglib).

    The rotations are those that the cell allows as well: the motion in a supercell of lower symmetry has the
    symmetry of the supercell.

    Parameters
    ----------
    cell_ang, positions_ang, numbers
        (3, 3) Å, (N, 3) Å, (N,).
    tolerance_ang
        How far an atom may be from the image of another.
    source
        What the structure is, in words.

    Raises
    ------
    DataError
        If there is no crystal.
    """
    cell = np.asarray(cell_ang, dtype=float)
    found = ask_spglib("get_symmetry", cell_of(cell, positions_ang, numbers), symprec=tolerance_ang)
    if found is None:
        raise DataError(
            f"no symmetry can be found for {len(positions_ang)} atoms",
            f"atoms lie within {tolerance_ang:g} Å of each other, or the cell has no volume",
            "give a smaller `symmetry_tolerance_ang`, or the symbol of the point group as `symmetry`",
        )
    matrices = np.unique(np.asarray(found["rotations"]), axis=0)
    symbol = str(ask_spglib("get_pointgroup", matrices)[0]).strip()
    return PointGroup(symbol, _rotations(matrices, cell), source, tolerance_ang)


def _rotations(matrices: NDArray[np.int64], cell: Array) -> Array:
    """Cartesian rotations of integer ones, with the strain of the cell that breaks them taken out."""
    metric = np.mean([w.T @ cell @ cell.T @ w for w in matrices], axis=0)
    inverse = np.linalg.inv(cell)
    squares, axes = np.linalg.eigh(inverse @ metric @ inverse.T)
    columns = (cell @ (axes * np.sqrt(squares)) @ axes.T).T
    return np.asarray(np.einsum("ab,nbc,cd->nad", columns, matrices, np.linalg.inv(columns)))


def named_group(symbol: str) -> PointGroup:
    """Return a point group by its Hermann–Mauguin symbol, in the standard setting.

    The axis of uniaxial crystals is z, of monoclinic ones y; a three- or six-fold lattice has a along x.

    Raises
    ------
    UsageError
        For an unknown symbol.
    """
    hexagonal = np.array([[1.0, 0.0, 0.0], [-0.5, 0.75**0.5, 0.0], [0.0, 0.0, 1.0]])
    known: list[str] = []
    for number in range(1, 531):
        kind = ask_spglib("get_spacegroup_type", number)
        name = str(kind.pointgroup_international).strip()
        if name == symbol:
            found = ask_spglib("get_symmetry_from_database", number)
            cell = hexagonal if 143 <= int(kind.number) <= 194 else np.eye(3)
            matrices = np.unique(found["rotations"], axis=0)
            return PointGroup(symbol, _rotations(matrices, cell), f"named {symbol}")
        known += [name] if name not in known else []
    raise UsageError(
        f"`symmetry={symbol}` is neither a file nor a point group",
        f"point groups are {', '.join(known)}",
        "give `symmetry=auto` for that of the mean structure, its tolerance in Å with a decimal point (0.1), "
        "a symbol, a file with the structure, or `symmetry=none`",
    )
