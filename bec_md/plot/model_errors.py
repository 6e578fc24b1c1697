"""What a model gets right and wrong on labelled structures, in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.plot.parity import plot_parity
from bec_md.plot.reliability import plot_reliability
from bec_md.plot.style import WIDTHS_INCH, bare_figure, figure_style, pin_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bec_md.evaluation import Evaluation

#: Height of the row of panels, inches.
_HEIGHT = 2.5


def figure_of_errors(evaluation: Evaluation) -> Figure:
    """Return a finished figure: parity of the diagonal and of the antisymmetric part, and reliability.

    The last panel is missing for a model that states no uncertainty.

    Parameters
    ----------
    evaluation
        Result of `evaluate_model`.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and not saved.
    """
    calibrated = bool(evaluation.metrics.get("calibration", {}).get("bins"))
    with figure_style():
        figure = bare_figure((WIDTHS_INCH["double"] * (1.0 if calibrated else 2 / 3), _HEIGHT))
        panels = figure.subplots(1, 3 if calibrated else 2, squeeze=False)[0]
        for letter, panel in zip("abc", panels, strict=False):
            pin_ticks(panel)
            panel.set_title(f"({letter})", loc="left", fontsize=8)
        plot_parity(evaluation, ax=panels[0], part="diagonal")
        plot_parity(evaluation, ax=panels[1], part="antisymmetric")
        if calibrated:
            plot_reliability(evaluation, panels[2])
    return figure
