"""What every format offers to the stream: frames by index, and what it assumed about units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits

if TYPE_CHECKING:
    from bec_md.trajectory.block import Block


class FrameReader(Protocol):
    """A file, or an object in memory, that yields frames not yet checked."""

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

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, … until the end of the data."""
        ...


@runtime_checkable
class HoldsArrays(Protocol):
    """A reader that has the arrays of all frames in memory, so that nothing need be stacked."""

    def block_of(self, frames: Sequence[Frame], old: int) -> Block:
        """These successive frames of its own as a block, the first `old` of which were checked before."""
        ...


def place(path: Path | str, frame: int | None = None) -> str:
    """File (name only) and frame, as messages name them."""
    name = path.name if isinstance(path, Path) else path
    return name if frame is None else f"{name}, frame {frame}"
