"""Open HDF5 files; h5py is imported here, when the first file is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_hdf5(path: Path, mode: str = "r") -> Any:
    """Return an open `h5py.File`; new files use the latest, crash-safer layout."""
    import h5py

    return h5py.File(path, mode, libver="latest") if mode != "r" else h5py.File(path, mode)
