"""HDF5 files opened for reading: errors in words, sizes checked against the bytes that are there.

A run that is killed leaves what it has flushed; its arrays may have different lengths then. A file that is
cut off cannot be opened: its index lies anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import DataError
from bec_md.hdf5 import open_hdf5

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: No compression makes real trajectories smaller than by this factor; what declares more was never written.
_COMPRESSION_LIMIT = 1100


def is_hdf5(data: bytes) -> bool:
    """Whether a file begins like HDF5."""
    return data.startswith(_SIGNATURE)


@contextmanager
def open_trajectory_hdf5(path: Path) -> Iterator[Any]:
    """Open a file for reading as `h5py.File`.

    Raises
    ------
    DataError
        For whatever HDF5 cannot read, and for groups and arrays that are not what the format says.
    """
    try:
        with open_hdf5(path) as file:
            yield file
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path.name} cannot be read: {' '.join(str(error).split())[:160]}",
            "it is damaged, or its run was killed too early",
            "copy it again from where it was written, or repeat the run",
        ) from None


def rows_of(dataset: Any, path: Path) -> int:
    """Number of rows of a data set, one per frame.

    Raises
    ------
    DataError
        If it declares more than its bytes can hold.
    """
    shape: tuple[int, ...] = dataset.shape
    stored = int(dataset.id.get_storage_size())
    declared = int(np.prod(shape, dtype=object)) * dataset.dtype.itemsize
    if not shape or declared > _COMPRESSION_LIMIT * max(stored, 1):
        raise DataError(
            f"{path.name}: {dataset.name} of shape {shape} declares {declared:g} bytes, but {stored} "
            f"are stored",
            "its frames were never written",
            "check that the run that writes it has finished",
        )
    return int(shape[0])
