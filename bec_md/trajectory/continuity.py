"""Whether every frame follows the one before it: repeated frames, gaps, restarts, foreign frames, intervals.

The step from frame to frame is compared with the mean velocity at its ends (with its neighbors where no
velocities are stored): 1 is the usual step, 0 a repeated frame, 2 a missing one, −1 a step back in time. From
where the interval is another one, all steps are longer or shorter. A few atoms tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.trajectory.block import Block
from bec_md.trajectory.motion import Motion, Pace
from bec_md.trajectory.reader import place
from bec_md.trajectory.scaled_velocities import Changes, ScaledVelocities

#: Atoms compared in every frame.
_ATOMS = 16
#: Steps, in units of the usual one, from which frames are missing, below which one repeats, and backwards.
_GAP, _REPEAT, _BACK = 1.6, 0.3, -0.5
#: Steps that are no motion, Å.
_AT_REST_ANG = 1e-5
#: Probability of an equal frame by chance from which it means nothing.
_BY_CHANCE = 1e-6
#: Correlation of step and velocity that a verdict of a gap needs.
_CLEAR = 0.9
#: Ratio of successive steps from which the interval has changed: beside velocities, and alone, where a
#: thermostat may have scaled the velocities.
_CHANGED, _CHANGED_ALONE = 1.12, 1.4
#: How many times as large as the changes beside it, as the usual one and as what lies across it it is.
_BESIDE, _USUAL, _ACROSS = 4.0, 8.0, 2.0
#: Steps on each side of a change, all of which lie a third of it apart from those of the other side.
_SIDE = 6
#: Frames of the block before that a block repeats: a change needs two steps before and three after it.
LOOK_BACK = 5


@dataclass(frozen=True)
class Break:
    """The first frame of a block that does not follow the one before it."""

    position: int
    error: DataError


class Continuity:
    """Looks at blocks of successive frames.

    Parameters
    ----------
    source
        Name of the trajectory.
    interval_fs
        Time between frames as the motion shows it, when velocities and displacements agree; None compares
        displacements with their neighbors.
    resolved
        Whether frames lie close enough for a verdict; else only exact repetitions are seen.
    changes
        Where changes of velocities are kept besides.
    """

    def __init__(
        self, source: str, interval_fs: float | None, *, resolved: bool, changes: Changes | None = None
    ) -> None:
        self._source = source
        self._interval_fs = interval_fs
        self._resolved = resolved
        self.velocities = None if interval_fs is None else ScaledVelocities(changes)

    def first_break(self, block: Block) -> Break | None:
        """Find the first break among the new frames of a block."""
        if len(block.frames) < 2:
            return None
        atoms = slice(None, None, -(-len(block.frames[0].numbers) // _ATOMS))
        if not self._resolved:
            return self._repetition(block, atoms)
        motion = block.motion(atoms)
        pace = None if self._interval_fs is None else Pace.of(motion, self._interval_fs)
        if self.velocities is not None and pace is not None:
            self.velocities.look(block, pace)
        if _regular(motion, pace):
            return None
        found = self._repetition(block, atoms)
        if found is not None:
            return found
        # Where the interval changes, steps look like gaps too.
        arguments = block.frames, motion, block.old
        return self._change(*arguments) or self._jump(*arguments)

    def _repetition(self, block: Block, atoms: slice) -> Break | None:
        one = block.positions_of(slice(1))
        if not (one[1:] == one[:-1]).all(axis=(1, 2)).any():
            return None
        frames, old, positions = block.frames, block.old, block.positions_of(atoms)
        equal = positions[1:] == positions[:-1]
        same = equal.all(axis=(1, 2))
        # Coarsely rounded coordinates of a few slow atoms may stay the same by chance.
        usual = float(np.median(equal.mean(axis=(1, 2)))) if same.any() else 0.0
        n_numbers = 3 * len(frames[0].numbers)
        if frames[0].velocities_ang_fs is None and usual**n_numbers > _BY_CHANCE:
            return None
        for number in np.flatnonzero(same).tolist():
            before, after = frames[number], frames[number + 1]
            at_rest = after.velocities_ang_fs is not None and not after.velocities_ang_fs.any()
            if number + 1 >= old and not at_rest and _equal(before, after):
                where = place(self._source, after.index)
                return self._break(
                    number + 1 - old,
                    f"{where} equals the frame before it in every number",
                    "a restart often writes its first frame twice, and a step of zero spoils the spectrum",
                    after.index,
                )
        return None

    def _jump(self, frames: Sequence[Frame], motion: Motion, old: int) -> Break | None:
        steps, pace, squares, offset = self._paces(motion)
        if len(steps) == 0:
            return None
        products = np.einsum("fia,fia->f", steps, pace)
        paths, norms = np.einsum("fia,fia->f", steps, steps), np.einsum("fia,fia->f", pace, pace)
        # near a turning point of all atoms nothing can be said, nor of atoms at rest in a cell that changes
        usable = (norms > 0.1 * squares) & (squares > float(motion.masses_amu.sum()) * _AT_REST_ANG**2)
        slopes = np.divide(products, norms, out=np.ones_like(norms), where=usable)
        correlation = np.divide(
            products, np.sqrt(paths * norms), out=np.zeros_like(norms), where=paths * norms > 0
        )
        clear = usable & (np.abs(correlation) >= _CLEAR)
        broken = (
            (clear & ((slopes > _GAP) | (slopes < _BACK)))
            | (usable & (paths < _REPEAT**2 * norms))
            | (paths > 16.0 * squares + float(motion.masses_amu.sum()) * 3 * 0.05**2)
        )
        for number in np.flatnonzero(broken).tolist():
            if offset:  # a break spoils the means at its neighbors too: the oddest of them is the one
                near = [n for n in range(number, min(number + 3, len(broken))) if broken[n]]
                usual = float(np.median(paths)) or 1.0
                number = max(near, key=lambda n: abs(float(np.log(max(paths[n], 1e-30 * usual) / usual))))
            frame = number + offset + 1
            if frame >= old - offset:  # the step to the last frame of a block has its neighbors in the next
                still = bool(paths[number] < _REPEAT**2 * norms[number])
                slope = float(slopes[number]) if clear[number] else None
                for rest in frames[max(frame - 1, 0) : frame + 1]:
                    if rest.velocities_ang_fs is not None and not rest.velocities_ang_fs.any():
                        return self._at_rest(rest, max(frame - old, 0))
                return self._described(frames[frame], max(frame - old, 0), slope, still=still)
        return None

    def _change(self, frames: Sequence[Frame], motion: Motion, old: int) -> Break | None:
        """Find where all steps become longer or shorter at once, each along the one before it."""
        steps, pace, _, offset = self._paces(motion)
        if offset:  # every step against the one before it
            steps = motion.moved_ang * np.sqrt(motion.masses_amu[:, None])
            along = np.sqrt(np.einsum("fia,fia->f", steps, steps))
            cosine = np.einsum("fia,fia->f", steps[1:], steps[:-1]) / np.maximum(
                along[1:] * along[:-1], 1e-300
            )
        else:
            norms = np.maximum(np.einsum("fia,fia->f", pace, pace), 1e-300)
            along = np.einsum("fia,fia->f", steps, pace) / norms
            lengths = np.sqrt(np.einsum("fia,fia->f", steps, steps) / norms)
            cosine = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0.0)
            cosine = np.minimum(cosine[1:], cosine[:-1])
        if len(along) < 4 or not (along > 0.0).all():
            return None
        log = np.log(along)
        growth = np.diff(log)
        size = np.abs(growth)
        least = max(np.log(_CHANGED_ALONE if offset else _CHANGED), _USUAL * float(np.median(size)))
        middle, beside = size[1:-1], np.maximum(size[:-2], size[2:])
        across = np.sqrt(np.maximum(1.0 - cosine[1:-1] ** 2, 0.0)) / np.maximum(cosine[1:-1], 1e-300)
        changed = (middle > least) & (middle > _BESIDE * beside) & (np.expm1(middle) > _ACROSS * across)
        for number in np.flatnonzero(changed).tolist():
            frame = number + 3
            if frame >= old - 2 and _lasting(log, number + 2, float(growth[number + 1])):
                where, ratio = place(self._source, frames[frame].index), float(np.exp(growth[number + 1]))
                return self._break(
                    max(frame - old, 0),
                    f"{where}: from here on its atoms move {ratio:.2g} times as far in each interval",
                    "a spectrum needs equal intervals and one temperature, and one of the two changes here",
                    frames[frame].index,
                )
        return None

    def _paces(self, motion: Motion) -> tuple[Array, Array, Array, int]:
        """Steps, what they should be, the mean square of the two ends, and the number of the first step."""
        if motion.velocities_ang_fs is not None and self._interval_fs is not None:
            # Velocities may be those about a center of mass at rest, or a drift may be missing in positions.
            steps = motion.centered(motion.moved_ang)
            ends = motion.centered(motion.velocities_ang_fs) * self._interval_fs
            offset = 0
        else:
            steps = ends = motion.moved_ang * np.sqrt(motion.masses_amu[:, None])
            offset = 1
        if offset:  # a step against the mean of the steps before and after it
            steps, before, after = steps[1:-1], ends[:-2], ends[2:]
        else:
            before, after = ends[:-1], ends[1:]
        pace = 0.5 * (before + after)
        squares = 0.5 * (np.einsum("fia,fia->f", before, before) + np.einsum("fia,fia->f", after, after))
        return steps, pace, squares, offset

    def _described(self, frame: Frame, position: int, ratio: float | None, *, still: bool) -> Break:
        """Say what a step is: `ratio` of it to the usual one where it is along the motion."""
        where, why = place(self._source, frame.index), "a spectrum needs frames at equal intervals"
        if still:
            what = f"{where}: its atoms have hardly moved since the frame before it"
            why += ": a restart wrote this time twice"
        elif ratio is not None and ratio > 0.0:
            what = f"{where}: its atoms have moved {ratio:.2g} times as far as in the usual interval"
            why += ": frames are missing here"
        elif ratio is not None:
            what, why = f"{where}: its atoms have moved backwards in time", why + ": a restart overlaps here"
        else:
            what = f"{where}: its atoms have jumped since the frame before it"
            why += ": frames are missing, replicas were exchanged, or another run begins here"
        return self._break(position, what, why, frame.index)

    def _at_rest(self, frame: Frame, position: int) -> Break:
        what = f"{place(self._source, frame.index)}: its velocities are all 0, while its atoms move"
        before = f"the part before it with `stop={frame.index}` and " if frame.index else ""
        fix = f"read {before}the rest with `start={frame.index + 1}`, or use `velocities=none`"
        return Break(position, DataError(what, "they were not written, and J would be 0 there", fix))

    def _break(self, position: int, what: str, why: str, index: int) -> Break:
        fix = (
            f"read the part before it with `stop={index}` and the rest with `start={index}`, or mend it: "
            "take repeated frames out, put missing ones in"
        )
        return Break(position, DataError(what, why, fix))


def _lasting(log: Array, first: int, growth: float) -> bool:
    """Whether steps from `first` on keep what they have gained: noise of a thermostat comes and goes."""
    before, after = log[max(first - _SIDE, 0) : first], log[first : first + _SIDE]
    apart = after.min() - before.max() if growth > 0.0 else before.min() - after.max()
    return len(after) > 2 and bool(apart > abs(growth) / 3.0)


def _regular(motion: Motion, pace: Pace | None) -> bool:
    """Whether every step is the usual one within a half: then none repeats, misses or turns back.

    Of any motion of the center of mass in one of positions and velocities alone `_jump` has to judge.
    """
    if pace is not None:
        beside, usual = pace.beside, 0.25 * pace.squares
        along, least = 1.0 + np.einsum("fk,fk->f", beside, pace.ends) / (2.0 * usual + 1e-300), _CHANGED
    else:
        roots = np.repeat(np.sqrt(motion.masses_amu), 3)
        steps = motion.moved_ang.reshape(-1, len(roots)) * roots
        if not steps.any(axis=1).all():
            return False
        mean = 0.5 * (steps[:-2] + steps[2:])
        beside, usual = steps[1:-1] - mean, np.einsum("fk,fk->f", mean, mean)
        along, least = np.sqrt(np.einsum("fk,fk->f", steps, steps)), _CHANGED_ALONE
    if (
        len(along) > 1
        and not (np.maximum(along[1:], along[:-1]) < least * np.minimum(along[1:], along[:-1])).all()
    ):
        return False
    return bool((np.einsum("fk,fk->f", beside, beside) < 0.25 * usual).all())


def _equal(before: Frame, after: Frame) -> bool:
    if not np.array_equal(before.positions_ang, after.positions_ang):
        return False
    one, two = before.velocities_ang_fs, after.velocities_ang_fs
    return one is None or two is None or np.array_equal(one, two)
