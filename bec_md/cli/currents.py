"""Run the jobs of a command: with progress, into resumable files, and with a way back after Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from bec_md.cli.announce import announce_work
from bec_md.cli.brief import announce_storage
from bec_md.cli.console import Console, duration
from bec_md.cli.failures import InterruptedByUserError, not_written, stopped_by
from bec_md.cli.inputs import InputOptions, Source, current_path
from bec_md.cli.outputs import OutputOptions, check_writable
from bec_md.cli.values import refuse_idle
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries

#: Seconds of work that a kill can lose; shorter on a terminal, where chunks also move the bar.
COMMIT_SECONDS = 10.0
COMMIT_SECONDS_TERMINAL = 2.0


def compute_currents(
    console: Console, sources: Sequence[Source], options: InputOptions, outputs: OutputOptions
) -> list[CurrentSeries]:
    """Compute what is not stored yet and return the series of all inputs."""
    jobs = [source for source in sources if source.job is not None]
    if outputs.current is not None and len(jobs) > 1:
        raise UsageError(
            f"one file {outputs.current} for the currents of {len(jobs)} trajectories",
            "they do not continue one another, and every replica has its own current file",
            "leave --current (-o of `bec-md current`) out: the files are named after the inputs",
        )
    if not jobs:
        idle = {"--current": outputs.current is not None}
        refuse_idle(idle, "where every input is a current", "leave it out, or name the trajectory")
    paths = {source.stem: current_path(source, outputs.folder, outputs.current) for source in jobs}
    for path in paths.values():
        outputs.check_current(path)
        if not path.exists():  # what is complete is only read
            check_writable("--current", path)
    if not console.verbose:
        stored = [(source, paths[source.stem]) for source in jobs]
        announce_storage(
            console,
            [(s.job, path, _rows_of(s.job, path, outputs)) for s, path in stored if s.job is not None],
            describe_place(options),
        )
    return [
        source.series
        if source.series is not None
        else _compute(console, source, paths[source.stem], options, outputs)
        for source in sources
    ]


def _rows_of(job: CurrentJob, path: Path, outputs: OutputOptions) -> int:
    """Samples of this computation that are stored and not to be computed anew."""
    from bec_md.current.file import header_of, same_computation, stored_rows

    stored = None if outputs.overwrite else header_of(path)
    return (
        stored_rows(path)
        if stored is not None and same_computation(stored, job.going_on(stored).header())
        else 0
    )


def _compute(
    console: Console, source: Source, path: Path, options: InputOptions, outputs: OutputOptions
) -> CurrentSeries:
    import time

    from bec_md.current.file import stored_rows
    from bec_md.current.run import run

    job = source.job
    assert job is not None  # for the type checker: sources without a series have a job
    done = _rows_of(job, path, outputs)
    if console.verbose:
        announce_work(console, job, path, done, describe_place(options))
    begin = time.monotonic()
    try:
        with console.progress(f"J(t) of {job.info.source}", done, job.n_samples) as progress:
            execution = replace(
                options.execution,
                progress=progress,
                commit_seconds=COMMIT_SECONDS_TERMINAL if sys.stderr.isatty() else COMMIT_SECONDS,
            )
            series = run(job, execution, output=path, overwrite=outputs.overwrite)
    except KeyboardInterrupt as stop:
        raise interrupted(path, stop) from None
    except OSError as error:
        raise not_written(
            path, error, f"{stored_rows(path)} samples are kept; run the same command again"
        ) from error
    new = series.n_frames - done
    if new > 0:
        seconds = max(time.monotonic() - begin, 1e-9)
        per_atom = 1e6 * seconds / (new * job.info.n_atoms)
        console.detail("done", f"{new} samples in {duration(seconds)}, {per_atom:.3g} µs per atom and frame")
    return series


def describe_place(options: InputOptions) -> str:
    """Say where the work happens."""
    current, execution = options.current, options.execution
    if execution.dask_address is not None:
        return f"the dask cluster {execution.dask_address}"
    place = current.device if current.device != "cpu" else "CPU"
    if execution.workers > 1:
        return f"{place}, {execution.workers} processes"
    return place if current.threads is None else f"{place}, {current.threads} thread(s)"


def interrupted(path: Path, stop: KeyboardInterrupt) -> InterruptedByUserError:
    """Return what is said after Ctrl-C or another signal to end."""
    from bec_md.current.file import stored_rows

    rows = stored_rows(path)
    if rows == 0:
        return InterruptedByUserError(
            f"{stopped_by(stop)} before the first samples were stored",
            f"samples are stored every {COMMIT_SECONDS:g} s or less",
            "run the same command again",
            stop,
        )
    return InterruptedByUserError(
        f"{stopped_by(stop)}; {rows} samples are kept in {path}",
        "what was finished is not lost",
        f"run the same command again; `bec-md spectrum {quote(str(path))}` analyzes what there is",
        stop,
    )
