"""The figure of this example: nα, and the reflectivity along both axes with the measured one.

    python examples/quartz/figure.py [--current quartz_300K_current.h5 …] [--output quartz.png]

Currents are replicas of one system. Without any, that of the trajectory beside this file is computed first
(half a minute).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import measured

import bec_md
from bec_md.current import load_current

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bec_md.spectrum import Spectrum

RANGE_CM = (200.0, 1300.0)
#: Panels of the reflectivity: letter of the axes, title, measured bands.
AXES = (
    ("xy", r"$E \perp c$", measured.E_BANDS),
    ("z", r"$E \parallel c$", measured.A2_BANDS),
)


def compute(currents: list[Path], resolution_cm: float) -> Spectrum:
    """Spectrum of stored currents, or of the trajectory of this folder."""
    if currents:
        series = [load_current(path) for path in currents]
    else:
        series = [bec_md.compute_current(Path(__file__).parent / "quartz_300K.npz")]
    return bec_md.compute_spectrum(
        series,
        eps_inf=measured.EPS_INF,
        resolution_cm=resolution_cm,
        max_cm=1400.0,
        md_timestep_fs=1.0,
    )


def draw_reflectivity(spectrum: Spectrum, axis: str, title: str, bands: tuple, panel: Axes) -> None:
    """One panel: computed R with its 68 % band, and R of the measured oscillators."""
    from bec_md.plot.palette import COLORS, INK
    from bec_md.spectrum.response.optics import reflectivity

    nu = spectrum.wavenumber_cm
    response = spectrum.along(axis)
    value, error = response.reflectivity, response.reflectivity_err
    panel.fill_between(nu, value - error, value + error, color=INK, alpha=0.25, linewidth=0)
    panel.plot(nu, value, color=INK, label="simulation")
    panel.plot(
        nu,
        reflectivity(measured.epsilon(nu, bands)),
        color=COLORS[1],
        dashes=(4.0, 1.4),
        label="Gervais and Piriou 1975",
    )
    panel.set_ylim(0.0, 1.0)
    panel.set_ylabel("reflectivity")
    panel.text(0.02, 0.88, title, transform=panel.transAxes, va="top")


def draw(spectrum: Spectrum) -> Figure:
    """Upper panel: nα with partial spectra and marks; below the reflectivity along both axes."""
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks

    sticks = {
        "E (measured)": measured.to_frequencies(measured.E_BANDS),
        "A2 (measured)": measured.to_frequencies(measured.A2_BANDS),
    }
    with figure_style():
        figure = bare_figure((6.8, 5.4))
        panels = figure.subplots(3, 1, sharex=True, height_ratios=(5, 3, 3))
        bec_md.plot.plot_spectrum(
            spectrum, "n_alpha", groups=True, ax=panels[0], sticks=sticks, xlim=RANGE_CM
        )
        panels[0].set_xlabel("")
        for panel, (axis, title, bands) in zip(panels[1:], AXES, strict=True):
            draw_reflectivity(spectrum, axis, title, bands, pin_ticks(panel))
        panels[1].legend(loc="center", bbox_to_anchor=(0.45, 0.62))
        panels[-1].set_xlabel(r"Wavenumber $\tilde\nu$ (cm$^{-1}$)")
    return figure


def main() -> None:
    """Compute or load the current, then draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--current", type=Path, nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=Path("quartz.png"))
    parser.add_argument("--resolution", type=float, default=8.0, help="cm⁻¹")
    options = parser.parse_args()
    figure = draw(compute(options.current, options.resolution))
    bec_md.plot.save_figure(figure, options.output)
    print(options.output)


if __name__ == "__main__":
    main()
