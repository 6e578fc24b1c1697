"""Make Born effective charges and ε_∞ from first principles: resumable, one core per worker.

Several workers may share a work folder; each structure is locked by the worker that computes it. The kind
of a structure says which program labels it, with what settings.

    python make_labels.py run --structures structures.xyz.xz --pseudo PSEUDO --work WORK --until 23:00
    python make_labels.py status --structures structures.xyz.xz --work WORK
    python make_labels.py collect --structures structures.xyz.xz --work WORK --output .
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import abinit
import ase.io
import quantum_espresso
from ase import Atoms
from programs import locked
from quantum_espresso import FOUR_POINTS, TWO_POINTS
from thermal_crystals import CRYSTALS

SETTINGS: dict[str, quantum_espresso.Settings | abinit.Settings] = {
    "t-ZrO2": quantum_espresso.Settings(40.0, 7.0),
    "c-ZrO2": quantum_espresso.Settings(50.0, 7.0),
    "ZrO2": quantum_espresso.Settings(50.0, points=FOUR_POINTS),
    "Li3PO4": quantum_espresso.Settings(60.0, points=TWO_POINTS),
    "water": quantum_espresso.Settings(60.0, points=TWO_POINTS, functional="RPBE"),
    "perovskite": quantum_espresso.Settings(50.0, divisions=(4, 4, 4)),
    "thermal": abinit.Settings(),
    "molecular_crystals": abinit.Settings(),
}
TEST_COMPOSITIONS = ("CaTiO3", "PbZrO3", "SrHfO3")
"""Perovskites whose frames all belong to the test file."""
MAX_RESIDUAL_E, MAX_RESIDUAL_ABINIT_E = 0.2, 0.1
"""Labels with a larger max|ΣZ − Q·1|/√N are left out: their k-points do not converge."""
MAX_EPS_INF = 20.0
"""So are those with a larger component of ε∞: the structure hardly has a gap."""


def engine(kind: str) -> Any:
    """Return the module that labels a kind of structure."""
    return abinit if isinstance(SETTINGS[kind], abinit.Settings) else quantum_espresso


def read_structures(path: Path) -> list[Atoms]:
    """Return the structures, each with `name`, `kind`, `total_charge`, `sampling` and `seed` in its info."""
    return list(ase.io.read(path, index=":", format="extxyz"))


def compute(atoms: Atoms, folder: Path, pseudo: Path, lock: int) -> dict[str, Any]:
    """Label one structure; return its record, which is written to `done.json` last."""
    kind = atoms.info["kind"]
    record = engine(kind).compute(atoms, folder, pseudo, SETTINGS[kind], lock)
    (folder / "done.json").write_text(json.dumps(record, indent=1) + "\n")
    return record


def run(arguments: argparse.Namespace) -> None:
    """Label structure after structure, in the order of the file, until all are done or time is up."""
    stop_at = _deadline(arguments.until)
    for atoms in read_structures(arguments.structures):
        name = atoms.info["name"]
        if not fnmatch(name, arguments.match):
            continue
        if (stop_at and datetime.now(UTC) >= stop_at) or (arguments.work / "stop").exists():
            print("stopped", flush=True)
            return
        folder = arguments.work / name
        if any((folder / mark).exists() for mark in ("done.json", "failed.txt")):
            continue
        with locked(folder) as lock:
            if lock is None or (folder / "done.json").exists():
                continue
            try:
                record = compute(atoms, folder, arguments.pseudo, lock)
            except RuntimeError as error:
                (folder / "failed.txt").write_text(f"{error}\n")
                print(f"{name}: {error}", flush=True)
            else:
                print(f"{name}: {record['seconds']} s", flush=True)


def _deadline(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = datetime.now(UTC)
    hour, minute = map(int, text.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def is_test(name: str) -> bool:
    """Whether a structure is held back.

    Of the thermal benchmark whole chemistries are, of the rattled perovskites three, water always, of other
    systems every third seed.
    """
    system, state, seed = name.split("_")
    if system == "water8":  # a check of models that learned from another code
        return True
    if state == "rattled":
        return system in TEST_COMPOSITIONS
    return CRYSTALS[system].test if system in CRYSTALS else int(seed) % 3 == 0


def collect_labels(arguments: argparse.Namespace) -> None:
    """Write `KIND_train.xyz.xz` and `KIND_test.xyz.xz` with the labels finished so far."""
    from bec_md.errors import DataError
    from bec_md.structure.extxyz import write_frames

    groups: dict[str, list[Any]] = {}
    for atoms in read_structures(arguments.structures):
        folder = arguments.work / atoms.info["name"]
        if not (folder / "done.json").exists():
            continue
        try:
            frame = _labelled(atoms, folder)
        except DataError as error:  # a calculation that has not converged
            print(f"{atoms.info['name']} left out: {error.what}")
            continue
        residual = frame.info["sum_rule_residual_e"]
        limit = MAX_RESIDUAL_ABINIT_E if engine(atoms.info["kind"]) is abinit else MAX_RESIDUAL_E
        if residual > limit * len(atoms) ** 0.5:
            print(f"{atoms.info['name']} left out: |ΣZ − Q| = {residual:.2f} e")
            continue
        if (largest := float(abs(frame.eps_inf).max())) > MAX_EPS_INF:
            print(f"{atoms.info['name']} left out: ε∞ = {largest:.0f}")
            continue
        part = "test" if atoms.info.get("held_back", is_test(atoms.info["name"])) else "train"
        groups.setdefault(f"{atoms.info['kind'].lower()}_{part}", []).append(frame)
    for stem, frames in sorted(groups.items()):
        write_frames(arguments.output / f"{stem}.xyz.xz", frames)
        worst = max(f.info["sum_rule_residual_e"] for f in frames)
        seconds = sum(f.info["seconds"] for f in frames)
        print(f"{stem}: {len(frames)} frames, |ΣZ − Q| up to {worst:.3f} e, {seconds / 3600:.1f} core hours")


def _labelled(atoms: Atoms, folder: Path) -> Any:
    """Return the frame of a finished structure with its provenance."""
    from bec_md.training.collection import collect

    program = engine(atoms.info["kind"])
    structure = folder / program.STRUCTURE if program.STRUCTURE else None
    with tempfile.TemporaryDirectory() as scratch:
        result = collect([folder / program.OUTPUT], Path(scratch) / "label.xyz", structure=structure)
    frame = result.labels[0].frame
    record = json.loads((folder / "done.json").read_text())
    info = {
        "name": atoms.info["name"],
        **{k: v for k, v in frame.info.items() if k not in {"source", "sha256", "structure_from"}},
        "pseudopotentials": program.PSEUDOPOTENTIALS,
        "k_mesh": record["k_mesh"],
        "sampling": atoms.info["sampling"],
        "seed": atoms.info["seed"],
        "seconds": record["seconds"],
        "license": "CC0-1.0",
    }
    if "chemistry" in atoms.info:
        info["chemistry"] = atoms.info["chemistry"]
    return replace(frame, info=info)


def status(arguments: argparse.Namespace) -> None:
    """Print how many structures of each kind are done, failed or under way."""
    counts: dict[str, list[int]] = {}
    for atoms in read_structures(arguments.structures):
        folder = arguments.work / atoms.info["name"]
        row = counts.setdefault(atoms.info["kind"], [0, 0, 0, 0])
        row[0] += (folder / "done.json").exists()
        row[1] += (folder / "failed.txt").exists()
        with locked(folder) as lock:
            row[2] += lock is None
        row[3] += 1
    for kind, (done, failed, begun, total) in counts.items():
        print(f"{kind:12s} {done} of {total} done, {failed} failed, {begun} under way")


def main() -> None:
    """Run, show or collect labels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("status", status), ("collect", collect_labels)):
        command = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(function=function)
        command.add_argument("--structures", type=Path, required=True)
        command.add_argument("--work", type=Path, required=True)
        if name == "run":
            command.add_argument(
                "--pseudo", type=Path, required=True, help="folder with the pseudopotentials"
            )
            command.add_argument("--until", help="begin nothing after this time, HH:MM UTC")
            command.add_argument("--match", default="*", help="only names of this pattern")
        if name == "collect":
            command.add_argument("--output", type=Path, default=Path())
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    arguments.function(arguments)


if __name__ == "__main__":
    main()
