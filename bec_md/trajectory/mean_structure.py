"""Mean cell and positions of a run: the structure that its atoms move about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.trajectory.velocities import unwrap

#: A solid whose atoms move by more than this share of the distance to their neighbors is none (Lindemann: it
#: melts at about 0.1; light atoms of anharmonic crystals reach 0.2).
LIQUID = 0.3
#: Bounds of the tolerance that is taken from the run, Å: distortions below the lower one are no noise of MD,
#: those of displacive transitions (0.1 Å in BaTiO3, 0.3 Å in quartz) must stay visible.
LEAST_ANG, MOST_ANG = 0.01, 0.1
_STRETCHES = 64


@dataclass(frozen=True)
class MeanStructure:
    """Mean cell and positions of a run.

    Parameters
    ----------
    cell_ang, positions_ang, numbers
        (3, 3) rows are lattice vectors, (N, 3), (N,).
    halves_ang
        Largest distance of an atom between the means of both halves of the run, Å.
    spread
        Largest r.m.s. displacement of an atom over the distance to its nearest neighbor.
    frames
        Number of frames.
    """

    cell_ang: Array
    positions_ang: Array
    numbers: NDArray[np.int64]
    halves_ang: float
    spread: float
    frames: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the metadata of a current."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> MeanStructure:
        """Inverse of `to_dict`."""
        return cls(
            cell_ang=np.asarray(stored["cell_ang"], dtype=float),
            positions_ang=np.asarray(stored["positions_ang"], dtype=float),
            numbers=np.asarray(stored["numbers"], dtype=np.int64),
            halves_ang=float(stored["halves_ang"]),
            spread=float(stored["spread"]),
            frames=int(stored["frames"]),
        )

    @classmethod
    def of_places(cls, places: Array, cell_ang: Array, numbers: NDArray[np.int64]) -> MeanStructure:
        """Return the mean of fractional positions (K, N, 3) in the order of time, in a mean cell."""
        mean, middle = places.mean(axis=0), len(places) // 2
        square = np.mean(np.sum(((places - mean) @ cell_ang) ** 2, axis=2), axis=0)
        halves = (places[:middle].mean(axis=0) - places[middle:].mean(axis=0)) if middle else 0.0 * mean
        positions = mean @ cell_ang
        return cls(
            cell_ang=cell_ang,
            positions_ang=positions,
            numbers=numbers,
            halves_ang=float(np.linalg.norm(halves @ cell_ang, axis=1).max()),
            spread=float((np.sqrt(square) / _nearest(cell_ang, positions)).max()),
            frames=len(places),
        )

    @property
    def is_crystal(self) -> bool:
        """Whether the atoms stay in their places."""
        return self.spread < LIQUID

    @property
    def tolerance_ang(self) -> float:
        """Tolerance that the noise of the mean asks for, Å."""
        return float(np.clip(2.0 * self.halves_ang, LEAST_ANG, MOST_ANG))


def mean_structure(frames: Iterable[Frame]) -> MeanStructure:
    """Return the mean structure of frames in the order of time, read once.

    Positions are averaged as fractions of the cell, relative to the motion of their common center.

    Raises
    ------
    DataError
        Without any frame, or without a periodic cell.
    """
    rows = unwrap(frames)
    first = next(rows, None)
    if first is None or not first.pbc.all():
        raise DataError(
            "there is no crystal whose point group could be found",
            "the mean structure needs frames with a cell that is periodic in three directions",
            "give the symbol of the point group, e.g. `symmetry=m-3m`, or leave it out",
        )
    origin = first.positions_ang @ np.linalg.inv(first.cell_ang)
    square, cells, count = np.zeros(first.n_atoms), np.zeros((3, 3)), 0
    stretches, length = [np.zeros_like(origin)], 1  # sums over equally long stretches of the run
    for frame in chain((first,), rows):
        moved = frame.positions_ang @ np.linalg.inv(frame.cell_ang) - origin
        moved -= moved.mean(axis=0)
        square += np.sum((moved @ frame.cell_ang) ** 2, axis=1)
        cells += frame.cell_ang
        if count and count % length == 0:
            stretches.append(np.zeros_like(origin))
        stretches[-1] += moved
        count += 1
        if len(stretches) == _STRETCHES and count == _STRETCHES * length:
            stretches, length = (
                [one + two for one, two in zip(stretches[::2], stretches[1::2], strict=True)],
                2 * length,
            )
    cell = cells / count
    sums, middle = np.array(stretches), len(stretches) // 2
    moved = sums.sum(axis=0) / count @ cell
    halves = 0.0
    if middle:
        early, late = sums[:middle].sum(axis=0), sums[middle:].sum(axis=0)
        difference = early / (middle * length) - late / (count - middle * length)
        halves = float(np.linalg.norm(difference @ cell, axis=1).max())
    rms = np.sqrt(np.clip(square / count - np.sum(moved**2, axis=1), 0.0, None))
    positions = origin @ cell + moved
    spread = float((rms / _nearest(cell, positions)).max())
    return MeanStructure(cell, positions, first.numbers, halves, spread, count)


def _nearest(cell_ang: Array, positions_ang: Array) -> Array:
    """Distance to the nearest neighbor of each atom, (N,), Å."""
    from scipy.spatial import cKDTree

    shifts = np.array(np.meshgrid(*3 * [(-1, 0, 1)])).reshape(3, -1).T
    fractional = positions_ang @ np.linalg.inv(cell_ang)
    inside = (fractional - np.floor(fractional)) @ cell_ang
    images = (inside[None] + (shifts @ cell_ang)[:, None]).reshape(-1, 3)
    distances = np.asarray(cKDTree(images).query(inside, k=2)[0])
    return distances[:, 1]
