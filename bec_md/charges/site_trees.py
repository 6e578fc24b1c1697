"""The nearest site of the same element for each atom of a periodic cell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

Indices = NDArray[np.int64]

#: Sites around the cell are copied so far, Å; an atom further from all sites is on none.
_REACH_ANG = 4.0
#: Atoms by which an origin that is far off is known.
_PROBED = 64


@dataclass(frozen=True)
class Matched:
    """What each atom belongs to (N,), and its displacement from there (N, 3), Å, without the mean one."""

    owners: Indices
    vectors: Array

    @property
    def mean_square(self) -> float:
        """Mean of the squared distances, Å²."""
        return float((self.vectors**2).sum(axis=1).mean())


class SiteTrees:
    """Sites of a periodic cell, by element, with those of their images that lie near it.

    Parameters
    ----------
    sites, numbers
        (N, 3) Å, (N,).
    cell
        (3, 3) Å.
    """

    def __init__(self, sites: Array, numbers: Indices, cell: Array) -> None:
        from scipy.spatial import cKDTree

        self._cell, self._inverse, self._sites = cell, np.linalg.inv(cell), sites
        reach = np.minimum(1.0, _REACH_ANG * np.linalg.norm(self._inverse, axis=0))
        images = np.array(list(product((-1, 0, 1), repeat=3)), dtype=np.float64)
        wrapped = (sites @ self._inverse) % 1.0
        self._trees = {}
        for kind in np.unique(numbers):
            places = np.flatnonzero(numbers == kind)
            copies = (wrapped[places, None] + images[None]).reshape(-1, 3)
            near = np.all((copies > -reach) & (copies < 1.0 + reach), axis=1)
            copies = copies[near] @ cell
            self._trees[int(kind)] = cKDTree(copies), np.repeat(places, len(images))[near], copies

    def spacing(self) -> float:
        """Return the mean distance of a site from the next one of its element, at most 8 Å."""
        wrapped = (self._sites @ self._inverse % 1.0) @ self._cell
        total = 0.0
        for tree, places, _ in self._trees.values():
            distances = np.asarray(tree.query(wrapped[np.unique(places)], k=[2])[0])
            total += float(np.minimum(distances, 2.0 * _REACH_ANG).sum())
        return total / len(wrapped)

    def nearest(self, positions: Array, numbers: Indices) -> tuple[Indices, Array]:
        """Return the nearest site of its element for each atom, and the displacement from it, Å."""
        wrapped = (positions @ self._inverse % 1.0) @ self._cell
        assigned = np.empty(len(positions), dtype=np.int64)
        vectors = np.empty((len(positions), 3))
        for kind, (tree, places, copies) in self._trees.items():
            atoms = numbers == kind
            _, found = tree.query(wrapped[atoms])
            assigned[atoms] = places[found]
            vectors[atoms] = wrapped[atoms] - copies[found]
        return assigned, vectors

    def match(self, positions: Array, numbers: Indices, limit: float) -> Matched | None:
        """Assign each atom to a site, the second time without the mean shift.

        None where the r.m.s. distance exceeds a limit, Å, or two atoms want the same site.
        """
        few = slice(None, None, max(1, len(positions) // _PROBED))
        _, vectors = self.nearest(positions[few], numbers[few])
        if ((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1).mean() > (2.0 * limit) ** 2:
            return None
        _, vectors = self.nearest(positions, numbers)
        offset = vectors.mean(axis=0)
        assigned, vectors = self.nearest(positions - offset, numbers)
        found = Matched(assigned, vectors - vectors.mean(axis=0))
        fits = found.mean_square <= limit**2 and len(np.unique(assigned)) == len(assigned)
        return found if fits else None
