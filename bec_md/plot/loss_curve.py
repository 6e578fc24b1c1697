"""The course of a training run, from its log."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.files import read_text
from bec_md.plot.logarithmic import plain_logarithmic
from bec_md.plot.palette import INK, stroke
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, float]

_ENDINGS = {"rmse": "_rmse_e", "mae": "_mae_e"}


def plot_loss_curve(
    log: str | Path | Sequence[Row],
    ax: Axes | None = None,
    *,
    error: str = "rmse",
    against: str = "epoch",
    width: Width = "column",
) -> Axes:
    """Plot the error on training and validation data during a run of `bec-md train`.

    Parameters
    ----------
    log
        ``log.csv`` of the run, or its rows.
    ax
        Where to draw; a new figure if None.
    error
        "rmse" or "mae", of the tensors in e.
    against
        Column of the abscissa: epoch, step or minutes.
    width
        Of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    DataError
        If the log has no rows, or not these columns.
    """
    table = read_log(log) if isinstance(log, str | Path) else _columns(log)
    ending = _ENDINGS.get(error, error)
    others = (f"train{ending}", *(name for name in table if name.endswith(f"_median_frame{ending}")))
    found = [name for name in table if name.endswith(ending) and name not in others]
    if against not in table or not len(table[against]) or not (found or f"train{ending}" in table):
        raise DataError(
            f"the log has no curves of {error} against {against}",
            f"its columns are {', '.join(table) or 'none'}",
            "pass log.csv of a run of bec-md train that has finished at least one epoch",
        )
    x = table[against]
    with figure_style(ax):
        axes = new_axes(ax, width)
        if f"train{ending}" in table:
            _draw(axes, x, table[f"train{ending}"], INK, "-", "training", "")
        for index, name in enumerate(found):
            look = stroke(index)
            _draw(axes, x, table[name], look.color, look.linestyle, name.removesuffix(ending), "o")
        axes.set_yscale("log")
        axes.set_xlim(0.0, float(np.nanmax(x)) or 1.0)
        axes.set_xlabel(against.capitalize() if against != "minutes" else "Time (min)")
        axes.set_ylabel(f"{error.upper()} of $Z^*$ ($e$)")
        plain_logarithmic(axes.yaxis)
        axes.legend(loc="best")
    return axes


def read_log(path: str | Path) -> dict[str, Array]:
    """Read the columns of a training log; what a row does not have is NaN."""
    try:
        rows = [
            {name: float(value) if value else np.nan for name, value in row.items() if name}
            for row in csv.DictReader(read_text(Path(path)).splitlines())
        ]
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{Path(path).name} is no training log: {error}",
            "its first line names columns, every other one has as many numbers",
            "pass log.csv of a run of bec-md train, or of a spectrum its .h5",
        ) from error
    return _columns(rows)


def _columns(rows: Sequence[Row]) -> dict[str, Array]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names}


def _draw(ax: Axes, x: Array, y: Array, color: str, linestyle: Any, label: str, marker: str) -> None:
    known = np.isfinite(y)
    markers = marker if known.sum() <= 40 else ""
    ax.plot(x[known], y[known], color=color, linestyle=linestyle, label=label, marker=markers, markersize=2.2)
