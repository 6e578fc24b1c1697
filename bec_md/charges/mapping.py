r"""Map the atoms of a supercell, thermally displaced, onto those of a reference cell.

Legend: A reference cell, C supercell (rows are lattice vectors), P integer matrix, R rotation, perhaps with
a reflection: C ≈ P A Rᵀ, so that a reference vector r becomes R r in the frame of the supercell. W integer
matrix of determinant ±1 that leaves the lattice of A what it is, to within the strain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.charges.site_trees import Matched, SiteTrees
from bec_md.structure.spacegroup import ask_spglib, cell_of

Indices = NDArray[np.int64]

#: Strain between reference and supercell that still counts as the same crystal, and the change of squared
#: lengths that it makes.
MAX_STRAIN = 0.03
_MAX_CHANGE = 2.0 * MAX_STRAIN

#: Ways to write the supercell that are tried at most (a cubic lattice has 48), out of so many that are near.
MAX_CANDIDATES, _MAX_NEAR = 64, 50_000

#: Largest r.m.s. distance from the sites, of that to the next site of the same element, and of that to the
#: next site of any. Atoms anywhere between the sites would have 0.39 of the first, crystals melt near 0.15.
MAX_DISTANCE = (0.25, 0.5)

#: Trace of a rotation by less than 8°, as strain makes them.
_UPRIGHT = 2.98

#: Larger references are not asked for their symmetry, which saves trying ways that are the same.
_ASKED_ATOMS = 300


@dataclass(frozen=True)
class SiteMap:
    """Which reference atom each atom of the supercell corresponds to.

    Parameters
    ----------
    atoms
        (N,) index into the reference cell.
    supercell
        (3, 3) integer matrix P.
    rotation
        (3, 3) orthogonal R from the frame of the reference to that of the supercell: a rotation, with a
        reflection where the supercell is a mirror image.
    rms_distance_ang, max_distance_ang
        Distances of the atoms from their sites, Å.
    """

    atoms: Indices
    supercell: Indices
    rotation: Array
    rms_distance_ang: float
    max_distance_ang: float

    def describe(self) -> str:
        """One sentence on how the atoms were matched."""
        cells = round(abs(float(np.linalg.det(self.supercell))))
        rows = " / ".join(" ".join(str(v) for v in row) for row in self.supercell.tolist())
        hand = float(np.sign(np.linalg.det(self.rotation)))
        angle = np.degrees(np.arccos(np.clip((hand * np.trace(self.rotation) - 1.0) / 2.0, -1.0, 1.0)))
        turned = "" if angle < 0.5 else f", axes turned by {angle:.1f}°"
        turned += "" if hand > 0.0 else ", inverted" if angle < 0.5 else " and inverted"
        return (
            f"{len(self.atoms)} atoms matched by position to {cells} × the reference cell "
            f"(supercell matrix {rows}{turned}); distance to the sites rms {self.rms_distance_ang:.3f} Å, "
            f"largest {self.max_distance_ang:.3f} Å"
        )


def map_supercell(
    reference_cell: Array,
    reference_positions: Array,
    reference_numbers: Indices,
    cell: Array,
    positions: Array,
    numbers: Indices,
) -> SiteMap | None:
    """Find the reference atom of each atom by position, whatever origin and orientation.

    Every way to write the supercell as an integer combination of (rotated, reflected) reference vectors is
    tried, with the origin shifts that put an atom of the rarest species on a site; the one with the smallest
    r.m.s. distance wins, if it assigns every site once and stays below `MAX_DISTANCE`. The way that does not
    turn the reference is kept where others fit no better than thermal motion makes them (`_fits_better`).

    Parameters
    ----------
    reference_cell, reference_positions, reference_numbers
        (3, 3) Å, (n, 3) Å, (n,).
    cell, positions, numbers
        (3, 3) Å, (N, 3) Å, (N,).

    Returns
    -------
    The map, or None when there is none.
    """
    if len(numbers) % len(reference_numbers) or not _same_composition(reference_numbers, numbers):
        return None
    reference = reference_cell, reference_positions, reference_numbers
    limit = _limit(*reference)
    symmetry = _symmetry(*reference)
    for matrices in supercell_matrices(reference_cell, cell, len(numbers) // len(reference_numbers)):
        ways = [(matrix, *_strained(reference_cell, cell, matrix)) for matrix in matrices]
        ways.sort(key=lambda way: (np.linalg.det(way[2]) < 0.0, -round(float(np.trace(way[2])), 6)))
        upright: tuple[Indices, Array, Matched] | None = None
        closest: tuple[Indices, Array, Matched] | None = None
        for matrix, exact, rotation in _distinct(ways, symmetry):
            sites, owners = _sites(reference_cell, reference_positions, exact, matrix)
            found = _match(sites, owners, reference_numbers, cell, positions, numbers, limit)
            if found is None:
                continue
            if upright is None and np.trace(rotation) > _UPRIGHT:
                upright = matrix, rotation, found
            if closest is None or found.mean_square < closest[2].mean_square - 1e-9:
                closest = matrix, rotation, found
        if closest is not None:
            if upright is not None and not _fits_better(closest[2], upright[2]):
                closest = upright
            matrix, rotation, found = closest
            distance = np.linalg.norm(found.vectors, axis=1)
            return SiteMap(
                found.owners, matrix, rotation, float(np.sqrt(found.mean_square)), float(distance.max())
            )
    return None


def _fits_better(one: Matched, upright: Matched) -> bool:
    """Whether atoms lie on the sites of one way rather than on those of another, up to their thermal motion.

    Atoms on the sites of one are nearer to them, in mean square, by what the two sets of sites differ by;
    atoms midway, as those of a hot phase of higher symmetry, by nothing: the border is half of it, and three
    standard errors of the mean over atoms that move independently.
    """
    apart = float(((one.vectors - upright.vectors) ** 2).sum(axis=1).mean())
    noise = 2.0 * np.sqrt(one.mean_square / 3.0 * apart / len(one.vectors))
    return bool(upright.mean_square - one.mean_square > max(0.5 * apart, 3.0 * noise) + 1e-9)


def supercell_matrices(reference_cell: Array, cell: Array, ratio: int) -> Iterator[list[Indices]]:
    """Yield lists of integer matrices P with det P = ±ratio and C congruent to P A, the likely ones first.

    First those of the two cells as they are, and of both turned so that a lies along x and b in the xy
    plane, as LAMMPS does, combined with what leaves the lattice of the reference what it is; then any of
    the right metric, at most `MAX_CANDIDATES` of them.
    """
    same = [w for w in _metric_matches(reference_cell, reference_cell) if _has_volume(w, 1)]
    starts = (
        _rounded(cell, reference_cell),
        _rounded(_lower_triangular(cell), _lower_triangular(reference_cell)),
    )
    near = (start @ w for start in starts if _has_volume(start, ratio) for w in same)
    any_near = islice(_metric_matches(reference_cell, cell), _MAX_NEAR)
    for candidates in (near, any_near):
        fitting = (
            np.rint(matrix).astype(np.int64)
            for matrix in candidates
            if _has_volume(matrix, ratio) and _congruent(matrix @ reference_cell, cell)
        )
        yield list(islice(fitting, 2 * MAX_CANDIDATES if candidates is near else MAX_CANDIDATES))


def _has_volume(matrix: Array, ratio: int) -> bool:
    return round(abs(float(np.linalg.det(matrix)))) == ratio


def _strained(reference_cell: Array, cell: Array, supercell: Indices) -> tuple[Array, Array]:
    """Return the reference cell as it lies in the supercell (3, 3), and the rotation that took it there."""
    exact: Array = np.linalg.inv(supercell.astype(np.float64)) @ cell
    return exact, _nearest_rotation(reference_cell, exact)


def _symmetry(cell: Array, positions: Array, numbers: Indices) -> Indices:
    """Return the integer rotations of a crystal, by which ways to place it differ in nothing, (K, 3, 3).

    P and P W place the same crystal; W acts on lattice vectors.
    """
    found = None
    if len(numbers) <= _ASKED_ATOMS:
        found = ask_spglib("get_symmetry", cell_of(cell, positions, numbers), symprec=1e-2)
    rotations = np.eye(3)[None] if found is None else np.unique(found["rotations"], axis=0)
    return np.asarray(np.rint(np.linalg.inv(rotations).transpose(0, 2, 1)), dtype=np.int64)


def _distinct(
    ways: list[tuple[Indices, Array, Array]], symmetry: Indices
) -> Iterator[tuple[Indices, Array, Array]]:
    """Yield the first of the ways that place a crystal alike."""
    seen: set[bytes] = set()
    for way in ways:
        if way[0].tobytes() not in seen:
            seen.update(np.ascontiguousarray(alike).tobytes() for alike in way[0] @ symmetry)
            yield way


def _limit(cell: Array, positions: Array, numbers: Indices) -> float:
    """Return the largest r.m.s. distance from the sites of a reference, Å."""
    same = SiteTrees(positions, numbers, cell).spacing()
    others = SiteTrees(positions, np.zeros_like(numbers), cell).spacing()
    return min(MAX_DISTANCE[0] * same, MAX_DISTANCE[1] * others)


def _rounded(cell: Array, reference_cell: Array) -> Array:
    return np.asarray(np.round(cell @ np.linalg.inv(reference_cell)), dtype=np.float64)


def _metric_matches(reference_cell: Array, cell: Array) -> Iterator[Array]:
    metric = cell @ cell.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    candidates = []
    for length in np.sqrt(np.diag(metric)):
        reach = min(int(np.ceil(length * (1.0 + _MAX_CHANGE) / _shortest_height(reference_cell))), 12)
        grid = np.array(list(product(range(-reach, reach + 1), repeat=3)), dtype=np.float64)
        error = np.abs(np.linalg.norm(grid @ reference_cell, axis=1) / length - 1.0)
        order = np.argsort(error, kind="stable")
        candidates.append(grid[order[error[order] < _MAX_CHANGE]])
    vectors = [rows @ reference_cell for rows in candidates]
    for one, first in enumerate(vectors[0]):
        seconds = np.flatnonzero(np.abs(vectors[1] @ first - metric[0, 1]) < _MAX_CHANGE * scale[0, 1])
        thirds = np.flatnonzero(np.abs(vectors[2] @ first - metric[0, 2]) < _MAX_CHANGE * scale[0, 2])
        for two in seconds:
            inner = np.abs(vectors[2][thirds] @ vectors[1][two] - metric[1, 2])
            for three in thirds[inner < _MAX_CHANGE * scale[1, 2]]:
                yield np.array([candidates[0][one], candidates[1][two], candidates[2][three]])


def _lower_triangular(cell: Array) -> Array:
    """Return the same cell turned so that a lies along x and b in the xy plane."""
    lower = np.asarray(np.linalg.cholesky(cell @ cell.T), dtype=np.float64)
    lower[:, 2] *= np.sign(np.linalg.det(cell))
    return lower


def _congruent(first: Array, second: Array) -> bool:
    metric = second @ second.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    return bool(np.all(np.abs(first @ first.T - metric) < _MAX_CHANGE * scale))


def _shortest_height(cell: Array) -> float:
    """Return the smallest distance between lattice planes: no lattice vector reaches further per step."""
    return float(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())


def _nearest_rotation(reference: Array, strained: Array) -> Array:
    """Return the orthogonal R of the polar decomposition of the map from one cell to the other."""
    deformation = (np.linalg.inv(reference) @ strained).T  # r' = F r
    left, _, right = np.linalg.svd(deformation)
    rotation: Array = left @ right
    return rotation


def _sites(
    reference_cell: Array, reference_positions: Array, exact: Array, supercell: Indices
) -> tuple[Array, Indices]:
    """Return all sites of the supercell (N, 3) and the reference atom that each belongs to (N,)."""
    inverse = np.linalg.inv(supercell.astype(np.float64))
    corners = np.array(list(product((0, 1), repeat=3))) @ supercell
    low, high = corners.min(axis=0), corners.max(axis=0)
    grid = np.array(list(product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))))
    inside = grid @ inverse
    grid = grid[np.all((inside > -1e-9) & (inside < 1.0 - 1e-9), axis=1)]
    fractional = reference_positions @ np.linalg.inv(reference_cell)
    sites = (fractional[:, None, :] + grid[None, :, :]).reshape(-1, 3) @ exact
    return sites, np.repeat(np.arange(len(reference_positions)), len(grid))


def _match(
    sites: Array,
    owners: Indices,
    reference_numbers: Indices,
    cell: Array,
    positions: Array,
    numbers: Indices,
    limit: float,
) -> Matched | None:
    """Assign atoms to sites, with the origin for which they lie nearest, below an r.m.s. distance."""
    if len(sites) != len(positions):
        return None
    site_numbers = reference_numbers[owners]
    kinds, counts = np.unique(numbers, return_counts=True)
    rare = kinds[np.argmin(counts)]
    anchor = positions[np.flatnonzero(numbers == rare)[0]]
    first_of_owner = np.unique(owners[site_numbers == rare])
    shifts = [np.zeros(3)] + [anchor - sites[np.flatnonzero(owners == owner)[0]] for owner in first_of_owner]
    trees = SiteTrees(sites, site_numbers, cell)
    best: Matched | None = None
    for shift in shifts:
        found = trees.match(positions - shift, numbers, limit)
        if found is not None and (best is None or found.mean_square < best.mean_square - 1e-6):
            best = Matched(owners[found.owners], found.vectors)
    return best


def _same_composition(reference: Indices, numbers: Indices) -> bool:
    kinds, counts = np.unique(reference, return_counts=True)
    others, many = np.unique(numbers, return_counts=True)
    return bool(
        np.array_equal(kinds, others) and np.array_equal(counts * len(numbers), many * len(reference))
    )
