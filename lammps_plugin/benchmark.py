"""Cost of `fix bec` on quartz: graph, network, communication, and what more ranks gain.

    python lammps_plugin/benchmark.py [--model universal] [--cells 7] [--ranks 1 2] [--steps 20] [--repeat 3]

Wall time in ms per evaluation, mean over the ranks. The numbers of ranks take turns, and each line is the
shortest of several runs: compare them on a machine that does nothing else, with as many cores as ranks.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

INPUT = """
units metal
atom_style atomic
box tilt large
lattice custom 1.0 a1 4.9134 0 0 a2 -2.4567 4.2551292 0 a3 0 0 5.4052 &
  basis 0.4697 0.0    0.66666667 basis 0.0    0.4697 0.33333333 basis 0.5303 0.5303 0.0 &
  basis 0.4135 0.2669 0.7858     basis 0.7331 0.1466 0.45246667 basis 0.8534 0.5865 0.11913333 &
  basis 0.2669 0.4135 0.2142     basis 0.1466 0.7331 0.54753333 basis 0.5865 0.8534 0.88086667 spacing 1 1 1
variable a equal 4.9134*v_n
variable b equal 4.2551292*v_n
variable c equal 5.4052*v_n
variable tilt equal -2.4567*v_n
region cell prism 0 $a 0 $b 0 $c ${tilt} 0 0 units box
create_box 2 cell
create_atoms 2 region cell basis 1 1 basis 2 1 basis 3 1
mass 1 28.0855
mass 2 15.9994
pair_style vashishta
pair_coeff * * SiO.1990.vashishta Si O
velocity all create 600 5 mom yes rot no
timestep 0.001
fix move all nve
run 100 post no
fix ir all bec ${model} Si O
thermo 1000000
run 2 post no
run ${steps} post no
run ${steps} post no
run ${steps} post no
"""
LINE = re.compile(
    r"fix bec ir: (\d+) evaluations.*graph ([\d.e+-]+) s, network ([\d.e+-]+) s, "
    r"communication and waiting ([\d.e+-]+) s, the rest ([\d.e+-]+) s"
)


def measure(options: argparse.Namespace, ranks: int) -> list[float]:
    """Milliseconds per evaluation: graph, network, communication, the rest."""
    binaries = Path(sys.prefix) / "bin"
    command = [str(binaries / "lmp"), "-in", "in.benchmark", "-log", "none", "-nocite"]
    command += ["-var", "model", options.model, "-var", "n", str(options.cells)]
    command += ["-var", "steps", str(options.steps)]
    if ranks > 1:
        command = [str(binaries / "mpirun"), "-np", str(ranks), *command]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.benchmark").write_text(INPUT)
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    lines = [
        [1e3 * float(value) / int(count) for value in seconds]
        for count, *seconds in LINE.findall(done.stdout)[1:]
    ]
    return min(lines, key=sum)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="universal")
    parser.add_argument("--cells", type=int, default=7, help="n: n³ cells of 9 atoms")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    best: dict[int, list[float]] = {}
    for _ in range(options.repeat):
        for ranks in options.ranks:
            times = measure(options, ranks)
            best[ranks] = min(best.get(ranks, times), times, key=sum)
    atoms = 9 * options.cells**3
    print(f"{atoms} atoms, model {options.model}; ms per evaluation")
    print("ranks   graph  network   comm.   rest    all  µs/atom  overhead  speed-up")
    first = sum(best[options.ranks[0]])
    for ranks, (graph, network, communication, rest) in best.items():
        total = graph + network + communication + rest
        print(
            f"{ranks:5d} {graph:7.2f} {network:8.2f} {communication:7.2f} {rest:6.2f} {total:6.1f} "
            f"{1e3 * total / atoms:8.1f} {100 * (total / network - 1):8.1f}% {first / total:8.2f}"
        )


if __name__ == "__main__":
    main()
