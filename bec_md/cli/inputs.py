"""Open what the user names: trajectories become prepared jobs, stored currents become series."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.cli import analysis_options as more
from bec_md.cli import options as opt
from bec_md.cli.values import (
    parse_cell,
    parse_columns,
    parse_elements,
    parse_masses,
    parse_stride,
    require_positive,
    stems_of,
)
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.run import Execution
    from bec_md.current.series import CurrentSeries
    from bec_md.trajectory.joined import Parts


#: Fields of `TrajectoryOptions` that concern J(t) or M(t) of other codes.
SERIES_FIELDS = ("columns", "volume", "unwrap")


@dataclass(frozen=True)
class TrajectoryOptions:
    """How trajectories are read."""

    timestep: opt.Timestep = None
    start: opt.Start = 0
    stop: opt.Stop = None
    stride: opt.Stride = 1
    format: opt.Format = None
    topology: opt.Topology = None
    units: opt.Units = None
    velocity_units: opt.VelocityUnits = None
    elements: opt.Elements = None
    masses: opt.Masses = None
    velocities: opt.Velocities = None
    cell: opt.Cell = None
    columns: opt.Columns = None
    volume: opt.Volume = None
    unwrap: opt.Unwrap = None
    transposed: opt.Transposed = False

    def check(self) -> None:
        """Refuse numbers that are not positive, before anything is read."""
        require_positive(timestep=self.timestep, volume=self.volume, stride=self.stride)

    def series_keywords(self) -> dict[str, Any]:
        """Return the arguments of `bec_md.current.readers.open_current`."""
        from bec_md.trajectory.lammps_units import STYLES

        style = self.units in STYLES or self.units == "lj"
        return {
            "format": self.format,
            "timestep_fs": self.timestep,
            "lammps_units": self.units if style else None,
            "units": None if style else self.units,
            "columns": parse_columns(self.columns),
            "volume_ang3": self.volume,
            "cell_ang": parse_cell(self.cell),
            "unwrap": self.unwrap,
        }

    def keywords(self) -> dict[str, Any]:
        """Return the arguments of `bec_md.trajectory.open_trajectory` but the timestep.

        Raises
        ------
        UsageError
            If options for series of other codes are given.
        """
        misplaced = [f"--{name}" for name in SERIES_FIELDS if getattr(self, name) is not None]
        if misplaced:
            raise UsageError(
                f"{' and '.join(misplaced)} for a trajectory",
                "they belong to a J(t) or M(t) that another code wrote",
                "leave them out",
            )
        return {
            "start": self.start,
            "stop": self.stop,
            "stride": self.stride,
            "format": self.format,
            "topology": self.topology,
            "lammps_units": self.units,
            "velocity_units": self.velocity_units,
            "elements": parse_elements(self.elements),
            "masses": parse_masses(self.masses) or {},
            "velocities": self.velocities,
            "cell_ang": parse_cell(self.cell),
            "charges_transposed": self.transposed,
        }


@dataclass(frozen=True)
class ChargeOptions:
    """Where tensors come from and where they are computed."""

    charges: opt.Charges = "model"
    model: opt.Model = "auto"
    charge_stride: opt.ChargeStride = "1"
    charge_tolerance: more.ChargeTolerance = 0.01
    groups: opt.Groups = "species"
    device: opt.Device = "cpu"
    batch: opt.Batch = None
    threads: opt.Threads = None
    workers: opt.Workers = 1
    dask: opt.Dask = None

    def execution(self) -> Execution:
        """Return where the frames are shared."""
        from bec_md.current.run import Execution

        return Execution(self.workers, self.dask)

    def check(self) -> None:
        """Refuse numbers that are not positive, before anything is read."""
        require_positive(batch=self.batch, threads=self.threads, workers=self.workers)
        require_positive(charge_tolerance=self.charge_tolerance)
        parse_stride(self.charge_stride)


@dataclass(frozen=True)
class Source:
    """One input.

    Parameters
    ----------
    path
        As the user wrote it.
    stem
        What its outputs are named after.
    job
        The work to do for a trajectory.
    series
        A current that exists already.
    """

    path: str
    stem: str
    job: CurrentJob | None = None
    series: CurrentSeries | None = None


def open_sources(
    paths: Sequence[str],
    trajectory: TrajectoryOptions,
    charges: ChargeOptions,
    *,
    groups: str,
    temperature: float | None = None,
) -> list[Source]:
    """Open every input; nothing is computed yet. A temperature is compared with that of the motion.

    Raises
    ------
    UsageError, DataError
        For files that do not exist, cannot be read, or lack what no option supplies.
    """
    charges.check()
    trajectory.check()
    for path in paths:
        refuse_other_files(path)
    stems = stems_of(list(paths))
    return [
        _open(parts, stem, trajectory, charges, groups, temperature)
        for parts, stem in _arranged(paths, stems, trajectory)
    ]


def _arranged(
    paths: Sequence[str], stems: Sequence[str], trajectory: TrajectoryOptions
) -> list[tuple[str | Parts, str]]:
    """Inputs and what outputs are named after, with the parts of one run put together."""
    files = [path for path in paths if not is_current(path, trajectory.format)]
    if len(files) < 2:
        return list(zip(paths, stems, strict=True))
    from bec_md.trajectory import open_trajectory
    from bec_md.trajectory.joined import Parts
    from bec_md.trajectory.options import ReadOptions
    from bec_md.trajectory.runs import find_runs

    whole = ReadOptions(**trajectory.keywords() | {"start": 0, "stop": None, "stride": 1})
    runs = find_runs([open_trajectory(path, whole, timestep_fs=trajectory.timestep) for path in files])
    arranged: list[tuple[str | Parts, str]] = []
    for path, stem in zip(paths, stems, strict=True):
        run = next((run for run in runs if path in files and files[run.members[0]] == path), None)
        if path not in files or (run is not None and len(run.members) == 1):
            arranged.append((path, stem))
        elif run is not None:
            arranged.append((Parts(tuple(files[number] for number in run.members), run.repeated), stem))
    return arranged


def _open(
    path: str | Parts,
    stem: str,
    trajectory: TrajectoryOptions,
    charges: ChargeOptions,
    groups: str,
    temperature: float | None,
) -> Source:
    if isinstance(path, str) and is_current(path, trajectory.format):
        return Source(path, stem, series=_open_current(path, trajectory, charges))
    from bec_md.current.options import CurrentOptions
    from bec_md.current.prepare import prepare_current
    from bec_md.trajectory.options import ReadOptions

    options = CurrentOptions(
        charges=charges.charges,
        model=charges.model,
        groups=groups,
        device=charges.device,
        threads=charges.threads,
        batch=charges.batch,
        charge_stride=parse_stride(charges.charge_stride),
        charge_tolerance=charges.charge_tolerance,
    )
    reading = ReadOptions(timestep_fs=trajectory.timestep, temperature_k=temperature, **trajectory.keywords())
    execution = charges.execution()
    job = prepare_current(path, execution.with_threads(options), reading, command=command_line())
    return Source(path if isinstance(path, str) else job.info.source, stem, job=job)


def refuse_other_files(path: str) -> None:
    """Refuse what is neither a trajectory nor a current: folders, spectra, models.

    Raises
    ------
    UsageError
        With the command that the file is meant for.
    """
    file = Path(path)
    if file.is_dir():
        from bec_md.files import require_file

        require_file(file)
    if file.suffix == ".safetensors":
        raise UsageError(
            f"{file.name} is a model, not a trajectory",
            "a model gives the charges; the motion comes from a trajectory",
            f"bec-md spectrum TRAJECTORY --model {path}",
        )
    if file.suffix in (".h5", ".hdf5") and file.is_file():
        from bec_md.spectrum import is_spectrum_file

        if is_spectrum_file(file):
            raise UsageError(
                f"{file.name} is a spectrum already",
                "the current that it came from is not in it",
                f"bec-md plot {path} draws it; name the trajectory or NAME_current.h5 to analyze it anew",
            )


def is_current(path: str, format: str | None = None) -> bool:
    """Whether this input is a current already: one of bec-md's, or J(t) written by another code."""
    from bec_md.current.readers import is_current_file
    from bec_md.current.readers.opening import READERS

    return format in READERS if format is not None else is_current_file(path)


def _open_current(path: str, trajectory: TrajectoryOptions, charges: ChargeOptions) -> CurrentSeries:
    from bec_md.current.readers import open_current

    given = [
        option
        for option, used in (
            ("--charges", charges.charges != "model"),
            ("--model", charges.model != "auto"),
            ("--charge-stride", charges.charge_stride != "1"),
            ("--masses", trajectory.masses is not None),
            ("--elements", trajectory.elements is not None),
        )
        if used
    ]
    if given:
        raise UsageError(
            f"{' and '.join(given)} with the current file {Path(path).name}",
            "a stored current has its charges and masses in it already",
            "name the trajectory to compute another current, or leave the option out",
        )
    series: CurrentSeries = open_current(path, **trajectory.series_keywords())
    whole = (trajectory.start, trajectory.stop, trajectory.stride) == (0, None, 1)
    return series if whole else series[trajectory.start : trajectory.stop : trajectory.stride]


def command_line() -> str:
    """Return the command as typed, with paths shortened to file names: no user or machine in results."""
    words = ["bec-md", *sys.argv[1:]]
    return shlex.join(Path(word).name if "/" in word else word for word in words)


def current_path(source: Source, folder: Path, explicit: Path | None, overwrite: bool) -> Path:
    """Return the file that keeps the current of a source."""
    if explicit is not None:
        return explicit
    if overwrite or source.job is None:
        return folder / f"{source.stem}_current.h5"
    from bec_md.current.file import find

    return find(folder, source.stem, source.job)
