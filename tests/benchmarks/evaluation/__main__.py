"""Measure the network beside an edge-wise e3nn network and the limits of the machine.

    python -m tests.benchmarks.evaluation --quick --threads 1 2 --systems quartz water

Prints the tables of docs/benchmarks.md. Structures are made on the spot; one process measures everything in
turn, so that ratios mean something on a machine that is not idle. Takes about five minutes, with --quick half
a minute.
"""

from __future__ import annotations

import argparse
import os
import sys


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="auto", help="auto takes what spectrum would take")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--systems", nargs="+", default=["quartz", "water"], choices=["quartz", "water"])
    parser.add_argument("--quick", action="store_true", help="small structures, few rounds")
    parser.add_argument("--compile", action="store_true", help="the edge-wise network compiled, too")
    given = parser.parse_args()
    from bec_md.cli.bench_command import ENVIRONMENT

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from bec_md.bench.measure import BenchSettings
    from bec_md.bench.tables import as_markdown
    from bec_md.network.native import native_status
    from tests.benchmarks.evaluation.measure import measure
    from tests.benchmarks.evaluation.tables import tables

    rounds = 3 if given.quick else 7
    settings = BenchSettings(given.model, tuple(given.threads), tuple(given.systems), given.quick, rounds)
    systems = measure(settings, given.compile, lambda text: print(text, file=sys.stderr))
    print(as_markdown(systems, tables(systems, given.threads[0], native_status().instruction_set)))


if __name__ == "__main__":
    main()
