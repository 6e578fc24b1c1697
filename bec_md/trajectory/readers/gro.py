"""GROMACS' .gro of one or several frames: nm and nm/ps with few digits, names of atoms, times in titles.

A frame is a title (``…, t= TIME/ps step= STEP``), the number of atoms, a row for each of them of fixed width
(residue, name of the atom, number, position, velocity), and the box: ``v1x v2y v3z`` and, if it is not
rectangular, ``v1y v1z v2x v2z v3x v3y``. The width of numbers follows from the distance of their points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.structure import Frame
from bec_md.structure.ase_files import element_of_gro
from bec_md.structure.names import VelocityUnits
from bec_md.structure.species import Species, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.given import elements_of
from bec_md.trajectory.readers.text import CutFrameError, TextReader, is_cut_number, take
from bec_md.trajectory.readers.topology import species_of_topology, topology_path

_ANG_PER_NM = 10.0
_TIME = re.compile(r"\bt\s*=\s*([-+\d.eE]{1,40})")
_STEP = re.compile(r"\bstep\s*=\s*(\d{1,18})")
#: Columns before the position: number and name of the residue, name and number of the atom.
_NAMES = 20
#: Row and column of the lattice vectors that the numbers of a box stand for.
_BOX = ((0, 1, 2, 0, 0, 1, 1, 2, 2), (0, 1, 2, 1, 2, 0, 2, 0, 1))


@dataclass(frozen=True)
class GroBlock:
    """Title, rows of the atoms and numbers of the box of a frame."""

    title: str
    rows: list[str]
    box: str


class GroReader(TextReader[GroBlock]):
    """Frames of a .gro file."""

    format = "gro"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        topology = [] if options.topology is None else [topology_path(path, options)]
        super().__init__(path, options, topology)
        first = self.first()
        try:
            self._width = _width(first.rows[0])
        except ValueError as error:
            raise self._unreadable(0, error) from None
        self._names = [row[10:15].strip() for row in first.rows]
        self.species = self._species(topology)
        self.notes = ["nm, ps and nm/ps of GROMACS"]
        if options.need_velocities and len(first.rows[0].rstrip()) > _NAMES + 3 * self._width:
            self.velocity_units = VelocityUnits("nm/ps", 1e-2, assumed=False)

    def blocks(self, lines: Iterator[str]) -> Iterator[GroBlock]:
        """Cut the file by its numbers of atoms."""
        for title in lines:
            number = next(lines, "")
            if not number.strip():
                if title.strip():
                    raise CutFrameError
                continue
            n_atoms = int(number)
            if n_atoms < 1:
                raise ValueError(f"{n_atoms} atoms")
            rows, box = take(lines, n_atoms), next(lines, "")
            words = box.split()
            if len(words) not in (3, 9) or (not box.endswith("\n") and is_cut_number(words[-1], words[0])):
                raise CutFrameError
            yield GroBlock(title, rows, box)

    def parse(self, block: GroBlock, index: int, where: str) -> Frame:
        """Read the numbers of a frame."""
        assert self.species is not None
        if [row[10:15].strip() for row in block.rows] != self._names:
            raise ValueError(f"its {len(block.rows)} atoms have other names than those of the first frame")
        cell = np.zeros((3, 3))
        numbers = [float(word) for word in block.box.split()]
        cell[_BOX[0][: len(numbers)], _BOX[1][: len(numbers)]] = numbers
        velocities = None
        if self.velocity_units is not None:
            velocities = self._vectors(block.rows, 3) * self.velocity_units.factor_ang_fs
        time, step = _TIME.search(block.title), _STEP.search(block.title)
        return Frame(
            index=index,
            numbers=self.species.numbers,
            masses_amu=self.species.masses_amu,
            positions_ang=self._vectors(block.rows, 0) * _ANG_PER_NM,
            cell_ang=cell * _ANG_PER_NM,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=None if time is None else 1e3 * float(time[1]),
            step=None if step is None else int(step[1]),
        )

    def _vectors(self, rows: list[str], first: int) -> NDArray[np.float64]:
        """Three numbers of every row from that number on."""
        begins = [_NAMES + self._width * number for number in range(first, first + 3)]
        return np.array([[row[at : at + self._width] for at in begins] for row in rows], dtype=np.float64)

    def _species(self, topology: list[Path]) -> Species:
        """Species by the topology, else by names: those that the options map, or that are one element's."""
        options, names = self.options, self._names
        if topology:
            return species_of_topology(topology[0], options, self.source, len(names))
        mapped = elements_of(names, options, self.source) if options.elements is not None else names
        chosen = set(options.elements) if isinstance(options.elements, Mapping) else set()
        labels = [
            label if name in chosen else element_of_gro(name, self.source)
            for name, label in zip(names, mapped, strict=True)
        ]
        return resolve_species(labels, place=self.source, masses=options.masses)


def _width(row: str) -> int:
    """Width of the numbers of a row, from the distance of their first two points."""
    points = [at for at, letter in enumerate(row) if letter == "." and at >= _NAMES]
    if len(points) < 3:
        raise ValueError(f"row {row.strip()[:60]!r} has no position")
    return points[1] - points[0]
