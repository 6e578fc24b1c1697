"""DC conductivity of molten Li3PO4: Born effective charges, oxidation numbers, Nernst–Einstein.

    python examples/li3po4/conductivity.py melt_*.npz --output li3po4_conductivity.png

Both charges see the same motion. Their dipoles differ by a bounded quantity if the system is gapped, so
that the slope of ⟨|M(t) − M(0)|²⟩, and with it σ(0), is the same (Grasselli & Baroni, Nat. Phys. 15, 967,
2019). Prints a table and draws Re σ(ω) and the squared displacements.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bec_md
from bec_md.spectrum import einstein_helfand
from bec_md.spectrum.estimators.einstein import mean_square_displacement
from bec_md.trajectory import open_trajectory
from bec_md.units import CONDUCTIVITY_S_M

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bec_md.spectrum import Spectrum

OXIDATION = "oxidation:Li=1,P=5,O=-2"
NAMES = {"model": "Z*", OXIDATION: "oxidation numbers"}
BLOCKS = 4  # of each replica
ZOOM_CM = 200.0


@dataclass(frozen=True)
class Result:
    """What one source of charges gives.

    Parameters
    ----------
    spectrum
        With its cepstral DC conductivity.
    currents
        Total current of each replica, (T, 3), e Å/fs.
    helfand
        Einstein–Helfand conductivity and its standard error, S/m.
    """

    spectrum: Spectrum
    currents: list[NDArray[np.float64]]
    helfand: tuple[float, float]

    @property
    def cepstral(self) -> tuple[float, float]:
        """Cepstral conductivity and its standard error, S/m."""
        parameters = self.spectrum.parameters
        return parameters["sigma_dc_s_per_m"], parameters["sigma_dc_err_s_per_m"]


def analyze(paths: Sequence[Path], charges: str, fit_fs: tuple[float, float], **options: Any) -> Result:
    """Currents, spectrum and conductivity of the replicas."""
    series = []
    for path in paths:
        if charges == "model":  # kept, as `bec-md current` does: a second call takes seconds
            kept = path.with_name(f"{path.stem}_current.h5")
            series.append(bec_md.compute_current(path, charges=charges, output=kept, **options))
        else:
            series.append(bec_md.compute_current(path, charges=charges))
    spectrum = bec_md.compute_spectrum(series, resolution_cm=20.0, max_cm=1300.0, dc=True)
    currents = [one.total("mass") for one in series]
    scale = (series[0].timestep_fs, spectrum.volume_ang3, spectrum.temperature_k, fit_fs)
    return Result(spectrum, currents, mean_of([einstein_helfand(j, *scale, blocks=BLOCKS) for j in currents]))


def mean_of(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of independent estimates and its standard error."""
    array = np.array(values)
    return float(array[:, 0].mean()), float(np.sqrt((array[:, 1] ** 2).sum()) / len(array))


def transported_charge(
    first: Sequence[NDArray[np.float64]], second: Sequence[NDArray[np.float64]], lag: int
) -> tuple[float, float]:
    """Slope of the displacement of one dipole over that of the other after a lag, and its standard error.

    Both dipoles see the same motion, so that the sampling error cancels: 1 if they carry the same charge.
    """
    products = []
    for one, two in zip(first, second, strict=True):
        for a, b in zip(np.array_split(one, BLOCKS), np.array_split(two, BLOCKS), strict=True):
            moved = [np.cumsum(j, axis=0)[lag:] - np.cumsum(j, axis=0)[:-lag] for j in (a, b)]
            products.append([(moved[0] * moved[1]).sum(), (moved[1] ** 2).sum()])
    array = np.array(products)
    slope = float(array[:, 0].sum() / array[:, 1].sum())
    scatter = array[:, 0] - slope * array[:, 1]
    return slope, float(np.sqrt((scatter**2).sum()) / array[:, 1].sum())


def nernst_einstein(
    path: Path, temperature_k: float, volume_ang3: float, fit_fs: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    """σ = Σ N q² D/(V k_B T) in S/m of Li⁺ and of PO4³⁻ (its P) with standard errors over blocks."""
    trajectory = open_trajectory(path, need_velocities=False)
    frames = list(trajectory.frames())
    positions = np.array([frame.positions_ang for frame in frames])
    step_fs = float(trajectory.info.timestep_fs or 0.0)
    masses = frames[0].masses_amu
    positions -= np.einsum("i,tix->tx", masses / masses.sum(), positions)[:, None]
    first, last = (round(t / step_fs) for t in fit_fs)
    result = {}
    for name, number, charge in (("Li", 3, 1.0), ("PO4", 15, -3.0)):
        slopes = []
        for block in np.array_split(positions[:, frames[0].numbers == number], BLOCKS):
            # summed over ions; mean over the three axes
            moved = mean_square_displacement(block, min(last, len(block) - 1)).sum(axis=1).mean(axis=1)
            lags = np.arange(first, len(moved))
            slopes.append(charge**2 * np.polyfit(lags * step_fs, moved[first:], 1)[0])
        scale = 0.5 * CONDUCTIVITY_S_M / (volume_ang3 * temperature_k)
        result[name] = (
            float(np.mean(slopes) * scale),
            float(np.std(slopes, ddof=1) / BLOCKS**0.5 * scale),
        )
    return result


def draw(results: dict[str, Result], reach_fs: float) -> Figure:
    """Left: Re σ(ω), with σ(0) and its error; right: squared displacement of the dipoles."""
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks

    colors = {"model": "#0072B2", OXIDATION: "#D55E00"}
    with figure_style():
        figure = bare_figure((6.8, 2.9))
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for charges, result in results.items():
            bec_md.plot.plot_spectrum(
                result.spectrum,
                "sigma",
                groups=False,
                ax=left,
                label=NAMES[charges],
                color=colors[charges],
                xlim=(0, 1300),
            )
        left.set_ylim(bottom=0)
        left.legend(loc="upper left")
        _zoom(left.inset_axes((0.47, 0.45, 0.24, 0.42)), results, colors)
        first = next(iter(results.values()))
        step_ps = float(first.spectrum.parameters["timestep_fs"]) / 1000.0
        lags = round(reach_fs / 1000.0 / step_ps)
        pin_ticks(right)
        curves = {NAMES[charges]: (result.currents, colors[charges]) for charges, result in results.items()}
        one, two = (result.currents for result in results.values())
        curves["difference"] = ([a - b for a, b in zip(one, two, strict=True)], "#555555")
        for name, (currents, color) in curves.items():
            dipoles = [1000.0 * step_ps * np.cumsum(current, axis=0) for current in currents]
            moved = np.mean([mean_square_displacement(m, lags).mean(axis=1) for m in dipoles], axis=0)
            style = "--" if name == "difference" else "-"
            right.plot(step_ps * np.arange(lags + 1), moved, style, color=color, label=name)
        right.set_xlabel("time (ps)")
        right.set_ylabel(r"$\langle[M(t)-M(0)]^2\rangle$ ($e^2$ Å$^2$)")
        right.set_xlim(0, step_ps * lags)
        right.set_ylim(bottom=0)
        right.legend(loc="upper left")
    return figure


def _zoom(inset: Axes, results: dict[str, Result], colors: dict[str, str]) -> None:
    """Low frequencies with σ(0) and its error."""
    for shift, (charges, result) in zip((0.0, 8.0), results.items(), strict=True):
        low = result.spectrum.wavenumber_cm < ZOOM_CM
        inset.plot(
            result.spectrum.wavenumber_cm[low], 1e-3 * result.spectrum.sigma_real[low], color=colors[charges]
        )
        value, error = 1e-3 * np.array(result.cepstral)
        inset.errorbar([shift], [value], [error], fmt="o", ms=3, capsize=2, color=colors[charges])
    inset.set_xlim(-12, ZOOM_CM)
    inset.set_ylim(bottom=0)
    inset.tick_params(labelsize="small")
    inset.set_title("σ(0) and low frequencies", fontsize="small")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trajectories", type=Path, nargs="+")
    parser.add_argument("--model", default="li3po4")
    parser.add_argument("--charge-stride", type=int, default=1, help="frames between evaluations of Z*")
    parser.add_argument("--fit", type=float, nargs=2, default=(1.0, 4.0), help="lags of the slopes in ps")
    parser.add_argument("--output", type=Path, default=Path("li3po4_conductivity.png"))
    options = parser.parse_args()
    fit_fs = (1000.0 * options.fit[0], 1000.0 * options.fit[1])
    network = {"model": options.model, "charge_stride": options.charge_stride}
    results = {name: analyze(options.trajectories, name, fit_fs, **network) for name in NAMES}
    print("| | cepstral [S/m] | Einstein–Helfand [S/m] |\n|---|---|---|")
    for name, result in results.items():
        cells = [f"{value:.1f} ± {error:.1f}" for value, error in (result.cepstral, result.helfand)]
        print(f"| {NAMES[name]} | {' | '.join(cells)} |")
    spectrum = results["model"].spectrum
    state = (spectrum.temperature_k, spectrum.volume_ang3, fit_fs)
    found = [nernst_einstein(path, *state) for path in options.trajectories]
    ions = {name: mean_of([one[name] for one in found]) for name in found[0]}
    parts = ", ".join(f"{name} {value:.1f} ± {error:.1f}" for name, (value, error) in ions.items())
    print(f"| Nernst–Einstein ({parts}) | | {sum(value for value, _ in ions.values()):.1f} |")
    print(f"\n{spectrum.temperature_k:.0f} K, {spectrum.parameters['total_time_ps']:.0f} ps")
    lag = round(fit_fs[1] / float(spectrum.parameters["timestep_fs"]))
    slope, error = transported_charge(*(result.currents for result in results.values()), lag)
    print(f"transported charge, Z* over oxidation numbers: {slope:.3f} ± {error:.3f}")
    bec_md.plot.save_figure(draw(results, 2.0 * fit_fs[1]), options.output)
    print(options.output)


if __name__ == "__main__":
    main()
