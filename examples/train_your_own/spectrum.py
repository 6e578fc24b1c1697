"""The spectrum of tetragonal ZrO2 with the fine-tuned and the universal network on the same motion.

    python spectrum.py [--work FOLDER] [--picoseconds 20] [--replicas 4]

Makes the trajectories (`../pod/run_md.py` with the potential of `../zirconia`; LAMMPS), the currents and
spectra of both networks, and the figure `train_your_own.png` from them and from `learning_curve.csv`.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import bec_md
from bec_md.plot.palette import COLORS, INK
from bec_md.plot.style import bare_figure, figure_style, pin_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum import Spectrum

EXAMPLES = Path(__file__).parents[1]
TEMPERATURE_K = 300.0


def trajectories(work: Path, replicas: int, picoseconds: float) -> list[Path]:
    """Return trajectories of 48 atoms at 300 K; those that are there already are kept."""
    found = [work / f"md_{number}.npz" for number in range(1, replicas + 1)]
    if not all(path.exists() for path in found):
        command = [
            sys.executable,
            EXAMPLES / "pod/run_md.py",
            EXAMPLES / "zirconia/tetragonal.xyz",
            *("--potential", EXAMPLES / "zirconia/tetragonal", "--repeat", "2", "2", "2"),
            *("--temperature", TEMPERATURE_K, "--replicas", replicas, "--picoseconds", picoseconds),
            *("--equilibration", min(6.0, picoseconds), "--every", "5", "--output", work / "md"),
        ]
        subprocess.run([str(word) for word in command], check=True)
    return found


def spectrum_of(
    model: str | Path, level: str | None, paths: Sequence[Path], resolution_cm: float
) -> Spectrum:
    """Return the spectrum of all replicas with one network at one of its levels of theory."""
    network = bec_md.load_model(str(model), level=level, threads=1)
    currents = [bec_md.compute_current(path, network) for path in paths]
    predicted = [
        np.asarray(current.eps_inf).mean(axis=0) for current in currents if current.eps_inf is not None
    ]
    return bec_md.compute_spectrum(
        currents,
        temperature_k=TEMPERATURE_K,
        eps_inf=np.mean(predicted, axis=0) if predicted else None,
        resolution_cm=resolution_cm,
    )


def model_share(spectrum: Spectrum) -> tuple[float, float]:
    """Return sampling and model error at the highest peak, relative to nα."""
    peak = int(np.argmax(spectrum.n_alpha))
    height = float(spectrum.n_alpha[peak])
    model = 0.0 if spectrum.model_err is None else float(spectrum.model_err[peak])
    return float(spectrum.n_alpha_err[peak]) / height, model / height


def draw_learning_curve(ax: Axes, table: Path) -> None:
    """Draw the error on frames held out against the number of frames, its mean and every fold."""
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    sizes = sorted({int(row["frames"]) for row in rows})
    values = {n: np.array([float(row["rmse_e"]) for row in rows if int(row["frames"]) == n]) for n in sizes}
    places = np.arange(len(sizes))
    for place, n in zip(places, sizes, strict=True):
        ax.plot(
            np.full(len(values[n]), place),
            values[n],
            color=COLORS[0],
            marker="o",
            linestyle="none",
            alpha=0.5,
        )
    ax.plot(places, [values[n].mean() for n in sizes], color=INK, marker="_", markersize=9)
    ax.set_xticks(places, [str(n) for n in sizes])
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ax.set_xlim(-0.4, len(sizes) - 0.6)
    ax.set_ylim(0.0, 1.1 * max(value.max() for value in values.values()))
    ax.set_xlabel("DFT frames trained on (0: universal)")
    ax.set_ylabel("RMSE of $Z^*$, held out ($e$)")


def draw(spectra: dict[str, Spectrum], table: Path, output: Path) -> None:
    """Draw the learning curve beside the spectra."""
    from bec_md.plot import plot_spectrum, save_figure

    with figure_style():
        figure = bare_figure((6.8, 2.6))
        left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.7))
        for panel, letter in ((pin_ticks(left), "a"), (pin_ticks(right), "b")):
            panel.set_title(f"({letter})")
        draw_learning_curve(left, table)
        for number, (name, spectrum) in enumerate(spectra.items()):
            plot_spectrum(
                spectrum,
                "n_alpha",
                groups=False,
                ax=right,
                label=name,
                color=(INK, COLORS[1])[number],
                band=0.68 if number == 0 else None,
            )
    save_figure(figure, output)


def main() -> None:
    """Run the simulation, compute both spectra and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--work", type=Path, default=Path("train_your_own"), help="where learning_curve.py wrote"
    )
    parser.add_argument("--trajectory", type=Path, nargs="+", help="instead of those made here")
    parser.add_argument("--picoseconds", type=float, default=20.0)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--resolution", type=float, default=10.0)
    parser.add_argument("--output", type=Path, default=Path("train_your_own.png"))
    options = parser.parse_args()

    paths = options.trajectory or trajectories(options.work, options.replicas, options.picoseconds)
    models = {"fine-tuned": (options.work / "model.safetensors", None), "universal": ("universal", "pbe")}
    spectra = {name: spectrum_of(*model, paths, options.resolution) for name, model in models.items()}
    for name, spectrum in spectra.items():
        sampling, model = model_share(spectrum)
        ratio = ", ".join(f"{value:.3f}" for value in spectrum.parameters["f_sum_ratio"])
        to = ", ".join(f"{peak.wavenumber_cm:.0f} ± {peak.wavenumber_err_cm:.0f}" for peak in spectrum.peaks)
        print(f"{name}: peaks {to} cm⁻¹; f-sum {ratio}")
        print(f"  at the highest peak: sampling error {sampling:.1%}, model error {model:.1%}")
        if spectrum.eps_inf is not None:
            print(f"  ε∞ {np.trace(spectrum.eps_inf) / 3:.3f}")
    draw(spectra, options.work / "learning_curve.csv", options.output)
    print(options.output)


if __name__ == "__main__":
    main()
