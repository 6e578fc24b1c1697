r"""Map the atoms of a supercell, thermally displaced, onto those of a reference cell.

Legend: A reference cell, C supercell (rows are lattice vectors), P integer matrix, R rotation:
C ≈ P A Rᵀ, so that a reference vector r becomes R r in the frame of the supercell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

Indices = NDArray[np.int64]

#: Strain between reference and supercell that still counts as the same crystal.
MAX_STRAIN = 0.06

#: Ways to write the supercell that are tried at most: a cubic lattice has 24 rotations.
MAX_CANDIDATES = 64


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
        (3, 3) rotation R from the frame of the reference to that of the supercell.
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
        angle = np.degrees(np.arccos(np.clip((np.trace(self.rotation) - 1.0) / 2.0, -1.0, 1.0)))
        turned = "" if angle < 0.5 else f", axes turned by {angle:.1f}°"
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

    Every way to write the supercell as an integer combination of (rotated) reference vectors is tried,
    with the origin shifts that put an atom of the rarest species on a site; the one with the smallest
    r.m.s. distance wins, if it assigns every site once.

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
    ratio = len(numbers) // len(reference_numbers)
    best: SiteMap | None = None
    for supercell in supercell_matrices(reference_cell, cell, ratio):
        exact = np.linalg.inv(supercell.astype(np.float64)) @ cell  # reference cell, strained and rotated
        rotation = _nearest_rotation(reference_cell, exact)
        if rotation is None:
            continue
        sites, owners = _sites(reference_cell, reference_positions, exact, supercell)
        found = _match(sites, owners, reference_numbers, cell, positions, numbers)
        if found is None:
            continue
        owner, distance = found
        rms = float(np.sqrt((distance**2).mean()))
        upright = abs(float(np.trace(rotation)) - 3.0) < 1e-3
        # equal within noise: keep the orientation that needs no rotation
        better = best is None or rms < best.rms_distance_ang - 1e-3
        if better or (best is not None and upright and rms < best.rms_distance_ang + 1e-3):
            best = SiteMap(owner, supercell, rotation, rms, float(distance.max()))
        if upright and rms < 0.5:
            break
    return best


def supercell_matrices(reference_cell: Array, cell: Array, ratio: int) -> Iterator[Indices]:
    """Yield integer matrices P with det P = ±ratio and C congruent to P A, the likely ones first.

    First the two cells as they are; then both turned so that a lies along x and b in the xy plane, as
    LAMMPS does; then every integer matrix of the right metric, at most `MAX_CANDIDATES` of them.
    """
    seen = set()
    direct = _rounded(cell, reference_cell)
    turned = _rounded(_lower_triangular(cell), _lower_triangular(reference_cell))
    candidates = chain((direct, turned), _metric_matches(reference_cell, cell, ratio))
    for matrix in candidates:
        right_size = round(abs(float(np.linalg.det(matrix)))) == ratio
        if right_size and matrix.tobytes() not in seen and _congruent(matrix @ reference_cell, cell):
            seen.add(matrix.tobytes())
            yield matrix.astype(np.int64)
        if len(seen) >= MAX_CANDIDATES:
            return


def _rounded(cell: Array, reference_cell: Array) -> Array:
    return np.asarray(np.round(cell @ np.linalg.inv(reference_cell)), dtype=np.float64)


def _metric_matches(reference_cell: Array, cell: Array, ratio: int) -> Iterator[Array]:
    metric = cell @ cell.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    candidates = []
    for length in np.sqrt(np.diag(metric)):
        reach = min(int(np.ceil(length * (1.0 + MAX_STRAIN) / _shortest_height(reference_cell))), 12)
        grid = np.array(list(product(range(-reach, reach + 1), repeat=3)), dtype=np.float64)
        error = np.abs(np.linalg.norm(grid @ reference_cell, axis=1) / length - 1.0)
        order = np.argsort(error, kind="stable")
        candidates.append(grid[order[error[order] < MAX_STRAIN]])
    vectors = [rows @ reference_cell for rows in candidates]
    for one, first in enumerate(vectors[0]):
        seconds = np.flatnonzero(np.abs(vectors[1] @ first - metric[0, 1]) < MAX_STRAIN * scale[0, 1])
        thirds = np.flatnonzero(np.abs(vectors[2] @ first - metric[0, 2]) < MAX_STRAIN * scale[0, 2])
        for two in seconds:
            inner = np.abs(vectors[2][thirds] @ vectors[1][two] - metric[1, 2])
            for three in thirds[inner < MAX_STRAIN * scale[1, 2]]:
                yield np.array([candidates[0][one], candidates[1][two], candidates[2][three]])


def _lower_triangular(cell: Array) -> Array:
    """Return the same cell turned so that a lies along x and b in the xy plane."""
    lower = np.asarray(np.linalg.cholesky(cell @ cell.T), dtype=np.float64)
    lower[:, 2] *= np.sign(np.linalg.det(cell))
    return lower


def _congruent(first: Array, second: Array) -> bool:
    metric = second @ second.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    same_hand = np.linalg.det(first) * np.linalg.det(second) > 0.0
    return bool(same_hand and np.all(np.abs(first @ first.T - metric) < MAX_STRAIN * scale))


def _shortest_height(cell: Array) -> float:
    """Return the smallest distance between lattice planes: no lattice vector reaches further per step."""
    return float(1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max())


def _nearest_rotation(reference: Array, strained: Array) -> Array | None:
    """Return the rotation R of the polar decomposition of the map from one cell to the other."""
    deformation = (np.linalg.inv(reference) @ strained).T  # r' = F r
    left, _, right = np.linalg.svd(deformation)
    rotation: Array = left @ right
    return rotation if np.linalg.det(rotation) > 0.0 else None


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
    sites: Array, owners: Indices, reference_numbers: Indices, cell: Array, positions: Array, numbers: Indices
) -> tuple[Indices, Array] | None:
    """Assign atoms to sites; return the reference atom and the distance to the site of each atom."""
    if len(sites) != len(positions):
        return None
    site_numbers = reference_numbers[owners]
    kinds, counts = np.unique(numbers, return_counts=True)
    rare = kinds[np.argmin(counts)]
    anchor = positions[np.flatnonzero(numbers == rare)[0]]
    first_of_owner = np.unique(owners[site_numbers == rare])
    shifts = [np.zeros(3)] + [anchor - sites[np.flatnonzero(owners == owner)[0]] for owner in first_of_owner]
    best: tuple[Indices, Array] | None = None
    for shift in shifts:
        found = _assign(sites + shift, site_numbers, cell, positions, numbers)
        if found is None:
            continue
        site, distance = found
        if best is None or (distance**2).mean() < (best[1] ** 2).mean() - 1e-6:
            best = owners[site], distance
    return best


def _assign(
    sites: Array, site_numbers: Indices, cell: Array, positions: Array, numbers: Indices
) -> tuple[Indices, Array] | None:
    """Assign each atom to the nearest site of its species, twice: the second time without the mean shift."""
    from scipy.spatial import cKDTree

    inverse = np.linalg.inv(cell)
    wrapped = (sites @ inverse) % 1.0
    images = np.array(list(product((-1, 0, 1), repeat=3)), dtype=np.float64)
    trees = {}
    for kind in np.unique(numbers):
        places = np.flatnonzero(site_numbers == kind)
        copies = (wrapped[places, None] + images[None]).reshape(-1, 3) @ cell
        trees[int(kind)] = cKDTree(copies), np.repeat(places, len(images)), copies
    assigned = np.empty(len(positions), dtype=np.int64)
    vectors = np.empty((len(positions), 3))
    offset = np.zeros(3)
    for _ in range(2):
        shifted = ((positions - offset) @ inverse % 1.0) @ cell
        for kind, (tree, places, copies) in trees.items():
            atoms = numbers == kind
            _, nearest = tree.query(shifted[atoms])
            assigned[atoms] = places[nearest]
            vectors[atoms] = shifted[atoms] - copies[nearest]
        mean = vectors.mean(axis=0)
        offset = offset + mean
        vectors = vectors - mean
    if len(np.unique(assigned)) != len(assigned):
        return None
    return assigned, np.linalg.norm(vectors, axis=1)


def _same_composition(reference: Indices, numbers: Indices) -> bool:
    kinds, counts = np.unique(reference, return_counts=True)
    others, many = np.unique(numbers, return_counts=True)
    return bool(
        np.array_equal(kinds, others) and np.array_equal(counts * len(numbers), many * len(reference))
    )
