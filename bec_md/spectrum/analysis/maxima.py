"""Local maxima of a curve with prominences and widths, without half a second for importing a library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Maxima:
    """Local maxima by position.

    Parameters
    ----------
    index
        (M,) positions in the curve.
    prominence
        (M,) height over the higher of the two lowest points that separate it from higher ones.
    width
        (M,) full width at half prominence in samples.
    base
        (M,) positions of these points.
    """

    index: Indices
    prominence: Array
    width: Array
    base: Indices


def find_maxima(values: Array, prominence: float, distance: float = 1.0) -> Maxima:
    """Maxima of at least this prominence; of several within `distance` samples the highest.

    Parameters
    ----------
    values
        (N,) curve.
    prominence
        Least prominence.
    distance
        Least distance in samples.

    Returns
    -------
    Maxima
    """
    index = _local(values)
    left = _basins(values, index)
    right = len(values) - 1 - _basins(values[::-1], len(values) - 1 - index[::-1])[::-1]
    kept = _highest(values, index, distance)
    index, left, right = index[kept], left[kept], right[kept]
    base = np.where(values[left] > values[right], left, right)
    heights = values[index] - values[base]
    keep = heights >= prominence
    index, base, left, right = (a[keep] for a in (index, base, left, right))
    heights = heights[keep]
    level = values[index] - 0.5 * heights
    ends = [
        _crossing(values[i : r + 1], h) + _crossing(values[b : i + 1][::-1], h)
        for i, b, r, h in zip(index, left, right, level, strict=True)
    ]
    return Maxima(index, heights, np.array(ends, dtype=np.float64), base)


def _local(values: Array) -> Indices:
    """Points above both neighbors; of a flat top the one in its middle."""
    change = np.flatnonzero(np.diff(values) != 0.0)
    slope = np.sign(values[change + 1] - values[change])
    tops = np.flatnonzero((slope[:-1] > 0) & (slope[1:] < 0))
    return np.asarray((change[tops] + 1 + change[tops + 1]) // 2)


def _highest(values: Array, index: Indices, distance: float) -> NDArray[np.bool_]:
    """Which maxima stay when those closer than `distance` to a higher one are removed."""
    keep = np.ones(len(index), dtype=bool)
    for k in np.argsort(values[index], kind="stable")[::-1]:
        if keep[k]:
            first = int(np.searchsorted(index, index[k] - distance, side="right"))
            last = int(np.searchsorted(index, index[k] + distance, side="left"))
            keep[first:k] = keep[k + 1 : last] = False
    return keep


def _basins(values: Array, index: Indices) -> Indices:
    """Lowest point between each of all local maxima and the next higher one to its left (or the start)."""
    found = np.empty(len(index), dtype=np.intp)
    higher: list[int] = []  # numbers of the maxima to the left, falling
    begin = 0
    for k, i in enumerate(index):
        lowest = begin + int(np.argmin(values[begin : i + 1]))
        while higher and values[index[higher[-1]]] <= values[i]:
            before = int(found[higher.pop()])
            lowest = before if values[before] < values[lowest] else lowest
        found[k] = lowest
        higher.append(k)
        begin = int(i)
    return found


def _crossing(falling: Array, level: float) -> float:
    """Samples from the first point to where a curve falls through a level."""
    below = np.flatnonzero(falling <= level)
    if not below.size or below[0] == 0:
        return float(len(falling) - 1) if not below.size else 0.0
    b = int(below[0])
    return b - 1 + float((falling[b - 1] - level) / (falling[b - 1] - falling[b]))
