"""Share the frames of a trajectory among the processes of a dask.distributed cluster, or of this machine.

Workers compute and send rows; the process that asks for them is the only one that writes. A share of the
frames is computed piece by piece, each a task of some seconds, so that little is lost with a worker. A worker
keeps its reader open between the pieces of a share; another worker that takes over opens its own.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bec_md.current.chunks import Chunk, Missing, committed_chunks
from bec_md.current.execution import Execution
from bec_md.current.found import findings_of, said_later
from bec_md.current.parts import Rows, gaps
from bec_md.current.places import cut
from bec_md.current.rows import frame_hash
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.processes import set_for_workers, without_main_script

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.rows import Recipe
    from bec_md.trajectory.findings import Findings

Interval = tuple[int, int]

#: Rounds without a single new chunk after which dying workers are given up; a second more of rest between
#: them each time, in which the scheduler learns who is gone.
MAX_IDLE_ROUNDS = 3
_CLOSE_SECONDS, _KILLED_SECONDS = 2.0, 30.0
_START_SECONDS = 60.0
#: Run in every worker: Ctrl-C reaches the whole group of processes, and the asking one answers it.
_PRELOAD = "from bec_md.processes import obey\nobey()\n"


@dataclass(frozen=True)
class Piece:
    """What a worker sends: rows from `start` on, what was warned about and found in the frames, and where it
    can be continued.
    """

    start: int
    rows: Rows
    warnings: tuple[str, ...]
    worker: str
    found: Findings | None = None


@dataclass
class Share:
    """Rows that one worker computes: from `position` up to `stop`."""

    position: int
    stop: int


def cluster_chunks(job: CurrentJob, missing: Missing, execution: Execution) -> Iterator[Chunk]:
    """Yield (first row, rows) that together cover what is missing, in any order.

    Blocks of frames are counted from the first frame of the trajectory whoever computes them, so that the
    rows are the same bits as those of a serial run.

    Raises
    ------
    UsageError
        If the number of frames is unknown, the source cannot be sent to other processes, or the package
        distributed is missing.
    DataError
        If workers keep dying.
    """
    total = job.n_samples
    if total is None:
        raise UsageError(
            f"{job.info.source} does not tell its number of frames",
            "the frames are divided among the workers beforehand",
            "use `workers=1`, or convert the trajectory to extxyz or a LAMMPS dump",
        )
    done: list[Interval] = _complement(missing, total)
    idle = 0
    with _client(execution) as client:
        ends = (import_module("distributed").KilledWorker, import_module("distributed.comm").CommClosedError)
        while remaining := [(start, total if stop is None else stop) for start, stop in gaps(done, total)]:
            before = len(done)
            try:
                for piece in _round(client, job, remaining, execution):
                    done.append((piece.start, piece.start + len(piece.rows["current"])))
                    if piece.found is not None and (findings := findings_of(job.recipe)) is not None:
                        findings.merge(piece.found)
                    yield piece.start, piece.rows
            except (*ends, CancelledError, TimeoutError) as error:
                idle = idle + 1 if len(done) == before else 0
                if idle >= MAX_IDLE_ROUNDS:
                    raise DataError(
                        "worker processes end before a chunk is done",
                        "the usual reason is that memory ran out",
                        "use fewer `workers` or a smaller `batch`; what is done is kept",
                    ) from error
                warnings.warn("a worker ended; its frames are computed again", BecMDWarning, stacklevel=2)
                time.sleep(idle)


def _complement(missing: Missing, total: int) -> list[Interval]:
    """Return the intervals of [0, total) that are not missing."""
    closed = [(start, total if stop is None else stop) for start, stop in missing]
    return [(start, total if stop is None else stop) for start, stop in gaps(closed, total)]


def _round(
    client: Any, job: CurrentJob, missing: Sequence[Interval], execution: Execution
) -> Iterator[Piece]:
    """Yield the pieces of the missing rows as workers send them."""
    distributed: Any = import_module("distributed")
    block, run = job.recipe.sampling.block, uuid4().hex
    try:
        client.wait_for_workers(1, timeout=_START_SECONDS)
    except TimeoutError as error:
        raise DataError(
            f"no worker has come within {_START_SECONDS:g} s",
            "a scheduler alone computes nothing; the workers may wait in a queue, or have ended",
            "start workers (`dask worker ADDRESS`) and run the same command again: what is done is kept",
        ) from error
    everywhere = _sent(client, job.recipe)
    origin = (str(job.key["first_frame_hash"]), str(job.key["charges_hash"]))
    workers = max(1, sum(client.nthreads().values()))
    shares = [Share(start, stop) for start, stop in split(missing, workers, block)]
    running: dict[Any, Share] = {}

    def submit(share: Share, worker: str | None) -> Any:
        """Send a share of the frames to a worker."""
        place = {} if worker is None else {"workers": [worker], "allow_other_workers": True}
        future = client.submit(
            next_piece,
            everywhere,
            origin,
            run,
            share.position,
            share.stop,
            execution.commit_seconds,
            pure=False,
            **place,
        )
        running[future] = share
        return future

    arriving = distributed.as_completed([submit(share, None) for share in shares[:workers]], loop=client.loop)
    waiting = shares[workers:]
    for future in arriving:
        share, piece = running.pop(future), future.result()
        future.release()
        for text in piece.warnings:
            warnings.warn(text, BecMDWarning, stacklevel=2)
        rows = cut(piece.rows, piece.start, share.stop)
        yield replace(piece, rows=rows)  # what lies beyond was given to another worker in the meantime
        share.position = piece.start + len(rows["current"])
        if share.position < share.stop:
            arriving.add(submit(share, piece.worker))
        elif waiting:
            arriving.add(submit(waiting.pop(0), piece.worker))
        else:
            half = halved([*running.values()], block)
            if half is not None:
                arriving.add(submit(half, piece.worker))


def split(missing: Sequence[Interval], pieces: int, block: int) -> list[Interval]:
    """Divide intervals into segments of about equal length, cut at multiples of the block.

    Parameters
    ----------
    missing
        Intervals [start, stop).
    pieces
        About how many segments are wanted.
    block
        Frames that are evaluated together; no cut goes through one.
    """
    amount = sum(stop - start for start, stop in missing)
    size = max(block, -(-amount // pieces // block) * block)
    segments = []
    for start, stop in missing:
        position = start
        while position < stop:
            end = min(stop, (position // block) * block + size)
            segments.append((position, end))
            position = end
    return segments


def halved(shares: Sequence[Share], block: int) -> Share | None:
    """Take the second half of the largest share, cut at a multiple of the block; None if all are short."""
    largest = max(shares, key=lambda share: share.stop - share.position, default=None)
    if largest is None:
        return None
    middle = -(-(largest.position + largest.stop) // 2 // block) * block
    if middle - largest.position < 2 * block or middle >= largest.stop:
        return None
    taken = Share(middle, largest.stop)
    largest.stop = middle
    return taken


def _sent(client: Any, recipe: Recipe) -> Any:
    """Return the recipe on all workers."""
    try:
        return client.scatter(recipe, broadcast=True, hash=False)
    except KeyError as error:  # a worker ended while the recipe was on its way to it
        raise CancelledError(f"worker {error} is gone") from error
    except (TypeError, AttributeError) as error:
        raise UsageError(
            f"the trajectory or the model cannot be sent to other processes ({error})",
            "every worker opens them on its own",
            "give a file name for the trajectory and a name or path for the model, or use `workers=1`",
        ) from error


# ---------------------------------------------------------------------- in a worker
_OPEN: dict[tuple[str, int], Iterator[Chunk]] = {}


def next_piece(
    recipe: Recipe, origin: tuple[str, str], run: str, start: int, stop: int, commit_seconds: float
) -> Piece:
    """Compute rows from `start` on for some seconds; runs on a worker."""
    distributed: Any = import_module("distributed")
    for key in [key for key in _OPEN if key[0] != run]:
        _OPEN.pop(key)
    chunks = _OPEN.pop((run, start), None)
    if chunks is None:
        _require_origin(recipe, origin)
        chunks = committed_chunks(recipe.rows(start, stop), start, commit_seconds)
    with warnings.catch_warnings(record=True) as caught, said_later(recipe):
        warnings.simplefilter("always", BecMDWarning)
        begin, rows = next(chunks, (start, {}))
    if not rows:
        raise DataError(
            f"a worker finds no frame for sample {start}, of {stop} or more",
            "the file was shortened since, or its machine does not see all of it yet",
            "run the same command again; what is done is kept",
        )
    end = begin + len(rows["current"])
    if end < stop:
        _OPEN[run, end] = chunks
    said = tuple(str(one.message) for one in caught if issubclass(one.category, BecMDWarning))
    findings = findings_of(recipe)
    return Piece(
        begin, rows, said, distributed.get_worker().address, None if findings is None else findings.news()
    )


def _require_origin(recipe: Recipe, origin: tuple[str, str]) -> None:
    """Refuse files that are others here than where the work was prepared."""
    frame = frame_hash(next(recipe.trajectory.frames()))
    if (frame, recipe.charges.fingerprint) != origin:
        what = "source of charges" if frame == origin[0] else "trajectory"
        raise DataError(
            f"a worker finds another {what} under the same name",
            "on its machine, or in its installation of bec-md, the name stands for another file",
            "start the workers where they see the same files, with the same bec-md; or use `workers=N`",
        )


# ---------------------------------------------------------------------- the cluster
@contextmanager
def _client(execution: Execution) -> Iterator[Any]:
    """Yield a client of the cluster that is asked for; workers of this machine end with it."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise UsageError(
            "the package distributed is not installed",
            "it starts the workers and hands them their frames",
            "pip install 'bec-md[dask]', or leave out the number of workers: threads share the work as well",
        ) from error
    with ExitStack() as stack:
        if execution.dask_address is not None:
            yield stack.enter_context(_connected(distributed, execution.dask_address))
            return
        cluster = stack.enter_context(_local_cluster(distributed, execution.workers))
        client = distributed.Client(cluster, set_as_default=False)
        try:
            yield client
        finally:
            with suppress(TimeoutError):
                client.close(timeout=_CLOSE_SECONDS)


def _connected(distributed: Any, address: str) -> Any:
    try:
        security = distributed.Security().get_connection_args("client")
        distributed.comm.resolve_address(address)  # a client that cannot be made hangs when it is closed
        if address.startswith(("tls://", "wss://")) and security.get("ssl_context") is None:
            raise ValueError(
                "dask is not told the certificates (`distributed.comm.tls` of its configuration)"
            )
        return distributed.Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"`dask_address={address}`: {error}",
            "the frames are handed out by the scheduler at this address",
            "check that it runs (dask scheduler) and that the address is reachable, or use `workers=N`",
        ) from error


@contextmanager
def _local_cluster(distributed: Any, workers: int) -> Iterator[Any]:
    """Yield a cluster of processes on this machine, reachable from this process alone."""
    import logging

    dask: Any = import_module("dask")

    class Starter(distributed.Nanny):  # type: ignore[misc]
        """Starts (and restarts) a worker without running the caller's script in it."""

        async def instantiate(self) -> Any:
            """Start the worker without the main script."""
            with without_main_script():
                return await super().instantiate()

    quiet: dict[str, list[str]] = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        dask.config.set(quiet),
        set_for_workers(),
    ):
        with _starting():
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                worker_class=Starter,
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
                silence_logs=logging.CRITICAL,
                security=True,
                local_directory=scratch,
                preload=[_PRELOAD],
                protocol="tls://",
            )
        try:
            yield cluster
        finally:
            _close(cluster)


@contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the only kind that distributed raises here
        raise DataError(
            f"the worker processes do not start ({error})",
            "one of them ended on its way: memory may have run out, or somebody ended it",
            "run the same command again, or use fewer `workers`; what is done is kept",
        ) from error


def _close(cluster: Any) -> None:
    """End a cluster; workers that do not end by themselves are killed, and closing goes on without them.

    A limit of its own would make distributed give up in the middle and leave the cluster half open.
    """
    nannies = [nanny.process.process for nanny in cluster.workers.values() if nanny.process is not None]
    # one that is just being started again has no number yet
    workers = [process.pid for process in nannies if process is not None and process.pid is not None]

    def close() -> None:
        """Close it; whatever distributed runs into, its processes are gone at the end."""
        with suppress(Exception):
            cluster.close()

    closing = Thread(target=close, daemon=True)
    closing.start()
    closing.join(_CLOSE_SECONDS)
    if not closing.is_alive():
        return
    for process in workers:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    closing.join(_KILLED_SECONDS)
