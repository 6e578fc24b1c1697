"""Atoms that do not move, or not along all axes: no degrees of freedom, no part in the f-sum rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.trajectory.plausibility import rounding_of

if TYPE_CHECKING:
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import Trajectory

#: Frames that are looked at, and later ones where components rest in all of these.
PROBED, LATER = 24, 4
#: A velocity that would have moved an atom by more between two frames is no motion of an atom at rest, Å.
_VISIBLE_ANG = 0.01
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
        (N, 3) components that do not move of atoms that do; None for none.
    held_count
        How many degrees of freedom these components have.
    """

    immobile: NDArray[np.bool_] | None = None
    remark: str = ""
    warning: str = ""
    held: NDArray[np.bool_] | None = None
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
    count = int(still.sum())
    if count == first.n_atoms:
        return Mobility()
    held, said = _held(frames, fixed, near, still, trajectory), []
    if count:
        who = f"{count} of {first.n_atoms} atoms do not move"
        said = [f"{who}: temperature and f-sum rule are those of the others"]
    if held is not None:
        who = f"{held.any(axis=1).sum()} of {first.n_atoms} atoms move along some axes only"
        said += [f"{who}: temperature and f-sum rule are those of their motion"]
    stale = int((still & (fastest > 0.0)).sum())
    return Mobility(
        still if count else None,
        "; ".join(said),
        f"{stale} atoms have velocities but do not move: their velocities are taken as zero" if stale else "",
        held,
        0 if held is None else _freedom(held, first.masses_amu, anchored=count > 0),
    )


def _held(
    frames: Sequence[Frame],
    fixed: NDArray[np.bool_],
    near: NDArray[np.bool_],
    still: NDArray[np.bool_],
    trajectory: Trajectory | None,
) -> NDArray[np.bool_] | None:
    """Components that rest in all frames, of atoms that move."""
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
    if not held.any() or not _no_chance(held, resting & near & ~fixed):
        return None
    for frame in () if trajectory is None else _later(trajectory):
        # by symmetry a motion may begin along some axes only
        held &= frame.positions_ang == first.positions_ang
        if frame.velocities_ang_fs is not None:
            held &= frame.velocities_ang_fs == 0.0
    return held if held.any() else None


def _later(trajectory: Trajectory) -> Iterator[Frame]:
    """Yield some frames of the middle and of the end, if the trajectory has one."""
    count = trajectory.info.n_frames or 0
    for skip in (count // 2, count - LATER):
        if skip >= PROBED:
            yield from islice(trajectory.frames(skip), LATER)


def _freedom(held: NDArray[np.bool_], masses_amu: NDArray[np.float64], *, anchored: bool) -> int:
    """Degrees of freedom of components that do not move.

    Without atoms at rest three are those of the center of mass. Along an axis where atoms are held it has
    only a part of one, that of the mass that moves.
    """
    share = 0.0 if anchored else float((masses_amu @ held).sum() / masses_amu.sum())
    return int(held.sum()) - round(share)


def _no_chance(rest: NDArray[np.bool_], hardly: NDArray[np.bool_]) -> bool:
    """Whether more are at rest than slow ones that keep their rounded place, beside what hardly moves."""
    chance = float(hardly.sum()) / _AS_MANY
    return bool(rest.sum() > chance + 4.0 * np.sqrt(chance))
