r"""Frames with their tensors: evaluated in batches, at every frame or at every k-th with interpolation.

The trajectory is cut into blocks that are counted from its first frame, and each block is one call of the
charge source. Where reading starts (after a resume, in a parallel shard) does not change the blocks, so
the same frame always meets the same batch and gets the same bits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from bec_md.arrays import Array
from bec_md.charges.source import ChargeBatch
from bec_md.current.interpolation import lagrange_weights, node_window, weighted_sum
from bec_md.current.options import Interpolation
from bec_md.errors import BecMDError
from bec_md.pending import Pending
from bec_md.trajectory.prefetch import prefetch

if TYPE_CHECKING:
    from bec_md.charges.source import ChargeSource
    from bec_md.structure import Frame

Label = TypeVar("Label")

#: Batches that are started before the oldest one is waited for.
AHEAD = 1


class FrameStream(Protocol):
    """What is needed of a trajectory here."""

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Read frames after the first `skip`."""
        ...


@dataclass(frozen=True)
class Sampling:
    """At which frames tensors are evaluated.

    Parameters
    ----------
    batch
        Frames evaluated in one call.
    charge_stride
        Evaluate every k-th frame; the frames between are interpolated.
    interpolation
        ``"cubic"`` or ``"linear"``.
    check_every
        One segment in so many has a held-out frame in its middle, where the interpolation is compared
        with the evaluated tensors.
    held
        Batches that share the tensors of their first frame, where the current itself needs none.
    """

    batch: int
    charge_stride: int = 1
    interpolation: Interpolation = "cubic"
    check_every: int = 8
    held: int = 1

    @property
    def block(self) -> int:
        """Frames that belong to one call of the charge source."""
        return self.batch * self.charge_stride * self.held

    def first_block(self, start: int) -> int:
        """Return the block where reading has to begin so that frame `start` gets all its keys."""
        key = start // self.charge_stride - (1 if self.charge_stride > 1 else 0)
        return max(0, key) * self.charge_stride // self.block


@dataclass(frozen=True)
class ChargedFrames:
    """Consecutive frames with their tensors.

    Parameters
    ----------
    start
        Number of the first frame, counted along the trajectory's iteration.
    frames, charges
        F frames and their tensors.
    held_out
        Number of a frame → its evaluated tensors (N, 3, 3), where `charges` are interpolated.
    """

    start: int
    frames: list[Frame]
    charges: ChargeBatch
    held_out: dict[int, Array] = field(default_factory=dict)


def charged_frames(
    trajectory: FrameStream, source: ChargeSource, sampling: Sampling, start: int = 0
) -> Iterator[ChargedFrames]:
    """Yield the frames from number `start` on, with tensors; a thread reads ahead.

    Parameters
    ----------
    trajectory
        Where frames come from.
    source
        Where tensors come from.
    sampling
        Batch, stride and interpolation.
    start
        Number of the first frame that is wanted.
    """
    first = sampling.first_block(start)
    frames = trajectory.frames(skip=first * sampling.block)
    blocks = prefetch(_cut(frames, sampling.block), depth=2)
    try:
        if sampling.charge_stride == 1:
            found = _every_frame(blocks, source, first * sampling.block)
        else:
            found = _Interpolated(source, sampling, first * sampling.block).run(blocks)
        for piece in found:
            if piece.start + len(piece.frames) > start:
                yield _from_frame(piece, start)
    finally:
        blocks.close()


def _cut(frames: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    while block := list(islice(frames, size)):
        yield block


def _every_frame(blocks: Iterator[list[Frame]], source: ChargeSource, base: int) -> Iterator[ChargedFrames]:
    for block, charges in evaluated_ahead(source, ((block, block) for block in blocks)):
        yield ChargedFrames(base, block, charges)
        base += len(block)


def evaluated_ahead(
    source: ChargeSource, batches: Iterable[tuple[Label, list[Frame]]]
) -> Iterator[tuple[Label, ChargeBatch]]:
    """Yield (label, tensors) of (label, frames) in order, the next batch started before one is waited for.

    A source without `submit` evaluates each batch when its turn comes.
    """
    start = getattr(source, "submit", None)
    if start is None:
        for label, frames in batches:
            yield label, source.evaluate(frames)
        return
    under_way: deque[tuple[Label, Pending[ChargeBatch]]] = deque()
    error: BecMDError | None = None
    remaining = iter(batches)
    while True:
        try:
            label, frames = next(remaining)
            under_way.append((label, start(frames)))
        except StopIteration:
            break
        except BecMDError as caught:  # raised after what was started before
            error = caught
            break
        if len(under_way) > AHEAD:
            done, pending = under_way.popleft()
            yield done, pending.result()
    while under_way:
        done, pending = under_way.popleft()
        yield done, pending.result()
    if error is not None:
        raise error


def _from_frame(piece: ChargedFrames, start: int) -> ChargedFrames:
    cut = start - piece.start
    if cut <= 0:
        return piece
    return ChargedFrames(start, piece.frames[cut:], piece.charges[cut:], piece.held_out)


@dataclass(frozen=True)
class _Wanted:
    """A block of frames and the numbers of those whose tensors are evaluated."""

    base: int
    block: list[Frame]
    numbers: list[int]
    keys: set[int]
    last: bool


class _Interpolated:
    """Evaluate keys block by block and emit the frames whose nodes are all known."""

    def __init__(self, source: ChargeSource, sampling: Sampling, base: int) -> None:
        self.source, self.sampling, self.base = source, sampling, base
        self.cubic = sampling.interpolation == "cubic"
        self.keys: list[int] = []
        self.values: list[ChargeBatch] = []
        self.held_out: dict[int, Array] = {}
        self.waiting: deque[tuple[int, Frame]] = deque()

    def run(self, blocks: Iterator[list[Frame]]) -> Iterator[ChargedFrames]:
        """Yield frames with their tensors, evaluated or interpolated."""
        for wanted, batch in evaluated_ahead(self.source, self._wanted(blocks)):
            self._add(wanted, batch)
            yield from self._emit(last=wanted.last)

    def _wanted(self, blocks: Iterator[list[Frame]]) -> Iterator[tuple[_Wanted, list[Frame]]]:
        """Frames of each block at which tensors are evaluated: keys, and some between to check."""
        base, stride = self.base, self.sampling.charge_stride
        current = next(blocks, None)
        while current is not None:
            following = next(blocks, None)
            end, last = base + len(current), following is None
            keys = set(range(base, end, stride)) | ({end - 1} if last else set())
            checks = {
                key + stride // 2
                for key in range(base, end, stride)
                if (key // stride) % self.sampling.check_every == self.sampling.check_every // 2
                and key + stride // 2 < end
            } - keys
            numbers = sorted(keys | checks)
            yield _Wanted(base, current, numbers, keys, last), [current[n - base] for n in numbers]
            base, current = end, following

    def _add(self, wanted: _Wanted, batch: ChargeBatch) -> None:
        for row, number in enumerate(wanted.numbers):
            if number in wanted.keys:
                self.keys.append(number)
                self.values.append(batch[row])
            else:
                self.held_out[number] = np.array(batch.born_effective_charges[row])
        self.waiting.extend((wanted.base + i, frame) for i, frame in enumerate(wanted.block))

    def _emit(self, *, last: bool) -> Iterator[ChargedFrames]:
        # a cubic needs one key beyond the segment; the end of the trajectory does without
        back = 1 if last else (2 if self.cubic else 1)
        limit = self.keys[-back] if len(self.keys) >= back else -1
        while self.waiting and self.waiting[0][0] <= limit:
            rows: list[tuple[int, Frame]] = []
            while self.waiting and self.waiting[0][0] <= limit and len(rows) < self.sampling.batch:
                rows.append(self.waiting.popleft())
            numbers = [number for number, _ in rows]
            charges = ChargeBatch.combined(np.stack, [self._at(number) for number in numbers])
            held_out = {n: self.held_out.pop(n) for n in numbers if n in self.held_out}
            yield ChargedFrames(numbers[0], [frame for _, frame in rows], charges, held_out)
        if self.waiting:
            keep = max(0, bisect_right(self.keys, self.waiting[0][0]) - 2)
            del self.keys[:keep], self.values[:keep]

    def _at(self, number: int) -> ChargeBatch:
        low, high = node_window(self.keys, number, self.cubic)
        nodes = self.values[low:high]
        weights = lagrange_weights(self.keys[low:high], number)
        nearest = nodes[int(np.argmax(weights))]
        between = ChargeBatch.combined(lambda values: weighted_sum(weights, values), nodes)
        return replace(between, uncertainty_e=nearest.uncertainty_e, eps_inf=nearest.eps_inf)
