"""What every format offers to the stream: raw frames by index, and what it assumed about units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bec_md.trajectory.species import Species
from bec_md.units import AMU_ANG2_FS2_EV

#: Factors from the units a file may hold velocities in to Å/fs. "ase" is Å per ASE time unit,
#: Å·√(amu/eV) ≈ 10.18 fs.
VELOCITY_UNITS: Mapping[str, float] = {
    "ase": 1.0 / math.sqrt(AMU_ANG2_FS2_EV),
    "ang/fs": 1.0,
    "ang/ps": 1e-3,
}


@dataclass(frozen=True)
class VelocityUnits:
    """How stored velocities were read: a name, the factor to Å/fs, and whether that was assumed."""

    name: str
    factor_ang_fs: float
    assumed: bool


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame as a format's reader yields it: internal units, not yet checked."""

    index: int
    species: Species
    positions_ang: NDArray[np.float64]
    cell_ang: NDArray[np.float64]
    pbc: NDArray[np.bool_]
    velocities_ang_fs: NDArray[np.float64] | None = None
    time_fs: float | None = None
    step: int | None = None
    born_effective_charges: NDArray[np.float64] | None = None
    total_charge: float = 0.0


class FrameReader(Protocol):
    """A file, or an object in memory, that yields raw frames."""

    source: str
    format: str
    fingerprint: str
    notes: list[str]  # units, conventions and assumptions
    warnings: list[str]

    @property
    def n_frames(self) -> int | None:
        """Complete frames stored, or None if unknown."""
        ...

    @property
    def timestep_fs(self) -> float | None:
        """Time between stored frames in fs, when a header states it."""
        ...

    @property
    def velocity_units(self) -> VelocityUnits | None:
        """How velocities are stored, or None if they are not."""
        ...

    def read(self, start: int, stride: int) -> Iterator[RawFrame]:
        """Yield frames start, start + stride, … until the end of the data."""
        ...


def place(path: Path | str, frame: int | None = None) -> str:
    """File (name only) and frame, as messages name them."""
    name = path.name if isinstance(path, Path) else path
    return name if frame is None else f"{name}, frame {frame}"
