"""Extended XYZ, read frame by frame with one bulk parse per frame.

ASE's own reader is slow (tens of µs per atom), hides `born_effective_charges` in a calculator, and takes
velocity columns of other programs as they come. Columns understood here, by name:

- ``momenta``: ASE units, √(amu eV), divided by the masses.
- ``velocities`` or ``velocity``: Å per ASE time unit, which is what ASE's `get_velocities` returns.
- ``vel`` (GPUMD) and ``velo`` (QUIP): Å/fs, as these programs define them.

`velocity_units` overrides these, and a comment key ``velocity_units=ang/fs`` states them in the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.trajectory import extxyz_comment as comment_line
from bec_md.trajectory.charge_columns import as_tensors
from bec_md.trajectory.extxyz_layout import (
    DEFAULT_PROPERTIES,
    VELOCITY_COLUMNS,
    Layout,
    first_of,
    make_layout,
)
from bec_md.trajectory.files import fingerprint, open_text, read_blocks
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import VELOCITY_UNITS, RawFrame, VelocityUnits, place
from bec_md.trajectory.species import Species, resolve_species, symbols_of

#: Files up to this size are counted on opening.
_COUNT_LIMIT_BYTES = 4 << 30


class ExtxyzReader:
    """Frames of an extended XYZ file, compressed or not."""

    format = "extxyz"
    timestep_fs: float | None

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._options = options
        self.source = path.name
        self.fingerprint = fingerprint(path)
        self.notes = ["positions and cell in Å"]
        self.warnings: list[str] = []
        self.velocity_units: VelocityUnits | None = None
        self.timestep_fs = None
        self._species: Species | None = None
        self._prefixes: list[str] | None = None
        self._layouts: dict[str, Layout] = {}
        self._pairs: tuple[str, dict[str, str]] = ("", {})
        self._inspect_first_frame()
        self.n_frames = self._count_frames()

    def read(self, start: int, stride: int) -> Iterator[RawFrame]:
        """Yield frames start, start + stride, … of the file."""
        with open_text(self._path) as lines:
            for index in count():
                n_atoms = _next_count(lines, self._path, index)
                if n_atoms is None:
                    return
                if index < start or (index - start) % stride:
                    deque(islice(lines, n_atoms + 1), maxlen=0)
                    continue
                frame = list(islice(lines, n_atoms + 1))
                if _is_cut(frame, n_atoms):
                    self._note_cut(index)
                    return
                yield self._parse(frame, index)

    def _parse(self, lines: list[str], index: int) -> RawFrame:
        where = place(self._path, index)
        comment, rows = lines[0], lines[1:]
        last = self._pairs  # passes in several threads may share it
        if comment != last[0]:
            last = self._pairs = (comment, comment_line.parse_comment(comment))
        pairs = last[1]
        layout = self._layout(pairs.get("Properties", DEFAULT_PROPERTIES))
        values = self._values(rows, layout, where)
        species = self._species_of(rows, layout, values, where)
        velocities = None
        if layout.velocities is not None and self.velocity_units is not None:
            velocities = values[:, layout.velocities] * self.velocity_units.factor_ang_fs
            if layout.momenta:
                velocities /= species.momentum_masses_amu[:, None]
        charges = None
        if layout.charges is not None:
            charges = as_tensors(
                values[:, layout.charges], len(rows), name=layout.charges_name,
                transposed=self._options.charges_transposed, place=where,
            )  # fmt: skip
        charge_keys = dict.fromkeys(comment_line.CHARGE_KEYS, 1.0)
        return RawFrame(
            index=index,
            species=species,
            positions_ang=np.ascontiguousarray(values[:, layout.positions]),
            cell_ang=comment_line.parse_cell(pairs, where),
            pbc=comment_line.parse_pbc(pairs, where),
            velocities_ang_fs=velocities,
            time_fs=comment_line.parse_number(pairs, comment_line.TIME_KEYS, where),
            born_effective_charges=charges,
            total_charge=comment_line.parse_number(pairs, charge_keys, where) or 0.0,
        )

    def _values(self, rows: list[str], layout: Layout, where: str) -> NDArray[np.float64]:
        try:
            if len(rows[0].split()) != layout.n_columns:
                raise ValueError(f"{len(rows[0].split())} columns in the first row")
            return np.loadtxt(rows, usecols=layout.used, comments=None, ndmin=2)
        except ValueError as error:
            raise DataError(
                f"{where}: its rows cannot be read: {error}",
                f"Properties in the comment line announce {layout.n_columns} columns of numbers",
                "check the rows of this frame, or cut the file before it with stop=",
            ) from None

    def _species_of(
        self, rows: list[str], layout: Layout, values: NDArray[np.float64], where: str
    ) -> Species:
        prefixes = self._prefixes
        if self._species is not None and prefixes is not None and len(rows) == len(prefixes) \
                and all(map(str.startswith, rows, prefixes)):  # fmt: skip
            return self._species
        column = layout.label
        labels = tuple(row.split(None, column + 1)[column] for row in rows)
        if layout.labels_are_numbers:
            labels = symbols_of(np.array(labels, dtype=np.float64).astype(np.int64), where)
        masses = None if layout.masses is None else values[:, layout.masses]
        species = resolve_species(labels, place=where, file_masses_amu=masses, masses=self._options.masses)
        if self._species is None:
            self._species = species
            if column == 0:
                self._prefixes = [
                    row[: len(row) - len(row.lstrip()) + len(row.split(None, 1)[0]) + 1] for row in rows
                ]
        return species

    def _layout(self, properties: str) -> Layout:
        if properties not in self._layouts:
            self._layouts[properties] = make_layout(properties, self._options, self.source, self.warnings)
        return self._layouts[properties]

    def _inspect_first_frame(self) -> None:
        """Fix the units of velocities and the time step from the first comment line."""
        with open_text(self._path) as lines:
            _next_count(lines, self._path, 0)
            pairs = comment_line.parse_comment(next(lines, ""))
        columns = comment_line.parse_properties(pairs.get("Properties", DEFAULT_PROPERTIES), self.source)
        name = first_of(columns, VELOCITY_COLUMNS) if self._options.need_velocities else None
        if name is not None:
            self.velocity_units = self._velocity_units(name, pairs)
            self.notes.append(f"velocities from column {name}")
        self.timestep_fs = comment_line.parse_number(pairs, comment_line.TIMESTEP_KEYS, self.source)
        unitless = [key for key in comment_line.UNITLESS_TIME_KEYS if key in pairs]
        has_time = self.timestep_fs is not None or any(key in pairs for key in comment_line.TIME_KEYS)
        if unitless and not has_time:
            self.notes.append(f"{unitless[0]}= in the comment states no unit and is not used")

    def _velocity_units(self, name: str, pairs: dict[str, str]) -> VelocityUnits:
        stated = self._options.velocity_units or pairs.get("velocity_units")
        if stated is not None and stated not in VELOCITY_UNITS:
            raise DataError(
                f"{self.source}: velocity_units={stated} in the comment is not known",
                f"known are {', '.join(VELOCITY_UNITS)}",
                "correct the comment, or give velocity_units=",
            )
        units = stated or VELOCITY_COLUMNS[name]
        return VelocityUnits(units, VELOCITY_UNITS[units], assumed=stated is None)

    def _count_frames(self) -> int | None:
        """Count frames by lines, and note a last one that is cut off."""
        if self._path.stat().st_size > _COUNT_LIMIT_BYTES:
            return None
        with open_text(self._path) as lines:
            n_atoms = _next_count(lines, self._path, 0) or 0
        n_lines, last = _count_lines(self._path)
        frames, rest = divmod(n_lines, n_atoms + 2)
        if rest == 0 and n_atoms > 1 and _is_cut(last, 1):
            frames, rest = frames - 1, 1
        elif rest:
            frames, cut = _walk_frames(self._path)
            if not cut:  # the number of atoms changes: whoever reads these frames hears of it
                return frames
        if rest:
            self._note_cut(frames)
        return frames

    def _note_cut(self, index: int) -> None:
        message = f"{place(self._path, index)} is cut off and was left out"
        if message not in self.warnings:
            self.warnings.append(message)


def _walk_frames(path: Path) -> tuple[int, bool]:
    """Count whole frames by their own numbers of atoms; whether a frame that ends early follows them."""
    frames = 0
    with open_text(path) as lines:
        try:
            while (n_atoms := _next_count(lines, path, frames)) is not None:
                if sum(1 for _ in islice(lines, n_atoms + 1)) < n_atoms + 1:
                    return frames, True
                frames += 1
        except DataError:  # said with its place when the frame is read
            pass
    return frames, False


def _next_count(lines: Iterator[str], path: Path, index: int) -> int | None:
    """Number of atoms of the next frame, or None at the end of the file."""
    line = next((line for line in lines if line.strip()), None)
    if line is None:
        return None
    try:
        n_atoms = int(line)
    except ValueError:
        n_atoms = 0
    if n_atoms > 0:
        return n_atoms
    raise DataError(
        f"{place(path, index)}: expected the number of atoms, found {line.strip()[:60]!r}",
        "a frame of an XYZ file starts with a line that holds the number of its atoms",
        "check that every frame has as many rows as its first line says",
    )


def _is_cut(lines: list[str], n_rows: int) -> bool:
    """Whether a frame ends early: rows missing, or the last row shorter than the one before it.

    A last line without line end may be whole or cut inside a number; then its columns and the decimals of
    its last number are compared with the line before.
    """
    if len(lines) < n_rows + 1:
        return True
    if lines[-1].endswith("\n") or len(lines) < 2:
        return False
    last, before = lines[-1].split(), lines[-2].split()
    return len(last) < len(before) or _decimals(last[-1]) < _decimals(before[-1])


def _decimals(token: str) -> int:
    return len(token.lower().split("e")[0].rpartition(".")[2]) if "." in token else 0


def _count_lines(path: Path) -> tuple[int, list[str]]:
    """Number of lines (an unfinished last one included, blank ones at the end not), and the last two."""
    n_lines, tail = 0, b""
    for block in read_blocks(path):
        n_lines += block.count(b"\n")
        tail = (tail + block)[-65536:]
    text = tail.rstrip(b"\r\n \t")
    n_lines += 1 - tail[len(text) :].count(b"\n")
    ended = b"\n" in tail[len(text) :]
    last = text.decode("utf-8", "replace").splitlines(keepends=True)[-2:]
    return n_lines, [*last[:-1], last[-1] + "\n" * ended] if last else []
