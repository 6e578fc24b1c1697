"""Rows of the fields of long currents, read when they are asked for: they stand in for arrays."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.arrays import Array
from bec_md.current.header import HEADER
from bec_md.errors import DataError
from bec_md.hdf5 import open_hdf5


class LazyRows(ABC):
    """A field of a current, (T, …), of which only the rows that are asked for are read."""

    shape: tuple[int, ...]

    @abstractmethod
    def read(self, rows: range) -> Array:
        """Return rows, at least one, in ascending order."""

    @abstractmethod
    def part(self, rows: slice) -> LazyRows:
        """Return a slice that is still lazy."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """Type of the numbers."""
        return np.dtype(np.float64)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        index, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        if isinstance(index, slice):
            rows = range(len(self))[index]
            forward = rows if rows.step > 0 else rows[::-1]
            values = self.read(forward) if len(rows) else np.empty((0, *self.shape[1:]))
            return values[:: 1 if rows.step > 0 else -1][(slice(None), *rest)]
        row = range(len(self))[index]
        return self.read(range(row, row + 1))[0][rest]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)


def origin(path: Path) -> str:
    """Return what a current file says that its rows are computed from: frames, charges, groups, masses."""
    state = path.stat()
    return _origin(path, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _origin(path: Path, *_: int) -> str:
    """Read it again only where the file has changed."""
    with open_hdf5(path) as file:
        key = json.loads(str(file.attrs.get(HEADER, "{}"))).get("key", {})
    return str(sorted((name, value) for name, value in key.items() if name.endswith(("_hash", "_fs"))))


@dataclass(frozen=True)
class StoredRows(LazyRows):
    """Rows of a dataset of an HDF5 file.

    The file is opened for each read, so that nothing is held open and the object can be sent to other
    processes.

    Parameters
    ----------
    path, name
        The file and its dataset.
    shape
        Of the rows that are shown.
    first, step
        The first of them in the dataset, and their distance.
    keeper
        What keeps a temporary file as long as its rows are needed.
    of
        What the file says that its rows are computed from.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    first: int = 0
    step: int = 1
    keeper: Any = field(default=None, repr=False, compare=False)
    of: str | None = field(default=None, repr=False)

    def read(self, rows: range) -> Array:
        """Return rows, at least one, in ascending order.

        Raises
        ------
        DataError
            If another computation has replaced them.
        """
        start, last = (self.first + self.step * row for row in (rows[0], rows[-1]))
        known = self.of is None or origin(self.path) == self.of
        with open_hdf5(self.path) as file:
            values = file[self.name][start : last + 1 : self.step * rows.step]
        if not known or len(values) != len(rows):
            raise DataError(
                f"{self.path.name} has been overwritten by another computation since it was opened",
                "rows of long currents are read when they are needed, and those of this one are gone",
                "give each computation its own output, or `load()` a current before its file is overwritten",
            )
        return np.asarray(values, dtype=np.float64)

    def part(self, rows: slice) -> StoredRows:
        """Return a slice that is still lazy."""
        kept = range(len(self))[rows]
        first, step = self.first + kept.start * self.step, self.step * kept.step
        return replace(self, shape=(len(kept), *self.shape[1:]), first=first, step=step)


@dataclass(frozen=True)
class JoinedRows(LazyRows):
    """Rows of consecutive parts of one run.

    Parameters
    ----------
    pieces
        Arrays or other lazy rows, with rows of the same shape.
    """

    pieces: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of all rows."""
        return (sum(len(piece) for piece in self.pieces), *self.pieces[0].shape[1:])

    def read(self, rows: range) -> Array:
        """Return rows, at least one, in ascending order."""
        found = [piece[kept.start : kept.stop : kept.step] for piece, kept in self._shares(rows)]
        return np.asarray(found[0] if len(found) == 1 else np.concatenate(found), dtype=np.float64)

    def part(self, rows: slice) -> JoinedRows:
        """Return a slice that is still lazy."""
        shares = self._shares(range(len(self))[rows]) or [(self.pieces[0], range(0))]
        return JoinedRows(
            tuple(part_of(piece, slice(own.start, own.stop, own.step)) for piece, own in shares)
        )

    def _shares(self, rows: range) -> list[tuple[Any, range]]:
        """Pieces with those of their own rows that are wanted."""
        found, begin = [], 0
        for piece in self.pieces:
            before = len(range(rows.start, max(min(rows.stop, begin), rows.start), rows.step))
            upto = len(range(rows.start, max(min(rows.stop, begin + len(piece)), rows.start), rows.step))
            if upto > before:
                first = rows.start + before * rows.step - begin
                found.append((piece, range(first, first + (upto - before - 1) * rows.step + 1, rows.step)))
            begin += len(piece)
        return found


@dataclass(frozen=True)
class ShiftedRows(LazyRows):
    """Rows with a constant added to each.

    Parameters
    ----------
    rows
        An array or other lazy rows.
    shift
        What is added, of the shape of one row.
    """

    rows: Any
    shift: Array

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of all rows."""
        return tuple(self.rows.shape)

    def read(self, rows: range) -> Array:
        """Return rows, at least one, in ascending order."""
        return np.asarray(self.rows[rows.start : rows.stop : rows.step] + self.shift)

    def part(self, rows: slice) -> ShiftedRows:
        """Return a slice that is still lazy."""
        return ShiftedRows(part_of(self.rows, rows), self.shift)


@dataclass(frozen=True)
class OrderedRows(LazyRows):
    """Rows whose entries stand in another order.

    Parameters
    ----------
    rows
        An array or other lazy rows, (T, G, …).
    order
        Number of each entry in `rows`.
    """

    rows: Any
    order: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of all rows."""
        return tuple(self.rows.shape)

    def read(self, rows: range) -> Array:
        """Return rows, at least one, in ascending order."""
        return np.asarray(self.rows[rows.start : rows.stop : rows.step])[:, list(self.order)]

    def part(self, rows: slice) -> OrderedRows:
        """Return a slice that is still lazy."""
        return OrderedRows(part_of(self.rows, rows), self.order)


def ordered_rows(array: Any, order: Sequence[int]) -> Any:
    """Return a field with the entries of each row in another order, lazily if it is."""
    if isinstance(array, LazyRows):
        return OrderedRows(array, tuple(order))
    return np.asarray(array)[:, list(order)]


def part_of(array: Any, rows: slice) -> Any:
    """Return rows of an array; of lazy rows without reading them."""
    return array.part(rows) if isinstance(array, LazyRows) else array[rows]


def sparse_part(array: Any, rows: slice, block: int) -> Array:
    """Return every so many rows of a field that few rows have, NaN in the others: none of these is lost.

    Each goes to the row kept before it, so that a step does not pass over them. Read in blocks.
    """
    kept = np.full((len(range(len(array))[rows]), *array.shape[1:]), np.nan, dtype=np.float32)
    for start in range(rows.start, rows.stop, block):
        part = np.asarray(array[start : min(start + block, rows.stop)])
        known = np.flatnonzero(~np.isnan(part.reshape(len(part), -1)).any(axis=1))
        kept[(start + known - rows.start) // rows.step] = part[known]
    return kept


def joined_rows(pieces: Sequence[Any]) -> Any:
    """Return consecutive pieces as one array, lazily if one of them is."""
    if any(isinstance(piece, LazyRows) for piece in pieces):
        return JoinedRows(tuple(pieces))
    return np.concatenate(pieces)


def shifted_rows(array: Any, shift: Array) -> Any:
    """Return a field with a constant added to each row, lazily if it is."""
    return ShiftedRows(array, shift) if isinstance(array, LazyRows) else array + shift
