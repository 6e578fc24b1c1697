r"""The current file: HDF5 that can be appended to, resumed after a kill, and read at any time.

While a current is computed its chunks lie in ``NAME.parts/`` beside the file (`bec_md.current.parts`); they
are joined into one file of datasets with an unlimited time axis at the end, or at the next load or run.
Joining writes a new file and renames it over the old one: no moment of a kill loses a complete chunk.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.current.hdf5 import open_hdf5
from bec_md.current.parts import (
    FRAME_HASH,
    Part,
    Rows,
    covered,
    find_parts,
    gaps,
    remove_parts,
    stored_dtype,
    write_part,
)
from bec_md.current.series import CurrentSeries
from bec_md.current.stored import HEADER, SCHEMA, load_file, read_header
from bec_md.errors import DataError, UsageError

#: Rows of one HDF5 chunk: about half a MB for a typical row.
CHUNK_BYTES = 512 * 1024
_COPY_ROWS = 16384
#: Entries of the key whose values mean nothing to a reader.
HASHES = {"first_frame", "charges_hash", "groups", "masses"}


def parts_folder(path: Path) -> Path:
    """Return the folder of the chunks of a current file."""
    return path.with_name(path.name + ".parts")


class CurrentStore:
    """A current file being written.

    Parameters
    ----------
    path
        The file to end with, usually ``.h5``.
    header
        ``key`` (hashes and parameters that determine the rows), ``system`` (groups, masses, timestep …) and
        ``metadata``.
    overwrite
        Throw away what another run left under this name.

    Raises
    ------
    UsageError
        If the file belongs to another computation (saying what differs) or is no current file.
    """

    def __init__(self, path: str | Path, header: dict[str, Any], *, overwrite: bool = False) -> None:
        self.path = Path(path).expanduser()
        self.folder = parts_folder(self.path)
        self.header: dict[str, Any] = {"schema": SCHEMA, **_plain(header)}
        if not self.path.parent.is_dir():
            raise UsageError(
                f"there is no folder {self.path.parent}",
                "the current file is written into it",
                "create the folder, or choose another output",
            )
        self.grown = False
        stored = self._stored_header()
        if stored is not None and not overwrite:
            self._compare(stored)
        self.folder.mkdir(exist_ok=True)
        with self.lock():
            if overwrite or stored is None:
                self._remove_rows()
            if not self.grown:
                self._write_header()

    def _remove_rows(self) -> None:
        for part in find_parts(self.folder):
            part.path.unlink()
        self.path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove half-written files that a killed process left; to be called under the lock."""
        for path in [*self.folder.glob("*.tmp"), *self.path.parent.glob(f"{self.path.name}.*.tmp")]:
            path.unlink(missing_ok=True)

    def _stored_header(self) -> dict[str, Any] | None:
        """Return the header of what lies there."""
        if self.path.exists():
            stored = read_header(self.path)
            if stored is None:
                raise UsageError(
                    f"{self.path.name} exists and is not a current file of bec-md",
                    "it would be overwritten",
                    "choose another output name, or remove the file yourself",
                )
            return stored
        header_file = self.folder / "header.json"
        if header_file.is_file():
            return dict(json.loads(header_file.read_text(encoding="utf-8")))
        return None

    def _compare(self, stored: dict[str, Any]) -> None:
        """Accept the same computation, or the same on a trajectory that may have grown."""
        old, new = dict(stored["key"]), dict(self.header["key"])
        self.grown = old.pop("input", None) != new.pop("input", None)
        differences = compare_keys(old, new)
        if differences:
            raise UsageError(
                f"{self.path.name} holds another computation: " + "; ".join(differences),
                "a file is continued only with the same model, input and options",
                "choose another output name, repeat the old options, or start over with --overwrite",
            )

    def _write_header(self) -> None:
        header_file = self.folder / "header.json"
        temporary = header_file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(self.header), encoding="utf-8")
        temporary.replace(header_file)

    # ------------------------------------------------------------------ what is there
    def joined_rows(self) -> int:
        """Return the number of rows in the joined file."""
        if not self.path.is_file():
            return 0
        with open_hdf5(self.path) as file:
            return _length(file)

    def intervals(self) -> list[tuple[int, int]]:
        """Return the rows that are safely stored, as intervals in order."""
        parts = [(part.start, part.stop) for part in find_parts(self.folder)]
        joined = self.joined_rows()
        return covered([*parts, (0, joined)] if joined else parts)

    def missing(self, end: int | None) -> list[tuple[int, int | None]]:
        """Return the rows that are still to be computed."""
        return gaps(self.intervals(), end)

    def first_rows(self) -> int:
        """Return how many rows are stored from the beginning without a gap."""
        intervals = self.intervals()
        return intervals[0][1] if intervals and intervals[0][0] == 0 else 0

    def frame_hash(self, row: int) -> int | None:
        """Return the hash of the frame that a stored row was computed from."""
        for part in find_parts(self.folder):
            if part.start <= row < part.stop:
                with open_hdf5(part.path) as file:
                    return int(file[FRAME_HASH][row - part.start]) if FRAME_HASH in file else None
        if row >= self.joined_rows():
            return None
        with open_hdf5(self.path) as file:
            return int(file[FRAME_HASH][row]) if FRAME_HASH in file else None

    def continue_grown(self, rows: int) -> None:
        """Go on after the trajectory has grown, keeping the first `rows` rows.

        Rows near the old end are dropped: their batch, or their interpolation, was cut short there.
        """
        for part in find_parts(self.folder):
            if part.stop > rows:
                part.path.unlink()
        if self.path.is_file():
            join_parts(self.path, self.folder, self.header, min(rows, self.joined_rows()))
        self._write_header()
        self.grown = False

    def refuse_grown(self) -> None:
        """Say that the input is another one."""
        raise UsageError(
            f"{self.path.name} was computed from another trajectory",
            "its frames are not those at the beginning of this one",
            "choose another output name, or start over with --overwrite",
        )

    # ------------------------------------------------------------------ writing
    def write(self, start: int, rows: Rows) -> None:
        """Store rows; when this returns, a kill does not lose them."""
        write_part(self.folder, start, rows)

    def join(self, *, complete: bool) -> None:
        """Join the chunks that follow each other from the first row on into the file."""
        header = self.header | {"complete": complete}
        join_parts(self.path, self.folder, header, self.joined_rows())
        if complete:
            remove_parts(self.folder)
            return
        for part in find_parts(self.folder):
            if part.stop <= self.joined_rows():
                part.path.unlink()
        if not find_parts(self.folder):
            remove_parts(self.folder)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing the same file; a killed process leaves no lock behind."""
        try:
            import fcntl
        except ImportError:  # no advisory locks on this platform
            yield
            return
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(
                    f"another process is writing {self.path.name}",
                    "two writers of one file would disturb each other",
                    "wait for it, or choose another output name",
                ) from error
            yield


def join_parts(path: Path, folder: Path, header: dict[str, Any], joined: int) -> None:
    """Write the joined file anew from its valid rows and the chunks that continue them."""
    chain, position = [], joined
    for part in find_parts(folder):
        if part.start <= position < part.stop:
            chain.append(part)
            position = part.stop
    if not chain and path.is_file() and _without_averages(read_header(path)) == header:
        return
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with open_hdf5(temporary, "w") as file:
        file.attrs[HEADER] = json.dumps(header)
        file.attrs["units"] = "e, angstrom, fs, amu, eV"
        if joined:
            with open_hdf5(path) as old:
                _append(file, old, 0, joined)
        for part in chain:
            with open_hdf5(part.path) as source:
                _append(file, source, _length(file) - part.start, part.stop - part.start)
        filled = _length(file) > 0
    if filled and header.get("complete"):
        _store_averages(temporary, header)
    temporary.replace(path)


def _store_averages(path: Path, header: dict[str, Any]) -> None:
    """Add the time averages to the header, so that reading a long series starts at once."""
    averages = load_file(path, header, lazy=True).averages
    with open_hdf5(path, "r+") as file:
        file.attrs[HEADER] = json.dumps(header | {"averages": averages.to_json()})


def _without_averages(header: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (header or {}).items() if name != "averages"}


def _length(file: Any) -> int:
    return int(file["current"].shape[0]) if "current" in file else 0


def _append(file: Any, source: Any, first: int, stop: int) -> None:
    """Append rows first … stop−1 of every dataset of one file to another."""
    for name in source:
        dataset = source[name]
        if name not in file:
            row_bytes = max(1, math.prod(dataset.shape[1:])) * stored_dtype(name).itemsize
            file.create_dataset(
                name,
                shape=(0, *dataset.shape[1:]),
                maxshape=(None, *dataset.shape[1:]),
                chunks=(max(1, min(65536, CHUNK_BYTES // row_bytes)), *dataset.shape[1:]),
                dtype=stored_dtype(name),
            )
        target = file[name]
        begin = int(target.shape[0])
        target.resize(begin + stop - first, axis=0)
        for row in range(first, stop, _COPY_ROWS):
            end = min(row + _COPY_ROWS, stop)
            target[begin + row - first : begin + end - first] = dataset[row:end]


def compare_keys(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return what differs between two computations, in words."""
    differences = []
    for name in sorted(set(stored) | set(wanted)):
        old, new = stored.get(name), wanted.get(name)
        if old != new:
            label = name.replace("_", " ")
            if name in HASHES:
                differences.append(f"other {label}")
            else:
                differences.append(f"{label} was {_short(old)}, now {_short(new)}")
    return differences


def load_current(path: str | Path, *, lazy: bool | None = None) -> CurrentSeries:
    """Return a stored current; also one that is still being computed or was interrupted.

    Parameters
    ----------
    path
        The file that was given as output.
    lazy
        Read rows when they are needed; by default for files above 128 MB.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is not a current file, or holds no sample yet.
    """
    path = Path(path).expanduser()
    folder = parts_folder(path)
    header = read_header(path) if path.is_file() else None
    if find_parts(folder) and (folder / "header.json").is_file():
        return _load_interrupted(path, folder, lazy)
    if header is not None:
        return load_file(path, header, lazy=lazy)
    if path.is_file():
        raise DataError(
            f"{path.name} is not a current file of bec-md",
            "it lacks the header that bec-md current writes",
            "make one with bec-md current INPUT -o current.h5; open_current reads series of other codes",
        )
    raise UsageError(f"there is no file {path}", "a stored current is read from it", "check the name")


def is_stored_current(path: str | Path) -> bool:
    """Whether `load_current` can read this path."""
    path = Path(path).expanduser()
    if find_parts(parts_folder(path)):
        return True
    return path.is_file() and path.suffix in (".h5", ".hdf5", ".hdf") and read_header(path) is not None


def _load_interrupted(path: Path, folder: Path, lazy: bool | None) -> CurrentSeries:
    """Read what an unfinished run has stored so far, without touching it."""
    import tempfile

    header = json.loads((folder / "header.json").read_text(encoding="utf-8")) | {"complete": False}
    joined = 0
    stored = read_header(path) if path.is_file() else None
    if stored is not None:
        joined = load_file(path, stored, lazy=True).n_frames
    with tempfile.TemporaryDirectory() as scratch:
        view = Path(scratch) / path.name
        _join_copy(view, path, folder, header, joined)
        return load_file(view, header, lazy=False)


def _join_copy(view: Path, path: Path, folder: Path, header: dict[str, Any], joined: int) -> None:
    import shutil

    if joined:
        shutil.copyfile(path, view)
    join_parts(view, folder, header, joined)


def _plain(value: Any) -> Any:
    """Return the value as it will look after a round trip through JSON."""
    return json.loads(json.dumps(value, default=_convert))


def _convert(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return list(value)
    return str(value)


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


__all__ = ["CurrentStore", "Part", "is_stored_current", "load_current", "parts_folder"]
