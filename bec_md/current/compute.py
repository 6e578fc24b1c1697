r"""Compute the polarization current of a trajectory."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bec_md.current.execution import Execution, Progress
from bec_md.current.options import CurrentOptions
from bec_md.current.prepare import prepare_current
from bec_md.current.run import run
from bec_md.current.series import CurrentSeries
from bec_md.errors import BecMDWarning
from bec_md.kinds import require_options
from bec_md.options import no_option
from bec_md.trajectory.options import ReadOptions


def compute_current(
    source: Any,
    model: Any = None,
    *,
    options: CurrentOptions | None = None,
    reading: ReadOptions | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    workers: int = 1,
    dask_address: str | None = None,
    progress: Progress | None = None,
    commit_seconds: float = 10.0,
    command: str | None = None,
    **changes: Any,
) -> CurrentSeries:
    r"""Compute :math:`J_a(t) = \sum_i \sum_b Z_{i,ab}(t) v_{ib}(t)` along a trajectory.

    Parameters
    ----------
    source
        A trajectory: path, `Trajectory`, list of `ase.Atoms`, `MDAnalysis.Universe`, …
    model
        Name, path or loaded model for ``charges="model"``.
    options
        How the current is computed: charges, groups, stride, device …
    reading
        How the trajectory is read: time step, range, units, elements …
    output
        HDF5 file. Chunks are stored while computing; the same call continues after a kill.
    overwrite
        Start over even if `output` holds another computation.
    workers
        Processes on this machine that share the frames (they need the package distributed).
    dask_address
        Scheduler of a dask.distributed cluster to use instead.
    progress
        Called with (samples done, samples in total or None). In a notebook the default is a bar.
    commit_seconds
        A chunk is stored after so many seconds of work: what a kill can lose.
    command
        Command line, for the metadata.
    **changes
        Fields of `CurrentOptions` and `ReadOptions` by name, instead of those in `options` and `reading`:
        ``charges="file"``, ``timestep_fs=2.0``, ``groups="molecules"`` …

    Returns
    -------
    The current of each group, with what is needed to correct and check it.

    Raises
    ------
    UsageError
        If the timestep is unknown, or options do not fit.
    DataError
        If the trajectory or the tensors are damaged; with `output`, what came before is kept.
    """
    read, chosen = sorted_options(changes, reading, options)
    if model is not None:
        chosen = replace(chosen, model=model)
    if progress is None:
        progress = default_progress()
    execution = Execution(workers, dask_address, commit_seconds, progress)
    job = prepare_current(source, execution.with_threads(chosen), read, command=command)
    for text in job.warnings:
        warnings.warn(text, BecMDWarning, stacklevel=2)
    return run(job, execution, output=output, overwrite=overwrite)


def sorted_options(
    changes: dict[str, Any], reading: ReadOptions | None = None, options: CurrentOptions | None = None
) -> tuple[ReadOptions, CurrentOptions]:
    """Return the options of reading and of the current with changes by name, each where it belongs."""
    require_options(reading or ReadOptions(), "ReadOptions")
    require_options(options or CurrentOptions(), "CurrentOptions")
    of_reading = [item.name for item in fields(ReadOptions)]
    known = [*(item.name for item in fields(CurrentOptions)), *of_reading]
    for name in changes:
        if name not in known:
            raise no_option(name, known, CurrentOptions.of)
    of_current = {name: value for name, value in changes.items() if name not in of_reading}
    read = {name: value for name, value in changes.items() if name in of_reading}
    return replace(reading or ReadOptions(), **read), (options or CurrentOptions()).changed(**of_current)


def default_progress() -> Progress | None:
    """Return a bar where there is a notebook to show it."""
    from bec_md.notebook.progress import NotebookProgress, in_notebook

    return NotebookProgress("Current J(t)") if in_notebook() else None
