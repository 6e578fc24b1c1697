"""i-PI's XYZ: cell, step and units in the comment, velocities in ``….vel_0.xyz`` beside ``….pos_0.xyz``.

``# CELL(abcABC): a b c α β γ  Step: n  Bead: k  positions{angstrom}  cell{atomic_unit}``: units stand in
braces, atomic units where there are none. Centroids (``x_centroid``, ``v_centroid``) are read alike.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.files import open_text
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.cells import cell_from_parameters
from bec_md.trajectory.readers.xyz import Comment, Dialect, XyzReader
from bec_md.units import ATOMIC_VELOCITY_ANG_FS, BOHR_ANG

_CELL = re.compile(
    r"CELL[({](?P<kind>abcABC|GENH|H)[)}]:\s*(?P<numbers>(?:[-+\d.eE]{1,40}\s+){5,8}[-+\d.eE]{1,40})"
)
_STEP = re.compile(r"Step:\s*(\d{1,18})")
_UNIT = re.compile(
    r"\b(?P<what>positions|velocities|momenta|cell|x_centroid|v_centroid)(?:\{(?P<unit>[^}\s]{0,40})\})?"
)
_BEAD = re.compile(r"Bead:\s*(\d{1,6})")
_OF_BEADS = re.compile(r"(.*_)(\d{1,6})(\..*)", re.DOTALL)
_OTHER = re.compile(r"\b(velocities|momenta|forces|v_centroid|p_centroid|f_centroid)\b")
_LENGTHS = {
    "": BOHR_ANG,
    "atomic_unit": BOHR_ANG,
    "automatic": BOHR_ANG,
    "angstrom": 1.0,
    "ase": 1.0,
    "nanometer": 10.0,
}
_VELOCITIES = {
    "": ATOMIC_VELOCITY_ANG_FS, "atomic_unit": ATOMIC_VELOCITY_ANG_FS, "automatic": ATOMIC_VELOCITY_ANG_FS,
    "angstrom/ps": 1e-3, "m/s": 1e-5, "ase": VELOCITY_UNITS["ase"],
}  # fmt: skip
#: What i-PI calls positions and velocities in names of files.
_BESIDE = (("pos_", "vel_"), ("xc.", "vc."), ("x_centroid", "v_centroid"))


def is_ipi(comment: str) -> bool:
    """Whether i-PI wrote this comment."""
    return comment.lstrip().startswith("#") and _CELL.search(comment) is not None


def open_ipi(path: Path, options: ReadOptions) -> XyzReader:
    """Open positions that i-PI wrote.

    Raises
    ------
    UsageError
        If velocities, momenta or forces are named, which look the same.
    """
    with open_text(path) as lines:
        comment = next(islice(lines, 1, 2), "")
    other = _OTHER.search(comment)
    if other is not None:
        raise UsageError(
            f"{path.name}: {other[1]} of a run, not its positions",
            "i-PI writes them in the same form",
            "name the positions (….pos_0.xyz); velocities beside them are found",
        )
    reader = XyzReader(path, options, IPI)
    reader.warnings += bead_warnings(path, comment)
    return reader


def bead_warnings(path: Path, comment: str) -> list[str]:
    """What is to be said of the file of one bead of several, whose first frame has this comment."""
    beads = _beads(path, comment)
    return (
        []
        if beads < 2
        else [
            f"{path.name} is one of {beads} beads of ring polymers: it moves with the frequencies of the "
            "springs between beads as well, and has as many times the temperature of the run; J belongs to "
            "the mean over the beads, with the temperature given (docs/howto/path_integrals.md)"
        ]
    )


def _beads(path: Path, comment: str) -> int:
    """Number of beads, by the files beside that of one (``….pos_0.xyz``) and by its own number."""
    bead, name = _BEAD.search(comment), _OF_BEADS.fullmatch(path.name)
    if bead is None or "x_centroid" in comment:
        return 1
    own, beside = int(bead[1]), 0
    if name is not None and int(name[2]) == own:
        found = ((other, _OF_BEADS.fullmatch(other.name)) for other in path.parent.iterdir())
        alike = ((other, its) for other, its in found if its and its.group(1, 3) == name.group(1, 3))
        beside = sum(_bead_in(other) == int(its[2]) for other, its in alike)
    return max(beside, 1 + own)


def _bead_in(path: Path) -> int | None:
    """Number of the bead that a file is of, if it says one: replicas have such names, too."""
    if not path.is_file():
        return None
    with open_text(path) as lines:
        bead = _BEAD.search(next(islice(lines, 1, 2), ""))
    return None if bead is None else int(bead[1])


@lru_cache(maxsize=8)
def _cell_and_units(comment: str) -> tuple[NDArray[np.float64], float, VelocityUnits | None]:
    """Cell in Å, factor of positions to Å, units of velocities, of a comment without its step."""
    found = _CELL.search(comment)
    if found is None:
        raise ValueError(f"comment {comment.strip()[:60]!r} has no CELL")
    units = {match["what"]: (match["unit"] or "").lower() for match in _UNIT.finditer(comment)}
    if "momenta" in units:
        raise ValueError("it holds momenta; let i-PI write velocities")
    numbers = np.array(found["numbers"].split(), dtype=np.float64)
    factor = _known(units.get("cell", ""), _LENGTHS, "cell")
    if found["kind"] == "abcABC":
        cell = cell_from_parameters(numbers[:3] * factor, numbers[3:6])
    else:  # lattice vectors are the columns of i-PI's matrix
        cell = numbers.reshape(3, 3).T * factor
    velocity = next((units[name] for name in ("velocities", "v_centroid") if name in units), None)
    length = next((units[name] for name in ("positions", "x_centroid") if name in units), "")
    known = None
    if velocity is not None:
        name = f"{velocity or 'atomic_unit'} of i-PI"
        known = VelocityUnits(name, _known(velocity, _VELOCITIES, "velocities"), assumed=False)
    return np.asarray(cell, dtype=np.float64), _known(length, _LENGTHS, "positions"), known


def _known(unit: str, table: dict[str, float], what: str) -> float:
    if unit not in table:
        raise ValueError(f"{what} in {{{unit}}}: known are {', '.join(name for name in table if name)}")
    return table[unit]


def _read_comment(comment: str) -> Comment:
    step = _STEP.search(comment)
    cell, length, velocity = _cell_and_units(_STEP.sub("", comment))
    return Comment(None if step is None else int(step[1]), None, cell, length, velocity)


def _velocity_name(name: str) -> str | None:
    return next((name.replace(old, new) for old, new in _BESIDE if old in name), None)


IPI = Dialect(name="i-pi", read=_read_comment, velocity_name=_velocity_name)
