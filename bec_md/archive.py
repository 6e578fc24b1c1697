"""NumPy files (.npy, .npz) read by checked headers: no more is allocated than their bytes announce.

Every member of an archive states its type and shape; both are compared with the size of the member before
its values are read. Pickled objects are refused, and members that nobody asks for are left alone.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from bec_md.errors import DataError

#: An array may unpack to this size, or to this multiple of its file.
_UNPACKED_BYTES, _UNPACKED_RATIO = 512 << 20, 1000
_DAMAGE = (
    ValueError, OSError, EOFError, KeyError, RuntimeError, NotImplementedError, OverflowError, RecursionError,
    SyntaxError, MemoryError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn whatever zipfile and NumPy raise into what, why and what to do."""
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(
            f"{path.name} cannot be read: {text}",
            f"a {path.suffix} file holds plain arrays of numbers; this one is damaged, cut off, or "
            f"holds other things",
            "check that the copy is complete, or write it again (numpy.savez; no objects)",
        ) from None


def array_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays of an .npz file.

    Raises
    ------
    DataError
        If it is none.
    """
    with _damage(path), zipfile.ZipFile(path) as archive:
        return tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))


def read_arrays(path: Path, wanted: tuple[str, ...] | None = None) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz file by name, all or those `wanted` that are there.

    Raises
    ------
    DataError
        For damaged archives, objects, and arrays that are larger than their members.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with _damage(path), zipfile.ZipFile(path) as archive:
        total = 0
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename or (wanted is not None and name not in wanted):
                continue
            if name in arrays:
                raise ValueError(f"two arrays are called {name}")
            total += info.file_size
            _check_size(path, name, total)
            with archive.open(info) as stream:
                arrays[name] = _read(stream, name, info.file_size)
    return arrays


def read_array(path: Path) -> NDArray[Any]:
    """Array of an .npy file.

    Raises
    ------
    DataError
        If it is damaged or holds objects.
    """
    with _damage(path), path.open("rb") as stream:
        return _read(stream, path.stem, path.stat().st_size)


def _check_size(path: Path, name: str, size: int) -> None:
    if size > max(_UNPACKED_BYTES, _UNPACKED_RATIO * path.stat().st_size):
        raise DataError(
            f"{path.name}: {name} unpacks to {size >> 20} MiB",
            f"that is over {_UNPACKED_RATIO} times the size of the file: no trajectory compresses like this",
            "unpack it by hand and look at what it holds",
        )


def _read(stream: IO[bytes], name: str, size: int) -> NDArray[Any]:
    """Read an array after comparing its header with the bytes that are there."""
    version = npy_format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = npy_format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = npy_format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"{name} is of version {version}")
    if dtype.hasobject or dtype.fields is not None:
        raise ValueError(f"{name} holds {'objects' if dtype.hasobject else 'records'} instead of numbers")
    count = 1
    for length in shape:
        count *= length
    declared = count * dtype.itemsize
    if min(shape, default=0) < 0 or declared > size:
        raise ValueError(f"{name} of shape {shape} needs {declared} bytes, but there are {size}")
    data = stream.read(declared)
    if len(data) < declared:
        raise ValueError(f"{name} of shape {shape} ends early")
    values = np.frombuffer(data, dtype=dtype, count=count)
    return values.reshape(shape, order="F" if fortran else "C")
