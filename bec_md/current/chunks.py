"""Rows of a current in chunks: what is stored at once, and all that a kill can lose."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from bec_md.current.parts import COMMIT_BYTES, Rows
from bec_md.interruption import checkpoint

Chunk = tuple[int, Rows]
Missing = Sequence[tuple[int, int | None]]

#: The first chunk is stored after so many seconds, so that an early end keeps something.
FIRST_SECONDS = 1.0


def committed_chunks(rows_of: Iterator[Chunk], start: int, commit_seconds: float) -> Iterator[Chunk]:
    """Yield (first row, rows) in chunks of at most `commit_seconds` of work or `COMMIT_BYTES`.

    Rows computed before an error or a signal are yielded before it is raised.

    Parameters
    ----------
    rows_of
        Small pieces of consecutive rows.
    start
        Number of the first row.
    commit_seconds
        Largest time between chunks, s; the first one comes after `FIRST_SECONDS`.
    """
    waiting: list[Rows] = []
    begin, size, since = start, 0, time.monotonic()
    limit = min(commit_seconds, FIRST_SECONDS)
    try:
        for _, rows in rows_of:
            waiting.append(rows)
            checkpoint()
            size += sum(values.nbytes for values in rows.values())
            if time.monotonic() - since >= limit or size >= COMMIT_BYTES:
                chunk = joined(waiting)
                waiting = []
                yield begin, chunk
                begin, size, since = begin + len(chunk["current"]), 0, time.monotonic()
                limit = min(commit_seconds, 2.0 * limit)
    except (Exception, KeyboardInterrupt):
        if waiting:
            yield begin, joined(waiting)
        raise
    if waiting:
        yield begin, joined(waiting)


def joined(pieces: list[Rows]) -> Rows:
    """Return consecutive pieces of rows as one."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
