"""Atoms that do not move: found in the first frames, left out of degrees of freedom and of the f-sum rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bec_md.structure import Frame

#: Frames that are looked at.
PROBED = 24
#: A velocity that would have moved an atom by more between two frames is no motion of an atom at rest, Å.
_VISIBLE_ANG = 0.01


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
    """

    immobile: NDArray[np.bool_] | None = None
    remark: str = ""
    warning: str = ""

    def free(self, masses_amu: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which atoms move and have a mass, (N,)."""
        mass = masses_amu > 0.0
        return mass if self.immobile is None else mass & ~self.immobile


def find_immobile(frames: Sequence[Frame], timestep_fs: float) -> Mobility:
    """Find the atoms that do not move.

    Parameters
    ----------
    frames
        The first frames, at least three of them.
    timestep_fs
        Time between them, fs.
    """
    if len(frames) < 3:
        return Mobility()
    first = frames[0]
    still = np.ones(first.n_atoms, dtype=bool)
    fastest = np.zeros(first.n_atoms)
    for frame in frames[1:]:
        still &= (frame.positions_ang == first.positions_ang).all(axis=1)
    for frame in frames:
        if frame.velocities_ang_fs is not None:
            np.maximum(fastest, np.linalg.norm(frame.velocities_ang_fs, axis=1), out=fastest)
    # a slow heavy atom may keep its rounded place for some frames
    still &= (fastest == 0.0) | (fastest * timestep_fs > _VISIBLE_ANG)
    count = int(still.sum())
    if count in (0, first.n_atoms):
        return Mobility()
    stale = int((still & (fastest > 0.0)).sum())
    return Mobility(
        still,
        f"{count} of {first.n_atoms} atoms do not move: temperature and f-sum rule are those of the others",
        f"{stale} atoms have velocities but do not move: their velocities are taken as zero" if stale else "",
    )
