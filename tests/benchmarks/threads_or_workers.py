"""Two threads of one process, or two processes of one thread? Both compute the same current, in turn.

    python tests/benchmarks/threads_or_workers.py --frames 2000 --rounds 5

Prints medians of wall and processor time of `bec-md current` on water, start of the program included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.child import Usage, command, run
from tests.benchmarks.water_end_to_end import write

WAYS = {
    "1 process, 1 thread": ["--threads", "1"],
    "1 process, 2 threads": ["--threads", "2"],
    "2 processes, 1 thread": ["--workers", "2", "--threads", "1"],
}


def main() -> None:
    """Alternate, and print the medians."""
    parser = argparse.ArgumentParser(description="Compare threads with processes.")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--atoms", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found: dict[str, list[Usage]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        trajectory = folder / "water.npz"
        write(trajectory, given.atoms, given.frames)
        for _ in range(given.rounds):
            for name, options in WAYS.items():
                words = [str(trajectory), "-o", str(folder / "c.h5"), "--overwrite", *options]
                found[name].append(run(command("current", *words), folder))
                print(f"{name:24s} {found[name][-1]}", flush=True)
    print(f"\nmedians of {given.rounds}, {given.atoms} atoms × {given.frames} frames")
    for name, usages in found.items():
        wall, cpu = median(u.wall_s for u in usages), median(u.cpu_s for u in usages)
        print(
            f"{name:24s} {wall:7.2f} s wall {cpu:7.2f} s processor {max(u.peak_mb for u in usages):5.0f} MB"
        )


if __name__ == "__main__":
    main()
