r"""What the lag-window estimator gives on average, from the exact correlation function.

A biased autocorrelation of N samples has the expectation (1 − k/N) C(kΔ); with the window w_k

.. math:: \langle\hat\sigma(\omega)\rangle = \varepsilon_0\Delta\Big[\tfrac12 K(0) +
          \sum_{k\ge1} w_k (1-\tfrac kN) K(k\Delta)\, e^{i\omega k\Delta}\Big], \quad
          K_{ab}(t) = \frac{\langle J_a(t) J_b(0)\rangle}{V k_B T \varepsilon_0}.

This is the exact result convolved with the estimator's spectral window, nothing more; the imaginary part
with the end correction iωΔ²K(0)/12 of the sum. K is the inverse
Fourier transform of σ/ε₀ (1/fs²): neither T nor the program's prefactors enter. Written independently of
`bec_md.spectrum`, with numpy's transforms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.units import SPEED_OF_LIGHT_CM_FS, VACUUM_PERMITTIVITY_F_M

#: σ [S/m] = this × ∫ K dt with K in 1/fs² and t in fs.
SIGMA_PER_KERNEL = VACUUM_PERMITTIVITY_F_M * 1e15


def gaussian_window(resolution_cm: float, times_fs: NDArray[Any]) -> Array:
    """exp(−t²/2σ_t²) whose kernel has this full width at half maximum, from the definition of both."""
    sigma_cm = resolution_cm / math.sqrt(8.0 * math.log(2.0))
    phase = 2.0 * math.pi * SPEED_OF_LIGHT_CM_FS * sigma_cm * np.asarray(times_fs)
    return np.asarray(np.exp(-0.5 * phase**2))


def expected_sigma(
    wavenumber_cm: Array,
    kernel: NDArray[Any],
    timestep_fs: float,
    n_samples: int,
    resolution_cm: float,
    *,
    midpoint: bool = False,
) -> Complex:
    """Expectation of the complex conductivity in S/m with the Gaussian lag window.

    Parameters
    ----------
    wavenumber_cm
        The spectrum's uniform grid (F,), which starts one step above zero.
    kernel
        K at t = 0, Δ, 2Δ … (L, ...), 1/fs²; zero (or windowed away) beyond. For differences of positions
        or dipoles, that of the differences.
    timestep_fs
        Δ.
    n_samples
        Samples N of each run.
    resolution_cm
        Full width at half maximum of the kernel.
    midpoint
        J is a difference over Δ: divide by [sin(ωΔ/2)/(ωΔ/2)]².

    Returns
    -------
    NDArray
        (F, ...), complex.
    """
    size = round(1.0 / (float(wavenumber_cm[0]) * SPEED_OF_LIGHT_CM_FS * timestep_fs))
    lags = np.arange(min(len(kernel), size // 2, n_samples))
    weight = gaussian_window(resolution_cm, lags * timestep_fs) * (1.0 - lags / n_samples)
    weight[0] = 0.5
    causal = kernel[: len(lags)] * weight.reshape((-1,) + (1,) * (kernel.ndim - 1))
    sigma = np.conj(np.fft.rfft(causal, size, axis=0))  # e^{+iωt}
    start = kernel[0]
    if midpoint:
        real = (
            sigma.real / np.sinc(np.arange(size // 2 + 1) / size).reshape(-1, *[1] * (kernel.ndim - 1)) ** 2
        )
        even = np.fft.irfft(real, size, axis=0)
        start = 2.0 * even[0]
        even[1 : size // 2] *= 2.0
        even[size // 2 + 1 :] = 0.0
        sigma = np.conj(np.fft.rfft(even, size, axis=0))
    sigma = sigma[1 : len(wavenumber_cm) + 1]
    phase = omega_fs(wavenumber_cm).reshape((-1,) + (1,) * (kernel.ndim - 1)) * timestep_fs
    # Euler–Maclaurin: the integral in continuous time from the sum over samples
    return np.asarray(SIGMA_PER_KERNEL * timestep_fs * (sigma + 1j * phase * start / 12.0))


def omega_fs(wavenumber_cm: NDArray[Any]) -> Array:
    """ω = 2πcν̃ in rad/fs."""
    return np.asarray(2.0 * math.pi * SPEED_OF_LIGHT_CM_FS * np.asarray(wavenumber_cm, dtype=float))


def sigma_of_susceptibility(wavenumber_cm: Array, chi: NDArray[Any]) -> Complex:
    """σ = −iωε₀(ε − ε_∞) in S/m, frequency on the first axis."""
    omega = omega_fs(wavenumber_cm).reshape((-1,) + (1,) * (chi.ndim - 1)) * 1e15
    return np.asarray(-1j * omega * VACUUM_PERMITTIVITY_F_M * chi)
