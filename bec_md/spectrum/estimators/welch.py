"""Welch's method: overlapping tapered segments, averaged (Welch 1967)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

#: Full width at half maximum of the Hann taper's kernel times the segment length.
HANN_WIDTH = 1.4406
OVERLAP = 0.5


def welch_tapers(width_cycles: float, n_samples: int) -> Array:
    """Hann taper of unit energy whose kernel has this full width at half maximum.

    Parameters
    ----------
    width_cycles
        Kernel width in cycles per sample, i.e. resolution × c × Δ.
    n_samples
        Length of the shortest series; the segment cannot be longer.

    Returns
    -------
    NDArray
        Shape (1, n).
    """
    length = min(max(round(HANN_WIDTH / width_cycles), 8), n_samples)
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return np.asarray(taper / np.sqrt(np.sum(taper**2)))[None, :]


def segment_starts(n_samples: int, length: int, hop: int) -> NDArray[np.int64]:
    """Starts of evenly spaced segments at most `hop` apart that cover the series; none of a shorter one."""
    count = 1 + -(-(n_samples - length) // hop) if n_samples >= length else 0
    return np.linspace(0, n_samples - length, count).astype(np.int64)
