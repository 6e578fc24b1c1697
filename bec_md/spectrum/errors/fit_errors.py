r"""Errors of what is fitted to σ(ω): neighboring points share noise, and Im σ shares it at all distances.

A fitted parameter is, to first order, a linear functional :math:`\sum_j a_j\,δσ'_j + b_j\,δσ''_j` of the
noise. Both parts are smoothed from one periodogram with independent ordinates, so that

.. math:: \mathrm{cov}_{pq} = \frac{2}{\pi T}\int_0^{\omega_N} s^2(\omega') H_p(\omega') H_q(\omega')\,
          d\omega', \quad
          H(\omega') = 2\Delta\sum_k c_k w_k \cos(\omega' k\Delta) \sum_j [a_j\cos\omega_j k\Delta +
          b_j\sin\omega_j k\Delta],

c_0 = ½, c_k = 1 (compare `uncertainty.response_covariance`, one frequency each). Counting points of Im σ as
independent would make the error of an LO frequency three times too small.
"""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array


def functional_covariance(
    real_weights: Array,
    imag_weights: Array,
    density: Array,
    window: Array,
    total_time: float,
    size: int,
) -> Array:
    """Covariance (P, P) of P linear functionals of the noise of σ.

    Parameters
    ----------
    real_weights, imag_weights
        a and b, (P, F), on the grid of an FFT of length `size` without its zero.
    density
        (F,) variance density s² of Re σ: ½(S_aa S_bb + S_ab²) in units of σ².
    window
        (L + 1,) lag window.
    total_time
        Length of all replicas in units of the time step.
    size
        Length of the FFT whose grid it is.
    """
    n_freq = real_weights.shape[1]
    spectrum = np.zeros((len(real_weights), size), dtype=complex)
    spectrum[:, 1 : n_freq + 1] = real_weights - 1j * imag_weights
    causal = window.astype(float).copy()
    causal[0] = 0.5
    lags = (np.fft.ifft(spectrum, axis=1) * size).real[:, : len(causal)]
    kernel = np.fft.fft(2.0 * causal[: lags.shape[1]] * lags, size, axis=1).real[:, 1 : n_freq + 1]
    # (2/πT) dω' with ω' in units of 1/Δ: dω' = 2π/size
    weighted = kernel * (density * 4.0 / (total_time * size))
    return np.asarray(weighted @ kernel.T)
