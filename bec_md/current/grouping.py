"""Divide the atoms of a system into named groups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.files import expanded, is_file, read_text

if TYPE_CHECKING:
    from bec_md.structure import Frame

Indices = NDArray[np.int64]

FORMS = (
    "species, none, atoms, sublattices (of a crystal), molecules, molecules:each, layers:z:N, a file (one "
    'label per atom, or JSON {"name": [atoms]}), or a mapping name → atoms'
)

#: Atoms are bonded when closer than this times the sum of their covalent radii.
BOND_FACTOR = 1.2
#: Most slabs of a cell: thinner ones than atoms mean nothing.
_LAYERS = 100_000


@dataclass(frozen=True)
class Groups:
    """Named groups that cover every atom once.

    Parameters
    ----------
    names
        G names.
    index
        (N,) group of each atom.
    """

    names: tuple[str, ...]
    index: Indices


def make_groups(spec: Any, frame: Frame, sites: Indices | None = None) -> Groups:
    """Divide the atoms of a system.

    Parameters
    ----------
    spec
        ``"species"``, ``"none"``, ``"atoms"``, ``"molecules"`` (kinds of molecules by connectivity),
        ``"molecules:each"``, ``"layers:z:8"`` (slabs of equal thickness along a lattice vector), a mapping
        name → atoms (indices from 0), N labels, or the path of a file with either.
    frame
        The first frame: elements, and the geometry for molecules and layers.
    sites
        Of every site of the file, which atom it is, −1 for none: what is said of each in the order of the
        file is sorted out by it.

    Raises
    ------
    UsageError
        For a specification that is not understood.
    DataError
        For groups that overlap or name atoms that do not exist.
    """
    n_atoms = len(frame.numbers)
    if isinstance(spec, Groups):
        return spec
    if isinstance(spec, Mapping):
        return _from_mapping(spec, frame, "groups", sites)
    if isinstance(spec, (str, Path)):
        return _from_text(str(spec), frame, sites)
    labels = _of_atoms([str(label) for label in spec], sites)
    if len(labels) != n_atoms:
        raise DataError(
            f"groups has {len(labels)} labels for {n_atoms} atoms",
            "every atom belongs to one group",
            "give one label per atom, or a mapping name → atoms",
        )
    return from_labels(labels)


def from_labels(labels: Sequence[str]) -> Groups:
    """Return groups from one label per atom, in the order of their first appearance."""
    names = tuple(dict.fromkeys(labels))
    number = {name: i for i, name in enumerate(names)}
    return Groups(names, np.array([number[label] for label in labels], dtype=np.int64))


def _of_atoms(labels: list[str], sites: Indices | None) -> list[str]:
    """Labels of the atoms among those of all sites of a file."""
    if sites is None or len(labels) != len(sites):
        return labels
    return [label for label, atom in zip(labels, sites.tolist(), strict=True) if atom >= 0]


def _from_text(spec: str, frame: Frame, sites: Indices | None) -> Groups:
    kind, _, rest = spec.partition(":")
    if spec == "species":
        return from_labels(_symbols(frame))
    if spec in ("none", "total"):
        return Groups(("total",), np.zeros(len(frame.numbers), dtype=np.int64))
    if spec == "atoms":
        return from_labels([f"{s}{i}" for i, s in enumerate(_symbols(frame))])
    if kind == "molecules" and rest in ("", "each"):
        return _molecules(frame, each=rest == "each")
    if kind == "layers":
        return _layers(rest, frame)
    path = expanded(spec)
    if is_file(path):
        return _from_file(path, frame, sites)
    raise UsageError(
        f"`groups={spec}` is not understood, and there is no such file",
        "it says how the current is divided",
        f"use one of: {FORMS}",
    )


def _symbols(frame: Frame) -> list[str]:
    from ase.data import chemical_symbols

    return [chemical_symbols[number] for number in frame.numbers.tolist()]


def _from_mapping(spec: Mapping[Any, Any], frame: Frame, where: str, sites: Indices | None) -> Groups:
    n_atoms = len(frame.numbers) if sites is None else len(sites)
    labels = ["rest"] * n_atoms
    taken: dict[int, str] = {}
    for name, atoms in spec.items():
        chosen = np.atleast_1d(np.asarray(getattr(atoms, "ix", atoms)))  # an AtomGroup knows its numbers
        if chosen.dtype == np.bool_ and chosen.shape == (n_atoms,):
            chosen = np.flatnonzero(chosen)
        for atom in chosen.tolist():
            if not isinstance(atom, int) or not 0 <= atom < n_atoms:
                raise DataError(
                    f"group {name!r} of {where} names atom {atom!r}",
                    f"the system has atoms 0 … {n_atoms - 1}",
                    "count atoms from 0, in the order of the trajectory",
                )
            if atom in taken:
                raise DataError(
                    f"atom {atom} is in the groups {taken[atom]!r} and {name!r} of {where}",
                    "partial currents add up to the total only if every atom belongs to one group",
                    "put the atom into one group",
                )
            taken[atom] = str(name)
            labels[atom] = str(name)
    labels = _of_atoms(labels, sites)
    order = [str(name) for name in spec if str(name) in set(labels)]
    names = tuple(order + (["rest"] if "rest" in labels and "rest" not in order else []))
    number = {name: i for i, name in enumerate(names)}
    return Groups(names, np.array([number[label] for label in labels], dtype=np.int64))


def _from_file(path: Path, frame: Frame, sites: Indices | None) -> Groups:
    text = read_text(path)
    if text.lstrip().startswith("{"):
        try:
            return _from_mapping(json.loads(text), frame, path.name, sites)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(
                f"{path.name} is not JSON: {error}",
                "it starts like a mapping name → atoms",
                'write {"bridge": [0, 1], "cage": [2, 3]}, or one label per atom',
            ) from error
    labels = _of_atoms([word for line in text.splitlines() for word in line.split("#")[0].split()], sites)
    if len(labels) != len(frame.numbers):
        raise DataError(
            f"{path.name} has {len(labels)} labels, the trajectory {len(frame.numbers)} atoms",
            "a file of groups has one label per atom, in the order of the trajectory",
            'write one label per atom, or JSON {"name": [atoms]}',
        )
    return from_labels(labels)


def _layers(rest: str, frame: Frame) -> Groups:
    axis, _, count = rest.partition(":")
    counted = count.isdecimal() and 1 <= int(count[:9]) <= _LAYERS
    if axis not in ("x", "y", "z", "a", "b", "c") or not counted:
        raise UsageError(
            f"`groups=layers:{rest}` is not understood",
            f"layers are slabs of equal thickness along one lattice vector, {_LAYERS} at most",
            "write layers:z:8 for eight slabs along the third lattice vector",
        )
    column = "xyzabc".index(axis) % 3
    fractional = (frame.positions_ang @ np.linalg.inv(frame.cell_ang))[:, column] % 1.0
    slab = np.minimum((fractional * int(count)).astype(int), int(count) - 1)
    present = np.unique(slab)
    renumber = {int(number): i for i, number in enumerate(present)}
    index = np.array([renumber[int(number)] for number in slab], dtype=np.int64)
    return Groups(tuple(f"layer{int(number)}" for number in present), index)


def bonded(frame: Frame) -> tuple[Indices, Indices, Indices]:
    """Return both atoms of every bond, in either direction, and the number of the molecule of each atom."""
    from ase import Atoms
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    atoms = Atoms(frame.numbers, frame.positions_ang, cell=frame.cell_ang, pbc=frame.pbc)
    found: Any = neighbor_list  # ASE has no annotations
    first, second = found("ij", atoms, (BOND_FACTOR * covalent_radii[frame.numbers]).tolist())
    n_atoms = len(atoms)
    bonds = coo_matrix((np.ones(len(first)), (first, second)), shape=(n_atoms, n_atoms))
    return first, second, np.asarray(connected_components(bonds, directed=False)[1], dtype=np.int64)


def _molecules(frame: Frame, *, each: bool) -> Groups:
    label = bonded(frame)[2]
    symbols = np.array(_symbols(frame))
    formulas = [_formula(symbols[label == molecule].tolist()) for molecule in range(label.max() + 1)]
    if each:
        return from_labels([f"{formulas[m]}-{m}" for m in label.tolist()])
    return from_labels([formulas[m] for m in label.tolist()])


def _formula(symbols: list[str]) -> str:
    from ase.formula import Formula

    text: Any = Formula.from_list(symbols).format("hill")
    return str(text)
