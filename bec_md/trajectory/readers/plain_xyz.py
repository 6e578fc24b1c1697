"""XYZ files without a cell: DFTB+ ``geo_end.xyz``, LAMMPS `dump xyz`, and plain XYZ of any program."""

from __future__ import annotations

import re
from pathlib import Path

from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.xyz import Comment, Dialect, XyzReader

_MD_ITERATION = re.compile(r"\s*MD iter:\s*(\d{1,18})")
_LAMMPS = re.compile(r"\s*Atoms\. Timestep:\s*(\d{1,18})(?:\s+Time:\s*[-+\d.eE]{1,40})?")


def is_dftb(comment: str) -> bool:
    """Whether DFTB+ wrote this comment of a step of molecular dynamics."""
    return _MD_ITERATION.match(comment) is not None


def open_dftb(path: Path, options: ReadOptions) -> XyzReader:
    """Open ``geo_end.xyz`` of DFTB+: label, position in Å, charge if there is one, velocity in Å/ps."""
    return XyzReader(path, options, DFTB)


def open_plain(path: Path, options: ReadOptions) -> XyzReader:
    """Open any other XYZ file; `cell_ang` gives the cell, `velocities` the file with the velocities."""
    return XyzReader(path, options, PLAIN)


def _step_by(pattern: re.Pattern[str], comment: str) -> Comment:
    found = pattern.match(comment)
    return Comment() if found is None else Comment(step=int(found[1]))


DFTB = Dialect(
    name="dftb+",
    read=lambda comment: _step_by(_MD_ITERATION, comment),
    velocity_units=VelocityUnits("ang/ps", VELOCITY_UNITS["ang/ps"], assumed=True),
    velocity_column=lambda n_columns: {7: 4, 8: 5}.get(n_columns),
)
PLAIN = Dialect(name="plain-xyz", read=lambda comment: _step_by(_LAMMPS, comment))
