"""Γ phonons and their strength of one cell, with a fitted potential or a universal network.

    python phonons.py srtio3.xyz --potential srtio3
    python phonons.py srtio3.xyz --network 7net-0

The atoms are relaxed in the given cell (not with --no-relax), the force constants are central differences.
The strength of a mode, from the Born effective charges of the model that suits the elements, is its
contribution to the static dielectric tensor, Δε = e²/(ε₀V) Σ Z*e/√m Z*e/√m / ω², here its trace
over three. TO frequencies: periodic images feel no macroscopic field.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from engine import CM_PER_NATURAL, Potential, build
from numpy.typing import NDArray
from scipy import constants

import bec_md

STEP_ANG = 0.01
#: e²/ε₀ in eV Å: the strength of a mode with Z in e, V in Å³ and ω² in eV/(amu Å²).
E2_OVER_EPS0_EV_ANG = constants.e / constants.epsilon_0 * 1e10


@dataclass(frozen=True)
class Phonons:
    """Γ phonons of one cell.

    Parameters
    ----------
    atoms
        The cell at which they were computed.
    frequencies_cm
        (3N,) wavenumbers, ascending; negative for imaginary ones.
    patterns
        (3N, 3N) displacements e/√m in amu^(−1/2), one column per mode.
    """

    atoms: Atoms
    frequencies_cm: NDArray[np.float64]
    patterns: NDArray[np.float64]

    def strength(self, model: str = "auto") -> NDArray[np.float64]:
        """(3N, 3) diagonal of each mode's contribution to the static dielectric tensor."""
        network = bec_md.load_model(model, structures=[self.atoms])
        charges = network.predict(self.atoms)
        dipoles = np.einsum("iab,ibk->ka", charges, self.patterns.reshape(len(self.atoms), 3, -1))
        squared = (self.frequencies_cm / CM_PER_NATURAL) ** 2
        with np.errstate(divide="ignore"):
            return E2_OVER_EPS0_EV_ANG / self.atoms.get_volume() * dipoles**2 / squared[:, None]


def from_forces(atoms: Atoms, forces: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Phonons:
    """Diagonalize the force constants; ``forces`` maps positions to forces, both (N, 3)."""
    start = atoms.get_positions()
    hessian = np.zeros((start.size, start.size))
    for k in range(start.size):
        moved = start.copy()
        moved.flat[k] += STEP_ANG
        plus = forces(moved)
        moved.flat[k] -= 2 * STEP_ANG
        hessian[k] = -(plus - forces(moved)).ravel() / (2 * STEP_ANG)
    root_mass = np.sqrt(np.repeat(atoms.get_masses(), 3))
    squared, vectors = np.linalg.eigh((hessian + hessian.T) / 2 / np.outer(root_mass, root_mass))
    frequencies = np.sign(squared) * np.sqrt(np.abs(squared)) * CM_PER_NATURAL
    return Phonons(atoms, frequencies, vectors / root_mass[:, None])


def with_potential(potential: Potential, atoms: Atoms, relax: bool = True) -> Phonons:
    """Γ phonons with a fitted potential."""
    system = build(potential, atoms)
    system.lmp.command("run 0")
    cell = system.atoms.copy()
    if relax:
        cell.positions = system.relax()
    return from_forces(cell, system.forces)


def with_network(name: str, atoms: Atoms, relax: bool = True) -> Phonons:
    """Γ phonons with a universal network (needs its package)."""
    from sample import network

    cell = atoms.copy()
    cell.calc = network(name)
    if relax:
        BFGS(cell, logfile=None).run(fmax=1e-3, steps=200)

    def forces(positions: NDArray[np.float64]) -> NDArray[np.float64]:
        cell.positions = positions
        return np.asarray(cell.get_forces(), dtype=float)

    return from_forces(cell.copy(), forces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structure", type=Path)
    parser.add_argument("--potential", type=Path, help="prefix of the two files of a fitted potential")
    parser.add_argument("--network", help="name of a universal network, e.g. 7net-0")
    parser.add_argument("--no-relax", action="store_true")
    parser.add_argument("--all", action="store_true", help="also modes without strength")
    options = parser.parse_args()
    atoms = ase.io.read(options.structure)
    if options.potential:
        phonons = with_potential(Potential.of(options.potential), atoms, not options.no_relax)
    else:
        phonons = with_network(options.network or "7net-0", atoms, not options.no_relax)
    strength = phonons.strength()
    print("frequency [cm⁻¹]   Δε of each axis")
    for frequency, axes in zip(phonons.frequencies_cm, strength, strict=True):
        if abs(frequency) > 5 and (options.all or np.abs(axes).max() > 0.005):
            print(f"{frequency:10.1f}    " + "".join(f"{x:9.2f}" for x in axes))
    axes = strength[np.abs(phonons.frequencies_cm) > 5].sum(axis=0)
    print("       sum    " + "".join(f"{x:9.2f}" for x in axes))


if __name__ == "__main__":
    main()
