"""How sure a model is of crystals of unseen composition: errors, bands and flags by kind of compound.

    python tests/benchmarks/how_sure.py DATA_FOLDER [--model universal] [--mp-level pbe-u]

DATA_FOLDER holds test/phonondb_test.xyz and test/mp_test.xyz. A crystal is counted in the first row that fits
it: with V, Cr, Mn, Fe, Co or Ni; with an element of fewer than 20 training structures; with ε∞ above 9; the
rest. *Flagged* are those of which `spectrum`, `predict` and `evaluate` say that they lie outside the domain,
or that an element was hardly seen. The last line says how many of the worst are flagged.
"""

from __future__ import annotations

import argparse
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
KINDS = (
    "V, Cr, Mn, Fe, Co or Ni",
    "another element with fewer than 20 training structures",
    "ε∞ above 9 (small gaps)",
    "the rest",
)


def kinds_and_flags(
    found: Evaluation, frames: list[Frame], model: BecModel
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the kind of each crystal, and whether the program warns of it."""
    assert found.uncertainty_e is not None
    ends = np.cumsum(np.bincount(found.frame))[:-1]
    tensors, spreads = (np.split(values, ends) for values in (found.predicted, found.uncertainty_e))
    eps = np.trace(found.eps_inf_labels, axis1=1, axis2=2) / 3
    kinds, flags = [], []
    for frame, charges, spread, eps_inf in zip(frames, tensors, spreads, eps, strict=True):
        known = familiarity_of(model, frame)
        symbols = {chemical_symbols[int(z)] for z in frame.numbers}
        tests = (bool(OPEN_SHELLS & symbols), bool(known.few), eps_inf > LARGE_EPS_INF, True)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="universal")
    parser.add_argument("--mp-level", default="pbe-u")
    options = parser.parse_args()
    print("| crystals | number | RMSE (e) | MAE (e) | median crystal (e) | 95 % bands hold | flagged |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    sets = {"phonon database": ("phonondb_test", None), "Materials Project": ("mp_test", options.mp_level)}
    worst = []
    for title, (name, level) in sets.items():
        frames = read_frames(options.data / "test" / f"{name}.xyz")
        found = evaluate_model(options.model, frames, level=level, threads=1)
        kinds, flags = kinds_and_flags(found, frames, load_model(options.model, level=level))
        print(row(f"{title}, all", found, np.ones(len(frames), dtype=bool), flags))
        for number, kind in enumerate(KINDS):
            if (kinds == number).any():
                print(row(f"– {kind}", found, kinds == number, flags))
        squared = ((found.predicted - found.labels) ** 2).mean(axis=(1, 2))
        errors = np.bincount(found.frame, weights=squared) / np.bincount(found.frame)
        largest = np.argsort(-errors)[: round(WORST * len(frames))]
        worst.append(f"{title}: {flags[largest].sum()} of the {len(largest)} worst flagged")
    print("\n" + "; ".join(worst))


if __name__ == "__main__":
    main()
