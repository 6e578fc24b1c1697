r"""Biased correlation functions by FFT, in memory or streamed block by block.

.. math:: C_{xy}[k] = \frac{1}{N} \sum_{n} x[n+k]\, y[n]

The division by N (not N−k) is deliberate: it makes the sequence positive definite, so that its Fourier
transform (the power spectrum) is never negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array


def cross_correlation(x: NDArray[Any], y: NDArray[Any], max_lag: int | None = None) -> Array:
    r"""Biased cross-correlation :math:`C[k] = \frac1N\sum_n x[n+k]\,y[n]` for k = 0 … max_lag.

    Parameters
    ----------
    x, y
        Real series along the first axis, shape (N, ...), same shape.
    max_lag
        Largest lag in samples, N−1 by default.

    Returns
    -------
    NDArray
        Shape (max_lag + 1, ...).
    """
    from scipy import fft

    n = x.shape[0]
    lags = n - 1 if max_lag is None else min(max_lag, n - 1)
    size = fft.next_fast_len(n + lags, real=True)
    spectrum = fft.rfft(x, size, axis=0) * np.conj(fft.rfft(y, size, axis=0))
    return np.asarray(fft.irfft(spectrum, size, axis=0)[: lags + 1] / n)


def autocorrelation(x: NDArray[Any], max_lag: int | None = None) -> Array:
    """Biased autocorrelation, see `cross_correlation`."""
    return cross_correlation(x, x, max_lag)


def block_length(n_samples: int, max_lag: int, blocks_wanted: int = 20) -> int:
    """Samples per block for streaming: long enough for the lags, short enough for memory and jackknife.

    A block of B samples is transformed together with max_lag samples on either side, so the overhead is
    (B + 2 max_lag)/B. Long series take B ≥ 4 max_lag; short ones go down to B = max_lag so that a
    jackknife still has blocks to leave out.
    """
    share = -(-n_samples // blocks_wanted)
    return min(n_samples, max(max_lag, min(share, max(4 * max_lag, 32768)), 1))


def block_transforms(
    extended: NDArray[Any], before: int, inner: int, max_lag: int, size: int
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Fourier transforms whose product holds all lags |k| ≤ max_lag between a block and its surroundings.

    With x[n] on the block extended by max_lag on both sides and y[n] the block alone (zeros elsewhere),
    Re(X·Y*) is the transform of the even part ½(C[k] + C[−k]); summed over blocks it is exact.

    Parameters
    ----------
    extended
        Samples of the extended block, channels first, shape (..., n). At the ends of the series fewer
        samples exist.
    before
        Samples in `extended` before the block (max_lag except at the start).
    inner
        Samples of the block itself.
    max_lag
        Largest lag.
    size
        FFT length, at least inner + 2 max_lag.

    Returns
    -------
    X, Y
        Shape (..., size//2 + 1).
    """
    from scipy import fft

    if extended.shape[-1] == inner:
        both = fft.rfft(extended, size, axis=-1, workers=2)
        return both, both
    alone = np.zeros_like(extended)
    alone[..., before : before + inner] = extended[..., before : before + inner]
    return fft.rfft(extended, size, axis=-1, workers=2), fft.rfft(alone, size, axis=-1, workers=2)


def even_correlation(cross_power: NDArray[Any], size: int, max_lag: int) -> Array:
    """Even correlation sums for lags 0 … max_lag from accumulated Re(X·Y*), shape (..., max_lag + 1)."""
    from scipy import fft

    return np.asarray(fft.irfft(cross_power, size, axis=-1, workers=2)[..., : max_lag + 1])
