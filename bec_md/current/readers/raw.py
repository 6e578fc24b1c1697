"""What a reader finds in a file of another code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bec_md.arrays import Array

Kind = Literal["current", "dipole"]


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
    polarization
        (T, 3) P(t), continuous, e Å, beside a current that is its rate of change; None if it is not there.
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
    polarization: Array | None = None
    notes: tuple[str, ...] = field(default=())
    remarks: tuple[str, ...] = field(default=())
