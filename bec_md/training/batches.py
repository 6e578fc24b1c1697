"""Which frames form which batch: equal numbers of edges, a new random order in each epoch."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def pack(edges: NDArray[np.int64], max_edges: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """Distribute frames over batches of nearly equal numbers of edges.

    Frames are taken from large to small (in random order among those of similar size) and each goes to
    the emptiest batch; batches are added until the fullest one respects the limit. A frame that is
    above the limit by itself gets a batch of its own.

    Parameters
    ----------
    edges
        (B,) edges of each frame.
    max_edges
        Limit of a batch.
    generator
        Source of the random order.

    Returns
    -------
    batches
        Positions into `edges`; the batches are in random order too.
    """
    shuffled = generator.permutation(len(edges))
    size_class = np.floor(2.0 * np.log2(np.maximum(edges[shuffled], 1))).astype(int)
    order = shuffled[np.argsort(-size_class, kind="stable")]
    limit = max(max_edges, int(edges.max()))
    count = max(1, int(np.ceil(edges.sum() / max_edges)))
    while True:
        bins: list[list[int]] = [[] for _ in range(count)]
        heap = [(0, i) for i in range(count)]
        for frame in order:
            load, i = heapq.heappop(heap)
            bins[i].append(int(frame))
            heapq.heappush(heap, (load + int(edges[frame]), i))
        if max(load for load, _ in heap) <= limit or count >= len(edges):
            break
        count += max(1, count // 50)
    filled = [np.array(b, dtype=np.int64) for b in bins if b]
    return [filled[i] for i in generator.permutation(len(filled))]


def draw_frames(
    sizes: Sequence[int], repeats: Sequence[float], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Choose the frames of one epoch from files laid end to end.

    Each file contributes ⌊repeat⌋ whole copies and a random part of the remaining fraction.
    """
    chosen: list[NDArray[np.int64]] = []
    start = 0
    for size, repeat in zip(sizes, repeats, strict=True):
        whole = int(repeat)
        chosen.extend([np.arange(start, start + size)] * whole)
        rest = round((repeat - whole) * size)
        if whole == 0:
            rest = max(rest, 1)
        if rest:
            chosen.append(start + np.sort(generator.permutation(size)[:rest]))
        start += size
    return np.concatenate(chosen).astype(np.int64)


def epoch_batches(
    edges: NDArray[np.int64],
    sizes: Sequence[int],
    repeats: Sequence[float],
    *,
    max_edges: int,
    seed: int,
    epoch: int,
) -> list[NDArray[np.int64]]:
    """Batches of one epoch: a function of seed and epoch alone, so that a resumed run repeats them."""
    generator = np.random.default_rng([seed, epoch])
    frames = draw_frames(sizes, repeats, generator)
    return [frames[batch] for batch in pack(edges[frames], max_edges, generator)]


def sequential_batches(edges: NDArray[np.int64], max_edges: int) -> list[NDArray[np.int64]]:
    """Frames in file order, cut where the limit is reached: for evaluation."""
    batches: list[NDArray[np.int64]] = []
    start, load = 0, 0
    for i, count in enumerate(edges):
        if i > start and load + int(count) > max_edges:
            batches.append(np.arange(start, i))
            start, load = i, 0
        load += int(count)
    batches.append(np.arange(start, len(edges)))
    return batches
