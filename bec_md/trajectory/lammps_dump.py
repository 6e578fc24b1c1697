"""LAMMPS text dumps, read frame by frame.

Units are those of ``ITEM: UNITS`` (`dump_modify units yes`), or must be given; they are never guessed.
Atoms are sorted by id. Unwrapped columns (xu, xsu) are preferred; wrapped ones are unwrapped with the image
flags when the file has them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.files import fingerprint, open_text, read_blocks
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES, VelocityUnits, as_tensors
from bec_md.structure.species import ISOTOPES, SITE, Species, resolve_species
from bec_md.trajectory.lammps_box import DumpBox, parse_box, restricted_to_general
from bec_md.trajectory.lammps_columns import DumpColumns, choose_columns
from bec_md.trajectory.lammps_units import LammpsUnits, lammps_units
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.given import elements_of
from bec_md.trajectory.readers.restarts import carried_times, repeated_frames, said_of

_COUNT_LIMIT_BYTES = 4 << 30
_TIME = re.compile(rb"ITEM: TIME[ \t]*\r?\n\s*(\S+)")
_STEP = re.compile(rb"ITEM: TIMESTEP[ \t]*\r?\n\s*(\d+)")


@dataclass
class DumpHeader:
    """The items of a snapshot above its atoms."""

    units: str | None = None
    time: float | None = None
    step: int | None = None
    n_atoms: int = 0
    box_header: str = ""
    box_rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class LammpsDumpReader:
    """Snapshots of a LAMMPS text dump, compressed or not."""

    format = "lammps-dump"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._options = options
        self.source = path.name
        self.timestep_fs: float | None = None
        self.fingerprint = fingerprint(path)
        self.warnings: list[str] = []
        header = self._first_header()
        self._units = self._choose_units(header.units)
        self._columns = choose_columns(header.columns, options, self.source)
        self._origin = _box(header, self.source).origin  # of the first frame: a box may move as it changes
        self._ids: NDArray[np.int64] | None = None
        self._types: NDArray[np.int64] | None = None
        self._named: list[str] | None = None
        self._species: Species | None = None
        self._last_box: tuple[tuple[str, ...], DumpBox, NDArray[np.float64]] | None = None
        how = "stated in the file" if header.units else "as given"
        self.notes = [f"LAMMPS units {self._units.name} ({how})", f"positions from {self._columns.kind}"]
        self.velocity_units = (
            VelocityUnits(f"LAMMPS {self._units.name} units", self._units.velocity_ang_fs, assumed=False)
            if self._columns.velocities
            else None
        )
        if header.time is None:
            self.notes.append("no ITEM: TIME, so the time between frames must be given")
        self._repeated: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._carried: NDArray[np.float64] = np.zeros(0)
        self.n_frames = self._count_frames()

    def _lines(self) -> AbstractContextManager[Iterator[str]]:
        """Open the file as lines of a text dump."""
        return open_text(self._path)

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield snapshots start, start + stride, … of the file."""
        with self._lines() as lines:
            index = 0
            for stored in count():
                header = read_header(lines, place(self._path, index))
                if header is None:
                    return
                repeated = stored < len(self._repeated) and bool(self._repeated[stored])
                if header.columns and (repeated or index < start or (index - start) % stride):
                    deque(islice(lines, header.n_atoms), maxlen=0)
                    index += not repeated
                    continue
                rows = list(islice(lines, header.n_atoms))
                if not header.columns or is_cut(rows, header):
                    self._note_cut(index)
                    return
                if header.time is not None and index < len(self._carried):
                    header.time += float(self._carried[index])
                yield self._parse(header, rows, index)
                index += 1

    def _parse(self, header: DumpHeader, rows: list[str], index: int) -> Frame:
        where = place(self._path, index)
        columns, units = self._columns, self._units
        if header.columns != columns.names:
            raise DataError(
                f"{where}: columns {' '.join(header.columns)} differ from those of the first frame",
                "every frame must hold the same columns",
                "read the part before this frame with `stop`",
            )
        box, cell_ang = self._box_of(header, where)
        values = _values(rows, columns, where)
        ids = _whole(values[:, columns.offset["id"]], "id", where)
        order = None if bool((ids[1:] > ids[:-1]).all()) else np.argsort(ids, kind="stable")
        if order is not None:
            values, ids = values[order], ids[order]
        species = self._species_of(rows, order, ids, values, where)
        velocities = None
        if columns.velocities:
            stored = values[:, columns.of(columns.velocities)]
            velocities = np.multiply(stored, units.velocity_ang_fs, order="C")
        shift = np.where(box.pbc, self._origin - box.origin, 0.0)  # a shrink-wrapped side follows its atoms
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=(_positions(values, columns, box) + shift) * units.length_ang,
            cell_ang=cell_ang,
            pbc=box.pbc,
            velocities_ang_fs=velocities,
            time_fs=None if header.time is None else header.time * units.time_fs,
            step=header.step,
            labels=self._charges(values, box, where),
        )

    def _box_of(self, header: DumpHeader, where: str) -> tuple[DumpBox, NDArray[np.float64]]:
        """The box and its cell in Å, made again only when the text changes; several threads may share it."""
        text, last = (header.box_header, *header.box_rows), self._last_box
        if last is None or last[0] != text:
            box = _box(header, where)
            last = self._last_box = (text, box, box.cell * self._units.length_ang)
        return last[1], last[2]

    def _charges(
        self, values: NDArray[np.float64], box: DumpBox, where: str
    ) -> dict[str, NDArray[np.float64]]:
        columns = self._columns
        if not columns.charges:
            return {}
        tensors = as_tensors(
            values[:, columns.of(columns.charges)], len(values), name=columns.charges[0],
            transposed=self._options.charges_transposed, place=where,
        )  # fmt: skip
        if box.general:
            rotation = restricted_to_general(box.cell)
            tensors = np.einsum("ka,ikl,lb->iab", rotation, tensors, rotation)
        return {CHARGES: tensors}

    def _species_of(
        self,
        rows: list[str],
        order: NDArray[np.intp] | None,
        ids: NDArray[np.int64],
        values: NDArray[np.float64],
        where: str,
    ) -> Species:
        columns = self._columns
        types = _whole(values[:, columns.offset["type"]], "type", where) if "type" in columns.offset else None
        if self._species is not None and self._ids is not None:
            _check_ids(self._ids, ids, where)
            known_by_type = types is not None and self._types is not None
            if known_by_type and np.array_equal(types, self._types):  # type: ignore[arg-type]
                return self._species
        labels = self._labels(rows, order, types, where)
        masses = None
        if "mass" in columns.offset:
            masses = values[:, columns.offset["mass"]] * self._units.mass_amu
        if (
            self._species is not None
            and labels == self._named
            and (masses is None or np.array_equal(masses, self._species.momentum_masses_amu))
        ):
            return self._species
        species = resolve_species(labels, place=where, file_masses_amu=masses, masses=self._options.masses)
        if self._species is None:
            if len(np.unique(ids)) != len(ids):
                raise DataError(
                    f"{where}: atom ids repeat",
                    "atoms are followed in time by their id",
                    "dump each atom once",
                )
            self._species, self._ids, self._types, self._named = species, ids, types, labels
            if ids[-1] > len(ids):
                self.warnings.append(
                    f"{self.source}: ids go up to {ids[-1]}, but {len(ids)} atoms are there; J, and what a "
                    "model sees around an atom, lack those that a group leaves out, or a file of one rank "
                    "(`%`): dump all atoms, unless they were deleted or are shells"
                )
        elif np.array_equal(species.numbers, self._species.numbers):
            return self._species
        return species

    def _labels(
        self, rows: list[str], order: NDArray[np.intp] | None, types: NDArray[np.int64] | None, where: str
    ) -> list[str]:
        elements = self._options.elements
        if isinstance(elements, Mapping) and not all(str(kind).isdigit() for kind in elements):
            named = self._named_in_file(rows, order)
            if not named:
                raise UsageError(
                    f"{where}: `elements` names {', '.join(map(str, elements))}, but its types are numbers",
                    "there is no column element or typelabel with such names",
                    "give `elements` in the order of the types (e.g. Si,O)",
                )
            return elements_of(named, self._options, where)
        if elements is not None:
            if types is None:
                raise DataError(
                    f"{where}: `elements` was given, but the dump has no type column",
                    "it maps atom types to elements",
                    "dump the column type, or leave `elements` out if the dump has the column element",
                )
            table = type_map(elements)
            missing = sorted(set(types.tolist()) - set(table))
            if missing:
                raise UsageError(
                    f"{where}: no element is given for atom type {missing[0]}",
                    f"`elements` names the types {sorted(table)}",
                    f"name all types in order (`elements=Si,O`) or by number (`elements={missing[0]}=O`)",
                )
            labels = [table[kind] for kind in types.tolist()]
            if "element" in self._columns.names:  # a label may be called like an element that it is not
                _check_named(labels, self._named_in_file(rows, order), types, where)
            return labels
        labels = self._named_in_file(rows, order)
        if not labels:
            raise UsageError(
                f"{where}: its atom types have no elements",
                "the charges of an atom depend on its element, and a type is only a number",
                "give `elements` in the order of the types (e.g. Si,O), or dump the column element",
            )
        if set(labels) == {"C"} and types is not None and len(np.unique(types)) > 1:
            raise DataError(
                f"{where}: every atom is element C, although there are {len(np.unique(types))} atom types",
                "LAMMPS writes C for all types unless dump_modify element names them",
                "give `elements` in the order of the types, or use dump_modify … element …",
            )
        return labels

    def _named_in_file(self, rows: list[str], order: NDArray[np.intp] | None) -> list[str]:
        """The column element of a frame, in the order of the ids; empty without one."""
        column = self._columns.element
        if column is None:
            return []
        labels = [row.split(None, column + 1)[column] for row in rows]
        return labels if order is None else [labels[position] for position in order.tolist()]

    def _choose_units(self, stated: str | None) -> LammpsUnits:
        given = self._options.lammps_units
        if stated is None and given is None:
            raise UsageError(
                f"{self.source}: the dump does not state its units",
                "a LAMMPS dump is in the units of the run, which differ by factors of a thousand",
                "give `lammps_units` (metal, real, …), or dump with dump_modify … units yes time yes",
            )
        if stated is not None and given is not None and stated != given:
            raise UsageError(
                f"{self.source}: `lammps_units={given}`, but the file says ITEM: UNITS {stated}",
                "one of them is wrong",
                "leave `lammps_units` out, or correct the file",
            )
        return lammps_units(str(stated or given))

    def _first_header(self) -> DumpHeader:
        with self._lines() as lines:
            header = read_header(lines, place(self._path, 0))
        if header is None or not header.columns:
            raise DataError(
                f"{self.source}: no complete snapshot",
                "the file ends before ITEM: ATOMS",
                "check that the copy is complete and that this is a text dump of style custom or atom",
            )
        return header

    def _count_frames(self) -> int | None:
        """Count snapshots, and note a last one that is cut off."""
        if self._path.stat().st_size > _COUNT_LIMIT_BYTES:
            return None
        marker = b"ITEM: TIMESTEP"
        steps: list[int] = []
        times: list[bytes] = []
        n_frames, tail = 0, b""  # the tail holds everything from the last marker on
        for block in read_blocks(self._path):
            joined = tail + block
            n_frames += joined.count(marker) - tail.startswith(marker)
            start = max(0, joined.rfind(marker))
            steps += map(int, _STEP.findall(joined[:start]))
            times += _TIME.findall(joined[:start])
            tail = joined[start:]
        steps += map(int, _STEP.findall(tail))
        lines = iter(tail.decode("utf-8", "replace").splitlines(keepends=True))
        header = read_header(lines, self.source)
        if header is None or not header.columns or is_cut(list(islice(lines, header.n_atoms)), header):
            n_frames -= 1
            self._note_cut(n_frames)
        return self._without_repeated(steps[:n_frames], times[:n_frames], n_frames)

    def _without_repeated(self, steps: Sequence[int], times: Sequence[bytes | float], n_frames: int) -> int:
        """Find the frames that a restart wrote again, and return how many there are without them."""
        if len(steps) < n_frames:
            return n_frames
        repeated = repeated_frames(steps, lambda index: next(self.read(index, 1)))
        if n_frames and len(times) == n_frames:
            self._carried = _carried(times, steps, ~repeated)
        if not repeated.any():
            return n_frames
        self._repeated = repeated
        self.warnings.append(said_of(repeated, self.source))
        return n_frames - int(repeated.sum())

    def _note_cut(self, index: int) -> None:
        message = f"{place(self._path, index)} is cut off and was left out"
        if message not in self.warnings:
            self.warnings.append(message)


def _carried(
    times: Sequence[bytes | float], steps: Sequence[int], kept: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What to add to the times of the frames that are kept; nothing where one is no number."""
    try:
        return carried_times(np.array(times, dtype=np.float64)[kept], np.array(steps)[kept])
    except ValueError:
        return np.zeros(0)


def _check_named(labels: list[str], named: list[str], types: NDArray[np.int64], where: str) -> None:
    """Refuse elements that contradict the column element, unless that has one name for all (C by default)."""
    from ase.data import atomic_numbers

    if len(set(named)) < 2:
        return
    numbers = atomic_numbers | {label: number for label, (number, _) in ISOTOPES.items()} | {SITE: None}
    for atom, (given, stated) in enumerate(zip(labels, named, strict=True)):
        known = numbers.get(given), numbers.get(stated)
        if None not in known and known[0] != known[1]:
            raise UsageError(
                f"{where}: `elements` names atom type {types[atom]} {given}, but its column element says "
                f"{stated}",
                "the charge of an atom follows its element, so charges would go to the wrong atoms",
                "leave `elements` out to use the column, or correct the order of the types; if the column is "
                "wrong, correct it in the file",
            )


def type_map(elements: Sequence[str] | Mapping[int, str] | Mapping[str, str]) -> dict[int, str]:
    """Element by atom type, from a mapping or from a list in the order of the types 1, 2, …"""
    if isinstance(elements, Mapping):
        return {int(kind): symbol for kind, symbol in elements.items()}
    if isinstance(elements, str):
        elements = [word for word in elements.replace(",", " ").split() if word]
    return dict(enumerate(elements, start=1))


def read_header(lines: Iterator[str], where: str) -> DumpHeader | None:
    """Items up to ``ITEM: ATOMS``; None at the end of the file, no columns if it ends in between."""
    header = DumpHeader()
    started = False
    last = ""

    def following() -> Iterator[str]:
        """The next line."""
        nonlocal last
        for line in lines:
            last = line
            yield line

    own = following()
    try:
        for line in own:
            item = line.strip()
            if not item:
                continue
            started = True
            if item == "ITEM: UNITS":
                header.units = next(own).strip()
            elif item == "ITEM: TIME":
                header.time = float(next(own))
                if not np.isfinite(header.time):
                    raise ValueError(f"a time of {header.time}")
            elif item == "ITEM: TIMESTEP":
                header.step = int(next(own))
            elif item == "ITEM: NUMBER OF ATOMS":
                header.n_atoms = int(next(own))
                if header.n_atoms < 1:
                    raise ValueError(f"{header.n_atoms} atoms")
            elif item.startswith("ITEM: BOX BOUNDS"):
                header.box_header = item
                header.box_rows = (next(own), next(own), next(own))
            elif item.startswith("ITEM: ATOMS"):
                if header.n_atoms < 1:
                    raise ValueError("no number of atoms stands above its atoms")
                header.columns = tuple(item.split()[2:])
                return header
            else:
                raise ValueError(item[:60])
    except StopIteration:
        return header
    except ValueError as error:
        if not last.endswith("\n"):  # the file ends inside this line
            return replace(header, columns=())
        raise DataError(
            f"{where}: its header cannot be read: {error}",
            "a snapshot consists of ITEM: TIMESTEP, NUMBER OF ATOMS, BOX BOUNDS and ATOMS",
            "check that this is a text dump of style custom or atom, complete from its first line",
        ) from None
    return header if started else None


def is_cut(rows: list[str], header: DumpHeader) -> bool:
    """Whether rows or columns of a snapshot are missing (LAMMPS ends every row with a line end)."""
    if len(rows) < header.n_atoms:
        return True
    last = rows[header.n_atoms - 1]
    return not last.endswith("\n") and len(last.split()) <= len(header.columns)


def _box(header: DumpHeader, where: str) -> DumpBox:
    try:
        return parse_box(header.box_header, np.array([row.split() for row in header.box_rows], dtype=float))
    except ValueError as error:
        raise DataError(
            f"{where}: box {header.box_header!r} cannot be read: {error}",
            "the box gives the volume and the periodic images",
            "check the three lines below ITEM: BOX BOUNDS",
        ) from None


def _values(rows: list[str], columns: DumpColumns, where: str) -> NDArray[np.float64]:
    try:
        if len(rows[0].split()) != len(columns.names):
            raise ValueError(f"{len(rows[0].split())} columns in the first row")
        return np.loadtxt(rows, usecols=columns.used, comments=None, ndmin=2)
    except ValueError as error:
        raise DataError(
            f"{where}: its rows cannot be read: {error}",
            f"ITEM: ATOMS announces the columns {' '.join(columns.names)}",
            "check the rows of this frame, or cut the file before it with `stop`",
        ) from None


def _whole(values: NDArray[np.float64], name: str, where: str) -> NDArray[np.int64]:
    """Ids or types as integers."""
    usable = np.isfinite(values) & (np.abs(values) < 2.0**53)
    if not usable.all() or not np.array_equal(values, np.rint(values)):
        row = int(np.argmin(usable & (values == np.rint(values))))
        raise DataError(
            f"{where}: {name} of row {row} is {values[row]:g}",
            "ids and types are integers",
            "check the rows of this frame, or cut the file before it with `stop`",
        )
    return values.astype(np.int64)


def _positions(values: NDArray[np.float64], columns: DumpColumns, box: DumpBox) -> NDArray[np.float64]:
    """Positions in the length unit of the file, unwrapped when the file allows it."""
    positions = values[:, columns.of(columns.positions)]
    if columns.scaled:
        positions = box.origin + positions @ box.cell
    if columns.images:
        positions = positions + values[:, columns.of(columns.images)] @ box.cell
    return np.ascontiguousarray(positions)


def _check_ids(expected: NDArray[np.int64], found: NDArray[np.int64], where: str) -> None:
    if len(expected) != len(found) or np.array_equal(expected, found):
        return  # a changed number of atoms is reported by the check of frames
    atom = int(np.flatnonzero(expected != found)[0])
    raise DataError(
        f"{where}: atom id {int(found[atom])} where the first frame has {int(expected[atom])}",
        "a current is a sum over the same atoms at all times",
        "dump a group whose atoms do not change",
    )
