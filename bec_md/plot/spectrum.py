r"""A spectrum: curve, confidence bands, partial spectra of groups, experiment and modes in one panel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.kinds import limits, require_spectrum
from bec_md.plot.frequency import add_wavelength_axis, frequency_unit
from bec_md.plot.limits import visible_range_cm
from bec_md.plot.overlay import Experiment, Sticks, draw_experiment, draw_sticks, stick_handler
from bec_md.plot.palette import DASHES, INK, Stroke, stroke
from bec_md.plot.panel import CURVE, Panel
from bec_md.plot.quantity import quantities, seen_along
from bec_md.plot.style import Width, figure_style, new_axes
from bec_md.spectrum.quantities import Quantity
from bec_md.spectrum.response.scalar import Response

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum.spectrum import Spectrum

Groups = bool | Literal["lines", "stacked"]
#: Entries of a legend from which on it has a second column, so that it fits between bands.
MOST_ROWS = 8


def plot_spectrum(
    spectrum: Spectrum,
    quantity: str = "n_alpha",
    groups: Groups = True,
    ax: Axes | None = None,
    *,
    components: str | Sequence[str] = (),
    band: float | Sequence[float] | None = 0.68,
    experiment: Experiment | None = None,
    sticks: Sticks | None = None,
    unit: str = "cm",
    wavelength: bool = False,
    xlim: tuple[float, float] | None = None,
    label: str | None = None,
    color: str | None = None,
    legend: bool = True,
    width: Width = "column",
) -> Axes:
    r"""Plot a function of frequency with its statistical error.

    Parameters
    ----------
    spectrum
        Result of `compute_spectrum`.
    quantity
        n_alpha, eps (ε₁ and ε₂), eps_real, eps_imag, nk (n and κ), n, kappa, alpha, reflectivity, loss,
        sigma (Re σ) or sigma_imag.
    groups
        True or "lines": the additive partial spectra of the groups as lines above a light fill down to
        zero, for quantities that are additive (n_alpha, eps_imag, sigma). "stacked": as areas that add up
        to the total; negative parts are stacked downwards from zero, so that the sum of both stacks is the
        total. False: only the total.
    ax
        Where to draw; a new figure in the shipped style if None.
    components
        Tensor components, e.g. ("xx", "zz") or "xx,zz", instead of the isotropic average.
    band
        Coverage of the confidence band, e.g. 0.68, or several, e.g. (0.68, 0.95); None for no band. Where
        the ensemble of models adds an error, a second, hatched band contains both.
    experiment
        Measured curves: label → (wavenumber in cm⁻¹, values), or one such pair.
    sticks
        Modes: label → positions in cm⁻¹, or (positions, intensities) (scaled to the panel).
    unit
        Unit of the frequency axis: cm, thz or mev.
    wavelength
        Also show the wavelength in µm on top.
    xlim
        Limits of the frequency axis in its unit; by default from zero to the end of the bands.
    label, color
        Name and color of the total curve, to lay several spectra over each other.
    legend
        Whether to draw a legend.
    width
        Of a new figure: "column" (3.37 in) or "double" (6.8 in).

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        For unknown names, for what needs ε_∞ without it, for groups of a quantity that is not additive.
    """
    require_spectrum(spectrum)
    wanted = quantities(quantity)
    shown = None if xlim is None else limits(xlim)
    axis_unit = frequency_unit(unit)
    levels = _levels(band)
    if isinstance(components, str):
        components = [name.strip() for name in components.split(",")] if components else ()
    with_groups = _wants_groups(spectrum, wanted, groups, components)
    if label is None and not components and (with_groups or experiment is not None):
        label = "total" if with_groups else "simulation"
    curves = _curves(spectrum, wanted, components, label)
    with figure_style(ax):
        axes = new_axes(ax, width)
        fresh = not axes.has_data()
        drawn = (axis_unit.name, wanted[0].unit)
        if not fresh:
            _refuse_other_units(_SHOWN.get(axes, drawn), drawn)
        _SHOWN[axes] = drawn
        panel = Panel(axes, spectrum, axis_unit)
        if with_groups and groups == "stacked":
            panel.group_stack(wanted[0])
        elif with_groups:
            panel.group_lines(wanted[0])
        for name, item, data in curves:
            look = _look(axes, color)
            if levels and not components:
                panel.model_band(data, item, look, levels[-1])
            panel.curve(data, item, look, name, levels)
        measured = [] if experiment is None else draw_experiment(panel.ax, experiment, axis_unit)
        _set_limits(panel, wanted, measured, shown, fresh)
        taken = draw_sticks(panel.ax, sticks, axis_unit) if sticks else 0.0
        if wavelength:
            add_wavelength_axis(panel.ax, axis_unit)
        if legend:
            draw_legend(panel.ax, taken)
    return panel.ax


#: Units of abscissa and ordinate of axes that spectra were drawn into.
_SHOWN: WeakKeyDictionary[Any, tuple[str, str]] = WeakKeyDictionary()


#: Limits of the abscissa that nobody has chosen: they follow the bands of what is drawn.
_BY_BANDS: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()


def _look(axes: Axes, color: str | None) -> Stroke:
    """Color and dashes of the next curve: of one color that is given, other dashes for each that there is."""
    from matplotlib.colors import same_color

    curves = [line for line in axes.lines if line.get_zorder() == CURVE]
    if color is None:
        return stroke(len(curves) - 1) if curves else Stroke(INK, ())
    alike = sum(same_color(line.get_color(), color) for line in curves)
    return Stroke(color, DASHES[alike % len(DASHES)])


def _set_limits(
    panel: Panel,
    wanted: tuple[Quantity, ...],
    measured: list[tuple[Array, Array]],
    shown: tuple[float, float] | None,
    fresh: bool,
) -> None:
    """Set the limits of a new panel; widen those of one that shows something, as told or to all bands."""
    ax, by_bands = panel.ax, fresh
    if fresh:
        panel.frame(wanted, measured, shown)
    else:
        low, high = ax.get_xlim()
        by_bands = _BY_BANDS.pop(ax, None) == (low, high)
        if shown is not None:
            ax.set_xlim(*shown)
        elif by_bands:
            ax.set_xlim(low, max(high, float(panel.unit.from_cm(visible_range_cm(panel.spectrum)[1]))))
        panel.extend(wanted)
    if by_bands and shown is None:
        _BY_BANDS[ax] = ax.get_xlim()


def _refuse_other_units(shown: tuple[str, str], wanted: tuple[str, str]) -> None:
    for old, new, axis in zip(shown, wanted, ("frequencies", "values"), strict=True):
        if old != new:
            raise UsageError(
                f"{axis} in {new} in axes that show them in {old}",
                "two curves of one panel have one scale",
                "draw into axes of its own, or those of `ax.twinx()`",
            )


def draw_legend(ax: Axes, taken: float = 0.0) -> None:
    """Draw a legend of what is named, the curves that lie on top first.

    Parameters
    ----------
    ax
        The panel.
    taken
        Part of its height at the top where the legend must not lie.
    """
    from matplotlib.collections import LineCollection

    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    order = sorted(range(len(handles)), key=lambda i: -_height(handles[i]))
    ax.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="best",
        ncols=1 + len(handles) // MOST_ROWS,
        bbox_to_anchor=(0.0, 0.0, 1.0, 1.0 - taken),
        handler_map={LineCollection: stick_handler()},
    )


def _height(handle: Any) -> float:
    """Layer of an artist: totals, lines of parts and measurements, stacked areas from top to bottom."""
    layer = float(getattr(handle, "get_zorder", lambda: 0.0)())
    return layer if 1.2 <= layer < 1.7 else math.floor(layer)


def _levels(band: float | Sequence[float] | None) -> tuple[float, ...]:
    """Coverages, widest first, so that narrower bands lie above."""
    if band is None:
        return ()
    levels = (band,) if isinstance(band, int | float | str) else tuple(band)
    if any(not isinstance(level, int | float) or not 0.0 < level < 1.0 for level in levels):
        raise UsageError(
            f"confidence band {band!r}", "a coverage lies between 0 and 1", "use e.g. 0.68 or (0.68, 0.95)"
        )
    return tuple(sorted(levels, reverse=True))


def _wants_groups(
    spectrum: Spectrum, wanted: tuple[Quantity, ...], groups: Groups, components: Sequence[str]
) -> bool:
    if not isinstance(groups, bool | str) or groups not in (True, False, "lines", "stacked"):
        raise UsageError(
            f"`groups` {groups!r}", "not a way to draw parts", "use 'lines', 'stacked', True or False"
        )
    additive = len(wanted) == 1 and wanted[0].linear and not components
    if isinstance(groups, str) and not additive:
        raise UsageError(
            f"{' and '.join(q.name for q in wanted)} of groups of atoms",
            "only the isotropic n_alpha, sigma and eps_imag are sums over groups",
            "plot one of these, or pass `groups=False`",
        )
    return bool(groups) and additive and len(spectrum.partial_n_alpha) > 1


def _curves(
    spectrum: Spectrum, wanted: tuple[Quantity, ...], components: Sequence[str], label: str | None
) -> list[tuple[str | None, Quantity, Response]]:
    """Every curve with its name in the legend."""
    found: list[tuple[str | None, Quantity, Response]] = []
    for item in wanted:
        symbol = item.symbol
        if components:
            found += [
                (
                    f"${item.element.format(c)}$" + (f", {label}" if label else ""),
                    item,
                    seen_along(spectrum, item, c),
                )
                for c in components
            ]
        else:
            name = label if len(wanted) == 1 else f"${symbol}$" + (f", {label}" if label else "")
            found.append((name, item, seen_along(spectrum, item, None)))
    return found
