"""Unit styles of LAMMPS as factors to Å, fs, Å/fs and amu (LAMMPS manual, command `units`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import constants as _si

from bec_md.errors import UsageError
from bec_md.units import ANGSTROM_M, ATOMIC_MASS_KG, FEMTOSECOND_S

_BOHR_M = _si.physical_constants["Bohr radius"][0]
_HARTREE_J = _si.physical_constants["Hartree energy"][0]
#: "electron" counts velocities in Bohr per atomic time unit made of Bohr, Hartree and amu: 1.03275 fs.
_ELECTRON_TIME_S = _BOHR_M * math.sqrt(ATOMIC_MASS_KG / _HARTREE_J)


@dataclass(frozen=True)
class LammpsUnits:
    """Factors from a unit style to internal units."""

    name: str
    length_ang: float
    time_fs: float
    velocity_ang_fs: float
    mass_amu: float


def _style(name: str, length_m: float, time_s: float, velocity_m_s: float, mass_kg: float) -> LammpsUnits:
    return LammpsUnits(
        name,
        length_m / ANGSTROM_M,
        time_s / FEMTOSECOND_S,
        velocity_m_s / (ANGSTROM_M / FEMTOSECOND_S),
        mass_kg / ATOMIC_MASS_KG,
    )


STYLES: Mapping[str, LammpsUnits] = {
    style.name: style
    for style in (
        _style("metal", 1e-10, 1e-12, 1e2, ATOMIC_MASS_KG),
        _style("real", 1e-10, 1e-15, 1e5, ATOMIC_MASS_KG),
        _style("si", 1.0, 1.0, 1.0, 1.0),
        _style("cgs", 1e-2, 1.0, 1e-2, 1e-3),
        _style("electron", _BOHR_M, 1e-15, _BOHR_M / _ELECTRON_TIME_S, ATOMIC_MASS_KG),
        _style("micro", 1e-6, 1e-6, 1.0, 1e-15),
        _style("nano", 1e-9, 1e-9, 1.0, 1e-21),
    )
}


def lammps_units(name: str) -> LammpsUnits:
    """Factors of a unit style.

    Raises
    ------
    UsageError
        For "lj", which has no absolute units, and for unknown names.
    """
    if name in STYLES:
        return STYLES[name]
    why = (
        "reduced units state no length, time and mass, so there is no wavenumber axis"
        if name == "lj"
        else f"known are {', '.join(STYLES)}"
    )
    raise UsageError(
        f"LAMMPS units {name!r} cannot be read",
        why,
        "run or convert the trajectory in one of " + ", ".join(STYLES),
    )
