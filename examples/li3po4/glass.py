"""The glass of this example against a molecular dynamics trajectory of a better potential.

    python examples/li3po4/glass.py glass800_1.npz --reference li3po4_amorphous_800K_1024atoms.npz

The reference (not part of this repository) is an .npz with `scaled` (T, N, 3), `box` (3, 2) in Å, `types`
(N,) from 1, `symbols` and `steps`; its frames are 10 fs apart and have no velocities. Prints the first
peak of each g(r) and coordination numbers, draws g(r), and with --spectra nα of both at 800 K.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

import bec_md
from bec_md.trajectory import open_trajectory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE_STEP_FS = 10.0
#: Pairs, and the radius in Å up to which neighbors are counted.
PAIRS = {("P", "O"): 2.0, ("Li", "O"): 2.7, ("O", "O"): 2.8, ("Li", "Li"): 3.8, ("P", "P"): 3.5}
BIN_ANG = 0.05


def own(path: Path, stride: int) -> list[Atoms]:
    """Frames of a trajectory of this example."""
    return [
        Atoms(frame.numbers, frame.positions_ang, cell=frame.cell_ang, pbc=True)
        for frame in open_trajectory(path, stride=stride, need_velocities=False).frames()
    ]


def reference(path: Path, stride: int = 1) -> list[Atoms]:
    """Frames of the reference trajectory."""
    with np.load(path) as data:
        lengths = data["box"][:, 1] - data["box"][:, 0]
        symbols = data["symbols"][data["types"] - 1]
        return [Atoms(symbols, scaled_positions=s, cell=lengths, pbc=True) for s in data["scaled"][::stride]]


def radial_distributions(
    frames: list[Atoms],
) -> tuple[NDArray[np.float64], dict[tuple[str, str], NDArray[np.float64]], dict[tuple[str, str], float]]:
    """Radii (B,), g(r) of each pair (B,), and the number of second atoms around a first one."""
    reach = min(6.0, min(frames[0].cell.lengths()) / 2)
    edges = np.arange(0.0, reach, BIN_ANG)
    shells = 4 * np.pi / 3 * np.diff(edges**3)
    symbols = np.array(frames[0].get_chemical_symbols())
    lengths = frames[0].cell.lengths()
    g = {pair: np.zeros(len(shells)) for pair in PAIRS}
    neighbors = dict.fromkeys(PAIRS, 0.0)
    for atoms in frames:
        for pair, radius in PAIRS.items():
            first, second = (np.flatnonzero(symbols == name) for name in pair)
            vectors = atoms.positions[second][None] - atoms.positions[first][:, None]
            vectors -= lengths * np.round(vectors / lengths)
            distances = np.linalg.norm(vectors, axis=-1).ravel()
            distances = distances[distances > 1e-6]
            density = len(second) / atoms.get_volume()
            g[pair] += np.histogram(distances, edges)[0] / (len(first) * density * shells * len(frames))
            neighbors[pair] += float((distances < radius).sum()) / (len(first) * len(frames))
    return (edges[1:] + edges[:-1]) / 2, g, neighbors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trajectory", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--stride", type=int, default=20, help="frames between those of g(r)")
    parser.add_argument("--spectra", action="store_true", help="also compare nα")
    parser.add_argument("--model", default="universal")
    parser.add_argument("--output", type=Path, default=Path("li3po4_glass.png"))
    options = parser.parse_args()
    sets = {"this example": own(options.trajectory, options.stride)}
    if options.reference:
        sets["reference"] = reference(options.reference, 5 * options.stride)
    found = {name: radial_distributions(frames) for name, frames in sets.items()}
    print(
        "| | "
        + " | ".join(f"{a}–{b} [Å], number" for a, b in PAIRS)
        + " |\n"
        + "|---" * (len(PAIRS) + 1)
        + "|"
    )
    for name, (radii, g, numbers) in found.items():
        cells = [f"{radii[np.argmax(g[pair])]:.2f}, {numbers[pair]:.2f}" for pair in PAIRS]
        print(f"| {name} | {' | '.join(cells)} |")
    spectra = {}
    if options.spectra:
        network = bec_md.load_model(options.model)
        sources = {"this example": (str(options.trajectory), {})}
        if options.reference:
            sources["reference"] = (reference(options.reference), {"timestep_fs": REFERENCE_STEP_FS})
        for name, (source, extra) in sources.items():
            series = bec_md.compute_current(source, network, **extra)
            spectra[name] = bec_md.compute_spectrum(
                series, temperature_k=800.0, resolution_cm=40.0, max_cm=1400.0
            )
            print(name, "f-sum", spectra[name].parameters["f_sum_ratio"])
    bec_md.plot.save_figure(draw(found, spectra), options.output)
    print(options.output)


def draw(found: dict, spectra: dict) -> Figure:  # type: ignore[type-arg]
    """g(r) of four pairs; a second panel with the spectra, if there are any."""
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks

    looks = {"this example": ("-", "#0072B2"), "reference": ("--", "#D55E00")}
    with figure_style():
        figure = bare_figure((6.8, 2.9))
        panels = np.atleast_1d(figure.subplots(1, 2 if spectra else 1))
        pin_ticks(panels[0])
        pairs = [("P", "O"), ("Li", "O"), ("O", "O"), ("Li", "Li")]
        for level, pair in enumerate(pairs):
            for name, (radii, g, _) in found.items():
                line, color = looks[name]
                heights = np.minimum(g[pair], 6.0) + 6.0 * level
                panels[0].plot(radii, heights, line, color=color, label=name if level == 0 else None)
            panels[0].text(5.9, 6.0 * level + 2.2, f"{pair[0]}–{pair[1]}", ha="right")
            panels[0].axhline(6.0 * level, color="0.8", lw=0.5, zorder=0)
        panels[0].set_xlim(1.0, 6.0)
        panels[0].set_xlabel("r (Å)")
        panels[0].set_ylabel("g(r), cut at 6 and shifted")
        panels[0].set_yticks([])
        panels[0].set_ylim(-0.5, 27)
        panels[0].legend(loc="upper right", ncols=2)
        for name, spectrum in spectra.items():
            bec_md.plot.plot_spectrum(
                spectrum,
                "n_alpha",
                groups=False,
                ax=panels[1],
                label=name,
                color=looks[name][1],
                xlim=(0, 1300),
            )
    return figure


if __name__ == "__main__":
    main()
