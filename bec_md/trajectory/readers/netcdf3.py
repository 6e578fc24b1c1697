"""Classic NetCDF (versions 1, 2 and 5) read by record: no more is believed than the file has bytes.

Reference
---------
NetCDF classic format specification, Unidata (big-endian; record variables interleaved by record).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError

_TYPES = {
    1: "i1",
    2: "S1",
    3: ">i2",
    4: ">i4",
    5: ">f4",
    6: ">f8",
    7: "u1",
    8: ">u2",
    9: ">u4",
    10: ">i8",
    11: ">u8",
}
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12


@dataclass(frozen=True)
class Variable:
    """Name, type, shape of one record (or of the whole, if it has no records), attributes and place."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    attributes: dict[str, Any]
    by_record: bool
    begin: int

    @property
    def size(self) -> int:
        """Bytes of one record, or of the whole."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


class NetCDF3:
    """Header of a file, and its variables by name.

    Attributes
    ----------
    n_records
        Whole records that the file has bytes for.
    cut
        Whether the file ends inside a record, or before the records that its header announces.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = path.stat().st_size
        try:
            with path.open("rb") as stream:
                self._read_header(stream)
        except (struct.error, ValueError, KeyError, IndexError, OverflowError, RecursionError) as error:
            raise DataError(
                f"{path.name}: its NetCDF header cannot be read: {error}",
                "the file is damaged, or cut off inside its header",
                "copy it again from where it was written",
            ) from None
        records = [variable for variable in self.variables.values() if variable.by_record]
        # Every record of a variable is padded to 4 bytes, unless it is the only one.
        self._stride = sum(v.size if len(records) == 1 else -(-v.size // 4) * 4 for v in records)
        self.n_records, self.cut = 0, False
        if records and self._stride > 0:
            first = min(variable.begin for variable in records)
            last = max(variable.begin + variable.size for variable in records) - first
            available = self._end - first
            self.n_records = 0 if available < last else 1 + (available - last) // self._stride
            announced = self._announced if self._announced < 0xFFFFFFFF else self.n_records
            self.cut = announced > self.n_records
            self.n_records = min(self.n_records, announced) if announced else self.n_records

    def read(self, stream: IO[bytes], name: str, record: int | None = None) -> NDArray[Any]:
        """Values of a variable: of one record, or all of a variable without records.

        `stream` is the file, opened for reading bytes.
        """
        variable = self.variables[name]
        begin = variable.begin + (self._stride * record if record is not None else 0)
        if begin + variable.size > self._end:
            raise DataError(
                f"{self.path.name}: {name} lies beyond the end of the file",
                "the file is cut off, or its header is damaged",
                "copy it again from where it was written",
            )
        stream.seek(begin)
        data = stream.read(variable.size)
        return np.frombuffer(data, dtype=variable.dtype).reshape(variable.shape)

    def _read_header(self, stream: IO[bytes]) -> None:
        magic = stream.read(4)
        if magic[:3] != b"CDF" or magic[3] not in (1, 2, 5):
            raise ValueError("it does not begin with CDF")
        self._wide = magic[3] == 5
        self._offset = ">i" if magic[3] == 1 else ">q"
        self._announced = self._count(stream)
        self.dimensions: dict[str, int] = {}
        names = []
        for _ in range(self._list(stream, _DIMENSIONS)):
            name = self._name(stream)
            names.append(name)
            self.dimensions[name] = self._count(stream)
        self.attributes = self._attributes(stream)
        self.variables: dict[str, Variable] = {}
        for _ in range(self._list(stream, _VARIABLES)):
            name = self._name(stream)
            rank = self._count(stream)
            if rank > 32:
                raise ValueError(f"{name} has {rank} dimensions")
            ids = [self._count(stream) for _ in range(rank)]
            attributes = self._attributes(stream)
            dtype = np.dtype(_TYPES[self._integer(stream)])
            self._count(stream)  # its size, which the shape gives too
            (begin,) = struct.unpack(self._offset, stream.read(struct.calcsize(self._offset)))
            sizes = [self.dimensions[names[index]] for index in ids]
            by_record = bool(sizes) and sizes[0] == 0
            if begin < 0:
                raise ValueError(f"{name} begins at {begin}")
            self.variables[name] = Variable(dtype, tuple(sizes[by_record:]), attributes, by_record, begin)

    def _integer(self, stream: IO[bytes]) -> int:
        return int(struct.unpack(">i", stream.read(4))[0])

    def _count(self, stream: IO[bytes]) -> int:
        return int(struct.unpack(">Q" if self._wide else ">I", stream.read(8 if self._wide else 4))[0])

    def _list(self, stream: IO[bytes], expected: int) -> int:
        kind, number = self._integer(stream), self._count(stream)
        if kind not in (0, expected) or (kind == 0 and number) or number > self._end:
            raise ValueError(f"a list of kind {kind} with {number} entries")
        return number

    def _bytes(self, stream: IO[bytes], number: int) -> bytes:
        if number > self._end:
            raise ValueError(f"{number} bytes of {self._end}")
        data = stream.read(-(-number // 4) * 4)
        if len(data) < number:
            raise ValueError("it ends early")
        return data[:number]

    def _name(self, stream: IO[bytes]) -> str:
        return self._bytes(stream, self._count(stream)).decode("utf-8", "replace")

    def _attributes(self, stream: IO[bytes]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(self._list(stream, _ATTRIBUTES)):
            name = self._name(stream)
            kind, number = self._integer(stream), self._count(stream)
            dtype = np.dtype(_TYPES[kind])
            data = self._bytes(stream, number * dtype.itemsize)
            text = kind == 2
            found[name] = data.decode("utf-8", "replace") if text else np.frombuffer(data, dtype=dtype)
        return found
