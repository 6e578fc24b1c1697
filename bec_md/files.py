"""Open input files: compression by content, fingerprints, and helpful messages for missing ones."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, TextIO, cast

from bec_md.errors import DataError, UsageError
from bec_md.memory import available_bytes

_BUFFER = 1 << 20
#: Bytes that are decoded at once.
_CHUNK = 1 << 18
#: Longest line of a text file.
_LINE_BYTES = 32 << 20
#: A file may unpack to this size, or to this multiple of its own.
_UNPACKED_BYTES, _UNPACKED_RATIO = 128 << 20, 2000
#: Reads at the end of a file by one that takes its header at its word.
_ENDS = 10_000
#: What a file that is read as a whole may hold, unpacked: a structure of 10⁷ atoms has about as much.
_WHOLE_BYTES = 1 << 30
#: Memory that a parser takes at its height for a byte of text: words and numbers are objects of Python.
_MEMORY_RATIO = 10
#: What parsing raises where a file lacks a part, or has another one in its place.
DAMAGE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, EOFError,
    SyntaxError, TokenError,
)  # fmt: skip
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: Compressions by the suffix of a file name: the bytes a file begins with, and what opens it for writing.
COMPRESSIONS: Mapping[str, tuple[bytes, Callable[..., Any]]] = {
    ".gz": (b"\x1f\x8b", gzip.open),
    ".bz2": (b"BZh", bz2.open),
    ".xz": (b"\xfd7zXZ\x00", lzma.open),
}
#: Compressed files, with their sizes, that broke off when they were read to their end.
_BROKEN_OFF: set[tuple[Path, int]] = set()


def in_words(error: Exception, path: Path | None = None) -> str:
    """Say in one line what a library says about a file; where it says nothing, what kind of error it is."""
    if isinstance(error, MemoryError):
        announced = "it announces" if path is None else f"its {path.stat().st_size} bytes announce"
        return f"{announced} more than fits into memory"
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def parsing(path: Path, kind: str) -> Iterator[None]:
    """Turn what parsers raise where a file holds something else than it should into what, why and what to do.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, in words.
    """
    try:
        yield
    except DAMAGE as error:
        raise DataError(
            f"{path.name} is damaged, or no {kind}: {in_words(error, path)}",
            f"something else stands where this format has its parts ({type(error).__name__})",
            "copy it again, or look at what it holds",
        ) from error


def expanded(path: str | Path) -> Path:
    """Path with ~ and ~user as the home folder they stand for; a name that only begins with ~ stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def anchored(path: Any) -> Any:
    """Return the name of a file as one that holds in any folder; whatever else this is stays."""
    if isinstance(path, (str, Path)) and path and expanded(path).is_file():
        return type(path)(expanded(path).absolute())
    return path


def resolved(path: str | Path) -> Path:
    """Return the file that a name stands for: absolute, with all links followed.

    Raises
    ------
    UsageError
        If links lead in a circle.
    """
    try:
        return expanded(path).resolve()
    except RuntimeError as error:  # Python before 3.13
        raise UsageError(
            f"{path} is a link that leads back to itself", "no file has this name", "remove the link"
        ) from error


def is_file(path: Path) -> bool:
    """Whether there is a file of this name.

    Raises
    ------
    UsageError
        If it is a pipe or a device.
    """
    if path.is_file():
        return True
    if path.exists() and not path.is_dir():
        raise UsageError(
            f"{path} is a pipe or a device",
            "it is read more than once, which only a file allows",
            "write it to a file first",
        )
    return False


def require_file(path: Path, use: str = "a trajectory is read from it") -> Path:
    """Return `path` if it is a non-empty file; else raise with the closest names of its folder.

    Parameters
    ----------
    path
        The file.
    use
        What it is read for, as a clause.

    Raises
    ------
    UsageError
        If the file does not exist, or is a folder, a pipe or a device.
    DataError
        If it is empty, or nothing can be unpacked from it.
    """
    path = expanded(path)
    if is_file(path):
        if path.stat().st_size == 0:
            raise DataError(
                f"{path}: the file is empty (0 bytes)",
                use,
                "check that the run that writes it has started, and that the copy is complete",
            )
        if compression_of(path) is not None and not read_head(path, 1):
            raise DataError(
                f"{path}: nothing can be unpacked from its {path.stat().st_size} bytes",
                "nothing was packed, or its first block is cut off: bzip2 packs up to 900 kB at once",
                "wait until it is written, or copy it again",
            )
        return path
    if path.is_dir():
        raise UsageError(f"{path} is a folder", use, "name a file inside it")
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"{path}: no such file", f"there is no folder {folder}", "check the path")
    names = sorted(entry.name for entry in folder.iterdir())
    close = get_close_matches(path.name, names, n=3, cutoff=0.7)
    fix = f"did you mean {' or '.join(close)}?" if close else "check the spelling and the current folder"
    raise UsageError(f"{path}: no such file", f"the folder {folder.resolve().name}/ does not contain it", fix)


def unpacked_name(path: Path) -> str:
    """Name of a file without the ending of its compression."""
    return path.stem if path.suffix in COMPRESSIONS else path.name


def compression_of(path: Path) -> str | None:
    """Compression by content, as its suffix: ".gz", ".bz2", ".xz" or None."""
    with path.open("rb") as stream:
        head = stream.read(6)
    return next((suffix for suffix, (magic, _) in COMPRESSIONS.items() if head.startswith(magic)), None)


class _Streams(io.RawIOBase):
    """Compressed streams one behind the other; Python's own classes take what is no stream for the end.

    Parameters
    ----------
    path
        The file.
    decoder
        Makes what unpacks one stream.
    """

    def __init__(self, path: Path, decoder: Callable[[], Any]) -> None:
        self._file, self._make = path.open("rb"), decoder
        self._begin()

    def _begin(self) -> None:
        self._decoder, self._at = self._make(), 0
        self._file.seek(0)

    def read1(self, size: int) -> bytes:
        """Return up to `size` bytes, nothing at the end; an `EOFError` says that the last stream is cut."""
        while True:
            packed = b""
            if self._decoder.eof:
                packed = self._decoder.unused_data or self._file.read(_CHUNK)
                while packed and not packed.strip(b"\0"):  # padding
                    packed = self._file.read(_CHUNK)
                if not packed:
                    return b""
                packed, self._decoder = packed.lstrip(b"\0"), self._make()
            elif self._decoder.needs_input and not (packed := self._file.read(_CHUNK)):
                raise EOFError
            if data := self._decoder.decompress(packed, size):
                self._at += len(data)
                return bytes(data)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place by reading; back by beginning anew."""
        if whence == io.SEEK_END:
            while self.read1(_CHUNK):
                pass
        place += (0, self._at, self._at)[whence]
        if place < self._at:
            self._begin()
        while self._at < place and self.read1(min(place - self._at, _CHUNK)):
            pass
        return self._at

    def close(self) -> None:
        """Close the file below as well."""
        self._file.close()
        super().close()


#: What opens a compressed file for reading.
_UNPACKED_BY: Mapping[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": lambda path: _Streams(path, bz2.BZ2Decompressor),
    ".xz": lambda path: _Streams(path, lzma.LZMADecompressor),
}


class _Guarded(io.RawIOBase):
    """Bytes of a file within limits; reading ends where compressed data break off.

    Parameters
    ----------
    stream
        The file, decompressed.
    path
        Its path, for messages and its size on disk.
    lines
        Whether it is text: a byte order mark is dropped, and lines have a limit.
    whole
        Whether all of it is held in memory: what memory and such files can hold is the limit.
    """

    def __init__(self, stream: IO[bytes], path: Path, lines: bool, whole: bool) -> None:
        self._stream = stream
        self._path = path
        self._file_name = path.name
        self._lines = lines
        self._packed = compression_of(path) is not None
        unpacked, held = unpacked_limit(path), whole_limit() if whole else math.inf
        self._allowed = min(unpacked, held)
        self._why = (
            f"it is read as a whole, and what is may have {_WHOLE_BYTES >> 20} MiB, or a "
            f"{_MEMORY_RATIO}th of the free memory"
            if held < unpacked
            else f"that is over {_UNPACKED_RATIO} times its size: nothing read here compresses like this"
        )
        if whole and not self._packed:
            self._check(path.stat().st_size)
        self._total = self._since_line_end = self._ends = 0
        self.name = str(path)

    def readable(self) -> bool:
        """Yes: for `io.BufferedReader`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, within the limits."""
        data = self._read(len(buffer))
        if self._lines:
            if self._total == 0 and data.startswith(_BYTE_ORDER_MARK):
                self._total = len(data)
                data = data[len(_BYTE_ORDER_MARK) :] or self._read(len(buffer))
            self._check_line(data)
        self._total += len(data)
        self._ends = 0 if data else self._ends + 1
        if self._ends > _ENDS:
            raise DataError(
                f"{self._file_name} ends before what it announces",
                "more is expected by its header than there is behind it",
                "correct the number in its header, or copy the file again",
            )
        self._check(self._total)
        buffer[: len(data)] = data
        return len(data)

    def _check(self, total: int) -> None:
        if total > self._allowed:
            raise DataError(
                f"{self._file_name}: {total >> 20} MiB or more of content",
                self._why,
                "look at what it holds (unpacked by hand if it is compressed); name a smaller part of it",
            )

    def _read(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read1(size))  # type: ignore[attr-defined]
        except EOFError:
            _BROKEN_OFF.add((self._path, self._path.stat().st_size))
            return b""
        except (OSError, zlib.error, lzma.LZMAError) as error:
            raise DataError(
                f"{self._file_name}: it cannot be read on: {error}",
                "compressed data are damaged, or the disk reports an error",
                "copy the file again, or recover it with gzrecover or a similar program",
            ) from error

    def _check_line(self, data: bytes) -> None:
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._since_line_end = len(data) - 1 - end if end >= 0 else self._since_line_end + len(data)
        if self._since_line_end > _LINE_BYTES:
            raise DataError(
                f"{self._file_name}: a line of more than {_LINE_BYTES >> 20} MiB",
                "no line of a trajectory is that long; it is a binary file, or zeros of a disk that was full",
                "check what the file holds, or name its format with `format`",
            )

    def seekable(self) -> bool:
        """Whether one may go to another place: not where lines are counted."""
        return not self._lines

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place; to the end by reading, within the limits."""
        if whence == io.SEEK_END and self._packed:
            while data := self._read(_CHUNK):
                self._total += len(data)
                self._check(self._total)
        self._total = self._stream.seek(place, whence)
        return self._total

    def close(self) -> None:
        """Close the file below as well."""
        self._stream.close()
        super().close()


def unpacked_limit(path: Path) -> int:
    """Bytes that a file may unpack to."""
    return max(_UNPACKED_BYTES, _UNPACKED_RATIO * path.stat().st_size)


def whole_limit() -> int:
    """Bytes of text that can be read as a whole: less than such files have at most, and than memory holds."""
    free = available_bytes()
    return _WHOLE_BYTES if free is None else min(_WHOLE_BYTES, free // _MEMORY_RATIO)


def open_binary(path: Path, lines: bool = True, whole: bool = False) -> IO[bytes]:
    """Open for reading bytes, decompressing gzip, bzip2 and xz by content, within limits.

    A compressed file that breaks off (the run is still writing it, or a copy was cut) ends where it breaks.
    With `lines` it is text, whose lines have a limit and whose byte order mark is dropped; without, one may
    go back and forth in it. What is read as a `whole` has the limit of `whole_limit`.
    """
    kind = compression_of(path)
    stream = path.open("rb", buffering=_BUFFER) if kind is None else _UNPACKED_BY[kind](path)
    return cast(IO[bytes], io.BufferedReader(_Guarded(stream, path, lines, whole), _BUFFER))


def breaks_off(path: Path) -> bool:
    """Whether the compressed data of this file were found to break off when they were read to their end."""
    return (path, path.stat().st_size) in _BROKEN_OFF


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open for reading lines, decompressing by content; the file is closed on exit."""
    with open_binary(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", errors="replace") as text:
        text._CHUNK_SIZE = _CHUNK  # type: ignore[attr-defined]  # of 8 kB, each with a call of `_Guarded`
        yield text


class _TimelessGzip(gzip.GzipFile):
    """A compressed file without name and time in its header, that closes what it writes into."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        super().__init__(filename="", mode="wb", fileobj=self._file, mtime=0)

    def close(self) -> None:
        """Close the compressed file and the one below."""
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


def read_text(path: Path, strict: bool = True) -> str:
    """Content of a text file, decompressed: configurations, tables, outputs of one calculation.

    Raises
    ------
    DataError
        If it is larger than any such file, or, if `strict`, not UTF-8.
    """
    with open_binary(path, lines=False, whole=True) as stream:
        data = stream.read().removeprefix(_BYTE_ORDER_MARK)
    try:
        return data.decode("utf-8", "strict" if strict else "replace").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        raise DataError(
            f"{path.name} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}",
            "it is UTF-16, as some editors write it" if utf16 else "it is binary, or in an older encoding",
            "save it as UTF-8",
        ) from None


def read_blocks(path: Path, size: int = 1 << 22) -> Iterator[bytes]:
    """Blocks of the decompressed content."""
    with open_binary(path) as stream:
        while block := stream.read(size):
            yield block


def read_head(path: Path, size: int = 65536) -> bytes:
    """First bytes after decompression."""
    with open_binary(path) as stream:
        return stream.read(size)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
