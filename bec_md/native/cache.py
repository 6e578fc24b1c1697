"""Folder of what is compiled at first use, and whether a file in it may be loaded.

Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


class UnsafeFolderError(OSError):
    """A folder that others may write to; the message names it, its owner and its mode."""


def cache_root() -> Path:
    """``$BEC_MD_CACHE``, else ``bec-md`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    A user without a home (a number in a container) has a folder among the temporary files.
    """
    own = os.environ.get("BEC_MD_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "bec-md"
    except RuntimeError:
        return private_folder(Path(tempfile.gettempdir()) / f"bec-md-{os.geteuid()}")


def may_be_loaded(path: Path) -> bool:
    """Whether nobody but this user (or root) can have put the file there, or can have changed it."""
    try:
        folder, file = path.parent.lstat(), path.lstat()
    except OSError:
        return False
    if not (
        stat.S_ISDIR(folder.st_mode) and stat.S_ISREG(file.st_mode) and _is_ours(folder) and _is_ours(file)
    ):
        return False
    closed = not folder.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return closed or not (folder.st_mode | file.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid in (0, os.geteuid())


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user can read and write; one that others could write to is emptied first.

    Raises
    ------
    UnsafeFolderError
        When it belongs to somebody else or is a link.
    OSError
        When it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or not _is_ours(status):
        raise UnsafeFolderError(
            f"{folder} is a link or belongs to another user (id {status.st_uid}), who could replace what is "
            "compiled there: delete it, or set BEC_MD_CACHE to a folder of your own"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):  # nobody knows who wrote what is there
        folder.chmod(0o700)
        for path in folder.iterdir():
            if path.is_symlink() or not path.is_dir():
                path.unlink()
    return folder
