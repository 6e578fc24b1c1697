"""NumPy files (.npy, .npz) read by checked headers: no more is allocated than their bytes announce.

Every member of an archive states its type and shape; both are compared with the size of the member before
its values are read. Pickled objects are refused, and members that nobody asks for are left alone.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import in_words
from bec_md.memory import require_memory

#: An array may unpack to this size, or to this multiple of its file.
_UNPACKED_BYTES, _UNPACKED_RATIO = 512 << 20, 1000
_DAMAGE = (
    ValueError, OSError, EOFError, KeyError, RuntimeError, NotImplementedError, OverflowError, RecursionError,
    SyntaxError, TokenError, MemoryError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Header:
    """Type, shape and order of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes of the values."""
        return self.size * self.dtype.itemsize


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn whatever zipfile and NumPy raise into what, why and what to do."""
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        raise DataError(
            f"{path.name} cannot be read: {in_words(error, path)}",
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


def array_headers(path: Path, wanted: Container[str]) -> dict[str, Header]:
    """Types and shapes of the arrays of an .npz file that are `wanted`, without their values.

    Raises
    ------
    DataError
        For damaged archives, objects, and arrays that are larger than their members.
    """
    found: dict[str, Header] = {}
    with _damage(path), zipfile.ZipFile(path) as archive:
        for name, info in _members(archive, wanted):
            with archive.open(info) as stream:
                found[name] = _header(stream, name, info.file_size)
    return found


def read_arrays(path: Path, wanted: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz file by name, all or those `wanted` that are there.

    Raises
    ------
    DataError
        For damaged archives, objects, and arrays that are larger than their members.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with _damage(path), zipfile.ZipFile(path) as archive:
        members = list(_members(archive, wanted))
        total = sum(info.file_size for _, info in members)
        if total > max(_UNPACKED_BYTES, _UNPACKED_RATIO * path.stat().st_size):
            raise ValueError(f"it unpacks to {total >> 20} MiB, over {_UNPACKED_RATIO} times its size")
        require_memory(
            total, f"{path.name}: reading it", "its arrays are read as a whole", "take a part of it"
        )
        for name, info in members:
            with archive.open(info) as stream:
                arrays[name] = _values(stream, _header(stream, name, info.file_size), name)
    return arrays


def _members(
    archive: zipfile.ZipFile, wanted: Container[str] | None
) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    seen: set[str] = set()
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or (wanted is not None and name not in wanted):
            continue
        if name in seen:
            raise ValueError(f"two arrays are called {name}")
        seen.add(name)
        yield name, info


def read_array(path: Path) -> NDArray[Any]:
    """Array of an .npy file.

    Raises
    ------
    DataError
        If it is damaged or holds objects.
    """
    with _damage(path), path.open("rb") as stream:
        return _values(stream, _header(stream, path.stem, path.stat().st_size), path.stem)


def _header(stream: IO[bytes], name: str, size: int) -> Header:
    """Header of an array, compared with the bytes that are there."""
    version = npy_format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = npy_format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = npy_format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"{name} is of version {version}")
    if dtype.hasobject or dtype.fields is not None:
        raise ValueError(f"{name} holds {'objects' if dtype.hasobject else 'records'} instead of numbers")
    header = Header(shape, dtype, fortran)
    if min(shape, default=0) < 0 or header.n_bytes > size:
        raise ValueError(f"{name} of shape {shape} needs {header.n_bytes} bytes, but there are {size}")
    return header


def _values(stream: IO[bytes], header: Header, name: str) -> NDArray[Any]:
    data = stream.read(header.n_bytes)
    if len(data) < header.n_bytes:
        raise ValueError(f"{name} of shape {header.shape} ends early")
    values = np.frombuffer(data, dtype=header.dtype, count=header.size)
    return values.reshape(header.shape, order="F" if header.fortran_order else "C")
