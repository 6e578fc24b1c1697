"""Thermo tables that are one run: which of them belong together, and their common grid of steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.current.readers.lammps_commands import RunSettings
from bec_md.current.readers.lammps_log import RunMeans, ThermoTable
from bec_md.current.readers.table import uniform_step
from bec_md.errors import DataError

#: Share by which the temperature of one state may differ in two tables; new velocities change it by more.
_SAME_TEMPERATURE = 0.01
#: Times of one grid may differ from it by this share of a step; what is more is another step.
_TIME_TOLERANCE = 0.02


@dataclass(frozen=True)
class ThermoRun:
    """Tables that continue one another, without repeated rows and rows beside the grid of steps.

    Parameters
    ----------
    names, values
        Columns, (T, C).
    settings
        In force when the first table began.
    n_atoms
        Number of atoms, if the log tells.
    means
        (table length, what `fix bec` said at its end), by ID of the fix.
    remarks
        What was joined and left out.
    lost_steps
        Steps at the ends of its tables whose rows are not in the log.
    warned
        What `fix bec` warned of in these runs.
    """

    names: tuple[str, ...]
    values: Array
    settings: RunSettings
    n_atoms: int | None
    means: tuple[tuple[int, dict[str, RunMeans]], ...] = ()
    remarks: tuple[str, ...] = ()
    lost_steps: float = 0.0
    warned: tuple[str, ...] = ()

    def column(self, name: str) -> Array | None:
        """Return a column by its name, None if there is none."""
        return self.values[:, self.names.index(name)] if name in self.names else None

    def means_of(self, fix: str) -> RunMeans | None:
        """Return what `fix bec` said about the whole run; None unless it spoke at the end of every table."""
        if not self.means or any(fix not in found for _, found in self.means):
            return None
        weights = [max(length - 1, 1) for length, _ in self.means]
        found = [means[fix] for _, means in self.means]
        return RunMeans(
            float(np.average([m.temperature_k for m in found], weights=weights)),
            max(m.freedom for m in found),
            max(m.moving for m in found),
            found[0].atoms,
            np.average([m.zz_over_mass for m in found], axis=0, weights=weights),
        )


def group_runs(tables: Sequence[ThermoTable]) -> list[list[ThermoTable]]:
    """Put tables together that are one trajectory: same columns and dynamics, and steps that go on."""
    groups: list[list[ThermoTable]] = []
    for table in tables:
        if groups and _continues(groups[-1][-1], table):
            groups[-1].append(table)
        else:
            groups.append([table])
    return groups


def same_dynamics(one: ThermoTable, other: ThermoTable) -> bool:
    """Whether nothing between two tables has made another trajectory, clock or current of the run."""
    first, second = one.settings, other.settings
    return (
        first.dynamics == second.dynamics
        and first.timestep == second.timestep
        and all(
            second.fixes.get(name, first.fixes[name]) == first.fixes[name] for name in first.ids(("bec",))
        )
    )


def _continues(one: ThermoTable, other: ThermoTable) -> bool:
    same = (
        one.names == other.names
        and same_dynamics(one, other)
        and one.settings.normalized == other.settings.normalized
    )
    first, second = one.column("Step"), other.column("Step")
    if not same or first is None or second is None or not len(first) or not len(second):
        return False
    if second[0] == first[-1] and not _same_state(one, other):
        return False
    spacing, following = _spacing(first), _spacing(second)
    return (spacing is None or following is None or spacing == following) and (
        0.0 <= second[0] - first[-1] <= (spacing or following or 0.0)
    )


def _same_state(one: ThermoTable, other: ThermoTable) -> bool:
    """Whether a table begins as hot as the other ends: screen output does not show `velocity` in between.

    Where commands are shown, another temperature is that of half a step (`fix langevin … gjf vhalf`).
    """
    before, after = one.column("Temp"), other.column("Temp")
    if before is None or after is None or other.settings.command:
        return True
    return not abs(after[0] - before[-1]) > _SAME_TEMPERATURE * before[-1]


def _spacing(steps: Array) -> float | None:
    """Return the usual distance of the steps of a table, which may begin and end beside the grid."""
    return float(np.median(np.diff(steps))) if len(steps) > 2 else None


def join(tables: Sequence[ThermoTable], where: str) -> ThermoRun:
    """Return the run that consecutive tables are.

    LAMMPS prints the first and the last step of every run whatever the spacing: rows repeat where runs meet,
    and may lie beside the grid at the ends of a table; such rows are left out.
    """
    for table in tables:
        _refuse_other_lines(table, where)
    values = np.concatenate([table.array for table in tables])
    ends = np.cumsum([len(table.rows) for table in tables])
    edge = np.zeros(len(values), dtype=bool)
    edge[ends - 1] = edge[np.concatenate([[0], ends[:-1]])] = True
    remarks = []
    if len(tables) > 1:
        remarks.append(f"{len(tables)} thermo tables of {where} that continue one another are one run")
    step = next((table.column("Step") for table in [tables[0]] if "Step" in table.names), None)
    if step is not None:
        steps = values[:, tables[0].names.index("Step")]
        keep = np.concatenate([[True], np.diff(steps) != 0.0])
        spacing = _spacing(steps[keep])
        if spacing:
            phase = np.round(steps % spacing, 6)
            kinds, counts = np.unique(phase[keep], return_counts=True)
            off = edge & (phase != kinds[np.argmax(counts)])
            if (off & keep).any():
                remarks.append(
                    f"rows at the ends of runs beside the grid of every {spacing:g} steps are left out "
                    f"(step {', '.join(f'{s:g}' for s in np.unique(steps[off & keep])[:3])})"
                )
            keep &= ~off
        values = values[keep]
    return ThermoRun(
        tables[0].names,
        values,
        tables[0].settings,
        tables[-1].n_atoms,
        tuple((len(t.rows), t.means) for t in tables if t.n_steps != 0),  # `run 0` has none
        tuple(remarks),
        sum(table.lost_steps for table in tables),
        tuple(dict.fromkeys(text for table in tables for text in table.warned)),
    )


def _refuse_other_lines(table: ThermoTable, where: str) -> None:
    """Refuse a table with two different rows of one step: LAMMPS prints one."""
    steps = table.column("Step")
    if steps is None or table.settings.command == "rerun":
        return
    twice = (np.diff(steps) == 0.0) & (np.diff(table.array, axis=0) != 0.0).any(axis=1)
    if twice.any():
        raise DataError(
            f"a thermo table of {where} has two different rows of step {steps[:-1][twice][0]:g}",
            "other lines with as many numbers, as of fix print, cannot be told from its rows",
            "leave those lines out of a copy of the log; `fix print … screen no` puts none there",
        )


def sampling_fs(run: ThermoRun, time_fs: float | None, where: str) -> float | None:
    """Return the time between samples: of the Time column, else steps × time step; None if the log is silent.

    Parameters
    ----------
    run
        The run.
    time_fs
        Unit of time, fs.
    where
        The file, for messages.

    Raises
    ------
    DataError
        If samples are not equidistant.
    """
    step, time = run.column("Step"), run.column("Time")
    if len(run.values) < 2 or time_fs is None:
        return None
    steps = None if step is None else uniform_step(step, "the step", where)
    known = run.settings.timestep is not None or run.settings.command != "rerun"
    if time is not None and known:
        return _uniform_time(time, run, where) * time_fs
    if run.settings.clock_resets:
        raise DataError(
            f"fix {run.settings.clock_resets[0]} dt/reset changes the time step in the run of {where}",
            "samples at equal numbers of steps then lie at unequal times",
            "run with a constant time step, or print Time as well, to see whether it stayed the same",
        )
    if steps is None or run.settings.timestep is None:
        return None
    return steps * run.settings.timestep * time_fs


def _uniform_time(time: Array, run: ThermoRun, where: str) -> float:
    """Return the spacing of the Time column, unit of the run, as exact as it was printed."""
    count = len(time) - 1
    spacing = float(time[-1] - time[0]) / count
    printed = next(
        (10.0**-k for k in range(13) if np.allclose(time, np.round(time, k), rtol=1e-14, atol=0.0)), 0.0
    )
    apart = np.abs(time - (time[0] + spacing * np.arange(count + 1)))
    if spacing > 0.0 and float(apart.max()) <= _TIME_TOLERANCE * spacing + printed:
        return _without_rounding(spacing, printed / count, run)
    steps = np.diff(time)
    cause = f" (fix {run.settings.clock_resets[0]} dt/reset)" if run.settings.clock_resets else ""
    raise DataError(
        f"the time between samples of {where} goes from {steps.min():.6g} to {steps.max():.6g}{cause}",
        f"a spectrum needs samples at equal distances; their mean is {spacing:.6g}",
        "run with a constant time step",
    )


def _without_rounding(spacing: float, uncertainty: float, run: ThermoRun) -> float:
    """Return steps × time step where it agrees with the printed times, which are rounded."""
    step, timestep = run.column("Step"), run.settings.timestep
    if step is None or timestep is None:
        return spacing
    exact = float(step[-1] - step[0]) / (len(step) - 1) * timestep
    return exact if abs(exact - spacing) <= 1e-4 * spacing + 2.0 * uncertainty else spacing
