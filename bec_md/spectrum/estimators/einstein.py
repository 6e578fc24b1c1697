r"""DC conductivity from the slope of the dipole's mean-square displacement (Einstein–Helfand).

.. math:: σ = \lim_{t→∞} \frac{1}{2 V k_B T} \frac{d}{dt} ⟨[M_a(t) - M_a(0)]^2⟩

An independent cross-check of the cepstral estimate. Reference: Helfand 1960, Phys. Rev. 119, 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.units import CONDUCTIVITY_S_M


def mean_square_displacement(dipole: NDArray[Any], max_lag: int) -> Array:
    """⟨|M(t) − M(0)|²⟩ per component by FFT, shape (max_lag + 1, ...), for a series (N, ...)."""
    from bec_md.spectrum.estimators.correlation import autocorrelation

    n = dipole.shape[0]
    centered = dipole - dipole.mean(axis=0)
    lags = np.arange(max_lag + 1).reshape((-1,) + (1,) * (dipole.ndim - 1))
    correlation = autocorrelation(centered, max_lag) * n / (n - lags)
    square = centered**2
    cumulative = np.concatenate([np.zeros((1, *dipole.shape[1:])), np.cumsum(square, axis=0)])
    head = cumulative[n - np.arange(max_lag + 1)]
    tail = cumulative[n] - cumulative[: max_lag + 1]
    return np.asarray((head + tail) / (n - lags) - 2.0 * correlation)


def einstein_helfand(
    current: NDArray[Any],
    timestep_fs: float,
    volume_ang3: float,
    temperature_k: float,
    fit_range_fs: tuple[float, float],
    blocks: int = 8,
) -> tuple[float, float]:
    """Isotropic σ_dc in S/m and its standard error over blocks of the run.

    Parameters
    ----------
    current
        Total current (N, 3), e Å/fs.
    timestep_fs, volume_ang3, temperature_k
        Time between samples, fs; volume of the cell, Å³; temperature, K.
    fit_range_fs
        Lags between which the slope is taken, fs.
    blocks
        Stretches whose scatter gives the error.

    Returns
    -------
    tuple
        σ_dc and its standard error, S/m.
    """
    first, last = (max(round(t / timestep_fs), 1) for t in fit_range_fs)
    slopes = []
    for part in np.array_split(np.asarray(current), blocks):
        dipole = timestep_fs * np.cumsum(part, axis=0)
        moved = mean_square_displacement(dipole, min(last, len(part) - 1)).mean(axis=1)
        lags = np.arange(first, len(moved))
        slopes.append(np.polyfit(lags * timestep_fs, moved[first:], 1)[0])
    scale = 0.5 * CONDUCTIVITY_S_M / (volume_ang3 * temperature_k)
    return float(np.mean(slopes) * scale), float(np.std(slopes, ddof=1) / blocks**0.5 * scale)
