"""Trajectory to figure: `bec-md spectrum` on water, its parts, and how it grows with frames and atoms.

    python tests/benchmarks/water_end_to_end.py --frames 20000 -o OUTPUT_FOLDER

Every command runs in a process of its own, start included. The parts are commands, too: reading alone;
reading and the current with fixed charges; the spectrum of the stored current. What is left of the whole is
the network.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.child import Usage, command, run

READ = """
import sys
from bec_md.trajectory import open_trajectory
for _ in open_trajectory(sys.argv[1]).frames():
    pass
"""
START = "import sys; from bec_md.cli.app import app; import numpy"


def write(path: Path, n_atoms: int, n_frames: int) -> None:
    """Write a trajectory in another process: the peak memory of a child is never below its parent's."""
    code = "import sys; from pathlib import Path; from tests.benchmarks.vibrating_water import write; "
    code += "write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))"
    run(["-c", code, str(path), str(n_atoms), str(n_frames)], path.parent)


def spectrum(trajectory: Path, folder: Path, options: list[str]) -> Usage:
    """Measure the whole command: current, spectrum, table, data and figure."""
    outputs = ["-o", "s.h5", "--csv", "s.csv", "--plot", "s.png", "--current", "current.h5"]
    named = [word if word.startswith("-") else str(folder / word) for word in outputs]
    return run(command("spectrum", str(trajectory), "--overwrite", *named, *options), folder)


def parts(trajectory: Path, folder: Path, options: list[str]) -> dict[str, Usage]:
    """Measure the whole command and its parts."""
    fixed = folder / "fixed.h5"
    charges = ["--charges", "fixed:O=-0.8,H=0.4", "--overwrite", "-o", str(fixed)]
    return {
        "whole command": spectrum(trajectory, folder, options),
        "start": run(["-c", START], folder),
        "reading": run(["-c", READ, str(trajectory)], folder),
        "reading and sums, fixed charges": run(command("current", str(trajectory), *charges), folder),
        "spectrum and figure": run(
            command("spectrum", str(folder / "current.h5"), "--plot", str(folder / "again.png")), folder
        ),
    }


def scaling(folder: Path, suffix: str, frames: int, options: list[str]) -> dict[str, list[list[float]]]:
    """Measure the command for fewer frames of 192 atoms, and for other sizes with fewer frames."""
    runs = {"frames": [(192, frames // k) for k in (8, 4, 2)], "atoms": []}
    runs["atoms"] = [(n, frames // 20) for n in (192, 648, 1536, 3000)]
    found: dict[str, list[list[float]]] = {}
    for kind, sizes in runs.items():
        found[kind] = []
        for n_atoms, n_frames in sizes:
            path = folder / f"water_{n_atoms}_{n_frames}{suffix}"
            write(path, n_atoms, n_frames)
            usage = spectrum(path, folder, options)
            found[kind].append([n_atoms, n_frames, usage.wall_s, usage.cpu_s])
            print(f"{n_atoms:6d} atoms × {n_frames:6d} frames {usage}", flush=True)
            path.unlink()
    return found


def fixed_and_slope(rows: list[list[float]]) -> tuple[float, float]:
    """Fit time = a + b · atoms · frames, all relative errors alike; a in s, b in s per atom and frame."""
    import numpy as np

    size, cpu = np.array([row[0] * row[1] for row in rows]), np.array([row[3] for row in rows])
    (a, b), *_ = np.linalg.lstsq(np.stack([1 / cpu, size / cpu], axis=1), np.ones(len(cpu)), rcond=None)
    return float(a), float(b)


def draw(found: dict[str, list[list[float]]], path: Path) -> None:
    """Plot processor time against frames and against atoms, with one straight line for both."""
    import numpy as np

    from bec_md.plot.style import bare_figure, figure_size, figure_style

    labels = {"frames": "frames of 192 atoms", "atoms": f"atoms, {found['atoms'][0][1]:,.0f} frames"}
    start, slope = fixed_and_slope(found["frames"] + found["atoms"])
    fit = f"{start:.1f} s + {1e6 * slope:.1f} µs · atoms · frames"
    with figure_style():
        figure = bare_figure(figure_size("double", 0.4))
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (kind, rows), column, letter in zip(axes, found.items(), (1, 0), "ab", strict=True):
            x = np.array([row[column] for row in rows])
            fine = np.geomspace(x.min(), x.max(), 200)
            ax.loglog(fine, start + slope * fine * rows[0][1 - column], "-", color="0.6", label=fit)
            ax.loglog(x, [row[3] for row in rows], "o", label="measured")
            ax.set_xlabel(labels[kind])
            ax.set_xticks(x, [f"{value:,.0f}" for value in x])
            ax.minorticks_off()
            ax.text(0.97, 0.04, f"({letter})", transform=ax.transAxes, ha="right")
        low, high = axes[0].get_ylim()
        ticks = [value for value in (1, 2, 5, 10, 20, 50, 100, 200) if low <= value <= high]
        axes[0].set_yticks(ticks, [str(value) for value in ticks])
        axes[0].set_ylabel("processor time / s")
        axes[1].legend(loc="upper left")
        figure.savefig(path, dpi=200)


def main() -> None:
    """Measure, print, write JSON and a figure."""
    parser = argparse.ArgumentParser(description="Benchmark bec-md spectrum on synthetic water.")
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--format", choices=("npz", "extxyz"), default="npz", help="of the trajectory")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--no-scaling", action="store_true", help="only the split of one run")
    parser.add_argument("-o", "--output", type=Path, default=Path(), help="folder of figure and JSON")
    given = parser.parse_args()
    suffix = ".npz" if given.format == "npz" else ".xyz"
    options = ["--threads", given.threads, "--model", given.model, "--temperature", "300"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trajectory = folder / f"water{suffix}"
        write(trajectory, 192, given.frames)
        size = f"{trajectory.stat().st_size / 1e6:.0f} MB"
        print(f"192 atoms × {given.frames} frames, {size}, {given.threads} threads")
        found = parts(trajectory, folder, options)
        for name, usage in found.items():
            print(f"{name:32s} {usage}", flush=True)
        rest = found["whole command"].cpu_s - found["reading and sums, fixed charges"].cpu_s
        rest -= found["spectrum and figure"].cpu_s - found["start"].cpu_s
        read = found["reading"].cpu_s - found["start"].cpu_s
        share = 100 * read / found["whole command"].cpu_s
        print(f"network {rest:.1f} s processor, reading {read:.1f} s ({share:.0f} % of the whole command)")
        result = {name: vars(usage) for name, usage in found.items()} | {"frames": given.frames}
        if not given.no_scaling:
            grown = scaling(folder, suffix, given.frames, options)
            grown["frames"].append([192, given.frames, *list(vars(found["whole command"]).values())[:2]])
            result["scaling"] = grown
            draw(grown, given.output / "water_scaling.png")
    (given.output / "water_end_to_end.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
