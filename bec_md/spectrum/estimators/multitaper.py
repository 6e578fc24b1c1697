"""Multitaper estimate with discrete prolate spheroidal sequences (Thomson 1982)."""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array

#: Time–bandwidth product: 2 NW − 1 = 7 tapers with leakage below 1e-7.
TIME_BANDWIDTH = 4.0
#: DPSS tapers together weight a segment almost evenly: overlap would gain nothing.
OVERLAP = 0.0
#: Kernel width of the seven averaged tapers times the segment length.
WIDTH_TIMES_LENGTH = 7.3808


def multitaper_tapers(width_cycles: float, n_samples: int, time_bandwidth: float = TIME_BANDWIDTH) -> Array:
    """DPSS tapers whose averaged kernel has this full width at half maximum.

    Parameters
    ----------
    width_cycles
        Kernel width in cycles per sample, i.e. resolution × c × Δ.
    n_samples
        Length of the shortest series.
    time_bandwidth
        NW; K = 2 NW − 1 tapers are used. If the series is shorter than the segment that this product
        asks for, NW is lowered (fewer tapers, same width).

    Returns
    -------
    NDArray
        Unit-energy tapers, shape (K, n).
    """
    from scipy.signal.windows import dpss

    length = max(round(WIDTH_TIMES_LENGTH / width_cycles), 16)
    if length > n_samples:
        time_bandwidth = max(time_bandwidth * n_samples / length, 1.5)
        length = n_samples
    count = max(int(2.0 * time_bandwidth) - 1, 1)
    return np.asarray(dpss(length, time_bandwidth, count), dtype=float)
