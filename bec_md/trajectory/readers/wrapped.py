"""Readers of other readers' frames: what they share, and the cell of the options where a file has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.given import given_cell, refuse_given_cell


class WrappedReader:
    """A reader whose frames are those of another one; all else is said by that.

    Parameters
    ----------
    reader
        The reader of the file.
    """

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self.source, self.format, self.fingerprint = reader.source, reader.format, reader.fingerprint
        self.warnings = reader.warnings
        self.notes = reader.notes

    @property
    def n_frames(self) -> int | None:
        """Complete frames stored, or None if unknown."""
        return self._reader.n_frames

    @property
    def timestep_fs(self) -> float | None:
        """Time between stored frames in fs, when a header states it."""
        return self._reader.timestep_fs

    @property
    def velocity_units(self) -> VelocityUnits | None:
        """How velocities are stored, or None if they are not."""
        return self._reader.velocity_units

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, …"""
        yield from self._reader.read(start, stride)


class GivenCellReader(WrappedReader):
    """Frames in the cell of the options, where the file has none.

    Parameters
    ----------
    reader
        The reader of the file.
    options
        How to read it, with a cell.

    Raises
    ------
    UsageError
        If the file states its cell itself.
    """

    def __init__(self, reader: FrameReader, options: ReadOptions) -> None:
        super().__init__(reader)
        self._cell = given_cell(options)
        self.notes = [*reader.notes, "cell as given"]
        first = next(reader.read(0, 1), None)
        if first is not None and first.cell_ang.any():
            refuse_given_cell(options, self.source)

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, … in the cell given."""
        assert self._cell is not None
        for frame in super().read(start, stride):
            yield replace(frame, cell_ang=self._cell, pbc=np.ones(3, dtype=bool))
