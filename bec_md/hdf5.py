"""Open HDF5 files: damage in words, checksums in what is written, and no crash on a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.atomic import replacing
from bec_md.errors import DataError
from bec_md.interruption import undisturbed
from bec_md.memory import require_memory

#: An array may announce so many bytes, or this multiple of what is stored of it.
_FREE_BYTES, _RATIO = 32 << 20, 1000
#: Arrays that are read as a whole are there twice for a moment: real and imaginary parts become one.
_COPIES = 2


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """Yield an `h5py.File` for reading.

    Raises
    ------
    DataError
        If the file is cut off or damaged: checksums are compared with what is read.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError:
        raise
    except BlockingIOError as error:
        raise DataError(
            f"{path.name} is being written by another program",
            "HDF5 lets nobody read meanwhile: what stands there need not fit together yet",
            "wait until that program closes it, which a run does at its end",
        ) from error
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{path.name} cannot be read: {' '.join(str(error).split())}",
            "the file is cut off, damaged, or no HDF5 file: it may have been copied in part",
            "copy it again, or make it anew with the command that wrote it",
        ) from error


def kind_of_result(file: Any) -> str | None:
    """Return which result of bec-md an open HDF5 file is, "current" or "spectrum"; None for another file."""
    if str(file.attrs.get("format", "")).startswith("bec-md spectrum"):
        return "spectrum"
    return "current" if "bec_md_current" in file.attrs else None


@contextmanager
def contents_of(path: Path, whole: bool = False) -> Iterator[Any]:
    """Yield an `h5py.File` of bec-md's own; what is absent or of another kind in it is damage.

    Parameters
    ----------
    path
        The file.
    whole
        Whether all of its arrays are read into memory, as those of a spectrum are.

    Raises
    ------
    DataError
        With what was not found, or found to be something else.
    UsageError
        If memory does not hold the whole.
    """
    try:
        with open_hdf5(path) as file:
            sizes = [_checked_size(file, name, path.name) for name in file]
            if whole:
                require_memory(
                    _COPIES * sum(sizes),
                    f"reading {path.name}",
                    "all of its arrays are read at once",
                    "compute it with a coarser resolution, or read it on a larger machine",
                )
            yield file
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise DataError(
            f"{path.name} is damaged: {' '.join(str(error).split())[:200]}",
            f"something that bec-md writes is absent, or is something else ({type(error).__name__})",
            "copy it again, or make it anew with the command that wrote it",
        ) from error


def _checked_size(file: Any, name: str, place: str) -> int:
    """Bytes of an array; refuse it if that is out of proportion to the bytes that are there."""
    import h5py

    dataset = None if isinstance(file.get(name, getlink=True), h5py.ExternalLink) else file[name]
    if dataset is None or (isinstance(dataset, h5py.Dataset) and (dataset.external or dataset.is_virtual)):
        raise DataError(
            f"{place}: {name} lies in another file",
            "what bec-md writes holds its own numbers: something else has changed this file",
            "make it anew with the command that wrote it",
        )
    if isinstance(dataset, h5py.Dataset) and dataset.nbytes > _FREE_BYTES:
        there = max(dataset.id.get_storage_size(), 1)
        if dataset.nbytes > _RATIO * there:
            raise DataError(
                f"{place}: {name} announces {dataset.nbytes >> 20} MiB in {there} bytes",
                f"that is over {_RATIO} times what is stored: the file is damaged, or was never filled",
                "make it anew with the command that wrote it",
            )
    return int(dataset.nbytes) if isinstance(dataset, h5py.Dataset) else 0


def is_hdf5(path: Path) -> bool:
    """Whether this is a file, no pipe or device, that begins like HDF5."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(8) == b"\x89HDF\r\n\x1a\n"
    except OSError:
        return False


@contextmanager
def new_hdf5(path: Path) -> Iterator[Any]:
    """Yield a new `h5py.File`, which appears under its name only when it is complete.

    Raises
    ------
    OSError
        If it could not be written: the disk is full, a quota or a limit is reached.
    """
    with replacing(path) as partial, hdf5_for_writing(partial, "w") as file:
        yield file


@contextmanager
def hdf5_for_writing(path: Path, mode: str) -> Iterator[Any]:
    """Yield an `h5py.File` in mode ``"w"`` or ``"r+"`` whose failures to write are Python's.

    The library of HDF5 crashes when its file cannot be written to the end. It therefore writes through
    `_Writer`, which keeps the first failure to itself until the file is closed; signals to end wait for that,
    or for a `checkpoint` of the caller.
    """
    import h5py

    with undisturbed(), _Writer(path, "w+b" if mode == "w" else "r+b") as stream:
        try:
            with h5py.File(stream, mode, libver="latest", track_order=mode == "w") as file:
                yield file
        finally:
            if stream.failure is not None:
                raise stream.failure
        stream.flush()
        if stream.failure is not None:
            raise stream.failure


class _Writer(io.RawIOBase):
    """A file whose writes always succeed for the caller; the first failure is kept in `failure`."""

    def __init__(self, path: Path, mode: str) -> None:
        self._stream: Any = path.open(mode, buffering=0)
        self.failure: OSError | None = None

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        view = memoryview(buffer)
        done = 0
        while done < len(view):
            count = self._stream.readinto(view[done:])
            if not count:
                view[done:] = bytes(len(view) - done)
                break
            done += count
        return len(view)

    def write(self, data: Any) -> int:
        """Write, and keep the first failure."""
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.failure is None:
                done += self._stream.write(view[done:])
        except OSError as error:
            self.failure = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the size, and keep the first failure."""
        try:
            if self.failure is None:
                self._stream.truncate(size)
        except OSError as error:
            self.failure = error
        return size or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position."""
        return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        """Return the position."""
        return int(self._stream.tell())

    def flush(self) -> None:
        """Do nothing: the stream has no buffer."""

    def close(self) -> None:
        """Close the file below."""
        self._stream.close()
        super().close()

    def readable(self) -> bool:
        """Yes: HDF5 reads what it has written."""
        return True

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True


def add_dataset(file: Any, name: str, values: Any, **options: Any) -> Any:
    """Write an array with checksums; a single number is too small for them."""
    array = np.asarray(values)
    if array.ndim > 0 and array.size > 0 and array.dtype.kind in "biufc":
        options["fletcher32"] = True
    return file.create_dataset(name, data=array, **options)
