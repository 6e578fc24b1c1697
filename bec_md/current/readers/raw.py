"""What a reader finds in a file of another code, and what the user adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["current", "dipole"]


@dataclass(frozen=True)
class SeriesOptions:
    """What a file of another code may not say about itself.

    Parameters
    ----------
    format
        ``"npy"``, ``"npz"``, ``"gpumd-dpdt"``, ``"gpumd-dipole"``, ``"lammps-log"``, ``"lammps-ave-time"``,
        ``"cp2k"`` or ``"columns"``; recognized by content when not given.
    units
        Units of the numbers, e.g. ``"e*ang/fs"``, ``"e*ang/ps"``, ``"debye"``, ``"e*bohr"``. They also tell a
        current (per time) from a dipole moment.
    columns
        Names, or numbers counted from 1, of the x, y and z columns.
    timestep_fs
        Time between samples, fs.
    volume_ang3, cell_ang
        Volume, Å³, or cell (3, 3) with lattice vectors as rows, Å.
    temperature_k
        Temperature, K.
    lammps_units
        Unit style of a LAMMPS run.
    scheme
        ``"midpoint"`` or ``"central"`` difference of dipole moments.
    unwrap
        Follow the branch of a multivalued polarization; by default where the file is known to jump (CP2K with
        the periodic operator), or when a cell is given with plain columns of a dipole moment.
    quantum_e
        Charge whose transport by a lattice vector gives the same polarization, e: 1, or 2 for codes that
        treat both spins alike.
    """

    format: str | None = None
    units: str | None = None
    columns: Sequence[str | int] | None = None
    timestep_fs: float | None = None
    volume_ang3: float | None = None
    cell_ang: Array | None = None
    temperature_k: float | None = None
    lammps_units: str | None = None
    scheme: Literal["midpoint", "central"] = "midpoint"
    unwrap: bool | None = None
    quantum_e: float = 1.0


@dataclass(frozen=True)
class RawSeries:
    r"""A current or dipole moment in internal units, with what the file says about it.

    Parameters
    ----------
    values
        (T, G, 3) current, e Å/fs, or dipole moment, e Å.
    kind
        Which of the two.
    format
        Name of the format.
    groups
        Names of the G groups.
    timestep_fs, volume_ang3, cell_ang, temperature_k, start_time_fs
        What the file states; None where it is silent.
    quanta_ang
        (1 or T, 3, 3) vectors (rows) modulo which the dipole moment is defined, e Å; None if it is not
        multivalued.
    zz_over_mass
        (3, 3) mean :math:`\sum Z Z^T/m`, e²/amu, for the f-sum rule.
    notes
        Warnings.
    remarks
        What was done with the file that its reader should know.
    """

    values: Array
    kind: Kind
    format: str
    groups: tuple[str, ...] = ("total",)
    timestep_fs: float | None = None
    volume_ang3: float | None = None
    cell_ang: Array | None = None
    temperature_k: float | None = None
    start_time_fs: float = 0.0
    quanta_ang: Array | None = None
    zz_over_mass: Array | None = None
    notes: tuple[str, ...] = field(default=())
    remarks: tuple[str, ...] = field(default=())
