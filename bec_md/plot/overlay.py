"""What a spectrum is compared with: measured curves, and sticks of calculated modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.plot.palette import COLORS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.plot.frequency import FrequencyUnit


#: Measured curves: label → (wavenumber in cm⁻¹, values) or an (F, 2) array; a bare one is "experiment".
Experiment = Mapping[str, Any] | Sequence[ArrayLike] | NDArray[np.float64]

#: Modes: label → positions in cm⁻¹, or (positions, intensities).
Sticks = Mapping[str, Any]

#: Height of a row of sticks without intensities, over that of the panel.
ROW = 0.055

#: Colors that curves in the same panel take last.
_STICK_COLORS = (COLORS[4], COLORS[3], COLORS[5])

#: Height of the strongest stick with intensities, over that of the panel.
TALLEST = 0.6


def curves_of(experiment: Experiment) -> dict[str, tuple[Array, Array]]:
    """Return measured curves by label.

    Raises
    ------
    UsageError
        If something is not a pair of arrays of the same length.
    """
    items = experiment if isinstance(experiment, Mapping) else {"experiment": experiment}
    return {str(label): _pair(value, f"the curve {label!r}") for label, value in items.items()}


def _pair(value: Any, what: str) -> tuple[Array, Array]:
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == 2:
        return np.asarray(value[:, 0], dtype=float), np.asarray(value[:, 1], dtype=float)
    try:
        x, y = (np.asarray(part, dtype=np.float64) for part in value)
    except (TypeError, ValueError):
        x = y = np.zeros(0)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise UsageError(
            f"{what} is not a pair of columns",
            "a curve is drawn from abscissas in cm⁻¹ and ordinates of the same number",
            "pass (wavenumber_cm, values)",
        )
    return x, y


def draw_experiment(ax: Axes, experiment: Experiment, unit: FrequencyUnit) -> list[tuple[Array, Array]]:
    """Draw measured curves in grey with dashes; return their abscissas in cm⁻¹ and ordinates."""
    patterns = ((4.0, 1.6), (1.2, 1.2), (6.0, 1.4, 1.2, 1.4))
    measured = []
    for number, (label, (x, y)) in enumerate(curves_of(experiment).items()):
        order = np.argsort(x, kind="stable")
        ax.plot(
            unit.from_cm(x[order]),
            y[order],
            color=GREY,
            linestyle=(0.0, patterns[number % len(patterns)]),
            linewidth=1.1,
            label=label,
            zorder=2.4,
        )
        measured.append((x, y))
    return measured


def draw_sticks(ax: Axes, sticks: Sticks, unit: FrequencyUnit) -> float:
    """Draw modes: with intensities as sticks from the floor, without as rows of marks below the frame's top.

    Intensities are scaled so that the strongest reaches 0.6 of the panel: they have another unit. Returns the
    part of the panel's height that the rows take, so that a legend can stay below them.
    """
    from matplotlib.transforms import blended_transform_factory

    if not isinstance(sticks, Mapping):
        raise UsageError(
            f"`sticks` is of type {type(sticks).__name__}",
            "sticks have a name in the legend",
            'give {"name": positions in cm⁻¹} or {"name": (positions, intensities)}',
        )
    transform = blended_transform_factory(ax.transData, ax.transAxes)
    rows = sum(not _has_intensities(value) for value in sticks.values())
    if rows:
        low, high = ax.get_ylim()
        ax.set_ylim(low, low + (high - low) / (1.0 - ROW * (rows + 0.5)))
    row = 0
    for number, (label, value) in enumerate(sticks.items()):
        color = _STICK_COLORS[number % len(_STICK_COLORS)]
        if _has_intensities(value):
            positions, intensities = _pair(value, f"the sticks {label!r}")
            tops = TALLEST * intensities / np.max(intensities)
            bottoms = np.zeros_like(tops)
        else:
            positions = _positions(value, label)
            top = 1.0 - ROW * (row + 0.25)
            tops, bottoms = np.full(positions.shape, top), np.full(positions.shape, top - 0.7 * ROW)
            row += 1
        ax.vlines(
            unit.from_cm(positions),
            bottoms,
            tops,
            transform=transform,
            color=color,
            linewidth=0.9,
            label=label,
            zorder=2.2,
        )
    return ROW * (rows + 0.5) if rows else 0.0


def _positions(value: Any, label: str) -> Array:
    try:
        found = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        found = np.zeros((0, 0))
    if found.ndim != 1 or not np.all(np.isfinite(found)):
        raise UsageError(
            f"the sticks {label!r} are no positions",
            "a mode is drawn at its wavenumber",
            "give numbers in cm⁻¹, or a tuple (positions, intensities) of two arrays",
        )
    return found


def stick_handler() -> Any:
    """Show vertical lines as one in a legend."""
    from matplotlib.legend_handler import HandlerLineCollection
    from matplotlib.lines import Line2D

    class Upright(HandlerLineCollection):
        """Draws one upright line in the middle of the box of a legend entry."""

        def create_artists(self, legend: Any, orig_handle: Any, *box: Any) -> list[Any]:
            """Return the line."""
            left, bottom, width, height, _, transform = box
            middle = left + 0.5 * width
            line = Line2D([middle, middle], [bottom - 0.1 * height, bottom + 1.1 * height])
            line.set(color=orig_handle.get_color()[0], linewidth=1.0, transform=transform)
            return [line]

    return Upright()


def _has_intensities(value: Any) -> bool:
    """Whether the sticks are a pair (positions, intensities)."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2
    return isinstance(value, tuple) and len(value) == 2 and all(np.ndim(part) == 1 for part in value)
