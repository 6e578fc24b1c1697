"""ε(0) from ⟨δM²⟩ after 5, 10, 20 and 40 ps of one run, and what the current of each model costs.

    python tests/benchmarks/static_by_length.py silica silica-direct
    python tests/benchmarks/static_by_length.py --trajectory mgo_40ps.xyz universal mgo/model.safetensors

One thread, processor time of the whole way from the file to the rows, groups of elements, all members.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

from bec_md import compute_current, compute_spectrum
from bec_md.errors import BecMDWarning
from bec_md.trajectory import open_trajectory

TRAJECTORY = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"
LENGTHS_PS = (5, 10, 20, 40)


def main() -> None:
    """Print the cost, then ε(0) − ε∞ and its error by length, of each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--trajectory", type=Path, default=TRAJECTORY)
    options = parser.parse_args()
    step_fs = open_trajectory(options.trajectory).info.timestep_fs
    assert step_fs is not None
    for model in options.models:
        begin = time.process_time()
        frames = round(1000 * LENGTHS_PS[-1] / step_fs)
        series = compute_current(options.trajectory, model=model, threads=1, stop=frames)
        spent = (time.process_time() - begin) / (series.n_frames * (series.n_atoms or 1))
        print(f"{model}: {1e6 * spent:.1f} µs per atom and frame", flush=True)
        for length in LENGTHS_PS:
            spectrum = compute_spectrum(series[: round(1000 * length / step_fs)])
            (check,) = [check for check in spectrum.quality.checks if check.name == "static"]
            print(f"{length:3d} ps  {check.meaning}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", BecMDWarning)
    main()
