"""Elements told by the masses of a topology, as far as the names of its atoms do not contradict them.

Simulations with long time steps move mass from heavy atoms to their hydrogens (repartitioned masses). The
nitrogen of an N-H group then has the mass of carbon, the oxygen of a hydroxyl group that of nitrogen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.structure.species import ISOTOPES, is_repartitioned_hydrogen

#: How far a mass may be from a standard atomic weight to identify the element.
_MASS_TOLERANCE_AMU = 0.06
#: Names of ions in the force fields of CHARMM that begin like another element.
_ION_NAMES = {"SOD": "NA", "POT": "K", "CES": "CS", "RUB": "RB", "CAD": "CD"}


def names_of(atoms: Any) -> list[tuple[str, ...]]:
    """Name and type of every atom, as far as the topology has them, shape (N,)."""
    columns = [
        [str(word) for word in getattr(atoms, key)] for key in ("names", "types") if hasattr(atoms, key)
    ]
    return list(zip(*columns, strict=True)) if columns else [()] * len(atoms)


def elements_told_by_masses(
    labels: Sequence[str], names: Sequence[tuple[str, ...]], masses_amu: NDArray[np.float64], source: str
) -> list[str]:
    """Labels with every "" replaced by the element of the mass, where it is that of one, shape (N,).

    Raises
    ------
    UsageError
        If that would trust masses of which hydrogens show that they were moved, or those of other elements
        than the names of the atoms begin with.
    """
    masses = masses_amu.tolist()
    element = {mass: _element_of_mass(mass) for mass in set(masses)}
    told = [label or element[mass] for label, mass in zip(labels, masses, strict=True)]
    keys = list(zip(names, masses, strict=True))
    trusted = {key for old, new, key in zip(labels, told, keys, strict=True) if new != old}
    if not trusted:
        return told
    for key in dict.fromkeys(keys):
        meant, why = {symbol for name in key[0] for symbol in _beginnings(name)}, ""
        if is_repartitioned_hydrogen(key[1]) and (not meant or "H" in meant):
            why = "mass was moved to it from its heavy neighbor (repartitioned masses)"
        elif key in trusted and meant and not meant & {element[key[1]], _hydrogen(element[key[1]])}:
            why = f"that of {element[key[1]]}, which its name contradicts"
        if why:
            raise _untrusted(keys.index(key), key, why, source)
    return told


def _untrusted(atom: int, key: tuple[tuple[str, ...], float], why: str, source: str) -> UsageError:
    named = " ".join(dict.fromkeys(name for name in key[0] if name)) or "no name"
    return UsageError(
        f"{source}: atom {atom} ({named}) has a mass of {key[1]:g} amu: {why}",
        "masses that were changed tell other elements (nitrogen looks like carbon, oxygen like nitrogen), "
        "and the charge of an atom follows its element",
        "name the elements of all names or types with `elements`, e.g. `elements=NH1=N,OH1=O,H=H`; the "
        "masses are kept, as the run moves with them",
    )


def _hydrogen(label: str) -> str:
    return "H" if label in ISOTOPES else label


def _beginnings(name: str) -> set[str]:
    """Elements whose symbols a name or type begins with: C, Ca for CA1."""
    from ase.data import chemical_symbols

    letters = name.strip().lstrip("0123456789").upper()
    letters = _ION_NAMES.get(letters[:3], letters)
    found = {symbol for symbol in chemical_symbols[1:] if letters.startswith(symbol.upper())}
    return found | ({letters[0]} if letters[:1] in ISOTOPES else set())


def _element_of_mass(mass_amu: float) -> str:
    """Element with this standard atomic weight, "" if it is not exactly one."""
    from ase.data import atomic_masses, chemical_symbols

    table = dict(zip(chemical_symbols[1:], atomic_masses[1:].tolist(), strict=True))
    table |= {label: mass for label, (_, mass) in ISOTOPES.items()}
    close = [symbol for symbol, mass in table.items() if abs(mass - mass_amu) < _MASS_TOLERANCE_AMU]
    return close[0] if len(close) == 1 else ""
