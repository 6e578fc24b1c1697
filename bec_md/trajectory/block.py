"""Frames of a pass, many at once: a few sums tell that nothing is wrong with any of them.

Text of small systems is parsed in some 30 µs a frame, so that checks frame by frame would cost as much as
reading. Here every question is asked once for a block; only a block that is not clear beyond doubt is looked
at frame by frame (`bec_md.trajectory.checks`, `bec_md.trajectory.plausibility`): there faults get names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from math import prod
from operator import attrgetter, is_, is_not
from typing import cast

import numpy as np

from bec_md.arrays import Array
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES
from bec_md.trajectory.motion import Motion
from bec_md.trajectory.plausibility import FAR_ANG

#: Arrays of many frames, which `map` collects without a step of Python for each.
_NUMBERS, _POSITIONS, _VELOCITIES, _LABELS, _TIME, _STEP, _CELL = map(
    attrgetter,
    ("numbers", "positions_ang", "velocities_ang_fs", "labels", "time_fs", "step", "cell_ang"),
)
#: Squares of numbers whose sum is no damage.
_LARGEST_SQUARE = 1e60
#: Numbers that are subtracted at once: they stay in the cache, in memory that the process holds already.
_PIECE = 16_000
#: Size of arrays in bytes up to which joining them costs less than copying them one by one.
_SMALL = 512
_ALL = slice(None)


class Stack:
    """Arrays of one frame each as one, in memory that serves one block after the other.

    Pages that a process asks for anew cost more than what is written there.
    """

    def __init__(self) -> None:
        self._held: dict[str, Array] = {}

    def of(self, name: str, arrays: list[Array], shape: tuple[int, ...]) -> Array:
        """Return the arrays, read or overwritten by the next call of this name."""
        if arrays[0].nbytes <= _SMALL:
            return _joined(arrays, shape)
        size = prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size)
        found = held[:size].reshape(shape)
        np.concatenate(arrays, out=found.reshape(-1, *shape[2:]))
        return found


def _joined(arrays: list[Array], shape: tuple[int, ...]) -> Array:
    """Small arrays as one; bytes are joined, read-only, in a third of the time."""
    if arrays[0].dtype == arrays[-1].dtype == np.float64:  # a reader makes all of them alike
        try:
            return np.frombuffer(b"".join(cast("list[memoryview]", arrays))).reshape(shape)
        except (TypeError, BufferError):  # they are not contiguous
            pass
    return np.concatenate(arrays).reshape(shape)


class Block(ABC):
    """Successive frames of the same atoms and the arrays that all of them hold.

    Parameters
    ----------
    frames
        The last frames of the block before, then those of this one.
    old
        How many of them belong to the block before.
    """

    def __init__(self, frames: Sequence[Frame], old: int) -> None:
        self.frames, self.old = frames, old

    @abstractmethod
    def positions_of(self, atoms: slice) -> Array:
        """Positions of some atoms, (F, n, 3), Å."""

    @abstractmethod
    def velocities_of(self, atoms: slice) -> Array | None:
        """Velocities of some atoms, (F, n, 3), Å/fs, or None."""

    @cached_property
    def cells_ang(self) -> Array:
        """Lattice vectors: (1, 3, 3) when they are the same in all frames, else (F, 3, 3)."""
        first = self.frames[0].cell_ang
        found = list(map(_CELL, self.frames))
        if all(map(is_, found, repeat(first))):
            return first[None]
        cells = _joined(found, (-1, 3, 3))
        return cells[:1] if (cells == first).all() else cells

    @cached_property
    def counters(self) -> tuple[str, Array] | None:
        """Times in fs or numbers of steps of all frames; None if not every frame has them."""
        times = list(map(_TIME, self.frames))
        if None not in times:
            return "time", np.array(times, dtype=np.float64)
        steps = list(map(_STEP, self.frames))
        if times.count(None) == len(times) and None not in steps:
            return "step", np.array(steps, dtype=np.float64)
        return None

    @property
    def counted(self) -> bool:
        """Whether a frame has a time or a step."""
        return any(frame.time_fs is not None or frame.step is not None for frame in self.frames)

    def motion(self, atoms: slice) -> Motion:
        """Positions and velocities of some atoms."""
        first = self.frames[0]
        return Motion(
            self.positions_of(atoms),
            self.cells_ang,
            first.pbc,
            first.masses_amu[atoms],
            self.velocities_of(atoms),
        )

    def finite(self) -> bool:
        """Whether velocities and tensors are numbers of a usual size, positions of a single frame too."""
        arrays = [self.velocities_of(_ALL), self.positions_of(_ALL) if len(self.frames) == 1 else None]
        if CHARGES in self.frames[0].labels:
            arrays += [frame.born_effective_charges for frame in self.frames[self.old :]]
        with np.errstate(over="ignore", invalid="ignore"):
            return all(values is None or _square(values) < _LARGEST_SQUARE for values in arrays)

    def in_place(self) -> bool:
        """Whether no two atoms of a frame have moved so far that they may have exchanged places.

        Positions that are no numbers are in no place.
        """
        since = max(self.old - 1, 0)
        positions = self.positions_of(_ALL)[since:]
        farthest = _farthest_step(positions)
        if farthest <= FAR_ANG:
            return True
        if not farthest * farthest < _LARGEST_SQUARE:  # ** would raise an OverflowError
            return False
        moved = np.diff(positions, axis=0)
        far = np.abs(moved).max(axis=2) > FAR_ANG
        frame, atom = np.nonzero(far)
        cells = self.cells_ang
        own = cells[0] if len(cells) == 1 else cells[since + 1 + frame]
        # The nearest image by rounding is never closer than the true one: what is near here is near.
        steps = moved[frame, atom][:, None]
        images = np.rint(steps @ np.linalg.inv(own)) * self.frames[0].pbc
        steps = (steps - images @ own)[:, 0]
        jumped = np.einsum("ka,ka->k", steps, steps) > FAR_ANG**2
        return bool(np.bincount(frame[jumped], minlength=1).max() < 2)


@dataclass(frozen=True)
class StackedBlock(Block):
    """Frames whose arrays have been stacked.

    Parameters
    ----------
    frames, old
        As in `Block`.
    positions_ang
        (F, N, 3), Å.
    velocities_ang_fs
        (F, N, 3), Å/fs, or None.
    """

    frames: Sequence[Frame]
    old: int
    positions_ang: Array
    velocities_ang_fs: Array | None

    @classmethod
    def of(
        cls, first: Frame, before: Sequence[Frame], frames: Sequence[Frame], stack: Stack
    ) -> StackedBlock | None:
        """Stack frames like `first`; None if one of them holds other atoms or other arrays."""
        joined = [*before, *frames]
        numbers = list(map(_NUMBERS, joined))
        if any(map(is_not, numbers, repeat(first.numbers))) and not all(
            np.array_equal(found, first.numbers) for found in numbers
        ):
            return None
        labels = list(map(_LABELS, joined))
        if (first.labels or any(labels)) and len({CHARGES in found for found in (first.labels, *labels)}) > 1:
            return None
        moving = first.velocities_ang_fs is not None
        stored = list(map(_VELOCITIES, joined))
        if list(map(is_, stored, repeat(None))).count(moving):
            return None
        shape = (len(joined), first.n_atoms, 3)
        return cls(
            joined,
            len(before),
            stack.of("positions", list(map(_POSITIONS, joined)), shape),
            stack.of("velocities", stored, shape) if moving else None,
        )

    def positions_of(self, atoms: slice) -> Array:
        """Positions of some atoms, (F, n, 3), Å."""
        return self.positions_ang[:, atoms]

    def velocities_of(self, atoms: slice) -> Array | None:
        """Velocities of some atoms, (F, n, 3), Å/fs, or None."""
        return None if self.velocities_ang_fs is None else self.velocities_ang_fs[:, atoms]


def _farthest_step(positions: Array) -> float:
    """Largest change of a number from one frame to the next; not a number where one of them is none."""
    rows = max(_PIECE // max(positions[0].size, 1), 1)
    farthest = [0.0]
    for start in range(0, len(positions) - 1, rows):
        after = positions[start + 1 : start + rows + 1]
        moved = after - positions[start : start + len(after)]
        farthest += [float(moved.max()), -float(moved.min())]
    return float(np.max(farthest))


def _square(values: Array) -> float:
    flat = values.reshape(-1)
    return float(np.einsum("i,i->", flat, flat))
