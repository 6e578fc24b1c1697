"""ABINIT: input and run of one label. Ground state, derivative with respect to k, response to a field.

Three datasets of one input print Born effective charges and ε_∞ for the atoms where they are, with no phonon
calculation and no acoustic sum rule imposed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from k_points import Mesh, smallest_mesh
from programs import run_program

PSEUDOPOTENTIALS = "PseudoDojo ONCVPSP-PBEsol-PDv0.4 standard"
OUTPUT, STRUCTURE = "label.abo", None  # the output repeats the structure with all its digits
HINTS = "hints.csv"
"""Table beside the pseudopotentials: element, file, valence, …, ecut_normal_ha, …"""


@dataclass(frozen=True)
class Settings:
    """Convergence of the ground state and of the response."""

    tolwfr: str = "1e-14"
    tolvrs: str = "1e-7"
    boxcutmin: float = 1.6  # size of the FFT box; 2 would hold every product of two wave functions


@dataclass(frozen=True)
class Pseudopotential:
    """A row of the table."""

    file: str
    valence: float
    cutoff_ha: float


def pseudopotentials(atoms: Atoms, pseudo: Path) -> dict[str, Pseudopotential]:
    """Return those of the elements of a structure, in alphabetical order."""
    rows = [line.split(",") for line in (pseudo / HINTS).read_text().split()]
    file, valence, cutoff = map(rows[0].index, ("file", "valence", "ecut_normal_ha"))
    table = {row[0]: Pseudopotential(row[file], float(row[valence]), float(row[cutoff])) for row in rows[1:]}
    return {symbol: table[symbol] for symbol in sorted(set(atoms.get_chemical_symbols()))}


def cutoff_ha(table: dict[str, Pseudopotential]) -> float:
    """Return the largest of the recommended cutoffs."""
    return max(row.cutoff_ha for row in table.values())


def right_handed(atoms: Atoms) -> Atoms:
    """Return the same crystal, two lattice vectors exchanged if left-handed, which ABINIT refuses."""
    if np.linalg.det(atoms.cell.array) > 0:
        return atoms
    out = atoms.copy()
    out.set_cell(atoms.cell.array[[1, 0, 2]], scale_atoms=False)
    return out


def input_text(atoms: Atoms, pseudo: Path, settings: Settings, mesh: Mesh) -> str:
    """Return the input of the three datasets."""
    symbols = atoms.get_chemical_symbols()
    table = pseudopotentials(atoms, pseudo)
    types = list(table)
    electrons = sum(table[symbol].valence for symbol in symbols) - atoms.info["total_charge"]

    def numbers(values: Any) -> str:
        """Return numbers in the order of their indices, three a line: ABINIT refuses long lines."""
        flat = [f"{value:.12g}" for value in np.ravel(values)]
        return "\n  ".join(" ".join(flat[start : start + 3]) for start in range(0, len(flat), 3))

    lines = [
        "ndtset 3",
        f"ecut {cutoff_ha(table):g}",
        f"boxcutmin {settings.boxcutmin:g}",
        "occopt 1",
        f"nband {round(electrons / 2)}",
        f"cellcharge {atoms.info['total_charge']:g}",
        "nsym 1",
        "chksymbreak 0",
        "kptopt 3",
        f"kptrlatt {numbers(mesh.translations)}",
        "nshiftk 1",
        f"shiftk {numbers(0.25 * np.array(mesh.shift))}",
        "acell 1 1 1 angstrom",
        f"rprim {numbers(atoms.cell.array)}",
        f"natom {len(symbols)}",
        f"ntypat {len(types)}",
        f"znucl {numbers([atomic_numbers[symbol] for symbol in types])}",
        f"typat {numbers([types.index(symbol) + 1 for symbol in symbols])}",
        f"xred {numbers(atoms.get_scaled_positions(wrap=False))}",
        f'pp_dirpath "{pseudo.resolve()}"',
        f'pseudos "{", ".join(row.file for row in table.values())}"',
        "prtden 0",
        "prtpot 0",
        "prteig 0",
        "prtebands 0",
        "nstep 100",
        f"tolwfr1 {settings.tolwfr}",
        "getwfk2 1",
        "iscf2 -3",
        "rfelfd2 2",
        f"tolwfr2 {settings.tolwfr}",
        "getwfk3 1",
        "getddk3 2",
        "rfelfd3 3",
        f"tolvrs3 {settings.tolvrs}",
    ]
    return "\n".join(lines) + "\n"


def finished(output: Path) -> bool:
    """Whether ABINIT ended well."""
    return output.is_file() and "Calculation completed." in output.read_text(errors="replace")


def compute(atoms: Atoms, folder: Path, pseudo: Path, settings: Settings, lock: int) -> dict[str, Any]:
    """Label one structure, its mesh chosen by `mesh_reach_ang`; return what its record says."""
    atoms = right_handed(atoms)
    mesh = smallest_mesh(atoms.cell.array, atoms.info["mesh_reach_ang"])
    (folder / "label.abi").write_text(input_text(atoms, pseudo, settings, mesh))
    for old in folder.glob("label.abo*"):  # ABINIT does not overwrite
        old.unlink()
    seconds = run_program(["abinit", "label.abi"], folder / "label.out", lock)
    for large in (*folder.glob("labelo_*"), *folder.glob("labelt_*")):
        large.unlink()
    if not finished(folder / OUTPUT):
        raise RuntimeError(f"abinit did not finish, see {folder.name}/label.out")
    return {
        **asdict(settings),
        "cutoff_ha": cutoff_ha(pseudopotentials(atoms, pseudo)),
        "k_mesh": mesh.name,
        "mesh_reach_ang": round(mesh.reach_ang, 2),
        "seconds": round(seconds),
    }
