"""Read modes: phonopy's force constants (text, HDF5), or an npz with a dynamical matrix or eigenvectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.archive import read_arrays
from bec_md.arrays import Array
from bec_md.charges.symmetry import Sites
from bec_md.errors import DataError, UsageError
from bec_md.files import expanded, parsing, read_head, read_text, require_file
from bec_md.modes.reference import ReferenceModes, modes_from_force_constants
from bec_md.modes.units import parse_force_constant_units, stated_masses, stated_units
from bec_md.structure.ase_files import read_structure
from bec_md.trajectory.readers.hdf5 import is_hdf5, open_trajectory_hdf5, rows_of

if TYPE_CHECKING:
    from ase import Atoms

Indices = NDArray[np.int64]

ASSUMED = "(assumed)"
"""In the name of modes whose unit nobody stated."""
#: Largest distance of an atom from the image of another one under a lattice translation, Å.
_SAME_SITE_ANG = 0.05
#: Imaginary part of real numbers, of the largest of them.
_ROUNDING = 1e-6


def read_modes(
    path: str | Path,
    structure: str | Path | Atoms,
    masses: dict[str, float] | None = None,
    units: str | None = None,
) -> ReferenceModes:
    """Read the modes of a structure.

    Parameters
    ----------
    path
        phonopy's FORCE_CONSTANTS or force_constants.hdf5 (full, or compact with one row per atom of the
        primitive cell), or
        an ``.npz`` with ``force_constants`` (n, n, 3, 3) in eV/Å², or with ``dynamical_matrix`` (3n, 3n) in
        eV/(Å² amu), or with ``frequencies_cm`` (M,) and ``eigenvectors`` (M, n, 3), mass-weighted.
    structure
        The structure that the force constants belong to (phonopy: SPOSCAR), a file or `ase.Atoms`.
    masses
        Masses by element, amu; otherwise those of the structure's file, of isotopes in phonopy.yaml beside
        FORCE_CONSTANTS, standard atomic weights.
    units
        Unit of FORCE_CONSTANTS, e.g. ``"Ry/bohr^2"``; by default what phonopy.yaml beside it states, else
        eV/Å², which `resolve_modes` compares with the motion.

    Returns
    -------
    ReferenceModes
        Wavenumbers in cm⁻¹ (imaginary ones negative) and mass-weighted eigenvectors.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If its content does not fit the structure.
    """
    path = require_file(expanded(path), "force constants or eigenvectors are read from it")
    atoms = read_structure(structure)
    return replace(_modes(path, atoms, masses, units), pbc=tuple(atoms.pbc.tolist()))


def _modes(path: Path, atoms: Atoms, masses: dict[str, float] | None, units: str | None) -> ReferenceModes:
    cell, positions = np.array(atoms.cell), np.array(atoms.positions)
    numbers = np.array(atoms.numbers, dtype=np.int64)
    symbols, given = list(atoms.symbols), masses or {}
    isotopes = {} if "masses" in atoms.arrays or path.suffix == ".npz" else stated_masses(path, symbols)
    isotopes = {atom: mass for atom, mass in isotopes.items() if symbols[atom] not in given}
    weights = np.array([given.get(s, m) for s, m in zip(symbols, atoms.get_masses(), strict=True)])
    weights[list(isotopes)] = list(isotopes.values())
    if path.suffix == ".npz":
        if units is not None and parse_force_constant_units(units) != 1.0:
            raise UsageError(
                f"units {units!r} of {path.name}",
                "an npz holds force constants in eV/Å² by definition of the format",
                "convert them, or leave the unit out",
            )
        with parsing(path, "archive of force constants or modes"):
            return _from_npz(path, cell, positions, numbers, weights)
    packed = is_hdf5(read_head(path, 8))
    stated = (_units_of_hdf5(path) if packed else None) or stated_units(path)
    factor, unit = 1.0, f"eV/Å² {ASSUMED}"
    if units is not None:
        factor, unit = parse_force_constant_units(units), units
    elif stated is not None:
        factor, unit = stated
    with parsing(path, "table of force constants"):
        read = _read_hdf5 if packed else read_force_constants
        phi = factor * read(path, cell, positions, numbers)
    name = f"{path.name} in {unit}"
    if heavy := dict.fromkeys(f"{symbols[atom]} {mass:g} amu" for atom, mass in isotopes.items()):
        name = f"{path.name}, {', '.join(heavy)}, in {unit}"
    return modes_from_force_constants(phi, cell, positions, numbers, weights, name)


def _from_npz(path: Path, cell: Array, positions: Array, numbers: Indices, masses: Array) -> ReferenceModes:
    content = {name: _real(values, name, path) for name, values in read_arrays(path).items()}
    n = len(numbers)
    if "force_constants" in content:
        phi = content["force_constants"]
    elif "dynamical_matrix" in content and content["dynamical_matrix"].shape == (3 * n, 3 * n):
        root = np.sqrt(np.repeat(masses, 3))
        phi = (content["dynamical_matrix"] * np.outer(root, root)).reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    elif {"frequencies_cm", "eigenvectors"} <= set(content):
        vectors = content["eigenvectors"]
        frequencies = content["frequencies_cm"]
        if vectors.ndim == 2:
            raise DataError(
                f"{path.name}: eigenvectors of shape {vectors.shape}",
                "rows and columns of a square matrix cannot be told apart",
                f"store them as (M, {n}, 3), mode by mode: the columns of numpy.linalg.eigh become "
                f"vectors.T.reshape(-1, {n}, 3)",
            )
        order = np.argsort(frequencies, kind="stable")
        return ReferenceModes(cell, positions, numbers, masses, frequencies[order], vectors[order], path.name)
    else:
        raise DataError(
            f"{path.name} holds {', '.join(sorted(content)) or 'nothing'}",
            f"modes of {n} atoms are expected",
            "store force_constants (n, n, 3, 3) in eV/Å², dynamical_matrix (3n, 3n) in eV/(Å² amu), or "
            "frequencies_cm (M,) with eigenvectors (M, n, 3)",
        )
    return modes_from_force_constants(phi, cell, positions, numbers, masses, path.name)


def _real(values: NDArray[Any], name: str, path: Path) -> Array:
    """Return an array without an imaginary part that is rounding."""
    if np.iscomplexobj(values):
        largest = np.abs(values).max(initial=0.0)
        if np.abs(values.imag).max(initial=0.0) > _ROUNDING * largest:
            raise DataError(
                f"{path.name}: {name} is complex",
                "modes at the zone center are real; those of another wave vector have no infrared activity",
                "store the dynamical matrix of Γ, or real eigenvectors",
            )
        values = values.real
    return np.asarray(values, dtype=np.float64)


def read_force_constants(path: Path, cell: Array, positions: Array, numbers: Indices) -> Array:
    """Read phonopy's FORCE_CONSTANTS, (n, n, 3, 3) in the file's unit, expanding the compact form.

    Raises
    ------
    DataError
        For a damaged file, or one of another structure.
    """
    words = read_text(path).split("\n", 1)
    try:
        head = [int(word) for word in words[0].split()]
        rows = np.array(words[1].split(), dtype=np.float64).reshape(-1, 11)
    except (ValueError, IndexError) as error:
        raise DataError(
            f"{path.name} is not phonopy's FORCE_CONSTANTS: {error}",
            "it has a line with the number of atoms, then 'i j' and a 3×3 matrix for each pair",
            "write it with phonopy --writefc, or give an .npz",
        ) from error
    n = len(numbers)
    count, total = (head[0], head[-1]) if 1 <= len(head) <= 2 else (0, 0)
    if total != n or len(rows) != count * total:
        raise DataError(
            f"{path.name} holds {len(rows)} pairs of {count} × {total} atoms, the structure has {n} atoms",
            "force constants belong to the supercell that they were computed in",
            "give that supercell as the structure (phonopy: SPOSCAR)",
        )
    first = rows[:, 0].astype(int).reshape(count, total)[:, 0] - 1
    second = rows[:, 1].astype(int).reshape(count, total) - 1
    phi = np.full((count, total, 3, 3), np.nan)  # pairs that are missing stay so
    for row in range(count):
        phi[row, second[row]] = rows[row * total : (row + 1) * total, 2:].reshape(total, 3, 3)
    if count == total:
        full = np.full((n, n, 3, 3), np.nan)
        full[first] = phi
        return full
    return expand_compact(phi, first, cell, positions, numbers)


def _units_of_hdf5(path: Path) -> tuple[float, str] | None:
    """Return factor and unit that phonopy's force_constants.hdf5 states, None if it does not."""
    with open_trajectory_hdf5(path) as file:
        stated = np.ravel(file["physical_unit"][()]) if "physical_unit" in file else ()
    unit = next((str(x, "utf-8") if isinstance(x, bytes) else str(x) for x in stated), None)
    return None if unit is None else (parse_force_constant_units(unit), unit)


def _read_hdf5(path: Path, cell: Array, positions: Array, numbers: Indices) -> Array:
    """Read phonopy's force_constants.hdf5 as `read_force_constants` does the text."""
    with open_trajectory_hdf5(path) as file:
        name = next((key for key in ("force_constants", "fc2") if key in file), None)  # fc2: old phono3py
        if name is None:
            raise DataError(
                f"{path.name} holds {', '.join(sorted(file)) or 'nothing'}",
                "force constants of phonopy are its data set force_constants",
                "give force_constants.hdf5, FORCE_CONSTANTS or an .npz",
            )
        rows_of(file[name], path)
        phi = np.asarray(file[name][()], dtype=np.float64)
        n = len(numbers)
        compact = "p2s_map" in file and len(phi) < n  # it also stands beside full ones
        first = np.asarray(file["p2s_map"][()] if compact else np.arange(len(phi)), dtype=np.int64)
    if phi.shape != (len(first), n, 3, 3) or not set(first.tolist()) <= set(range(n)):
        raise DataError(
            f"{path.name}: force constants of shape {phi.shape}, the structure has {n} atoms",
            "force constants belong to the supercell that they were computed in",
            "give that supercell as the structure (phonopy: SPOSCAR)",
        )
    return phi if len(first) == n else expand_compact(phi, first, cell, positions, numbers)


def expand_compact(phi: Array, first: Indices, cell: Array, positions: Array, numbers: Indices) -> Array:
    """Force constants of all atoms from those of one atom of each sublattice, by lattice translations.

    Parameters
    ----------
    phi
        (p, n, 3, 3), rows of the atoms `first`.
    first
        (p,) indices of these atoms in the supercell.
    cell, positions, numbers
        The supercell.
    """
    n = len(numbers)
    fractional = positions @ np.linalg.inv(cell)
    sites = Sites(fractional, numbers)
    full = np.full((n, n, 3, 3), np.nan)
    for row, atom in enumerate(first.tolist()):
        for other in np.flatnonzero(numbers == numbers[atom]).tolist():
            moved = fractional + (fractional[other] - fractional[atom])
            image = sites.nearest(moved)
            apart = moved - fractional[image]
            distance = np.linalg.norm((apart - np.round(apart)) @ cell, axis=1)
            if distance.max() < _SAME_SITE_ANG and len(np.unique(image)) == n:
                full[other, image] = phi[row]
    if np.isnan(full).any():
        missing = int(np.flatnonzero(np.isnan(full).any(axis=(1, 2, 3)))[0])
        raise DataError(
            f"no lattice translation takes a listed atom to atom {missing + 1} of the supercell",
            "compact force constants are given for one atom of each sublattice",
            "give the undisplaced supercell (phonopy: SPOSCAR), or write full force constants",
        )
    return full
