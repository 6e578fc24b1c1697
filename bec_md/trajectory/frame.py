"""What a trajectory is: frames with stated units, and what is known about them before reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """One time step of a trajectory, in internal units.

    Parameters
    ----------
    positions_ang
        Positions in Å, shape (N, 3), wrapped or not.
    cell_ang
        Lattice vectors as rows, in Å, shape (3, 3).
    pbc
        Periodicity along the three lattice vectors, shape (3,).
    numbers
        Atomic numbers, shape (N,).
    masses_amu
        Masses in amu, shape (N,).
    velocities_ang_fs
        Velocities in Å/fs at the time of the positions, shape (N, 3), or None.
    time_fs
        Time in fs: the file's own when it has one, else index × time between stored frames, else None.
    born_effective_charges
        Z[i, a, b] = ∂M_a/∂u_ib in e (first index polarization), shape (N, 3, 3), or None.
    total_charge
        Net charge Q of the cell in e; ΣZ = Q·1.
    index
        Index of the frame in its file, counted from 0.
    """

    positions_ang: NDArray[np.float64]
    cell_ang: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    masses_amu: NDArray[np.float64]
    velocities_ang_fs: NDArray[np.float64] | None
    time_fs: float | None
    born_effective_charges: NDArray[np.float64] | None = None
    total_charge: float = 0.0
    index: int = 0

    @property
    def volume_ang3(self) -> float:
        """Volume of the cell in Å³."""
        return cell_volume(self.cell_ang)


@dataclass(frozen=True)
class TrajectoryInfo:
    """What is known about a trajectory before its frames are read.

    Parameters
    ----------
    source
        Name of the file (without folder) or of the object.
    format
        Name of the format as the reader understood it.
    n_atoms
        Number of atoms N, the same in every frame.
    n_frames
        Number of frames that iteration yields (after start, stop and stride), or None when unknown.
    numbers, masses_amu
        Atomic numbers and masses in amu, shape (N,).
    timestep_fs
        Time in fs between the frames that iteration yields (stride included), or None when neither the
        file nor the caller states it.
    has_velocities, has_charges
        Whether frames carry velocities and Born effective charges.
    velocity_scheme
        "stored", or "midpoint" when velocities have to come from differences of positions.
    units_note
        Units the file was read with, and which of them were assumed.
    fingerprint
        Hash of the content (size, head and tail; not of the name or of the modification time).
    warnings
        What the reader of a result should know.
    """

    source: str
    format: str
    n_atoms: int
    n_frames: int | None
    numbers: NDArray[np.int64]
    masses_amu: NDArray[np.float64]
    timestep_fs: float | None
    has_velocities: bool
    has_charges: bool
    velocity_scheme: str
    units_note: str
    fingerprint: str
    warnings: tuple[str, ...] = ()


@runtime_checkable
class Trajectory(Protocol):
    """Frames in time order that can be read any number of times, one at a time."""

    @property
    def info(self) -> TrajectoryInfo:
        """What is known before reading."""
        ...

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Read from the start, after dropping `skip` frames without parsing them."""
        ...


def cell_volume(cell_ang: NDArray[np.float64]) -> float:
    """Volume V = |a · (b × c)| in Å³ of a cell whose rows are the lattice vectors a, b, c in Å."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell_ang.tolist()
    return abs(float(ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)))
