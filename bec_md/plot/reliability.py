"""Whether the stated uncertainty of a model is the error that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bec_md.errors import DataError
from bec_md.plot.logarithmic import plain_logarithmic
from bec_md.plot.palette import COLORS, INK
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.evaluation import Evaluation


def plot_reliability(
    source: Evaluation | Mapping[str, Any], ax: Axes | None = None, *, width: Width = "column"
) -> Axes:
    """Plot the r.m.s. error found against the uncertainty stated, in bins of equal numbers of atoms.

    Points on the diagonal are calibrated; above it the model is too sure of itself. Bars are the standard
    errors of the bins, from nine components per atom.

    Parameters
    ----------
    source
        Result of `bec-md evaluate`, or its table ``calibration``.
    ax
        Where to draw; a new figure if None.
    width
        Of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    DataError
        If there is no calibration, e.g. of a model that states no uncertainty.
    """
    metrics = cast("Mapping[str, Any]", getattr(source, "metrics", source))
    table = metrics.get("calibration", metrics)
    if not table.get("bins"):
        raise DataError(
            "no calibration to plot",
            "the model states no uncertainty (one member only)",
            "evaluate a model with an ensemble of at least two members",
        )
    stated = np.array([row["uncertainty_e"] for row in table["bins"]])
    found = np.array([row["rmse_e"] for row in table["bins"]])
    error = found / np.sqrt(2.0 * 9.0 * np.array([row["count"] for row in table["bins"]]))
    both = np.concatenate([stated, found])
    low, high = 0.7 * float(both[both > 0.0].min()), 1.4 * float(both.max())
    with figure_style(ax):
        axes = new_axes(ax, width, aspect=0.96)
        axes.plot([low, high], [low, high], color=INK, linewidth=0.6, label="calibrated", zorder=1.0)
        axes.errorbar(
            stated,
            found,
            yerr=error,
            color=COLORS[0],
            marker="o",
            linestyle="none",
            elinewidth=0.8,
            label="bins of atoms",
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal", adjustable="box")
        plain_logarithmic(axes.xaxis)
        plain_logarithmic(axes.yaxis)
        axes.set_xlabel("Stated uncertainty ($e$)")
        axes.set_ylabel("RMS error found ($e$)")
        axes.legend(loc="upper left")
        cautious = float(np.mean(np.log(found / stated))) < 0.0  # then the points lie below the diagonal
        place: Any = {"transform": axes.transAxes, "fontsize": 7.5}
        if cautious:
            axes.text(0.04, 0.78, _coverage(table), ha="left", va="top", **place)
        else:
            axes.text(0.96, 0.04, _coverage(table), ha="right", va="bottom", **place)
    return axes


def _coverage(table: Mapping[str, Any]) -> str:
    lines = [
        f"{level} % interval holds {100.0 * table[f'coverage_{level}']:.0f} %"
        for level in ("68", "95")
        if f"coverage_{level}" in table
    ]
    if "scale" in table:
        lines.append(f"scale {table['scale']:.2f}")
    return "\n".join(lines)
