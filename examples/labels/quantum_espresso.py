"""Quantum ESPRESSO: inputs and runs of one label. `pw.x`, then the response to a field by `ph.x`."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from k_points import k_points
from programs import run_program

PSEUDOPOTENTIALS = "SG15 ONCV PBE 1.0"
OUTPUT, STRUCTURE = "ph.out", "scf.in"


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


def write_inputs(atoms: Atoms, folder: Path, pseudo: Path, settings: Settings) -> None:
    """Write `scf.in` and `ph.in`."""
    files = {}
    for symbol in sorted(set(atoms.get_chemical_symbols())):
        found = sorted(pseudo.glob(f"{symbol}_*.upf"))
        if len(found) != 1:
            raise SystemExit(f"{len(found)} files {symbol}_*.upf in {pseudo}; exactly one is needed")
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


def finished(output: Path) -> bool:
    """Whether pw.x or ph.x ended well."""
    return output.is_file() and "JOB DONE" in output.read_text(errors="replace")


def compute(atoms: Atoms, folder: Path, pseudo: Path, settings: Settings, lock: int) -> dict[str, Any]:
    """Label one structure; return what its record says."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    write_inputs(atoms, folder, pseudo, settings)
    seconds = []
    for program, step in (("pw.x", "scf"), ("ph.x", "ph")):
        output = folder / f"{step}.out"
        seconds.append(run_program([program, "-in", f"{step}.in"], output, lock))
        if not finished(output):
            raise RuntimeError(f"{program} did not finish, see {folder.name}/{output.name}")
    shutil.rmtree(folder / "tmp")
    return {
        **asdict(settings),
        "k_mesh": mesh_name(atoms, settings),
        "seconds": round(sum(seconds)),
    }
