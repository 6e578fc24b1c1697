r"""LAMMPS: the thermo table of a log file, and the output of ``fix ave/time``.

A current stands in three columns ``f_ID[1]``, ``f_ID[2]``, ``f_ID[3]`` (as ``fix bec`` gives them), in
charge × velocity of the unit style in force.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.current.readers.lammps_log import LogContent, log_of, parse_log
from bec_md.current.readers.raw import Kind, RawSeries, SeriesOptions
from bec_md.current.readers.table import pick_columns, read_columns, uniform_step
from bec_md.current.readers.units import lammps_style, parse_units
from bec_md.errors import DataError, UsageError

Array = NDArray[np.float64]


def read_log(path: Path, options: SeriesOptions) -> RawSeries:
    """Read the last run of a log whose thermo table holds the current.

    Units, timestep, temperature and volume are taken from the log where it shows them.
    """
    content = parse_log(path)
    names, table = _table(content, path, options.columns)
    chosen = choose_columns(names, options.columns, path.name)
    kind, factor, time_fs = _units(options, options.lammps_units or content.units, path)
    return RawSeries(
        factor * table[:, None, chosen],
        kind,
        "lammps-log",
        timestep_fs=_sampling(names, table, content, time_fs, path.name),
        volume_ang3=_volume(names, table, content, options.lammps_units),
        temperature_k=_mean(names, table, "Temp", 1.0),
    )


def read_ave_time(path: Path, options: SeriesOptions) -> RawSeries:
    """Read the file of a ``fix ave/time`` of scalars: step and values, named in its header.

    Units, timestep, volume and temperature come from the log of the run, if it lies in the same folder and
    shows the command that wrote the file.
    """
    table, names = read_columns(path)
    if "TimeStep" not in names:
        raise DataError(
            f"the header of {path.name} names {', '.join(names) or 'no columns'}",
            "fix ave/time in scalar mode writes '# TimeStep f_ID[1] …'",
            "write the current with 'fix ave/time N 1 N f_ID[1] f_ID[2] f_ID[3] file NAME'",
        )
    chosen = choose_columns(names, options.columns, path.name)
    content = log_of(path) or LogContent()
    kind, factor, time_fs = _units(options, options.lammps_units or content.units, path)
    names_of_run, thermo = _run_with(content, float(table[0, 0]), float(table[-1, 0]))
    uniform_step(table[:, 0], "the time step", path.name)
    return RawSeries(
        factor * table[:, None, chosen],
        kind,
        "lammps-ave-time",
        timestep_fs=_sampling(("Step",), table, content, time_fs, path.name),
        volume_ang3=_volume(names_of_run, thermo, content, options.lammps_units),
        temperature_k=_mean(names_of_run, thermo, "Temp", 1.0),
    )


def choose_columns(names: Sequence[str], columns: Sequence[str | int] | None, where: str) -> list[int]:
    """Return the columns of x, y and z: as told, or the only f_ID[1..3] (or v_Jx …) there is."""
    if columns is not None:
        return pick_columns(columns, names, len(names), (), where)
    identities = [m.group(1) for name in names if (m := re.fullmatch(r"(f_\w+)\[1\]", name))]
    full = [i for i in identities if all(f"{i}[{k}]" in names for k in (2, 3))]
    if len(full) != 1:
        found = (
            f"the columns of {', '.join(full)}" if full else f"no f_ID[1] f_ID[2] f_ID[3] among {_few(names)}"
        )
        raise UsageError(
            f"{where} has {found}",
            "the three components of the current must be known",
            "name them: --columns NAME,NAME,NAME (thermo_style custom step temp vol f_ID[1] f_ID[2] f_ID[3])",
        )
    return [list(names).index(f"{full[0]}[{k}]") for k in (1, 2, 3)]


def _table(
    content: LogContent, path: Path, columns: Sequence[str | int] | None
) -> tuple[tuple[str, ...], Array]:
    runs = [(names, rows) for names, rows in content.runs if rows]
    if not runs:
        raise DataError(
            f"{path.name} holds no thermo table",
            "the current is read from its columns",
            "check that the run has started, and that it prints thermo output",
        )
    fitting = [run for run in runs if columns is not None or any(n.startswith("f_") for n in run[0])]
    names, rows = (fitting or runs)[-1]
    return names, np.array(rows)


def _units(options: SeriesOptions, style: str | None, path: Path) -> tuple[Kind, float, float | None]:
    """Return kind, factor to internal units, and the time unit of the style in fs, if known."""
    time_fs = lammps_style(style)[1] if style in ("real", "metal") else None
    if options.units is not None:
        kind, factor = parse_units(options.units)
        return kind, factor, time_fs
    if style is None:
        raise UsageError(
            f"{path.name} does not say which LAMMPS units were in force",
            "a current in e Å/ps (metal) read as e Å/fs (real) is wrong by a thousand",
            "give --lammps-units metal or real",
        )
    length, time = lammps_style(style)
    return "current", length / time, time


def _run_with(content: LogContent, first: float, last: float) -> tuple[tuple[str, ...], Array]:
    """Thermo table of the run in which these steps lie; an empty one if the log shows none."""
    for names, rows in reversed(content.runs):
        if rows and names[0] == "Step" and rows[0][0] <= first and last <= rows[-1][0]:
            return names, np.array(rows)
    return (), np.empty((0, 0))


def _sampling(
    names: Sequence[str], table: Array, content: LogContent, time_fs: float | None, where: str
) -> float | None:
    if "Step" not in names or len(table) < 2 or content.timestep is None or time_fs is None:
        return None
    return uniform_step(table[:, list(names).index("Step")], "the step", where) * content.timestep * time_fs


def _volume(
    names: Sequence[str], table: Array, content: LogContent, lammps_units: str | None
) -> float | None:
    unit = lammps_style(lammps_units or content.units or "metal")[0] ** 3
    printed = _mean(names, table, "Volume", unit)
    return printed if printed is not None or content.box_volume is None else unit * content.box_volume


def _mean(names: Sequence[str], table: Array, column: str, factor: float) -> float | None:
    return factor * float(table[:, list(names).index(column)].mean()) if column in names else None


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
