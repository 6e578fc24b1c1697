"""XYZ files without a cell: DFTB+ ``geo_end.xyz``, LAMMPS `dump xyz`, and plain XYZ of any program."""

from __future__ import annotations

import re
from pathlib import Path

from bec_md.errors import UsageError
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.xyz import Comment, Dialect, XyzReader
from bec_md.units import BOHR_ANG

_MD_ITERATION = re.compile(r"\s*MD iter:\s*(\d{1,18})")
#: "Atoms. Timestep: 10" (LAMMPS), "Step 10, t=5.00 fs" (ORCA), "time = 1.5 ps": a time counts with its unit,
#: and "time step 0.5 fs" is none.
_STEP = re.compile(r"\b(?:time)?step\b\s*[:=]?\s*(\d{1,18}+)(?!\.\d|\s*\(?\s*[fp]s\b)", re.IGNORECASE)
_TIME = re.compile(r"\bt(?:ime)?\s*[:=]\s*([-+\d.eE]{1,40})\s*\(?\s*(fs|ps)\b", re.IGNORECASE)
_VELOCITY = re.compile(r"\bang(?:strom)?\s*/\s*(fs|ps)\b", re.IGNORECASE)
_BOHR = re.compile(r"\b(?:units?|coordinates|positions|lengths?)\b[^,;/]{0,12}\bbohr\b", re.IGNORECASE)
_FS = {"fs": 1.0, "ps": 1e3}


def is_dftb(comment: str) -> bool:
    """Whether DFTB+ wrote this comment of a step of molecular dynamics."""
    return _MD_ITERATION.match(comment) is not None


def open_dftb(path: Path, options: ReadOptions) -> XyzReader:
    """Open ``geo_end.xyz`` of DFTB+: label, position in Å, charge if there is one, velocity in Å/ps."""
    return XyzReader(path, options, DFTB)


def open_plain(path: Path, options: ReadOptions) -> XyzReader:
    """Open any other XYZ file; `cell_ang` gives the cell, `velocities` the file with the velocities.

    Raises
    ------
    UsageError
        If it holds velocities.
    """
    reader = XyzReader(path, options, PLAIN)
    if _read_plain(reader.first().comment).velocity is not None:
        raise UsageError(
            f"{path.name}: velocities of a run, not its positions",
            "its comment states a unit of velocity",
            "name the positions, and this file by `velocities`",
        )
    return reader


def _step_by(pattern: re.Pattern[str], comment: str) -> Comment:
    found = pattern.match(comment)
    return Comment() if found is None else Comment(step=int(found[1]))


def _read_plain(comment: str) -> Comment:
    step, time, velocity = _STEP.search(comment), _TIME.search(comment), _VELOCITY.search(comment)
    units = f"ang/{velocity[1].lower()}" if velocity else ""
    return Comment(
        step=int(step[1]) if step else None,
        length_ang=BOHR_ANG if _BOHR.search(comment) else 1.0,
        time_fs=float(time[1]) * _FS[time[2].lower()] if time else None,
        velocity=VelocityUnits(units, VELOCITY_UNITS[units], assumed=False) if velocity else None,
    )


DFTB = Dialect(
    name="dftb+",
    read=lambda comment: _step_by(_MD_ITERATION, comment),
    velocity_units=VelocityUnits("ang/ps", VELOCITY_UNITS["ang/ps"], assumed=True),
    velocity_column=lambda n_columns: {7: 4, 8: 5}.get(n_columns),
)
PLAIN = Dialect(name="plain-xyz", read=_read_plain)
