"""Signals to end that wait for a safe place: between two pieces of work, not in a library's destructor."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_waiting: list[BaseException] = []
_depth = 0


@contextmanager
def held() -> Iterator[None]:
    """Let what `interrupt` is given within the block wait for the next `checkpoint`, or for its end."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if _depth == 0:
            checkpoint()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C as well: a library writes here, in which what a signal raises amid its calls would be lost.

    HDF5 calls a function of Python for each piece that it writes. An exception there leaves a file with holes
    that looks whole, or a crash.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are taken in that one alone
        yield
        return
    with held():
        before = signal.getsignal(signal.SIGINT)
        if not callable(before):  # ignored, or the system's
            yield
            return
        signal.signal(signal.SIGINT, _wait)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _wait(number: int, frame: Any) -> None:
    interrupt(KeyboardInterrupt())


def interrupt(error: BaseException) -> None:
    """Raise `error` now, or at the next `checkpoint` of a block that holds it."""
    if _depth == 0:
        raise error
    _waiting.append(error)


def checkpoint() -> None:
    """Raise what waits; everything is whole here."""
    if _waiting:
        raise _waiting.pop()
