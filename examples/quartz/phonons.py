"""Γ phonons and lattice of α-quartz with every candidate potential, against experiment.

    python examples/quartz/phonons.py            # all potentials, a Markdown table
    python examples/quartz/phonons.py slc bks    # some of them

The cell is relaxed to zero stress at 0 K inside its symmetry, then the Hessian is built by central
differences of LAMMPS forces. Shells, where a model has them, are massless here: they are eliminated,
H = H_cc − H_cs H_ss⁻¹ H_sc. With a Coulomb sum under tin-foil boundary conditions these are the transverse
optic (TO) frequencies.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import measured
import numpy as np
from ase import Atoms
from ase.spacegroup import Spacegroup
from numpy.typing import NDArray
from potentials import POTENTIALS, Potential, System, build, quartz_cell
from scipy import constants
from scipy.optimize import root

#: Experimental lattice [Å] and frequencies [cm⁻¹]; TO for the polar E and A2 modes. The A1 and the two lowest
#: E modes: Raman, B. D. Saksena, H. Narain, Nature 164, 583 (1949).
EXPERIMENT_LATTICE = (4.913, 5.405)
EXPERIMENT_CM = {
    "E": (128.0, 265.0, *measured.to_frequencies(measured.E_BANDS)),
    "A2": tuple(measured.to_frequencies(measured.A2_BANDS)),
    "A1": (207.0, 356.0, 466.0, 1082.0),
}
#: Entries of the table above that are infrared bands with known strength: the ones that are ranked.
RANKED = {"E": slice(2, 8), "A2": slice(0, 4)}

#: eV/(amu Å²) in cm⁻², that is (1/2πc)² for an angular frequency squared.
_EV_PER_AMU_ANG2_TO_CM2 = (
    constants.e / (constants.atomic_mass * 1e-20) / (2 * math.pi * constants.speed_of_light * 100) ** 2
)


@dataclass(frozen=True)
class Phonons:
    """Γ phonons of one relaxed cell.

    Parameters
    ----------
    atoms
        Relaxed cell.
    frequencies_cm
        (3N,) wavenumbers, ascending; negative for imaginary ones.
    eigenvectors
        (3N, 3N), mass-weighted, one column per mode.
    labels
        Irreducible representation of each mode ("A1", "A2", "E"; "T" for the three translations).
    """

    atoms: Atoms
    frequencies_cm: NDArray[np.float64]
    eigenvectors: NDArray[np.float64]
    labels: tuple[str, ...]

    def of(self, label: str) -> NDArray[np.float64]:
        """Frequencies of one representation, a degenerate pair counted once (its mean)."""
        values = self.frequencies_cm[[name == label for name in self.labels]]
        return values.reshape(-1, 2).mean(axis=1) if label == "E" else values


def set_cell(system: System, a: float, c: float) -> None:
    """Scale the hexagonal box of the 9-atom cell to ``a`` and ``c`` with all particles."""
    height = a * math.sqrt(0.75)
    system.lmp.command(
        f"change_box all x final 0 {a:.12f} y final 0 {height:.12f} z final 0 {c:.12f} "
        f"xy final {-a / 2:.12f} remap units box"
    )


def minimize(system: System) -> None:
    """Relax the particles in a fixed box."""
    system.lmp.command("min_style cg")
    system.lmp.command("min_modify dmax 0.05 line quadratic")
    for _ in range(3):
        system.lmp.command("minimize 0.0 1.0e-9 2000 20000")


def relax(system: System, start: tuple[float, float]) -> tuple[float, float]:
    """Lattice parameters (a, c) in Å at which the stress vanishes, with relaxed atoms."""
    system.lmp.command("thermo_style custom step pe pxx pyy pzz")

    def stress_gpa(lattice: NDArray[np.float64]) -> NDArray[np.float64]:
        set_cell(system, float(lattice[0]), float(lattice[1]))
        minimize(system)
        bar = [system.lmp.get_thermo(name) for name in ("pxx", "pyy", "pzz")]
        return np.array([(bar[0] + bar[1]) / 2, bar[2]]) * 1e-4

    solution = root(stress_gpa, np.array(start), options={"eps": 1e-4, "xtol": 1e-7, "factor": 0.1})
    residual = np.abs(stress_gpa(solution.x)).max()
    if residual > 0.01:
        print(f"  warning: residual stress {residual:.3f} GPa")
    return float(solution.x[0]), float(solution.x[1])


def hessian(system: System, step_ang: float = 0.005) -> NDArray[np.float64]:
    """Second derivatives of the energy for the cores, shells eliminated, shape (3N, 3N), eV/Å²."""
    reference = system.gather("x")
    n_particles = len(reference)
    rows = np.empty((3 * n_particles, 3 * n_particles))
    for k in range(3 * n_particles):
        forces = []
        for sign in (1.0, -1.0):
            moved = reference.copy()
            moved.flat[k] += sign * step_ang
            system.scatter("x", moved)
            system.lmp.command("run 0 post no")
            forces.append(system.gather("f"))
        rows[k] = -(forces[0] - forces[1]).ravel() / (2 * step_ang)
    system.scatter("x", reference)
    full = (rows + rows.T) / 2
    n_core = 3 * len(system.core)
    if n_particles == len(system.core):
        return full
    core, mixed, shell = full[:n_core, :n_core], full[:n_core, n_core:], full[n_core:, n_core:]
    return core - mixed @ np.linalg.solve(shell, mixed.T)


def representation(atoms: Atoms) -> list[tuple[int, NDArray[np.float64]]]:
    """The six operations of the point group 32 acting on 3N displacements.

    Returns
    -------
    list
        Six pairs: the trace of the rotation (3 identity, 0 threefold, −1 twofold) and a (3N, 3N) matrix.
    """
    fractional = atoms.get_scaled_positions()
    cell = atoms.cell.array
    result = []
    for rotation, translation in zip(*Spacegroup(154).get_op(), strict=True):
        cartesian = cell.T @ rotation @ np.linalg.inv(cell.T)
        matrix = np.zeros((3 * len(atoms), 3 * len(atoms)))
        for i, position in enumerate(fractional):
            difference = fractional - (rotation @ position + translation)
            difference -= np.round(difference)
            j = int(np.argmin((difference**2).sum(axis=1)))
            matrix[3 * j : 3 * j + 3, 3 * i : 3 * i + 3] = cartesian
        result.append((round(float(np.trace(cartesian))), matrix))
    return result


#: Characters of D3 by the trace of the rotation: identity 3, threefold 0, twofold −1.
CHARACTERS = {"A1": {3: 1, 0: 1, -1: 1}, "A2": {3: 1, 0: 1, -1: -1}, "E": {3: 2, 0: -1, -1: 0}}


def analyze(atoms: Atoms, force_constants: NDArray[np.float64]) -> Phonons:
    """Diagonalize the mass-weighted Hessian and assign D3 representations by projection."""
    root_mass = np.sqrt(np.repeat(atoms.get_masses(), 3))
    squared, vectors = np.linalg.eigh(force_constants / np.outer(root_mass, root_mass))
    squared *= _EV_PER_AMU_ANG2_TO_CM2
    frequencies = np.sign(squared) * np.sqrt(np.abs(squared))
    operations = representation(atoms)
    translations = np.tile(np.eye(3), (len(atoms), 1)) * root_mass[:, None]
    translations /= np.linalg.norm(translations, axis=0)
    labels = []
    for mode in vectors.T:
        if ((mode @ translations) ** 2).sum() > 0.5:
            labels.append("T")
            continue
        weight = {
            name: table[3] / 6 * sum(table[kind] * (mode @ matrix @ mode) for kind, matrix in operations)
            for name, table in CHARACTERS.items()
        }
        labels.append(max(weight, key=lambda name: weight[name]))
    return Phonons(atoms, frequencies, vectors, tuple(labels))


def compute(potential: Potential) -> Phonons:
    """Relax the 9-atom cell (only the atoms, if the lattice is fixed) and compute its Γ phonons."""
    atoms = quartz_cell()
    system = build(potential, atoms)
    a, c = potential.lattice_ang or relax(system, (4.9134, 5.4052))
    set_cell(system, a, c)
    minimize(system)
    force_constants = hessian(system)
    positions = system.gather("x")[system.core]
    relaxed = quartz_cell((1, 1, 1), a, c)
    relaxed.positions = positions
    # LAMMPS leaves the origin free along the polar axis of no force: translations do not matter, but
    # the operations of the space group need the origin of the tables back.
    shift = (relaxed.get_scaled_positions() - atoms.get_scaled_positions() + 0.5) % 1.0 - 0.5
    relaxed.positions -= shift.mean(axis=0) @ relaxed.cell.array
    system.lmp.close()
    return analyze(relaxed, force_constants)


def deviations(phonons: Phonons) -> NDArray[np.float64]:
    """Calculated minus measured frequency of the ten ranked infrared modes, cm⁻¹."""
    return np.concatenate(
        [phonons.of(name)[part] - np.array(EXPERIMENT_CM[name])[part] for name, part in RANKED.items()]
    )


def table_row(label: str, phonons: Phonons) -> str:
    """One Markdown row: lattice, E, A2, A1 frequencies, rms and largest deviation."""
    cell = phonons.atoms.cell.lengths()
    groups = [" / ".join(f"{value:.0f}" for value in phonons.of(name)) for name in ("E", "A2", "A1")]
    difference = deviations(phonons)
    return (
        f"| {label} | {cell[0]:.3f}, {cell[2]:.3f} | {' | '.join(groups)} "
        f"| {np.sqrt((difference**2).mean()):.0f} | {np.abs(difference).max():.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(POTENTIALS), metavar="POTENTIAL")
    names = parser.parse_args().names
    print("| | a, c [Å] | E [cm⁻¹] | A2 [cm⁻¹] | A1 [cm⁻¹] | rms | max |\n|---|---|---|---|---|---|---|")
    groups = [" / ".join(f"{value:g}" for value in EXPERIMENT_CM[name]) for name in ("E", "A2", "A1")]
    print(f"| experiment | {EXPERIMENT_LATTICE[0]}, {EXPERIMENT_LATTICE[1]} | {' | '.join(groups)} | | |")
    for name in names:
        print(table_row(POTENTIALS[name].label, compute(POTENTIALS[name])), flush=True)


if __name__ == "__main__":
    main()
