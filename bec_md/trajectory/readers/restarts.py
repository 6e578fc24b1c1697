"""Frames that a restart wrote again: a run that went on from an earlier step than its file had reached."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.structure import Frame
from bec_md.trajectory.velocities import midpoint_displacement

#: How far atoms may be from where they were at the same step: less than thermal motion, more than noise.
_SAME_ANG = 0.02
#: The same for velocities, of the largest; replicas from one frame begin with others.
_SAME_VELOCITY = 0.05


def repeated_frames(steps: ArrayLike, frame: Callable[[int], Frame] | None = None) -> NDArray[np.bool_]:
    """Frames whose steps come again further down, (T,); none where a counter begins anew.

    What follows the later ones is their continuation: the earlier ones are those to leave out. Those behind
    a restart reach further than all before; replicas that begin at one frame are to be read one by one.

    Parameters
    ----------
    steps
        (T,) of all frames.
    frame
        Reads one by its number: both frames of a step have to be the same, else it is another run.
    """
    counted = np.asarray(steps, dtype=np.float64)
    repeated = np.zeros(len(counted), dtype=bool)
    if len(counted) < 3 or not (counted[0] < counted[1:].min() and counted[-1] > counted[:-1].max()):
        return repeated
    if ((counted - counted[0]) % (counted[1] - counted[0])).any():
        return repeated
    repeated[:-1] = counted[:-1] >= np.minimum.accumulate(counted[:0:-1])[::-1]
    for first in np.flatnonzero(repeated & ~np.roll(repeated, 1)).tolist():
        if frame is None:
            break
        again = first + 1 + np.flatnonzero(counted[first + 1 :] == counted[first])
        if not len(again) or not _same(frame(first), frame(int(again[-1]))):
            return np.zeros(len(counted), dtype=bool)
    return repeated


def _same(one: Frame, two: Frame) -> bool:
    if not np.array_equal(one.numbers, two.numbers):
        return False
    if np.abs(midpoint_displacement(one, two)).max() >= _SAME_ANG:
        return False
    before, after = one.velocities_ang_fs, two.velocities_ang_fs
    if before is None or after is None:
        return True
    return bool(np.abs(after - before).max() <= _SAME_VELOCITY * np.abs(before).max())


def carried_times(times: ArrayLike, steps: ArrayLike) -> NDArray[np.float64]:
    """What to add to times that begin anew where steps go on, (T,), as behind `read_restart` of LAMMPS."""
    elapsed, counted = (
        np.diff(np.asarray(times, dtype=np.float64)),
        np.diff(np.asarray(steps, dtype=np.float64)),
    )
    carried = np.zeros(len(elapsed) + 1)
    for last in np.flatnonzero((elapsed < 0.0) & (counted > 0.0)).tolist():
        beside = last - 1 if last else last + 1
        if beside < len(elapsed) and elapsed[beside] > 0.0 and counted[beside] > 0.0:
            pace = elapsed[beside] / counted[beside]
            carried[last + 1 :] += pace * counted[last] - elapsed[last]
    return carried


def said_of(repeated: NDArray[np.bool_], source: str) -> str:
    """What is said of frames that are left out."""
    return (
        f"{source}: a restart wrote steps again that were there already: {int(repeated.sum())} frames from "
        f"frame {int(repeated.argmax())} on are left out for the later ones"
    )
