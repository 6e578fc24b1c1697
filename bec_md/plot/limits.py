"""Which part of a spectrum a panel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.spectrum.analysis.bands import highest_longitudinal_cm

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum


#: Room above the highest LO frequency, as a factor.
ABOVE_LO = 1.1


def visible_range_cm(
    spectrum: Spectrum, *, fraction: float = 0.01, margin: float = 1.12
) -> tuple[float, float]:
    """Return (0, end) in cm⁻¹: a tenth above the highest LO frequency, or where nα ends.

    Parameters
    ----------
    spectrum
        The spectrum. Without ε_∞, or without an LO mode, nα stays below `fraction` of its maximum beyond the
        end.
    fraction
        Part of the maximum that counts as something.
    margin
        Empty room beyond the last such point.
    """
    grid = spectrum.wavenumber_cm
    last = _last_above(grid, spectrum.n_alpha, fraction)
    highest = None if spectrum.eps_inf is None else highest_longitudinal_cm(spectrum)
    if highest is None:
        return 0.0, float(min(grid[-1], _round_up(margin * last)))
    return 0.0, float(min(grid[-1], _round_up(max(ABOVE_LO * highest, last), 20)))


def _last_above(grid: Array, values: Array, fraction: float) -> float:
    """Last point of the grid where the values exceed this part of their maximum."""
    visible = np.flatnonzero(values > fraction * np.max(values))
    return float(grid[visible[-1] if visible.size else -1])


def _round_up(value: float, parts: int = 5) -> float:
    """Round up to a part of its power of ten: with 5 to two figures, the second one even."""
    if value <= 0.0:
        return value
    unit = 10.0 ** np.floor(np.log10(value)) / parts
    return float(np.ceil(value / unit - 1e-9) * unit)


def value_limits(
    wavenumber_cm: Array,
    curves: list[Array],
    shown_cm: tuple[float, float],
    *,
    skip_below_cm: float = 0.0,
    floor: float | None = None,
    headroom: float = 0.06,
) -> tuple[float, float]:
    """Return limits of the ordinate that hold the curves where they are shown.

    Parameters
    ----------
    wavenumber_cm
        Abscissas (F,).
    curves
        Ordinates (F,) each.
    shown_cm
        Limits of the abscissa, in either order.
    skip_below_cm
        Below this nothing counts: within one resolution width of zero, ε₂ = σ/(ε₀ω) has no meaning.
    floor
        Lowest possible value: the lower limit if no curve comes below it.
    headroom
        Part of the height to leave free above, and below (a third if something lies just below the floor).
    """
    begin, end = sorted(shown_cm)
    shown = (wavenumber_cm >= max(begin, skip_below_cm)) & (wavenumber_cm <= end)
    if not shown.any():  # between two points
        shown[np.abs(wavenumber_cm - 0.5 * (begin + end)).argmin()] = True
    values = np.concatenate([c[shown] for c in curves])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if floor is not None and low >= floor:
        return floor, high + headroom * ((high - floor) or 1.0)
    height = (high - low) or 1.0
    below = headroom if floor is None else 0.35 * headroom
    return low - below * height, high + headroom * height
