"""Plain columns of numbers, and numpy files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from bec_md.archive import read_array, read_arrays
from bec_md.arrays import Array
from bec_md.current.options import SeriesOptions
from bec_md.current.readers.raw import Kind, RawSeries
from bec_md.current.readers.table import pick_columns, read_columns, uniform_step
from bec_md.current.readers.units import EXAMPLES, parse_units
from bec_md.errors import DataError, UsageError
from bec_md.schema import Positive, checked

#: Names of arrays in an npz file that state their units.
NPZ_NAMES: dict[str, tuple[Kind, float]] = {
    "current_e_ang_fs": ("current", 1.0),
    "dipole_e_ang": ("dipole", 1.0),
}
#: Columns of a table that are times and name their unit: time_fs, t[ps], Time(ns).
_TIME = re.compile(r"(?:time|t)[_/\[(]+(fs|ps|ns)[\])]*", re.IGNORECASE)
_UNITS_FS = {"fs": 1.0, "ps": 1e3, "ns": 1e6}
#: Names that leave the units open.
NPZ_OPEN_NAMES = ("current", "dipole", "J", "M", "polarization_current")


def read_plain(path: Path, options: SeriesOptions) -> RawSeries:
    """Read columns of a text file: those named or numbered; by default three that can be no others."""
    table, names = read_columns(path)
    if table.shape[1] < 3:
        raise DataError(
            f"{path.name} has {table.shape[1]} columns",
            "a current has three components",
            "give a file with x, y and z columns",
        )
    count = table.shape[1]
    default = range(0) if options.columns is not None else _only_triple(table, names, path.name)
    chosen = pick_columns(options.columns, names, count, default, path.name)
    kind, factor = required_units(options, path)
    return RawSeries(
        factor * table[:, None, chosen],
        kind,
        "columns",
        timestep_fs=_stated_step(table, names, path.name),
        quanta_ang=_quanta(kind, options),
    )


def _stated_step(table: Array, names: tuple[str, ...], where: str) -> float | None:
    """Return the time between rows, fs, by the column whose name says that it is a time, and its unit."""
    for column, name in enumerate(names):
        found = _TIME.fullmatch(name)
        if found and len(table) > 1:
            return uniform_step(table[:, column], name, where, rounded=True) * _UNITS_FS[found[1].lower()]
    return None


def _only_triple(table: Array, names: tuple[str, ...], where: str) -> list[int]:
    """Return the columns that can only be x, y and z: named so, or three behind counters (step, time)."""
    count = table.shape[1]
    ends = [name[-1:].lower() for name in names]
    named = [i for i in range(count - 2) if ends[i : i + 3] == ["x", "y", "z"]]
    if len(named) == 1:
        return [named[0], named[0] + 1, named[0] + 2]
    first = 0
    while first < count - 3 and len(table) > 2 and _is_counter(table[:, first]):
        uniform_step(table[:, first], f"column {first + 1}", where)  # a step or a time: no gaps
        first += 1
    if count - first == 3:
        return [first, first + 1, first + 2]
    known = f" ({', '.join(names)})" if names else ""
    several = f"; {count // 3} vectors? the current is their sum" if count % 3 == 0 else ""
    raise UsageError(
        f"{where} has {count} columns{known}{several}",
        "which three of them are the x, y and z components is not stated",
        "name the three with `columns=NAME,NAME,NAME`, or by their numbers counted from 1 (`columns=5,6,7`)",
    )


class _Scalars(BaseModel, strict=True):
    """Numbers of an npz file beside its series."""

    timestep_fs: Positive | None = None
    volume_ang3: Positive | None = None
    temperature_k: Positive | None = None


def _is_counter(column: Array) -> bool:
    """Whether a column is a step or a time; a step may repeat where runs meet."""
    steps = np.diff(column)
    whole = bool((column == np.round(column)).all())
    return bool((steps > 0.0).all()) or (
        whole and bool((steps >= 0.0).all()) and float(np.mean(steps > 0.0)) > 0.9
    )


def read_npy(path: Path, options: SeriesOptions) -> RawSeries:
    """Read an array (T, 3) or (T, G, 3)."""
    kind, factor = required_units(options, path)
    values = _shaped(read_array(path), path.name)
    return RawSeries(
        factor * values, kind, "npy", groups=_numbered(values), quanta_ang=_quanta(kind, options)
    )


def read_npz(path: Path, options: SeriesOptions) -> RawSeries:
    """Read ``current_e_ang_fs`` or ``dipole_e_ang``, or ``current`` or ``dipole`` with units.

    ``timestep_fs``, ``volume_ang3``, ``cell_ang``, ``temperature_k``, ``groups`` and ``units`` are taken from
    the file where present.
    """
    content: dict[str, Any] = dict(read_arrays(path))
    known = [(name, content[name]) for name in _Scalars.model_fields if name in content]
    scalars = {name: value.item() if value.size == 1 else value.tolist() for name, value in known}
    header = checked(_Scalars, scalars, path.name, "correct the array, or leave it out and give the option")
    name = next((n for n in (*NPZ_NAMES, *NPZ_OPEN_NAMES) if n in content), None)
    if name is None:
        raise DataError(
            f"{path.name} holds {', '.join(content) or 'nothing'}",
            "a current or a dipole moment is expected",
            "store an array current_e_ang_fs (T, 3) or (T, groups, 3), or dipole_e_ang",
        )
    if name in NPZ_NAMES:
        kind, factor = NPZ_NAMES[name]
    elif "units" in content:
        kind, factor = parse_units(str(content["units"]))
    else:
        kind, factor = required_units(options, path)
    values = factor * _shaped(content[name], path.name)
    groups = tuple(str(g) for g in content["groups"]) if "groups" in content else _numbered(values)
    if len(groups) != values.shape[1]:
        raise DataError(
            f"{path.name} names {len(groups)} groups for {values.shape[1]} currents",
            "every group has one current",
            "correct the array groups",
        )
    cell = content.get("cell_ang")
    if cell is not None and (cell.dtype.kind not in "fiu" or cell.shape not in ((3,), (9,), (3, 3))):
        raise DataError(
            f"{path.name}: cell_ang has shape {cell.shape} and type {cell.dtype}",
            "a cell is three edges or the nine components of its vectors, in Å",
            "correct the array cell_ang",
        )
    if cell is not None:
        cell = np.asarray(np.diag(cell) if cell.size == 3 else cell.reshape(3, 3), dtype=np.float64)
    return RawSeries(
        values,
        kind,
        "npz",
        groups=groups,
        timestep_fs=header.timestep_fs,
        volume_ang3=header.volume_ang3,
        cell_ang=cell,
        temperature_k=header.temperature_k,
        quanta_ang=_quanta(kind, options),
    )


def required_units(options: SeriesOptions, path: Path) -> tuple[Kind, float]:
    """Return kind and factor of the units that the user gave; they are never guessed."""
    if options.units is None:
        raise UsageError(
            f"{path.name} does not say in which units its numbers are",
            "units are never guessed: a wrong factor scales the whole spectrum by its square",
            f"give `units`, for example {EXAMPLES}",
        )
    return parse_units(options.units)


def _quanta(kind: Kind, options: SeriesOptions) -> Array | None:
    if kind != "dipole" or options.cell_ang is None or options.unwrap is False:
        return None
    return options.quantum_e * np.asarray(options.cell_ang, dtype=np.float64)[None]


def _shaped(values: Any, where: str) -> Array:
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 3:
        array = array[:, None, :]
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype.kind not in "fiu":
        raise DataError(
            f"the array in {where} has shape {array.shape} and type {array.dtype}",
            "a current is (frames, 3) or (frames, groups, 3)",
            "reshape or transpose it, and store real numbers",
        )
    return np.asarray(array, dtype=np.float64)


def _numbered(values: Array) -> tuple[str, ...]:
    count = values.shape[1]
    return ("total",) if count == 1 else tuple(f"group{i}" for i in range(count))
