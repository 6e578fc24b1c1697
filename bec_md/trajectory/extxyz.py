"""Trajectories in extended XYZ: frames one at a time, a last one that is cut off left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from bec_md.errors import DataError
from bec_md.files import fingerprint, open_text, read_blocks
from bec_md.structure import Frame
from bec_md.structure.comment import CELL_KEYS, parse_number
from bec_md.structure.extxyz import ExtxyzParser, next_count
from bec_md.structure.names import TIME_KEYS, TIMESTEP_KEYS, VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.given import elements_of, given_cell, refuse_given_cell
from bec_md.trajectory.readers.ipi import bead_warnings
from bec_md.trajectory.readers.text import ends_early

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
        self._parser = ExtxyzParser(
            charges_key=options.charges_key,
            transposed=True if options.charges_transposed else None,
            masses=options.masses,
            velocity_units=options.velocity_units,
            velocities=options.need_velocities,
            cell_ang=given_cell(options),
            rename=lambda labels, where: elements_of(labels, options, where),
            by_id=True,
            warnings=self.warnings,
        )
        self.velocity_units: VelocityUnits | None = None
        self.timestep_fs = None
        self.n_frames = self._count_frames()
        self._inspect_first_frame(options.need_cell)

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, … of the file."""
        with open_text(self._path) as lines:
            for index in count():
                where = place(self._path, index)
                n_atoms = next_count(lines, where)
                if n_atoms is None:
                    return
                if index < start or (index - start) % stride:
                    deque(islice(lines, n_atoms + 1), maxlen=0)
                    continue
                comment, rows = next(lines, ""), list(islice(lines, n_atoms))
                if len(rows) < n_atoms or ends_early(rows):
                    self._note_cut(index)
                    return
                yield self._parser.parse(comment, rows, index, where)

    def _inspect_first_frame(self, need_cell: bool) -> None:
        """Fix the units of velocities and the time step from the comment of the first frame wanted."""
        comment = self._comment_of(self._options.first_frame(self.n_frames))
        pairs = self._parser.pairs(comment)
        if "ipi_comment" in pairs:
            self.warnings += bead_warnings(self._path, comment)
        self._parser.cell_required = need_cell or "pbc" not in pairs  # a molecule says that nothing repeats
        self.velocity_units = self._parser.units_of_velocities(comment, self.source)
        if self._parser.layout(comment, self.source).ids is not None:
            self.notes.append("atoms sorted by their id")
        if any(key in pairs for key in CELL_KEYS):
            refuse_given_cell(self._options, self.source)
        if self.velocity_units is not None:
            name = self._parser.layout(comment, self.source).velocity_name
            self.notes.append(f"velocities from column {name}")
        self.timestep_fs = parse_number(pairs, TIMESTEP_KEYS, self.source, positive=True)
        unitless = [key for key in ("timestep", "dt") if key in pairs]
        has_time = self.timestep_fs is not None or any(key in pairs for key in TIME_KEYS)
        if unitless and not has_time:
            self.notes.append(f"{unitless[0]}= in the comment states no unit and is not used")

    def _comment_of(self, wanted: int) -> str:
        """Comment of a frame by number, of the last one if there are fewer."""
        comment = ""
        with open_text(self._path) as lines:
            for index in range(wanted + 1):
                n_atoms = next_count(lines, place(self._path, index))
                if n_atoms is None:
                    break
                comment = next(lines, "")
                deque(islice(lines, n_atoms if index < wanted else 0), maxlen=0)
        return comment

    def _count_frames(self) -> int | None:
        """Count frames by lines, and note a last one that is cut off."""
        if self._path.stat().st_size > _COUNT_LIMIT_BYTES:
            return None
        with open_text(self._path) as lines:
            n_atoms = next_count(lines, place(self._path, 0)) or 0
        n_lines, last = _count_lines(self._path)
        frames, rest = divmod(n_lines, n_atoms + 2)
        if rest == 0 and n_atoms > 1 and ends_early(last):
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
            while (n_atoms := next_count(lines, place(path, frames))) is not None:
                if sum(1 for _ in islice(lines, n_atoms + 1)) < n_atoms + 1:
                    return frames, True
                frames += 1
        except DataError:  # said with its place when the frame is read
            pass
    return frames, False


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
