r"""Squares of the ordinates of a periodogram, from which errors follow for lines of any width.

To first order ordinates I_k are independent with variance S², and a spectrum smoothed with the kernel K over
a run of length T has

.. math:: \mathrm{var}\,\hat S(ν) = \tfrac1T \int K^2(ν-ν')\,S^2(ν')\,dν' .

Where S is flat over K this is the smoothed spectrum's own square over the TB of the kernel. A line narrower
than the kernel has fewer ordinates than that, and the square of the smoothed spectrum knows nothing of it:
S² has to come from the ordinates themselves. Of n averaged stretches, I_k² n/(n+1) and I_k I_{k±1} are both
S² on average; the first is noisier, the second too small for a line of an ordinate's width. Their mean is
used.

Reference: D. B. Percival, A. T. Walden, Spectral Analysis for Physical Applications (1993), chapter 6.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.estimators import corrections, one_sided
from bec_md.spectrum.estimators.estimate import PowerSpectra
from bec_md.spectrum.estimators.periodogram import Periodogram

#: Widths of a Gaussian after which it has fallen to 1e-4.
_VANISHED = 4.3


def squares(first: Array, stretches: int, second: Array | None = None) -> Array:
    """S² of every ordinate, (..., F), or the product of the spectra of two coherent signals.

    Parameters
    ----------
    first, second
        Ordinates (..., F), both of the same run.
    stretches
        Stretches that were averaged.
    """
    other = first if second is None else second
    near = np.empty_like(other)
    near[..., 1:-1] = 0.5 * (other[..., :-2] + other[..., 2:])
    near[..., 0], near[..., -1] = other[..., 1], other[..., -2]
    return np.asarray(0.5 * first * (other * (stretches / (stretches + 1.0)) + near))


def smoothed(ordinates: Array, window: Array, size: int, step: float) -> Array:
    """Ordinates (..., n/2 + 1) convolved with the kernel of a lag window, on the grid of an FFT of `size`.

    A window longer than n/2 meets the lags again: the kernel is summed over the ordinates as they are.
    """
    lags = one_sided.correlation_from_spectrum(ordinates, step)
    kept = min(len(window), size // 2)
    if kept > lags.shape[-1]:
        period = 2 * (lags.shape[-1] - 1)
        around = np.arange(kept) % period
        lags = lags[..., np.minimum(around, period - around)]
    return one_sided.two_sided_transform(lags[..., :kept] * window[:kept], size, step)


def squared_kernel(window: Array) -> Array:
    """Lag window of the square of the kernel of a lag window, per Δ: its autocorrelation."""
    from scipy import fft

    both = np.concatenate([window[:0:-1], window])
    size = fft.next_fast_len(2 * len(both), real=True)
    return np.asarray(fft.irfft(np.abs(fft.rfft(both, size)) ** 2, size)[: len(both)])


def ordinate_variance(
    square: Array, window: Array, size: int, step: float, bins: Periodogram
) -> tuple[Array, Array]:
    """Variance of the smoothed spectrum, and S² with a third of the resolution, from S² (..., n/2 + 1)."""
    total_fs = bins.stretches * bins.length * step
    # the square of a kernel has twice its lags
    variance = smoothed(square, squared_kernel(window), 2 * size, step)[..., ::2] * step / total_fs
    density = smoothed(square, finer(window, min(square.shape[-1], size // 2)), size, step)
    return np.maximum(variance, 0.0), np.maximum(density, 0.0)


def finer(window: Array, n_lags: int) -> Array:
    """Gaussian lag window with up to a third of the bandwidth of another, that vanishes within its lags.

    Its kernel has no tails: beside those of another window the square of a band would be all that there is in
    the dark.
    """
    width = (2.0 * float(np.sum(window**2)) - 1.0) / np.pi**0.5
    width *= float(np.clip(n_lags / (_VANISHED * width), 1.0, 3.0))
    return np.asarray(np.exp(-0.5 * (np.arange(n_lags) / width) ** 2))


def fine_density(square: Array, window: Array, size: int, step: float) -> Array:
    """S² (..., size + 1) on a grid twice as fine as that of an FFT of `size`.

    It is not smoothed, and rings, but what is linear in it with lags up to twice those of the lag window, as
    the square of its kernel, is exact. A stretch without these lags has it smoothed with a third of the
    resolution.
    """
    if square.shape[-1] - 1 >= 2 * (len(window) - 1):
        return smoothed(square, np.ones(size + 1), 2 * size, step)
    return np.maximum(smoothed(square, finer(window, min(square.shape[-1], size)), 2 * size, step), 0.0)


def limited(variance: Array, height: Array, window: Array, bins: Periodogram) -> Array:
    """Variance between half of that of a spectrum flat over the kernel, and the square of the smoothed one.

    No estimate of a power spectrum is worse than one ordinate; squares at the top of a band leak into the
    dark, with either sign, where a run is not much longer than the lag window.
    """
    square = np.maximum(height, 0.0) ** 2
    flat = float(squared_kernel(window)[0]) / (bins.stretches * bins.length)
    return np.asarray(np.clip(variance, min(LEAST_EXCESS * flat, 1.0) * square, square))


def with_excess(power: PowerSpectra, bins: Periodogram, md_timestep_fs: float | None) -> PowerSpectra:
    """Power spectra that know by how much their variance exceeds that of spectra flat over the kernel.

    The variance of S_aa over that of a flat spectrum of its height is constant over a line narrower than the
    kernel: both numbers are averaged over a resolution first, which takes away most of their noise.

    Parameters
    ----------
    power
        Spectra, corrected for the grid of time.
    bins
        The periodogram of the current.
    md_timestep_fs
        Time step whose Verlet shift has been undone in `power`, or None.
    """
    size, window, step = 2 * (power.total.shape[-1] - 1), power.lag_window, power.timestep_fs
    total_fs = bins.stretches * bins.length * step
    flat = float(squared_kernel(window)[0]) * step / total_fs  # relative variance of a flat spectrum
    variance, density = ordinate_variance(squares(bins.power, bins.stretches), window, size, step, bins)
    height = smoothed(bins.power, window, size, step)
    square = np.maximum(height, 0.0) ** 2 / (1.0 + flat)
    floor = 1e-12 * square.max(axis=-1, keepdims=True) + 1e-300
    even = (smoothed_again(values, window, step) for values in (variance, square))
    above, below = (np.maximum(values, floor * flat) for values in even)
    found = np.array([above / (flat * below), density / np.maximum(square, floor)])
    most = max(1.0 / flat, 1.0)  # a line of the width of one ordinate
    found[0] = np.clip(found[0], LEAST_EXCESS, most)
    found[1] = np.minimum(found[1], 3.0 * most)
    if md_timestep_fs is not None:
        grid = power.wavenumber_cm
        shown = corrections.verlet_shown_wavenumber(grid, md_timestep_fs)
        found = np.array([[np.interp(shown, grid, row) for row in part] for part in found])
    return replace(power, excess=found)


#: Least variance over that of a flat spectrum: no spectrum has less but by the noise of the estimate.
LEAST_EXCESS = 0.5


def smoothed_again(values: Array, window: Array, step: float) -> Array:
    """A spectrum (..., F) on the grid of frequencies convolved with the kernel of a lag window."""
    return smoothed(values, window, 2 * (values.shape[-1] - 1), step)
