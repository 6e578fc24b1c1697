"""Units of currents and dipole moments, by the names that people write."""

from __future__ import annotations

import re

from scipy import constants

from bec_md.current.readers.raw import Kind
from bec_md.errors import UsageError
from bec_md.units import ANGSTROM_M, ELEMENTARY_CHARGE_C, FEMTOSECOND_S, SPEED_OF_LIGHT_M_S

#: 1 bohr in Å.
BOHR_ANG: float = constants.physical_constants["Bohr radius"][0] / ANGSTROM_M
#: 1 debye (1e-21 C m²/s divided by c) in e Å.
DEBYE_E_ANG: float = 1e-21 / SPEED_OF_LIGHT_M_S / ELEMENTARY_CHARGE_C / ANGSTROM_M
#: Atomic unit of time in fs.
ATOMIC_TIME_FS: float = constants.physical_constants["atomic unit of time"][0] / FEMTOSECOND_S

_LENGTHS = {"ang": 1.0, "angstrom": 1.0, "a": 1.0, "å": 1.0, "bohr": BOHR_ANG, "nm": 10.0}
_TIMES = {"fs": 1.0, "ps": 1e3, "ns": 1e6, "s": 1e15, "au": ATOMIC_TIME_FS}
EXAMPLES = "e*ang/fs, e*ang/ps, e*bohr/au, debye/fs for a current; e*ang, e*bohr, debye for a dipole moment"

#: LAMMPS unit styles with charges in e: length in Å and time in fs.
LAMMPS_STYLES: dict[str, tuple[float, float]] = {"real": (1.0, 1.0), "metal": (1.0, 1e3)}


def parse_units(text: str) -> tuple[Kind, float]:
    """Return what a unit measures and its factor to e Å/fs or e Å.

    Parameters
    ----------
    text
        For example ``"e*ang/ps"``, ``"e Å/fs"``, ``"D"``.

    Raises
    ------
    UsageError
        If the unit is not known.
    """
    moment, _, time = re.sub(r"[\s*·.]+", "", text.lower()).partition("/")
    factor = _moment(moment)
    if factor is not None and not time:
        return "dipole", factor
    if factor is not None and time in _TIMES:
        return "current", factor / _TIMES[time]
    raise UsageError(
        f"unknown units {text!r}",
        "units are never guessed: a wrong factor scales the whole spectrum by its square",
        f"use for example {EXAMPLES}",
    )


def lammps_style(name: str) -> tuple[float, float]:
    """Return length [Å] and time [fs] of a LAMMPS unit style.

    Raises
    ------
    UsageError
        For a style whose charges are not in units of e.
    """
    if name not in LAMMPS_STYLES:
        raise UsageError(
            f"LAMMPS units {name!r} are not supported here",
            "a current in e × velocity can be read for the styles real and metal",
            "give `lammps_units=real` or `lammps_units=metal`, or convert the numbers and give their `units`",
        )
    return LAMMPS_STYLES[name]


def _moment(text: str) -> float | None:
    if text in ("d", "debye"):
        return DEBYE_E_ANG
    if text == "cm":
        return 1.0 / (ELEMENTARY_CHARGE_C * ANGSTROM_M)
    return _LENGTHS.get(text[1:]) if text.startswith("e") else None
