"""Errors of a model on the thermal benchmark, by kind of compound.

    python tests/benchmarks/thermal_benchmark.py examples/labels [--model universal@pbesol] [--seen FILE ...]

The folder holds thermal_train.xyz.xz and thermal_test.xyz.xz. All rows but that of the training part are of
the test part. With --seen, extended XYZ files that the model learned from, structures of a composition that
is in none of them are told apart.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bec_md.evaluation import Evaluation, evaluate_model
from bec_md.structure import Frame
from bec_md.structure.extxyz import iterate_frames, read_frames


def row(name: str, found: Evaluation, chosen: np.ndarray) -> str:
    """Return a line of the table: errors of some of the structures."""
    atoms = np.isin(found.frame, np.flatnonzero(chosen))
    error = (found.predicted - found.labels)[atoms]
    frame = found.frame[atoms]
    each = [np.sqrt((error[frame == i] ** 2).mean()) for i in np.unique(frame)]
    labels, predicted = (
        np.trace(e, axis1=1, axis2=2) for e in (found.eps_inf_labels, found.eps_inf_predicted)
    )
    eps = predicted / labels
    held = ""
    if found.uncertainty_e is not None:
        inside = np.abs(error) < 1.959964 * found.uncertainty_e[atoms][:, None, None]
        held = f"{100 * inside.mean():.0f} %"
    return (
        f"| {name} | {int(chosen.sum())} | {np.sqrt((error**2).mean()):.3f} | {np.abs(error).mean():.3f} | "
        f"{np.median(each):.3f} | {100 * np.median(np.abs(eps[chosen] - 1)):.1f} % | {held} |"
    )


def freed(frames: Sequence[Frame]) -> list[Frame]:
    """Return the labels without their residual of the acoustic sum rule, in equal shares."""
    out = []
    for frame in frames:
        charges = frame.born_effective_charges
        excess = charges.sum(axis=0) - frame.total_charge * np.eye(3)
        free = charges - excess / frame.n_atoms
        out.append(frame.with_labels(born_effective_charges=free, eps_inf=frame.eps_inf))
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="universal@pbesol")
    parser.add_argument("--seen", type=Path, nargs="*", default=())
    arguments = parser.parse_args()
    parts = {
        part: freed(read_frames(arguments.folder / f"thermal_{part}.xyz.xz")) for part in ("train", "test")
    }
    frames = parts["train"] + parts["test"]
    found = evaluate_model(arguments.model, frames, threads=1)
    test = np.arange(len(frames)) >= len(parts["train"])
    groups = np.array([str(frame.info["chemistry"]) for frame in frames])
    names = {str(frame.info["name"]).split("_")[0] for frame in frames}
    print(f"{len(frames)} structures of {len(names)} crystals, {arguments.model}\n")
    print("| structures | number | RMSE (e) | MAE (e) | median RMSE (e) | ε∞ | 95 % bands hold |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(row("for training", found, ~test))
    print(row("held back (test)", found, test))
    strained = np.array(["strained" in str(frame.info["name"]) for frame in frames])
    print(row("– strained", found, test & strained))
    print(row("– not strained", found, test & ~strained))
    if arguments.seen:
        known = {frame.formula for path in arguments.seen for frame in iterate_frames(path)}
        unseen = np.array([frame.formula not in known for frame in frames])
        print(row("– composition seen at equilibrium", found, test & ~unseen))
        print(row("– composition not seen", found, test & unseen))
    for group in sorted(set(groups[test])):
        print(row(f"– {group}", found, test & (groups == group)))


if __name__ == "__main__":
    main()
