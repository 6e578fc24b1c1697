"""Open input files: compression by content, fingerprints, and helpful messages for missing ones."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TextIO, cast

from bec_md.errors import DataError, UsageError

_BUFFER = 1 << 20
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}


def require_file(path: Path) -> Path:
    """Return `path` if it is a non-empty file; else raise with the closest names of its folder.

    Raises
    ------
    UsageError
        If the file does not exist or is a folder.
    DataError
        If it is empty.
    """
    if path.is_file():
        if path.stat().st_size == 0:
            raise DataError(
                f"{path}: the file is empty (0 bytes)",
                "there is no frame to read",
                "check that the run that writes it has started, and that the copy is complete",
            )
        return path
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder", "a trajectory is a file", f"name a file inside it, e.g. {path}/traj.xyz"
        )
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"{path}: no such file", f"there is no folder {folder}", "check the path")
    names = sorted(entry.name for entry in folder.iterdir())
    close = get_close_matches(path.name, names, n=3, cutoff=0.5)
    fix = f"did you mean {' or '.join(close)}?" if close else "check the spelling and the current folder"
    raise UsageError(f"{path}: no such file", f"the folder {folder.resolve().name}/ does not contain it", fix)


def compression_of(path: Path) -> str | None:
    """Compression by content: "gzip", "bzip2", "xz" or None."""
    with path.open("rb") as stream:
        head = stream.read(6)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def open_binary(path: Path) -> IO[bytes]:
    """Open for reading bytes, decompressing gzip, bzip2 and xz by content."""
    kind = compression_of(path)
    if kind == "gzip":
        return cast(IO[bytes], io.BufferedReader(gzip.GzipFile(path), _BUFFER))
    if kind == "bzip2":
        import bz2

        return cast(IO[bytes], bz2.open(path))
    if kind == "xz":
        import lzma

        return cast(IO[bytes], lzma.open(path))
    return path.open("rb", buffering=_BUFFER)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open for reading lines, decompressing by content; the file is closed on exit."""
    with open_binary(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", errors="replace") as text:
        yield text


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[str]]:
    """Lines of a file; a compressed stream that breaks off ends where it breaks."""
    with open_text(path) as text:
        yield text if compression_of(path) is None else _lines_until_break(text)


def _lines_until_break(text: TextIO) -> Iterator[str]:
    try:
        yield from text
    except EOFError:
        return


def read_blocks(path: Path, size: int = 1 << 22) -> Iterator[bytes]:
    """Blocks of the decompressed content; a compressed stream that breaks off ends where it breaks."""
    with open_binary(path) as stream:
        while True:
            try:
                block = stream.read1(size) if isinstance(stream, io.BufferedReader) else stream.read(size)
            except EOFError:
                return
            if not block:
                return
            yield block


def read_head(path: Path, size: int = 65536) -> bytes:
    """First bytes after decompression; what can be read of them when the stream is damaged."""
    with open_binary(path) as stream:
        try:
            return stream.read(size)
        except (EOFError, OSError):
            return b""


def fingerprint(*paths: Path) -> str:
    """Hash of files from their sizes and their first and last MiB, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_BUFFER))
            stream.seek(max(0, size - _BUFFER))
            digest.update(stream.read(_BUFFER))
    return digest.hexdigest()[:16]
