"""Open input files: compression by content, fingerprints, and helpful messages for missing ones."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, TextIO, cast

from bec_md.errors import DataError, UsageError

_BUFFER = 1 << 20
#: Compressions by the suffix of a file name: the bytes a file begins with, and what opens it.
COMPRESSIONS: Mapping[str, tuple[bytes, Callable[..., Any]]] = {
    ".gz": (b"\x1f\x8b", gzip.open),
    ".bz2": (b"BZh", bz2.open),
    ".xz": (b"\xfd7zXZ\x00", lzma.open),
}


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
    close = get_close_matches(path.name, names, n=3, cutoff=0.7)
    fix = f"did you mean {' or '.join(close)}?" if close else "check the spelling and the current folder"
    raise UsageError(f"{path}: no such file", f"the folder {folder.resolve().name}/ does not contain it", fix)


def compression_of(path: Path) -> str | None:
    """Compression by content, as its suffix: ".gz", ".bz2", ".xz" or None."""
    with path.open("rb") as stream:
        head = stream.read(6)
    return next((suffix for suffix, (magic, _) in COMPRESSIONS.items() if head.startswith(magic)), None)


class _Decompressed(io.RawIOBase):
    """Decompressed bytes of a stream that may break off: reading ends where it breaks."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        except EOFError:
            return 0
        except (OSError, zlib.error, lzma.LZMAError) as error:
            raise DataError(
                f"{self._name}: the compressed data are damaged: {error}",
                "what follows cannot be decompressed",
                "copy the file again, or recover it with gzrecover or a similar program",
            ) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_binary(path: Path) -> IO[bytes]:
    """Open for reading bytes, decompressing gzip, bzip2 and xz by content.

    A compressed file that breaks off (the run is still writing it, or a copy was cut) ends where it breaks.
    """
    kind = compression_of(path)
    if kind is None:
        return path.open("rb", buffering=_BUFFER)
    stream = COMPRESSIONS[kind][1](path, "rb")
    return cast(IO[bytes], io.BufferedReader(_Decompressed(stream, path.name), _BUFFER))


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open for reading lines, decompressing by content; the file is closed on exit."""
    with open_binary(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", errors="replace") as text:
        yield text


class _TimelessGzip(gzip.GzipFile):
    """A compressed file without name and time in its header, that closes what it writes into."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        super().__init__(filename="", mode="wb", fileobj=self._file, mtime=0)

    def close(self) -> None:
        super().close()
        self._file.close()


def open_for_writing(path: Path) -> TextIO:
    """Open a text file for writing, compressed if its name ends in .gz, .bz2 or .xz.

    No time stamp is written: the same text gives the same file.
    """
    if path.suffix == ".gz":
        packed = _TimelessGzip(path)
        return io.TextIOWrapper(cast(IO[bytes], packed), encoding="utf-8")
    if path.suffix in COMPRESSIONS:
        return cast(TextIO, COMPRESSIONS[path.suffix][1](path, "wt", encoding="utf-8"))
    return path.open("w", encoding="utf-8")


def read_blocks(path: Path, size: int = 1 << 22) -> Iterator[bytes]:
    """Blocks of the decompressed content."""
    with open_binary(path) as stream:
        while block := stream.read(size):
            yield block


def read_head(path: Path, size: int = 65536) -> bytes:
    """First bytes after decompression."""
    with open_binary(path) as stream:
        return stream.read(size)


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
