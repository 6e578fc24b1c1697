"""Quantum ESPRESSO's cp.x: ``PREFIX.pos`` with ``.vel`` and ``.cel`` beside it, all in atomic units.

Every frame begins with a line ``step time/ps``; then come the rows of the atoms, or the cell matrix, whose
columns are the lattice vectors. The files name no elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bec_md.errors import DataError, UsageError
from bec_md.files import open_text, unpacked_name
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.followers import FollowedReader, Follower, beside
from bec_md.trajectory.readers.given import companion, elements_in_order, given_cell, required_cell
from bec_md.trajectory.readers.text import CutFrameError, ends_early, floats
from bec_md.units import BOHR_ANG


@dataclass(frozen=True)
class CpBlock:
    """Step, time and rows of a frame, the rows of the same step in the files beside it, what is missing."""

    step: int
    time_fs: float
    rows: list[str]
    velocities: list[str] | None
    cell: list[str] | None
    missing: DataError | None = None


def is_cpx(lines: list[str]) -> bool:
    """Whether lines begin like a file of cp.x: an integer and a real number, then three real numbers."""
    if len(lines) < 2:
        return False
    header, row = lines[0].split(), lines[1].split()
    return (
        len(header) == 2
        and header[0].isdigit()
        and _is_real(header[1])
        and len(row) == 3
        and all(map(_is_real, row))
    )


def _is_real(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "." in word


class CpReader(FollowedReader[CpBlock]):
    """Frames of ``PREFIX.pos``."""

    format = "cp.x"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        stem, ending = unpacked_name(path).rpartition(".")[::2]
        beside = f"{stem}.vel" if options.need_velocities else None
        self._velocity_path = companion(path, options.velocities if options.need_velocities else None, beside)
        self._cell = given_cell(options)
        self._cell_path = None if self._cell is not None else companion(path, None, f"{stem}.cel")
        others = [other for other in (self._velocity_path, self._cell_path) if other is not None]
        self._n_atoms: int | None = None
        super().__init__(path, options, others)
        if self._cell_path is None:
            self._cell = required_cell(options, self.source, f"{self.format} without {stem}.cel")
        if ending != "pos":
            raise UsageError(
                f"{self.source}: a file of cp.x that is not named .pos",
                "velocities and cells of a run have the same form as its positions",
                f"name the positions, {stem}.pos; the files .vel and .cel beside it are found",
            )
        first = self.first()
        self.species = resolve_species(
            elements_in_order(len(first.rows), options, self.source), place=self.source, masses=options.masses
        )
        self.notes = ["atomic units", *(f"read along: {other.name}" for other in others)]
        if first.velocities is not None:
            units = options.velocity_units or "atomic"
            self.velocity_units = VelocityUnits(
                units, VELOCITY_UNITS[units], assumed=options.velocity_units is None
            )

    def blocks(self, lines: Iterator[str]) -> Iterator[CpBlock]:
        """Cut the file at its headers; add velocities and cell of the same step."""
        with ExitStack() as stack:
            followers = [
                None if other is None else _follower(stack.enter_context(open_text(other)), other.name)
                for other in (self._velocity_path, self._cell_path)
            ]
            for index, (step, time_ps, rows) in enumerate(_cut(lines)):
                where = place(self.source, index)
                (velocities, cell), missing = beside(followers, step, where)
                yield CpBlock(step, time_ps * 1e3, rows, velocities, cell, missing)

    def parse(self, block: CpBlock, index: int, where: str) -> Frame:
        """Read the numbers of a frame."""
        if block.missing is not None:
            raise block.missing
        assert self.species is not None
        cell = self._cell
        if block.cell is not None:
            cell = floats(block.cell, (0, 1, 2)).reshape(3, 3).T * BOHR_ANG
        assert cell is not None
        velocities = None
        if block.velocities is not None and self.velocity_units is not None:
            velocities = floats(block.velocities, (0, 1, 2)) * self.velocity_units.factor_ang_fs
            if len(velocities) != len(block.rows):
                raise ValueError(f"{len(velocities)} velocities for {len(block.rows)} positions")
        if len(block.rows) != len(self.species.numbers):
            raise ValueError(f"{len(block.rows)} rows, but {len(self.species.numbers)} in the first frame")
        return Frame(
            index=index,
            numbers=self.species.numbers,
            masses_amu=self.species.masses_amu,
            positions_ang=floats(block.rows, (0, 1, 2)) * BOHR_ANG,
            cell_ang=np.ascontiguousarray(cell),
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=block.time_fs,
            step=block.step,
        )


def _follower(lines: Iterator[str], name: str) -> Follower[list[str]]:
    return Follower(((step, rows) for step, _, rows in _cut(lines)), name)


def _cut(lines: Iterator[str]) -> Iterator[tuple[int, float, list[str]]]:
    """Step, time in ps and rows of every frame; all have as many rows as the first."""
    header: list[str] | None = None
    rows: list[str] = []
    expected: int | None = None
    for line in lines:
        words = line.split(None, 3)
        if len(words) == 2 and words[0].isdigit():
            if header is not None:
                expected = len(rows) if expected is None else expected
                yield int(header[0]), float(header[1]), rows
            header, rows = words, []
        elif words:
            rows.append(line)
    if header is None:
        return
    if ends_early(rows) or len(rows) < (expected or 1):
        raise CutFrameError
    yield int(header[0]), float(header[1]), rows
