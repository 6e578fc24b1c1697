"""Which of several inputs are independent runs, and which are parts of one: parts are no replicas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, permutations

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.trajectory.clock import counter_of, counters_of
from bec_md.trajectory.frame import Trajectory
from bec_md.trajectory.velocities import midpoint_displacement
from bec_md.units import SAME_INTERVAL

#: Correlation of a step with the velocities at its ends, or with the steps beside it, that only one run has.
_SAME_MOTION, _SAME_STEPS = 0.95, 0.7
#: Differences of the same frame in two files: positions in Å, velocities relative to the fastest.
_SAME_ANG, _SAME_VELOCITY = 2e-5, 1e-4


@dataclass(frozen=True)
class Run:
    """One independent run.

    Parameters
    ----------
    members
        Numbers of the inputs that are its parts, in the order of time.
    repeated
        How many frames at the end of the part before each part holds again: the first one of these is read
        there, the others here (of a run that was killed and restarted from earlier on they may differ).
    """

    members: tuple[int, ...]
    repeated: tuple[int, ...]


@dataclass(frozen=True)
class _Ends:
    """The first two and the last two frames of a trajectory, and what it is called."""

    name: str
    trajectory: Trajectory
    head: list[Frame]
    tail: list[Frame]

    @classmethod
    def of(cls, name: str, trajectory: Trajectory) -> _Ends:
        """Read the ends of a trajectory."""
        n_frames = trajectory.info.n_frames
        head = list(islice(trajectory.frames(), 2))
        return cls(
            name,
            trajectory,
            head,
            [] if n_frames is None or n_frames < 2 else list(trajectory.frames(n_frames - 2)),
        )


def find_runs(trajectories: Sequence[Trajectory]) -> list[Run]:
    """Arrange whole trajectories (every stored frame of each) into independent runs.

    An input continues another one if its first frame is the next one of the motion there, or repeats its last
    frame; where frames lie too far apart to tell, the counters of both decide.

    Raises
    ------
    UsageError
        If one input holds all frames of another one, or two continue the same input.
    """
    names = _names(trajectories)
    for (name, first), (other, second) in combinations(zip(names, trajectories, strict=True), 2):
        if first.info.fingerprint == second.info.fingerprint:
            raise UsageError(
                f"{name} and {other} hold the same frames",
                "one run twice is no second run: the standard errors would come out too small by √2",
                "name every run once",
            )
    ends = list(map(_Ends.of, names, trajectories))
    return arrange(
        names,
        lambda one, other: _continues(ends[one], ends[other]),
        lambda one, other: _overlaps(ends[one], ends[other]),
    )


def _names(trajectories: Sequence[Trajectory]) -> list[str]:
    """What the inputs are called: files of one name, of several folders, by their numbers."""
    names = [trajectory.info.source for trajectory in trajectories]
    return [
        f"{name} (input {number})" if names.count(name) > 1 else name
        for number, name in enumerate(names, start=1)
    ]


def arrange(
    names: Sequence[str],
    continues: Callable[[int, int], int | None],
    overlaps: Callable[[int, int], int | None],
) -> list[Run]:
    """Arrange inputs into independent runs.

    Parameters
    ----------
    names
        What they are called.
    continues
        How much of the first one the second repeats as its continuation, by their numbers; None if it is
        none.
    overlaps
        The same where the second begins inside of the first; raises an error where it is no continuation.

    Raises
    ------
    UsageError
        If two inputs continue the same one, or one continues two.
    """
    following: dict[int, tuple[int, int]] = {}
    before: dict[int, int] = {}
    apart = list(permutations(range(len(names)), 2))
    for repeats in (continues, overlaps):
        pairs, apart = apart, []
        for one, other in pairs:
            # in a motion that recurs the order given is the order
            if one in _run_from(other, following).members:
                continue
            repeated = repeats(one, other)
            if repeated is None:
                apart.append((one, other))
                continue
            if one in following:
                raise _fork(names[following[one][0]], names[other], f"continue {names[one]}")
            if other in before:
                raise _fork(names[before[other]], names[one], f"end where {names[other]} begins")
            following[one], before[other] = (other, repeated), one
    return [_run_from(start, following) for start in range(len(names)) if start not in before]


def _run_from(start: int, following: dict[int, tuple[int, int]]) -> Run:
    members, repeated = [start], [0]
    while members[-1] in following:
        other, count = following[members[-1]]
        members.append(other)
        repeated.append(count)
    return Run(tuple(members), tuple(repeated))


def _fork(one: str, other: str, what: str) -> UsageError:
    return UsageError(
        f"{one} and {other} both {what}",
        "a run goes on in one way only; two continuations share their past and are no independent runs",
        "name one of them, or compute them apart",
    )


def _overlaps(one: _Ends, other: _Ends) -> int | None:
    """How many frames `other` has again that begins at an earlier frame of `one` than its last, by counters.

    Raises
    ------
    UsageError
        If both begin with the same frames, or `other` ends no later.
    """
    if len(one.head) < 2 or not other.head or not _alike(one, other):
        return None
    if len(other.head) > 1 and all(map(_same_frame, one.head, other.head)):
        raise UsageError(
            f"{one.name} and {other.name} begin with the same frames",
            "one run twice is no second run: the standard errors would come out too small by √2",
            "name every run once: the longer one, if one is a part of the other",
        )
    if not one.tail or not other.tail or one.trajectory.info.n_frames is None:
        return None
    counted = [counters_of(frame) for frame in (*one.head, one.tail[-1], other.head[0], other.tail[-1])]
    for name in counted[0]:  # one may begin anew: the time of LAMMPS does behind read_restart
        if not all(name in counters for counters in counted):
            continue
        first, second, last, begin, end = (counters[name] for counters in counted)
        if not first < begin < last or not first < second:
            continue
        number = (begin - first) / (second - first)
        if abs(number - round(number)) > 0.01:
            continue
        same = next(iter(one.trajectory.frames(round(number))), None)
        if same is None or not _same_frame(same, other.head[0]):
            continue
        if end > last:
            return one.trajectory.info.n_frames - same.index
        raise UsageError(
            f"{other.name} begins with frame {same.index} of {one.name}, which goes on as long or longer",
            "the frames that both hold would count twice",
            f"leave {other.name} out",
        )
    return None


def _alike(one: _Ends, other: _Ends) -> bool:
    """Whether both hold the same atoms and arrays at the same interval."""
    first, second = one.trajectory.info, other.trajectory.info
    steps = first.timestep_fs or 0.0, second.timestep_fs or 0.0
    same = first.has_velocities == second.has_velocities and np.isclose(*steps, rtol=SAME_INTERVAL, atol=0.0)
    return bool(same) and np.array_equal(first.numbers, second.numbers)


def _continues(one: _Ends, other: _Ends) -> int | None:
    """How many frames `other` repeats as the continuation of `one`; None if it is none."""
    interval_fs = one.trajectory.info.timestep_fs
    if len(one.tail) < 2 or len(other.head) < 2 or interval_fs is None or not _alike(one, other):
        return None
    last, next_ = one.tail[-1], other.head[0]
    moving = last.velocities_ang_fs is not None
    before, after = midpoint_displacement(one.tail[0], last), midpoint_displacement(next_, other.head[1])
    smooth = moving or _correlation(before, after) >= _SAME_STEPS
    if _same_frame(last, next_):
        return 1 if smooth or _counts_on(one, other, 0) else None
    step, pace = midpoint_displacement(last, next_), _pace(one.tail, other.head, interval_fs)
    if not step.any() or np.abs(step).max() > 3.0 * np.abs(pace).max():
        return None
    limit = _SAME_MOTION if moving else _SAME_STEPS
    if _correlation(step, pace) >= limit:
        return 0 if smooth else None
    ends = (before, one.tail[:1], one.tail[1:]), (after, other.head[:1], other.head[1:])
    unresolved = moving and max(_correlation(u, _pace(a, b, interval_fs)) for u, a, b in ends) < limit
    return 0 if unresolved and _counts_on(one, other, 1) else None


def follows(before: Frame, last: Frame, first: Frame, after: Frame) -> bool:
    """Whether the step from `last` to `first` is one of the motion on both sides, as positions tell it."""
    one, two = midpoint_displacement(before, last), midpoint_displacement(first, after)
    step, pace = midpoint_displacement(last, first), 0.5 * (one + two)
    if not step.any() or np.abs(step).max() > 3.0 * np.abs(pace).max():
        return False
    return min(_correlation(one, two), _correlation(step, pace)) >= _SAME_STEPS


def _pace(tail: Sequence[Frame], head: Sequence[Frame], interval_fs: float) -> NDArray[np.float64]:
    """What the step from the last frame of `tail` to the first one of `head` should be, Å."""
    one, two = tail[-1].velocities_ang_fs, head[0].velocities_ang_fs
    if one is not None and two is not None:
        return 0.5 * (one + two) * interval_fs
    before, after = midpoint_displacement(tail[0], tail[-1]), midpoint_displacement(head[0], head[1])
    return 0.5 * (before + after)


def _counts_on(one: _Ends, other: _Ends, steps: int) -> bool:
    """Whether the counter of the first frame of `other` is so many steps after the last one of `one`."""
    counters = [counter_of(frame, None) for frame in (*one.tail, other.head[0])]
    values = [counter.value for counter in counters if counter is not None]
    if len(values) < 3 or len({counter.name for counter in counters if counter is not None}) != 1:
        return False
    step = values[1] - values[0]
    return step > 0.0 and abs(values[2] - values[1] - steps * step) <= 0.01 * step


def _same_frame(one: Frame, two: Frame) -> bool:
    """Whether two files hold the same frame, within the digits that they keep."""
    if np.abs(midpoint_displacement(one, two)).max() > _SAME_ANG:
        return False
    before, after = one.velocities_ang_fs, two.velocities_ang_fs
    if before is None or after is None:
        return True
    return bool(np.abs(after - before).max() <= _SAME_VELOCITY * np.abs(before).max())


def _correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    scale = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / scale if scale > 0.0 else 0.0
