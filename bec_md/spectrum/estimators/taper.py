r"""Tapers (data windows): the width of their kernel, and the exact variance of averaged tapered segments.

For Gaussian noise that is white over the kernel width, an estimate with tapers h_k averaged over S segments
has the relative variance

.. math:: \frac{1}{S^2K^2}\sum_{s s'}\sum_{k k'}
          \big|\rho^{kk'}_{s-s'}(0)\big|^2 + \big|\rho^{kk'}_{s-s'}(2\omega)\big|^2,\quad
          \rho_j(\omega) = \sum_n h_n h_{n+j} e^{i\omega n},

the second term being the doubling of the variance at ω = 0 and at the Nyquist frequency. Reference:
Percival & Walden 1993, eq. 293.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array


def equivalent_lag_window(tapers: NDArray[Any]) -> Array:
    """Mean autocorrelation of the tapers: the lag window that gives the same expectation, w[0] = 1."""
    from scipy import fft

    n = tapers.shape[-1]
    size = fft.next_fast_len(2 * n, real=True)
    power = np.mean(np.abs(fft.rfft(tapers, size, axis=-1)) ** 2, axis=0)
    window = np.asarray(fft.irfft(power, size)[:n])
    return np.asarray(window / window[0])


def relative_variance(tapers: NDArray[Any], step: int, n_segments: int, size: int) -> Array:
    """Relative variance of the averaged estimate on the grid of an FFT of length `size`.

    Parameters
    ----------
    tapers
        Unit-energy tapers (K, n).
    step
        Samples between the starts of neighboring segments.
    n_segments
        Number of segments in one stretch.
    size
        FFT length, at least 2 n.

    Returns
    -------
    NDArray
        Shape (size//2 + 1,).
    """
    from scipy import fft

    n_tapers, n = tapers.shape
    double = (2 * np.arange(size // 2 + 1)) % size
    variance = np.zeros(size // 2 + 1)
    for apart in range(min(n_segments, -(-n // step))):
        shift = apart * step
        pairs = (n_segments - apart) * (1 if apart == 0 else 2)
        for first in tapers:
            products = first[: n - shift] * tapers[:, shift:]
            transform = np.abs(fft.fft(products, size, axis=-1)) ** 2
            variance += pairs * (transform[:, 0].sum() + transform[:, double].sum(axis=0))
    return np.asarray(variance / (n_segments * n_tapers) ** 2)
