"""GPUMD: ``dpdt.out`` of compute_dpdt and ``dipole.out`` of dump_dipole."""

from __future__ import annotations

from pathlib import Path

from bec_md.current.options import SeriesOptions
from bec_md.current.readers.columns import required_units
from bec_md.current.readers.raw import RawSeries
from bec_md.current.readers.table import read_columns, uniform_step
from bec_md.errors import DataError, UsageError


def read_dpdt(path: Path, options: SeriesOptions) -> RawSeries:
    """Read dP/dt in e Å/fs: with the time in fs in front (7 columns), or without (6, older versions)."""
    table, _ = read_columns(path)
    if table.shape[1] not in (6, 7):
        raise DataError(
            f"{path.name} has {table.shape[1]} columns",
            "dpdt.out of GPUMD has 7: time, dP/dt and P; or 6 without the time",
            "give another file, or read it as plain columns with `format=columns`",
        )
    timed = table.shape[1] == 7
    first = 1 if timed else 0
    step = None
    if timed and len(table) > 1:  # printed with %g, whose six digits do not tell 100000.5 from 100001
        step = uniform_step(table[:, 0], "the time", path.name, rounded=True)
    return RawSeries(
        table[:, None, first : first + 3],
        "current",
        "gpumd-dpdt",
        timestep_fs=step or None,
        start_time_fs=float(table[0, 0]) if timed else 0.0,
    )


def read_dipole(path: Path, options: SeriesOptions) -> RawSeries:
    """Read step, mu_x, mu_y, mu_z; the units are those that the model was trained with."""
    table, _ = read_columns(path)
    if table.shape[1] != 4:
        raise DataError(
            f"{path.name} has {table.shape[1]} columns",
            "dipole.out of GPUMD has 4: time step and the dipole moment",
            "give another file, or read it as plain columns with `format=columns`",
        )
    uniform_step(table[:, 0], "the time step", path.name)
    kind, factor = required_units(options, path)
    if kind != "dipole":
        raise UsageError(
            f"units {options.units!r} for {path.name}",
            "it holds a dipole moment, not a current",
            "give the units that the model was trained with as `units`: e*ang, e*bohr or debye",
        )
    return RawSeries(factor * table[:, None, 1:4], "dipole", "gpumd-dipole")
