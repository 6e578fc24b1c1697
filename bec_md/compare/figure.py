"""Figure of a comparison: both curves, and B after the fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bec_md.compare.comparison import Comparison
from bec_md.compare.curve import words_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_of_comparison(found: Comparison) -> Figure:
    """Return a figure of both curves with their 68 % bands and of B scaled and stretched.

    Parameters
    ----------
    found
        Result of `compare`.
    """
    from bec_md.plot import figure_style
    from bec_md.plot.palette import COLORS, INK
    from bec_md.plot.style import as_text, bare_figure, pin_ticks

    x = found.pair.wavenumber_cm
    stretch = next(fit for fit in found.fits if fit.kind == "stretch")
    with figure_style():
        figure = bare_figure((3.37, 2.6))
        ax = pin_ticks(figure.add_subplot())
        for values, errors, color, label in (
            (found.pair.a, found.pair.a_err, INK, found.a),
            (found.pair.b, found.pair.b_err, COLORS[0], found.b),
        ):
            ax.plot(x, values, color=color, linewidth=1.0, label=as_text(label))
            if np.any(errors > 0.0):
                ax.fill_between(x, values - errors, values + errors, color=color, alpha=0.25, linewidth=0.0)
        moved = stretch.scale * np.interp(x / stretch.frequency, x, found.pair.b)
        label = f"{stretch.scale:.3f} × B, ν × {stretch.frequency:.4f}"
        ax.plot(x, moved, color=COLORS[1], linewidth=0.9, linestyle="--", label=label)
        ax.set_xlim(float(x[0]), float(x[-1]))
        ax.set_xlabel("wavenumber (cm$^{-1}$)")
        ax.set_ylabel(words_of(found.quantity).replace("cm⁻¹", "cm$^{-1}$"))
        ax.legend(fontsize=6.0)
    return figure


def write_figure(found: Comparison, path: str | Path) -> None:
    """Write the figure as png, pdf or svg."""
    from bec_md.plot import save_figure

    save_figure(figure_of_comparison(found), path)
