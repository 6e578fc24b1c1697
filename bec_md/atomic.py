"""Write files so that their name stands for the whole: a partial name, to the disk, then renamed.

After a failure the old file is untouched, and what is left beside it says that it is partial: of
``spectrum.csv`` that is ``spectrum.partial-PID.csv``, which the next writer of the same file removes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bec_md.errors import UsageError
from bec_md.files import resolved

if TYPE_CHECKING:
    from torch import Tensor

MARK = ".partial-"
#: What the system says of a file that finds no room, without its name.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: How a lock is opened: made if it is not there, and no link is followed.
LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def replacing(path: str | Path, *, keep: bool = False) -> Iterator[Path]:
    """Yield the name to write to; at the end of the block it replaces `path`, whole and on the disk.

    Parameters
    ----------
    path
        The file; a symbolic link is followed, so that the file that it names is replaced.
    keep
        Leave the partial file after an exception, for results that are worth something in part.

    Raises
    ------
    OSError
        With the name of the file, if it finds no room.
    """
    target = resolved(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target.parent))
    _remove_stale(target)
    partial = partial_name(target)
    partial.unlink(missing_ok=True)
    try:
        yield partial
        if target.exists():
            partial.chmod(target.stat().st_mode & 0o7777)
        to_disk(partial)
        partial.replace(target)
        to_disk(target.parent)
    except BaseException as error:
        if not keep:
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            error.filename = str(path)
        raise


def partial_name(target: Path) -> Path:
    """Return the name of a file while this process writes it; its suffix stays, as formats follow from it."""
    return target.with_name(f"{fitting(target.stem)}{MARK}{os.getpid()}{target.suffix}")


def fitting(stem: str) -> str:
    """Return a stem that leaves room for what is appended: file systems allow names of 255 bytes."""
    if len(os.fsencode(stem)) <= 200:
        return stem
    return f"{stem[:40]}-{hashlib.sha256(os.fsencode(stem)).hexdigest()[:12]}"


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all; bytes of file names that are no UTF-8 are escaped."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a binary file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, whole or not at all; written here, since its own writer hides what failed."""
    from safetensors.torch import save

    write_bytes(path, save(dict(tensors), dict(metadata)))


def lock_for_writing(lock: Path, open_lock: Callable[[], int], name: str) -> int:
    """Return a descriptor that holds a lock until it is closed, or its process ends.

    Parameters
    ----------
    lock
        File that other writers lock as well, and may remove.
    open_lock
        Opens it, and makes it first.
    name
        What is written.

    Raises
    ------
    UsageError
        If another process holds it.
    """
    import fcntl

    while True:
        descriptor = open_lock()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(
                f"another process is writing {name}",
                "two writers of one output would disturb each other",
                "wait for it, or choose another output name",
            ) from error
        except OSError:  # a file system without locks
            return descriptor
        with suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == os.stat(lock).st_ino:
                return descriptor
        os.close(descriptor)  # another process has ended, and removed it, in between


@contextmanager
def only_writer(lock: Path, name: str) -> Iterator[None]:
    """Keep other processes from writing what is called `name`: by a file that holds nothing and is removed.

    Raises
    ------
    UsageError
        If another process is in such a block. A killed one keeps nobody out.
    """
    descriptor = lock_for_writing(lock, lambda: os.open(lock, LOCK_FLAGS, 0o666), name)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def to_disk(path: Path) -> None:
    """Ask the system to put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError) if path.is_dir() else _nothing():  # some file systems cannot for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _remove_stale(target: Path) -> None:
    """Remove what killed writers of this file left."""
    name = re.compile(re.escape(fitting(target.stem) + MARK) + r"(\d+)" + re.escape(target.suffix))
    with suppress(OSError):
        for path in target.parent.iterdir():
            found = name.fullmatch(path.name)
            if found is not None and not _alive(int(found[1])):
                path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to somebody else
        return True
    return True
