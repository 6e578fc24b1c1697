r"""What the window of an estimate does to a line, and how it correlates noise at neighboring frequencies.

A spectrum is the truth convolved with a kernel, in time a product with a lag window w(t). Noise that is white
over the kernel has at two frequencies x apart the correlation

.. math:: ρ(x) = \int g(t) \cos(2\pi x t)\,dt \Big/ \int g(t)\,dt,

g = w² for a lag window; for averaged tapered segments :math:`g(t) = \int G(t', t' + t)^2 dt'` with
:math:`G(t, t') = \sum_k h_k(t) h_k(t')` (Percival & Walden 1993, eq. 293).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from bec_md.arrays import Array
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Points of a lag window, and of a taper.
_POINTS, _TAPER_POINTS = 2048, 512
#: Below this a window has ended: nothing is divided by it.
_ENDED = 1e-4
#: Windows that differ by less are the same; how far they are compared, over one resolution; and the most that
#: noise may be multiplied with (the tails of a Lorentzian are taken off by 2).
_ALIKE, _FAR, _ENLARGED = 0.01, 4.0, 2.5


@dataclass(frozen=True)
class Window:
    """Window of a computed curve.

    Parameters
    ----------
    name
        A lag window, "welch" or "multitaper".
    resolution_cm
        Full width at half maximum of the kernel, cm⁻¹; 0 of a sharp curve.
    """

    name: str = "gaussian"
    resolution_cm: float = 0.0

    def of_lines(self, t_cm: Array) -> Array:
        """Lag window at c t in cm."""
        if self.resolution_cm <= 0.0:
            return np.ones_like(t_cm)
        t, line, _ = _shape(self.name)
        return np.asarray(np.interp(np.abs(t_cm) * self.resolution_cm, t, line, right=0.0))

    def of_noise(self) -> tuple[Array, Array]:
        """Lags c t in cm and g; one lag, of noise without correlation, of a sharp curve."""
        if self.resolution_cm <= 0.0:
            return np.zeros(1), np.ones(1)
        t, _, g = _shape(self.name)
        return t / self.resolution_cm, g


@dataclass(frozen=True)
class Smoothing:
    """From one window to another, broader one.

    Parameters
    ----------
    own
        The window that a curve has.
    factor
        What it is multiplied with in time, a function of c t in cm; None leaves it.
    width_cm
        Full width at half maximum of the wanted kernel, cm⁻¹.
    exact
        The result is the wanted window.
    """

    own: Window
    factor: Callable[[Array], Array] | None
    width_cm: float
    exact: bool

    @property
    def reduction(self) -> float:
        """Variance of noise after the smoothing over that before."""
        lags, g = self.own.of_noise()
        return 1.0 if self.factor is None else _both_sides(g * self.factor(lags) ** 2) / _both_sides(g)

    def correlation(self, x_cm: Array) -> Array:
        """Correlation ρ of the noise that is left, at distances x in cm⁻¹."""
        lags, g = self.own.of_noise()
        weight = g if self.factor is None else g * self.factor(lags) ** 2
        if len(lags) == 1:
            return np.where(x_cm == 0.0, 1.0, 0.0)
        weight = np.concatenate([0.5 * weight[:1], weight[1:]])
        return np.asarray([weight @ np.cos(2.0 * np.pi * x * lags) for x in x_cm]) / float(weight.sum())


def smoothing(own: Window, wanted: Window) -> Smoothing:
    """How a curve comes to the window of another one.

    Gaussian to Gaussian is a Gaussian. Other windows are divided by each other while there is something to
    divide by; where that would multiply noise, a Gaussian brings the widths together, not the shapes.
    """
    if own == wanted:
        return Smoothing(own, None, 0.0, True)
    difference = max(wanted.resolution_cm**2 - own.resolution_cm**2, 0.0) ** 0.5
    gaussian = Window("gaussian", difference).of_lines if difference else None
    if own.name == wanted.name == "gaussian":
        return Smoothing(own, gaussian, wanted.resolution_cm, True)

    def ratio(t_cm: Array) -> Array:
        """Wanted over own window while there is any."""
        line = own.of_lines(t_cm)
        return np.where(line > _ENDED, wanted.of_lines(t_cm) / np.maximum(line, _ENDED), 0.0)

    t = np.linspace(0.0, _FAR / wanted.resolution_cm, _POINTS)
    found = ratio(t)
    exact = bool(np.all(found < _ENLARGED))
    exact = exact and float(np.abs(found * own.of_lines(t) - wanted.of_lines(t)).max()) < _ALIKE
    return Smoothing(own, ratio if exact else gaussian, wanted.resolution_cm, exact)


def _both_sides(g: Array) -> float:
    return float(2.0 * g.sum() - g[0])


@cache
def _shape(name: str) -> tuple[Array, Array, Array]:
    """Lags over one resolution (c t · FWHM), the lag window of lines, and g of noise."""
    from bec_md.spectrum.estimators import lag_window, multitaper, taper, welch

    if name in lag_window.WINDOW_NAMES:
        span = lag_window.window_span_fs(1.0, name)
        window = lag_window.lag_window(1.0, span / _POINTS, _POINTS + 1, name)
        lags = np.arange(len(window), dtype=np.float64)
        return lags * (span / _POINTS * SPEED_OF_LIGHT_CM_FS), window, window**2
    length = welch.HANN_WIDTH if name == "welch" else multitaper.WIDTH_TIMES_LENGTH
    make = welch.welch_tapers if name == "welch" else multitaper.multitaper_tapers
    tapers = make(length / _TAPER_POINTS, _TAPER_POINTS)
    pairs = tapers.T @ tapers
    g = np.array([np.sum(np.diagonal(pairs, k) ** 2) for k in range(len(pairs))])
    if name == "welch":  # neighbors overlap by a half
        half = _TAPER_POINTS // 2
        both = tapers[0, :half] * tapers[0, half:]
        g[:half] += 2.0 * np.correlate(both, both, mode="full")[half - 1 :]
    lags = np.arange(len(g), dtype=np.float64)
    return lags * (length / len(g)), taper.equivalent_lag_window(tapers), np.asarray(g)
