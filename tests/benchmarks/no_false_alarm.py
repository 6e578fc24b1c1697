"""Honest runs pass the checks of trajectories without a warning: fresh ones of ASE and LAMMPS, and any FILE.

    python tests/benchmarks/no_false_alarm.py [--spectrum CHARGES] [FILE …]

ASE: copper, gold and an alloy (EMT) with NVE, Langevin, Nosé-Hoover chain, Bussi and NPT dynamics, stored
every 1, 5 and 10 steps as .traj and extended XYZ, with and without velocities. LAMMPS (`lmp` in the path):
argon with NVE, NVT, NPT, Langevin, CSVR and a barostat of all tilts, dumped every 1, 5 and 20 steps wrapped,
with images and unwrapped, with and without velocities. CP2K (`cp2k` in the path): rock salt by a force field,
3 ps of equilibration, then 6 ps with NVE, Nosé, CSVR, Langevin and NPT. All are read with the options that
they state; of CP2K's runs, of 4 ps of the alloy with each thermostat, and with `--spectrum` of every FILE,
spectra are computed, whose checks have to pass too (but those that ask for a longer run). Prints what each
said; the exit status is the number of runs that were refused or warned about.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.nptberendsen import NPTBerendsen
from ase.md.verlet import VelocityVerlet

from bec_md import compute_current, compute_spectrum
from bec_md.errors import BecMDError, BecMDWarning
from bec_md.trajectory import open_trajectory

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.cp2k_runs import cp2k_runs

STEP_FS = 5.0
#: What a barostat has to be told.
CELL = ("the cell changes", "the volume changes")
DYNAMICS: dict[str, Callable[[Atoms, float], Any]] = {
    "NVE": lambda atoms, step: VelocityVerlet(atoms, step),
    "Langevin": lambda atoms, step: Langevin(
        atoms, step, temperature_K=300, friction=0.002 / units.fs, fixcm=False,
        rng=np.random.RandomState(7),
    ),
    "Nosé-Hoover chain": lambda atoms, step: NoseHooverChainNVT(
        atoms, step, temperature_K=300, tdamp=100 * units.fs
    ),
    "Bussi": lambda atoms, step: Bussi(
        atoms, step, temperature_K=300, taut=100 * units.fs, rng=np.random.RandomState(7)
    ),
    "NPT": lambda atoms, step: NPTBerendsen(
        atoms, step, temperature_K=300, pressure_au=0.0, taut=100 * units.fs, taup=500 * units.fs,
        compressibility_au=0.01,
    ),
}  # fmt: skip


def crystals() -> dict[str, Atoms]:
    """Cells of 32 atoms, cubic and skewed."""
    alloy = bulk("Cu", cubic=True).repeat(2)
    alloy.numbers[::2] = 28
    return {"Cu": bulk("Cu", cubic=True).repeat(2), "Au": bulk("Au").repeat((2, 4, 4)), "CuNi": alloy}


def run(atoms: Atoms, make: Callable[[Atoms, float], Any], every: int, count: int) -> list[Atoms]:
    """Run from 300 K and keep `count` frames."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(600 * units.kB * masses) * np.random.default_rng(1).normal(size=(len(atoms), 3))
    atoms.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())
    frames: list[Atoms] = []
    dynamics = make(atoms, STEP_FS * units.fs)
    dynamics.attach(lambda: frames.append(atoms.copy()), interval=every)
    dynamics.run(every * count)
    return frames


def said_of(path: Path, **options: Any) -> list[str]:
    """Warnings, or the refusal, of a whole pass."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            trajectory = open_trajectory(path, **options)
            for _ in trajectory.frames():
                pass
        except BecMDError as error:
            return [str(error)]
    own = [str(warning.message) for warning in caught if issubclass(warning.category, BecMDWarning)]
    return [*trajectory.info.warnings, *own]


#: Checks that ask for a longer run, and are right of runs of a few picoseconds.
SHORT = {"resolution", "static", "jackknife"}


def spectrum_of(path: Path, charges: str, **options: Any) -> list[str]:
    """What is said about a run and its spectrum at a resolution that its length allows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            current = compute_current(path, charges=charges, **options)
            span_fs = current.n_frames * current.timestep_fs
            spectrum = compute_spectrum(current, resolution_cm=max(40.0, 4e5 / span_fs))
        except BecMDError as error:
            return [str(error)]
    own = [str(warning.message) for warning in caught if issubclass(warning.category, BecMDWarning)]
    failed = [
        f"check {c.name} {c.status}: {c.value}" for c in spectrum.quality if c.status in ("warn", "fail")
    ]
    return [*own, *(text for text in failed if text.split()[1] not in SHORT)]


def fresh_spectra(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Spectra of 4 ps of the alloy with charges, after 2 ps of equilibration."""
    atoms = crystals()["CuNi"]
    for kind, make in DYNAMICS.items():
        path = folder / "s.traj"
        ase.io.write(path, run(atoms, make, 1, 1200)[400:])
        said = spectrum_of(path, "fixed:Cu=1,Ni=-1", timestep_fs=STEP_FS)
        expected = [text for text in said if kind == "NPT" and text.startswith(CELL)]
        yield f"spectrum of ASE {kind} of CuNi", [text for text in said if text not in expected]


def fresh_of_cp2k(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """What is said about runs of CP2K and their spectra."""
    if shutil.which("cp2k") is None:
        return
    for kind, path in cp2k_runs(folder):
        for velocities in ("beside", "none"):
            given = {} if velocities == "beside" else {"velocities": "none", "temperature_k": 300.0}
            said = said_of(path, **given)
            if velocities == "beside":
                said += spectrum_of(path, "fixed:Na=1,Cl=-1")
            expected = [text for text in said if kind == "NPT" and text.startswith(CELL)]
            label = f"CP2K {kind}, velocities {velocities}"
            yield label, [text for text in said if text not in expected]


def fresh(folder: Path, count: int = 60) -> Iterator[tuple[str, list[str]]]:
    """What the checks say about every fresh run of ASE; the changing cell of NPT has to be said."""
    for (name, atoms), (kind, make), every in product(crystals().items(), DYNAMICS.items(), (1, 5, 10)):
        frames = run(atoms, make, every, count)
        for suffix, velocities in (("traj", True), ("xyz", True), ("xyz", False)):
            path = folder / f"{'v' if velocities else 'p'}.{suffix}"
            stored = [frame.copy() for frame in frames]
            if not velocities:
                for frame in stored:
                    del frame.arrays["momenta"]
            ase.io.write(path, stored)
            said = said_of(path, timestep_fs=STEP_FS * every)
            expected = [text for text in said if kind == "NPT" and text.startswith(CELL)]
            label = f"ASE {kind} of {name}, every {every} steps, {path.name}"
            yield label, [text for text in said if text not in expected]


INPUT = """units real
atom_style atomic
lattice fcc 5.4
region box prism 0 3 0 3 0 3 0.3 0.2 0.1
create_box 1 box
create_atoms 1 box
mass 1 39.948
pair_style lj/cut 8.5
pair_coeff 1 1 0.238 3.405
velocity all create 120 4711 mom yes
timestep 2
{fix}
run 500
dump d all custom {every} {file} id type element {columns}
dump_modify d sort id element Ar units yes time yes
run {steps}
"""
FIXES = {
    "NVE": "fix 1 all nve",
    "NVT": "fix 1 all nvt temp 60 60 200",
    "NPT": "fix 1 all npt temp 60 60 200 iso 0 0 2000",
    "NPT with tilts": "fix 1 all npt temp 60 60 200 tri 0 0 2000",
    "Langevin": "fix 1 all nve\nfix 2 all langevin 60 60 500 99",
    "CSVR": "fix 1 all nve\nfix 2 all temp/csvr 60 60 200 99",
}
COLUMNS = ("x y z vx vy vz", "xs ys zs ix iy iz vx vy vz", "xu yu zu", "x y z")


def fresh_of_lammps(folder: Path, count: int = 60) -> Iterator[tuple[str, list[str]]]:
    """What the checks say about every fresh run of LAMMPS; a changing cell has to be said."""
    if shutil.which("lmp") is None:
        return
    for (kind, fix), every, columns in product(FIXES.items(), (1, 5, 20), COLUMNS):
        file = folder / "d.lammpstrj"
        text = INPUT.format(fix=fix, every=every, file=file, columns=columns, steps=every * count)
        (folder / "in.argon").write_text(text)
        command = ["lmp", "-in", "in.argon", "-log", "none", "-screen", "none"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        said = said_of(file)
        expected = [one for one in said if kind.startswith("NPT") and one.startswith(CELL)]
        yield f"LAMMPS {kind}, every {every} steps, {columns}", [one for one in said if one not in expected]


def main() -> int:
    """Run everything and count the alarms."""
    charges, names = None, sys.argv[1:]
    if names[:1] == ["--spectrum"]:
        charges, names = names[1], names[2:]
    alarms = count = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        makers = () if charges else (fresh, fresh_spectra, fresh_of_lammps, fresh_of_cp2k)
        found = [row for make in makers for row in make(place)]
        found += [
            (name, spectrum_of(Path(name), charges) if charges else said_of(Path(name))) for name in names
        ]
    for label, said in found:
        count += 1
        alarms += bool(said)
        if said:
            print(f"{label}: {'; '.join(said)}")
    print(f"{count} runs, {alarms} with an alarm")
    return min(alarms, 100)


if __name__ == "__main__":
    sys.exit(main())
