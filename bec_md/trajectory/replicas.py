"""Whether several inputs are independent runs, or one run in parts: parts are no replicas."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, islice, permutations

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.trajectory.frame import Trajectory
from bec_md.trajectory.velocities import midpoint_displacement

#: Correlation of a step with the velocities at its ends, or with the steps beside it, that only one run has.
_SAME_MOTION, _SAME_STEPS = 0.95, 0.7


def refuse_parts_of_one_run(trajectories: Sequence[Trajectory]) -> None:
    """Refuse inputs of which one continues another, or is the same.

    Raises
    ------
    UsageError
        With the two names, and what to do.
    """
    for first, second in combinations(trajectories, 2):
        if first.info.fingerprint == second.info.fingerprint:
            raise UsageError(
                f"{first.info.source} and {second.info.source} hold the same frames",
                "one run twice is no second run: the standard errors would come out too small by √2",
                "name every run once",
            )
    ends = [_ends(trajectory) for trajectory in trajectories]
    for (one, tail), (other, head) in (
        ((trajectories[i], ends[i][1]), (trajectories[j], ends[j][0]))
        for i, j in permutations(range(len(trajectories)), 2)
    ):
        if one.info.timestep_fs == other.info.timestep_fs and _continues(tail, head, one.info.timestep_fs):
            raise UsageError(
                f"{other.info.source} continues {one.info.source}: its first frame follows the last there",
                "parts of one run are no replicas: each alone has less resolution than the run, and their "
                "average claims errors of independent runs",
                f"join them into one file (text formats: cat {one.info.source} {other.info.source}), without "
                "the frame that both may hold",
            )


def _ends(trajectory: Trajectory) -> tuple[list[Frame], list[Frame]]:
    """The first two and the last two frames."""
    n_frames = trajectory.info.n_frames
    head = list(islice(trajectory.frames(), 2))
    return head, [] if n_frames is None or n_frames < 2 else list(trajectory.frames(n_frames - 2))


def _continues(tail: Sequence[Frame], head: Sequence[Frame], interval_fs: float | None) -> bool:
    """Whether the frames `head` are the next ones of the run that ends with `tail`."""
    if len(tail) < 2 or len(head) < 2 or interval_fs is None:
        return False
    last, next_ = tail[-1], head[0]
    if not np.array_equal(last.numbers, next_.numbers):
        return False
    step = midpoint_displacement(last, next_)
    one, two = last.velocities_ang_fs, next_.velocities_ang_fs
    if one is not None and two is not None:
        pace = 0.5 * (one + two) * interval_fs
        near = np.abs(step).max() <= 3.0 * np.abs(pace).max()
        repeated = np.array_equal(one, two) and not step.any()
        return bool(repeated or (near and _correlation(step, pace) >= _SAME_MOTION))
    before, after = midpoint_displacement(tail[0], last), midpoint_displacement(next_, head[1])
    if _correlation(before, after) < _SAME_STEPS:
        return False
    near = np.abs(step).max() <= 3.0 * np.abs(before).max()
    return bool(not step.any() or (near and _correlation(step, before + after) >= _SAME_STEPS))


def _correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    scale = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / scale if scale > 0.0 else 0.0
