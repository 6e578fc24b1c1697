"""Frames without the sites that are no atoms: M sites of water models, Drude particles, shells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.structure.names import EPS_INF
from bec_md.structure.neighbors import neighbor_list
from bec_md.structure.species import HIDDEN, HIDDEN_NUMBER, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.wrapped import WrappedReader

#: Shells and Drude particles are nearer to their atom than any two atoms to each other.
_SHELL_ANG = 0.45


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
    stated
        Masses by element, amu, that the user gives: these are whole, shells included.

    Raises
    ------
    UsageError
        If no atom is left.
    """

    def __init__(self, reader: FrameReader, stated: Mapping[str, float]) -> None:
        super().__init__(reader)
        self._kept: tuple[NDArray[np.int64], NDArray[np.intp], Array] | None = None
        first = next(reader.read(0, 1), None)  # refuses masses of what it does not hold
        self._stated = resolve_species([*stated], place="masses").numbers
        if first is not None:
            kept, carried = self._choose(first)
            self.sites = np.full(first.n_atoms, -1)
            self.sites[kept] = np.arange(len(kept))
            n_hidden = first.n_atoms - len(kept)
            mass = (
                f"; {carried.sum():.4g} amu of theirs count with the nearest atoms" if carried.any() else ""
            )
            self.notes = [*reader.notes, f"{n_hidden} of {first.n_atoms} sites left out (NULL){mass}"]
            if len(kept) == 0:
                raise UsageError(
                    f"{reader.source}: all its atoms are marked as {HIDDEN}",
                    "nothing is left that could carry a current",
                    f"mark only sites that are no atoms as {HIDDEN} with `elements`",
                )

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, … without the hidden sites."""
        for frame in self._reader.read(start, stride):
            kept, carried = self._choose(frame)
            velocities = frame.velocities_ang_fs
            yield replace(
                frame,
                numbers=frame.numbers[kept],
                masses_amu=frame.masses_amu[kept] + carried,
                positions_ang=frame.positions_ang[kept],
                velocities_ang_fs=None if velocities is None else velocities[kept],
                labels={
                    name: value if name == EPS_INF else value[kept] for name, value in frame.labels.items()
                },
            )

    def _choose(self, frame: Frame) -> tuple[NDArray[np.intp], Array]:
        """Atoms to keep, and masses that they carry; passes in several threads may share the last choice."""
        last = self._kept
        if last is None or last[0] is not frame.numbers:
            kept = np.flatnonzero(frame.numbers != HIDDEN_NUMBER)
            carried = np.where(np.isin(frame.numbers, self._stated), 0.0, _carried_masses(frame))
            last = self._kept = (frame.numbers, kept, carried[kept])
        return last[1:]


def _carried_masses(frame: Frame) -> Array:
    """Masses of shells and Drude particles, which move with an atom, at that atom, (N,) amu.

    A core has the velocity of its ion, not its mass: the temperature would lack the share of the shell.
    """
    hidden, masses = frame.numbers == HIDDEN_NUMBER, frame.masses_amu
    carried = np.zeros(frame.n_atoms)
    if not masses[hidden].any():
        return carried
    box = np.where(frame.pbc[:, None], frame.cell_ang, 0.0)
    finder = neighbor_list()(cutoff=_SHELL_ANG, full_list=True)
    first, second, distances = finder.compute(
        points=np.ascontiguousarray(frame.positions_ang), box=box, periodic=frame.pbc, quantities="ijd"
    )
    pairs = np.flatnonzero(hidden[first] & ~hidden[second])
    owner = np.full(frame.n_atoms, -1)
    far_to_near = pairs[np.argsort(-distances[pairs])]
    owner[first[far_to_near]] = second[far_to_near]  # the last one stays
    sites = np.flatnonzero(owner >= 0)
    np.add.at(carried, owner[sites], masses[sites])
    return carried
