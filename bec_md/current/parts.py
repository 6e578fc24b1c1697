r"""Rows of a current on disk while it is being computed: one small HDF5 file per chunk.

A chunk is written under a temporary name and then renamed, which is atomic: after a kill at any moment
every chunk is either there, whole, or not there. The name says which rows it holds. A serial run,
parallel workers and a resumed run write chunks of the same kind; `CurrentStore` joins them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.current.hdf5 import open_hdf5

Rows = dict[str, NDArray[Any]]

#: Statistics whose rounding is far below their sampling error are stored in single precision.
SINGLE_PRECISION = {"zz_over_mass", "charge_over_mass", "charge_uncertainty_e", "interpolation_check"}

#: A chunk is written at the latest when it has grown to this size.
COMMIT_BYTES = 64 * 1024**2

#: Dataset with a hash of the positions of each frame: tells whether a longer trajectory continues this one.
FRAME_HASH = "frame_hash"


@dataclass(frozen=True, order=True)
class Part:
    """One chunk: rows start … stop−1."""

    start: int
    stop: int
    path: Path


def stored_dtype(name: str) -> np.dtype[Any]:
    """Return the type that a field is stored in."""
    if name == FRAME_HASH:
        return np.dtype(np.uint64)
    return np.dtype(np.float32 if name in SINGLE_PRECISION else np.float64)


def write_part(folder: Path, start: int, rows: Rows) -> Part:
    """Write rows as one chunk; the chunk appears under its name only when it is complete."""
    stop = start + len(rows["current"])
    final = folder / f"rows-{start:012d}-{stop:012d}.h5"
    temporary = folder / f"{final.name}.{os.getpid()}.tmp"
    with open_hdf5(temporary, "w") as file:
        for name, values in rows.items():
            file.create_dataset(name, data=np.asarray(values, dtype=stored_dtype(name)))
    temporary.replace(final)
    return Part(start, stop, final)


def find_parts(folder: Path) -> list[Part]:
    """Return the complete chunks of a folder, in the order of their rows."""
    if not folder.is_dir():
        return []
    found = []
    for path in folder.glob("rows-*.h5"):
        start, stop = (int(word) for word in path.stem.split("-")[1:])
        found.append(Part(start, stop, path))
    return sorted(found)


def remove_parts(folder: Path) -> None:
    """Remove the chunks of a folder, what interrupted writers left there, and the folder."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()


def covered(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the union of intervals [start, stop), in order."""
    union: list[tuple[int, int]] = []
    for start, stop in sorted(intervals):
        if union and start <= union[-1][1]:
            union[-1] = union[-1][0], max(union[-1][1], stop)
        else:
            union.append((start, stop))
    return union


def gaps(intervals: Iterable[tuple[int, int]], end: int | None) -> list[tuple[int, int | None]]:
    """Return what the union of intervals leaves open in [0, end); an open end is None."""
    missing: list[tuple[int, int | None]] = []
    position = 0
    for start, stop in covered(intervals):
        if start > position:
            missing.append((position, start))
        position = max(position, stop)
    if end is None or position < end:
        missing.append((position, end))
    return missing
