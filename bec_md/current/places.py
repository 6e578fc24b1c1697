r"""Where the atoms are at some rows of a current, evenly in time: what its mean structure is made of.

Positions of rows 0, s, 2s, … are kept as they come. As fractions of the cell they are averaged each by its
shortest way from the first of them, relative to the motion of the common center,

.. math:: x_i(t) = x_i(0) + d_i - \langle d \rangle_i, \qquad
          d_i = u_i - \mathrm{round}(u_i - u_0), \quad u_i = r_i A^{-1} - x_i(0).

An atom of a crystal never goes half a cell away from the others; in a liquid it does, and its mean structure
is none. s is the power of two with which no more than `MOST` places are kept: they depend on the length of
the run, not on how it was computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.trajectory.mean_structure import MeanStructure

if TYPE_CHECKING:
    from bec_md.structure import Frame

#: Datasets: numbers of the rows (K,), and positions (K, N, 3), Å.
PLACE_ROW, PLACES = "place_row", "places_ang"
#: Most rows whose positions are kept, and most atoms in them: 2.4 MB.
MOST, MOST_ATOMS = 512, 200_000
#: Fewer say nothing about a mean.
LEAST = 16
#: Distance of these rows while the length of the run is unknown.
_UNKNOWN_EVERY = 16

Rows = dict[str, NDArray[Any]]


def place_every(first: Frame, rows: int | None) -> int | None:
    """Return s for a run of so many rows; None where there is no mean structure to be made."""
    most = most_places(first.n_atoms)
    if most < LEAST or not first.pbc.all():
        return None
    return _UNKNOWN_EVERY if rows is None else _every(rows, most)


def _every(rows: int, most: int) -> int:
    every = 1
    while -(-rows // every) > most:
        every *= 2
    return every


def pick(frames: Sequence[Frame], start: int, every: int) -> Rows:
    """Return the places among consecutive frames, the first of which is row `start`."""
    first = -start % every
    if first >= len(frames):
        return {
            PLACE_ROW: np.empty(0, dtype=np.int64),
            PLACES: np.empty((0, frames[0].n_atoms, 3), np.float32),
        }
    picked = np.arange(first, len(frames), every)
    places = np.array([frames[number].positions_ang for number in picked.tolist()], dtype=np.float32)
    return {PLACE_ROW: start + picked, PLACES: places}


def most_places(n_atoms: int) -> int:
    """Return how many rows of a system keep their positions at most."""
    return min(MOST, MOST_ATOMS // max(1, n_atoms))


def cut(rows: Mapping[str, NDArray[Any]], start: int, stop: int) -> Rows:
    """Return the part of rows, the first of which is number `start`, that lies before number `stop`."""
    kept = {name: values[: stop - start] for name, values in rows.items() if name not in (PLACE_ROW, PLACES)}
    if PLACE_ROW in rows:
        before = rows[PLACE_ROW] < stop
        kept |= {PLACE_ROW: rows[PLACE_ROW][before], PLACES: rows[PLACES][before]}
    return kept


def thinned(place_row: NDArray[Any], n_rows: int, n_atoms: int) -> NDArray[np.intp] | None:
    """Return which of the stored places are kept for a run of so many rows; None if some are missing."""
    every = _every(n_rows, most_places(n_atoms))
    while len(place_row) > 1 and every < int(place_row[1]):
        every *= 2
    kept = np.flatnonzero(place_row % every == 0)
    return kept if np.array_equal(place_row[kept], np.arange(0, n_rows, every)) else None


def mean_structure_entry(
    place_row: NDArray[Any] | None, places: NDArray[Any] | None, cells_ang: Any, numbers: Sequence[int] | None
) -> dict[str, Any]:
    """Return the entry of a header that holds the mean structure; nothing where there is none.

    Parameters
    ----------
    place_row, places
        As they are stored.
    cells_ang
        (T, 3, 3) cells of all rows, or what reads them.
    numbers
        (N,) elements.
    """
    if place_row is None or places is None or numbers is None or cells_ang is None:
        return {}
    kept = thinned(place_row, len(cells_ang), len(numbers))
    if kept is None:
        return {}
    every = int(place_row[kept[1]]) if len(kept) > 1 else 1
    cells = np.asarray(cells_ang[:: max(1, every)], dtype=np.float64)[: len(kept)]
    fractional = np.asarray(places[kept], dtype=np.float64) @ np.linalg.inv(cells)
    moved = fractional - fractional[0]
    moved -= np.rint(moved - moved[:, :1])
    moved -= moved.mean(axis=1, keepdims=True)
    mean = MeanStructure.of_places(
        fractional[0] + moved, cells.mean(axis=0), np.asarray(numbers, dtype=np.int64)
    )
    return {"mean_structure": mean.to_dict()}
