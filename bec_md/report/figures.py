"""The figures of a report, as inline SVG with captions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from bec_md.plot.acf import plot_acf
from bec_md.plot.convergence import convergence_spectra, plot_convergence
from bec_md.plot.figure import figure_of_spectrum
from bec_md.plot.limits import visible_range_cm
from bec_md.plot.spectrum import plot_spectrum
from bec_md.plot.style import WIDTHS_INCH, bare_figure, figure_style, pin_ticks
from bec_md.report.drawing import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bec_md.current.series import CurrentSeries
    from bec_md.plot.overlay import Experiment
    from bec_md.spectrum.spectrum import Spectrum

#: Arrays of a spectrum whose second axis is the frequency.
_FREQUENCY_SECOND = ("member_sigma",)

#: Arrays without a frequency axis, or not drawn.
_NOT_BY_FREQUENCY = (
    "eps_inf",
    "sigma_dc",
    "sigma_dc_err",
    "group_matrix_n_alpha",
    "acf",
    "acf_time_fs",
    "lag_window",
    "raw_wavenumber_cm",
    "raw_n_alpha",
)

#: Fewer frames than this do not give spectra of parts of the run.
MIN_FRAMES = 512


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure for wide and for narrow windows, one of which the style sheet shows, and caption (HTML)."""

    wide: Markup
    narrow: Markup
    caption: Markup


def for_display(spectrum: Spectrum) -> Spectrum:
    """Return the spectrum without what a figure cannot show: beyond its bands, and finer than its lines need.

    Of a grid much finer than the resolution every k-th point is kept, at least eight per resolution width.
    """
    grid = spectrum.wavenumber_cm
    end = visible_range_cm(spectrum)[1]
    stop = min(int(np.searchsorted(grid, 1.02 * end)) + 1, len(grid))
    resolution = float(spectrum.parameters.get("resolution_cm") or 0.0)
    points = resolution / float(grid[1] - grid[0]) if len(grid) > 1 else 0.0
    step = max(1, int(points / 8.0))
    keep = slice(0, stop, step)
    cut: dict[str, Any] = {}
    for item in fields(spectrum):
        value = getattr(spectrum, item.name)
        if not isinstance(value, np.ndarray) or item.name in _NOT_BY_FREQUENCY:
            continue
        cut[item.name] = value[:, keep] if item.name in _FREQUENCY_SECOND else value[keep]
    parts = {
        name: {group: values[keep] for group, values in getattr(spectrum, name).items()}
        for name in ("partial_n_alpha", "partial_n_alpha_err")
    }
    return replace(spectrum, **(cut | parts))


def spectrum_figure(spectrum: Spectrum, experiment: Experiment | None) -> Drawn:
    """Return the main figure: nα with its band and parts, and ε if known."""

    def draw(width: str) -> Figure:
        """Draw in a width."""
        return figure_of_spectrum(spectrum, experiment=experiment, width=width, footer=False)

    caption = (
        "Infrared absorption <i>nα</i> (solid) with its 68&nbsp;% confidence band (shaded)"
        + (
            " and the parts of the groups of atoms, which sum to it"
            if len(spectrum.partial_n_alpha) > 1
            else ""
        )
        + (". Below: real and imaginary part of ε(ω)." if spectrum.eps_inf is not None else ".")
    )
    if spectrum.model_err is not None:
        caption += " Hatched, where it can be seen: with the error of the model of the charges."
    return _wide_and_narrow(draw, "spectrum", "Infrared spectrum with confidence band", caption)


def decomposition_figure(spectrum: Spectrum) -> Drawn:
    """Return the stacked decomposition."""

    def draw(width: str) -> Figure:
        """Draw in a width."""
        drawn, (panel,) = _panels(1, width)
        plot_spectrum(spectrum, "n_alpha", "stacked", panel)
        return drawn

    caption = (
        "The same as areas. Positive parts are stacked upwards, negative ones downwards from zero: "
        "their sum is the total."
    )
    return _wide_and_narrow(draw, "decomposition", "Partial spectra stacked to the total", caption)


def tensor_figure(spectrum: Spectrum) -> Drawn:
    """Return nα along x, y and z."""

    def draw(width: str) -> Figure:
        """Draw in a width."""
        drawn, (panel,) = _panels(1, width)
        plot_spectrum(spectrum, "n_alpha", False, panel, components=("xx", "yy", "zz"))
        return drawn

    caption = "<i>nα</i> along the Cartesian axes, with 68&nbsp;% bands: anisotropy, or the lack of it."
    return _wide_and_narrow(draw, "tensor", "Absorption along x, y and z", caption)


def optics_figure(spectrum: Spectrum) -> Drawn:
    """Return reflectivity and loss function."""

    def draw(width: str) -> Figure:
        """Draw in a width."""
        drawn, panels = _panels(2, width)
        plot_spectrum(spectrum, "reflectivity", False, panels[0])
        plot_spectrum(spectrum, "loss", False, panels[1])
        panels[0].set_xlabel("")
        return drawn

    caption = (
        "Reflectivity at normal incidence, and loss function −Im(1/ε), whose maxima are the longitudinal "
        "optical frequencies."
    )
    return _wide_and_narrow(draw, "optics", "Reflectivity and loss function", caption)


def acf_figure(spectrum: Spectrum) -> Drawn:
    """Return the autocorrelation with its window."""

    def draw(width: str) -> Figure:
        """Draw in a width."""
        drawn, (panel,) = _panels(1, width)
        plot_acf(spectrum, panel)
        return drawn

    caption = (
        "Autocorrelation of the current, alone and times the lag window. What the window cuts off while "
        "it is still above the noise broadens the lines."
    )
    return _wide_and_narrow(draw, "acf", "Autocorrelation of the current", caption)


def convergence_figure(spectrum: Spectrum, current: CurrentSeries) -> Drawn | None:
    """Return spectra and errors of the first parts of the run; None if it is too short for parts."""
    if current.n_frames < MIN_FRAMES:
        return None
    p = spectrum.parameters
    spectra = convergence_spectra(
        current,
        temperature_k=spectrum.temperature_k,
        resolution_cm=p["resolution_cm"],
        estimator=p["estimator"],
        sum_rule=p["sum_rule"],
        max_cm=float(spectrum.wavenumber_cm[-1]),
        groups=False,
        dc=False,
        **{name: p[name] for name in ("window", "quantum", "md_timestep_fs") if p.get(name)},
    )

    def draw(width: str) -> Figure:
        """Draw in a width."""
        drawn, panels = _panels(2, width, side_by_side=width == "double", shared=False)
        plot_convergence(spectra, panels[0], show="spectrum")
        plot_convergence(spectra, panels[1], show="error")
        return drawn

    caption = (
        "Convergence. First: spectra of the first eighth, quarter, half and the whole of the run. Second: "
        "stated relative error (circles), measured difference from the whole run (squares), and the "
        "expected slope. "
        "Circles far below the squares would mean that the stated error is too small."
    )
    return _wide_and_narrow(draw, "convergence", "Spectrum and error against the length of the run", caption)


def _wide_and_narrow(draw: Callable[[str], Figure], name: str, description: str, caption: str) -> Drawn:
    return Drawn(
        inline_svg(draw("double"), name, description),
        inline_svg(draw("column"), f"{name}-narrow", description),
        Markup(caption),
    )


def _panels(
    count: int, width: str, *, side_by_side: bool = False, shared: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a figure with empty panels, beside each other or below, there with one abscissa or not."""
    with figure_style():
        height = 2.5 if count == 1 or side_by_side else 3.8 if shared else 4.6
        drawn = bare_figure((WIDTHS_INCH[width], height))
        rows = (1, count) if side_by_side else (count, 1)
        found = drawn.subplots(*rows, sharex=shared and not side_by_side, squeeze=False).ravel().tolist()
        return drawn, [pin_ticks(panel) for panel in found]
