"""What is said before the work: what was read, what will be done, what it will take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.cli.console import Console, memory, times

if TYPE_CHECKING:
    from bec_md.cli.inputs import Source
    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries
    from bec_md.network import BecModel


@dataclass(frozen=True)
class TimeGrid:
    """Sampling of one or several series: what fixes resolution and range of a spectrum."""

    timestep_fs: float
    lengths_fs: tuple[float, ...]

    @property
    def nyquist_cm(self) -> float:
        """Highest wavenumber that the samples can carry."""
        from bec_md.units import SPEED_OF_LIGHT_CM_FS

        return 0.5 / (SPEED_OF_LIGHT_CM_FS * self.timestep_fs)


def time_grid(sources: list[Source]) -> TimeGrid | None:
    """Return the time grid of the inputs, None while the number of frames is unknown."""
    steps, lengths = [], []
    for source in sources:
        if source.series is not None:
            steps.append(source.series.timestep_fs)
            lengths.append(source.series.n_frames * steps[-1])
        elif source.job is not None:
            if source.job.n_samples is None:
                return None
            steps.append(source.job.recipe.timestep_fs)
            lengths.append(source.job.n_samples * steps[-1])
    return TimeGrid(steps[0], tuple(lengths))


def announce_source(console: Console, source: Source) -> None:
    """Say what an input is and which charges it gets."""
    if source.job is not None:
        announce_job(console, source.job)
    elif source.series is not None:
        announce_series(console, (source.path, source.series))


def announce_job(console: Console, job: CurrentJob) -> None:
    """Say what a trajectory is and which charges it gets."""
    info = job.info
    frames = "an unknown number of" if info.n_frames is None else str(info.n_frames)
    step = job.recipe.timestep_fs
    length = "" if info.n_frames is None else f", {times(info.n_frames * step)} in all"
    console.item(
        "input",
        f"{info.source} ({info.format}): {frames} frames {step:g} fs apart{length}; "
        f"{info.n_atoms} atoms ({composition(info.numbers)})",
    )
    console.item("units", info.units_note)
    announce_charges(console, job)
    for remark in job.metadata.get("remarks", ()):
        console.item("", str(remark))
    for warning in (*info.warnings, *job.notes):
        console.warn(warning)


def composition(numbers: Any) -> str:
    """Write the number of atoms of each element, e.g. "O 48, Si 24"."""
    from collections import Counter

    from ase.data import chemical_symbols

    counts = Counter(chemical_symbols[number] for number in numbers.tolist())
    return ", ".join(f"{symbol} {count}" for symbol, count in sorted(counts.items()))


def announce_charges(console: Console, job: CurrentJob) -> None:
    """Say where the tensors come from, with the first frame as a sample."""
    import numpy as np

    charges = job.recipe.charges
    model = getattr(charges, "model", None)
    if model is not None:
        describe_model(console, model)
    else:
        console.item("charges", job.charges_name)
    first = next(iter(job.recipe.trajectory.frames()))
    batch = charges.evaluate([first])
    tensors = np.asarray(batch.born_effective_charges[0])
    residual = np.abs(tensors.sum(axis=0) - job.total_charge_e * np.eye(3)).max() / len(tensors)
    means = [
        f"{name} {np.trace(tensors[job.groups.index == g], axis1=1, axis2=2).mean() / 3:+.3f}"
        for g, name in enumerate(job.groups.names[:8])
    ]
    text = f"mean tr Z/3 in the first frame: {', '.join(means)} e"
    if batch.uncertainty_e is not None:
        text += f"; the model's own uncertainty {float(np.mean(batch.uncertainty_e)):.2g} e"
    console.item("", f"{text}; |ΣZ − Q|/N = {residual:.1e} e")


def describe_model(console: Console, model: BecModel) -> None:
    """Say which network was taken, why, and the error that it states."""
    from bec_md.network.registry import stated_error

    console.item("model", f"{model.name} ({model.reason}); {stated_error(model.card)}")
    console.item("engine", "; ".join(text for text in (model.engine.name, model.engine_note) if text))


def show_volume(console: Console, series: CurrentSeries) -> None:
    """Print the range of the volume of a cell that changes."""
    found = series.volume_range_ang3()
    if found is not None:
        low, high = found
        console.warn(
            f"the volume changes from {low:.1f} to {high:.1f} Å³: the spectrum is per mean volume, "
            f"{series.volume_ang3:.1f} Å³, and its theory is that of a constant cell"
        )


def announce_series(console: Console, *stored: tuple[str, CurrentSeries]) -> None:
    """Say what a stored current is, or several that are `alike`: their files and contents."""
    series = stored[0][1]
    length = times(series.n_frames * series.timestep_fs)
    atoms = "" if series.n_atoms is None else f"; {series.n_atoms} atoms"
    many = len(stored) > 1
    name = Path(stored[0][0]).name
    if many:
        name, length = f"{len(stored)} runs, {name} … {Path(stored[-1][0]).name}", f"{length} each"
    else:
        length = f"{length} in all"
    console.item(
        "input",
        f"{name} (current): {series.n_frames} samples {series.timestep_fs:g} fs apart, {length}{atoms}; "
        f"groups {', '.join(series.groups[:8])}",
    )
    made, last = series.metadata, stored[-1][1].metadata
    if made.get("charges"):
        sources = [str(found.get("source", "an unnamed trajectory")) for found in (made, last)]
        console.item("charges", f"{made['charges']}, from {' … '.join(dict.fromkeys(sources))}")
    for remark in made.get("remarks", ()):
        console.item("", str(remark))
    for path, one in stored:
        if one.metadata.get("complete") is False:
            console.warn(
                f"{Path(path).name} is incomplete: its computation was interrupted or is still running"
            )
        for warning in one.metadata.get("warnings", ()):
            console.warn(str(warning))


def alike(series: CurrentSeries) -> tuple[object, ...]:
    """Return what stored currents have in common that are announced together."""
    made = series.metadata
    remarks = tuple(map(str, made.get("remarks", ())))
    return (series.n_frames, series.timestep_fs, series.n_atoms, series.groups, made.get("charges"), remarks)


def announce_spectrum(
    console: Console,
    grid: TimeGrid | None,
    resolution_cm: float | None,
    estimator: str,
    max_cm: float | None,
) -> None:
    """Say resolution, range and statistics to be expected."""
    if grid is None:
        console.item("spectrum", "the number of frames is not known before they are read")
        return
    from bec_md.spectrum.estimators.lag_window import default_resolution_cm

    total = sum(grid.lengths_fs)
    chosen = resolution_cm
    if chosen is None:
        chosen = float(default_resolution_cm(total, max(grid.lengths_fs)))
    origin = "asked for" if resolution_cm is not None else "chosen from the length of the run"
    top = "" if max_cm is None else f", written up to {max_cm:g} cm⁻¹"
    console.item(
        "spectrum",
        f"resolution {chosen:.3g} cm⁻¹ ({origin}), estimator {estimator}; Nyquist {grid.nyquist_cm:.0f} "
        f"cm⁻¹{top}; {_runs(len(grid.lengths_fs))} {times(total)}",
    )


def _runs(count: int) -> str:
    return "one run of" if count == 1 else f"{count} runs, together"


def announce_work(console: Console, job: CurrentJob, path: Path, done: int, where: str) -> None:
    """Say where the current is kept, how much of it is there, and what the rest needs."""
    from bec_md.current.file import LAZY_BYTES

    total = job.n_samples
    if total is not None and done >= total:
        console.item("current", f"{path} holds all {total} samples already: nothing to compute")
        return
    size = None if total is None else total * job.bytes_per_sample
    held = "" if size is None else f", {memory(size)} on disk"
    in_memory = LAZY_BYTES if size is None else min(size, LAZY_BYTES)
    frames = 4 * job.recipe.sampling.block * job.info.n_atoms * 300
    found = f"{done} samples are there already; " if done else ""
    console.item(
        "current",
        f"{found}kept in {path}{held}, so an interrupted run goes on and a second analysis takes seconds",
    )
    console.item(
        "computing",
        f"{where}, {job.recipe.sampling.batch} frames at once; memory for frames and current about "
        f"{memory(in_memory + frames)}",
    )
