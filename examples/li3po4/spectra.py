"""Infrared spectra of crystalline and glassy Li3PO4 at 300 K with the measured bands marked.

    bec-md spectrum crystal_?.npz --model li3po4 --eps-inf model --md-timestep 2 -o crystal_spectrum.h5
    bec-md spectrum glass_?.npz --model li3po4 --eps-inf model --md-timestep 2 -o glass_spectrum.h5
    python examples/li3po4/spectra.py crystal_spectrum.h5 glass_spectrum.h5 --output li3po4.png

Prints band positions, widths and areas, the f-sum and ε(0), and draws nα of both with its partial spectra.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import bec_md
from bec_md.spectrum import load_spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bec_md.spectrum import Spectrum

HERE = Path(__file__).parent
#: Bands of lithium orthophosphate, ranges in cm⁻¹; see README.md.
MEASURED_CM = {
    "Li": (300.0, 520.0),
    "ν2": (460.0, 470.0),
    "ν4": (590.0, 600.0),
    "ν1": (940.0, 950.0),
    "ν3": (1030.0, 1090.0),
}
#: Integration limits in cm⁻¹.
REGIONS_CM = {"lattice and Li": (60.0, 460.0), "bending": (460.0, 800.0), "stretching": (850.0, 1250.0)}


def report(name: str, spectrum: Spectrum) -> None:
    """Print what the README states."""
    parameters = spectrum.parameters
    total_ps, resolution = parameters["total_time_ps"], parameters["resolution_cm"]
    print(f"{name}: {spectrum.temperature_k:.0f} K, {total_ps:.0f} ps, resolution {resolution:.0f} cm⁻¹")
    ratio, error = (np.ravel(parameters[key]) for key in ("f_sum_ratio", "f_sum_error"))
    print("  f-sum " + ", ".join(f"{r:.2f} ± {e:.2f}" for r, e in zip(ratio, error, strict=True)))
    print(f"  ε∞ {np.trace(spectrum.eps_inf) / 3:.2f}" if spectrum.eps_inf is not None else "  no ε∞")
    for key in ("fluctuation", "kramers_kronig"):
        print(f"  ε(0), {key}: {np.trace(spectrum.static[key]) / 3:.2f}")
    grid = spectrum.wavenumber_cm
    for region, (low, high) in REGIONS_CM.items():
        inside = (grid >= low) & (grid <= high)
        x, y = grid[inside], spectrum.n_alpha[inside]
        center = (x * y).sum() / y.sum()
        width = np.sqrt(((x - center) ** 2 * y).sum() / y.sum())
        area = y.sum() * (grid[1] - grid[0])
        print(
            f"  {region}: maximum {x[np.argmax(y)]:.0f}, center {center:.0f}, "
            f"standard width {width:.0f} cm⁻¹, area {area / 1e6:.2f}·10⁶ cm⁻²"
        )


def draw(spectra: dict[str, Spectrum]) -> Figure:
    """One panel for each spectrum, the measured bands shaded."""
    from bec_md.plot.style import bare_figure, figure_style

    with figure_style():
        figure = bare_figure((6.8, 2.2 * len(spectra) + 0.5))
        panels = np.atleast_1d(figure.subplots(len(spectra), 1, sharex=True))
        for panel, (name, spectrum) in zip(panels, spectra.items(), strict=True):
            bec_md.plot.plot_spectrum(spectrum, "n_alpha", groups=True, ax=panel, xlim=(0, 1300))
            low, high = panel.get_ylim()
            panel.set_ylim(low, low + 1.15 * (high - low))
            for left, right in MEASURED_CM.values():
                panel.axvspan(left, right, color="0.88", zorder=0, lw=0)
            panel.set_title(name, loc="left")
            if panel is not panels[-1]:
                panel.set_xlabel("")
                panel.tick_params(labelbottom=False)
            if panel is not panels[0] and panel.get_legend():
                panel.get_legend().remove()
        for label, (left, right) in MEASURED_CM.items():
            place = {"transform": panels[0].get_xaxis_transform(), "ha": "center", "va": "top"}
            panels[0].text((left + right) / 2 - (50 if label == "Li" else 0), 0.97, label, **place)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("crystal", type=Path, nargs="?", default=HERE / "crystal_spectrum.h5")
    parser.add_argument("glass", type=Path, nargs="?", default=HERE / "glass_spectrum.h5")
    parser.add_argument("--output", type=Path, default=Path("li3po4.png"))
    options = parser.parse_args()
    spectra = {
        "β crystal, 300 K": load_spectrum(options.crystal),
        "glass, 300 K": load_spectrum(options.glass),
    }
    for title, spectrum in spectra.items():
        report(title, spectrum)
    bec_md.plot.save_figure(draw(spectra), options.output)
    print(options.output)


if __name__ == "__main__":
    main()
