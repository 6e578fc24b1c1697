"""What a trajectory is: frames with stated units, and what is known about them before reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bec_md.structure import Frame


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
    remarks
        What was done, and needs nobody to do anything.
    sites
        Of every site of the file, which atom it is, −1 for those that are left out; None if all are atoms.
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
    remarks: tuple[str, ...] = ()
    sites: NDArray[np.int64] | None = None


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
