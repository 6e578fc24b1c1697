"""The figure and the table of this example, drawn from the stored spectra.

    python figure.py [--spectra FOLDER] [--output perovskite.png]

Every `srtio3_<T>K_spectrum.h5` of the folder is one temperature, `large_300K_spectrum.h5` a supercell of
320 atoms instead of 40 (see README.md for how they are made).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import bec_md
from bec_md.spectrum import load_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bec_md.spectrum import Spectrum

#: Infrared-active TO frequencies at room temperature in cm⁻¹: Servoin, Luspin and Gervais 1980; the soft
#: mode also Han et al. 2007 (90 cm⁻¹).
MEASURED_TO_CM = [91.0, 175.0, 544.0]
#: Curie–Weiss law of the measured static dielectric constant, C/(T − T₀), Müller and Burkard 1979, in K.
CURIE_K, CURIE_TEMPERATURE_K = 8.0e4, 35.5
#: Temperature in K and ε(0) of a microwave measurement, arXiv:1508.07550.
MEASURED_EPS = (295.0, 316.3)
SOFT_BELOW_CM = 150.0
COLORS = ("#0072B2", "#009E73", "#E69F00", "#D55E00")
LARGE_COLOR = "#CC79A7"


def measured_eps(temperature_k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Static dielectric constant of the Curie–Weiss law."""
    return np.asarray(CURIE_K / (temperature_k - CURIE_TEMPERATURE_K))


def load(folder: Path) -> dict[float, Spectrum]:
    """Spectra of the folder by mean kinetic temperature in K, ascending."""
    found = [load_spectrum(path) for path in folder.glob("srtio3_*K_spectrum.h5")]
    if not found:
        raise SystemExit(f"{folder}: no srtio3_<T>K_spectrum.h5; README.md says how to make them")
    return {s.temperature_k: s for s in sorted(found, key=lambda s: s.temperature_k)}


def soft_mode_cm(spectrum: Spectrum) -> float:
    """Frequency of the soft mode: the maximum of nα, where Re σ of a damped oscillator peaks, in cm⁻¹."""
    low = spectrum.wavenumber_cm < SOFT_BELOW_CM
    return float(spectrum.wavenumber_cm[low][np.argmax(spectrum.n_alpha[low])])


def static_eps(spectrum: Spectrum) -> tuple[float, float, float]:
    """ε(0) from the fluctuations of M, its standard error, and from ∫ε₂/ω; averages over the axes."""
    fluctuation = float(np.trace(spectrum.static["fluctuation"]) / 3)
    error = float(np.sqrt((np.diag(spectrum.static["fluctuation_err"]) ** 2).sum()) / 3)
    return fluctuation, error, float(np.trace(spectrum.static["kramers_kronig"]) / 3)


def curie_weiss(spectra: dict[float, Spectrum]) -> tuple[float, float]:
    """C and T₀ in K of ε(0) = C/(T − T₀), least squares of 1/ε(0) weighted with its errors."""
    values = np.array([static_eps(spectrum)[:2] for spectrum in spectra.values()])
    inverse, weight = 1 / values[:, 0], values[:, 0] ** 2 / values[:, 1]
    slope, intercept = np.polyfit(list(spectra), inverse, 1, w=weight)
    return float(1 / slope), float(-intercept / slope)


def table(spectra: dict[float, Spectrum]) -> None:
    """Print soft mode and static dielectric constant against temperature as Markdown."""
    print("| T [K] | soft mode [cm⁻¹] | ε(0), fluctuations | ε(0), ∫ε₂/ω | measured (Curie–Weiss) |")
    print("|---|---|---|---|---|")
    for temperature, spectrum in spectra.items():
        value, error, integral = static_eps(spectrum)
        law = measured_eps(np.array(temperature))
        print(
            f"| {temperature:.0f} | {soft_mode_cm(spectrum):.0f} | {value:.0f} ± {error:.0f} | "
            f"{integral:.0f} | {law:.0f} |"
        )
    if len(spectra) > 1:
        constant, offset = curie_weiss(spectra)
        print(f"Curie–Weiss fit C/(T − T₀) to ε(0): C = {constant:.2g} K, T₀ = {offset:.0f} K")


def draw_static(axes: Axes, spectra: dict[float, Spectrum], large: Spectrum | None) -> None:
    """Static dielectric constant against temperature, with the measured Curie–Weiss law."""
    law = np.linspace(min(spectra) * 0.93, max(spectra) * 1.05, 200)
    axes.plot(law, measured_eps(law), color="0.45", linestyle=(0, (4, 1.6)), label="measured (Curie–Weiss)")
    axes.plot(
        *MEASURED_EPS, "D", color="0.45", markersize=4, markerfacecolor="white", label="measured, 295 K"
    )
    for color, (temperature, spectrum) in zip(COLORS, spectra.items(), strict=False):
        value, error, _ = static_eps(spectrum)
        label = "simulation, 40 atoms" if temperature == min(spectra) else None
        axes.errorbar(temperature, value, error, fmt="o", color=color, markersize=4.5, capsize=2, label=label)
    if large is not None:
        value, error, _ = static_eps(large)
        label = "simulation, 320 atoms"
        axes.errorbar(
            large.temperature_k,
            value,
            error,
            fmt="s",
            color=LARGE_COLOR,
            markersize=4.5,
            capsize=2,
            label=label,
        )
    if len(spectra) > 1:
        constant, offset = curie_weiss(spectra)
        axes.plot(law, constant / (law - offset), color="black", linewidth=0.8, label="Curie–Weiss fit")
    axes.set_ylim(0, None)
    axes.set_xlabel("Temperature (K)")
    axes.set_ylabel("Static dielectric constant")
    axes.legend()


def draw(spectra: dict[float, Spectrum], large: Spectrum | None = None) -> Figure:
    """Upper panel: nα at the lowest temperature; lower panels: soft mode and ε(0) against temperature."""
    from bec_md.plot.style import bare_figure, figure_style

    with figure_style():
        figure = bare_figure((6.8, 5.0))
        grid = figure.add_gridspec(2, 2, height_ratios=(1, 1))
        upper = figure.add_subplot(grid[0, :])
        soft, static = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
        lowest = min(spectra)
        bec_md.plot.plot_spectrum(
            spectra[lowest],
            "n_alpha",
            groups=True,
            ax=upper,
            sticks={"TO (measured)": MEASURED_TO_CM},
            xlim=(0, 900),
        )
        upper.set_title(f"SrTiO$_3$, {lowest:.0f} K", loc="left")
        for color, (temperature, spectrum) in zip(COLORS, spectra.items(), strict=False):
            bec_md.plot.plot_spectrum(
                spectrum,
                "eps_imag",
                groups=False,
                ax=soft,
                xlim=(0, 250),
                color=color,
                label=f"{temperature:.0f} K",
            )
        if large is not None:
            bec_md.plot.plot_spectrum(
                large,
                "eps_imag",
                groups=False,
                ax=soft,
                xlim=(0, 250),
                color=LARGE_COLOR,
                label="300 K, 320 atoms",
            )
        draw_static(static, spectra, large)
    return figure


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spectra", type=Path, default=Path(__file__).parent)
    parser.add_argument("--output", type=Path, default=Path("perovskite.png"))
    options = parser.parse_args()
    spectra = load(options.spectra)
    table(spectra)
    path = options.spectra / "large_300K_spectrum.h5"
    large = load_spectrum(path) if path.exists() else None
    if large is not None:
        value, error, _ = static_eps(large)
        print(f"320 atoms: soft mode {soft_mode_cm(large):.0f} cm⁻¹, ε(0) = {value:.0f} ± {error:.0f}")
    bec_md.plot.save_figure(draw(spectra, large), options.output)
    print(options.output)


if __name__ == "__main__":
    main()
