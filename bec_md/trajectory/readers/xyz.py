"""XYZ files whose comment is not that of extended XYZ: CP2K, i-PI, DFTB+, LAMMPS `dump xyz`, plain XYZ.

They share their rows (label, x, y, z, …) and differ in the comment, from which a `Dialect` reads step, time,
cell and units. Velocities come from further columns or from a second file of the same kind (``-vel-1.xyz``,
``vel_0.xyz``), whose frames are matched by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.files import open_text, unpacked_name
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import Species, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.followers import FollowedReader, Follower, beside
from bec_md.trajectory.readers.given import (
    companion,
    elements_of,
    given_cell,
    refuse_given_cell,
    required_cell,
)
from bec_md.trajectory.readers.indexed import frames_of_clock
from bec_md.trajectory.readers.restarts import repeated_frames, said_of
from bec_md.trajectory.readers.text import COUNT_LIMIT_BYTES, floats, take

Cell = NDArray[np.float64]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Comment:
    """What the comment of a frame says; lengths in the file are multiplied by `length_ang`."""

    step: int | None = None
    time_fs: float | None = None
    cell_ang: Cell | None = None
    length_ang: float = 1.0
    velocity: VelocityUnits | None = None


@dataclass(frozen=True)
class Dialect:
    """One program's way to write XYZ.

    Parameters
    ----------
    name
        Name of the format.
    read
        Reads the comment of a frame.
    velocity_units
        Units of velocities, unless their comment states them.
    velocity_column
        First column of velocities of a row with this many columns, None if it has none.
    velocity_name, cell_name
        Names of the files with velocities and cells that the program writes beside the positions.
    read_cells
        Steps and cells in Å of the latter.
    """

    name: str
    read: Callable[[str], Comment]
    velocity_units: VelocityUnits | None = None
    velocity_column: Callable[[int], int | None] = lambda n_columns: None
    velocity_name: Callable[[str], str | None] = lambda name: None
    cell_name: Callable[[str], str | None] = lambda name: None
    read_cells: Callable[[Iterator[str]], Iterator[tuple[int, Cell]]] = lambda lines: iter(())


@dataclass(frozen=True)
class XyzBlock:
    """Comment and rows of a frame, its velocities and cell from files beside it, what is missing."""

    comment: str
    rows: list[str]
    velocities: tuple[str, list[str]] | None = None
    cell_ang: Cell | None = None
    missing: DataError | None = None


class XyzReader(FollowedReader[XyzBlock]):
    """Frames of an XYZ file in one of the dialects."""

    def __init__(self, path: Path, options: ReadOptions, dialect: Dialect) -> None:
        self.dialect = dialect
        self.format = dialect.name
        self._cell = given_cell(options)
        self._repeated: dict[Path, NDArray[np.bool_]] = {}
        name = unpacked_name(path)
        named = dialect.velocity_name(name)
        self._velocity_path = companion(path, options.velocities, named) if options.need_velocities else None
        self._cell_path = None if self._cell is not None else companion(path, None, dialect.cell_name(name))
        beside = [other for other in (self._velocity_path, self._cell_path) if other is not None]
        super().__init__(path, options, beside)
        self._labels: list[str] = []
        first = self.first()
        n_columns = len(first.rows[0].split())
        self._column = dialect.velocity_column(n_columns) if options.need_velocities else None
        self.notes = [f"cell from {self._cell_path.name}"] if self._cell_path else []
        if first.cell_ang is None and dialect.read(first.comment).cell_ang is None:
            self._cell = required_cell(options, self.source, self.format)
            self.notes = ["cell as given"]
        else:
            refuse_given_cell(options, self.source)
        self._choose_velocities(first, n_columns)
        self._clock: tuple[float, float] | None = None
        self._clock = self._settle_clock()

    def blocks(self, lines: Iterator[str]) -> Iterator[XyzBlock]:
        """Cut the file by its numbers of atoms; add velocities and cells of the same step."""
        with ExitStack() as stack:
            velocities = cells = None
            if self._velocity_path is not None:
                blocks = cut_xyz(stack.enter_context(open_text(self._velocity_path)))
                steps = ((self._step(block[0], index), block) for index, block in enumerate(blocks))
                velocities = Follower(self._once(steps, self._velocity_path), self._velocity_path.name)
            if self._cell_path is not None:
                cell_lines = stack.enter_context(open_text(self._cell_path))
                found = self._once(self.dialect.read_cells(cell_lines), self._cell_path)
                cells = Follower(found, self._cell_path.name)
            frames = ((self._step(block[0], index), block) for index, block in enumerate(cut_xyz(lines)))
            for index, (step, (comment, rows)) in enumerate(self._once(frames, self.path)):
                where = place(self.source, index)
                (own,), missing = beside([velocities], step, where)
                (cell,), lacking = beside([cells], step, where)
                yield XyzBlock(comment, rows, own, cell, missing or lacking)

    def parse(self, block: XyzBlock, index: int, where: str) -> Frame:
        """Read the numbers of a frame."""
        if block.missing is not None:
            raise block.missing
        comment = self.dialect.read(block.comment)
        column = self._column
        values = floats(
            block.rows, (1, 2, 3) if column is None else (1, 2, 3, column, column + 1, column + 2)
        )
        velocities = None
        if self.velocity_units is not None:
            velocities = values[:, 3:] if block.velocities is None else floats(block.velocities[1], (1, 2, 3))
            if len(velocities) != len(values):
                raise ValueError(f"{len(velocities)} velocities for {len(values)} positions")
            velocities = velocities * self.velocity_units.factor_ang_fs
        cell = next(c for c in (block.cell_ang, comment.cell_ang, self._cell) if c is not None)
        species = self._species_of(block.rows, where)
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=np.ascontiguousarray(values[:, :3]) * comment.length_ang,
            cell_ang=cell,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=self._time_of(comment),
            step=comment.step,
        )

    def _time_of(self, comment: Comment) -> float | None:
        """Time of a frame in fs, by its step where times have few digits."""
        if self._clock is None or comment.step is None:
            return comment.time_fs
        start, pace = self._clock
        return start + pace * comment.step

    def _step(self, comment: str, index: int) -> int:
        step = self.dialect.read(comment).step
        return index if step is None else step

    @cached_property
    def n_frames(self) -> int | None:
        """Complete frames stored, or None for files too large to be counted on opening."""
        return None if self._counters is None else len(self._counters)

    @cached_property
    def _counters(self) -> NDArray[np.float64] | None:
        """Step and time in fs of every frame, NaN where none is stated, (T, 2)."""
        if self.path.stat().st_size > COUNT_LIMIT_BYTES:
            return None
        read = (self.dialect.read(block.comment) for block in self._whole_blocks())
        nan = float("nan")
        rows = ((nan if c.step is None else c.step, nan if c.time_fs is None else c.time_fs) for c in read)
        counters: NDArray[np.float64] = np.fromiter((x for row in rows for x in row), np.float64).reshape(
            -1, 2
        )
        repeated = repeated_frames(counters[:, 0], lambda index: next(self.read(index, 1)))
        if not repeated.any():
            return counters
        self.warnings.append(said_of(repeated, self.source))
        self._repeated[self.path] = repeated
        if self._velocity_path is not None:
            with open_text(self._velocity_path) as lines:
                steps = [self._step(block[0], index) for index, block in enumerate(cut_xyz(lines))]
            self._repeated[self._velocity_path] = repeated_frames(steps)
        if self._cell_path is not None:
            with open_text(self._cell_path) as lines:
                steps = [step for step, _ in self.dialect.read_cells(lines)]
            self._repeated[self._cell_path] = repeated_frames(steps)
        return counters[~repeated]

    def _once(self, items: Iterator[tuple[int, Item]], path: Path) -> Iterator[tuple[int, Item]]:
        """Items of a file without those whose steps a restart wrote again."""
        repeated = self._repeated.get(path, np.zeros(0, dtype=bool))
        return (item for n, item in enumerate(items) if n >= len(repeated) or not repeated[n])

    def _settle_clock(self) -> tuple[float, float] | None:
        """Time of step 0 and of one step, where times are those of the steps but for their few digits.

        These make them uneven: the time between frames is that of the whole run, 0.48378 and not 0.484 fs.
        """
        if self._counters is None or len(self._counters) < 3 or not np.isfinite(self._counters).all():
            return None
        steps, times = (self._counters - self._counters[0]).T
        _, first, second, _ = frames_of_clock(self.options.first_frame(len(steps)), len(steps))
        apart = steps[second] - steps[first]
        if apart <= 0 or steps[-1] <= 0:
            return None
        slope = float(times[-1] / steps[-1])
        interval, off = float(slope * apart), float(np.abs(times - slope * steps).max())
        digit = next((10.0**-n for n in range(6) if np.abs(times - times.round(n)).max() < 1e-9), 0.0)
        if not 1e-6 * interval < off <= 1.01 * digit < interval:
            return None
        self.timestep_fs = interval
        self.notes.append(f"times of few digits, on average {interval:.6g} fs between frames")
        start, begun = self._counters[0]
        return float(begun - slope * start), slope

    def _choose_velocities(self, first: XyzBlock, n_columns: int) -> None:
        """Fix where velocities come from and in which units they are."""
        options, stated = self.options, None
        if first.velocities is not None and self._velocity_path is not None:
            name = self._velocity_path.name
            if _labels(first.rows) != _labels(first.velocities[1]):
                raise DataError(
                    f"{name}: its first frame has other atoms than that of {self.source}",
                    "velocities are matched to positions by their rows",
                    "name the velocities of the same run with `velocities`",
                )
            self.notes.append(f"velocities from {name}")
            stated = self.dialect.read(first.velocities[0]).velocity
        elif self._column is None:
            if options.need_velocities and n_columns > 4:
                self.notes.append(
                    f"columns 5 to {n_columns} are not read, because nothing says what they are"
                )
            return
        else:
            self.notes.append(f"velocities from columns {self._column + 1} to {self._column + 3}")
        if options.velocity_units is not None:
            factor = VELOCITY_UNITS[options.velocity_units]
            self.velocity_units = VelocityUnits(options.velocity_units, factor, assumed=False)
        else:
            self.velocity_units = stated or self.dialect.velocity_units
        if self.velocity_units is None:
            raise UsageError(
                f"{self.source}: the units of its velocities are not known",
                f"a file of the format {self.format} does not state them",
                f"give `velocity_units` ({', '.join(VELOCITY_UNITS)})",
            )

    def _species_of(self, rows: list[str], where: str) -> Species:
        labels = _labels(rows)
        if self.species is not None and labels == self._labels:
            return self.species
        elements = elements_of(labels, self.options, where)
        species = resolve_species(elements, place=where, masses=self.options.masses)
        if self.species is None:
            self.species, self._labels = species, labels
        return species


def cut_xyz(lines: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    """Comments and rows of the frames of an XYZ file."""
    for line in lines:
        if not line.strip():
            continue
        n_atoms = int(line)
        if n_atoms < 1:
            raise ValueError(f"{n_atoms} atoms")
        comment = take(lines, 1)[0]
        yield comment, take(lines, n_atoms)


def _labels(rows: list[str]) -> list[str]:
    return [row.split(None, 1)[0] for row in rows]
