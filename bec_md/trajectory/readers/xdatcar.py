"""VASP's XDATCAR of all versions: positions in fractions of the cell, NBLOCK steps apart.

VASP writes the header of a POSCAR (comment, scale, three vectors, elements from version 5 on, numbers of
atoms), then a frame after every line ``Direct configuration= N``, ``Konfig= N`` or, up to version 5.2, after
a blank line; with a changing cell the header is repeated before every frame, and a restart appends one.
Version 4 has a header of its own without cell. Numbers have a fixed width, so that negative ones touch.

SIESTA's ``SYSTEM.MD_CAR`` has that form with a header before every frame, but its rows follow the input: the
numbers of atoms of its kinds do not tell which row is of which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.structure.species import Species, element_of_potential, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.given import (
    elements_in_order,
    elements_of,
    refuse_given_cell,
    required_cell,
)
from bec_md.trajectory.readers.text import CutFrameError, TextReader, floats, take, vector3
from bec_md.trajectory.runs import follows

_MARKER = re.compile(r"\s*(direct|cartesian|konfig)", re.IGNORECASE)
_OF_SIESTA = re.compile(r"\s*---.*---\s*$")
_COUNTER = re.compile(r"=\s*(\d{1,18})")
#: A minus sign after a digit begins a number of its own.
_TOUCHING = re.compile(r"(?<=\d)-")
#: Kinds of atoms in a line of the header.
_PER_LINE = 20


@dataclass(frozen=True)
class Header:
    """What stands above the frames: cell (None in version 4), labels of the kinds (none there, of SIESTA)."""

    comment: str
    cell_ang: NDArray[np.float64] | None
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    potim_fs: float | None = None

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.counts)


@dataclass(frozen=True)
class Configuration:
    """Lines of one frame and the header that is in force."""

    header: Header
    rows: list[str]
    counter: int | None
    cartesian: bool


class XdatcarReader(TextReader[Configuration]):
    """Frames of an XDATCAR."""

    format = "xdatcar"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        header = self.first().header
        self._cell = None
        if header.cell_ang is None:
            self._cell = required_cell(options, self.source, "XDATCAR of VASP 4")
        else:
            refuse_given_cell(options, self.source)
        self._kinds = header
        self.notes = ["positions in fractions of the cell"]
        counters = [block.counter for block in islice(self._whole_blocks(), 2)]
        if None not in counters and len(counters) == 2 and counters[1] - counters[0] > 1:  # type: ignore[operator]
            n_block = counters[1] - counters[0]  # type: ignore[operator]
            self.notes.append(
                f"numbered in steps of {n_block}: NBLOCK = {n_block}, the time between frames is "
                f"NBLOCK × POTIM"
            )
        if header.potim_fs is not None:
            self.notes.append(f"POTIM = {header.potim_fs:g} fs, the time between frames is NBLOCK × POTIM")

    def blocks(self, lines: Iterator[str]) -> Iterator[Configuration]:
        """Cut the file into frames; the counter of an appended run goes on where its motion does.

        Where that does not, or frames lie too far apart to tell, it begins anew, which is refused later.
        """
        before: list[Configuration] = []
        shift, index = 0, 0
        configurations = self._configurations(lines)
        held, cut = next(configurations, None), None
        while held is not None:
            try:
                after = next(configurations, None)
                if after is not None and _begins_again(held, after):
                    after = next(configurations, None)
            except (CutFrameError, ValueError, IndexError, OverflowError) as error:
                after, cut = None, error
            if before and after is not None:
                shift += self._missing_steps([*before, held, after], index)
            yield held if held.counter is None else replace(held, counter=held.counter + shift)
            if cut is not None:
                raise cut
            before, held, index = [*before, held][-2:], after, index + 1

    def _missing_steps(self, four: Sequence[Configuration], index: int) -> int:
        """What to add to the counter from the third of four frames on, if it is of an appended run."""
        counters = [block.counter for block in four if block.counter is not None]
        if len(counters) < 4 or not counters[0] < counters[1] >= counters[2] < counters[3]:
            return 0
        try:
            frames = [self.parse(block, index, self.source) for block in four]
        except (ValueError, IndexError, OverflowError):  # raised where the frame is wanted
            return 0
        if len({len(frame.numbers) for frame in frames}) > 1 or not follows(*frames):
            return 0
        said = f"{place(self.source, index)} counts anew and continues the frames before it: read as one run"
        if said not in self.warnings:
            self.warnings.append(said)
        return 2 * counters[1] - counters[0] - counters[2]

    def _configurations(self, lines: Iterator[str]) -> Iterator[Configuration]:
        """Cut the file at its markers, blank lines and repeated headers."""
        header = _read_header(lines)
        marked = False
        for line in lines:
            marker = _MARKER.match(line) if line != header.comment else None
            counter = None
            if marker is not None:
                marked = True
                found = _COUNTER.search(line)
                counter = None if found is None else int(found[1])
                rows = take(lines, header.n_atoms)
            elif not line.strip():
                continue
            elif marked or not _is_row(line):
                blank_comment = not header.comment.strip()
                header = _read_header(chain(["\n", line] if blank_comment else [line], lines))
                continue
            else:
                rows = take(chain([line], lines), header.n_atoms)
            cartesian = marker is not None and marker[1].lower() == "cartesian"
            yield Configuration(header, rows, counter, cartesian)

    def parse(self, block: Configuration, index: int, where: str) -> Frame:
        """Read the positions of a frame."""
        try:
            values = floats(block.rows, (0, 1, 2))
        except ValueError:
            values = floats([_TOUCHING.sub(" -", row) for row in block.rows], (0, 1, 2))
        cell = self._cell if block.header.cell_ang is None else block.header.cell_ang
        assert cell is not None
        species = self._species_of(block.header, where)
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=values if block.cartesian else values @ cell,
            cell_ang=cell,
            pbc=np.ones(3, dtype=bool),
            step=block.counter,
        )

    def _species_of(self, header: Header, where: str) -> Species:
        same = (header.kinds, header.counts) == (self._kinds.kinds, self._kinds.counts)
        if same and self.species is not None:
            return self.species
        if header.kinds:
            named = elements_of(header.kinds, self.options, where)
            labels = [name for name, n in zip(named, header.counts, strict=True) for _ in range(n)]
        else:
            labels = elements_in_order(header.n_atoms, self.options, where)
            found = sorted(Counter(labels).values())
            if len(found) == len(header.counts) > 1 and found != sorted(header.counts):
                raise UsageError(
                    f"{where}: `elements` name {', '.join(map(str, found))} atoms of a kind, its header has "
                    f"{', '.join(map(str, sorted(header.counts)))}",
                    "its rows have no labels, so every one needs its element",
                    "give `elements` in the order of the input, e.g. `elements=O,H2,O,H2`",
                )
        species = resolve_species(labels, place=where, masses=self.options.masses)
        if same:
            self.species = species
        return species


def _begins_again(last: Configuration, first: Configuration) -> bool:
    """Whether a counter begins anew with the positions that it ended with: those that a run went on from."""
    if last.counter is None or first.counter is None or first.counter > last.counter:
        return False
    return last.rows == first.rows


def _read_header(lines: Iterator[str]) -> Header:
    """Header of a POSCAR, or that of version 4."""
    head = list(islice(lines, 6))
    if len(head) < 6:
        raise CutFrameError
    numbers = head[1].split()
    if len(numbers) == 5 and head[3].strip() == "CAR":
        return Header(head[4], None, (), (int(head[0].split()[0]),), potim_fs=float(numbers[4]) * 1e15)
    cell = _scaled(np.array([vector3(_TOUCHING.sub(" -", line)) for line in head[2:5]]), numbers)
    kinds = head[5].split()
    if all(word.isdigit() for word in kinds):  # VASP 4's POSCAR has no elements
        counts = kinds
        kinds = [str(kind) for kind in range(1, len(counts) + 1)]
        if _OF_SIESTA.match(head[0]):
            return Header(head[0], cell, (), tuple(map(int, counts)))
    else:
        kinds = [element_of_potential(kind) for kind in kinds]
        counts = next(lines, "").split()
        while counts and not counts[0].isdigit() and len(kinds) % _PER_LINE == 0:  # names of further kinds
            kinds += [element_of_potential(kind) for kind in counts]
            counts = next(lines, "").split()
        while 0 < len(counts) < len(kinds) and len(counts) % _PER_LINE == 0:
            counts += next(lines, "none").split()
    if not counts:
        raise CutFrameError
    if len(kinds) != len(counts) or not all(word.isdigit() and len(word) < 10 for word in counts):
        raise ValueError(f"the header names {len(kinds)} elements and {' '.join(counts)[:60]!r} atoms")
    return Header(head[0], cell, tuple(kinds), tuple(map(int, counts)))


def _scaled(cell: NDArray[np.float64], words: list[str]) -> NDArray[np.float64]:
    """Cell times the scale of the header: one factor, one per axis, or minus the volume."""
    scale = np.array(words, dtype=np.float64)
    if scale.shape == (1,) and scale[0] < 0:
        return cell * float(np.cbrt(-scale[0] / abs(np.linalg.det(cell))))
    if scale.shape not in ((1,), (3,)):
        raise ValueError(f"the scale {' '.join(words)[:60]!r} is neither one number nor three")
    return cell * scale


def _is_row(line: str) -> bool:
    """Whether a line begins with three numbers."""
    try:
        return vector3(_TOUCHING.sub(" -", line)).shape == (3,)
    except ValueError:
        return False


def is_xdatcar(name: str, lines: list[str]) -> bool:
    """Whether a file is an XDATCAR, by a marker below its header or by its name."""
    marked = any(line.startswith(("Direct configuration=", "Konfig=")) for line in lines[:10])
    return marked or "XDATCAR" in name or "MD_CAR" in name
