"""Read a stored current: lazily read rows, and the file as a `CurrentSeries`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bec_md.current.averages import Averages
from bec_md.current.checks import TIME_FIELDS
from bec_md.current.hdf5 import open_hdf5
from bec_md.current.series import BLOCK_ROWS, CurrentSeries
from bec_md.errors import DataError

Array = NDArray[np.float64]

#: Version of the layout of the file.
SCHEMA = 1
HEADER = "bec_md_current"
#: Larger files are read lazily.
LAZY_BYTES = 128 * 1024**2


@dataclass(frozen=True)
class StoredRows:
    """Rows of a dataset, read when they are asked for; stands in for an array of a `CurrentSeries`.

    The file is opened for each read, so that nothing is held open and the object can be sent to other
    processes.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    offset: int = 0
    step: int = 1

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
        rows, rest = (index[0], index[1:]) if isinstance(index, tuple) else (index, ())
        if not isinstance(rows, slice):
            return np.asarray(self)[index]
        start, stop, step = rows.indices(len(self))
        if step != 1 or rest:
            return np.asarray(self[start : max(stop, start)] if step > 0 else self)[::step][
                (slice(None), *rest)
            ]
        last = self.offset + (max(stop, start) - 1) * self.step + 1
        with open_hdf5(self.path) as file:
            values = file[self.name][self.offset + start * self.step : max(last, 0) : self.step]
        return np.asarray(values, dtype=np.float64)[: max(0, stop - start)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[0 : len(self)], dtype=dtype)

    def part(self, rows: slice) -> StoredRows:
        """Return a slice that is still lazy."""
        start, stop, step = rows.indices(len(self))
        length = len(range(start, stop, step))
        return StoredRows(
            self.path, self.name, (length, *self.shape[1:]), self.offset + start * self.step, self.step * step
        )


def read_header(path: Path) -> dict[str, Any] | None:
    """Return the header of a current file, or None if it is something else."""
    try:
        with open_hdf5(path) as file:
            text = file.attrs.get(HEADER)
    except OSError:
        return None
    return None if text is None else cast(dict[str, Any], json.loads(str(text)))


def load_file(path: Path, header: dict[str, Any], *, lazy: bool | None = None) -> CurrentSeries:
    """Return a joined file as a series; large ones are read lazily unless told otherwise."""
    with open_hdf5(path) as file:
        names = [name for name in TIME_FIELDS if name in file]
        shapes = {name: tuple(int(n) for n in file[name].shape) for name in names}
        size = sum(int(np.prod(shape)) * 8 for shape in shapes.values())
        if lazy or (lazy is None and size > LAZY_BYTES):
            arrays: dict[str, Any] = {name: StoredRows(path.resolve(), name, shapes[name]) for name in names}
        else:
            arrays = {name: np.asarray(file[name][()], dtype=np.float64) for name in names}
    return build_series(header, arrays, path.name)


def build_series(header: dict[str, Any], arrays: dict[str, Any], where: str) -> CurrentSeries:
    """Return the series of a header and its arrays."""
    if header.get("schema", SCHEMA) > SCHEMA:
        raise DataError(
            f"{where} was written by a newer bec-md (layout {header['schema']}, this one reads {SCHEMA})",
            "its fields may mean something else",
            "install the newer version, or compute the current anew",
        )
    system = header["system"]
    if len(arrays.get("current", ())) == 0:
        raise DataError(
            f"{where} holds no sample yet",
            "the computation was stopped before its first chunk was complete",
            "run the same command again: it continues",
        )
    if "cells_ang" in arrays:
        cell, volume = mean_cell_of(arrays["cells_ang"])
    else:
        cell, volume = None, float(system["volume_ang3"])
    known = header.get("averages")
    return CurrentSeries(
        groups=tuple(system["groups"]),
        timestep_fs=float(system["timestep_fs"]),
        volume_ang3=volume,
        cell_ang=cell,
        scheme=system["scheme"],
        group_mass_amu=np.array(system["group_mass_amu"]),
        group_count=np.array(system["group_count"], dtype=np.int64),
        group_inverse_mass=np.array(system["group_inverse_mass"]),
        total_charge_e=float(system["total_charge_e"]),
        start_time_fs=float(system["start_time_fs"]),
        known_averages=None if known is None else Averages.from_json(known),
        metadata=header["metadata"] | {"key": header["key"], "complete": header.get("complete", True)},
        **arrays,
    )


def mean_cell_of(cells: Any) -> tuple[Array, float]:
    """Return mean cell and mean volume of (T, 3, 3) cells, block by block."""
    total, volume = np.zeros((3, 3)), 0.0
    for start in range(0, len(cells), BLOCK_ROWS):
        block = np.asarray(cells[start : start + BLOCK_ROWS], dtype=np.float64)
        total += block.sum(axis=0)
        volume += float(np.abs(np.linalg.det(block)).sum())
    return total / len(cells), volume / len(cells)
