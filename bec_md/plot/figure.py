"""The default figure of a spectrum: nα with its parts, and ε₁, ε₂ below it when ε_∞ is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.kinds import require_spectrum
from bec_md.plot.overlay import Experiment
from bec_md.plot.quantity import quantities
from bec_md.plot.spectrum import Groups, plot_spectrum
from bec_md.plot.style import WIDTHS_INCH, bare_figure, figure_style, pin_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bec_md.spectrum.spectrum import Spectrum

#: Heights in inches of figures with one panel and with two.
_ONE_PANEL, _TWO_PANELS = 2.7, 4.1


def figure_of_spectrum(
    spectrum: Spectrum,
    *,
    quantity: str = "n_alpha",
    groups: Groups = True,
    experiment: Experiment | None = None,
    width: str = "column",
    footer: bool = True,
) -> Figure:
    """Return a finished figure of a spectrum, in the width of a journal column.

    Above: the quantity with its 68 % band and the partial spectra. Below, when ε_∞ is known and the
    quantity is nα: ε₁ and ε₂. The foot names temperature, length, resolution and the f-sum ratio.

    Parameters
    ----------
    spectrum
        Result of `compute_spectrum`.
    quantity, groups, experiment
        As in `plot_spectrum`, for the upper panel.
    width
        "column" (3.37 in) or "double" (6.8 in).
    footer
        Whether to write the line at the foot.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and not saved.
    """
    require_spectrum(spectrum)
    additive = all(q.linear for q in quantities(quantity))
    with_eps = spectrum.eps_inf is not None and quantity == "n_alpha"
    with figure_style():
        inches = WIDTHS_INCH[width]
        figure = bare_figure((inches, _TWO_PANELS if with_eps else _ONE_PANEL))
        panels = figure.subplots(2 if with_eps else 1, 1, sharex=True, squeeze=False)[:, 0]
        for panel in panels:
            pin_ticks(panel)
        shown = groups if additive else False
        plot_spectrum(spectrum, quantity, shown, panels[0], experiment=experiment)
        if with_eps:
            plot_spectrum(spectrum, "eps", False, panels[1])
            panels[0].set_xlabel("")
            figure.align_ylabels()
            for letter, panel in zip("ab", panels, strict=True):
                panel.text(0.02, 0.955, f"({letter})", transform=panel.transAxes, va="top", ha="left")
        if footer:
            figure.supxlabel(foot_line(spectrum), fontsize=6.0, color="#555555")
    return figure


def foot_line(spectrum: Spectrum) -> str:
    """Return temperature, atoms, length, resolution, error and f-sum ratio in one or two short lines."""
    p = spectrum.parameters
    first = [f"$T$ = {spectrum.temperature_k:.4g} K"]
    if p.get("n_atoms"):
        first.append(f"{p['n_atoms']} atoms")
    if p.get("total_time_ps"):
        replicas = p.get("n_replicas") or 1
        run = f"{p['total_time_ps']:.3g} ps"
        first.append(run if replicas == 1 else f"{run} in {replicas} replicas")
    if p.get("resolution_cm"):
        first.append(f"resolution {p['resolution_cm']:.3g} cm$^{{-1}}$")
    second = ["bands: 68 % confidence"]
    ratio = p.get("f_sum_ratio")
    if ratio is not None:
        second.append("f-sum $x, y, z$: " + ", ".join(f"{value:.3f}" for value in ratio))
    return " · ".join(first) + "\n" + " · ".join(second)
