r"""Write a current file: find out what is stored, add rows, join them; continue only what is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bec_md.current.file import (
    compare_keys,
    differing,
    frame_hashes_of,
    header_of,
    join_parts,
    joined_rows,
    plain,
    read_header,
    stored_intervals,
)
from bec_md.current.found import kept, with_found
from bec_md.current.header import SCHEMA
from bec_md.current.job import SPELLED
from bec_md.current.parts import PartsFolder, Rows, gaps
from bec_md.errors import UsageError
from bec_md.files import expanded, resolved


class CurrentStore:
    """A current file being written; made by `writing`, which holds its lock.

    Parameters
    ----------
    path
        The file to end with.
    parts
        Folder of its chunks.
    header
        ``key`` (hashes and options that determine the rows), ``input`` (state of the input files),
        ``system`` (groups, masses, timestep …) and ``metadata``.
    """

    def __init__(self, path: Path, parts: PartsFolder, header: dict[str, Any]) -> None:
        self.path, self.parts, self.header = path, parts, header
        #: What was stored under this name before, if it is to be continued.
        self.stored: dict[str, Any] | None = None
        #: Options given in other words than before, whose frames have to be compared.
        self.respelled: set[str] = set()
        self._found: tuple[str, ...] = ()

    @classmethod
    @contextmanager
    def writing(
        cls, path: str | Path, header: dict[str, Any], *, overwrite: bool = False
    ) -> Iterator[CurrentStore]:
        """Open a file for writing, under its lock.

        Parameters
        ----------
        path
            The file to end with, usually ``.h5``.
        header
            See above.
        overwrite
            Throw away what another run left under this name.

        Raises
        ------
        UsageError
            If the file belongs to another computation (saying what differs), is no current file, or is being
            written by another process.
        """
        path = expanded(path)
        path = resolved(path) if path.is_symlink() else path
        if not path.parent.is_dir():
            raise UsageError(
                f"there is no folder {path.parent}",
                "the current file is written into it",
                "create the folder, or choose another output",
            )
        store = cls(path, PartsFolder(path), {"schema": SCHEMA, **plain(header)})
        if store.path.exists() and read_header(path) is None:
            raise UsageError(
                f"{path.name} exists and is not a current file of bec-md",
                "it would be overwritten",
                "choose another output name, or remove the file yourself",
            )
        with store.parts.lock():
            store.parts.clean()
            try:
                store._begin(overwrite)
                yield store
            finally:
                if not store.parts.find():
                    store.parts.remove()

    def _begin(self, overwrite: bool) -> None:
        self.stored = None if overwrite else header_of(self.path)
        if self.stored is None:
            for part in self.parts.find():
                part.path.unlink()
            self.path.unlink(missing_ok=True)
            self.parts.write_header(self.header)
            return
        if self.stored.get("schema", 1) < SCHEMA:
            raise UsageError(
                f"{self.path.name} was written by an older bec-md",
                "it does not say with which options, so that it cannot be continued safely",
                f"bec-md spectrum {self.path.name} still analyzes it; choose another output name, or compute "
                "it anew with `overwrite`",
            )
        self.respelled = differing(self.stored["key"], self.header["key"])
        if not self.respelled <= SPELLED or (self.respelled and self.frame_hashes() is None):
            raise UsageError(
                f"{self.path.name} holds another computation: "
                + compare_keys(self.stored["key"], self.header["key"]),
                "a file is continued only with the same model, input and options",
                "choose another output name, repeat the old options, or start over with `overwrite`",
            )

        waiting = self.parts.header() or {}
        self._found = tuple(
            text
            for old in (self.stored, waiting)
            if old.get("key") == self.stored["key"]
            for text in kept(old, same_files=old.get("input") == self.header["input"])
        )
        self.header["metadata"] = with_found(self.header["metadata"], self._found)

    # ------------------------------------------------------------------ what is there
    @property
    def is_current(self) -> bool:
        """Whether the file is complete and was made from input files that have not changed since."""
        old, new = self.stored or {}, self.header["input"]
        same = all(old.get("input", {}).get(name) == new[name] for name in ("files", "fingerprint"))
        return bool(old.get("complete")) and same

    def intervals(self) -> list[tuple[int, int]]:
        """Return the rows that are safely stored, as intervals in order."""
        return stored_intervals(self.path)

    def missing(self, end: int | None) -> list[tuple[int, int | None]]:
        """Return the rows that are still to be computed."""
        return gaps(self.intervals(), end)

    def first_rows(self) -> int:
        """Return how many rows are stored from the beginning without a gap."""
        intervals = self.intervals()
        return intervals[0][1] if intervals and intervals[0][0] == 0 else 0

    def frame_hashes(self) -> Any:
        """Return the hashes of the frames of the rows stored from the beginning on, None if unknown."""
        return frame_hashes_of(self.path, self.first_rows())

    # ------------------------------------------------------------------ writing
    def write(self, start: int, rows: Rows) -> None:
        """Store rows; when this returns, a kill does not lose them."""
        self.parts.write(start, rows)

    def note(self, found: Sequence[str]) -> None:
        """Keep what frames have shown so far with the rows, and with what earlier runs have seen."""
        metadata = with_found(self.header["metadata"], [*self._found, *found])
        if metadata != self.header["metadata"]:
            self.header["metadata"] = metadata
            self.parts.write_header(self.header)

    def keep(self, rows: int | None) -> None:
        """Go on with the new header, keeping the first `rows` rows (all of them if None)."""
        if rows is not None:
            for part in self.parts.find():
                if part.stop > rows:
                    part.path.unlink()
        joined = joined_rows(self.path)
        if self.path.is_file():
            waiting = self.header | {"complete": False}
            join_parts(self.path, self.parts, waiting, joined if rows is None else min(rows, joined))
        self.parts.write_header(self.header)

    def join(self, *, complete: bool) -> None:
        """Join the chunks that follow each other from the first row on into the file."""
        join_parts(self.path, self.parts, self.header | {"complete": complete}, joined_rows(self.path))
        rows = joined_rows(self.path)
        for part in self.parts.find():
            if complete or part.stop <= rows:
                part.path.unlink()
