r"""One-sided Fourier transform of a correlation function, the source of both parts of σ(ω).

.. math:: \hat\sigma(\omega) = \Delta\Big[\tfrac12 C_0 + \sum_{k\ge1} C_k\, e^{i\omega k\Delta}\Big]

The half weight at t = 0 is the trapezoidal rule; with it the real part is exactly half the two-sided
transform, hence non-negative, and the imaginary part is its discrete Kramers–Kronig partner.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grid_size(max_lag: int, timestep_fs: float, resolution_cm: float, points_per_width: float = 6.0) -> int:
    """Even FFT length for lags ≤ max_lag with a frequency step of at most resolution/points_per_width.

    15 % room beyond twice the largest lag lets later corrections (division by a transfer function)
    lengthen the correlation function without wrapping around.
    """
    from scipy import fft

    from bec_md.units import SPEED_OF_LIGHT_CM_FS

    finest = points_per_width / (resolution_cm * SPEED_OF_LIGHT_CM_FS * timestep_fs)
    size = int(max(2.3 * (max_lag + 1), finest, 64))
    return 2 * int(fft.next_fast_len(-(-size // 2), real=True))


def wavenumber_grid_cm(size: int, timestep_fs: float) -> NDArray[np.float64]:
    """Wavenumbers 0 … Nyquist in cm⁻¹ of an FFT of this even length, shape (size//2 + 1,)."""
    from bec_md.units import SPEED_OF_LIGHT_CM_FS

    return np.arange(size // 2 + 1) / (size * timestep_fs * SPEED_OF_LIGHT_CM_FS)


def two_sided_transform(correlation: NDArray[Any], size: int, timestep_fs: float) -> NDArray[np.float64]:
    r"""Real power spectrum :math:`S = \Delta\sum_{k=-L}^{L} C_{|k|}\cos\omega k\Delta` of an even sequence.

    Parameters
    ----------
    correlation
        C[k] for k = 0 … L along the last axis, in A².
    size
        FFT length, at least 2 L + 1.
    timestep_fs
        Δ in fs.

    Returns
    -------
    NDArray
        S in A² fs, shape (..., size//2 + 1).
    """
    from scipy import fft

    one_sided = correlation.copy()
    one_sided[..., 0] *= 0.5
    return np.asarray(2.0 * timestep_fs * fft.rfft(one_sided, size, axis=-1, workers=2).real)


def analytic_response(real_part: NDArray[Any], axis: int = -1) -> NDArray[np.complex128]:
    r"""Complex response from its real part on the full grid 0 … Nyquist (discrete Kramers–Kronig).

    The real part, even in ω, is transformed to the time domain, made causal (half weight at t = 0) and
    transformed back with e^{+iωt}: this *is* the one-sided transform, so applied to the real part of a
    one-sided transform it returns that transform to rounding.

    Parameters
    ----------
    real_part
        Re σ on the grid of an even FFT, F = n/2 + 1 points along `axis`.
    axis
        Frequency axis.

    Returns
    -------
    NDArray
        σ with Re σ unchanged, same shape; e^{−iωt} convention (Im σ > 0 above a resonance).
    """
    from scipy import fft

    size = 2 * (real_part.shape[axis] - 1)
    even = np.moveaxis(fft.irfft(real_part, size, axis=axis), axis, -1)
    half = size // 2
    even[..., 1:half] *= 2.0
    even[..., half + 1 :] = 0.0
    causal = np.conj(fft.rfft(even, size, axis=-1))
    return np.moveaxis(causal, -1, axis)


def continuous_response(real_part: NDArray[Any]) -> NDArray[np.complex128]:
    r"""Complex response in continuous time: `analytic_response` without the images of sampling.

    A sampled correlation function has a periodic spectrum, and the images of the bands beyond the Nyquist
    frequency add to the real part of ε what ε_∞ would: :math:`ω_p^2Δ^2/12` (0.07 for an oxide stored every
    5 fs). The Euler–Maclaurin formula takes it off,

    .. math:: \int_0^\infty C e^{i\omega t}dt = \Delta\Big[\tfrac12 C_0 + \sum_{k\ge1} C_k
              e^{i\omega k\Delta}\Big] + \tfrac{\Delta^2}{12}\, i\omega C_0 + O(\Delta^4),

    for a correlation function without slope at t = 0; the real part stays as it is.

    Parameters
    ----------
    real_part
        Re σ on the grid of an even FFT, (..., F).

    Returns
    -------
    NDArray
        σ, same shape.
    """
    phase = np.linspace(0.0, np.pi, real_part.shape[-1])
    # half the two-sided transform: its zeroth coefficient is Δ C_0/2
    start = correlation_from_spectrum(real_part, 1.0)[..., :1]
    return np.asarray(analytic_response(real_part) + 1j * phase * start / 6.0)


def correlation_from_spectrum(power: NDArray[Any], timestep_fs: float) -> NDArray[np.float64]:
    """Even correlation C[k], k = 0 … n/2, of a power spectrum on the grid of an even FFT."""
    from scipy import fft

    size = 2 * (power.shape[-1] - 1)
    return np.asarray(fft.irfft(power, size, axis=-1)[..., : size // 2 + 1] / timestep_fs)
