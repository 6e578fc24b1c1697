"""A molecule in vacuum that does not turn: its rotation is no degree of freedom of the temperature.

Many programs take the angular momentum away at the beginning, and nothing gives it back to a molecule alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.network.vacuum import vacuum_directions
from bec_md.structure import Frame
from bec_md.trajectory.velocities import midpoint_displacement

#: Energy of rotation, in units of that at the temperature of the other motion, that is none.
_AT_REST = 0.02
#: Moments of inertia below this share of the largest are those of a line.
_LINEAR = 0.02
#: Empty space around a molecule in vacuum, Å; what fills its cell may begin from symmetric places at rest.
_ALONE_ANG = 4.0
#: Rotations that move atoms less along what is not held, Å, are held.
_HELD_ANG = 0.01


def count_rotations(
    frames: Sequence[Frame], later: Iterator[Frame], held: NDArray[np.float64] | None = None
) -> int:
    """Return the number of axes about which all atoms together never turn: 3, 2 of linear molecules, or 0.

    E = ½ L I⁻¹ L with L = Σ m (r − r_com) × (v − v_com) is 3/2 k_BT on average in whatever turns, and that
    large, if without a meaning, in crystals and liquids.

    Parameters
    ----------
    frames
        The first frames.
    later
        Frames of the middle and of the end of a longer run, read only if the first ones do not turn.
    held
        (N, 3, 3) projectors on directions along which atoms do not move: rotations along these count there.
    """
    if len(frames) < 3 or frames[0].n_atoms < 2 or len(vacuum_directions(frames[0], _ALONE_ANG)) < 3:
        return 0
    distance = frames[1].index - frames[0].index
    ways = np.empty((0, 0, 3))
    for frame in chain(_moving(frames, distance), _moving(later, distance)):
        turning, whole, ways = _energies(frame)
        freedom = 3 * frame.n_atoms - len(ways)
        if turning * freedom > _AT_REST * 3.0 * (whole - turning):
            return 0
    if held is not None:
        ways = ways - np.einsum("iab,kib->kia", held, ways)
    ranks = [np.linalg.matrix_rank(some.reshape(len(some), -1), tol=_HELD_ANG) for some in (ways, ways[:3])]
    return int(ranks[0] - ranks[1])


def _moving(frames: Iterable[Frame], distance: int) -> Iterator[Frame]:
    """Frames with velocities; without any, one of each two that follow each other, of the time between."""
    before = None
    for frame in frames:
        if frame.velocities_ang_fs is not None:
            yield frame
        elif before is not None and frame.index - before.index == distance:
            step = midpoint_displacement(before, frame)
            yield replace(frame, positions_ang=frame.positions_ang - 0.5 * step, velocities_ang_fs=step)
        before = frame


def _energies(frame: Frame) -> tuple[float, float, Array]:
    """Twice the energies of rotation and of all motion about the center of mass, and how all move together.

    These ways are three translations and the rotations about each axis, (5 or 6, N, 3).
    """
    masses, velocities = frame.masses_amu, frame.velocities_ang_fs
    assert velocities is not None
    places, share = _together(frame), masses / masses.sum()
    places, velocities = places - share @ places, velocities - share @ velocities
    momentum = (masses[:, None] * np.cross(places, velocities)).sum(axis=0)
    squares = np.einsum("i,ia,ib->ab", masses, places, places)
    moments, axes = np.linalg.eigh(np.trace(squares) * np.eye(3) - squares)
    turns = moments > _LINEAR * moments[-1]
    along = (momentum @ axes)[turns]
    whole = float(np.einsum("i,ia,ia->", masses, velocities, velocities))
    moved = np.broadcast_to(np.eye(3)[:, None], (3, *places.shape))
    turned = np.cross(axes.T[turns, None], places)
    return float((along**2 / moments[turns]).sum()), whole, np.concatenate([moved, turned])


def _together(frame: Frame) -> Array:
    """Positions with all images next to the middle of the molecule, wherever it crosses a border."""
    scaled = frame.positions_ang @ np.linalg.inv(frame.cell_ang)
    middle = np.angle(np.exp(2j * np.pi * scaled).mean(axis=0)) / (2.0 * np.pi)
    near = scaled - middle
    return np.asarray(np.where(frame.pbc, near - np.rint(near), near) @ frame.cell_ang)
