"""Which columns of an extended XYZ row hold what."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from bec_md.errors import DataError
from bec_md.structure.comment import Column, parse_properties
from bec_md.structure.names import (
    CENTROIDS,
    ID_COLUMNS,
    MASS_COLUMNS,
    NUMBER_COLUMNS,
    POSITION_COLUMNS,
    SPECIES_COLUMNS,
    VELOCITY_COLUMNS,
    as_tensors,
    find_charge_key,
)

DEFAULT_PROPERTIES = "species:S:1:pos:R:3"
#: What the warning says about columns that are called like velocities and have no known unit.
NOT_READ = "is not read as velocities"


@dataclass(frozen=True)
class Layout:
    """Columns of a row: `used` are those to parse, the slices are positions within them."""

    n_columns: int
    label: int
    labels_are_numbers: bool
    used: tuple[int, ...]
    positions: slice
    velocities: slice | None
    velocity_name: str
    charges: slice | None
    charges_name: str
    masses: int | None
    ids: int | None


def first_of(columns: Mapping[str, Column], names: Container[str]) -> str | None:
    """First column whose name is among `names`."""
    return next((name for name in columns if name in names), None)


def make_layout(
    properties: str, place: str, warnings: list[str], *, charges_key: str | None, velocities: bool
) -> Layout:
    """Choose the columns to parse.

    Raises
    ------
    DataError
        If species or positions are missing, or a vector has not three components.
    """
    columns = parse_properties(properties, place)
    label_name = first_of(columns, SPECIES_COLUMNS) or first_of(columns, NUMBER_COLUMNS)
    position_name = CENTROIDS if CENTROIDS in columns else first_of(columns, POSITION_COLUMNS)
    if position_name is None or label_name is None:
        raise DataError(
            f"{place}: Properties={properties} lack species or positions",
            "a frame needs the element and the position of every atom",
            "write at least Properties=species:S:1:pos:R:3",
        )
    velocity_name = first_of(columns, VELOCITY_COLUMNS) if velocities else None
    for name in (position_name, velocity_name):
        if name is not None and columns[name].count != 3:
            raise DataError(
                f"{place}: column {name} has {columns[name].count} components",
                "positions and velocities are vectors of three components",
                f"write {name}:R:3 in Properties",
            )
    for name, kinds in ((position_name, "RI"), (velocity_name, "R"), (label_name, "SI")):
        if name is not None and columns[name].kind not in kinds:
            raise DataError(
                f"{place}: column {name} is of kind {columns[name].kind}",
                "S is text, I an integer, R a real number, L true or false",
                f"write it as {name}:{kinds[0]}:{columns[name].count} if its rows are of that kind",
            )
    if velocities and velocity_name is None:
        _mention_velocities(columns, warnings)
    charges_name = _charges_name(columns, charges_key, place, warnings)
    mass_name = first_of(columns, MASS_COLUMNS)
    id_name = next((name for name in ID_COLUMNS if name in columns and columns[name].kind == "I"), None)
    used: list[int] = []

    def take(name: str) -> slice:
        """Take the columns of a property."""
        begin = len(used)
        used.extend(range(columns[name].first, columns[name].first + columns[name].count))
        return slice(begin, len(used))

    return Layout(
        n_columns=sum(column.count for column in columns.values()),
        label=columns[label_name].first,
        labels_are_numbers=label_name in NUMBER_COLUMNS,
        positions=take(position_name),
        velocities=None if velocity_name is None else take(velocity_name),
        velocity_name=velocity_name or "",
        charges=None if charges_name is None else take(charges_name),
        charges_name=charges_name or "",
        masses=None if mass_name is None else take(mass_name).start,
        ids=None if id_name is None else take(id_name).start,
        used=tuple(used),
    )


def _mention_velocities(columns: Mapping[str, Column], warnings: list[str]) -> None:
    """Warn about columns that are called like velocities, but not by a name that tells their unit."""
    called = [name for name in columns if re.fullmatch(r"v_?[xyz]?|.*velo(cit.*)?|vels?", name.lower())]
    if called:
        message = (
            f"column {', '.join(called)} {NOT_READ}, because nobody defines its unit: name it "
            "vel:R:3 (Å/fs) or velocities:R:3 (Å per ASE time unit) in Properties"
        )
        if message not in warnings:
            warnings.append(message)


def _charges_name(
    columns: Mapping[str, Column], charges_key: str | None, place: str, warnings: list[str]
) -> str | None:
    whole = {name: column for name, column in columns.items() if column.count == 9}
    name = (find_charge_key(whole, None, place) if charges_key is None else None) or find_charge_key(
        columns, charges_key, place
    )
    if name is None or columns[name].count == 9:
        return name
    if charges_key is not None:
        as_tensors(np.zeros((1, columns[name].count)), 1, name=name, transposed=False, place=place)
    message = f"column {name} has {columns[name].count} components instead of 9 and is not read as charges"
    if message not in warnings:
        warnings.append(message)
    return None
