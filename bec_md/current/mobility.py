"""Atoms that do not move, or not along all axes: no degrees of freedom, no part in the f-sum rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.trajectory.plausibility import rounding_of
from bec_md.trajectory.velocities import midpoint_displacement

if TYPE_CHECKING:
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import Trajectory

#: Frames that are looked at, and later ones where components rest in all of these.
PROBED, LATER = 24, 4
#: A velocity that would have moved an atom by more between two frames is no motion of an atom at rest, Å.
_VISIBLE_ANG = 0.01
#: Directions of an oblique cell are held where atoms stay on a plane, and velocities within it, to this.
_ON_PLANE_ANG, _ON_PLANE_SHARE = 2e-5, 1e-4
#: Components that move by one to three last digits are six times as many as those that chance keeps in place.
_FEW, _AS_MANY = 3.5, 6.0


@dataclass(frozen=True)
class Mobility:
    """Which atoms do not move, and what is said about it.

    Parameters
    ----------
    immobile
        (N,) atoms whose position is the same to all digits in the first frames, while others move; None if
        all atoms move, or too few frames are there to tell.
    remark, warning
        Sentences; empty if there is nothing to say.
    held
        (N, 3, 3) projectors on the directions along which atoms do not move, of atoms that do; None for none.
    held_count
        How many degrees of freedom these directions have.
    """

    immobile: NDArray[np.bool_] | None = None
    remark: str = ""
    warning: str = ""
    held: NDArray[np.float64] | None = None
    held_count: int = 0

    def free(self, masses_amu: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which atoms move and have a mass, (N,)."""
        mass = masses_amu > 0.0
        return mass if self.immobile is None else mass & ~self.immobile


def find_immobile(
    frames: Sequence[Frame], timestep_fs: float, trajectory: Trajectory | None = None
) -> Mobility:
    """Find the atoms that do not move.

    Parameters
    ----------
    frames
        The first frames, at least three of them.
    timestep_fs
        Time between them, fs.
    trajectory
        What they are of, if it goes on.
    """
    if len(frames) < 3:
        return Mobility()
    first = frames[0]
    fastest = np.zeros(first.n_atoms)
    farthest = np.zeros((first.n_atoms, 3))
    for frame in frames:
        np.maximum(farthest, np.abs(frame.positions_ang - first.positions_ang), out=farthest)
        if frame.velocities_ang_fs is not None:
            np.maximum(fastest, np.linalg.norm(frame.velocities_ang_fs, axis=1), out=fastest)
    fixed = farthest == 0.0
    # of six digits, or fewer
    digit = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(first.positions_ang), 1.0))) - 5.0)
    near = farthest < _FEW * np.maximum(digit, rounding_of(frames) or 0.0)
    # a slow heavy atom may keep its rounded place for some frames
    still = fixed.all(axis=1) & ((fastest == 0.0) | (fastest * timestep_fs > _VISIBLE_ANG))
    still &= _no_chance(still, near.all(axis=1) & ~still & (fastest == 0.0))
    if _cell_changes(frames):  # a barostat may take atoms along
        rests = _rests_in_cell(frames, trajectory) if first.velocities_ang_fs is None else fastest == 0.0
        still |= rests & (first.masses_amu > 0.0)
    count = int(still.sum())
    if count == first.n_atoms:
        return Mobility()
    held, said = _held(frames, fixed, near, still, trajectory), []
    if count:
        who = f"{count} of {first.n_atoms} atoms do not move"
        said = [f"{who}: temperature and f-sum rule are those of the others"]
    if held is not None:
        who = f"{held.any(axis=(1, 2)).sum()} of {first.n_atoms} atoms move along some axes only"
        said += [f"{who}: temperature and f-sum rule are those of their motion"]
    stale = int((still & (fastest > 0.0)).sum())
    return Mobility(
        still if count else None,
        "; ".join(said),
        f"{stale} atoms have velocities but do not move: their velocities are taken as zero" if stale else "",
        held,
        0 if held is None else _freedom(held, first.masses_amu, anchored=count > 0),
    )


def _cell_changes(frames: Sequence[Frame]) -> bool:
    """Whether frames have different cells."""
    return any(not np.array_equal(frame.cell_ang, frames[0].cell_ang) for frame in frames)


def _rests_in_cell(frames: Sequence[Frame], trajectory: Trajectory | None) -> NDArray[np.bool_]:
    """Atoms whose fractional coordinates stay, (N,); none in a run too short to tell."""
    if trajectory is None or (trajectory.info.n_frames or 0) < PROBED + LATER:
        return np.zeros(frames[0].n_atoms, dtype=bool)
    off: NDArray[np.float64] = np.max([off_place(frames[0], frame) for frame in frames], axis=0)
    for frame in later_frames(trajectory) if (off <= _ON_PLANE_ANG).any() else ():
        np.maximum(off, off_place(frames[0], frame), out=off)
    rests, near = off <= _ON_PLANE_ANG, off <= _hardly_off(frames)
    return rests if _no_chance(rests, near & ~rests) else rests & False


def _hardly_off(frames: Sequence[Frame]) -> float:
    """How far off in Å six times as many are as chance, or rounding, keeps in their place."""
    return max((1.0 + _AS_MANY) * _ON_PLANE_ANG, _FEW * (rounding_of(frames) or 0.0))


def off_place(first: Frame, frame: Frame) -> NDArray[np.float64]:
    """How far atoms have moved relative to a cell that changes, (N,), Å; 0 within what writing rounds off."""
    moved = np.linalg.norm(midpoint_displacement(first, frame), axis=1)
    return np.asarray(np.where(moved > _ON_PLANE_ANG, moved, 0.0))


def _held(
    frames: Sequence[Frame],
    fixed: NDArray[np.bool_],
    near: NDArray[np.bool_],
    still: NDArray[np.bool_],
    trajectory: Trajectory | None,
) -> NDArray[np.float64] | None:
    """Projectors on directions that rest in all frames, of atoms that move."""
    first = frames[0]
    moving = ~still & (first.masses_amu > 0.0)
    if first.velocities_ang_fs is None:  # rounded places may be the same for some frames
        moves = [(a.positions_ang != b.positions_ang).any(axis=1) for a, b in pairwise(frames)]
        moving &= np.mean(moves, axis=0) > 0.5
    resting = np.broadcast_to(moving[:, None], fixed.shape).copy()
    for frame in frames:
        if frame.velocities_ang_fs is not None:
            resting &= frame.velocities_ang_fs == 0.0
    held = resting & fixed
    if not _no_chance(held, resting & near & ~fixed):
        held[:] = False
    for frame in () if trajectory is None or not held.any() else later_frames(trajectory):
        # by symmetry a motion may begin along some axes only
        held &= frame.positions_ang == first.positions_ang
        if frame.velocities_ang_fs is not None:
            held &= frame.velocities_ang_fs == 0.0
    found = _onto(held, np.eye(3))
    if trajectory is not None and (trajectory.info.n_frames or 0) >= PROBED + LATER:
        oblique = _held_in_cell(frames, moving, trajectory)
        found = np.where(_rank(oblique)[:, None, None] > _rank(found)[:, None, None], oblique, found)
    return found if found.any() else None


def _held_in_cell(
    frames: Sequence[Frame], moving: NDArray[np.bool_], trajectory: Trajectory
) -> NDArray[np.float64]:
    """Projectors on what rests where fractional coordinates do (selective dynamics in an oblique cell)."""
    first = frames[0]
    held, off = np.repeat(moving[:, None], 3, axis=1), np.zeros((first.n_atoms, 3))
    if abs(np.linalg.det(first.cell_ang)) < _VISIBLE_ANG:
        return _onto(held & False, np.eye(3))
    inverse = np.linalg.inv(first.cell_ang)
    lengths = np.linalg.norm(inverse, axis=0)
    for some in (frames, later_frames(trajectory)):
        for frame in some if held.any() else ():
            own = np.linalg.inv(frame.cell_ang)
            steps = frame.positions_ang @ own - first.positions_ang @ inverse
            np.maximum(off, np.abs(steps - np.rint(steps)) / lengths, out=off)
            if frame.velocities_ang_fs is not None:
                across = np.abs(frame.velocities_ang_fs @ own) / lengths
                held &= across <= _ON_PLANE_SHARE * np.sqrt(np.mean(frame.velocities_ang_fs**2))
        hardly = held & (off > _ON_PLANE_ANG) & (off <= _hardly_off(frames))
        held &= off <= _ON_PLANE_ANG
        held &= _no_chance(held, hardly)
    return _onto(held, inverse / lengths)


def _onto(held: NDArray[np.bool_], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Projectors (N, 3, 3) on what those of the axes (columns) span that are marked for each atom."""
    found, some = np.zeros((len(held), 3, 3)), held.any(axis=1)
    marked = axes * held[some, None]
    found[some] = marked @ np.linalg.pinv(marked)
    return found


def _rank(projectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.rint(np.trace(projectors, axis1=1, axis2=2)))


def later_frames(trajectory: Trajectory) -> Iterator[Frame]:
    """Yield some frames of the middle and of the end, if it is known; of the beginning, if not."""
    count = trajectory.info.n_frames or 0
    if not count:  # a running dynamics, a very large file
        yield from islice(trajectory.frames(4 * PROBED), 0, 6 * PROBED, PROBED)
    for skip in (count // 2, count - LATER):
        if skip >= PROBED:
            yield from islice(trajectory.frames(skip), LATER)


def _freedom(held: NDArray[np.float64], masses_amu: NDArray[np.float64], *, anchored: bool) -> int:
    """Degrees of freedom of components that do not move.

    Without atoms at rest three are those of the center of mass. Along an axis where atoms are held it has
    only a part of one, that of the mass that moves.
    """
    share = 0.0 if anchored else float(masses_amu @ _rank(held) / masses_amu.sum())
    return int(_rank(held).sum()) - round(share)


def _no_chance(rest: NDArray[np.bool_], hardly: NDArray[np.bool_]) -> bool:
    """Whether more are at rest than slow ones that keep their rounded place, beside what hardly moves."""
    chance = float(hardly.sum()) / _AS_MANY
    return bool(rest.sum() > chance + 4.0 * np.sqrt(chance))
