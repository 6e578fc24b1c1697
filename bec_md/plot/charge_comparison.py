"""Spectra of one trajectory with different charges: what does their dependence on the environment buy?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bec_md.errors import DataError
from bec_md.plot.frequency import frequency_unit
from bec_md.plot.overlay import Experiment, draw_experiment
from bec_md.plot.palette import INK, Stroke, stroke
from bec_md.plot.panel import Panel
from bec_md.plot.quantity import curve, quantities
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

    Raises
    ------
    DataError
        Without spectra.
    """
    if not spectra:
        raise DataError("no spectra to compare", "the mapping is empty", "pass name → spectrum")
    (wanted,) = quantities(quantity)[:1]
    axis_unit = frequency_unit(unit)
    with figure_style():
        axes = new_axes(ax, width)
        panels = []
        for index, (name, item) in enumerate(spectra.items()):
            panel = Panel(axes, item, axis_unit)
            look = Stroke(INK, ()) if index == 0 else stroke(index - 1)
            panel.curve(curve(item, wanted), look, name, (0.68,) if index == 0 else ())
            panels.append(panel)
        measured = [] if experiment is None else draw_experiment(axes, experiment, axis_unit)
        others = [(p.spectrum.wavenumber_cm, np.asarray(v)) for p in panels[1:] for v in p.drawn]
        panels[0].frame((wanted,), [*others, *measured], None)
        axes.legend(loc="best")
    return axes
