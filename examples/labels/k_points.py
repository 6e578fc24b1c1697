"""Sampling of the Brillouin zone: as few points as integrate all Fourier components below a length.

An integral over the zone by equal points errs by the Fourier components of its integrand at those
lattice vectors R at which the points' phases do not cancel. A mesh with the translations L (rows, in
units of the crystal's lattice vectors) that is shifted by s/4 of its step has the phase exp(i π s·n / 2)
at R = n·L and zero elsewhere; time reversal takes the real part, which vanishes where s·n is odd. What
is left begins at the shortest R with s·n even.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHIFTS = [shift for shift in itertools.product((0, 1), repeat=3) if any(shift)]
MOST_POINTS = 200


@dataclass(frozen=True)
class Mesh:
    """Points of a mesh shifted by a quarter of its step along some of its axes."""

    translations: tuple[tuple[int, int, int], ...]
    shift: tuple[int, ...]
    reach_ang: float

    @property
    def count(self) -> int:
        """Number of points, −k not counted."""
        return round(float(np.linalg.det(np.array(self.translations))))

    @property
    def name(self) -> str:
        """What a label's file says of the k-points."""
        rows = ", ".join("{} {} {}".format(*row) for row in self.translations)
        shift = " ".join("1/4" if s else "0" for s in self.shift)
        return f"{self.count} points, translations ({rows}), shifted by ({shift})"


def k_points(divisions: tuple[int, ...]) -> list[tuple[float, ...]]:
    """Return a mesh shifted by a quarter of its step along each axis: k = (i + 1/4) / n.

    Along an axis the first error is at 2n a, not n a.
    """
    axes = [(np.arange(n) + 0.25) / n for n in divisions]
    return [(x, y, z) for x in axes[0] for y in axes[1] for z in axes[2]]


def _translations(count: int) -> Iterator[NDArray[np.int64]]:
    """Yield every sublattice of an index once, as its Hermite normal form."""
    for a in range(1, count + 1):
        for c in range(1, count // a + 1):
            if count % (a * c):
                continue
            f = count // (a * c)
            for b, d, e in itertools.product(range(c), range(f), range(f)):
                yield np.array([[a, b, d], [0, c, e], [0, 0, f]])


def _short_vectors(cell: NDArray[np.float64], below_ang: float) -> NDArray[np.int64]:
    """Return one of each ±n ≠ 0 with |n·cell| below a length, shortest first."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    ranges = [np.arange(-m, m + 1) for m in np.floor(below_ang / heights).astype(int)]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid[len(grid) // 2 + 1 :]  # the second half in this order is the mirror image of the first
    length = np.linalg.norm(grid @ cell, axis=1)
    order = np.argsort(length)
    return np.asarray(grid[order][length[order] < below_ang])


def smallest_mesh(cell: NDArray[np.float64], reach_ang: float) -> Mesh:
    """Return a mesh with the fewest points that integrates every component shorter than `reach_ang`.

    Among those of equal size the one that reaches farthest is taken.

    Parameters
    ----------
    cell
        (3, 3), rows are the lattice vectors, Å.
    reach_ang
        Length below which no lattice vector may contribute an error.
    """
    vectors = _short_vectors(cell, 2.0 * reach_ang)
    lengths = np.linalg.norm(vectors @ cell, axis=1)
    for count in range(1, MOST_POINTS + 1):
        best = Mesh(((1, 0, 0), (0, 1, 0), (0, 0, 1)), (1, 1, 1), 0.0)
        for rows in _translations(count):
            scaled = vectors @ np.rint(np.linalg.inv(rows) * count).astype(int)
            inside = (scaled % count == 0).all(axis=1)
            numbers = scaled[inside] // count
            for shift in SHIFTS:
                even = np.flatnonzero(numbers @ np.array(shift) % 2 == 0)
                first = lengths[inside][even[0]] if len(even) else 2.0 * reach_ang
                if first > best.reach_ang + 1e-6:
                    best = Mesh(tuple(map(tuple, rows.tolist())), shift, float(first))
        if best.reach_ang >= reach_ang:
            return best
    raise ValueError(f"no mesh of up to {MOST_POINTS} points reaches {reach_ang} Å")
