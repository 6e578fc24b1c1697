"""Figure of a validation: spectra on their exact results, and all deviations in standard errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.validate.table import LIMIT_Z, Curve, ValidationTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_of_validation(table: ValidationTable) -> Figure:
    """Return a figure: one panel per curve, and the deviations of every statistical row.

    Parameters
    ----------
    table
        Result of `run_validation`.
    """
    from bec_md.plot import figure_style
    from bec_md.plot.style import bare_figure, pin_ticks

    rows = (len(table.curves) + 1) // 2
    with figure_style():
        figure = bare_figure((6.8, 1.75 * rows + 2.4))
        grid = figure.add_gridspec(rows + 1, 2, height_ratios=[1.0] * rows + [1.4])
        for number, curve in enumerate(table.curves):
            _draw(pin_ticks(figure.add_subplot(grid[number // 2, number % 2])), curve)
        _draw_deviations(pin_ticks(figure.add_subplot(grid[rows, :])), table)
    return figure


def write_figure(table: ValidationTable, path: str | Path) -> None:
    """Write the figure as png, pdf or svg."""
    from bec_md.plot import save_figure

    save_figure(figure_of_validation(table), path)


def _draw(ax: Any, curve: Curve) -> None:
    from bec_md.plot.palette import COLORS, INK

    x = curve.wavenumber_cm
    low, high = curve.measured - 2.0 * curve.error, curve.measured + 2.0 * curve.error
    ax.fill_between(x, low, high, color=COLORS[0], alpha=0.35, linewidth=0.0, label="measured, ±2 errors")
    ax.plot(x, curve.exact, color=INK, linewidth=0.9, label="exact")
    ax.set_title(curve.label, fontsize=8.0)
    ax.set_xlabel("wavenumber (cm$^{-1}$)")
    ax.set_ylabel(curve.unit.replace("cm⁻¹", "cm$^{-1}$"))
    ax.set_xlim(0.0, float(x[-1]))
    ax.legend(fontsize=6.0)


def _draw_deviations(ax: Any, table: ValidationTable) -> None:
    from bec_md.plot.palette import COLORS

    position = 0
    ticks, names = [], []
    for case in dict.fromkeys(check.case for check in table.checks):
        z = np.array([check.z for check in table.of_case(case) if check.z is not None])
        if not len(z):
            continue
        ticks.append(position + 0.5 * (len(z) - 1))
        names.append(case)
        color = COLORS[len(names) % 2]
        ax.plot(position + np.arange(len(z)), z, "o", color=color, markersize=2.5)
        position += len(z) + 1
    for level, alpha in ((1.0, 0.25), (2.0, 0.12)):
        ax.axhspan(-level, level, color="#6E6E6E", alpha=alpha, linewidth=0.0, zorder=0.5)
    top = max(LIMIT_Z, *(abs(check.z) for check in table.checks if check.z is not None)) + 0.3
    ax.set_ylim(-top, top)
    ax.set_xticks(ticks, names, rotation=20.0, ha="right", fontsize=6.0)
    ax.minorticks_off()
    mean, error = table.mean_square_z
    ax.set_ylabel("standard errors off")
    ax.set_title(f"all statistical rows: mean $z^2$ = {mean:.2f} ± {error:.2f}", fontsize=8.0)
