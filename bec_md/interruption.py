"""Signals to end that wait for a safe place: between two pieces of work, not in a library's destructor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


def interrupt(error: BaseException) -> None:
    """Raise `error` now, or at the next `checkpoint` of a block that holds it."""
    if _depth == 0:
        raise error
    _waiting.append(error)


def checkpoint() -> None:
    """Raise what waits; everything is whole here."""
    if _waiting:
        raise _waiting.pop()
