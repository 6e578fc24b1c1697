"""Output of FHI-aims for molecular dynamics: positions, velocities and times of every step.

A frame is the block ``Atomic structure (and velocities) as used in the preceding time step`` (of the last
one: ``Final atomic structure …``), positions in Å folded into the cell, velocities in Å/ps. Blocks of middle
steps of an integrator of higher order have another title. The structure that comes before the first step is
printed with the number −1, and again with the first step: it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.files import open_text
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.structure.species import Species, species_of_labels
from bec_md.trajectory.ase_reader import AtomsReader
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.text import TextReader, floats, take

_TITLE = re.compile(r"\s*(?:Final a|A)tomic structure \(and velocities\) as used in the preceding time step")
_ATOMS = re.compile(r"\s*\|\s*Number of atoms\s*:\s*(\d{1,9})")
_STEP = re.compile(r"\s*\|\s*Time step number\s*:\s*(-?\d{1,12})")
_TIME = re.compile(r"\s*\|\s*Simulation time\s*:\s*([-+\d.E]{1,40})\s*ps")
_KIND = re.compile(r"\s*Reading configuration options for species\s+(\S+)")
_MASS = re.compile(r"\s*\|\s*Found atomic mass\s*:\s*([-+\d.E]{1,40})\s*amu")
#: Å/ps in Å/fs.
_UNITS = VelocityUnits("ang/ps", 1e-3, assumed=False)


@dataclass(frozen=True)
class AimsBlock:
    """Rows of atoms and of velocities, lattice vectors (None for a molecule), number and time of the step."""

    atoms: list[str]
    velocities: list[str]
    cell_ang: NDArray[np.float64] | None
    step: int
    time_fs: float | None


class AimsReader(TextReader[AimsBlock]):
    """Frames of a run of molecular dynamics of FHI-aims."""

    format = "fhi-aims"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._masses: dict[str, float] = {}
        super().__init__(path, options)
        self.first()
        self.notes = ["positions in Å of FHI-aims"]
        if options.need_velocities:
            self.velocity_units = _UNITS

    def blocks(self, lines: Iterator[str]) -> Iterator[AimsBlock]:
        """Follow the output; a frame is complete with its last velocity."""
        n_atoms, step, time_fs, kind = 0, 0, None, ""
        cell: NDArray[np.float64] | None = None
        for line in lines:
            if found := _ATOMS.match(line):
                n_atoms = int(found[1])
            elif found := _KIND.match(line):
                kind = found[1]
            elif found := _MASS.match(line):
                self._masses[kind] = float(found[1])
            elif line.strip() == "| Unit cell:":
                cell = floats(take(lines, 3), (1, 2, 3))
            elif found := _STEP.match(line):
                step, time_fs = int(found[1]), None
            elif found := _TIME.match(line):
                time_fs = 1e3 * float(found[1])
            elif _TITLE.match(line):
                if n_atoms < 1:
                    raise ValueError("its number of atoms is not printed above its positions")
                take(lines, 1)
                rows = take(lines, 2 * n_atoms)
                if step >= 0:
                    yield AimsBlock(rows[::2], rows[1::2], cell, step, time_fs)

    def parse(self, block: AimsBlock, index: int, where: str) -> Frame:
        """Read positions and velocities of a frame."""
        for rows, word in ((block.atoms, "atom"), (block.velocities, "velocity")):
            if any(not row.lstrip().startswith(word) for row in rows):
                raise ValueError("rows of atoms and of velocities are expected in turns")
        species = self._species_of(block.atoms, where)
        velocities = None
        if self.velocity_units is not None:
            velocities = floats(block.velocities, (1, 2, 3)) * self.velocity_units.factor_ang_fs
        periodic = block.cell_ang is not None
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=floats(block.atoms, (1, 2, 3)),
            cell_ang=np.zeros((3, 3)) if block.cell_ang is None else block.cell_ang,
            pbc=np.full(3, periodic),
            velocities_ang_fs=velocities,
            time_fs=block.time_fs,
            step=block.step,
        )

    def _species_of(self, rows: list[str], where: str) -> Species:
        if self.species is None:
            kinds = [row.split()[4] for row in rows]
            # species are named by the user, "O", "O_tight" or "O2", beginning with the element
            self.species = species_of_labels(kinds, self._masses, where, self.options.masses)
        return self.species


def open_aims(path: Path, options: ReadOptions) -> FrameReader:
    """Open an output of FHI-aims: molecular dynamics here, single structures and relaxations by ASE."""
    with open_text(path) as lines:
        dynamic = any(_TITLE.match(line) for line in lines)
    return AimsReader(path, options) if dynamic else AtomsReader(path, options)
