"""Open what the user names: trajectories become prepared jobs, stored currents become series."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.cli.options import flag_of, pick
from bec_md.cli.values import stems_of
from bec_md.current.execution import Execution
from bec_md.current.options import CurrentOptions, SeriesOptions
from bec_md.errors import UsageError
from bec_md.files import expanded
from bec_md.trajectory.options import ReadOptions

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries
    from bec_md.trajectory.joined import Parts

#: What a command that computes currents takes.
INPUT_OPTIONS = (ReadOptions, SeriesOptions, CurrentOptions, Execution)
#: Of these, what concerns J(t) or M(t) of other codes.
SERIES_FIELDS = ("columns", "volume_ang3", "unwrap")
#: What concerns frames of a stored current too, or how work is done.
_OF_ANY = ("start", "stop", "stride", "format", "temperature_k", "device", "threads", "batch")


@dataclass(frozen=True)
class InputOptions:
    """How inputs are read, and currents computed; `implied` are options that follow from others."""

    reading: ReadOptions
    series: SeriesOptions
    current: CurrentOptions
    execution: Execution
    implied: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> InputOptions:
        """Return the options among the parameters of a command, checked before anything is read.

        Raises
        ------
        UsageError
            For numbers that cannot be.
        """
        series = pick(SeriesOptions, given)
        if series.lammps_units is not None:
            from bec_md.trajectory.lammps_units import STYLES

            if series.lammps_units not in (*STYLES, "lj"):
                series = series.changed(units=series.lammps_units, lammps_units=None)
        found = cls(pick(ReadOptions, given), series, pick(CurrentOptions, given), pick(Execution, given))
        for options in (found.reading, found.series, found.current, found.execution):
            options.check()
        return found

    def of_trajectory(self) -> ReadOptions:
        """Return the options of reading a trajectory.

        Raises
        ------
        UsageError
            If options for series of other codes are given.
        """
        misplaced = [flag_of(name) for name in SERIES_FIELDS if name in self.series.given()]
        if misplaced:
            raise UsageError(
                f"{' and '.join(misplaced)} for a trajectory",
                "they belong to a J(t) or M(t) that another code wrote",
                "leave them out, or say that the file is one: --format columns",
            )
        return self.reading


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


def open_sources(paths: Sequence[str], options: InputOptions) -> list[Source]:
    """Open every input; nothing is computed yet. A temperature is compared with that of the motion.

    Raises
    ------
    UsageError, DataError
        For files that do not exist, cannot be read, or lack what no option supplies.
    """
    for path in paths:
        refuse_other_files(path)
    stems = stems_of(list(paths))
    alone = all(is_current(path, options.reading.format) for path in paths)
    reading = options.reading
    found = [_open(parts, stem, options, alone) for parts, stem in _arranged(paths, stems, reading)]
    window = slice(reading.start, reading.stop, reading.stride)  # of a run, not of each of its parts
    return _joined(found) if window == slice(0, None, 1) else [_cut(one, window) for one in _joined(found)]


def _cut(source: Source, window: slice) -> Source:
    """Cut a current that exists; a trajectory is read so."""
    return source if source.series is None else replace(source, series=source.series[window])


def _joined(sources: Sequence[Source]) -> list[Source]:
    """Put currents that continue one another together, where the first of them stands."""
    from bec_md.current.joined import find_parts, joined

    known = [(source, source.series) for source in sources if source.series is not None]
    if len(known) < 2:
        return list(sources)
    series, names = [one for _, one in known], [Path(source.path).name for source, _ in known]
    kept = [source for source in sources if source.series is None]
    for run in find_parts(series, names):
        first = known[run.members[0]][0]
        path = " + ".join(names[number] for number in run.members) if len(run.members) > 1 else first.path
        kept.append(replace(first, path=path, series=joined(series, run, names)))
    return kept


def _arranged(
    paths: Sequence[str], stems: Sequence[str], reading: ReadOptions
) -> list[tuple[str | Parts, str]]:
    """Inputs and what outputs are named after, with the parts of one run put together."""
    files = [path for path in paths if not is_current(path, reading.format)]
    if len(files) < 2:
        return list(zip(paths, stems, strict=True))
    from bec_md.trajectory import open_trajectory
    from bec_md.trajectory.joined import Parts
    from bec_md.trajectory.runs import find_runs

    whole = reading.changed(start=0, stop=None, stride=1, temperature_k=None)
    runs = find_runs([open_trajectory(path, whole) for path in files])
    arranged: list[tuple[str | Parts, str]] = []
    for path, stem in zip(paths, stems, strict=True):
        run = next((run for run in runs if path in files and files[run.members[0]] == path), None)
        if path not in files or (run is not None and len(run.members) == 1):
            arranged.append((path, stem))
        elif run is not None:
            arranged.append((Parts(tuple(files[number] for number in run.members), run.repeated), stem))
    return arranged


def _open(path: str | Parts, stem: str, options: InputOptions, alone: bool) -> Source:
    """Open an input; `alone` says that none is a trajectory."""
    if isinstance(path, str) and is_current(path, options.reading.format):
        return Source(path, stem, series=_open_current(path, options, alone))
    from bec_md.current.prepare import prepare_current

    current = options.execution.with_threads(options.current.changed(**options.implied))
    job = prepare_current(path, current, options.of_trajectory(), command=command_line())
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


def _open_current(path: str, options: InputOptions, alone: bool) -> CurrentSeries:
    from bec_md.current.file import is_stored_current
    from bec_md.current.readers import open_current

    reading, series_options = options.reading, options.series
    used = options.current.given() | reading.given()
    stored = is_stored_current(path)
    misplaced: list[str] = []
    if alone:  # otherwise they are for the trajectories, and the spectrum compares charges and masses
        known = {item.name for item in fields(SeriesOptions)} if not stored else set()
        misplaced = [name for name in used if name not in known.union(_OF_ANY)]
    elif stored:
        series_options = SeriesOptions()
    given = sorted({flag_of(name) for name in misplaced})
    if given:
        raise UsageError(
            f"{' and '.join(given)} with the current file {Path(path).name}",
            "a stored current has been computed: its time step, charges, masses and groups are in it",
            "name the trajectory to compute another current, or leave the option out",
        )
    return open_current(path, series_options)


def command_line() -> str:
    """Return the command as typed, with paths shortened to file names: no user or machine in results."""
    words = ["bec-md", *sys.argv[1:]]
    return shlex.join(_shortened(word, before) for before, word in zip(["", *words], words, strict=False))


def _shortened(word: str, before: str) -> str:
    """Return a word without the folders of a path in it; ang/fs behind ``--velocity-units`` is none."""
    path = re.sub(r"^(--[\w-]+=)?([a-z]+:)?", "", word)
    head = word.removesuffix(path)
    option = head if head.startswith("--") else before
    unit = option.startswith("--") and "unit" in option
    return word if unit or "/" not in path else head + Path(path).name


def current_path(source: Source, folder: Path, explicit: Path | None) -> Path:
    """Return the file that keeps the current of a source."""
    if explicit is not None:
        return expanded(explicit)
    if source.job is None:
        return folder / f"{source.stem}_current.h5"
    from bec_md.current.file import find

    return find(folder, source.stem, source.job)
