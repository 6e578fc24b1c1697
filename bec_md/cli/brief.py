"""What is said before the work of ``bec-md spectrum``, on a few lines for any number of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bec_md.cli.announce import alike, announce_series, composition
from bec_md.cli.console import Console, memory, times

if TYPE_CHECKING:
    from bec_md.cli.inputs import Source
    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries


def announce_sources(console: Console, sources: Sequence[Source]) -> None:
    """Say what the inputs are and which charges they get: those that are alike in one entry."""
    together: dict[tuple[object, ...], list[CurrentJob]] = {}
    stored: dict[tuple[object, ...], list[tuple[str, CurrentSeries]]] = {}
    for source in sources:
        if source.job is not None:
            job = source.job
            kind = (job.info.format, job.info.n_frames, job.recipe.timestep_fs, job.charges_name)
            together.setdefault((*kind, tuple(job.info.numbers.tolist())), []).append(job)
        elif source.series is not None:
            stored.setdefault(alike(source.series), []).append((source.path, source.series))
    for series in stored.values():
        announce_series(console, *series)
    for jobs in together.values():
        _announce_jobs(console, jobs)


def _announce_jobs(console: Console, jobs: Sequence[CurrentJob]) -> None:
    info, step = jobs[0].info, jobs[0].recipe.timestep_fs
    name = str(info.source)
    if len(jobs) > 1:
        name = f"{len(jobs)} runs, {name} … {jobs[-1].info.source}"
    frames = "an unknown number of" if info.n_frames is None else str(info.n_frames)
    each = "each " if len(jobs) > 1 else ""
    length = "" if info.n_frames is None else f", {times(info.n_frames * step)}"
    console.item(
        "input",
        f"{name} ({info.format}): {each}{frames} frames {step:g} fs apart{length}; {info.n_atoms} atoms "
        f"({composition(info.numbers)})",
    )
    model = getattr(jobs[0].recipe.charges, "model", None)
    if model is None:
        console.item("charges", jobs[0].charges_name)
    else:
        from bec_md.network.registry import stated_error

        console.item("model", f"{model.name} ({model.reason}); {stated_error(model.card)}")
    for job in jobs:
        for warning in (*job.info.warnings, *job.notes):
            console.warn(warning)


def announce_storage(console: Console, works: Sequence[tuple[CurrentJob, Path, int]], where: str) -> None:
    """Say where the currents are kept, and how much of them is there already.

    Parameters
    ----------
    console
        Where to say it.
    works
        Job, file and number of samples in it, of every trajectory.
    where
        The work is done, in words.
    """
    if not works:
        return
    totals = [job.n_samples for job, _, _ in works]
    done = sum(count for _, _, count in works)
    files = str(works[0][1]) if len(works) == 1 else f"{works[0][1]} … ({len(works)} files)"
    whole = None if any(total is None for total in totals) else sum(total or 0 for total in totals)
    if whole is not None and done >= whole:
        console.item("current", f"{files} holds all {whole} samples already: nothing to compute")
        return
    size = sum((job.n_samples or 0) * job.bytes_per_sample for job, _, _ in works)
    found = f"{done} samples are there already; " if done else ""
    held = f", {memory(size)}" if size else ""
    console.item(
        "current", f"{found}kept in {files}{held}: a second analysis takes seconds; computed on {where}"
    )
