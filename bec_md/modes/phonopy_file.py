"""Zone-center modes of the primitive cell of a phonopy calculation."""

from __future__ import annotations

from contextlib import chdir, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from bec_md.errors import DataError, UsageError
from bec_md.files import expanded, in_words, require_file
from bec_md.modes.reference import ReferenceModes, modes_from_force_constants
from bec_md.modes.units import parse_force_constant_units, parse_length_unit, physical_units

#: phonopy's calculators in eV, Å and amu; files of the others state their units since 2018.
_IN_EV_ANG = (None, "vasp", "aims", "castep", "crystal", "lammps", "pwmat")

#: The working folder belongs to all threads.
_IN_ITS_FOLDER = Lock()


def _load(phonopy: Any, name: str) -> Any:
    """Load a calculation; compact force constants may be those of the unit cell, not of the primitive one.

    Versions below 4 took the unit cell for it where nothing was said, and wrote nothing about it.
    """
    try:
        return phonopy.load(name, is_nac=False, log_level=0)
    except Exception:
        with suppress(Exception):
            return phonopy.load(name, primitive_matrix="P", is_nac=False, log_level=0)
        raise


def read_phonopy(path: str | Path) -> ReferenceModes:
    """Read phonopy.yaml (or phonopy_params.yaml) with its forces; return modes at Γ without LO–TO splitting.

    Force sets or force constants that the file does not hold are taken from FORCE_CONSTANTS,
    force_constants.hdf5 or FORCE_SETS beside it; its units are those that it states (of the calculator: bohr
    and Ry, …).

    Raises
    ------
    UsageError
        If phonopy is not installed, or there is no such file.
    DataError
        If phonopy cannot read it, or finds no forces, or the units are not stated.
    """
    with _IN_ITS_FOLDER:
        return _read(expanded(path))


def _read(path: Path) -> ReferenceModes:
    file = require_file(path, "a phonopy calculation is read from it")
    try:
        import phonopy
    except ImportError:
        raise UsageError(
            f"{file.name} needs phonopy, which is not installed",
            "phonopy reads its own files",
            "pip install phonopy",
        ) from None
    try:
        with chdir(file.parent):  # phonopy looks for forces in the working folder
            phonon = _load(phonopy, file.name)
        matrix = phonon.dynamical_matrix
        if matrix is None:
            raise RuntimeError("no forces and no force constants")
        matrix.run(np.zeros(3))
        dynamical = np.asarray(matrix.dynamical_matrix).real
    except Exception as error:  # phonopy raises anything
        raise DataError(
            f"phonopy cannot use {file.name}: {in_words(error, file)}",
            "modes need force sets or force constants",
            "put FORCE_SETS or FORCE_CONSTANTS beside it",
        ) from error
    stated = physical_units(file)
    if phonon.calculator not in _IN_EV_ANG and not {"length", "force_constants"} <= set(stated):
        raise DataError(
            f"{file.name} is of calculator {phonon.calculator} and states no units",
            "lengths and force constants of this calculator are not in Å and eV/Å²",
            "write it again with a phonopy that writes physical_unit",
        )
    unit = stated.get("force_constants", "eV/angstrom^2")
    length = parse_length_unit(stated.get("length", "angstrom"))
    cell = phonon.primitive
    masses, n = np.asarray(cell.masses, dtype=np.float64), len(cell.masses)
    root = np.sqrt(np.repeat(masses, 3)) * np.sqrt(parse_force_constant_units(unit))
    phi = (dynamical * np.outer(root, root)).reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    numbers = np.asarray(cell.numbers, dtype=np.int64)
    return modes_from_force_constants(
        phi, length * cell.cell, length * cell.positions, numbers, masses, f"{file.name} in {unit}"
    )
