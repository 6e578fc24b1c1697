"""The spectrum of a long current: wall time and peak memory for 10⁶ samples of 3 and of 10 groups.

python tests/benchmarks/spectrum_from_current.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.child import run

PREPARE = """
import sys, numpy as np
from bec_md.current.series import CurrentSeries
frames, groups = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(1)
current = np.empty((frames, groups, 3))
for start in range(0, frames, 10000):  # block by block, without a copy of the whole
    block = current[start : start + 10000]
    block[:] = rng.normal(scale=0.01, size=block.shape)
    for _ in range(3):
        block[1:] += 0.9 * block[:-1]  # not white: neighboring samples are alike
series = CurrentSeries(current, tuple(f"group{i}" for i in range(groups)), 1.0, 1000.0)
"""
COMPUTE = """
from bec_md.spectrum import compute_spectrum
compute_spectrum(series, temperature_k=300.0, resolution_cm=10.0, estimator=sys.argv[3])
"""


def main() -> None:
    """Measure with and without the spectrum; the difference is the spectrum."""
    parser = argparse.ArgumentParser(description="Benchmark the spectrum of a long current.")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--groups", type=int, nargs="+", default=[3, 10])
    parser.add_argument("--estimators", nargs="+", default=["lag", "welch", "multitaper"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for groups in given.groups:
            sizes = [str(given.frames), str(groups)]
            base = run(["-c", PREPARE, *sizes], Path(scratch))
            held = given.frames * groups * 3 * 8 / 1e6
            print(f"{given.frames} samples × {groups} groups: {held:.0f} MB; making it {base}", flush=True)
            for estimator in given.estimators:
                usage = run(["-c", PREPARE + COMPUTE, *sizes, estimator], Path(scratch))
                wall, cpu = usage.wall_s - base.wall_s, usage.cpu_s - base.cpu_s
                peak = f"{usage.peak_mb:6.0f} MB peak of the process"
                print(f"  {estimator:10s} {wall:7.2f} s wall {cpu:7.2f} s processor, {peak}", flush=True)


if __name__ == "__main__":
    main()
