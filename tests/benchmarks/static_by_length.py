"""ε(0) of quartz from ⟨δM²⟩ after 5, 10, 20 and 40 ps of one run, and what the current of each model costs.

    python tests/benchmarks/static_by_length.py silica silica-direct

One thread, processor time of the whole way from the file to the rows, two groups of atoms, all members.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

from bec_md import compute_current, compute_spectrum
from bec_md.errors import BecMDWarning

TRAJECTORY = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"
LENGTHS_PS = (5, 10, 20, 40)


def main(models: list[str]) -> None:
    """Print the cost, then ε(0) − ε∞ and its error by length, of each model."""
    for model in models:
        begin = time.process_time()
        series = compute_current(TRAJECTORY, model=model, threads=1, stop=200 * LENGTHS_PS[-1])
        spent = (time.process_time() - begin) / (series.n_frames * (series.n_atoms or 1))
        print(f"{model}: {1e6 * spent:.1f} µs per atom and frame", flush=True)
        for length in LENGTHS_PS:
            spectrum = compute_spectrum(series[: 200 * length])
            (check,) = [check for check in spectrum.quality.checks if check.name == "static"]
            print(f"{length:3d} ps  {check.meaning}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", BecMDWarning)
    main(sys.argv[1:])
