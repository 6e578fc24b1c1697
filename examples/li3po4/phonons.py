"""Γ phonons of β-Li3PO4 with the force fields of this example, by character, against experiment.

    python examples/li3po4/phonons.py

The atoms are relaxed in the measured cell, the Hessian is built by central differences of LAMMPS forces, and
each mode is projected on the vibrations of the PO4 ions (their symmetric stretch, their E bend, their six
F2 coordinates) and on the motion of lithium.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from model import PHOSPHATE, PhosphateField, System, beta_cell, build, phosphates
from numpy.typing import NDArray
from scipy import constants

#: √(eV/(amu Å²)) in cm⁻¹.
CM_PER_NATURAL = np.sqrt(constants.e / (constants.atomic_mass * 1e-20)) / (
    2 * np.pi * constants.speed_of_light * 100
)
STEP_ANG = 0.005
STRETCH_CM = 800.0  # F2 modes above are ν3, below ν4


@dataclass(frozen=True)
class Phonons:
    """Γ phonons with their shares.

    Parameters
    ----------
    frequencies_cm
        (K,) wavenumbers without the three translations; negative for imaginary ones.
    patterns
        (3N, K) displacements e/√m in amu^(−1/2).
    shares
        Share of the kinetic energy in "A1", "E" and "F2" vibrations of PO4 and in "Li", each (K,).
    atoms
        The relaxed cell.
    """

    frequencies_cm: NDArray[np.float64]
    patterns: NDArray[np.float64]
    shares: dict[str, NDArray[np.float64]]
    atoms: Atoms

    def bands(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation in cm⁻¹ of ν1 … ν4 and of lithium, every mode weighted by its share."""
        high = self.frequencies_cm > STRETCH_CM
        names = {
            "ν1": ("A1", high),
            "ν3": ("F2", high),
            "ν4": ("F2", ~high),
            "ν2": ("E", ~high),
            "Li": ("Li", ~high),
        }
        result = {}
        for band, (share, mask) in names.items():
            weight = self.shares[share] * mask
            mean = float(np.average(self.frequencies_cm, weights=weight))
            spread = float(np.average((self.frequencies_cm - mean) ** 2, weights=weight)) ** 0.5
            result[band] = (mean, spread)
        return result


def relax(system: System) -> NDArray[np.float64]:
    """Relaxed positions in Å, (N, 3), in the fixed cell."""
    system.lmp.commands_list(["min_style cg", "min_modify dmax 0.05 line quadratic"])
    system.lmp.command("minimize 0.0 1.0e-6 2000 20000")
    cell = system.atoms.cell.array
    offset = (system.gather("x") - system.atoms.positions) @ np.linalg.inv(cell)
    return np.asarray(system.atoms.positions + (offset - np.round(offset)) @ cell)


def hessian(system: System) -> NDArray[np.float64]:
    """Second derivatives of the energy at the present positions, shape (3N, 3N), eV/Å²."""
    reference = system.gather("x")
    rows = np.empty((reference.size, reference.size))
    for k in range(reference.size):
        forces = []
        for sign in (1.0, -1.0):
            moved = reference.copy()
            moved.flat[k] += sign * STEP_ANG
            system.scatter("x", moved)
            system.lmp.command("run 0 post no")
            forces.append(system.gather("f"))
        rows[k] = -(forces[0] - forces[1]).ravel() / (2 * STEP_ANG)
    system.scatter("x", reference)
    return (rows + rows.T) / 2


def vibrations(atoms: Atoms) -> dict[str, NDArray[np.float64]]:
    """Orthonormal mass-weighted patterns (3N, M) of the A1, E and F2 vibrations of all PO4 ions.

    The gradients of the four bond lengths and six angles of an ion span its nine vibrations: A1 is the sum
    of the lengths; E are the two combinations of angles in which opposite edges move together, less
    their sum; F2 is the rest.
    """
    root_mass = np.sqrt(np.repeat(atoms.get_masses(), 3))
    found: dict[str, list[NDArray[np.float64]]] = {"A1": [], "E": [], "F2": []}
    for center, corners in phosphates(atoms):
        bonds = atoms.get_distances(center, corners, mic=True, vector=True)
        lengths = np.linalg.norm(bonds, axis=1)
        units = bonds / lengths[:, None]

        def row(terms: dict[int, NDArray[np.float64]], center: int = center) -> NDArray[np.float64]:
            gradient = np.zeros((len(atoms), 3))
            for atom, vector in terms.items():
                gradient[atom] += vector
                gradient[center] -= vector
            return gradient.ravel() / root_mass

        stretches = np.array([row({j: units[k]}) for k, j in enumerate(corners)])
        angles = {}
        for a in range(4):
            for b in range(a):
                cosine = units[a] @ units[b]
                terms = {
                    corners[a]: (cosine * units[a] - units[b]) / lengths[a],
                    corners[b]: (cosine * units[b] - units[a]) / lengths[b],
                }
                angles[a, b] = row(terms)
        pairs = [
            angles[a, b] + angles[c, d]
            for (a, b), (c, d) in (((1, 0), (3, 2)), ((2, 0), (3, 1)), ((2, 1), (3, 0)))
        ]
        symmetric = stretches.sum(axis=0)[None]
        bends = np.array([2 * pairs[0] - pairs[1] - pairs[2], pairs[1] - pairs[2]])
        everything = np.concatenate([symmetric, bends, stretches, np.array(list(angles.values()))])
        q = _orthonormal(everything, 9)
        for name, part in (("A1", q[:1]), ("E", q[1:3]), ("F2", q[3:])):
            found[name].extend(part)
    return {name: np.array(rows).T for name, rows in found.items()}


def _orthonormal(rows: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """Gram–Schmidt in the given order, dependent rows dropped."""
    basis: list[NDArray[np.float64]] = []
    for vector in rows / np.linalg.norm(rows, axis=1)[:, None]:
        rest = vector - sum((q * (q @ vector) for q in basis), np.zeros_like(vector))
        if np.linalg.norm(rest) > 1e-3 and len(basis) < rank:
            basis.append(rest / np.linalg.norm(rest))
    return np.array(basis)


def analyze(atoms: Atoms, force_constants: NDArray[np.float64]) -> Phonons:
    """Diagonalize the mass-weighted Hessian and find the shares of each mode."""
    root_mass = np.sqrt(np.repeat(atoms.get_masses(), 3))
    squared, vectors = np.linalg.eigh(force_constants / np.outer(root_mass, root_mass))
    translations = np.tile(np.eye(3), (len(atoms), 1)) * root_mass[:, None]
    translations /= np.linalg.norm(translations, axis=0)
    optic = np.linalg.norm(translations.T @ vectors, axis=0) < 0.5
    squared, vectors = squared[optic], vectors[:, optic]
    shares = {name: ((basis.T @ vectors) ** 2).sum(axis=0) for name, basis in vibrations(atoms).items()}
    lithium = np.repeat(atoms.symbols == "Li", 3)
    shares["Li"] = (vectors[lithium] ** 2).sum(axis=0)
    frequencies = np.sign(squared) * np.sqrt(np.abs(squared)) * CM_PER_NATURAL
    return Phonons(frequencies, vectors / root_mass[:, None], shares, atoms)


def compute(field: PhosphateField | None, atoms: Atoms | None = None) -> Phonons:
    """Γ phonons of β-Li3PO4 (or another cell) with a force field."""
    system = build(atoms or beta_cell(), field, kspace="ewald 1.0e-7")
    relaxed = system.atoms.copy()
    relaxed.positions = relax(system)
    force_constants = hessian(system)
    system.lmp.close()
    return analyze(relaxed, force_constants)


def table_row(label: str, phonons: Phonons) -> str:
    """One Markdown row: P–O length, and mean and spread of each band."""
    lengths = [phonons.atoms.get_distances(p, o, mic=True) for p, o in phosphates(phonons.atoms)]
    cells = [f"{np.mean(lengths):.3f}"]
    cells += [f"{mean:.0f} ± {spread:.0f}" for mean, spread in phonons.bands().values()]
    return f"| {label} | {' | '.join(cells)} |"


def main() -> None:
    print("| | P–O [Å] | " + " | ".join(f"{name} [cm⁻¹]" for name in ("ν1", "ν3", "ν4", "ν2", "Li")) + " |")
    print("|---" * 7 + "|")
    for label, field in (("PMMCS", None), ("PO4 ions with springs", PHOSPHATE)):
        print(table_row(label, compute(field)), flush=True)


if __name__ == "__main__":
    main()
