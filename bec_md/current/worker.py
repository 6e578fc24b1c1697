"""A worker process: ``python -m bec_md.current.worker`` computes intervals of rows into chunk files.

The task comes pickled through standard input from the process that starts it; what has to be told (a warning,
an error) goes back as lines of JSON through standard output. Chunks are written by the worker itself, so that
a killed worker loses only its last one.
"""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

from bec_md.current.parts import write_part
from bec_md.current.rows import Recipe
from bec_md.current.running import committed_chunks
from bec_md.errors import BecMDError


@dataclass(frozen=True)
class Task:
    """Intervals [start, stop) of rows to compute into a folder of chunks."""

    recipe: Recipe
    folder: Path
    intervals: tuple[tuple[int, int], ...]
    commit_seconds: float


def work(task: Task) -> None:
    """Compute all intervals of a task."""
    for start, stop in task.intervals:
        for begin, rows in committed_chunks(task.recipe, start, stop, task.commit_seconds):
            write_part(task.folder, begin, rows)


def main() -> int:
    """Read the task, work, and report."""
    channel = sys.stdout
    sys.stdout = sys.stderr  # prints of libraries do not disturb the report

    def tell(kind: str, **content: object) -> None:
        channel.write(json.dumps({"kind": kind, **content}) + "\n")
        channel.flush()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        tell("warning", text=str(message), category=category.__name__)

    warnings.showwarning = show  # type: ignore[assignment]
    try:
        work(pickle.load(sys.stdin.buffer))
    except BecMDError as error:
        tell("error", type=type(error).__name__, what=error.what, why=error.why, fix=error.fix)
        return error.exit_status
    except KeyboardInterrupt:  # Ctrl-C reaches the whole group; the parent says what is kept
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
