r"""Infrared spectrum of the water runs against experiment: figure, band table, sum rule.

    python examples/water/spectrum.py --run q-TIP4P/F water_qtip4pf_*.npz --run SPC/Fw water_spcfw_*.npz \
        --experiment bertie_lan_1996.csv --output water.png --csv water.csv

Each --run is a label and its replicas; the first is compared with fixed charges on the same motion. The
currents are kept beside the trajectories (NAME_current.h5), so that a second call takes seconds. The table of
Bertie and Lan (Appl. Spectrosc. 50, 1047, 1996) has the header ``cm-1,alpha-n`` and nα in 10³ cm⁻¹; without
it everything but the comparison is made.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import bec_md
from bec_md.compare import Curve, open_curve
from bec_md.current import CurrentSeries
from bec_md.spectrum import Spectrum
from bec_md.spectrum.analysis.fits import integrate_band
from bec_md.trajectory import open_trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Bands and their limits in cm⁻¹.
BANDS = (
    ("hindered translation", 0.0, 300.0),
    ("libration", 300.0, 1000.0),
    ("bend", 1400.0, 1900.0),
    ("bend + libration", 1900.0, 2700.0),
    ("stretch", 2700.0, 4000.0),
    ("all", 0.0, 4000.0),
)
#: The bend again, above the straight line between these wavenumbers: without what it stands on.
BEND_FEET_CM = (1500.0, 1790.0)
EPS_INF = 1.775  # square of the refractive index at 589 nm and 25 °C, 1.3325


def current_of(path: Path, charges: str = "model") -> CurrentSeries:
    """Current of one trajectory with the bundled water network, kept beside it, or with other charges."""
    if charges != "model":
        return bec_md.compute_current(path, charges=charges)
    store = path.with_name(f"{path.stem}_current.h5")
    model = bec_md.load_model("water")
    return bec_md.compute_current(path, model, output=store)


def mean_charges(paths: Sequence[Path], samples: int = 8) -> dict[str, float]:
    """Mean tr Z*/3 of each element over frames of all replicas, e."""
    model = bec_md.load_model("water")
    traces: dict[int, list[NDArray[np.float64]]] = {8: [], 1: []}
    for path in paths:
        trajectory = open_trajectory(path)
        step = max(1, (trajectory.info.n_frames or samples) // samples)
        for frame in islice(trajectory.frames(), 0, None, step):
            scalars = np.trace(model.predict(frame), axis1=1, axis2=2) / 3.0
            for number, values in traces.items():
                values.append(scalars[frame.numbers == number])
    oxygen = float(np.mean(np.concatenate(traces[8])))
    return {"O": oxygen, "H": -oxygen / 2.0}  # neutral molecules to the last digit


def spectrum_of(series: Sequence[CurrentSeries], resolution_cm: float, timestep_fs: float) -> Spectrum:
    """Spectrum of replicas at the temperature of the experiment."""
    return bec_md.compute_spectrum(
        list(series),
        eps_inf=EPS_INF,
        resolution_cm=resolution_cm,
        max_cm=4500.0,
        md_timestep_fs=timestep_fs,
    )


def measured_integral(curve: Curve, low_cm: float, high_cm: float) -> float:
    """∫nα dν̃ of the measured curve in cm⁻²."""
    inside = (curve.wavenumber_cm > low_cm) & (curve.wavenumber_cm < high_cm)
    nu = np.concatenate([[low_cm], curve.wavenumber_cm[inside], [high_cm]])
    return float(np.trapezoid(np.interp(nu, curve.wavenumber_cm, curve.values), nu))


def above_a_line(wavenumber_cm: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """∫nα dν̃ in cm⁻² between `BEND_FEET_CM`, above the straight line from one to the other."""
    feet = np.interp(BEND_FEET_CM, wavenumber_cm, values)
    nu = np.linspace(*BEND_FEET_CM, 500)
    return float(np.trapezoid(np.interp(nu, wavenumber_cm, values) - np.interp(nu, BEND_FEET_CM, feet), nu))


def band_table(spectra: dict[str, Spectrum], experiment: Curve | None) -> list[str]:
    """Rows of Markdown: integral of each band in 10⁶ cm⁻², and its ratio to the measured one."""
    head = "| band | limits [cm⁻¹] | measured |" + "".join(f" {label} | ratio |" for label in spectra)
    lines = [head, "|---|---|---|" + "---|---|" * len(spectra)]
    for name, low, high in BANDS:
        measured = None if experiment is None else measured_integral(experiment, low, high)
        row = f"| {name} | {low:.0f}–{high:.0f} | {'–' if measured is None else f'{measured / 1e6:.3f}'} |"
        for spectrum in spectra.values():
            band = integrate_band(spectrum, low, high)
            row += f" {band.n_alpha_cm2 / 1e6:.3f} ± {band.n_alpha_cm2_err / 1e6:.3f} |"
            row += " – |" if measured is None else f" {band.n_alpha_cm2 / measured:.2f} |"
        lines.append(row)
    own = None if experiment is None else above_a_line(experiment.wavenumber_cm, experiment.values)
    row = f"| bend above a line | {BEND_FEET_CM[0]:.0f}–{BEND_FEET_CM[1]:.0f} |"
    row += " – |" if own is None else f" {own / 1e6:.3f} |"
    for spectrum in spectra.values():
        area = above_a_line(spectrum.wavenumber_cm, spectrum.n_alpha)
        row += f" {area / 1e6:.3f} |" + (" – |" if not own else f" {area / own:.2f} |")
    return [*lines, row]


def sum_rule_lines(label: str, series: Sequence[CurrentSeries], spectrum: Spectrum) -> list[str]:
    """⟨Σtr ZZᵀ/m⟩ per molecule of the run itself, and the f-sum ratio of the spectrum to it."""
    molecules = int(np.sum(series[0].group_count)) // 3
    direct = np.mean([np.trace(s.zz_over_mass.mean(axis=0).sum(axis=0)) for s in series]) / molecules
    check = spectrum.quality["f_sum"]
    ratio = ", ".join(f"{value:.3f}" for value in check.value)
    mean = float(np.mean(check.value))
    return [
        f"{label}: ⟨Σtr ZZᵀ/m⟩ = {direct:.3f} e²/amu per molecule",
        f"{label}: f-sum ratio x, y, z {ratio}, mean {mean:.3f}",
        f"{label}: temperature {spectrum.temperature_k:.1f} K, maxima "
        + ", ".join(f"{p.wavenumber_cm:.0f}" for p in spectrum.peaks)
        + f" cm⁻¹; model_domain {spectrum.quality['model_domain'].value:.2f}",
    ]


def draw_curve(ax: Axes, label: str, spectrum: Spectrum, color: str, dashes: tuple, band: bool) -> None:
    """One computed curve, in 10³ cm⁻¹."""
    nu, value, error = spectrum.wavenumber_cm, spectrum.n_alpha / 1e3, spectrum.n_alpha_total_err / 1e3
    if band:
        ax.fill_between(nu, value - error, value + error, color=color, alpha=0.25, linewidth=0)
    ax.plot(nu, value, color=color, dashes=dashes, label=label)


def highest(spectrum: Spectrum, limits: tuple[float, float]) -> float:
    """Largest nα between two wavenumbers, cm⁻¹."""
    nu = spectrum.wavenumber_cm
    return float(np.max(spectrum.n_alpha[(nu > limits[0]) & (nu < limits[1])]))


def draw(spectra: dict[str, Spectrum], fixed: Spectrum, experiment: Curve | None) -> Figure:
    """Upper row: potentials and experiment; lower row: network and fixed charges on the same motion.

    Left and right have scales of their own: the stretching band is five times as high as the rest.
    """
    from bec_md.plot.palette import COLORS, GREY, INK
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks

    dashes = [(), (4.0, 1.4), (1.2, 1.2)]
    first = next(iter(spectra))
    rows = (spectra, {f"{first}, network Z*": spectra[first], f"{first}, fixed charges": fixed})
    with figure_style():
        figure = bare_figure((6.8, 4.6))
        grid = figure.subplots(2, 2, width_ratios=(3, 2), sharex="col")
        for row, curves in enumerate(rows):
            for column, limits in enumerate(((0.0, 2600.0), (2700.0, 4100.0))):
                ax = pin_ticks(grid[row][column])
                if experiment is not None:
                    nu, value = experiment.wavenumber_cm, experiment.values / 1e3
                    ax.fill_between(nu, value, color=GREY, alpha=0.30, linewidth=0)
                    ax.plot(nu, value, color=GREY, linewidth=0.8, label="Bertie and Lan 1996")
                for index, (label, spectrum) in enumerate(curves.items()):
                    color = INK if index == 0 else COLORS[1 - row]
                    draw_curve(ax, label, spectrum, color, dashes[index], index == 0 or row == 0)
                ax.set_xlim(*limits)
                # SPC/Fw is cut: harmonic bonds give lines, not a band
                shown = [spectra[first], *([fixed] if row else [])]
                top = max(highest(spectrum, limits) for spectrum in shown) / 1e3
                ax.set_ylim(0.0, (1.12 if column or not row else 1.3) * top)
            grid[row][0].set_ylabel(r"$n\alpha$ ($10^3$ cm$^{-1}$)")
            grid[row][0].text(0.02, 0.94, f"({'ab'[row]})", transform=grid[row][0].transAxes, va="top")
            grid[row][0].legend(loc="upper right" if row else "upper center")
        figure.supxlabel(r"Wavenumber $\tilde\nu$ (cm$^{-1}$)", fontsize=9)
    return figure


def write_csv(path: Path, spectra: dict[str, Spectrum], step_cm: float = 5.0) -> None:
    """All curves on one grid: wavenumber, then nα and its standard error of each, cm⁻¹."""
    names = [label.lower().replace("/", "").replace("-", "").replace(" ", "_") for label in spectra]
    nu = np.arange(step_cm, 4200.0 + step_cm / 2, step_cm)
    columns = [nu]
    for spectrum in spectra.values():
        columns.append(np.interp(nu, spectrum.wavenumber_cm, spectrum.n_alpha))
        columns.append(np.interp(nu, spectrum.wavenumber_cm, spectrum.n_alpha_total_err))
    header = "wavenumber_cm," + ",".join(f"n_alpha_cm_{n},n_alpha_cm_{n}_err" for n in names)
    np.savetxt(path, np.column_stack(columns), fmt="%.1f", delimiter=",", header=header, comments="")


def main() -> None:
    """Compute currents and spectra, print the tables, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", nargs="+", action="append", required=True, metavar="LABEL FILE…")
    parser.add_argument("--experiment", type=Path)
    parser.add_argument("--resolution", type=float, default=25.0, help="cm⁻¹")
    parser.add_argument("--timestep", type=float, default=0.5, help="integration step of the runs in fs")
    parser.add_argument("--output", type=Path, default=Path("water.png"))
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()

    experiment = None if options.experiment is None else open_curve(options.experiment, "n_alpha")
    spectra: dict[str, Spectrum] = {}
    for label, *names in options.run:
        series = [current_of(Path(name)) for name in names]
        spectra[label] = spectrum_of(series, options.resolution, options.timestep)
        print("\n".join(sum_rule_lines(label, series, spectra[label])))
    paths = [Path(name) for name in options.run[0][1:]]
    scalars = mean_charges(paths)
    print("fixed charges: " + ", ".join(f"{symbol} {value:+.3f} e" for symbol, value in scalars.items()))
    charges = "fixed:" + ",".join(f"{symbol}={value:.6f}" for symbol, value in scalars.items())
    fixed = spectrum_of([current_of(path, charges) for path in paths], options.resolution, options.timestep)
    everything = {**spectra, "fixed charges": fixed}
    print("\n".join(band_table(everything, experiment)))
    bec_md.plot.save_figure(draw(spectra, fixed, experiment), options.output)
    if options.csv is not None:
        write_csv(options.csv, everything)
    print(options.output)


if __name__ == "__main__":
    main()
