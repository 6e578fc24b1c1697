"""The autocorrelation of the current and the lag window that cuts it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bec_md.errors import DataError
from bec_md.kinds import require_spectrum
from bec_md.plot.palette import COLORS, INK
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum.spectrum import Spectrum


def plot_acf(
    spectrum: Spectrum,
    ax: Axes | None = None,
    *,
    windowed: bool = True,
    max_time_ps: float | None = None,
    width: Width = "column",
) -> Axes:
    """Plot tr C(t)/tr C(0), C the autocorrelation of the current, against the lag.

    Parameters
    ----------
    spectrum
        Result of `compute_spectrum`.
    ax
        Where to draw; a new figure if None.
    windowed
        Also draw the lag window w(t), and w(t)·C(t), whose transform is the spectrum.
    max_time_ps
        Longest lag shown; by default where the window has fallen to 0.5 %.
    width
        Of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    DataError
        If the spectrum carries no autocorrelation.
    """
    require_spectrum(spectrum)
    if not len(spectrum.acf_time_fs) or not np.any(spectrum.acf):
        raise DataError(
            "this spectrum carries no autocorrelation",
            "it was read from a file without it",
            "compute it anew from the current",
        )
    time_ps = spectrum.acf_time_fs / 1000.0
    trace = np.trace(spectrum.acf, axis1=1, axis2=2)
    normal = trace / trace[0]
    window = spectrum.lag_window
    has_window = windowed and len(window) == len(time_ps)
    if max_time_ps is None:
        alive = np.flatnonzero(window > 0.005) if has_window else np.arange(len(time_ps))
        max_time_ps = float(time_ps[alive[-1]])
    with figure_style(ax):
        axes = new_axes(ax, width)
        axes.axhline(0.0, color=INK, linewidth=0.4, zorder=1.0)
        axes.plot(time_ps, normal, color=COLORS[5], linewidth=0.8, label="$C(t)/C(0)$")
        if has_window:
            axes.plot(time_ps, window * normal, color=INK, linewidth=0.8, label="$w(t)\\,C(t)/C(0)$")
            axes.plot(time_ps, window, color=COLORS[1], linestyle=(0, (4, 1.4)), label="lag window $w(t)$")
            axes.legend(loc="upper right")
        axes.set_xlim(0.0, max_time_ps)
        axes.set_ylim(min(-0.2, 1.1 * float(normal.min())), 1.05)
        axes.set_xlabel("Lag $t$ (ps)")
        axes.set_ylabel(r"Current autocorrelation")
    return axes
