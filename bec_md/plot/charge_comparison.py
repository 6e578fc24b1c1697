"""Spectra of one trajectory with different charges: what does their dependence on the environment buy?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bec_md.errors import DataError
from bec_md.plot.frequency import frequency_unit
from bec_md.plot.overlay import Experiment, draw_experiment
from bec_md.plot.palette import INK, Stroke, stroke
from bec_md.plot.panel import Panel
from bec_md.plot.quantity import quantities
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum.spectrum import Spectrum


def plot_compare_charges(
    spectra: Mapping[str, Spectrum],
    ax: Axes | None = None,
    *,
    quantity: str = "n_alpha",
    experiment: Experiment | None = None,
    unit: str = "cm",
    width: Width = "column",
) -> Axes:
    """Plot spectra of the same trajectory with different sources of charges over each other.

    The first is the reference: solid, with its 68 % band. The motion is the same in all, so that
    differences are due to the charges, not to noise.

    Parameters
    ----------
    spectra
        Name → spectrum, e.g. {"dynamic Z*": …, "static Z*": …, "fixed charges": …}.
    ax
        Where to draw; a new figure if None.
    quantity, experiment, unit, width
        As in `plot_spectrum`.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    DataError
        Without spectra.
    """
    if not spectra:
        raise DataError("no spectra to compare", "the mapping is empty", "pass name → spectrum")
    (wanted,) = quantities(quantity)[:1]
    axis_unit = frequency_unit(unit)
    with figure_style(ax):
        axes = new_axes(ax, width)
        panels = [Panel(axes, item, axis_unit) for item in spectra.values()]
        for index, (name, panel) in enumerate(zip(spectra, panels, strict=True)):
            look = Stroke(INK, ()) if index == 0 else stroke(index - 1)
            panel.curve(panel.spectrum.along(), wanted, look, name, (0.68,) if index == 0 else ())
        measured = [] if experiment is None else draw_experiment(axes, experiment, axis_unit)
        panels[0].frame((wanted,), measured, None)
        for panel in panels[1:]:
            panel.extend((wanted,))
        axes.legend(loc="best")
    return axes
