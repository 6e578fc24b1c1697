"""CASTEP's ``SEED.md``: time, cell, positions and velocities of every step, in atomic units.

After a header come frames separated by blank lines: the time, then rows that end in ``<-- E`` (energies),
``<-- T``, ``<-- h`` (lattice vectors), ``<-- hv``, ``<-- R`` (positions), ``<-- V`` (velocities), ``<-- F``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bec_md.errors import UsageError
from bec_md.files import read_head
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import ISOTOPES, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.text import CutFrameError, TextReader, floats
from bec_md.units import AMU_ANG2_FS2_EV, ATOMIC_TIME_FS, BOHR_ANG, HARTREE_EV


def is_castep(lines: list[str]) -> bool:
    """Whether lines begin like a trajectory of CASTEP."""
    return any("BEGIN header" in line for line in lines[:3]) or any(
        line.rstrip().endswith("<-- E") for line in lines[:12]
    )


class CastepReader(TextReader[list[str]]):
    """Frames of a trajectory of CASTEP."""

    format = "castep-md"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        first = self.first()
        self.notes = ["atomic units of CASTEP, with its times"]
        if options.need_velocities and _rows(first, "V"):
            self.velocity_units = VelocityUnits("atomic", VELOCITY_UNITS["atomic"], assumed=False)
            self._compare_energies(first)

    def _compare_energies(self, first: list[str]) -> None:
        """Warn if the kinetic energy of the file is not that of its velocities with these masses."""
        frame, stated = self._parsed(first, 0), _rows(first, "E")
        if frame.velocities_ang_fs is None or not stated or len(stated[0].split()) < 5:
            return
        kinetic = 0.5 * AMU_ANG2_FS2_EV * float(frame.masses_amu @ (frame.velocities_ang_fs**2).sum(axis=1))
        ratio = float(stated[0].split()[2]) * HARTREE_EV / kinetic if kinetic > 0.0 else 0.0
        if ratio > 0.0 and abs(ratio - 1.0) > 0.01:
            self.warnings.append(
                f"{self.source}: its kinetic energy is {ratio:.3f} times that of its velocities with these "
                "masses: give those of SPECIES_MASS by `masses`"
            )

    def blocks(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """Cut the file at its blank lines; the header is none of the frames."""
        block: list[str] = []
        n_rows: int | None = None
        for line in lines:
            if line.strip():
                block.append(line)
                continue
            if any("<--" in row for row in block):
                n_rows = n_rows or len(block)
                yield block
            block = []
        if any("<--" in row for row in block):
            whole = (
                n_rows is not None
                and len(block) == n_rows
                and "<--" in block[-1]
                and block[-1].endswith("\n")
            )
            if not whole:
                raise CutFrameError
            yield block

    def parse(self, block: list[str], index: int, where: str) -> Frame:
        """Read time, cell, positions and velocities of a frame."""
        positions, velocities = _rows(block, "R"), _rows(block, "V")
        labels = [_element(row.split(None, 1)[0]) for row in positions]
        if self.species is None or len(labels) != len(self.species.numbers):
            species = resolve_species(labels, place=where, masses=self.options.masses)
            self.species = self.species or species
        else:
            species = self.species
        columns = (2, 3, 4)
        if velocities and len(velocities) != len(positions):
            raise ValueError(f"{len(velocities)} velocities for {len(positions)} positions")
        wanted = self.velocity_units is not None and velocities
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=floats(positions, columns) * BOHR_ANG,
            cell_ang=floats(_rows(block, "h"), (0, 1, 2)).reshape(3, 3) * BOHR_ANG,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=floats(velocities, columns) * VELOCITY_UNITS["atomic"] if wanted else None,
            time_fs=float(block[0].split()[0]) * ATOMIC_TIME_FS,
        )


def _element(label: str) -> str:
    """Element of a label such as ``Fe:up``; D and T of ``H:D`` and ``H:T``."""
    element, _, suffix = label.partition(":")
    return suffix if element == "H" and suffix in ISOTOPES else element


def _rows(block: list[str], kind: str) -> list[str]:
    """Rows of a frame that end in ``<-- kind``."""
    return [row for row in block if row.rpartition("<--")[2].strip() == kind and "<--" in row]


def open_castep(path: Path, options: ReadOptions) -> CastepReader:
    """Open a file named .md, if CASTEP wrote it.

    Raises
    ------
    UsageError
        If another program did (OpenMX and others use the suffix too).
    """
    if not is_castep(read_head(path).decode("utf-8", "replace").splitlines()):
        raise UsageError(
            f"{path.name}: not recognized: named .md, but not a trajectory of CASTEP",
            "those have rows that end in <-- E, <-- h, <-- R, <-- V",
            "convert it to extended XYZ, or name its format with `format`",
        )
    return CastepReader(path, options)
