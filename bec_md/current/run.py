"""Run a prepared current: in memory or into a file, here or on a cluster; what is stored is continued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.charges.closed_loop import loop_of_source
from bec_md.current.chunks import Chunk, Missing, committed_chunks
from bec_md.current.execution import Execution
from bec_md.current.fields import FIELDS
from bec_md.current.file import (
    added_up,
    build_series,
    differing,
    header_of,
    joined_rows,
    load_current,
    plain,
    same_computation,
)
from bec_md.current.found import said_later, say, sentences_of, with_found
from bec_md.current.parts import FRAME_HASH, PartsFolder, Rows, gaps
from bec_md.current.places import PLACE_ROW, PLACES, mean_structure_entry
from bec_md.current.store import CurrentStore
from bec_md.errors import UsageError
from bec_md.files import expanded
from bec_md.interruption import checkpoint, held
from bec_md.memory import require_memory

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.rows import Recipe
    from bec_md.current.series import CurrentSeries

_LOOP = "closed_loop"


def run(
    job: CurrentJob,
    execution: Execution | None = None,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> CurrentSeries:
    """Compute a current, or continue what a file holds, and return it.

    Parameters
    ----------
    job
        What to compute.
    execution
        Where and how.
    output
        HDF5 file that keeps the rows while they are computed.
    overwrite
        Start over even if `output` holds another computation.

    Raises
    ------
    UsageError
        If `output` holds another computation, or the work cannot be shared as asked.
    DataError
        If the trajectory or the tensors are damaged; with `output`, what came before is kept.
    """
    execution = execution or Execution()
    execution.check()
    if output is None:
        with said_later(job.recipe):
            series = _in_memory(with_closed_loop(job), execution)
        say(series.metadata)
        return series
    path = expanded(output)
    known = None if overwrite else header_of(path)
    job = with_closed_loop(job.going_on(known), known)
    if known is not None and _is_finished(path, known, job):  # which others may read at the same time
        series = load_current(path)
    else:
        with CurrentStore.writing(output, job.header(), overwrite=overwrite) as store:
            with said_later(job.recipe):
                _continue(job, store)
                _fill(job, store, execution)
            series = load_current(store.path)
    say(series.metadata)
    if job.n_samples is not None and series.n_frames > job.n_samples:
        return series[: job.n_samples]  # an earlier run went further than this one was asked to
    return series


def _is_finished(path: Path, stored: Mapping[str, Any], job: CurrentJob) -> bool:
    """Whether a file holds all rows of this computation, made from files that have not changed since."""
    wanted, files = plain(job.header()), plain(job.input_state)
    return bool(
        stored.get("complete")
        and same_computation(stored, wanted)
        and not differing(stored["key"], wanted["key"])
        and files["files"]
        and all((stored.get("input") or {}).get(name) == files[name] for name in ("files", "fingerprint"))
        and not PartsFolder(path).find()
        and not gaps([(0, joined_rows(path))], job.n_samples)
    )


def with_closed_loop(job: CurrentJob, stored: dict[str, Any] | None = None) -> CurrentJob:
    """Return the job with the closed-loop test of its tensors: a stored result, or one of the first frame."""
    found = None if stored is None else stored.get("metadata", {}).get(_LOOP)
    if found is None:
        frame = next(iter(job.recipe.trajectory.frames()))
        loop = loop_of_source(job.recipe.charges, frame)
        found = None if loop is None else loop.to_dict()
    return replace(job, metadata={**job.metadata, _LOOP: found})


def _in_memory(job: CurrentJob, execution: Execution) -> CurrentSeries:
    if job.n_samples is not None:
        require_memory(
            2.0 * job.bytes_per_sample * job.n_samples,
            f"a current of {job.n_samples} samples",
            "without an output all of its rows are held in memory",
            "give an output (`output`): rows then are stored, and read where they are needed",
        )
    pieces: dict[int, Rows] = {}
    done = 0
    for start, rows in _chunks(job, [(0, job.n_samples)], execution):
        pieces[start] = rows
        done += len(rows["current"])
        if execution.progress is not None:
            execution.progress(done, job.n_samples)
    return series_of(job, pieces)


def series_of(job: CurrentJob, pieces: Mapping[int, Rows]) -> CurrentSeries:
    """Return the current whose rows are all in memory.

    Parameters
    ----------
    job
        What was computed.
    pieces
        Number of a first row → rows; together they cover all.

    Raises
    ------
    DataError
        If there are none.
    """
    job.require_samples(len(pieces))
    ordered = [pieces[start] for start in sorted(pieces)]
    arrays = {name: np.concatenate([rows[name] for rows in ordered]) for name in ordered[0]}
    arrays.pop(FRAME_HASH)
    header, row, places = job.header(), arrays.pop(PLACE_ROW, None), arrays.pop(PLACES, None)
    header |= mean_structure_entry(row, places, arrays["cells_ang"], header["system"].get("numbers"))
    header["metadata"] = with_found(header["metadata"], sentences_of(job.recipe))
    arrays |= {name: added_up(arrays[name]) for name in arrays if FIELDS[name].summed}
    return build_series(header, arrays, job.info.source)


def _fill(job: CurrentJob, store: CurrentStore, execution: Execution) -> None:
    """Compute and store what is missing; what is done before an error or a signal is kept."""
    missing = store.missing(job.n_samples)
    if not missing and store.is_current:
        return
    done = sum(stop - start for start, stop in store.intervals())
    try:
        with held():  # a signal to end waits until files are whole
            for start, rows in _chunks(job, missing, execution):
                store.write(start, rows)
                store.note(sentences_of(job.recipe))
                done += len(rows["current"])
                if execution.progress is not None:
                    execution.progress(done, job.n_samples)
                checkpoint()
        store.note(sentences_of(job.recipe))
    except BaseException:
        if store.intervals():
            store.note(sentences_of(job.recipe))
            with suppress(OSError):  # the chunks are there if there is no room for the joined file
                store.join(complete=False)
        raise
    if store.intervals():
        store.join(complete=True)
    job.require_samples(store.first_rows())


def _chunks(job: CurrentJob, missing: Missing, execution: Execution) -> Iterator[Chunk]:
    """Yield (first row, rows) that together cover what is missing, in any order."""
    if execution.on_cluster:
        from bec_md.current.cluster import cluster_chunks

        yield from cluster_chunks(job, missing, execution)
        return
    for start, stop in missing:
        yield from committed_chunks(job.recipe.rows(start, stop), start, execution.commit_seconds)


# ---------------------------------------------------------------------- continuing
def _continue(job: CurrentJob, store: CurrentStore) -> None:
    """Check that the frames are those of the rows already stored, and drop rows that the old end cut short.

    Files of the same size and time are not read again; others are compared frame by frame.
    """
    old, new = (store.stored or {}).get("input"), store.header["input"]
    if old is None or (old == new and not store.respelled):
        return
    rows = store.first_rows()
    if (
        store.respelled
        or not new["files"]
        or any(old.get(name) != new[name] for name in ("files", "fingerprint"))
    ):
        _compare_frames(job.recipe, store, rows)
    if not store.missing(job.n_samples) and store.stored is not None and store.stored.get("complete"):
        return
    sampling = job.recipe.sampling
    reach = 3 * sampling.charge_stride if sampling.charge_stride > 1 else 0
    whole = rows // sampling.block * sampling.block
    store.keep(max(0, whole - reach - (1 if job.recipe.scheme == "midpoint" else 0)))


def _compare_frames(recipe: Recipe, store: CurrentStore, rows: int) -> None:
    """Refuse a trajectory whose frames are not those that the first `rows` stored rows were made of."""
    stored = store.frame_hashes()
    if rows == 0 or stored is None:
        return
    block = 64
    frames = recipe.trajectory.frames()
    ahead = [] if recipe.scheme == "velocity" else [next(frames)]
    position = 0
    while position < rows and (taken := list(islice(frames, block))):
        hashes = recipe.row_hashes([*ahead, *taken])[: rows - position]
        wrong = np.flatnonzero(hashes != stored[position : position + len(hashes)])
        if len(wrong):
            raise UsageError(
                f"{store.path.name} was computed from another trajectory",
                f"frame {position + int(wrong[0])} of this one is not the one that its rows were made of",
                "choose another output name, or start over with `overwrite`",
            )
        position += len(hashes)
        ahead = ahead and taken[-1:]
