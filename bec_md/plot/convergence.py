"""How a spectrum and its error change with the length of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError, UsageError
from bec_md.kinds import require_spectrum
from bec_md.plot.frequency import frequency_unit, label_frequency_axis
from bec_md.plot.limits import value_limits, visible_range_cm
from bec_md.plot.logarithmic import plain_logarithmic
from bec_md.plot.ordinate import label_values
from bec_md.plot.palette import COLORS, GREY, INK, ramp
from bec_md.plot.style import Width, figure_style, new_axes
from bec_md.spectrum.quantities import QUANTITIES
from bec_md.units import SPEED_OF_LIGHT_CM_FS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum.spectrum import Spectrum


#: Parts of a current whose spectra show convergence.
FRACTIONS = (0.125, 0.25, 0.5, 1.0)


def plot_convergence(
    source: Sequence[Spectrum] | CurrentSeries,
    ax: Axes | None = None,
    *,
    show: Literal["spectrum", "error"] = "spectrum",
    fractions: Sequence[float] = FRACTIONS,
    unit: str = "cm",
    width: Width = "column",
    **options: Any,
) -> Axes:
    r"""Plot nα, or its relative error, for growing lengths of the run.

    Parameters
    ----------
    source
        Spectra of runs of different lengths, or a current, of whose first parts spectra are computed.
    ax
        Where to draw; a new figure if None.
    show
        "spectrum": nα of all lengths, light to dark, with the 68 % band of the longest. "error": against
        the length T, the r.m.s. standard error over the r.m.s. of nα, the measured r.m.s. difference from
        the longest run, and a line of slope 1/√T.
    fractions
        Parts of the current, from its start.
    unit
        Unit of the frequency axis.
    width
        Of a new figure.
    **options
        For `compute_spectrum`; resolution and temperature are those of the whole current if not given.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    UsageError, DataError
        For fewer than two spectra, or another `show`.
    """
    if show not in ("spectrum", "error"):
        raise UsageError(f"show = {show!r}", "not a way to show convergence", "use 'spectrum' or 'error'")
    spectra = convergence_spectra(source, fractions, **options)
    with figure_style(ax):
        axes = new_axes(ax, width)
        if show == "spectrum":
            _draw_spectra(axes, spectra, unit)
        else:
            _draw_errors(axes, spectra)
    return axes


def convergence_spectra(
    source: Sequence[Spectrum] | CurrentSeries, fractions: Sequence[float] = FRACTIONS, **options: Any
) -> list[Spectrum]:
    """Return spectra by length, shortest first; of the first parts of a current if one is given."""
    if hasattr(source, "timestep_fs"):
        from bec_md.spectrum import compute_spectrum
        from bec_md.spectrum.estimators.estimate import FINEST

        series = cast("CurrentSeries", source)
        whole = compute_spectrum(series, **options)
        resolution, fixed = whole.parameters["resolution_cm"], {"temperature_k": whole.temperature_k}
        parts = [series[: max(2, round(f * len(series)))] for f in sorted(fractions) if 0.0 < f < 1.0]
        period = 1.0 / (SPEED_OF_LIGHT_CM_FS * series.timestep_fs)  # of one sample
        finest = [1.001 * FINEST * period / len(part) for part in parts]  # that is accepted
        spectra = [
            compute_spectrum(part, **(options | fixed | {"resolution_cm": max(resolution, least)}))
            for part, least in zip(parts, finest, strict=True)
        ]
        spectra.append(whole)
    else:
        spectra = list(source) if isinstance(source, Iterable) else [source]
        for one in spectra:
            require_spectrum(one)
        spectra.sort(key=length_ps)
    if len(spectra) < 2:
        raise DataError(
            f"{len(spectra)} spectrum", "convergence is a comparison of lengths", "pass at least two lengths"
        )
    return spectra


def length_ps(spectrum: Spectrum) -> float:
    """Length of the run in ps, all replicas together."""
    return float(spectrum.parameters["total_time_ps"])


def relative_errors(spectra: Sequence[Spectrum]) -> tuple[Array, Array, Array]:
    """Return lengths in ps, stated errors, and measured differences from the longest, r.m.s. over nα.

    The difference between a run and a longer one that contains it has variance var(T₁) − var(T): it is
    divided by √(1 − T₁/T) to be comparable with the error of the shorter one. The last one is NaN.
    """
    longest = spectra[-1]
    grid, reference = longest.wavenumber_cm, longest.n_alpha
    scale = float(np.sqrt(np.mean(reference**2)))
    lengths = np.array([length_ps(s) for s in spectra])
    stated = np.array([float(np.sqrt(np.mean(s.n_alpha_err**2))) / scale for s in spectra])
    measured = np.full(len(spectra), np.nan)
    for i, item in enumerate(spectra[:-1]):
        shared = 1.0 - lengths[i] / lengths[-1]
        if shared > 0.0:
            difference = np.interp(grid, item.wavenumber_cm, item.n_alpha) - reference
            measured[i] = float(np.sqrt(np.mean(difference**2) / shared)) / scale
    return lengths, stated, measured


def _draw_spectra(ax: Axes, spectra: Sequence[Spectrum], unit: str) -> None:
    axis_unit = frequency_unit(unit)
    longest = spectra[-1]
    grid = longest.wavenumber_cm
    drawn = []
    for color, item in zip(ramp(len(spectra)), spectra, strict=True):
        x = axis_unit.from_cm(item.wavenumber_cm)
        last = item is longest
        ax.plot(
            x, item.n_alpha, color=color, linewidth=1.1 if last else 0.8, label=f"{length_ps(item):.3g} ps"
        )
        drawn.append(np.interp(grid, item.wavenumber_cm, item.n_alpha))
    low, high = longest.n_alpha_interval(0.68)
    ax.fill_between(axis_unit.from_cm(grid), low, high, color=INK, alpha=0.2, linewidth=0.0)
    shown = visible_range_cm(longest)
    ax.set_xlim(*axis_unit.from_cm(np.array(shown)).tolist())
    ax.set_ylim(*value_limits(grid, [*drawn, high], shown, floor=0.0))
    label_values(ax, (QUANTITIES["n_alpha"],))
    label_frequency_axis(ax, axis_unit)
    ax.legend(loc="best")


def _draw_errors(ax: Axes, spectra: Sequence[Spectrum]) -> None:
    lengths, stated, measured = relative_errors(spectra)
    known = np.isfinite(measured)
    guide = stated[-1] * np.sqrt(lengths[-1] / lengths)
    ax.plot(lengths, 100.0 * guide, color=GREY, linestyle=(0, (4, 1.4)), label=r"$\propto T^{-1/2}$")
    ax.plot(lengths, 100.0 * stated, color=INK, marker="o", linestyle="none", label="stated standard error")
    ax.plot(
        lengths[known],
        100.0 * measured[known],
        color=COLORS[1],
        marker="s",
        markerfacecolor="white",
        linestyle="none",
        label="difference from the longest",
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(0.85 * lengths[0], lengths[-1] / 0.85)
    shown = 100.0 * np.concatenate([guide, stated, measured[known]])
    ax.set_ylim(0.8 * shown.min(), 1.3 * shown.max())
    ax.set_xlabel("Length of the run $T$ (ps)")
    ax.set_ylabel(r"Relative error of $n\alpha$ (%)")
    plain_logarithmic(ax.xaxis)
    plain_logarithmic(ax.yaxis)
    ax.legend(loc="best")
