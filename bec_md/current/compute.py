r"""Compute the polarization current of a trajectory: prepare, say what will be done, run, resume."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from bec_md import __version__
from bec_md.charges import charges_key, make_charge_source
from bec_md.charges.source import digest
from bec_md.current.evaluate import Interpolation, Sampling
from bec_md.current.grouping import Groups, make_groups
from bec_md.current.parts import Rows
from bec_md.current.rows import Recipe
from bec_md.current.series import CurrentSeries
from bec_md.current.stored import build_series
from bec_md.errors import BecMDWarning, DataError, UsageError

if TYPE_CHECKING:
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import Trajectory, TrajectoryInfo

Progress = Callable[[int, int | None], None]

#: Atoms evaluated in one call of the model: enough to fill the arithmetic, little enough for the cache.
BATCH_ATOMS = 4096
MAX_BATCH = 256
#: The same for a GPU, which needs more work at a time (about 4 GB of its memory with the bundled models).
BATCH_ATOMS_GPU = 16384
MAX_BATCH_GPU = 1024


@dataclass(frozen=True)
class TrajectorySource:
    """How to open the trajectory, here and in workers."""

    source: Any
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> Trajectory:
        """Open it."""
        if hasattr(self.source, "frames") and hasattr(self.source, "info"):
            return cast("Trajectory", self.source)
        from bec_md.trajectory import open_trajectory

        return open_trajectory(self.source, **self.options)


@dataclass(frozen=True)
class CurrentJob:
    """A current that is ready to be computed; everything a user wants to know before is here.

    Parameters
    ----------
    recipe
        What determines the rows.
    info
        The trajectory.
    groups
        The groups of atoms.
    charges_name
        Source of the tensors.
    start_time_fs
        Time of the first sample, fs.
    total_charge_e
        Net charge of the cell, e.
    notes
        What was decided, in sentences: how tensors were mapped, which stride was chosen.
    warnings
        What the reader of the result should know.
    key
        Hashes and parameters that a stored file must share to be continued.
    metadata
        Goes into the result.
    """

    recipe: Recipe
    info: TrajectoryInfo
    groups: Groups
    charges_name: str
    start_time_fs: float
    total_charge_e: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    key: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @property
    def n_samples(self) -> int | None:
        """Number of samples of the current, when the number of frames is known."""
        if self.info.n_frames is None:
            return None
        return self.info.n_frames - (1 if self.recipe.scheme == "midpoint" else 0)

    @property
    def bytes_per_sample(self) -> int:
        """Size of one sample in memory and (about) in the file."""
        groups = len(self.groups.names)
        return 8 * (groups * (3 + 9 + 3 + 3 + 1) + 9 + 1) + 4 * 9 * groups

    def header(self) -> dict[str, Any]:
        """Return what is stored with the rows."""
        sums = self.recipe.sums
        return {
            "key": dict(self.key),
            "system": {
                "groups": list(self.groups.names),
                "timestep_fs": self.recipe.timestep_fs,
                "scheme": self.recipe.scheme,
                "group_mass_amu": sums.group_mass_amu,
                "group_count": sums.group_count,
                "group_inverse_mass": sums.group_inverse_mass,
                "total_charge_e": self.total_charge_e,
                "start_time_fs": self.start_time_fs,
            },
            "metadata": dict(self.metadata),
        }

    def run(
        self,
        *,
        output: str | Path | None = None,
        overwrite: bool = False,
        workers: int = 1,
        dask_address: str | None = None,
        progress: Progress | None = None,
        commit_seconds: float = 10.0,
    ) -> CurrentSeries:
        """Compute, or continue what `output` holds, and return the series; see `compute_current`."""
        from bec_md.current.loop_check import with_closed_loop

        job = with_closed_loop(self, output, overwrite)
        if output is None and workers == 1 and dask_address is None:
            return job._run_in_memory(progress)
        from bec_md.current.running import run_stored

        return run_stored(
            job,
            output=output,
            overwrite=overwrite,
            workers=workers,
            dask_address=dask_address,
            progress=progress,
            commit_seconds=commit_seconds,
        )

    def _run_in_memory(self, progress: Progress | None) -> CurrentSeries:
        pieces: list[Rows] = []
        for start, rows in self.recipe.rows():
            pieces.append(rows)
            if progress is not None:
                progress(start + len(rows["current"]), self.n_samples)
        self.require_samples(len(pieces))
        names = [name for name in pieces[0] if name != "frame_hash"]
        arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in names}
        return build_series(self.header(), arrays, self.info.source)

    def require_samples(self, count: int) -> None:
        """Refuse a trajectory that gives no sample."""
        if count == 0:
            raise DataError(
                f"{self.info.source} gives no sample of the current",
                "one frame without velocities has no rate of change"
                if self.recipe.scheme == "midpoint"
                else "there is no frame in the chosen range",
                "give more frames, or frames with velocities",
            )


def compute_current(
    source: Any,
    model: Any = None,
    *,
    charges: Any = "model",
    timestep_fs: float | None = None,
    groups: Any = "species",
    output: str | Path | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    batch: int | None = None,
    workers: int = 1,
    dask_address: str | None = None,
    charge_stride: int | Literal["auto"] = 1,
    interpolation: Interpolation = "cubic",
    charge_tolerance: float = 0.01,
    progress: Progress | None = None,
    commit_seconds: float = 10.0,
    command: str | None = None,
    **trajectory_options: Any,
) -> CurrentSeries:
    r"""Compute :math:`J_a(t) = \sum_i \sum_b Z_{i,ab}(t) v_{ib}(t)` along a trajectory.

    Parameters
    ----------
    source
        A trajectory: path, `Trajectory`, list of `ase.Atoms`, `MDAnalysis.Universe`, …
    model
        Name, path or loaded model for ``charges="model"``.
    charges
        Source of the tensors: ``"model"``, ``"file[:KEY]"``, ``"born:PATH"``, ``"fixed:Si=3.4,O=-1.7"``,
        ``"oxidation:Li=1,P=5,O=-2"``, an array (N, 3, 3), or an object with ``evaluate``.
    timestep_fs
        Time between stored frames, fs; needed unless the file carries it.
    groups
        ``"species"``, ``"none"``, ``"atoms"``, ``"molecules"``, ``"layers:z:N"``, a mapping name → atoms, or
        the path of a file with one label per atom.
    output
        HDF5 file. Chunks are stored while computing; the same call continues after a kill.
    overwrite
        Start over even if `output` holds another computation.
    device, threads, batch
        Where the model runs, its threads, and how many frames it evaluates at once.
    workers
        Local processes that share the frames.
    dask_address
        Scheduler of a dask.distributed cluster to use instead.
    charge_stride
        Evaluate the tensors every k-th frame and interpolate; the error is measured at held-out frames.
        ``"auto"`` takes the largest k that keeps the error of J below `charge_tolerance`.
    interpolation
        ``"cubic"`` or ``"linear"``.
    charge_tolerance
        Relative r.m.s. error of J allowed by ``charge_stride="auto"``.
    progress
        Called with (samples done, samples in total or None).
    commit_seconds
        A chunk is stored after so many seconds of work: what a kill can lose.
    command
        Command line, for the metadata.
    **trajectory_options
        Passed to `bec_md.trajectory.open_trajectory`: start, stop, stride, elements, lammps_units, masses, …

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
    job = prepare_current(
        source,
        model,
        charges=charges,
        timestep_fs=timestep_fs,
        groups=groups,
        device=device,
        threads=1 if threads is None and (workers > 1 or dask_address) else threads,
        batch=batch,
        charge_stride=charge_stride,
        interpolation=interpolation,
        charge_tolerance=charge_tolerance,
        command=command,
        **trajectory_options,
    )
    for text in job.warnings:
        warnings.warn(text, BecMDWarning, stacklevel=2)
    return job.run(
        output=output,
        overwrite=overwrite,
        workers=workers,
        dask_address=dask_address,
        progress=progress,
        commit_seconds=commit_seconds,
    )


def prepare_current(
    source: Any,
    model: Any = None,
    *,
    charges: Any = "model",
    timestep_fs: float | None = None,
    groups: Any = "species",
    device: str = "cpu",
    threads: int | None = None,
    batch: int | None = None,
    charge_stride: int | Literal["auto"] = 1,
    interpolation: Interpolation = "cubic",
    charge_tolerance: float = 0.01,
    command: str | None = None,
    **trajectory_options: Any,
) -> CurrentJob:
    """Open the trajectory, bind the tensors to it and return the job; see `compute_current`."""
    key = charges_key(charges)
    if key is not None:
        trajectory_options["charges_key"] = key
    opener = TrajectorySource(source, {"timestep_fs": timestep_fs, **trajectory_options})
    trajectory = opener()
    info = trajectory.info
    step = timestep_of(info, timestep_fs, opener)
    first = _first_frame(trajectory)
    _check_first(first, info)
    divided = make_groups(groups, first)
    unbound = make_charge_source(
        charges,
        info=info,
        model="auto" if model is None else model,
        device=device,
        threads=threads,
        total_charge=first.total_charge,
    )
    bound = unbound.prepare(first)
    recipe = Recipe(
        open=opener,
        charges=bound,
        group_index=divided.index,
        masses_amu=info.masses_amu,
        timestep_fs=step,
        scheme="velocity" if info.velocity_scheme == "stored" else "midpoint",
        sampling=_sampling(batch, len(info.numbers), interpolation, device),
    )
    recipe, stride_note = _with_stride(recipe, charge_stride, charge_tolerance, info)
    notes = (*bound.notes, *stride_note)
    said = _scheme_warnings(recipe, info)
    shift = 0.5 * step if recipe.scheme == "midpoint" else 0.0
    return CurrentJob(
        recipe=recipe,
        info=info,
        groups=divided,
        charges_name=bound.name,
        start_time_fs=(first.time_fs or 0.0) + shift,
        total_charge_e=first.total_charge,
        notes=notes,
        warnings=said,
        key=_key(recipe, divided, first, info),
        metadata=_metadata(recipe, info, trajectory_options, notes, (*info.warnings, *said), command),
    )


def timestep_of(info: TrajectoryInfo, given_fs: float | None, opener: TrajectorySource) -> float:
    """Return the time between frames, fs; it is never guessed."""
    ready = hasattr(opener.source, "info")  # an open trajectory did not see `given_fs`
    if info.timestep_fs is not None:
        if ready and given_fs is not None and abs(given_fs - info.timestep_fs) > 1e-6 * given_fs:
            raise UsageError(
                f"timestep_fs={given_fs:g}, but frames of {info.source} are {info.timestep_fs:g} fs apart",
                "an open trajectory already knows its timestep",
                "leave timestep_fs out here, or give it to open_trajectory",
            )
        return float(info.timestep_fs)
    if given_fs is not None and ready:
        return float(given_fs)
    raise UsageError(
        f"{info.source} does not say how much time lies between its frames",
        "frequencies scale with it, so it is never guessed",
        "give the time between stored frames with --timestep FS (timestep_fs in Python)",
    )


def _first_frame(trajectory: Trajectory) -> Frame:
    frames: Iterator[Frame] = trajectory.frames()
    first = next(frames, None)
    if first is None:
        raise DataError(
            f"{trajectory.info.source} holds no frame",
            "there is nothing to compute a current from",
            "check the file and --start/--stop",
        )
    return first


def _check_first(frame: Frame, info: TrajectoryInfo) -> None:
    volume = abs(float(np.linalg.det(frame.cell_ang)))
    if not np.isfinite(volume) or volume < 1e-6:
        raise DataError(
            f"the cell of frame {frame.index} in {info.source} has volume {volume:g} Å³",
            "a spectrum is per volume, and tensors need the periodic images",
            "write the cell into the trajectory (Lattice=… in extxyz); for a molecule, its box",
        )


def _sampling(batch: int | None, n_atoms: int, interpolation: str, device: str) -> Sampling:
    if batch is not None and batch < 1:
        raise UsageError(
            f"batch {batch}", "at least one frame is evaluated at a time", "give --batch 1 or more"
        )
    if interpolation not in ("linear", "cubic"):
        raise UsageError(
            f"unknown interpolation {interpolation!r}",
            "tensors between evaluated frames are interpolated linearly or cubically",
            "use 'linear' or 'cubic'",
        )
    size = batch or default_batch(n_atoms, device)
    return Sampling(batch=size, interpolation=cast(Interpolation, interpolation))


def default_batch(n_atoms: int, device: str) -> int:
    """Return how many frames of `n_atoms` are evaluated at once."""
    atoms, most = (BATCH_ATOMS, MAX_BATCH) if device == "cpu" else (BATCH_ATOMS_GPU, MAX_BATCH_GPU)
    return max(1, min(most, atoms // max(1, n_atoms)))


def _with_stride(
    recipe: Recipe, charge_stride: int | str, tolerance: float, info: TrajectoryInfo
) -> tuple[Recipe, tuple[str, ...]]:
    if recipe.charges.constant:
        return recipe, ()
    if charge_stride == "auto":
        from bec_md.current.stride import choose_stride

        choice = choose_stride(recipe, tolerance, info.n_frames)
        sampling = replace(recipe.sampling, charge_stride=choice.stride)
        return replace(recipe, sampling=sampling), (choice.describe(),)
    if not isinstance(charge_stride, int) or charge_stride < 1:
        raise UsageError(
            f"charge stride {charge_stride!r}",
            "tensors are evaluated at every k-th frame",
            "give a whole number ≥ 1, or 'auto'",
        )
    return replace(recipe, sampling=replace(recipe.sampling, charge_stride=charge_stride)), ()


def _scheme_warnings(recipe: Recipe, info: TrajectoryInfo) -> tuple[str, ...]:
    if recipe.scheme == "velocity":
        return ()
    return (
        f"{info.source} has no velocities: the current is taken from differences of positions "
        f"(midpoint rule, {recipe.timestep_fs:g} fs); its transfer function is divided out of the spectrum, "
        "and the kinetic temperature is only a lower bound",
    )


def _key(recipe: Recipe, groups: Groups, first: Frame, info: TrajectoryInfo) -> dict[str, Any]:
    sampling = recipe.sampling
    return {
        "input": info.fingerprint,
        "first_frame": digest(first.positions_ang, first.cell_ang),
        "first_frame_index": first.index,
        "charges": recipe.charges.name,
        "charges_hash": recipe.charges.fingerprint,
        "groups": digest(groups.names, groups.index),
        "masses": digest(recipe.masses_amu),
        "timestep_fs": recipe.timestep_fs,
        "scheme": recipe.scheme,
        "batch": sampling.batch,
        "charge_stride": sampling.charge_stride,
        "interpolation": sampling.interpolation if sampling.charge_stride > 1 else None,
    }


def _metadata(
    recipe: Recipe,
    info: TrajectoryInfo,
    options: Mapping[str, Any],
    notes: tuple[str, ...],
    said: tuple[str, ...],
    command: str | None,
) -> dict[str, Any]:
    return {
        "version": __version__,
        "command": command,
        "source": info.source,
        "format": info.format,
        "input_hash": info.fingerprint,
        "units": info.units_note,
        "charges": recipe.charges.name,
        "charges_hash": recipe.charges.fingerprint,
        "n_atoms": info.n_atoms,
        "batch": recipe.sampling.batch,
        "charge_stride": recipe.sampling.charge_stride,
        "interpolation": recipe.sampling.interpolation,
        "trajectory_options": {
            name: value for name, value in options.items() if isinstance(value, (str, int, float, bool))
        },
        "notes": list(notes),
        "warnings": list(said),
        **getattr(recipe.charges, "details", {}),
    }
