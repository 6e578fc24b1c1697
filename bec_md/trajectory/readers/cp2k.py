"""CP2K's ``PROJECT-pos-1.xyz``, with ``-vel-1.xyz`` and ``-1.cell`` beside it.

The comment is ``i = STEP, time = FS, E = HARTREE``; positions are in Å, velocities in bohr E_h/ħ, both
unless the input chose other units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.xyz import Comment, Dialect, XyzReader

_COMMENT = re.compile(r"\s*i\s*=\s*(?P<step>\d{1,18})\s*,(?:\s*time\s*=\s*(?P<time>[-+\d.eE]{1,40})\s*,?)?")
_NAME = re.compile(r"(?P<project>.*)-pos-(?P<run>[^-]*)\.xyz", re.DOTALL)


def is_cp2k(comment: str) -> bool:
    """Whether CP2K wrote this comment."""
    return _COMMENT.match(comment) is not None


def open_cp2k(path: Path, options: ReadOptions) -> XyzReader:
    """Open the positions of a run of CP2K.

    Raises
    ------
    UsageError
        If its velocities or forces are named, which look the same.
    """
    other = re.search(r"-(vel|frc|force)-", path.name)
    if other is not None:
        raise UsageError(
            f"{path.name}: {'velocities' if other[1] == 'vel' else 'forces'} of a run, not its positions",
            "CP2K writes both in the same form",
            f"name the positions, {path.name.replace(other[0], '-pos-')}; velocities beside them are found",
        )
    return XyzReader(path, options, CP2K)


def _read_comment(comment: str) -> Comment:
    found = _COMMENT.match(comment)
    if found is None:
        raise ValueError(f"comment {comment.strip()[:60]!r} is not i = …, time = …")
    return Comment(int(found["step"]), None if found["time"] is None else float(found["time"]))


def _read_cells(lines: Iterator[str]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Rows ``step time Ax Ay Az Bx … Cz volume``."""
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 11:  # cut off: the step it would belong to is missing
            return
        yield int(words[0]), np.array(words[2:11], dtype=np.float64).reshape(3, 3)


def _beside(name: str, replacement: str) -> str | None:
    found = _NAME.fullmatch(name)
    return None if found is None else replacement.format(**found.groupdict())


CP2K = Dialect(
    name="cp2k",
    read=_read_comment,
    velocity_units=VelocityUnits("atomic", VELOCITY_UNITS["atomic"], assumed=True),
    velocity_name=lambda name: _beside(name, "{project}-vel-{run}.xyz"),
    cell_name=lambda name: _beside(name, "{project}-{run}.cell"),
    read_cells=_read_cells,
)
