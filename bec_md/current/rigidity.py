"""Rigid bonds and angles in a motion: each takes a degree of freedom, which the temperature has to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.structure.neighbors import neighbor_list
from bec_md.trajectory.velocities import minimum_image

if TYPE_CHECKING:
    from bec_md.structure import Frame


#: Rigid distances within molecules are shorter: H–H in water is 1.6 Å, C–H 1.1 Å, N–N in nitrogen 1.1 Å.
REACH_ANG = 1.9
#: No two atoms come as near; shells and Drude particles do.
_SHELL_ANG = 0.45
#: A distance is rigid if it changes by less than this share of the change of the vector, and than this.
_RADIAL_SHARE, _RADIAL_ANG = 0.03, 2e-3
_LEAST_MOTION_ANG = 5e-3
#: Rigid distances of one kind have the same length, and are rigid in (nearly) all molecules.
_SAME_LENGTH, _MOST = 1e-3, 0.6
#: Or they change by less than this share of the motion (rigid bodies that differ), and are no few of a kind.
_EXACT_SHARE, _NOT_FEW = 2e-3, 0.2
_LARGEST = 60
#: How far atoms of a molecule on a line may lie beside it, of its length.
_ON_LINE = 3e-3


def count_constraints(frames: Sequence[Frame], free: NDArray[np.bool_]) -> int:
    """Return the number of degrees of freedom that rigid distances take away.

    In a molecule of n atoms with rigid distances between all of them these are 3n − 6, on a line 3n − 5.

    Parameters
    ----------
    frames
        Some consecutive frames.
    free
        (N,) atoms that move and have a mass.

    Raises
    ------
    UsageError
        If atoms lie nearly on top of each other: shells, or Drude particles.
    """
    first, second, start = _pairs(frames[0], free)
    rigid = _rigid(frames, first, second, start) & free[first] & free[second]
    if not rigid.any():
        return 0
    molecule = _molecules(frames[0].n_atoms, first[rigid], second[rigid])
    first, second = _inside(molecule)
    start = minimum_image(
        frames[0].positions_ang[second] - frames[0].positions_ang[first], frames[0].cell_ang, frames[0].pbc
    )
    rigid = _rigid(frames, first, second, start)
    atoms = np.bincount(molecule)
    distances = np.bincount(molecule[first[rigid]], minlength=len(atoms))
    counted = np.minimum(distances, np.maximum(3 * atoms - 6, 1))
    whole = np.flatnonzero((atoms > 2) & (distances >= 3 * atoms - 6))
    order, ends = np.argsort(molecule, kind="stable"), np.cumsum(atoms)
    lines = [_is_line(frames[0], order[ends[k] - atoms[k] : ends[k]]) for k in whole.tolist()]
    counted[whole] += np.array(lines, dtype=np.int64)
    return int(counted[distances > 0].sum())


def _is_line(frame: Frame, atoms: NDArray[np.int64]) -> bool:
    """Whether the atoms of a molecule lie on a line, about which it does not turn."""
    places = minimum_image(
        frame.positions_ang[atoms] - frame.positions_ang[atoms[0]], frame.cell_ang, frame.pbc
    )
    sizes = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return bool(sizes[1] < _ON_LINE * sizes[0])


def _molecules(n_atoms: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the molecule of each atom, (N,), from the bonds between them."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    bonds = coo_matrix((np.ones(len(first)), (first, second)), shape=(n_atoms, n_atoms))
    return np.asarray(connected_components(bonds, directed=False)[1], dtype=np.int64)


def _inside(molecule: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of atoms of one molecule; those of large ones (a rigid wall) along a chain only."""
    order = np.argsort(molecule, kind="stable")
    first, second = [], []
    for atoms in np.split(order, np.flatnonzero(np.diff(molecule[order])) + 1):
        if len(atoms) > _LARGEST:
            i, j = np.arange(len(atoms) - 1), np.arange(1, len(atoms))
        else:
            i, j = np.triu_indices(len(atoms), 1)
        first.append(atoms[i])
        second.append(atoms[j])
    return np.concatenate(first), np.concatenate(second)


def _pairs(frame: Frame, free: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Pairs i < j of near atoms, and their vectors."""
    box = np.where(frame.pbc[:, None], frame.cell_ang, 0.0)
    finder = neighbor_list()(cutoff=REACH_ANG, full_list=False)
    first, second, vectors = finder.compute(
        points=np.ascontiguousarray(frame.positions_ang), box=box, periodic=frame.pbc, quantities="ijD"
    )
    first, second = first.astype(np.int64), second.astype(np.int64)
    lengths = np.linalg.norm(vectors, axis=1)
    close = (lengths < _SHELL_ANG) & free[first] & free[second]
    if close.any():
        one = int(np.argmax(close))
        raise UsageError(
            f"atoms {first[one]} and {second[one]} of frame {frame.index} are {lengths[one]:.2f} Å apart",
            "shells and Drude particles are no atoms: they would count among the degrees of freedom",
            "leave them out: NULL for their type in `elements`",
        )
    return first, second, np.asarray(vectors)


def _rigid(
    frames: Sequence[Frame], first: NDArray[np.int64], second: NDArray[np.int64], start: Array
) -> NDArray[np.bool_]:
    lengths = np.linalg.norm(start, axis=1)
    radial, motion = np.zeros(len(start)), np.zeros(len(start))
    for frame in frames[1:]:
        now = frame.positions_ang[second] - frame.positions_ang[first]
        change = minimum_image(now - start, frame.cell_ang, frame.pbc)
        np.maximum(radial, np.abs(np.linalg.norm(start + change, axis=1) - lengths), out=radial)
        np.maximum(motion, np.linalg.norm(change, axis=1), out=motion)
    seen = (motion > _LEAST_MOTION_ANG) & (radial < np.minimum(_RADIAL_SHARE * motion, _RADIAL_ANG))
    exact = seen & (radial < _EXACT_SHARE * motion)
    numbers = frames[0].numbers
    kinds = np.sort(np.stack([numbers[first], numbers[second]]), axis=0)
    out = np.zeros(len(start), dtype=bool)
    for kind in np.unique(kinds[:, seen], axis=1).T:
        own = (kinds == kind[:, None]).all(axis=0)
        order = np.sort(lengths[own])
        rigid_order = np.sort(lengths[own & seen])
        own_lengths = lengths[own & seen]
        low, high = own_lengths * (1.0 - _SAME_LENGTH), own_lengths * (1.0 + _SAME_LENGTH)
        alike = np.searchsorted(order, high) - np.searchsorted(order, low)
        rigid = np.searchsorted(rigid_order, high) - np.searchsorted(rigid_order, low)
        out[own & seen] = (rigid >= _MOST * alike) & ((rigid >= 3) | (rigid == own.sum()))
        if exact[own].mean() >= _NOT_FEW:
            out |= own & exact
    return out
