"""HDF5 files opened for reading: errors in words, cut files, sizes checked against the bytes there are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import BecMDError, DataError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: No compression makes real trajectories smaller than by this factor; what declares more was never written.
_COMPRESSION_LIMIT = 1100


def is_hdf5(data: bytes) -> bool:
    """Whether a file begins like HDF5."""
    return data.startswith(_SIGNATURE)


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Open a file for reading as `h5py.File`; one that is cut off ends in zeros.

    Raises
    ------
    DataError
        For whatever HDF5 cannot read, at opening or later.
    """
    import h5py

    try:
        if missing_bytes(path) > 0:
            with path.open("rb") as raw, h5py.File(_Padded(raw, missing_bytes(path)), "r") as file:
                yield file
        else:
            with h5py.File(path, "r") as file:
                yield file
    except BecMDError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError) as error:
        cut = (
            "it is cut off: the run was killed, or the copy is incomplete"
            if missing_bytes(path) > 0
            else "it is damaged"
        )
        text = " ".join(str(error).split())[:160]
        raise DataError(
            f"{path.name} cannot be read: {text}",
            cut,
            "copy it again from where it was written, or repeat the run",
        ) from None


def missing_bytes(path: Path) -> int:
    """How many bytes are missing of what the superblock announces."""
    with path.open("rb") as stream:
        head = stream.read(64)
    if not head.startswith(_SIGNATURE) or len(head) < 48:
        return 0
    begin = 40 if head[8] < 2 else 28
    return max(0, int.from_bytes(head[begin : begin + 8], "little") - path.stat().st_size)


def rows_of(dataset: Any, path: Path) -> int:
    """Number of leading rows of a data set that are in the file.

    Raises
    ------
    DataError
        If it declares more than its bytes can hold.
    """
    shape: tuple[int, ...] = dataset.shape
    if not shape:
        raise DataError(f"{path.name}: {dataset.name} is a single value", "it holds a row for every frame",
                        "check how the file was written")  # fmt: skip
    size: int = path.stat().st_size
    stored = int(dataset.id.get_storage_size())
    declared = int(np.prod(shape, dtype=object)) * dataset.dtype.itemsize
    if declared > _COMPRESSION_LIMIT * max(stored, 1):
        raise DataError(
            f"{path.name}: {dataset.name} declares {declared:g} bytes, but {stored} are stored",
            "its frames were never written",
            "check that the run that writes it has finished",
        )
    if missing_bytes(path) == 0:
        return int(shape[0])
    if dataset.chunks is None:
        offset, row = dataset.id.get_offset(), declared // max(shape[0], 1)
        if offset is None or row == 0:
            return 0
        within: int = (size - int(offset)) // row
        return min(int(shape[0]), max(0, within))
    rows = int(shape[0])
    for number in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(number)
        if chunk.byte_offset + chunk.size > size:
            rows = min(rows, int(chunk.chunk_offset[0]))
    return rows


class _Padded(io.RawIOBase):
    """A file with zeros behind its end."""

    def __init__(self, raw: Any, missing: int) -> None:
        self._raw = raw
        self._size = raw.seek(0, io.SEEK_END)
        self._end = self._size + missing
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted: int = max(0, min(len(view), self._end - self._at))
        self._raw.seek(self._at)
        data = self._raw.read(wanted)
        view[: len(data)] = data
        view[len(data) : wanted] = bytes(wanted - len(data))
        self._at += wanted
        return wanted
