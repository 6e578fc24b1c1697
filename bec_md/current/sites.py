"""Charges on sites without mass: M sites of water models and other points that follow the atoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bec_md.charges.factory import parse_scalars
from bec_md.errors import UsageError
from bec_md.structure.species import HIDDEN, SITE
from bec_md.trajectory.options import ReadOptions


def charged_sites(charges: Any, reading: ReadOptions) -> tuple[Any, ReadOptions]:
    """Return charges and options of reading in which sites that carry a charge are kept, without mass.

    ``fixed:O=0,H=0.52,3=-1.04`` with ``elements=("O", "H", "NULL")`` charges the sites of type 3.

    Parameters
    ----------
    charges
        As in `make_charge_source`; only text that begins with ``fixed:`` may name types.
    reading
        How the trajectory is read; `elements` says which types are no atoms.

    Raises
    ------
    UsageError
        If a named type is an element, or unknown, or other types are left out at the same time.
    """
    if not isinstance(charges, str) or not charges.startswith("fixed:") or reading.elements is None:
        return charges, reading
    from bec_md.trajectory.lammps_dump import type_map

    given = parse_scalars(charges.removeprefix("fixed:"), "fixed")
    table: dict[Any, str] = (
        dict(reading.elements) if isinstance(reading.elements, Mapping) else dict(type_map(reading.elements))
    )
    labels = {str(label): label for label in table}
    named = [name for name in given if name in labels and (name.isdigit() or table[labels[name]] == HIDDEN)]
    for name in named:
        if table[labels[name]] != HIDDEN:
            raise UsageError(
                f"{name}={given[name]:g} in fixed charges, but type {name} is {table[labels[name]]}",
                "charges are given per element; a number names a type of sites that are no atoms",
                f"write {table[labels[name]]}={given[name]:g}",
            )
    if not named:
        return charges, reading
    hidden = [label for label, symbol in table.items() if symbol == HIDDEN and str(label) not in named]
    values = {given.pop(name) for name in named}
    if hidden or len(values) > 1:
        raise UsageError(
            f"sites of the types {', '.join(str(label) for label in table if table[label] == HIDDEN)} have "
            "different charges, or none",
            "one charge is kept for all sites that are no atoms",
            f"give each of them the same charge, or none and leave them out ({HIDDEN} without a charge)",
        )
    kept = {label: SITE if symbol == HIDDEN else symbol for label, symbol in table.items()}
    text = ",".join(f"{name}={value!r}" for name, value in {**given, SITE: values.pop()}.items())
    return f"fixed:{text}", replace(reading, elements=kept)
