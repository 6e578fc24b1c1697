"""Units of force constants: stated, read from phonopy.yaml, or told by the motion itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bec_md.errors import DataError, UsageError
from bec_md.files import read_text
from bec_md.units import BOHR_ANG, HARTREE_EV

if TYPE_CHECKING:
    from bec_md.modes.projection import ModeVelocities


_ENERGIES_EV = {
    "ev": 1.0,
    "ry": 0.5 * HARTREE_EV,
    "rydberg": 0.5 * HARTREE_EV,
    "mry": 0.5e-3 * HARTREE_EV,
    "hartree": HARTREE_EV,
    "ha": HARTREE_EV,
}
_LENGTHS_ANG = {"angstrom": 1.0, "ang": 1.0, "å": 1.0, "a": 1.0, "bohr": BOHR_ANG, "au": BOHR_ANG}
EXAMPLES = "eV/angstrom^2, Ry/bohr^2, hartree/bohr^2, mRy/bohr^2 or eV/angstrom.bohr"

#: phonopy's files that state the unit, looked for beside the force constants.
_STATED_IN = ("phonopy.yaml", "phonopy_params.yaml", "phonopy_disp.yaml")
#: Standard weights of an element differ by less from one table to another.
_SAME_MASS = 0.005
#: Frequencies in the motion of a crystal differ from harmonic ones by less, in the median over modes.
_USUAL = 0.25


def parse_force_constant_units(text: str) -> float:
    """Return the factor of a unit of force constants to eV/Å².

    Raises
    ------
    UsageError
        If the unit is not known.
    """
    energy, _, lengths = re.sub(r"\s", "", text.lower()).partition("/")
    power = re.fullmatch(r"([a-zå]+)(?:\^|\*\*)?2", lengths)
    names = [power[1]] * 2 if power else re.split(r"[.*/]", lengths)
    if energy in _ENERGIES_EV and len(names) == 2 and all(name in _LENGTHS_ANG for name in names):
        return _ENERGIES_EV[energy] / (_LENGTHS_ANG[names[0]] * _LENGTHS_ANG[names[1]])
    raise UsageError(
        f"unknown unit of force constants {text!r}",
        "frequencies scale with its square root",
        f"use {EXAMPLES}",
    )


def stated_units(force_constants: Path) -> tuple[float, str] | None:
    """Return factor and unit that phonopy.yaml beside a file states, None if there is none."""
    for name in _STATED_IN:
        path = force_constants.parent / name
        unit = physical_units(path).get("force_constants") if path.is_file() else None
        if unit is not None:
            return parse_force_constant_units(unit), f"{unit} ({name})"
    return None


def stated_masses(force_constants: Path, symbols: Sequence[str]) -> dict[int, float]:
    """Return the masses, amu, of those atoms that are isotopes in phonopy.yaml beside a file.

    Several isotopes of an element are told by the order of atoms in one of its cells, else left out.
    """
    from ase.data import atomic_masses, atomic_numbers

    beside = (force_constants.parent / name for name in _STATED_IN)
    text = next((read_text(path, strict=False) for path in beside if path.is_file()), "")
    point = re.compile(r"symbol:\s*([A-Z][a-z]?)\b.*\n.*\n\s+mass:\s*([\d.]+)")
    cells = [point.findall(block) for block in re.split(r"^(?=\w)", text, flags=re.MULTILINE)]
    found: dict[str, set[float]] = {}
    for symbol, mass in (row for rows in cells for row in rows):
        found.setdefault(symbol, set()).add(float(mass))
    same = [rows for rows in cells if [symbol for symbol, _ in rows] == list(symbols)]
    stated = {
        atom: float(same[0][atom][1]) if same else next(iter(found[symbol]))
        for atom, symbol in enumerate(symbols)
        if symbol in atomic_numbers and (same or len(found.get(symbol, ())) == 1)
    }
    usual = {atom: atomic_masses[atomic_numbers[symbols[atom]]] for atom in stated}
    return {atom: mass for atom, mass in stated.items() if abs(mass / usual[atom] - 1.0) > _SAME_MASS}


def physical_units(path: Path) -> dict[str, str]:
    """Return the units that a phonopy.yaml states, by quantity (``length``, ``force_constants``, …)."""
    block = re.search(
        r"^physical_unit:[^\n]*\n((?:[ \t]+[^\n]*\n)+)", read_text(path, strict=False), re.MULTILINE
    )
    rows = re.findall(r"(\w+):\s*[\"']?([^\"'\n]+)", block[1]) if block else []
    return {name: unit.strip() for name, unit in rows}


def parse_length_unit(text: str) -> float:
    """Return the factor of a unit of length to Å.

    Raises
    ------
    UsageError
        If the unit is not known.
    """
    if text.lower() in _LENGTHS_ANG:
        return _LENGTHS_ANG[text.lower()]
    raise UsageError(
        f"unknown unit of length {text!r}", "cells are stored in it", "use angstrom or bohr (phonopy: au)"
    )


def check_frequencies(velocities: ModeVelocities) -> str:
    """Compare the frequencies of the modes with those in the motion.

    Returns
    -------
    One sentence.

    Raises
    ------
    DataError
        If they differ by a factor in the median: with the unit that would explain it.
    """
    harmonic = velocities.modes.frequencies_cm
    moving = velocities.frequencies_cm()
    known = (harmonic > 1.0) & np.isfinite(moving) & (moving > 1.0)
    if known.sum() < 3:
        return "too few modes to compare their frequencies with the motion"
    ratio = float(np.median(moving[known] / harmonic[known]))
    said = f"frequencies in the motion over harmonic ones: {ratio:.3f} (median of {int(known.sum())} modes)"
    if abs(np.log(ratio)) < np.log(1.0 + _USUAL):
        return said
    units = {
        text: parse_force_constant_units(text) for text in (*EXAMPLES.replace(" or ", ", ").split(", "),)
    }
    factors = {
        f"{new} instead of {old}": a / b for new, a in units.items() for old, b in units.items() if a != b
    }
    likely = [text for text, factor in factors.items() if abs(0.5 * np.log(factor) - np.log(ratio)) < 0.1]
    from_ev = [text for text in likely if text.endswith("of eV/angstrom^2")] or likely
    raise DataError(
        f"{velocities.modes.name}: {said}",
        "a common factor is a wrong unit of the force constants"
        + (f": {from_ev[0]}" if from_ev else ", or wrong masses, or another structure or time step"),
        f"give the unit of the force constants: {EXAMPLES}; or check masses and structure",
    )
