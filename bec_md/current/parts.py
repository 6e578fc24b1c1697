r"""Rows of a current on disk while it is being computed: one small HDF5 file per chunk.

The chunks of ``NAME.h5`` lie in the folder ``NAME.h5.parts`` beside it. A chunk is written under a partial
name and then renamed: after a kill at any moment every chunk is either there, whole, or not there. The name
says which rows it holds. One process at a time writes; it holds the lock of the folder. Nothing but files of
these names is touched there, and no link is followed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.atomic import LOCK_FLAGS, MARK, lock_for_writing, write_text
from bec_md.current.fields import FIELDS
from bec_md.current.header import parse_header
from bec_md.current.places import PLACE_ROW, PLACES
from bec_md.errors import UsageError
from bec_md.files import read_text
from bec_md.hdf5 import add_dataset, new_hdf5

Rows = dict[str, NDArray[Any]]

#: A chunk is written at the latest when it has grown to this size.
COMMIT_BYTES = 64 * 1024**2

#: Dataset with a hash of each frame: tells whether a trajectory still is the one of the stored rows.
FRAME_HASH = "frame_hash"

_DTYPES: dict[str, np.dtype[Any]] = {
    FRAME_HASH: np.dtype(np.uint64),
    PLACE_ROW: np.dtype(np.int64),
    PLACES: np.dtype(np.float32),
}
_CHUNK = re.compile(r"rows-(\d{12})-(\d{12})\.h5")
_OWN = re.compile(rf"(rows-\d{{12}}-\d{{12}}|header)({re.escape(MARK)}\d+)?\.(h5|json)|lock")


@dataclass(frozen=True, order=True)
class Part:
    """One chunk: rows start … stop−1."""

    start: int
    stop: int
    path: Path


def stored_dtype(name: str) -> np.dtype[Any]:
    """Return the type that a field is stored in."""
    return _DTYPES[name] if name in _DTYPES else np.dtype(FIELDS[name].dtype)


class PartsFolder:
    """The folder of the chunks of a current file.

    Parameters
    ----------
    path
        The current file.
    """

    def __init__(self, path: Path) -> None:
        self.file_name = path.name
        self.path = path.parent / f"{path.name}.parts"  # path.with_name refuses "."

    @property
    def is_there(self) -> bool:
        """Whether there is a folder, and not a link to one."""
        return self.path.is_dir() and not self.path.is_symlink()

    def make(self) -> None:
        """Make the folder.

        Raises
        ------
        UsageError
            If something else has its name.
        """
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            kind = "a link" if self.path.is_symlink() else "a file"
            raise UsageError(
                f"{self.path.name} is {kind}",
                f"the rows of {self.file_name} are kept in a folder of that name while they are computed",
                "move it away, or choose another output name",
            )
        self.path.mkdir(exist_ok=True)

    def header(self) -> dict[str, Any] | None:
        """Return the header of the rows, None if there is none.

        Raises
        ------
        DataError
            If it is damaged.
        """
        file = self.path / "header.json"
        if not self.is_there or file.is_symlink() or not file.is_file():
            return None
        return parse_header(
            read_text(file, strict=False),
            f"{self.path.name}/{file.name}",
            f"remove the folder {self.path.name}; its rows are computed again",
        )

    def write_header(self, header: dict[str, Any]) -> None:
        """Say what the rows are computed from."""
        self._not_a_link("header.json")
        write_text(self.path / "header.json", json.dumps(header))

    def write(self, start: int, rows: Rows) -> None:
        """Write rows as one chunk; when this returns, a kill does not lose them."""
        name = f"rows-{start:012d}-{start + len(rows['current']):012d}.h5"
        self._not_a_link(name)
        with new_hdf5(self.path / name) as file:
            for field, values in rows.items():
                add_dataset(file, field, np.asarray(values, dtype=stored_dtype(field)))

    def find(self) -> list[Part]:
        """Return the complete chunks, in the order of their rows."""
        found = []
        with suppress(FileNotFoundError):  # another process has joined the parts in the meantime
            for path in self.path.iterdir() if self.is_there else ():
                name = _CHUNK.fullmatch(path.name)
                if name is not None and path.is_file() and not path.is_symlink():
                    found.append(Part(int(name[1]), int(name[2]), path))
        return sorted(found)

    def clean(self) -> None:
        """Remove the partial files of killed writers; to be called under the lock."""
        for path in self.path.glob(f"*{MARK}*"):
            if _OWN.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove what this module has written, and the folder unless something else is in it."""
        if not self.is_there:
            return
        for path in self.path.iterdir():
            if _OWN.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def _not_a_link(self, name: str) -> None:
        path = self.path / name
        if path.is_symlink():
            path.unlink()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make the folder and keep other processes from writing there; a killed one leaves no lock behind.

        Raises
        ------
        UsageError
            If another process holds it, or something else has the name of the folder.
        """
        descriptor = lock_for_writing(self.path / "lock", self._open_made_lock, self.file_name)
        try:
            yield
        finally:
            os.close(descriptor)

    def _open_made_lock(self) -> int:
        while True:
            self.make()
            with suppress(FileNotFoundError):  # another process has just finished and removed the folder
                return self._open_lock()

    def _open_lock(self) -> int:
        try:
            return os.open(self.path / "lock", LOCK_FLAGS, 0o666)
        except OSError as error:
            if not (self.path / "lock").is_symlink():
                raise
            raise UsageError(
                f"{self.path.name}/lock is a link",
                "what it points to might be changed",
                f"remove {self.path.name}/lock",
            ) from error


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
