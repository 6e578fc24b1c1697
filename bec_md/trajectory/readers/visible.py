"""Frames without the sites that are no atoms: M sites of water models, Drude particles, shells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.structure.names import EPS_INF
from bec_md.structure.species import HIDDEN, HIDDEN_NUMBER
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.wrapped import WrappedReader


def hides(options: ReadOptions) -> bool:
    """Whether `elements` marks sites to leave out."""
    table = options.elements
    words = () if table is None else table.values() if isinstance(table, Mapping) else table
    return HIDDEN in words


class VisibleReader(WrappedReader):
    """A reader whose frames lack the sites with the label ``NULL``.

    Parameters
    ----------
    reader
        The reader of the file, whose frames have all sites.

    Raises
    ------
    UsageError
        If no atom is left.
    """

    def __init__(self, reader: FrameReader) -> None:
        super().__init__(reader)
        self._kept: tuple[NDArray[np.int64], NDArray[np.intp]] | None = None
        first = next(reader.read(0, 1), None)
        if first is not None:
            kept = self._choose(first.numbers)
            n_hidden = first.n_atoms - len(kept)
            self.notes = [*reader.notes, f"{n_hidden} of {first.n_atoms} sites left out (NULL)"]
            if len(kept) == 0:
                raise UsageError(
                    f"{reader.source}: all its atoms are marked as {HIDDEN}",
                    "nothing is left that could carry a current",
                    f"mark only sites that are no atoms as {HIDDEN} with `elements`",
                )

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, … without the hidden sites."""
        for frame in self._reader.read(start, stride):
            kept = self._choose(frame.numbers)
            velocities = frame.velocities_ang_fs
            yield replace(
                frame,
                numbers=frame.numbers[kept],
                masses_amu=frame.masses_amu[kept],
                positions_ang=frame.positions_ang[kept],
                velocities_ang_fs=None if velocities is None else velocities[kept],
                labels={
                    name: value if name == EPS_INF else value[kept] for name, value in frame.labels.items()
                },
            )

    def _choose(self, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
        """Atoms to keep; passes in several threads may share the last choice."""
        last = self._kept
        if last is None or last[0] is not numbers:
            last = self._kept = (numbers, np.flatnonzero(numbers != HIDDEN_NUMBER))
        return last[1]
