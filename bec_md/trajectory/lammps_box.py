"""Boxes of LAMMPS dumps: orthogonal, restricted triclinic and general triclinic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DumpBox:
    """A simulation box in the length units of the file.

    Parameters
    ----------
    cell
        Lattice vectors as rows, shape (3, 3).
    origin
        Corner of the box, shape (3,).
    pbc
        Periodicity, shape (3,).
    general
        Whether positions and velocities are in the frame of general lattice vectors, while other per-atom
        values (charges of a fix) stay in LAMMPS' own, restricted frame.
    """

    cell: NDArray[np.float64]
    origin: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    general: bool


def parse_box(header: str, rows: NDArray[np.float64]) -> DumpBox:
    """Read ``ITEM: BOX BOUNDS …`` and its three rows.

    Orthogonal rows hold lo hi; restricted triclinic rows lo_bound hi_bound tilt, where the bounds enclose
    the tilted box; general triclinic rows a lattice vector and a component of the origin.

    Raises
    ------
    ValueError
        If the rows do not fit the header.
    """
    words = header.split()
    flags = [word for word in words if len(word) == 2 and set(word) <= set("pfsm")]
    pbc = np.array([flag == "pp" for flag in flags[-3:]] if len(flags) >= 3 else [True] * 3)
    if "abc" in words:
        if rows.shape != (3, 4):
            raise ValueError("a general triclinic box has three rows of four numbers")
        return DumpBox(rows[:, :3].copy(), rows[:, 3].copy(), pbc, general=True)
    if "xy" in words:
        if rows.shape != (3, 3):
            raise ValueError("a triclinic box has three rows of three numbers")
        xy, xz, yz = rows[:, 2]
        lo, hi = rows[:, 0].copy(), rows[:, 1].copy()
        lo[0] -= min(0.0, xy, xz, xy + xz)
        hi[0] -= max(0.0, xy, xz, xy + xz)
        lo[1] -= min(0.0, yz)
        hi[1] -= max(0.0, yz)
        length = hi - lo
        if not (length > 0).all():
            raise ValueError(f"its edges are {length.tolist()}")
        cell = np.array([[length[0], 0.0, 0.0], [xy, length[1], 0.0], [xz, yz, length[2]]])
        return DumpBox(cell, lo, pbc, general=False)
    if rows.shape != (3, 2):
        raise ValueError("an orthogonal box has three rows of two numbers")
    if not (rows[:, 1] > rows[:, 0]).all():
        raise ValueError(f"its edges are {(rows[:, 1] - rows[:, 0]).tolist()}")
    return DumpBox(np.diag(rows[:, 1] - rows[:, 0]), rows[:, 0].copy(), pbc, general=False)


def restricted_to_general(cell: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation Q with h = h_r Q, for row vectors: v_general = v_restricted Q.

    h_r is the lower triangular cell of the same metric, h_r h_rᵀ = h hᵀ (LAMMPS manual, Howto_triclinic).
    """
    restricted = np.linalg.cholesky(cell @ cell.T)
    return np.asarray(np.linalg.solve(restricted, cell), dtype=np.float64)
