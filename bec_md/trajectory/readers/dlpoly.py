"""DL_POLY's HISTORY: positions, velocities with key 1 and more, times; Å, ps, Å/ps.

Two lines of header, then per frame ``timestep n natoms key periodicity step/ps time/ps``, the cell, and for
every atom ``label number mass charge`` with a line of positions, of velocities (key ≥ 1) and of forces (key
2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.given import elements_of, given_cell, refuse_given_cell, required_cell
from bec_md.trajectory.readers.text import TextReader, floats, take

#: Boundary conditions whose cell is not the parallelepiped of the three vectors.
_OTHER_CELLS = {4: "a truncated octahedron", 5: "a rhombic dodecahedron", 7: "a hexagonal prism"}
_SLAB = 6  # periodic along x and y


@dataclass(frozen=True)
class History:
    """Words of the line ``timestep …``, three of the cell, and the rows of the atoms."""

    words: list[str]
    cell: list[str]
    rows: list[str]

    @property
    def key(self) -> int:
        """0 positions, 1 and velocities, 2 and forces."""
        return int(self.words[3])

    @property
    def periodicity(self) -> int:
        """Key of the boundary conditions (imcon)."""
        return int(self.words[4])


def is_history(lines: list[str]) -> bool:
    """Whether lines begin like a HISTORY of DL_POLY."""
    return any(line.split()[:1] == ["timestep"] and len(line.split()) >= 6 for line in lines[:3])


class DlPolyReader(TextReader[History]):
    """Frames of a HISTORY."""

    format = "dlpoly-history"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        first = self.first()
        self._cell = given_cell(options)
        if not first.cell:
            self._cell = required_cell(options, self.source, "HISTORY without periodicity")
        else:
            refuse_given_cell(options, self.source)
        if shape := _OTHER_CELLS.get(first.periodicity):
            raise DataError(
                f"{self.source}: its cell is {shape} (periodicity key {first.periodicity})",
                "volume and neighbors are those of a parallelepiped here",
                "convert the run to a cell with three lattice vectors, or to extended XYZ with its Lattice",
            )
        self.notes = ["Å, ps and Å/ps of DL_POLY"]
        if first.key >= 1 and options.need_velocities:
            self.velocity_units = VelocityUnits("ang/ps", VELOCITY_UNITS["ang/ps"], assumed=False)

    def blocks(self, lines: Iterator[str]) -> Iterator[History]:
        """Cut the file at its lines ``timestep``."""
        for line in lines:
            words = line.split()
            if words[:1] != ["timestep"]:
                continue  # the two lines at the top, repeated where a restart appended
            n_atoms, key, periodic = int(words[2]), int(words[3]), int(words[4])
            if not 0 <= key <= 2 or n_atoms < 1:
                raise ValueError(f"{n_atoms} atoms with key {key}")
            cell = take(lines, 3) if periodic else []
            yield History(words, cell, take(lines, n_atoms * (key + 2)))

    def parse(self, block: History, index: int, where: str) -> Frame:
        """Read the numbers of a frame."""
        size = block.key + 2
        heads = [row.split() for row in block.rows[::size]]
        order = np.argsort([int(words[1]) for words in heads], kind="stable")
        cell = floats(block.cell, (0, 1, 2)) if block.cell else self._cell
        assert cell is not None
        if self.species is None or len(heads) != len(self.species.numbers):
            labels = elements_of([heads[atom][0] for atom in order], self.options, where)
            masses = np.array([float(heads[atom][2]) for atom in order])
            species = resolve_species(labels, place=where, file_masses_amu=masses, masses=self.options.masses)
            self.species = self.species or species
        else:
            species = self.species
        velocities = None
        if self.velocity_units is not None and block.key >= 1:
            velocities = floats(block.rows[2::size], (0, 1, 2))[order] * self.velocity_units.factor_ang_fs
        words = block.words
        time_fs = float(words[6]) if len(words) > 6 else int(words[1]) * float(words[5])
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=floats(block.rows[1::size], (0, 1, 2))[order],
            cell_ang=cell,
            pbc=np.array([True, True, block.periodicity != _SLAB]),
            velocities_ang_fs=velocities,
            time_fs=time_fs * 1e3,
            step=int(words[1]),
        )
