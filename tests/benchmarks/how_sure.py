"""How sure a model is of what it has not seen: errors, bands and flags by kind of compound and by element.

    python tests/benchmarks/how_sure.py DATA_FOLDER [--model universal] [--mp-level pbe-u]

DATA_FOLDER holds test/phonondb_test.xyz and test/mp_test.xyz; molecules and crystals in motion are those of
examples/labels. A crystal is counted in the first row that fits it: with V, Cr, Mn, Fe, Co or Ni; with an
element of fewer than 20 training structures; with ε∞ above 9; with Mo, Tc, Ru, Rh or Pd; with W; the rest.
*Flagged* are those of which `spectrum`, `predict` and `evaluate` say that they lie outside the domain, or
that an element was hardly seen. A line says how many of the worst are flagged. The last table has the atoms
of each element in both files of crystals.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from bec_md.evaluation import Evaluation, evaluate_model
from bec_md.network import BecModel, load_model
from bec_md.network.familiarity import Doubt
from bec_md.network.second_opinion import familiarity_of, second_difference
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames

OPEN_SHELLS = frozenset({"V", "Cr", "Mn", "Fe", "Co", "Ni"})
LARGE_EPS_INF = 9.0
WORST = 0.05
OPEN_4D = frozenset({"Mo", "Tc", "Ru", "Rh", "Pd"})
KINDS = (
    "V, Cr, Mn, Fe, Co or Ni",
    "another element with fewer than 20 training structures",
    "ε∞ above 9 (small gaps)",
    "Mo, Tc, Ru, Rh or Pd",
    "W",
    "the rest",
)
LABELS = Path(__file__).parents[2] / "examples/labels"
#: Of examples/labels, all at PBEsol.
OTHERS = {
    "free molecules": "molecules",
    "molecules packed into crystals": "molecular_crystals",
    "crystals in motion": "thermal",
}
COLUMNS = 4  # of the table of elements


def kinds_and_flags(
    found: Evaluation, frames: list[Frame], model: BecModel
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the kind of each crystal, and whether the program warns of it."""
    assert found.uncertainty_e is not None
    ends = np.cumsum(np.bincount(found.frame))[:-1]
    tensors, spreads = (np.split(values, ends) for values in (found.predicted, found.uncertainty_e))
    known_eps = found.eps_inf_labels is not None and len(found.eps_inf_labels) == len(frames)
    eps = np.trace(found.eps_inf_labels, axis1=1, axis2=2) / 3 if known_eps else np.zeros(len(frames))
    kinds, flags = [], []
    for frame, charges, spread, eps_inf in zip(frames, tensors, spreads, eps, strict=True):
        known = familiarity_of(model, frame)
        symbols = {chemical_symbols[int(z)] for z in frame.numbers}
        here = (bool(OPEN_SHELLS & symbols), bool(known.few), eps_inf > LARGE_EPS_INF)
        tests = (*here, bool(OPEN_4D & symbols), "W" in symbols, True)
        kinds.append(tests.index(True))
        second = second_difference(model, frame, charges)
        flags.append(bool(known.few) or known.outside(Doubt.of(spread), second))
    return np.array(kinds), np.array(flags)


def row(name: str, found: Evaluation, chosen: NDArray[np.bool_], flags: NDArray[np.bool_]) -> str:
    """Return a line of the table."""
    assert found.uncertainty_e is not None
    atoms = chosen[found.frame]
    error = (found.predicted - found.labels)[atoms]
    sums = np.bincount(found.frame[atoms], weights=np.abs(error).mean(axis=(1, 2)), minlength=len(chosen))
    median = np.median(sums[chosen] / np.bincount(found.frame)[chosen])
    inside = np.abs(error) < 1.959964 * found.uncertainty_e[atoms][:, None, None]
    return (
        f"| {name} | {chosen.sum()} | {np.sqrt((error**2).mean()):.3f} | {np.abs(error).mean():.3f} | "
        f"{median:.3f} | {100 * inside.mean():.0f} % | {100 * flags[chosen].mean():.0f} % |"
    )


def judged(
    path: Path, name: str, level: str | None
) -> tuple[Evaluation, NDArray[np.int64], NDArray[np.bool_]]:
    """Evaluate a model on a file, and return what it says of each structure."""
    frames = read_frames(path)
    found = evaluate_model(name, frames, level=level, threads=1)
    return found, *kinds_and_flags(found, frames, load_model(name, level=level))


def by_element(crystals: list[Evaluation]) -> Iterator[str]:
    """Lines of a table: crystals with each element, RMSE of its atoms and how often 95 % bands hold."""
    yield "|" + " element | crystals | RMSE (e) | bands |" * COLUMNS
    yield "|" + "---|---:|---:|---:|" * COLUMNS
    cells = []
    for number in sorted({int(z) for found in crystals for z in found.numbers}):
        atoms = [found.numbers == number for found in crystals]
        pairs = list(zip(crystals, atoms, strict=True))
        error = np.concatenate([(found.predicted - found.labels)[own] for found, own in pairs])
        spread = np.concatenate([np.asarray(found.uncertainty_e)[own] for found, own in pairs])
        count = sum(len(np.unique(found.frame[own])) for found, own in pairs)
        held = 100 * (np.abs(error) < 1.959964 * spread[:, None, None]).mean()
        cells.append(
            f" {chemical_symbols[number]} | {count} | {np.sqrt((error**2).mean()):.3f} | {held:.0f} % |"
        )
    rows = -(-len(cells) // COLUMNS)
    cells += [" | | | |"] * (rows * COLUMNS - len(cells))
    for index in range(rows):
        yield "|" + "".join(cells[index::rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="universal")
    parser.add_argument("--mp-level", default="pbe-u")
    options = parser.parse_args()
    print("| crystals | number | RMSE (e) | MAE (e) | median crystal (e) | 95 % bands hold | flagged |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    sets = {"phonon database": ("phonondb_test", None), "Materials Project": ("mp_test", options.mp_level)}
    worst, crystals = [], []
    for title, (name, level) in sets.items():
        found, kinds, flags = judged(options.data / "test" / f"{name}.xyz", options.model, level)
        print(row(f"{title}, all", found, np.ones(len(flags), dtype=bool), flags))
        for number, kind in enumerate(KINDS):
            if (kinds == number).any():
                print(row(f"– {kind}", found, kinds == number, flags))
        squared = ((found.predicted - found.labels) ** 2).mean(axis=(1, 2))
        errors = np.bincount(found.frame, weights=squared) / np.bincount(found.frame)
        largest = np.argsort(-errors)[: round(WORST * len(flags))]
        worst.append(f"{title}: {flags[largest].sum()} of the {len(largest)} worst flagged")
        crystals.append(found)
    for title, name in OTHERS.items():
        found, _, flags = judged(LABELS / f"{name}_test.xyz.xz", options.model, "pbesol")
        print(row(title, found, np.ones(len(flags), dtype=bool), flags))
    print("\n" + "; ".join(worst) + "\n")
    for line in by_element(crystals):
        print(line)


if __name__ == "__main__":
    main()
