"""Recognize a file by its content and describe it: a table of kinds, tried from the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bec_md.current.options import SeriesOptions
from bec_md.description.description import Description, in_one_line
from bec_md.description.others import (
    describe_born,
    describe_curve,
    describe_force_constants,
    describe_labels,
    describe_phonopy,
    describe_run_log,
    describe_series,
    is_born,
    is_curve,
    is_force_constants,
    is_output,
    is_phonopy,
    is_run_log,
    is_series,
)
from bec_md.description.structures import describe_structures
from bec_md.errors import BecMDError
from bec_md.files import expanded, require_file
from bec_md.trajectory import ReadOptions, find_runs, open_trajectory


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    Parameters
    ----------
    recognizes
        Whether a file is of this kind; no error of it reaches the user.
    describe
        Describes it; a `BecMDError` leaves the file to the rows below if there is one that knows it.
    """

    recognizes: Callable[[Path], bool]
    describe: Callable[[Path, ReadOptions, SeriesOptions], Description]


KINDS = (
    Kind(is_output, describe_labels),
    Kind(is_born, describe_born),
    Kind(is_phonopy, describe_phonopy),
    Kind(is_curve, describe_curve),
    Kind(is_force_constants, describe_force_constants),
    Kind(is_run_log, describe_run_log),
    Kind(is_series, describe_series),
)


def describe(
    path: str | Path, reading: ReadOptions | None = None, series: SeriesOptions | None = None
) -> Description:
    """Say what a file is and what it holds.

    Parameters
    ----------
    path
        A trajectory, structures, labels of DFT codes, J(t) or M(t) of other codes, a measured spectrum, BORN,
        force constants, a log.
    reading
        How a trajectory would be read.
    series
        How J(t) or M(t) of another code would be read; by default what `reading` says of it.

    Returns
    -------
    Description
        Kind, rows of a table, warnings and what to do with the file.

    Raises
    ------
    UsageError, DataError
        If there is no such file, if it is damaged, or if nothing is known of it.
    """
    file = require_file(expanded(path))
    options = reading or ReadOptions()
    if series is None:
        series = SeriesOptions(timestep_fs=options.timestep_fs, lammps_units=options.lammps_units)
    if options.format is None:
        for kind in KINDS:
            if kind.recognizes(file):
                try:
                    return kind.describe(file, options, series)
                except BecMDError:
                    if kind.describe is not describe_labels:
                        raise
    return describe_structures(file, options)


def relation_of(paths: Sequence[str | Path], reading: ReadOptions | None = None) -> str:
    """Say whether several trajectories are parts of one run or independent runs; "" if they are none."""
    options = replace(reading or ReadOptions(), start=0, stop=None, stride=1)
    try:
        opened = [open_trajectory(path, options) for path in paths]
    except BecMDError:
        return ""
    if any(one.info.n_frames in (None, 1) for one in opened):
        return ""
    try:
        runs = find_runs(opened)
    except BecMDError as error:
        return in_one_line(error)
    names = [
        " + ".join(opened[number].info.source for number in run.members) if len(run.members) > 1 else ""
        for run in runs
    ]
    joined = "; ".join(f"{name} continue one another" for name in names if name)
    return f"{len(runs)} independent run(s)" + (f"; {joined}" if joined else "")
