"""Elements and masses of the atoms of a binary trajectory, from a topology that MDAnalysis reads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.files import in_words, read_head, require_file
from bec_md.structure.species import HIDDEN, SITE, Species, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.told_by_mass import elements_told_by_masses, names_of

#: Columns of the styles of atoms (others may follow); without a word MDAnalysis takes all for full.
_COLUMNS_OF_STYLES = {
    "atomic": "id type x y z",
    "charge": "id type charge x y z",
    "full": "id resid type charge x y z",
    **dict.fromkeys(("bond", "angle", "molecular"), "id resid type x y z"),
}


def topology_path(path: Path, options: ReadOptions) -> Path:
    """Return the topology of the options.

    Raises
    ------
    UsageError
        If there is none, or no such file.
    """
    if options.topology is None:
        raise UsageError(
            f"{path.name}: a {path.suffix or 'binary'} trajectory needs a topology",
            "it holds positions but not which elements they belong to",
            "give `topology` (PDB, TPR, PSF, PRMTOP, …), or convert the trajectory to extended XYZ",
        )
    return require_file(Path(options.topology))


def species_of_topology(topology: Path, options: ReadOptions, source: str, n_atoms: int) -> Species:
    """Species of the atoms of a topology file.

    Raises
    ------
    DataError
        If it cannot be read, or has another number of atoms than the trajectory.
    UsageError
        If it does not tell the element of every atom.
    """
    import MDAnalysis

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            universe = MDAnalysis.Universe(str(topology), to_guess=(), **style_of_data(topology))
    except Exception as error:  # parsers raise whatever they run into
        raise DataError(
            f"topology {topology.name} cannot be read: {in_words(error, topology)}",
            "its format is not recognized by MDAnalysis, or it is damaged",
            "give a PDB, TPR, PSF, PRMTOP or GRO file of the same run with `topology`",
        ) from None
    if len(universe.atoms) != n_atoms:
        raise DataError(
            f"{source}: {n_atoms} atoms, but {len(universe.atoms)} in the topology {topology.name}",
            "a topology names the atoms of the trajectory one by one",
            "give the topology of the same run (with the same atoms left out) with `topology`",
        )
    return species_of_universe(universe, options, source)


def style_of_data(topology: Path) -> dict[str, Any]:
    """What MDAnalysis has to be told of a data file of LAMMPS (``Atoms # charge``), whatever its name."""
    head = read_head(topology).decode("utf-8", "replace")
    stated = re.search(r"^\s*\d+ +atoms\b.*^Atoms\s*#\s*(\w+)", head, re.MULTILINE | re.DOTALL)
    columns = _COLUMNS_OF_STYLES.get(stated[1]) if stated else None
    return {} if columns is None else {"topology_format": "DATA", "atom_style": columns}


def species_of_universe(universe: Any, options: ReadOptions, source: str) -> Species:
    """Species of the atoms of a Universe: elements that are stated, mapped, or told by stated masses."""
    atoms = universe.atoms
    stated = _stated(atoms, "masses")
    masses = _set_masses(atoms) if stated is None else np.nan_to_num(np.array(stated, dtype=np.float64))
    elements = _stated(atoms, "elements")
    labels = [""] * len(atoms) if elements is None else [str(name).strip().capitalize() for name in elements]
    if options.elements is not None:
        labels = _mapped(atoms, labels, options, source)
    if masses is not None and not all(labels):
        labels = elements_told_by_masses(labels, names_of(atoms), masses, source)
    unknown = [atom for atom, label in enumerate(labels) if not label]
    if unknown:
        raise _nameless(atoms, unknown, masses, source)
    own: NDArray[np.float64] | None = None
    if masses is not None and (masses > 0).any():
        standard = resolve_species(labels, place=source).masses_amu
        own = np.where((masses > 0) & (~np.isin(labels, (HIDDEN, SITE))), masses, standard)
    return resolve_species(labels, place=source, file_masses_amu=own, masses=options.masses)


def _stated(atoms: Any, name: str) -> Any:
    """Attribute of the topology, unless it is missing or was guessed by MDAnalysis."""
    guessed = {getattr(item, "attrname", item) for item in atoms.universe._topology.guessed_attributes}
    return getattr(atoms, name) if hasattr(atoms, name) and name not in guessed else None


def _set_masses(atoms: Any) -> NDArray[np.float64] | None:
    """Masses that were set where MDAnalysis had guessed others, 0 elsewhere; None if there are none."""
    from MDAnalysis.guesser.default_guesser import DefaultGuesser

    if not hasattr(atoms, "masses"):
        return None
    guesser, masses = DefaultGuesser(None), np.nan_to_num(np.array(atoms.masses, dtype=np.float64))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that tell no mass
        for attribute in ("elements", "types", "names"):
            labels = [str(label) for label in getattr(atoms, attribute, ())]
            guesses = {
                label: (guesser.get_atom_mass(label), guesser.guess_atom_mass(label)) for label in set(labels)
            }
            for atom, label in enumerate(labels):
                if masses[atom] in guesses[label]:
                    masses[atom] = 0.0
    return masses if masses.any() else None


def _mapped(atoms: Any, labels: list[str], options: ReadOptions, source: str) -> list[str]:
    """Labels with those replaced whose atom type or name the options map to an element."""
    table = options.elements
    if not isinstance(table, Mapping):
        raise UsageError(
            f"{source}: `elements` is a list",
            "the atoms of a topology have names and types, which have no order",
            "map names or types to elements, e.g. `elements=OW=O,HW=H`",
        )
    named = {str(label): element for label, element in table.items()}
    both = ([str(label) for label in getattr(atoms, attribute, ())] for attribute in ("types", "names"))
    own = max(both, key=lambda labels: len(set(labels) & set(named)))  # MDAnalysis guesses types: NA, not OW
    if set(own) & set(named):
        return [named.get(name, label) for name, label in zip(own, labels, strict=True)]
    names = sorted({str(name) for name in getattr(atoms, "names", ())})
    raise UsageError(
        f"{source}: `elements` names {', '.join(named)}, which are neither types nor names of its atoms",
        f"the names are {', '.join(names[:12]) or 'not stated'}",
        "map names or types of the topology, e.g. `elements=OW=O,HW=H`",
    )


def _nameless(atoms: Any, unknown: list[int], masses: NDArray[np.float64] | None, source: str) -> UsageError:
    """Error for atoms of which the topology states neither element nor a mass that tells it."""
    names = [str(name) for name in getattr(atoms, "names", [""] * len(atoms))]
    first = unknown[0]
    which = sorted({names[atom] for atom in unknown if names[atom]})
    mass = 0.0 if masses is None else float(masses[first])
    has = f"a mass of {mass:g} amu, which tells no element," if mass > 0 else "no mass"
    example = which[0] if which else "NAME"
    if len(unknown) == len(atoms) and len(which) > 1:
        return UsageError(
            f"{source}: the topology names neither elements nor masses",
            "the charges of an atom depend on its element, and guessing it from a name (is CA carbon or "
            "calcium?) goes wrong silently",
            "use a topology with elements or masses (PDB with element column, TPR, PSF, PRMTOP), or "
            "map names: "
            f"`elements={','.join(f'{name}=…' for name in which[:6])}`",
        )
    return UsageError(
        f"{source}: atom {first} ({names[first] or 'no name'}) has no element in the topology and {has}; "
        f"{len(unknown)} of {len(atoms)} atoms are like it ({', '.join(which[:6])})",
        "M sites of water models, Drude particles and shells are no atoms and move with others; what "
        "is an atom "
        "needs its element",
        f"leave such sites out with `elements={example}=NULL`, or name their element, e.g. "
        f"`elements={example}=O`",
    )
