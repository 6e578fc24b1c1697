"""Symmetric 3×3 tensors as six components in Voigt order (xx, yy, zz, yz, xz, xy).

Without a magnetic field Onsager's relation makes σ_ab(ω) = σ_ba(ω), so six numbers per frequency hold
the whole tensor; imposing it halves the statistical variance of the off-diagonal elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.arrays import brief
from bec_md.errors import UsageError

#: (row, column) of the six independent elements, Voigt order.
VOIGT: tuple[tuple[int, int], ...] = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))

_ROW = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])


def to_matrix(six: NDArray[Any]) -> NDArray[Any]:
    """Symmetric matrices (..., F, 3, 3) from components (..., 6, F)."""
    return np.moveaxis(six, -2, -1)[..., _ROW]


def to_six(matrix: NDArray[Any]) -> NDArray[Any]:
    """Components (..., 6) of the symmetric part of matrices (..., 3, 3)."""
    symmetric = 0.5 * (matrix + np.swapaxes(matrix, -1, -2))
    return np.stack([symmetric[..., a, b] for a, b in VOIGT], axis=-1)


def parse_tensor(value: ArrayLike | Sequence[float] | float, name: str = "eps_inf") -> NDArray[np.float64]:
    """A 3×3 tensor from a scalar, 3 (diagonal), 6 (Voigt xx yy zz yz xz xy) or 9 numbers (row-major).

    Parameters
    ----------
    value
        The numbers, in any array-like form; a 3×3 matrix is taken as it is.
    name
        Name for the error message.

    Returns
    -------
    NDArray
        Symmetric tensor, shape (3, 3).

    Raises
    ------
    UsageError
        If the count of numbers is none of 1, 3, 6, 9, a number is not finite, or nine numbers are not
        symmetric.
    """
    try:
        numbers = np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):  # words, complex numbers, rows of unlike length
        numbers = np.zeros(0)
    if numbers.size not in (1, 3, 6, 9) or not np.all(np.isfinite(numbers)):
        raise UsageError(
            f"{name} = {brief(value)} ({numbers.size} numbers) is not a dielectric tensor",
            "a tensor has 1 (isotropic), 3 (diagonal), 6 (Voigt xx yy zz yz xz xy) or 9 finite numbers",
            f"pass {name} as a scalar such as 2.4, as 3, 6 or 9 numbers, or leave it out",
        )
    if numbers.size == 1:
        return np.asarray(np.eye(3) * numbers[0])
    if numbers.size == 3:
        return np.diag(numbers)
    if numbers.size == 6:
        return np.asarray(numbers[_ROW])
    matrix = numbers.reshape(3, 3)
    if not np.allclose(matrix, matrix.T, atol=0.02 * float(np.abs(matrix).max())):
        raise UsageError(
            f"{name} = {numbers.tolist()} is not symmetric",
            "ε_∞ of a system without magnetic field is a symmetric tensor",
            f"check the order of the nine numbers of {name} (row-major)",
        )
    return np.asarray(0.5 * (matrix + matrix.T))
