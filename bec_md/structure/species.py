"""From the labels of a file to atomic numbers and masses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError

#: Label of a site that is no atom (M site of a water model, Drude particle, shell): left out of every frame.
HIDDEN = "NULL"
#: Label of such a site that is kept, because it carries a charge: it has no mass and the number 0.
SITE = "X"
HIDDEN_NUMBER = -1
#: How close a mass is to that of the element that it stands for, when files write two decimals or more.
_EXACT_MASS_AMU = 0.012
#: Hydrogen isotopes that files name like elements: (atomic number, mass in amu).
ISOTOPES: Mapping[str, tuple[int, float]] = {"D": (1, 2.01410177812), "T": (1, 3.01604928199)}
#: What vasprun.xml calls xenon and zirconium of some potentials.
MISSPELLED: Mapping[str, str] = {"X": "Xe", "r": "Zr"}
#: "Na_pv/hash", "H1.25", "Ga_d_GW": the element before what tells potentials of VASP apart.
_POTENTIAL = re.compile(r"([A-Z][a-z]?)(?=[_./\d]|$)")
#: Between hydrogen and four times its mass: what hydrogens have whose heavy neighbors are lighter by as much.
_REPARTITIONED_AMU = (1.1, 4.1)
#: How close a mass in that range is to that of an isotope or helium; twice and three times 1.008 are farther.
_ISOTOPE_AMU = 1.5e-3
#: Standard weights and the masses of input files agree better than this; neighboring elements do not.
_SAME_MASS = 0.02
#: No atom is heavier, nor a bead of atoms.
_LARGEST_MASS_AMU = 1e5


@dataclass(frozen=True, slots=True)
class Species:
    """Atomic numbers and masses of the atoms of a trajectory, in file order.

    `masses_amu` are the masses to use; `momentum_masses_amu` those that belong to momenta in the file
    (the file's own masses when it has them). Sites without mass that carry a charge have the number 0, those
    to be left out `HIDDEN_NUMBER`.
    """

    numbers: NDArray[np.int64]
    masses_amu: NDArray[np.float64]
    momentum_masses_amu: NDArray[np.float64]


def resolve_species(
    labels: Sequence[str],
    *,
    place: str,
    file_masses_amu: NDArray[np.float64] | None = None,
    masses: Mapping[str, float] | None = None,
) -> Species:
    """Resolve element symbols (or D, T) into atomic numbers and masses.

    Parameters
    ----------
    labels
        One symbol per atom.
    place
        File and frame, for messages.
    file_masses_amu
        Masses stored in the file, in amu, shape (N,); they win over standard atomic weights.
    masses
        Overrides by label, in amu, e.g. ``{"H": 2.014}``; they win over the file.

    Raises
    ------
    DataError
        For a label that is no element, a mass that is not positive or that of another element.
    UsageError
        For an override of an element that the file does not contain.
    """
    table = {label: _number_and_mass(label, place, labels) for label in set(labels)}
    numbers = np.array([table[label][0] for label in labels], dtype=np.int64)
    used = np.array([table[label][1] for label in labels], dtype=np.float64)
    if file_masses_amu is not None:
        used = np.array(file_masses_amu, dtype=np.float64)
    own = used.copy()
    names = np.asarray(labels)
    if file_masses_amu is not None:
        _check_masses(
            labels,
            own,
            {label: mass for label, (_, mass) in table.items()},
            {*(masses or {}), HIDDEN, SITE},
            place,
        )
    for label, mass in (masses or {}).items():
        chosen = names == label
        if not chosen.any():
            raise UsageError(
                f"masses: no atom named {label!r} in {place}",
                f"its atoms are {', '.join(sorted(set(labels)))}, so the override would do nothing",
                f"name one of these, e.g. `masses={sorted(set(labels))[0]}={mass:g}`",
            )
        used[chosen] = mass
    usable = ((used > 0) & (used < _LARGEST_MASS_AMU)) | (numbers <= 0)
    if not usable.all():
        atom = int(np.flatnonzero(~usable)[0])
        raise DataError(
            f"{place}: mass of atom {atom} ({labels[atom]}) is {used[atom]:g} amu",
            "currents are freed of drift with masses, which must be positive numbers of that size",
            f"correct the file's mass column, or give `masses={labels[atom]}=…` in amu",
        )
    return Species(numbers, used, own if file_masses_amu is not None else used)


def _check_masses(
    labels: Sequence[str],
    masses_amu: NDArray[np.float64],
    standard_amu: Mapping[str, float],
    replaced: set[str],
    place: str,
) -> None:
    """Refuse a mass that is far from its element's and exactly that of another one.

    Isotopes, repartitioned masses (heavy hydrogen, lighter neighbors) and united atoms are those of no
    element, and pass.
    """
    from ase.data import atomic_masses, chemical_symbols

    by_label: dict[str, tuple[int, float]] = {}
    for atom, (label, mass) in enumerate(zip(labels, masses_amu.tolist(), strict=True)):
        by_label.setdefault(label, (atom, mass))
    # the heaviest: those of a solvent may keep their mass
    hydrogen = float(masses_amu[np.asarray(labels) == "H"].max(initial=0.0))
    moved = hydrogen - standard_amu["H"] if is_repartitioned_hydrogen(hydrogen) else 0.0
    for label, (atom, mass) in by_label.items():
        expected = standard_amu[label]
        if label in replaced or abs(mass - expected) <= max(0.1 * expected, 0.5):
            continue
        if moved > 0.0 and (label == "H" or 0.0 < expected - mass < 4.5 * moved):
            continue
        nearest = int(np.argmin(np.abs(atomic_masses[1:] - mass))) + 1
        if abs(float(atomic_masses[nearest]) - mass) <= _EXACT_MASS_AMU:
            raise DataError(
                f"{place}: atom {atom} is {label} ({expected:.3f} amu), but its mass is {mass:g} amu, that "
                f"of {chemical_symbols[nearest]}",
                "the charge of an atom follows its element, so charges would go to the wrong atoms",
                f"correct `elements` (is this atom {chemical_symbols[nearest]}?) or the masses of the file; "
                f"a mass that is meant is confirmed by `masses` with {label}={mass:g}",
            )


def is_repartitioned_hydrogen(mass_amu: float) -> bool:
    """Whether a hydrogen of this mass has been given mass of its heavy neighbor: it is that of no isotope."""
    from ase.data import atomic_masses

    low, high = _REPARTITIONED_AMU
    real = (*(mass for _, mass in ISOTOPES.values()), float(atomic_masses[2]))
    return low < mass_amu < high and all(abs(mass - mass_amu) > _ISOTOPE_AMU for mass in real)


def element_of_potential(name: str) -> str:
    """Element of a kind of atoms that has the name of its potential; other names stay as they are."""
    found = _POTENTIAL.match(name)
    return found[1] if found else name


def elements_of_labels(sites: Sequence[tuple[str, float]], place: str) -> list[str]:
    """Return the elements of labels of Quantum ESPRESSO and others, with masses in amu (0 if unknown).

    Labels are of any case, X, Xn, X_* or X-*, and Xw beside them.

    Where two letters and one letter both name an element (``Co``, ``C`` with a suffix), the mass decides,
    unless masses are placeholders: labels that cannot be the same element have the same one.
    """
    from ase.data import atomic_masses, atomic_numbers

    known: dict[tuple[str, float], list[str]] = {}
    for label, mass_amu in dict.fromkeys(sites):
        letters = re.match(r"[A-Za-z]{1,2}", label)
        candidates = [] if letters is None else [letters[0].capitalize(), letters[0][0].upper()]
        candidates = ["H"] if candidates and candidates[0] in ISOTOPES else candidates
        known[label, mass_amu] = [symbol for symbol in candidates if atomic_numbers.get(symbol)]  # X has 0
        if not known[label, mass_amu]:
            raise DataError(
                f"{place}: the atomic label {label!r} names no element",
                "the charges of an atom depend on its element",
                "label atoms by their element, with a number or a suffix if needed: O, O1, O_s",
            )
    of_mass: dict[float, set[str]] = {}
    for (_, mass_amu), symbols in known.items():
        of_mass[mass_amu] = of_mass.get(mass_amu, set(symbols)) & set(symbols)

    def element(site: tuple[str, float]) -> str:
        """The first element of a label, or the one that has its mass."""
        weights = {symbol: atomic_masses[atomic_numbers[symbol]] for symbol in known[site]}
        fitting = [s for s in known[site] if abs(weights[s] / max(site[1], 1e-3) - 1.0) < _SAME_MASS]
        return (fitting if fitting and all(of_mass.values()) else known[site])[0]

    return [element(site) for site in sites]


def species_of_labels(
    labels: Sequence[str], known_amu: Mapping[str, float], place: str, masses: Mapping[str, float] | None
) -> Species:
    """Return the species of labels as in `elements_of_labels`, with the masses in amu that a file states."""
    found = elements_of_labels([(label, known_amu.get(label, 0.0)) for label in labels], place)
    named = zip(labels, found, strict=True)
    symbols = [label[0] if symbol == "H" and label[0] in ISOTOPES else symbol for label, symbol in named]
    known = all(label in known_amu for label in labels)
    own = np.array([known_amu[label] for label in labels]) if known else None
    return resolve_species(symbols, place=place, file_masses_amu=own, masses=masses)


def symbols_of(numbers: NDArray[np.int64], place: str) -> tuple[str, ...]:
    """Element symbols of atomic numbers, shape (N,)."""
    from ase.data import chemical_symbols

    bad = (numbers < 1) | (numbers >= len(chemical_symbols))
    if bad.any():
        atom = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{place}: atom {atom} has atomic number {int(numbers[atom])}, which is no element",
            "the charges of an atom depend on its element",
            "write atomic numbers between 1 and 118, or element symbols, into the file",
        )
    return tuple(chemical_symbols[number] for number in numbers.tolist())


def _number_and_mass(label: str, place: str, labels: Sequence[str]) -> tuple[int, float]:
    from ase.data import atomic_masses, atomic_numbers

    if label == HIDDEN:
        return HIDDEN_NUMBER, 0.0
    if label == SITE:
        return 0, 0.0
    if label in ISOTOPES:
        return ISOTOPES[label]
    number = atomic_numbers.get(label, 0)
    if number == 0:
        close = get_close_matches(label.capitalize(), list(atomic_numbers), n=1, cutoff=0.5)
        hint = f" (did you mean {close[0]}?)" if close and close[0] != "X" else ""
        raise DataError(
            f"{place}: unknown element {label!r} of atom {list(labels).index(label)}{hint}",
            "the charges and the mass of an atom depend on its element, which is never guessed",
            "write element symbols (Si, O, …) into the file, or give a type map with `elements`",
        )
    return int(number), float(atomic_masses[number])
