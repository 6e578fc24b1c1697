"""Programs that run for minutes on one core, and folders that belong to one worker at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def locked(folder: Path) -> Iterator[int | None]:
    """Yield a descriptor that locks `folder`, or nothing if another process holds it.

    The lock goes when the last process that inherited it ends, so a killed worker leaves none behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield descriptor
    finally:
        os.close(descriptor)


def run_program(command: Sequence[str], output: Path, lock: int) -> float:
    """Run a program on one core in the folder of its output; return seconds of processor time."""
    before = sum(os.times()[2:4])
    with output.open("w") as out:
        child = subprocess.Popen(
            command,
            cwd=output.parent,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ONE_THREAD},
            pass_fds=(lock,),
        )
        try:
            child.wait()
        finally:
            if child.poll() is None:  # the worker is being stopped
                child.kill()
                child.wait()
    return sum(os.times()[2:4]) - before
