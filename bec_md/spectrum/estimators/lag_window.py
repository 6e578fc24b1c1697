r"""Positive-definite lag windows, and what they do to a spectrum.

A spectrum estimated from the windowed autocorrelation is the periodogram convolved with the window's
Fourier transform. If that transform is nowhere negative (the window is positive definite), neither is the
spectrum. Hann, Hamming and the rectangle are not positive definite as *lag* windows and are not offered.

**Resolution** everywhere in this package is the full width at half maximum of that convolution kernel, in
cm⁻¹: two lines closer than this merge. The **equivalent noise bandwidth** B = 1/∫w²dt, in Hz, sets the
error bars: relative standard error 1/√(T·B). For the Gaussian w = exp(−t²/2σ_t²): σ_ν̃ = 1/(2πcσ_t),
FWHM = 2√(2 ln 2) σ_ν̃ and B = 2√π σ_ν̃ c = 1.505 FWHM·c.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.units import SPEED_OF_LIGHT_CM_FS

FWHM_OVER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
#: The Gaussian is cut where it has fallen to exp(−8.5²/2) = 2e-16: the cut is below rounding.
_GAUSSIAN_CUT = 8.5


def _gaussian(s: Array) -> Array:
    return np.exp(-0.5 * (_GAUSSIAN_CUT * s) ** 2)


def _bartlett(s: Array) -> Array:
    return np.clip(1.0 - s, 0.0, None)


def _parzen(s: Array) -> Array:
    inner = 1.0 - 6.0 * s**2 * (1.0 - s)
    outer = 2.0 * np.clip(1.0 - s, 0.0, None) ** 3
    return np.where(s <= 0.5, inner, outer)


def _exponential(s: Array) -> Array:
    return np.exp(-36.0 * s)


#: name: (window of the scaled lag s = t/t_max, FWHM of its kernel times t_max)
_WINDOWS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "gaussian": (_gaussian, FWHM_OVER_SIGMA * _GAUSSIAN_CUT / (2.0 * math.pi)),
    "bartlett": (_bartlett, 0.8858929413781328),  # sinc²(x) = 1/2 at x = 0.44294647
    "parzen": (_parzen, 1.2756667947408933),  # sinc⁴(x/2) = 1/2 at x = 0.63783340
    "lorentzian": (_exponential, 36.0 / math.pi),
}
WINDOW_NAMES: tuple[str, ...] = tuple(_WINDOWS)


def _lookup(name: str) -> tuple[Callable[[Array], Array], float]:
    if name not in _WINDOWS:
        raise UsageError(
            f"lag window {name!r} is not offered",
            "only positive-definite lag windows keep the absorption non-negative",
            f"choose one of {', '.join(WINDOW_NAMES)}",
        )
    return _WINDOWS[name]


def window_span_fs(resolution_cm: float, name: str = "gaussian") -> float:
    """Largest lag t_max in fs of the window whose kernel has this full width at half maximum."""
    return _lookup(name)[1] / (SPEED_OF_LIGHT_CM_FS * resolution_cm)


def lag_window(resolution_cm: float, timestep_fs: float, n_samples: int, name: str = "gaussian") -> Array:
    """Window w[k] on the lags k = 0 … L, cut at the length of the series.

    Parameters
    ----------
    resolution_cm
        Full width at half maximum of the kernel in cm⁻¹.
    timestep_fs
        Time between samples in fs.
    n_samples
        Length of the longest series; lags beyond it do not exist.
    name
        One of `WINDOW_NAMES`.

    Returns
    -------
    NDArray
        w, shape (L + 1,), w[0] = 1.
    """
    shape, _ = _lookup(name)
    span = window_span_fs(resolution_cm, name) / timestep_fs
    lags = np.arange(min(max(math.ceil(span), 1), n_samples - 1) + 1)
    return shape(np.minimum(lags / span, 1.0))


def kernel_over_top(
    window: Array, timestep_fs: float, wavenumber_cm: float, lorentz_cm: float = 0.0
) -> float:
    """Kernel of a lag window, at a distance from its middle, over its middle.

    Parameters
    ----------
    window
        (L + 1,) from lag 0 on.
    timestep_fs
        Time between lags, fs.
    wavenumber_cm
        The distance, cm⁻¹.
    lorentz_cm
        Full width at half maximum of a Lorentzian with which the kernel is folded first, cm⁻¹.
    """
    phase = 2.0 * math.pi * SPEED_OF_LIGHT_CM_FS * timestep_fs * np.arange(len(window))
    folded = window * np.exp(-0.5 * lorentz_cm * phase)
    folded[0] *= 0.5
    return float(folded @ np.cos(wavenumber_cm * phase) / folded.sum())


def roughness(window: Array, timestep_fs: float, resolution_cm: float) -> float:
    """Slope of noise smoothed by a lag window, over that of a Gaussian one of the same resolution.

    Noise of the variance ∫w² has slopes of the variance ∫(2πct)²w²: tapers with a flat kernel leave it rough.

    Parameters
    ----------
    window, timestep_fs
        (L + 1,) from lag 0 on, and the time between lags, fs.
    resolution_cm
        Full width at half maximum of the kernel, cm⁻¹.
    """
    phase = 2.0 * math.pi * SPEED_OF_LIGHT_CM_FS * timestep_fs * np.arange(len(window))
    square = window**2
    slope = float(np.sum(phase**2 * square)) / (float(np.sum(square)) - 0.5 * float(square[0]))
    return math.sqrt(2.0 * slope) * resolution_cm / FWHM_OVER_SIGMA


def noise_bandwidth_cm(resolution_cm: float, name: str = "gaussian") -> float:
    """Equivalent noise bandwidth B/c in cm⁻¹ for a resolution (kernel FWHM) in cm⁻¹."""
    shape, fwhm_times_span = _lookup(name)
    s = np.linspace(0.0, 1.0, 20001)
    weight = np.full_like(s, s[1])
    weight[[0, -1]] *= 0.5
    integral = 2.0 * float(np.sum(shape(s) ** 2 * weight))
    return resolution_cm / (fwhm_times_span * integral)


def resolution_from_bandwidth_cm(bandwidth_cm: float, name: str = "gaussian") -> float:
    """Inverse of `noise_bandwidth_cm`."""
    return bandwidth_cm / noise_bandwidth_cm(1.0, name)


def default_resolution_cm(total_time_fs: float, longest_fs: float, components: int = 3) -> float:
    """Resolution that gives 10 % error per point, within 2 … 20 cm⁻¹ and not finer than 2/(c T).

    Parameters
    ----------
    total_time_fs
        Length of all replicas together.
    longest_fs
        Length of the longest replica, which limits the finest resolution.
    components
        Number of equivalent Cartesian components that are averaged.
    """
    bandwidth = 1.0 / (0.1**2 * components * total_time_fs * SPEED_OF_LIGHT_CM_FS)
    wanted = resolution_from_bandwidth_cm(bandwidth)
    finest = 2.0 / (longest_fs * SPEED_OF_LIGHT_CM_FS)
    value = max(min(max(wanted, 2.0), 20.0), finest)
    return float(f"{value:.2g}")
