"""Processor time of the first evaluation of crystals whose pairs of elements are new to the model.

    python tests/benchmarks/new_compositions.py [--crystals FILE] [--libraries FILE FILE …]

One thread. Without a file, perovskites with random elements that `universal` knows. Libraries (builds of
``bec_md/native``; the installed one when not given) take turns, each in processes of its own; a number is the
least of all rounds, its ratio to that of the first library follows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read

from bec_md.network import native, native_library
from bec_md.network.model_file import read_header
from bec_md.network.registry import model_path

CRYSTALS = 120
ROUNDS = 3


def perovskites(elements: list[int]) -> list[Atoms]:
    """Cubic cells of three elements at random."""
    rng = np.random.default_rng(0)
    places = np.array([(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])
    crystals = []
    for _ in range(CRYSTALS):
        a, b, x = rng.choice(elements, 3, replace=False)
        crystals.append(Atoms([a, b, x, x, x], scaled_positions=places, cell=4.0 * np.eye(3), pbc=True))
    return crystals


def measure(crystals: list[Atoms], path: Path, elements: list[int]) -> dict[str, float]:
    """Milliseconds of loading, of the first and second evaluation of a crystal; new pairs per crystal."""
    start = time.process_time()
    model = native.NativeModel(path, "", elements)
    load = time.process_time() - start
    first = second = 0.0
    known: set[tuple[int, int]] = set()
    for crystal in crystals:
        present = set(crystal.numbers.tolist())
        known |= {(a, b) for a in present for b in present}
        times = []
        for _ in range(2):
            start = time.process_time()
            model.predict_frames([crystal], members=True)
            times.append(time.process_time() - start)
        first += times[0]
        second += times[1]
    each = 1e3 / len(crystals)
    return {
        "load": 1e3 * load,
        "first": each * first,
        "second": each * second,
        "new pair": 1e3 * (first - second) / len(known),
        "new pairs per crystal": len(known) / len(crystals),
    }


def child(arguments: list[str]) -> None:
    """Measure one library."""
    import ctypes

    library_path, file = arguments
    if library_path:
        library = ctypes.CDLL(library_path)
        native_library._declare(library)
        native.load_library = lambda: library  # type: ignore[attr-defined]
    path = model_path("universal")
    elements = read_header(path)["config"]["elements"]
    crystals: list[Any] = read(file, ":") if file else perovskites(elements)  # type: ignore[assignment]
    crystals = [crystal for crystal in crystals if set(crystal.numbers.tolist()) <= set(elements)][:CRYSTALS]
    print(json.dumps(measure(crystals, path, elements)))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crystals", default="", help="extxyz or another file of ASE")
    parser.add_argument("--libraries", nargs="+", default=[""])
    options = parser.parse_args()
    best: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for library in options.libraries:
            command = [sys.executable, __file__, "--child", library, options.crystals]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found = json.loads(out)
            old = best.setdefault(library, found)
            best[library] = {name: min(found[name], old[name]) for name in found}
    reference = best[options.libraries[0]]
    for library, found in best.items():
        print(library or "installed")
        for name, value in found.items():
            print(f"  {name:22} {value:8.3f}  {value / reference[name]:5.2f} ×")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main()
