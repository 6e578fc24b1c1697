"""Structures of ASE, and the few things that ASE files in other places than the rest of the world.

ASE keeps momenta in √(amu eV) and files `born_effective_charges` (and forces, energy, …) of an extended XYZ
under ``atoms.calc.results`` instead of ``atoms.arrays``; both places are searched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import brief
from bec_md.errors import DataError
from bec_md.structure.frame import Frame
from bec_md.structure.names import TOTAL_CHARGE_KEYS

if TYPE_CHECKING:
    from ase import Atoms


def as_frame(item: Frame | Atoms) -> Frame:
    """Return the geometry, masses and net charge of `ase.Atoms`; a frame is returned as it is."""
    if isinstance(item, Frame):
        return item
    return Frame(
        positions_ang=np.asarray(item.positions, dtype=np.float64),
        cell_ang=np.asarray(item.cell.array, dtype=np.float64),
        pbc=np.asarray(item.pbc, dtype=bool),
        numbers=np.asarray(item.numbers, dtype=np.int64),
        masses_amu=np.asarray(item.get_masses(), dtype=np.float64),
        total_charge=number_of(item.info, dict.fromkeys(TOTAL_CHARGE_KEYS, 1.0)) or 0.0,
    )


def number_of(info: Mapping[str, Any], keys: Mapping[str, float]) -> float | None:
    """The first of `keys` that is there and not None (True, once ASE has stored it), times its unit factor.

    Raises
    ------
    DataError
        If it is no finite number.
    """
    unstated = (bool, np.bool_, type(None))
    key = next((key for key in keys if not isinstance(info.get(key), unstated)), None)
    if key is None:
        return None
    try:
        value = float(info[key])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"atoms.info[{key!r}] is {brief(info[key])}, no finite number",
            "it states a time or a charge",
            f"set atoms.info[{key!r}] to one number, or leave it out",
        )
    return value * keys[key]


def stored_arrays(atoms: Atoms) -> dict[str, NDArray[Any]]:
    """Per-atom arrays and results of a calculator by name."""
    return {**getattr(atoms.calc, "results", {}), **atoms.arrays}
