"""LAMMPS `dump yaml`: every snapshot is rewritten line by line as one of a text dump, and read as such."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from bec_md.files import open_text
from bec_md.trajectory.lammps_dump import LammpsDumpReader, is_cut, read_header
from bec_md.trajectory.readers.text import COUNT_LIMIT_BYTES


def is_yaml_dump(lines: list[str]) -> bool:
    """Whether lines begin like a dump of style yaml."""
    return lines[:2] == ["---", "creator: LAMMPS"]


class LammpsYamlReader(LammpsDumpReader):
    """Snapshots of a dump of style yaml."""

    format = "lammps-yaml"

    @contextmanager
    def _lines(self) -> Iterator[Iterator[str]]:
        with open_text(self._path) as lines:
            yield as_text_dump(lines)

    def _count_frames(self) -> int | None:
        if self._path.stat().st_size > COUNT_LIMIT_BYTES:
            return None
        steps: list[int] = []
        times: list[float] = []
        with self._lines() as lines:
            while (header := read_header(lines, self.source)) is not None:
                rows = list(islice(lines, header.n_atoms))
                if not header.columns or is_cut(rows, header):
                    self._note_cut(len(steps))
                    break
                steps.append(header.step or 0)
                times += [header.time] if header.time is not None else []
        return self._without_repeated(steps, times, len(steps))


def as_text_dump(lines: Iterator[str]) -> Iterator[str]:
    """Lines of a text dump with the same content."""
    boundary = ["pp"] * 3
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("timestep", "time", "units"):
            yield f"ITEM: {key.upper()}\n"
            yield f"{value}\n"
        elif key == "natoms":
            yield "ITEM: NUMBER OF ATOMS\n"
            yield f"{value}\n"
        elif key == "boundary":
            flags = _items(value)
            boundary = ["".join(flags[axis : axis + 2]) for axis in (0, 2, 4)]
        elif key == "box":
            bounds = [_items(row) for row in islice(lines, 3)]
            following = next(lines, "")
            tilted = following.lstrip().startswith("-")
            if tilted:
                bounds = [[*pair, tilt] for pair, tilt in zip(bounds, _items(following), strict=False)]
            yield f"ITEM: BOX BOUNDS {'xy xz yz ' if tilted else ''}{' '.join(boundary)}\n"
            yield from (f"{' '.join(row)}\n" for row in bounds)
            columns = next(lines, "") if tilted else following
            if columns.startswith("keywords:") and columns.rstrip().endswith("]"):
                yield f"ITEM: ATOMS {' '.join(_items(columns.partition(':')[2]))}\n"
        elif key == "keywords":
            yield f"ITEM: ATOMS {' '.join(_items(value))}\n"
        elif line.lstrip().startswith("- [") and _is_row(line):
            whole = line.rstrip().endswith("]")
            yield " ".join(_items(line)) + "\n" * whole


def _is_row(line: str) -> bool:
    """Whether a list is a row of atoms, and none of ``keywords`` or ``data`` of the thermodynamic output."""
    return "keywords" not in line and "data" not in line


def _items(text: str) -> list[str]:
    """Items of ``- [ a, b, ]``."""
    return text.strip().lstrip("- ").strip("[] \n").replace(",", " ").split()
