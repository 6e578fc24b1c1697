"""The figure and the tables of this example, drawn from the stored spectra.

    python figure.py [--spectra FOLDER] [--output zirconia.png]

Reads `monoclinic_300K_spectrum.h5` and `tetragonal_300K_spectrum.h5` (see README.md for how they are made).
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

PHASES = ("monoclinic", "tetragonal")
#: Measured infrared bands in cm⁻¹: monoclinic, powder (Liu, Perry and Ingel 1988; Hirata et al. 1993 for the
#: bands that appear with the monoclinic phase, 575 and 740); tetragonal, TO (Pecharromán et al. 1996).
MEASURED_CM = {
    "monoclinic": {
        "measured bands": [104, 180, 192, 235, 270, 360, 375, 415, 445, 515, 620, 740],
    },
    "tetragonal": {"E$_u$ (measured)": [164, 467], "A$_{2u}$ (measured)": [339]},
}
TITLES = {"monoclinic": "monoclinic ZrO$_2$, 300 K", "tetragonal": "tetragonal ZrO$_2$, 300 K"}


def load(folder: Path) -> dict[str, Spectrum]:
    """Spectra of both phases."""
    return {phase: load_spectrum(folder / f"{phase}_300K_spectrum.h5") for phase in PHASES}


def table(spectra: dict[str, Spectrum]) -> None:
    """Print the bands and the static dielectric tensor of both phases as Markdown."""
    for phase, spectrum in spectra.items():
        strongest = max(peak.height for peak in spectrum.peaks)
        bands = [f"{p.wavenumber_cm:.0f}" for p in spectrum.peaks if p.height > 0.02 * strongest]
        print(f"{phase}: maxima of nα at {', '.join(bands)} cm⁻¹")
    print("\n| | ε(0) xx | yy | zz | xz | average |\n|---|---|---|---|---|---|")
    for phase, spectrum in spectra.items():
        value, error = spectrum.static["fluctuation"], spectrum.static["fluctuation_err"]
        cells = [f"{value[i, j]:.1f} ± {error[i, j]:.1f}" for i, j in ((0, 0), (1, 1), (2, 2), (0, 2))]
        print(f"| {phase} | {' | '.join(cells)} | {np.trace(value) / 3:.1f} |")


def draw(spectra: dict[str, Spectrum]) -> Figure:
    """nα of both phases, one above the other, with shares of the elements and measured bands."""
    from bec_md.plot.style import bare_figure, figure_style

    with figure_style():
        figure = bare_figure((6.8, 4.6))
        panels = figure.subplots(2, 1, sharex=True)
        for panel, (phase, spectrum) in zip(panels, spectra.items(), strict=True):
            bec_md.plot.plot_spectrum(
                spectrum, "n_alpha", groups=True, ax=panel, sticks=MEASURED_CM[phase], xlim=(0, 850)
            )
            panel.set_title(TITLES[phase], loc="left")
        panels[0].set_xlabel("")
    return figure


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spectra", type=Path, default=Path(__file__).parent)
    parser.add_argument("--output", type=Path, default=Path("zirconia.png"))
    options = parser.parse_args()
    spectra = load(options.spectra)
    table(spectra)
    bec_md.plot.save_figure(draw(spectra), options.output)
    print(options.output)


if __name__ == "__main__":
    main()
