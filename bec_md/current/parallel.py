"""Share the frames of a trajectory among processes: local workers, or a dask.distributed cluster."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from bec_md import errors
from bec_md.current.parts import COMMIT_BYTES, Rows
from bec_md.errors import BecMDError, BecMDWarning, DataError, UsageError

if TYPE_CHECKING:
    from bec_md.current.compute import CurrentJob, Progress
    from bec_md.current.rows import Recipe
    from bec_md.current.store import CurrentStore

Interval = tuple[int, int]

#: Rounds without a single new chunk after which dying workers are given up.
MAX_IDLE_ROUNDS = 2
_POLL_SECONDS = 0.1
#: After Ctrl-C workers get so long to store what they have.
_GRACE_SECONDS = 5.0


def fill_parallel(
    job: CurrentJob,
    store: CurrentStore,
    workers: int,
    dask_address: str | None,
    progress: Progress | None,
    commit_seconds: float,
) -> None:
    """Compute the missing rows of a file with several processes.

    Blocks of frames are counted from the first frame of the trajectory whoever computes them, so that the
    rows are the same bits as those of a serial run.

    Raises
    ------
    UsageError
        If the number of frames is unknown, or the source cannot be sent to other processes.
    DataError
        If workers keep dying.
    """
    total = job.n_samples
    if total is None:
        raise UsageError(
            f"{job.info.source} does not tell its number of frames",
            "the frames are divided among the workers beforehand",
            "use --workers 1, or convert the trajectory to extxyz or a LAMMPS dump",
        )
    if dask_address is not None:
        _fill_dask(job, store, total, dask_address, progress)
        return
    idle = 0
    while missing := _closed(store.missing(total), total):
        before = store.intervals()
        status = _round(job, store, total, split(missing, workers, job.recipe.sampling.block), progress,
                        commit_seconds)  # fmt: skip
        idle = idle + 1 if store.intervals() == before else 0
        if status and idle >= MAX_IDLE_ROUNDS:
            raise DataError(
                f"worker processes end with status {status} before a chunk is done",
                "a negative status is a signal; 9 usually means that memory ran out",
                "use fewer --workers or a smaller --batch; what is done is kept",
            )
        if status and store.missing(total):
            warnings.warn(
                f"a worker ended with status {status}; its frames are computed again",
                BecMDWarning,
                stacklevel=2,
            )


def split(missing: Sequence[Interval], pieces: int, block: int) -> list[list[Interval]]:
    """Divide intervals into lists of about equal length, cut at multiples of the block.

    Parameters
    ----------
    missing
        Intervals [start, stop).
    pieces
        Number of lists at most.
    block
        Frames that are evaluated together; no cut goes through one.
    """
    amount = sum(stop - start for start, stop in missing)
    size = max(block, -(-amount // pieces // block) * block if amount else block)
    segments: list[Interval] = []
    for start, stop in missing:
        position = start
        while position < stop:
            end = min(stop, (position // block) * block + max(size, block))
            segments.append((position, end))
            position = end
    lists: list[list[Interval]] = [[] for _ in range(pieces)]
    for segment in sorted(segments, key=lambda s: s[0] - s[1]):
        min(lists, key=lambda items: sum(b - a for a, b in items)).append(segment)
    return [sorted(items) for items in lists if items]


def _round(
    job: CurrentJob,
    store: CurrentStore,
    total: int,
    shares: list[list[Interval]],
    progress: Progress | None,
    commit_seconds: float,
) -> int:
    """Run one process per share to its end; return the status of one that died, else 0."""
    running = [_start(job.recipe, store, share, commit_seconds) for share in shares]
    try:
        while any(process.poll() is None for process, _ in running):
            if progress is not None:
                progress(_done(store), total)
            time.sleep(_POLL_SECONDS)
            if any(process.poll() not in (None, 0) and _reported(log) for process, log in running):
                break  # an error in the data: the others need not go on
        status = 0
        for process, log in running:
            code = process.poll()
            error = _reported(log)
            if error is not None:
                raise error
            status = code if code not in (None, 0) else status
    except KeyboardInterrupt:
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(process.poll() is None for process, _ in running) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        raise
    finally:
        for process, _ in running:
            if process.poll() is None:
                process.terminate()
            process.wait()
        texts = {event["text"]: None for _, log in running for event in _events(log, "warning")}
        for _, log in running:
            log.close()
        for text in texts:
            warnings.warn(text, BecMDWarning, stacklevel=2)
    if progress is not None:
        progress(_done(store), total)
    return status


def _start(
    recipe: Recipe, store: CurrentStore, share: list[Interval], commit_seconds: float
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    from bec_md.current.worker import Task

    task = _pickled(Task(recipe, store.folder.resolve(), tuple(share), commit_seconds))
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller when the process has ended
    process = subprocess.Popen(
        [sys.executable, "-m", "bec_md.current.worker"], stdin=subprocess.PIPE, stdout=log
    )
    assert process.stdin is not None
    try:
        process.stdin.write(task)
        process.stdin.close()
    except BrokenPipeError:  # it died at once; its status tells
        pass
    return process, log


def _pickled(task: Any) -> bytes:
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the trajectory or the model cannot be sent to other processes ({error})",
            "every worker opens them on its own",
            "give a file name for the trajectory and a name or path for the model, or use workers=1",
        ) from error


def _reported(log: IO[bytes]) -> BecMDError | None:
    """Return the error that a worker reported."""
    for event in _events(log, "error"):
        kind = getattr(errors, event["type"], DataError)
        found: BecMDError = kind(event["what"], event["why"], event["fix"])
        return found
    return None


def _events(log: IO[bytes], kind: str) -> list[dict[str, Any]]:
    """Return what a worker has reported so far."""
    log.seek(0)
    events = []
    for line in log.read().splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:  # being written
            continue
    return [event for event in events if event["kind"] == kind]


def _closed(missing: Sequence[tuple[int, int | None]], total: int) -> list[Interval]:
    return [(start, total if stop is None else stop) for start, stop in missing]


def _done(store: CurrentStore) -> int:
    return sum(stop - start for start, stop in store.intervals())


def compute_interval(recipe: Recipe, start: int, stop: int) -> Rows:
    """Compute rows start … stop−1; runs on a worker of a cluster."""
    pieces = [rows for _, rows in recipe.rows(start, stop)]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _fill_dask(
    job: CurrentJob, store: CurrentStore, total: int, address: str, progress: Progress | None
) -> None:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "--dask needs the package distributed, which is not installed",
            "it talks to the scheduler of the cluster",
            "pip install 'bec-md[dask]', or use --workers N on this machine",
        ) from error
    _pickled(job.recipe)
    with distributed.Client(address) as client:
        workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        # four tasks per worker even out their speeds; a task's rows must fit into a message
        largest = max(1, COMMIT_BYTES // job.bytes_per_sample)
        missing = _closed(store.missing(total), total)
        amount = sum(stop - start for start, stop in missing)
        count = max(4 * workers, -(-amount // largest))
        tasks = [interval for share in split(missing, count, job.recipe.sampling.block) for interval in share]
        recipe = client.scatter(job.recipe, broadcast=True)
        futures = {
            client.submit(compute_interval, recipe, start, stop, pure=False, retries=2): start
            for start, stop in tasks
        }
        for future in distributed.as_completed(list(futures)):
            store.write(futures[future], future.result())
            future.release()
            if progress is not None:
                progress(_done(store), total)
