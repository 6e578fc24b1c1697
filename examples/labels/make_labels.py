"""Make Born effective charges and ε_∞ with Quantum ESPRESSO: resumable, one core per worker.

Several workers may share a work folder; each structure is locked by the worker that computes it.

    python make_labels.py run --structures structures.xyz.xz --pseudo PSEUDO --work WORK --until 23:00
    python make_labels.py status --structures structures.xyz.xz --work WORK
    python make_labels.py collect --structures structures.xyz.xz --work WORK --output .
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms


@dataclass(frozen=True)
class Settings:
    """Numerical settings of one kind of structure; README.md shows how they were chosen."""

    cutoff_ry: float
    mesh_length_ang: float | None = None  # n_i = smallest integer with n_i |a_i| ≥ this length
    divisions: tuple[int, int, int] | None = None  # instead of a length
    points: tuple[tuple[float, float, float], ...] | None = None  # instead of both
    functional: str = "PBE"
    conv_thr: str = "1e-8"
    tr2_ph: str = "1e-12"


TWO_POINTS = ((0.25, 0.0, 0.25), (0.25, 0.5, 0.75))
"""With −k, four points of a face-centered mesh: an integral over the zone first errs at R = a + b + c and 2a,
not at R = a + b as with one point at (1/4, 1/4, 1/4)."""

FOUR_POINTS = ((0.25, 0.25, 0.25), (0.25, -0.25, -0.25), (-0.25, 0.25, -0.25), (-0.25, -0.25, 0.25))
"""With −k the 2×2×2 mesh shifted by 1/2: an integral over the zone first errs at R = 2a."""

SETTINGS = {
    "t-ZrO2": Settings(40.0, 7.0),
    "c-ZrO2": Settings(50.0, 7.0),
    "ZrO2": Settings(50.0, points=FOUR_POINTS),
    "Li3PO4": Settings(60.0, points=TWO_POINTS),
    "water": Settings(60.0, points=TWO_POINTS, functional="RPBE"),
    "perovskite": Settings(50.0, divisions=(3, 3, 2)),
}
TEST_COMPOSITIONS = ("CaTiO3", "PbZrO3", "SrHfO3")
"""Perovskites whose frames all belong to the test file."""
MAX_RESIDUAL_E = 0.2
"""Labels with a larger max|ΣZ − Q·1|/√N are left out: their k-points do not converge."""
FAMILY = "SG15 ONCV PBE 1.0"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def read_structures(path: Path) -> list[Atoms]:
    """Return the structures, each with `name`, `kind`, `total_charge`, `sampling` and `seed` in its info."""
    return list(ase.io.read(path, index=":", format="extxyz"))


def mesh(atoms: Atoms, settings: Settings) -> tuple[int, ...]:
    """Return the numbers of k-points along the three axes."""
    if settings.divisions is not None:
        return settings.divisions
    assert settings.mesh_length_ang is not None
    return tuple(int(np.ceil(settings.mesh_length_ang / length - 1e-6)) for length in atoms.cell.lengths())


def sampling_points(atoms: Atoms, settings: Settings) -> list[tuple[float, ...]]:
    """Return the k-points, of equal weight."""
    return list(settings.points) if settings.points is not None else k_points(mesh(atoms, settings))


def mesh_name(atoms: Atoms, settings: Settings) -> str:
    """Return what the label's file says of the k-points."""
    if settings.points is not None:
        return "points " + ", ".join("({:g} {:g} {:g})".format(*point) for point in settings.points)
    return "x".join(map(str, mesh(atoms, settings))) + " shifted by 1/4"


def k_points(divisions: tuple[int, ...]) -> list[tuple[float, ...]]:
    """Return a mesh shifted by a quarter of its step: k = (i + 1/4) / n along each axis.

    An integral over the zone errs by the Fourier components at R = Σ n_j m_j a_j, with phases i^Σm. Time
    reversal adds −k and so takes the real part: along an axis the first error is at 2n a, not n a.
    """
    axes = [(np.arange(n) + 0.25) / n for n in divisions]
    return [(x, y, z) for x in axes[0] for y in axes[1] for z in axes[2]]


def write_inputs(atoms: Atoms, folder: Path, pseudo: Path, settings: Settings) -> None:
    """Write `scf.in` and `ph.in`."""
    files = {}
    for symbol in sorted(set(atoms.get_chemical_symbols())):
        found = sorted(pseudo.glob(f"{symbol}_*.upf"))
        if len(found) != 1:
            sys.exit(f"{len(found)} files {symbol}_*.upf in {pseudo}; exactly one is needed")
        files[symbol] = found[0].name
    points = sampling_points(atoms, settings)
    lines = [
        "&control",
        f"  calculation='scf', prefix='label', outdir='tmp', pseudo_dir='{pseudo.resolve()}', disk_io='low'",
        "/",
        "&system",
        f"  ibrav=0, nat={len(atoms)}, ntyp={len(files)}, ecutwfc={settings.cutoff_ry}, nosym=.true.,",
        f"  occupations='fixed', tot_charge={atoms.info['total_charge']:g},",
        f"  input_dft='{settings.functional}'",
        "/",
        "&electrons",
        f"  conv_thr={settings.conv_thr}, electron_maxstep=200",
        "/",
        "ATOMIC_SPECIES",
        *(f"  {symbol} 1.0 {name}" for symbol, name in files.items()),
        "CELL_PARAMETERS angstrom",
        *("  {:.8f} {:.8f} {:.8f}".format(*row) for row in atoms.cell.array),
        "ATOMIC_POSITIONS angstrom",
        *(
            "  {} {:.8f} {:.8f} {:.8f}".format(symbol, *position)
            for symbol, position in zip(atoms.get_chemical_symbols(), atoms.positions, strict=True)
        ),
        "K_POINTS crystal",
        f"  {len(points)}",
        *("  {:.10f} {:.10f} {:.10f} 1.0".format(*point) for point in points),
    ]
    (folder / "scf.in").write_text("\n".join(lines) + "\n")
    (folder / "ph.in").write_text(
        "label\n&inputph\n  prefix='label', outdir='tmp', epsil=.true., trans=.false., zeu=.true.,\n"
        f"  tr2_ph={settings.tr2_ph}, niter_ph=60, reduce_io=.true.\n/\n0.0 0.0 0.0\n"
    )


@contextmanager
def locked(folder: Path) -> Iterator[int | None]:
    """Yield a descriptor that locks `folder`, or nothing if another process holds it.

    The lock goes when the last process that inherited it ends, so a killed worker leaves none behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield descriptor
    finally:
        os.close(descriptor)


def finished(output: Path) -> bool:
    """Whether pw.x or ph.x ended well."""
    return output.is_file() and "JOB DONE" in output.read_text(errors="replace")


def _program(name: str, step: str, folder: Path, lock: int) -> float:
    """Run one program on one core; return seconds."""
    start = time.monotonic()
    with (folder / f"{step}.out").open("w") as out:
        child = subprocess.Popen(
            [name, "-in", f"{step}.in"],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ONE_THREAD},
            pass_fds=(lock,),
        )
        try:
            child.wait()
        finally:
            if child.poll() is None:  # the worker is being stopped
                child.kill()
                child.wait()
    if not finished(folder / f"{step}.out"):
        raise RuntimeError(f"{name} did not finish, see {folder.name}/{step}.out")
    return time.monotonic() - start


def compute(atoms: Atoms, folder: Path, pseudo: Path, lock: int) -> None:
    """Label one structure; `done.json` is written last."""
    settings = SETTINGS[atoms.info["kind"]]
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    write_inputs(atoms, folder, pseudo, settings)
    seconds = [_program("pw.x", "scf", folder, lock), _program("ph.x", "ph", folder, lock)]
    shutil.rmtree(folder / "tmp")
    record = {
        **asdict(settings),
        "k_mesh": mesh_name(atoms, settings),
        "seconds_pw": round(seconds[0]),
        "seconds_ph": round(seconds[1]),
    }
    (folder / "done.json").write_text(json.dumps(record, indent=1) + "\n")


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
            start = time.monotonic()
            try:
                compute(atoms, folder, arguments.pseudo, lock)
            except RuntimeError as error:
                (folder / "failed.txt").write_text(f"{error}\n")
                print(f"{name}: {error}", flush=True)
            else:
                print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


def _deadline(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = datetime.now(UTC)
    hour, minute = map(int, text.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def is_test(name: str) -> bool:
    """Whether a structure is held back: three perovskites, all water, every third seed of other systems."""
    system, state, seed = name.split("_")
    if system == "water8":  # a check of models that learned from another code
        return True
    return system in TEST_COMPOSITIONS if state == "rattled" else int(seed) % 3 == 0


def collect_labels(arguments: argparse.Namespace) -> None:
    """Write `KIND_train.xyz.xz` and `KIND_test.xyz.xz` with the labels finished so far."""
    from bec_md.structure.extxyz import write_frames
    from bec_md.training.collection import collect

    groups: dict[str, list[Any]] = {}
    for atoms in read_structures(arguments.structures):
        folder = arguments.work / atoms.info["name"]
        if not (folder / "done.json").exists():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            result = collect([folder / "ph.out"], Path(scratch) / "label.xyz", structure=folder / "scf.in")
        frame = result.labels[0].frame
        residual = result.labels[0].residual_e
        if residual > MAX_RESIDUAL_E * len(atoms) ** 0.5:
            print(f"{atoms.info['name']} left out: |ΣZ − Q| = {residual:.2f} e")
            continue
        record = json.loads((folder / "done.json").read_text())
        info = {
            "name": atoms.info["name"],
            **{k: v for k, v in frame.info.items() if k not in {"source", "sha256", "structure_from"}},
            "pseudopotentials": FAMILY,
            "k_mesh": record["k_mesh"],
            "sampling": atoms.info["sampling"],
            "seed": atoms.info["seed"],
            "seconds": record["seconds_pw"] + record["seconds_ph"],
            "license": "CC0-1.0",
        }
        part = "test" if is_test(atoms.info["name"]) else "train"
        groups.setdefault(f"{atoms.info['kind'].lower()}_{part}", []).append(replace(frame, info=info))
    for stem, frames in sorted(groups.items()):
        write_frames(arguments.output / f"{stem}.xyz.xz", frames)
        worst = max(float(f.info["sum_rule_residual_e"]) for f in frames)
        seconds = sum(f.info["seconds"] for f in frames)
        print(f"{stem}: {len(frames)} frames, |ΣZ − Q| up to {worst:.3f} e, {seconds / 3600:.1f} core hours")


def status(arguments: argparse.Namespace) -> None:
    """Print how many structures of each kind are done, failed or under way."""
    counts: dict[str, list[int]] = {}
    for atoms in read_structures(arguments.structures):
        folder = arguments.work / atoms.info["name"]
        row = counts.setdefault(atoms.info["kind"], [0, 0, 0, 0])
        row[0] += (folder / "done.json").exists()
        row[1] += (folder / "failed.txt").exists()
        row[2] += (folder / "tmp").exists()
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
                "--pseudo", type=Path, required=True, help="folder with one .upf per element"
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
