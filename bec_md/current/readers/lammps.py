r"""LAMMPS: the thermo table of a log file, and the output of ``fix ave/time``.

A current stands in three columns ``f_ID[1]``, ``f_ID[2]``, ``f_ID[3]`` (as ``fix bec`` gives them), in
charge × velocity of the unit style in force.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, TypedDict

import numpy as np

from bec_md.arrays import Array
from bec_md.current.kinetic_spread import spread_of
from bec_md.current.options import SeriesOptions
from bec_md.current.readers.ave_file import read_ave_file, without_repeats
from bec_md.current.readers.lammps_commands import RunSettings
from bec_md.current.readers.lammps_log import LogContent, RunMeans, ThermoTable, log_of, parse_log
from bec_md.current.readers.lammps_origin import averaged_values, check_origin, fix_id, refuse_averages
from bec_md.current.readers.raw import Kind, RawSeries
from bec_md.current.readers.table import pick_columns, uniform_step
from bec_md.current.readers.thermo_runs import ThermoRun, group_runs, join, same_dynamics, sampling_fs
from bec_md.current.readers.units import lammps_style, parse_units
from bec_md.errors import DataError, UsageError
from bec_md.files import read_head

#: Styles of fixes that hold atoms.
_FREEZING = ("setforce", "freeze")
#: Fixes that change velocities or positions when a run is set up: those defined before them see the old ones.
_SET_UP_LATE = ("rigid", "rattle", "shake")
_BEAD = (
    "it moves with the frequencies of the springs between beads as well; J belongs to the mean over the beads"
)
_UNEVEN = (
    "fix {name} in {where} is a Langevin thermostat with `zero yes`: it takes the same random force from "
    "light and heavy atoms, so that uniform modes, those of J, are hotter or colder than the rest "
    "(⟨J²⟩ of BaTiO3: 1.45 times that of its temperature, in cells of any size); leave `zero` out, and use "
    "`velocity all zero linear` before NVE"
)


class _About(TypedDict):
    """What a log says about a run beside its current; fields of `RawSeries`."""

    temperature_k: float | None
    zz_over_mass: Array | None
    notes: tuple[str, ...]
    remarks: tuple[str, ...]


def read_log(path: Path, options: SeriesOptions) -> RawSeries:
    """Read the last run of a log whose thermo tables hold the current.

    Units, time step, temperature and volume are taken from the log where it shows them, as they were in force
    at that run; tables that continue one another are one run.
    """
    run = _last_run(parse_log(path), path, options.columns)
    chosen = choose_columns(run.names, options.columns, path.name)
    columns = [run.names[c] for c in chosen]
    asked = parse_units(options.units)[0] if options.units is not None else None
    check_origin(columns, run.settings, path.name, named=options.columns is not None, kind=asked)
    kind, factor, time_fs = _units(options, options.lammps_units or run.settings.units, path)
    values = factor * _not_normalized(run, chosen, path.name)
    moment = polarization_columns(run.names, chosen)
    timestep = sampling_fs(run, time_fs, path.name)
    return RawSeries(
        values[:, None],
        kind,
        "lammps-log",
        timestep_fs=timestep,
        start_time_fs=_begin_fs(run.column("Step"), timestep),
        polarization=_moment(_not_normalized(run, moment, path.name), options, run.settings.units)
        if moment
        else None,
        volume_ang3=_volume(run, options.lammps_units),
        **_about(run, run.names[chosen[0]], options, path.name),
    )


def read_ave_time(path: Path, options: SeriesOptions) -> RawSeries:
    """Read the file of a ``fix ave/time``: step and values, named in its header.

    Units, time step, volume and temperature come from the log of the run, if it lies in the same folder and
    shows the command that wrote the file.

    Raises
    ------
    DataError
        If its rows are averages over several steps, or over all that came before.
    """
    table, names = read_ave_file(path)
    found = log_of(path)
    content, command = found or (LogContent(), ())
    values = averaged_values(command, table.shape[1] - 1)
    origin = ("TimeStep", *values) if values else names
    if "TimeStep" not in names:  # titles of the user
        names = origin if options.columns is None or not names else ("TimeStep", *names[1:])
    if "TimeStep" not in names:
        raise DataError(
            f"the header of {path.name} names {', '.join(names) or 'no columns'}",
            "fix ave/time in scalar mode writes '# TimeStep f_ID[1] …'",
            "write the current with 'fix ave/time N 1 N f_ID[1] f_ID[2] f_ID[3] file NAME'",
        )
    chosen = choose_columns(names, options.columns, path.name)
    refuse_averages(command, path.name)
    tables, since = _own_tables(content, command, table[:, 0])
    table, left = _rows_of_run(table, tables, since, command, path.name)
    run = _run_with(tables, content.settings, table[:, 0])
    settings = run.settings if run.names else content.settings
    columns = [origin[c] for c in chosen]
    asked = parse_units(options.units)[0] if options.units is not None else None
    check_origin(columns, settings, path.name, named=options.columns is not None, kind=asked)
    kind, factor, time_fs = _units(options, options.lammps_units or settings.units, path)
    spacing = uniform_step(table[:, 0], "the time step", path.name)
    at_every_step = ThermoRun(("Step",), table[:, :1], settings, run.n_atoms)
    if run.column("Time") is not None and settings.clock_resets:
        sampling_fs(run, time_fs, path.name)  # refuses times that are not equidistant
        at_every_step = ThermoRun(("Step",), table[:, :1], _without_resets(settings), run.n_atoms)
    about = _about(run, names[chosen[0]], options, path.name)
    about["remarks"] += left
    if found is None:
        about["notes"] = (
            f"the log of the run that wrote {path.name} is not in its folder: its rows are taken as samples "
            "of single steps (Nrepeat 1 of fix ave/time), not as averages",
        )
    moment = polarization_columns(names, chosen)
    timestep = sampling_fs(at_every_step, time_fs, path.name) if spacing else None
    return RawSeries(
        factor * table[:, None, chosen],
        kind,
        "lammps-ave-time",
        timestep_fs=timestep,
        start_time_fs=_begin_fs(table[:, 0], timestep),
        polarization=_moment(table[:, moment], options, settings.units) if moment else None,
        volume_ang3=_volume(run, options.lammps_units),
        **about,
    )


def refuse_correlations(path: Path, options: SeriesOptions) -> NoReturn:
    """Say what is needed instead of the file of a ``fix ave/correlate``."""
    names = re.findall(r"(f_\w+\[\d\])\*", read_head(path, 4096).decode("utf-8", "replace"))
    columns = " ".join(dict.fromkeys(names)) or "f_ID[1] f_ID[2] f_ID[3]"
    raise DataError(
        f"{path.name} holds correlations of fix ave/correlate",
        "J(t) itself is needed: without it there are no error bars, no drift, no choice of the resolution",
        f"print it in the run, at every step or every N: fix j all ave/time 1 1 1 {columns} file current.dat",
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
            "name them: `columns=NAME,NAME,NAME` (thermo_style custom step temp vol f_ID[1] f_ID[2] f_ID[3])",
        )
    return [list(names).index(f"{full[0]}[{k}]") for k in (1, 2, 3)]


def polarization_columns(names: Sequence[str], current: Sequence[int]) -> list[int]:
    """Columns of P(t) beside those of the current: f_ID[7], f_ID[8], f_ID[9] of `fix bec`, all or none."""
    found = re.fullmatch(r"(f_\w+)\[1\]", names[current[0]])
    wanted = [f"{found[1]}[{k}]" for k in (7, 8, 9)] if found else []
    return [list(names).index(name) for name in wanted if name in names] if set(wanted) <= set(names) else []


def _moment(values: Array, options: SeriesOptions, style: str | None) -> Array | None:
    """P(t) in e Å; None where only the unit of the current was given."""
    if options.units is not None:
        return None
    return np.asarray(values * lammps_style(options.lammps_units or style or "")[0])


def _begin_fs(steps: Array | None, timestep_fs: float | None) -> float:
    """Time of the first row by its step, fs: what tells whether another file goes on where this one ends."""
    if steps is None or timestep_fs is None or len(steps) < 2:
        return 0.0
    return float(steps[0] / (steps[-1] - steps[0]) * (len(steps) - 1)) * timestep_fs


def _last_run(content: LogContent, path: Path, columns: Sequence[str | int] | None) -> ThermoRun:
    """Return the last dynamics with a current, and say what else there is."""
    tables = [table for table in content.tables if table.rows and table.settings.command != "minimize"]
    if not tables:
        of_all = b"partitions of processors" in read_head(path, 4096)
        raise DataError(
            f"{path.name} holds no thermo table of a run",
            "the current is read from its columns (of thermo_modify line one, multi or yaml)",
            f"take the logs of its partitions: {path.name}.0, {path.name}.1 …"
            if of_all
            else "check that the run has started, and that it prints thermo output",
        )
    fitting = [t for t in tables if columns is not None or any(n.startswith("f_") for n in t.names)]
    groups = group_runs(fitting or tables)
    run = join(groups[-1], path.name)
    others = sum(len(table.rows) for group in groups[:-1] for table in group)
    if others:
        left = f"{len(groups) - 1} earlier runs of {path.name} ({others} rows) are left out"
        run = replace(run, remarks=(*run.remarks, left))
    if run.settings.command not in ("", "run", "rerun"):
        raise DataError(
            f"{path.name} is the log of a {run.settings.command}",
            "replicas are exchanged, or images moved, which is no motion in time at one temperature",
            "compute the spectrum from runs of single replicas without exchange",
        )
    return run


def _not_normalized(run: ThermoRun, chosen: Sequence[int], where: str) -> Array:
    """Return the chosen columns; what `thermo_modify norm` has divided by the number of atoms is undone."""
    values = run.values[:, list(chosen)]
    if not run.settings.normalized:
        return values
    atoms = run.column("Atoms")
    names = [run.names[c] for c in chosen]
    ours = all(run.settings.style(fix_id(name)) == "bec" for name in names)
    if not ours or (atoms is None and (run.n_atoms is None or run.settings.atoms_change)):
        raise DataError(
            f"thermo_modify norm divides columns of {where} by the number of atoms",
            f"whether it has divided {', '.join(names)}, and by how many, the log does not tell"
            if not ours
            else "how many they were in each row the log does not tell",
            "run with thermo_modify norm no, or write the current by fix ave/time, which divides by nothing",
        )
    return values * (atoms[:, None] if atoms is not None else float(run.n_atoms or 0))


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
            "give `lammps_units=metal` or `lammps_units=real`",
        )
    length, time = lammps_style(style)
    return "current", length / time, time


def _own_tables(content: LogContent, command: Sequence[str], steps: Array) -> tuple[list[ThermoTable], float]:
    """Tables of the last run that a file has rows of, and the step up to which they are of earlier runs."""
    tables = [
        table
        for table in content.tables
        if table.rows and "Step" in table.names and table.settings.fixes.get(command[1]) == command
    ]
    within = [k for k, table in enumerate(tables) if _spans(table, steps[-1])]
    if not within:
        return [], -np.inf
    first = last = within[-1]
    while first > 0 and same_dynamics(tables[first - 1], tables[last]):
        first -= 1
    begin = _first_step(tables[first])
    return tables[first : last + 1], begin if first > 0 and steps[0] < begin else -np.inf


def _rows_of_run(
    table: Array, tables: Sequence[ThermoTable], since: float, command: Sequence[str], where: str
) -> tuple[Array, tuple[str, ...]]:
    """Rows of the last run, each once, and what is to be said about others."""
    earlier = int(np.count_nonzero(table[:, 0] <= since))
    rows = without_repeats(table[earlier:])
    said = []
    if earlier:
        said.append(f"{earlier} rows of {where} up to step {since:g} are left out: they are of earlier runs")
    if (again := len(table) - earlier - len(rows)) > 1:
        said.append(f"{again} rows of {where} that a restart wrote again count once")
    late = tables[0].settings.ids_behind(command[1], _SET_UP_LATE) if tables else []
    if late and len(rows) > 1 and rows[0, 0] == _first_step(tables[0]):
        said.append(f"the first row of {where} is left out: fix {late[0]} had not set up its atoms yet")
        rows = rows[1:]
    if tables and (before := int(np.count_nonzero(rows[:, 0] < _first_step(tables[0])))):
        taken = f"{before} rows of {where} are of runs that its log does not show: their time step is taken"
        said.append(f"{taken} to be the same")
    return rows, tuple(said)


def _first_step(table: ThermoTable) -> float:
    return float(table.array[0][table.names.index("Step")])


def _spans(table: ThermoTable, step: float) -> bool:
    """Whether a step is of the run of a table; one that goes on may be behind with its rows."""
    steps = table.array[:, table.names.index("Step")]
    return bool(steps[0] <= step and (step <= steps[-1] or table.n_steps is None))


def _run_with(tables: Sequence[ThermoTable], otherwise: RunSettings, steps: Array) -> ThermoRun:
    """Thermo rows of the run in which these steps lie; without rows if the log shows none."""
    for group in reversed(group_runs(tables)):
        if _first_step(group[0]) <= steps[0] and _spans(group[-1], steps[-1]):
            return join(group, "the log")
    return ThermoRun((), np.empty((0, 0)), tables[-1].settings if tables else otherwise, None)


def _without_resets(settings: RunSettings) -> RunSettings:
    return replace(
        settings, fixes={k: v for k, v in settings.fixes.items() if k not in settings.clock_resets}
    )


def _changing_volume(run: ThermoRun, options: SeriesOptions) -> list[str]:
    """Say the range of a volume that changes, as of trajectories."""
    printed = run.column("Volume")
    if printed is None or options.volume_ang3 is not None or printed.max() <= printed.min() * (1.0 + 1e-6):
        return []
    low, high, mean = _unit_ang3(run, options.lammps_units) * np.array(
        [printed.min(), printed.max(), printed.mean()]
    )
    return [
        f"the volume changes from {low:.1f} to {high:.1f} Å³: the spectrum is per mean volume, {mean:.1f} "
        "Å³, and its theory is that of a constant cell"
    ]


def _unit_ang3(run: ThermoRun, lammps_units: str | None) -> float:
    return float(lammps_style(lammps_units or run.settings.units or "metal")[0] ** 3)


def _volume(run: ThermoRun, lammps_units: str | None) -> float | None:
    unit = _unit_ang3(run, lammps_units)
    printed = run.column("Volume")
    if printed is not None:
        return unit * float(printed.mean())
    box = None if run.settings.box_changes else run.settings.box_volume
    return None if box is None else unit * box


def _about(run: ThermoRun, column: str, options: SeriesOptions, where: str) -> _About:
    """Return temperature, ΣZZᵀ/m and notes of a run; ask for the temperature if the log cannot tell it."""
    settings, temperatures = run.settings, run.column("Temp")
    beads = [f"{name} {settings.style(name)}" for name in settings.ids(("pimd/",))]
    means = run.means_of(fix_id(column))
    notes = [f"in LAMMPS: {text}" for text in run.warned]
    notes += [
        f"the run is driven ({drive}): fluctuations tell the response of a system in equilibrium only"
        for drive in settings.driven
    ]
    notes += [
        f"{move} moves atoms, or changes what they are, at once: J(t) jumps there, which puts a background "
        "under the spectrum"
        for move in settings.exchanged
    ]
    periodic = sum(kind in ("p", "pp") for kind in settings.boundary)
    if periodic < 3 and options.volume_ang3 is None and options.cell_ang is None:
        notes.append(
            f"periodic along {periodic} of 3 directions: absorption is per volume of the whole box, vacuum "
            "included"
        )
    if run.lost_steps:
        notes.append(
            f"the last {run.lost_steps:g} steps of the run have no rows in {where}, although LAMMPS prints "
            f"the last one: lines are missing, and only {len(run.values)} samples are used"
        )
    if temperatures is not None and len(temperatures) > 2 and np.ptp(temperatures) == 0.0 < temperatures[0]:
        _constant_temperature(settings, notes, where)
    notes += _changing_temperature(run, means, where) + _changing_volume(run, options)
    notes += [_UNEVEN.format(name=name, where=where) for name in _zeroed(settings)]
    temperature = None if temperatures is None else float(temperatures.mean())
    # of a part of rigid molecules the degrees of freedom are unknown
    known = means is not None and (not settings.constrained or means.atoms == run.n_atoms)
    if means is not None and known:
        temperature = means.temperature_k
    elif temperature is not None:
        temperature *= _degrees_of_freedom(settings, run.n_atoms)
    notes += [f"{where} is the log of one bead of ring polymers (fix {name}): {_BEAD}" for name in beads]
    if options.temperature_k is None and beads:
        raise UsageError(
            f"the temperature of {where} is unknown: it is the log of one bead (fix {beads[0]})",
            "its kinetic energy is that of as many times the temperature as there are beads",
            "give `temperature_k`, and J averaged over the beads (docs/howto/path_integrals.md)",
        )
    if options.temperature_k is None and temperature is not None:
        _refuse_hidden(settings, known, where)
    remarks = list(run.remarks)
    if means is not None and means.moving < means.atoms:
        remarks.append(f"{means.atoms - means.moving} of {means.atoms} atoms do not move")
    return {
        "temperature_k": temperature,
        "zz_over_mass": None if means is None or settings.constrained else means.zz_over_mass,
        "notes": tuple(notes),
        "remarks": tuple(remarks),
    }


def _degrees_of_freedom(settings: RunSettings, n_atoms: int | None) -> float:
    """Return the true over the printed temperature.

    LAMMPS divides by 3N − 3 degrees of freedom; a Langevin thermostat without ``zero yes`` moves the center
    of mass as well, so that the kinetic energy is that of 3N.
    """
    free = set(settings.ids(("langevin",))) - set(_zeroed(settings))
    held = settings.ids(("momentum", "recenter")) or settings.constrained
    if not free or held or not n_atoms or n_atoms < 2:
        return 1.0
    return (n_atoms - 1.0) / n_atoms


def _zeroed(settings: RunSettings) -> list[str]:
    """Langevin thermostats whose random forces add up to zero."""
    langevin = {name: settings.fixes[name] for name in settings.ids(("langevin",))}
    return [name for name, words in langevin.items() if ("zero", "yes") in pairwise(words)]


def _changing_temperature(run: ThermoRun, means: RunMeans | None, where: str) -> list[str]:
    """Say when Temp scatters more than in a run at one temperature; nothing where f is not known."""
    settings, temperatures, atoms = run.settings, run.column("Temp"), run.n_atoms
    unknown = settings.constrained or settings.hidden_types or settings.atoms_change
    freedom = 3.0 * atoms - 3.0 if atoms and not _frozen(settings) else 0.0
    freedom = freedom if means is None else means.freedom
    if temperatures is None or unknown or freedom <= 0.0:
        return []
    found = spread_of(temperatures, freedom)
    if found is None or not found.is_wide:
        return []
    return [
        f"Temp in {where} goes from {temperatures.min():.4g} to {temperatures.max():.4g} K and scatters "
        f"{found.ratio:.2g} times as much as at one temperature (variance 2T²/f): a ramp, an equilibration "
        "or a loss of energy is part of the run; a spectrum needs one temperature"
    ]


def _constant_temperature(settings: RunSettings, notes: list[str], where: str) -> None:
    if settings.isokinetic:
        return
    what = f"Temp is the same to all digits in every row of {where}"
    if settings.command == "rerun":
        raise DataError(
            what,
            "velocities of before the rerun stood in every frame: J has nothing to do with the motion",
            "name the velocities: rerun FILE dump x y z vx vy vz (they must have been written)",
        )
    notes.append(f"{what}: velocities that do not change are no dynamics")


def _frozen(settings: RunSettings) -> str:
    """What holds atoms; an empty text if nothing does."""
    held = [f"fix {name} {settings.style(name)}" for name in settings.ids(_FREEZING)]
    return held[0] if held else settings.unmoved


def _refuse_hidden(settings: RunSettings, known: bool, where: str) -> None:
    """Ask for the temperature where the printed one is not that of the atoms that carry the current."""
    frozen = "" if known else _frozen(settings)
    if not frozen and not settings.hidden_types:
        return
    raise UsageError(
        f"the temperature of {where} is unknown: {frozen or 'NULL in fix bec'}",
        "Temp counts atoms that do not move freely (frozen ones, shells) among the degrees of freedom",
        "give `temperature_k`, the temperature of the atoms that move",
    )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
