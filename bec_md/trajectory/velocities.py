r"""Displacements between frames: minimum image in any cell, unwrapping, midpoint differences.

Without stored velocities the current is taken at half steps, J(t+Δ/2) = ½ Σ [Z(t) + Z(t+Δ)] u/Δ with the
minimum-image displacement u. Differences act as a filter on the velocity:
`bec_md.spectrum.estimators.corrections.transfer_function` is what they leave of a power spectrum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.structure import Frame

_MAX_REDUCTIONS = 1000


def minimum_image(
    vectors_ang: NDArray[np.float64], cell_ang: NDArray[np.float64], pbc: ArrayLike = True
) -> NDArray[np.float64]:
    """Shortest of all periodic images of each vector, u − Σ_k n_k a_k with integers n_k.

    Exact for any cell, however skewed: the lattice is Minkowski-reduced first, after which the shortest image
    lies among the neighbors −1, 0, 1 of the rounded one; only vectors longer than half the shortest lattice
    vector need that search.

    Parameters
    ----------
    vectors_ang
        Vectors in Å, shape (..., 3).
    cell_ang
        Lattice vectors as rows in Å, shape (3, 3).
    pbc
        Which of them are periodic, shape (3,) or one flag.

    Returns
    -------
    NDArray
        Images in Å, shape (..., 3).

    Reference
    ---------
    Semaev 2001, "A 3-dimensional lattice reduction algorithm", LNCS 2146, 181.
    """
    periodic = np.broadcast_to(np.asarray(pbc, dtype=bool), (3,))
    vectors = np.array(vectors_ang, dtype=np.float64)
    if not periodic.any():
        return vectors
    cell = np.ascontiguousarray(cell_ang, dtype=np.float64)
    basis, inverse, neighbors, safe2 = _reduced(cell.tobytes(), tuple(periodic.tolist()))
    flat = vectors.reshape(-1, 3)
    flat -= np.rint(flat @ inverse) @ basis
    far = np.flatnonzero(np.einsum("ia,ia->i", flat, flat) > safe2)
    if len(far):
        images = flat[far, None, :] + neighbors  # (far, 3^k, 3)
        best = np.einsum("ija,ija->ij", images, images).argmin(axis=1)
        flat[far] = images[np.arange(len(far)), best]
    return flat.reshape(np.shape(vectors_ang))


def midpoint_displacement(before: Frame, after: Frame) -> NDArray[np.float64]:
    """Displacement u = Δs·Ā in Å of every atom, nearest image, shape (N, 3).

    u/Δ is the velocity at the half step t + Δ/2, relative to a cell that changes: Δs are differences of
    fractional coordinates, each in the cell of its own frame, and Ā is the mean cell, so that u changes sign
    under time reversal. An atom n images away moves by n·dL in Cartesian coordinates when the cell changes,
    which is no motion of the atom; in fractional coordinates n drops out. Along directions that are not
    periodic a box says nothing of the atoms (it may follow the outermost): there it counts as constant.
    """
    if after.cell_ang is before.cell_ang or np.array_equal(after.cell_ang, before.cell_ang):
        return minimum_image(after.positions_ang - before.positions_ang, before.cell_ang, before.pbc)
    cell = np.where(before.pbc[:, None], same_basis(before.cell_ang, after.cell_ang), before.cell_ang)
    fractional = after.positions_ang @ np.linalg.inv(cell) - before.positions_ang @ np.linalg.inv(
        before.cell_ang
    )
    mean = 0.5 * (before.cell_ang + cell)
    return minimum_image(fractional @ mean, mean, before.pbc)


def same_basis(before_ang: NDArray[np.float64], after_ang: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lattice of `after_ang` in the basis that continues `before_ang`, rows in Å.

    A box flip (`fix npt` of LAMMPS with ``flip yes``) names other lattice vectors of the same lattice when a
    tilt grows too large: C' = M C with an integer matrix M.
    """
    change = np.rint(after_ang @ np.linalg.inv(before_ang))
    if np.array_equal(change, np.eye(3)) or abs(abs(float(np.linalg.det(change))) - 1.0) > 1e-6:
        return after_ang
    return np.asarray(np.linalg.solve(change, after_ang), dtype=np.float64)


def unwrap(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames with continuous positions: each is the one before plus the minimum-image displacement."""
    previous: Frame | None = None
    for frame in frames:
        if previous is None:
            previous = frame
        else:
            positions = previous.positions_ang + midpoint_displacement(previous, frame)
            previous = replace(frame, positions_ang=positions)
        yield previous


def reduce_lattice(vectors_ang: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minkowski-reduced basis of the lattice spanned by 1, 2 or 3 vectors (rows), shortest first."""
    basis = np.array(vectors_ang, dtype=np.float64)
    if len(basis) < 3:
        return _reduce_plane(basis) if len(basis) == 2 else basis
    for _ in range(_MAX_REDUCTIONS):
        basis = basis[np.argsort(np.einsum("ia,ia->i", basis, basis), kind="stable")]
        basis[:2] = _reduce_plane(basis[:2])
        shortened = _closest_to_origin(basis[2], basis[:2])
        done = shortened @ shortened >= basis[2] @ basis[2] * (1.0 - 1e-12)
        if done:
            break
        basis[2] = shortened
    return basis


def _reduce_plane(pair: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lagrange–Gauss reduction of two vectors."""
    short, long = pair[0].copy(), pair[1].copy()
    for _ in range(_MAX_REDUCTIONS):
        if short @ short > long @ long:
            short, long = long, short
        count = np.rint(short @ long / (short @ short))
        if count == 0.0:
            break
        long = long - count * short
    return np.array([short, long])


def _closest_to_origin(vector: NDArray[np.float64], plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shortest vector − i a − j b for a reduced pair a, b."""
    center = np.rint(vector @ np.linalg.pinv(plane))
    shifts = np.array(list(product((-1.0, 0.0, 1.0), repeat=2)))
    images = vector - (center + shifts) @ plane
    return np.asarray(images[np.einsum("ia,ia->i", images, images).argmin()])


@lru_cache(maxsize=16)
def _reduced(
    cell_bytes: bytes, periodic: tuple[bool, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Reduced basis (k, 3), its right inverse (3, k), the 3^k neighbor vectors, and (½ shortest)²."""
    cell = np.frombuffer(cell_bytes, dtype=np.float64).reshape(3, 3)
    basis = reduce_lattice(cell[np.array(periodic)])
    shifts = np.array(list(product((-1.0, 0.0, 1.0), repeat=len(basis))))
    inverse = np.asarray(np.linalg.pinv(basis), dtype=np.float64)
    return basis, inverse, shifts @ basis, float(basis[0] @ basis[0]) / 4.0
