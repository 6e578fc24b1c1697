"""Lattice vectors from lengths and angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cell_from_parameters(lengths: ArrayLike, angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Lattice vectors as rows, a along x and b in the xy plane, shape (3, 3).

    a = (a, 0, 0), b = b (cos γ, sin γ, 0), c = c (cos β, (cos α − cos β cos γ) / sin γ, …).

    Parameters
    ----------
    lengths
        a, b, c.
    angles_deg
        α (between b and c), β (between a and c), γ (between a and b) in degrees.

    Raises
    ------
    ValueError
        If no cell has these angles.
    """
    a, b, c = np.asarray(lengths, dtype=np.float64)
    angles = np.asarray(angles_deg, dtype=np.float64)
    cosines = np.where(angles == 90.0, 0.0, np.cos(np.radians(angles)))
    cos_a, cos_b, cos_g = cosines
    sin_g = np.sqrt(max(0.0, 1.0 - cos_g * cos_g))
    y = (cos_a - cos_b * cos_g) / sin_g if sin_g > 0 else np.nan
    z2 = 1.0 - cos_b * cos_b - y * y
    if not (np.isfinite([a, b, c]).all() and min(a, b, c) > 0 and z2 > 0):
        raise ValueError(f"no cell has the edges {a:g}, {b:g}, {c:g} and the angles {angles.tolist()}")
    return np.array([[a, 0.0, 0.0], [b * cos_g, b * sin_g, 0.0], [c * cos_b, c * y, c * np.sqrt(z2)]])
