"""LAMMPS `dump cfg`: one file per snapshot, read as a series by the number in their names (``run.0.cfg``, …).

The extended CFG format of AtomEye: cell in Å, then per atom its mass, its element, and scaled positions with
further columns, whose names are listed. Atoms have no fixed order unless ``id`` is among the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.files import fingerprint, open_text
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.structure.species import resolve_species
from bec_md.trajectory.lammps_units import lammps_units
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.text import floats

_CELL = re.compile(r"H0\(([123]),([123])\)\s*=\s*([-+\d.eE]{1,40})")
_VELOCITIES = ("vx", "vy", "vz")
#: Length scale that LAMMPS writes with unwrapped positions; the vectors are those of the cell itself.
_UNWRAPPED = 10.0


@dataclass
class Snapshot:
    """Header of a file, its atoms by groups of one mass and element, and whether it is whole."""

    n_atoms: int
    cell_ang: NDArray[np.float64]
    columns: list[str]
    labels: list[str]
    masses: list[float]
    rows: list[str]
    expansion: float = 1.0  # LAMMPS draws unwrapped positions (xsu) in a cell ten times as long


class LammpsCfgReader:
    """Snapshots of a series of CFG files."""

    format = "lammps-cfg"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._options = options
        self._files = _series(path)
        self.source = path.name
        self.fingerprint = fingerprint(self._files[0][1], self._files[-1][1])
        self.timestep_fs: float | None = None
        self.velocity_units: VelocityUnits | None = None
        self.warnings: list[str] = []
        names = [file.name for _, file in self._files]
        self.notes = [f"{len(names)} files, {names[0]} to {names[-1]}, by the number in their names"]
        self.n_frames: int | None = len(self._files)
        first = self._snapshot(0)
        if "id" not in first.columns:
            self.warnings.append(
                f"{self.source}: no column id: the order of the atoms must be the same in all files "
                f"(dump_modify sort id)"
            )
        if options.need_velocities and set(_VELOCITIES) <= set(first.columns):
            if options.lammps_units is None:
                raise UsageError(
                    f"{self.source}: velocities in the units of the run, which the file does not state",
                    "unit styles of LAMMPS differ by factors of a thousand",
                    "give `lammps_units` (metal, real, …)",
                )
            units = lammps_units(options.lammps_units)
            self.velocity_units = VelocityUnits(
                f"LAMMPS {units.name} units", units.velocity_ang_fs, assumed=False
            )

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield snapshots start, start + stride, …"""
        for index in range(start, len(self._files), stride):
            yield self._frame(index)

    def _frame(self, index: int) -> Frame:
        where = place(self._files[index][1].name)
        snapshot = self._snapshot(index)
        try:
            values = floats(snapshot.rows, range(len(snapshot.columns)))
        except ValueError as error:
            raise _unreadable(self._files[index][1], error) from None
        order = np.arange(len(values))
        if "id" in snapshot.columns:
            order = np.argsort(values[:, snapshot.columns.index("id")], kind="stable")
        velocities = None
        if self.velocity_units is not None:
            columns = [snapshot.columns.index(name) for name in _VELOCITIES]
            velocities = values[order][:, columns] * self.velocity_units.factor_ang_fs
        species = resolve_species(
            [snapshot.labels[atom] for atom in order],
            place=where,
            file_masses_amu=np.array(snapshot.masses)[order],
            masses=self._options.masses,
        )
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=((values[order, :3] - 0.5) * snapshot.expansion + 0.5) @ snapshot.cell_ang,
            cell_ang=snapshot.cell_ang,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            step=self._files[index][0],
        )

    def _snapshot(self, index: int) -> Snapshot:
        path = self._files[index][1]
        try:
            with open_text(path) as lines:
                return _read(lines)
        except (ValueError, IndexError, StopIteration, OverflowError) as error:
            raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path.name} cannot be read: {str(error) or 'it ends early'}",
        "it is cut off, or not a file of LAMMPS' dump cfg",
        "take it out of the folder if the run was killed while writing it",
    )


def _series(path: Path) -> list[tuple[int | None, Path]]:
    """Files whose names differ from that of `path` in their last number only, in its order."""
    found = _last_number(path.name)
    if found is None:
        return [(None, path)]
    before, _, after = found
    files: list[tuple[int | None, Path]] = []
    for other in path.parent.iterdir():
        parts = _last_number(other.name)
        if parts is not None and (parts[0], parts[2]) == (before, after) and other.is_file():
            files.append((int(parts[1]), other))
    return sorted(files)


def _last_number(name: str) -> tuple[str, str, str] | None:
    stem = re.fullmatch(r"(.*?)(\d{1,18})(\D*)", name, re.DOTALL)
    return None if stem is None else (stem[1], stem[2], stem[3])


def _read(lines: Iterator[str]) -> Snapshot:
    """Read one file of extended CFG."""
    words = next(lines).split()
    if words[:3] != ["Number", "of", "particles"]:
        raise ValueError("it does not begin with Number of particles")
    snapshot = Snapshot(int(words[-1]), np.zeros((3, 3)), ["xs", "ys", "zs"], [], [], [])
    entries, extended = 0, False
    for line in lines:
        if found := _CELL.match(line):
            snapshot.cell_ang[int(found[1]) - 1, int(found[2]) - 1] = float(found[3])
        elif line.startswith("A ="):
            scale = float(line.split()[2])
            if scale not in (1.0, _UNWRAPPED):
                raise ValueError(f"the length scale A = {scale:g} is not 1")
            snapshot.expansion = scale
        elif line.startswith(".NO_VELOCITY."):
            extended = True
        elif line.startswith("entry_count"):
            entries = int(line.split("=")[1])
        elif line.startswith("auxiliary["):
            snapshot.columns.append(line.split("=")[1].split()[0])
        elif line.strip():
            break
    else:
        raise ValueError("it ends in its header")
    if not extended or entries != len(snapshot.columns):
        raise ValueError("it is not in the extended form, with .NO_VELOCITY. and entry_count")
    mass, label = float(line), next(lines).strip()
    for line in lines:
        words = line.split()
        if len(words) == 1:
            mass, label = float(words[0]), next(lines).strip()
            continue
        snapshot.rows.append(line)
        snapshot.labels.append(label)
        snapshot.masses.append(mass)
    last = snapshot.rows[-1] if snapshot.rows else ""
    if len(snapshot.rows) != snapshot.n_atoms or not last.endswith("\n"):
        raise ValueError(f"{len(snapshot.rows)} whole rows of {snapshot.n_atoms} atoms")
    return snapshot
