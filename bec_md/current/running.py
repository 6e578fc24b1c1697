"""Run a prepared current into a file: what is missing is computed, chunk by chunk, and joined."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bec_md.current.parts import COMMIT_BYTES, Rows
from bec_md.current.rows import frame_hashes
from bec_md.current.series import CurrentSeries
from bec_md.current.store import CurrentStore, load_current
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.current.compute import CurrentJob, Progress
    from bec_md.current.rows import Recipe


def run_stored(
    job: CurrentJob,
    *,
    output: str | Path | None,
    overwrite: bool,
    workers: int,
    dask_address: str | None,
    progress: Progress | None,
    commit_seconds: float,
) -> CurrentSeries:
    """Compute the missing rows of a current file and return the whole; see `compute_current`."""
    if workers < 1:
        raise UsageError(f"{workers} workers", "somebody has to do the work", "give --workers 1 or more")
    if output is None:
        with tempfile.TemporaryDirectory() as scratch:
            _fill(job, CurrentStore(Path(scratch) / "current.h5", job.header()), workers, dask_address,
                  progress, commit_seconds)  # fmt: skip
            return load_current(Path(scratch) / "current.h5", lazy=False)
    store = CurrentStore(output, job.header(), overwrite=overwrite)
    _fill(job, store, workers, dask_address, progress, commit_seconds)
    series = load_current(store.path)
    if job.n_samples is not None and series.n_frames > job.n_samples:
        return series[: job.n_samples]  # an earlier run went further than this one was asked to
    return series


def _fill(
    job: CurrentJob,
    store: CurrentStore,
    workers: int,
    dask_address: str | None,
    progress: Progress | None,
    commit_seconds: float,
) -> None:
    with store.lock():
        store.clean()
        if store.grown:
            _continue_grown(job.recipe, store)
        complete = False
        try:
            if workers > 1 or dask_address is not None:
                from bec_md.current.parallel import fill_parallel

                fill_parallel(job, store, workers, dask_address, progress, commit_seconds)
            else:
                _fill_serial(job, store, progress, commit_seconds)
            complete = True
        finally:
            if store.intervals():  # after an error or Ctrl-C too: what is done is kept
                store.join(complete=complete)
    job.require_samples(store.joined_rows())


def _fill_serial(
    job: CurrentJob, store: CurrentStore, progress: Progress | None, commit_seconds: float
) -> None:
    done = sum(stop - start for start, stop in store.intervals())
    for start, stop in store.missing(job.n_samples):
        for begin, rows in committed_chunks(job.recipe, start, stop, commit_seconds):
            store.write(begin, rows)
            done += len(rows["current"])
            if progress is not None:
                progress(done, job.n_samples)


def committed_chunks(
    recipe: Recipe, start: int, stop: int | None, commit_seconds: float
) -> Iterator[tuple[int, Rows]]:
    """Yield (first row, rows) in chunks of at most `commit_seconds` of work or `COMMIT_BYTES`.

    Rows computed before an error or Ctrl-C are yielded before it is raised.
    """
    waiting: list[Rows] = []
    begin, size, since = start, 0, time.monotonic()
    try:
        for _, rows in recipe.rows(start, stop):
            waiting.append(rows)
            size += sum(values.nbytes for values in rows.values())
            if time.monotonic() - since >= commit_seconds or size >= COMMIT_BYTES:
                chunk = _joined(waiting)
                waiting = []
                yield begin, chunk
                begin, size, since = begin + len(chunk["current"]), 0, time.monotonic()
    except (Exception, KeyboardInterrupt):
        if waiting:
            yield begin, _joined(waiting)
        raise
    if waiting:
        yield begin, _joined(waiting)


def _joined(pieces: list[Rows]) -> Rows:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _continue_grown(recipe: Recipe, store: CurrentStore) -> None:
    """Check that the trajectory begins with the frames already done, and drop the rows of its old end."""
    rows = store.first_rows()
    for row in {0, max(rows - 1, 0)}:
        stored = store.frame_hash(row) if rows else None
        if stored is None:
            continue
        frame = next(recipe.trajectory.frames(skip=row), None)
        if frame is None or int(frame_hashes([frame])[0]) != stored:
            store.refuse_grown()
    sampling = recipe.sampling
    reach = 3 * sampling.charge_stride if sampling.charge_stride > 1 else 0
    whole = rows // sampling.block * sampling.block
    store.continue_grown(max(0, whole - reach - (1 if recipe.scheme == "midpoint" else 0)))
