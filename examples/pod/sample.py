"""Label thermally displaced crystals with a universal network: the data to which `fit.py` fits a potential.

    python sample.py srtio3.xyz --repeat 2 2 2 --frames 160 --output frames.xyz
    python sample.py --relabel md.xyz --output more.xyz       # energies and forces of given configurations

The network is displaced around the given structure first: its force constants in the supercell (every atom of
the cell is moved by ±0.02 Å along each axis; translations give the rest) define normal modes. Every
frame then has random phases and energies k_B T in all modes, a temperature of its own and a small random
strain. Modes softer than the floor, unstable ones too, are displaced as if they had its frequency.
Needs `pip install sevenn==0.13.0` (weights included); a 40-atom frame takes 0.2 s on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray
from scipy import constants

from bec_md.units import BOLTZMANN_EV_K

STEP_ANG = 0.02
# 1 cm⁻¹ as an angular frequency in √(eV/(amu Å²))
CM = 2 * np.pi * constants.speed_of_light * 100 * np.sqrt(constants.atomic_mass * 1e-20 / constants.e)


def network(name: str) -> Any:
    """ASE calculator of a universal network: a SevenNet name ("7net-0"), or "chgnet"."""
    if name == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu", on_isolated_atoms="ignore")
    from sevenn.calculator import SevenNetCalculator

    model, _, modal = name.partition(":")
    return SevenNetCalculator(model, modal=modal or None, device="cpu")


def label(atoms: Atoms, calculator: Any) -> Atoms:
    """A copy with energy and forces stored."""
    atoms = atoms.copy()
    atoms.wrap()
    atoms.calc = calculator
    results = {"energy": atoms.get_potential_energy(force_consistent=True), "forces": atoms.get_forces()}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def displaced(
    cell: Atoms, repeat: tuple[int, int, int], calculator: Any
) -> tuple[list[Atoms], NDArray[np.float64]]:
    """Labeled displaced supercells and the (3N, 3N) force constants of the supercell in eV/Å²."""
    supercell = cell.repeat(repeat)
    n, frames = len(cell), []
    constants_of = np.zeros((*repeat, n, 3, *repeat, n, 3))
    for atom in range(n):
        for axis in range(3):
            forces = []
            for sign in (1, -1):
                moved = supercell.copy()
                moved.positions[atom, axis] += sign * STEP_ANG
                frames.append(label(moved, calculator))
                forces.append(frames[-1].get_forces())
            row = -(forces[0] - forces[1]).reshape(*repeat, n, 3) / (2 * STEP_ANG)
            for shift in np.ndindex(*repeat):
                constants_of[(*shift, atom, axis)] = np.roll(row, shift, axis=(0, 1, 2))
    square = constants_of.reshape(3 * len(supercell), -1)
    return frames, (square + square.T) / 2


def modes(
    supercell: Atoms, hessian: NDArray[np.float64], floor_cm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angular frequencies (K,) in √(eV/(amu Å²)), not below the floor, and displacement patterns (3N, K)."""
    root_mass = np.sqrt(np.repeat(supercell.get_masses(), 3))
    squared, vectors = np.linalg.eigh(hessian / np.outer(root_mass, root_mass))
    softest = np.sort(np.sign(squared) * np.sqrt(np.abs(squared)) / CM)[:9]
    print("softest modes of the supercell [cm⁻¹]:", *np.round(softest, 1))
    translations = np.tile(np.eye(3), (len(supercell), 1)) * root_mass[:, None]
    translations /= np.linalg.norm(translations, axis=0)
    optic = np.linalg.norm(translations.T @ vectors, axis=0) < 0.5
    frequencies = np.maximum(np.sqrt(np.abs(squared)), floor_cm * CM)
    return frequencies[optic], (vectors / root_mass[:, None])[:, optic]


def random_frame(
    supercell: Atoms,
    frequencies: NDArray[np.float64],
    patterns: NDArray[np.float64],
    temperature_k: float,
    strain: float,
    generator: np.random.Generator,
) -> Atoms:
    """The supercell at a random point of its harmonic distribution, randomly strained."""
    atoms = supercell.copy()
    amplitude = np.sqrt(BOLTZMANN_EV_K * temperature_k) / frequencies
    atoms.positions += (patterns @ (amplitude * generator.normal(size=len(amplitude)))).reshape(-1, 3)
    random = generator.normal(scale=strain, size=(3, 3))
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + (random + random.T) / 2), scale_atoms=True)
    return atoms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path, nargs="*")
    parser.add_argument("--repeat", type=int, nargs=3, default=(2, 2, 2))
    parser.add_argument("--frames", type=int, default=160, help="of each structure")
    parser.add_argument("--temperatures", type=float, nargs=2, default=(50.0, 900.0), help="range in K")
    parser.add_argument("--strain", type=float, default=0.004, help="standard deviation")
    parser.add_argument("--floor", type=float, default=60.0, help="lowest frequency in cm⁻¹")
    parser.add_argument("--relabel", type=Path, help="label these configurations instead")
    parser.add_argument("--network", default="7net-0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()

    calculator = network(options.network)
    generator = np.random.default_rng(options.seed)
    if options.relabel:
        for atoms in ase.io.iread(options.relabel):
            ase.io.write(options.output, label(atoms, calculator), format="extxyz", append=True)
        return
    for path in options.structures:
        cell, repeat = ase.io.read(path), tuple(options.repeat)
        frames, hessian = displaced(cell, repeat, calculator)
        ase.io.write(options.output, frames, format="extxyz", append=True)
        supercell = cell.repeat(repeat)
        frequencies, patterns = modes(supercell, hessian, options.floor)
        low, high = options.temperatures
        for k in range(options.frames):
            temperature = low + (high - low) * (k + 0.5) / options.frames
            atoms = random_frame(supercell, frequencies, patterns, temperature, options.strain, generator)
            ase.io.write(options.output, label(atoms, calculator), format="extxyz", append=True)


if __name__ == "__main__":
    main()
