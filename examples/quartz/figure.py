"""The figure of this example: nα and ε(ω) of α-quartz with the measured TO frequencies marked.

    python examples/quartz/figure.py [--current quartz_300K_current.h5] [--output quartz.png]

Without a current file it is computed first (half a minute).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import bec_md
from bec_md.current import load_current

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bec_md.spectrum import Spectrum

#: Gervais and Piriou 1975, TO frequencies at 300 K, cm⁻¹.
TO_FREQUENCIES_CM = {
    "E (measured)": [393.5, 450.0, 695.0, 797.0, 1065.0, 1158.0],
    "A2 (measured)": [363.5, 487.5, 777.0, 1071.0],
}


def main() -> None:
    """Compute or load the current, then draw both panels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--current", type=Path)
    parser.add_argument("--output", type=Path, default=Path("quartz.png"))
    arguments = parser.parse_args()
    if arguments.current is None:
        trajectory = Path(__file__).parent / "quartz_300K.npz"
        current = bec_md.compute_current(trajectory)
    else:
        current = load_current(arguments.current)
    spectrum = bec_md.compute_spectrum(current, eps_inf=2.38, resolution_cm=12.0, max_cm=1300.0)
    figure = draw(spectrum)
    bec_md.plot.save_figure(figure, arguments.output)
    print(arguments.output)


def draw(spectrum: Spectrum) -> Figure:
    """Upper panel: nα with partial spectra and marks; lower panel: ε₁ and ε₂."""
    from bec_md.plot.style import bare_figure, figure_style

    with figure_style():
        figure = bare_figure((6.8, 4.4))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        bec_md.plot.plot_spectrum(
            spectrum, "n_alpha", groups=True, ax=upper, sticks=TO_FREQUENCIES_CM, xlim=(200, 1300)
        )
        bec_md.plot.plot_spectrum(spectrum, "eps", groups=False, ax=lower, xlim=(200, 1300))
        upper.set_xlabel("")
        for panel, place in ((upper, "center"), (lower, "upper center")):
            handles, labels = panel.get_legend_handles_labels()
            panel.legend(
                list(dict(zip(labels, handles, strict=True)).values()), list(dict.fromkeys(labels)), loc=place
            )
    return figure


if __name__ == "__main__":
    main()
