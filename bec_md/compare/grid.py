"""Bring two curves to one grid and one resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.compare.curve import Curve
from bec_md.errors import UsageError

FWHM = math.sqrt(8.0 * math.log(2.0))
_MAX_POINTS = 20000


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
    bandwidth_cm
        Equivalent noise bandwidth of the difference, cm⁻¹; points this far apart are independent.
    """

    wavenumber_cm: Array
    a: Array
    b: Array
    a_err: Array
    b_err: Array
    resolution_cm: float
    bandwidth_cm: float

    @property
    def error(self) -> Array:
        """Standard error of the difference."""
        return np.hypot(self.a_err, self.b_err)

    @property
    def points_per_independent(self) -> float:
        """Grid points that share their noise."""
        return max(self.bandwidth_cm / float(self.wavenumber_cm[1] - self.wavenumber_cm[0]), 1.0)


def common(a: Curve, b: Curve, min_cm: float | None = None, max_cm: float | None = None) -> Pair:
    """Interpolate both on a grid where they overlap; smooth the sharper to the other's resolution.

    A computed spectrum is the truth smoothed by a Gaussian of known width: a measured curve, taken as sharp,
    is smoothed alike before it is compared. Smoothing also lowers errors and widens their correlation.

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
            "widen min_cm … `max_cm`, or compute the spectrum to a higher `max_cm`",
        )
    steps = [float(np.median(np.diff(c.wavenumber_cm[i]))) for c, i in zip((a, b), inside, strict=True)]
    step = resolution / 6.0 if resolution > 0.0 else max(steps)
    step = max(step, (high - low) / _MAX_POINTS)
    grid = np.arange(low, high + 0.5 * step, step)
    bandwidth = max(a.bandwidth_cm, b.bandwidth_cm)
    sides = []
    for curve in (a, b):
        missing = math.sqrt(max(resolution**2 - curve.resolution_cm**2, 0.0))
        values = smooth(curve.wavenumber_cm, curve.values, grid, missing)
        errors = np.zeros_like(grid)
        if curve.errors is not None:
            errors = np.interp(grid, curve.wavenumber_cm, curve.errors)
            if missing > 0.0 and curve.bandwidth_cm > 0.0:
                errors *= math.sqrt(curve.bandwidth_cm / bandwidth)
        sides.append((values, errors))
    (va, ea), (vb, eb) = sides
    return Pair(grid, va, vb, ea, eb, resolution, bandwidth)


def smooth(x: Array, y: Array, grid: Array, fwhm_cm: float) -> Array:
    """Convolve a curve on any grid with a Gaussian, and take it on another grid.

    Beyond its ends the curve is continued by its last value.

    Parameters
    ----------
    x, y
        The curve.
    grid
        Where it is wanted.
    fwhm_cm
        Full width at half maximum; 0 interpolates only.
    """
    if fwhm_cm <= 0.0:
        return np.asarray(np.interp(grid, x, y))
    sigma = fwhm_cm / FWHM
    step = sigma / 6.0
    reach = np.arange(-5.0 * sigma, 5.0 * sigma + 0.5 * step, step)
    weight = np.exp(-0.5 * (reach / sigma) ** 2)
    weight /= weight.sum()
    fine = np.arange(grid[0] - 5.5 * sigma, grid[-1] + 5.5 * sigma, step)
    if len(fine) > 2_000_000:
        fine = np.linspace(fine[0], fine[-1], 2_000_000)
    values = np.convolve(np.interp(fine, x, y), weight, mode="same")
    return np.asarray(np.interp(grid, fine, values))
