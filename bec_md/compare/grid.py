"""Bring two curves to one grid and one resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.compare.curve import Curve
from bec_md.compare.window import Smoothing, Window, smoothing
from bec_md.errors import UsageError

_MAX_POINTS = 20000
#: Distances in which noise is correlated, over the resolution; points of a kernel, and room beside a curve.
_FAR, _FINE, _MARGIN = 6.0, 15.0, 10.0


@dataclass(frozen=True, eq=False)
class Pair:
    """Two curves on one grid.

    Parameters
    ----------
    wavenumber_cm
        (F,) uniform.
    a, b
        Values at the same resolution.
    a_err, b_err
        Standard errors; zeros where a curve has none.
    resolution_cm
        The coarser of both.
    a_noise, b_noise
        Correlation of the noise of each at distances of 0, 1, … points of the grid.
    b_smoothing
        What brought b to the resolution; where a was the sharper one, nothing.
    exact
        Both have the same kernel now.
    """

    wavenumber_cm: Array
    a: Array
    b: Array
    a_err: Array
    b_err: Array
    resolution_cm: float
    a_noise: Array
    b_noise: Array
    b_smoothing: Smoothing
    exact: bool

    @property
    def error(self) -> Array:
        """Standard error of the difference."""
        return np.hypot(self.a_err, self.b_err)

    @property
    def noise(self) -> Array:
        """Correlation of the noise of the difference."""
        a, b = (float(np.sum(e**2)) for e in (self.a_err, self.b_err))
        return (a * self.a_noise + b * self.b_noise) / (a + b) if a + b else self.a_noise

    @property
    def points_per_independent(self) -> float:
        """Grid points that share their noise, of a mean."""
        return both_sides(self.noise)


def common(a: Curve, b: Curve, min_cm: float | None = None, max_cm: float | None = None) -> Pair:
    """Interpolate both on a grid where they overlap; smooth the sharper to the other's resolution.

    A computed spectrum is the truth smoothed by a kernel of known width and shape: a measured curve, taken as
    sharp, is smoothed alike before it is compared. Smoothing also lowers errors and widens their correlation.

    Raises
    ------
    UsageError
        If they do not overlap.
    """
    low = max(a.wavenumber_cm[0], b.wavenumber_cm[0], min_cm if min_cm is not None else 0.0)
    high = min(a.wavenumber_cm[-1], b.wavenumber_cm[-1], max_cm if max_cm is not None else np.inf)
    resolution = max(a.resolution_cm, b.resolution_cm)
    inside = [(c.wavenumber_cm >= low) & (c.wavenumber_cm <= high) for c in (a, b)]
    if not high > low or min(int(np.sum(i)) for i in inside) < 4:
        raise UsageError(
            f"{a.label} ({a.wavenumber_cm[0]:.4g} … {a.wavenumber_cm[-1]:.5g} cm⁻¹) and {b.label} "
            f"({b.wavenumber_cm[0]:.4g} … {b.wavenumber_cm[-1]:.5g} cm⁻¹) hardly overlap in the wanted range",
            "only common frequencies can be compared",
            "widen `min_cm` … `max_cm`, or compute the spectrum to a higher `max_cm`",
        )
    steps = [float(np.median(np.diff(c.wavenumber_cm[i]))) for c, i in zip((a, b), inside, strict=True)]
    step = resolution / 6.0 if resolution > 0.0 else max(steps)
    step = max(step, (high - low) / _MAX_POINTS)
    grid = np.arange(low, high + 0.5 * step, step)
    changes = _to_one(a, b, resolution)
    far = np.arange(0.0, min(_FAR * resolution, high - low) + 0.5 * step, step)
    sides = []
    for curve, change in zip((a, b), changes, strict=True):
        values = smooth(curve.wavenumber_cm, curve.values, grid, change)
        errors = np.zeros_like(grid)
        if curve.errors is not None:
            square = smooth(curve.wavenumber_cm, curve.errors**2, grid, change, squared=True)
            errors = np.sqrt(
                (change.reduction if curve.bandwidth_cm > 0.0 else 1.0) * np.maximum(square, 0.0)
            )
        noise = change.correlation(far) if curve.bandwidth_cm > 0.0 else np.where(far > 0.0, 0.0, 1.0)
        sides.append((values, errors, noise))
    (va, ea, na), (vb, eb, nb) = sides
    return Pair(grid, va, vb, ea, eb, resolution, na, nb, changes[1], all(change.exact for change in changes))


def _to_one(a: Curve, b: Curve, resolution_cm: float) -> tuple[Smoothing, Smoothing]:
    """How both come to one window of this resolution: that of the coarser one, or else of the other."""
    coarser, other = (a, b) if a.resolution_cm >= b.resolution_cm else (b, a)
    found = []
    for window in (coarser.window, other.window):
        wanted = Window(window, resolution_cm)
        first, second = (smoothing(Window(c.window, c.resolution_cm), wanted) for c in (a, b))
        found.append((first, second))
        if first.exact and second.exact:
            break
    return found[-1] if found[-1][0].exact and found[-1][1].exact else found[0]


def both_sides(correlation: Array) -> float:
    """Sum over distances of either sign."""
    return float(2.0 * correlation.sum() - correlation[0])


def smooth(x: Array, y: Array, grid: Array, change: Smoothing, *, squared: bool = False) -> Array:
    """Convolve a curve on any grid with the kernel of a smoothing, and take it on another grid.

    Beyond its ends the curve is continued by its last value. Lines may be narrower than the steps of a grid.

    Parameters
    ----------
    x, y
        The curve.
    grid
        Where it is wanted.
    change
        From its window to another one.
    squared
        Convolve with the square of the kernel, of area one: what is a variance.
    """
    if change.factor is None:
        sharp = change.own.resolution_cm <= 0.0 and not squared
        finer = int(np.sum((x > grid[0]) & (x < grid[-1]))) > 2 * len(grid)
        return _means(x, y, grid) if sharp and finer else np.asarray(np.interp(grid, x, y))
    step, margin = change.width_cm / _FINE, _MARGIN * change.width_cm
    count = min(int((grid[-1] - grid[0] + 2.0 * margin) / step) + 2, 2_000_000)
    fine = np.linspace(grid[0] - margin, grid[-1] + margin, count)
    lags = np.fft.rfftfreq(count, fine[1] - fine[0])
    factor = change.factor(lags)
    if squared:
        factor = np.fft.rfft(np.fft.irfft(factor, count) ** 2).real
        factor = factor / factor[0]
    factor = factor / np.sinc(lags * (fine[1] - fine[0]))  # what the means over its steps took off
    values = np.fft.irfft(np.fft.rfft(_means(x, y, fine)) * factor, count)
    return np.asarray(np.interp(grid, fine, values))


def _means(x: Array, y: Array, grid: Array) -> Array:
    """Means of a piecewise linear curve over the steps of a uniform grid, around its points."""
    step = float(grid[1] - grid[0])
    edges = np.append(grid - 0.5 * step, grid[-1] + 0.5 * step)
    points = np.union1d(x, edges)
    values = np.interp(points, x, y)
    areas = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(points))])
    return np.asarray(np.diff(areas[np.searchsorted(points, edges)]) / step)
