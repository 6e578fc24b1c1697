"""Thermally displaced crystals labeled with a slow potential: the data to which a fast one is fitted.

The force constants of the supercell (every atom of the cell is moved along each axis; translations give the
rest) define normal modes. Every frame then has random phases and energies k_B T in all modes, a temperature
of its own and a small random strain. Modes softer than a floor, unstable ones too, are displaced as if they
had its frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from bec_md.arrays import Array
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K, angular_frequency_from_wavenumber

#: Displacement of the finite differences, Å.
STEP_ANG = 0.02

#: Returns copies of configurations with energy and forces stored.
LabelAll = Callable[[Sequence[Any]], list[Atoms]]


def displaced(cell: Any, repeat: tuple[int, int, int]) -> list[Atoms]:
    """Supercells with one atom of the first cell moved along one axis, there and back: 6 for every atom."""
    frames = []
    for atom, axis, sign in np.ndindex(len(cell), 3, 2):
        moved = cell.repeat(repeat)
        moved.positions[atom, axis] += (1 - 2 * sign) * STEP_ANG
        frames.append(moved)
    return frames


def force_constants(cell: Any, repeat: tuple[int, int, int], labeled: Sequence[Any]) -> Array:
    """(3N, 3N) force constants of the supercell in eV/Å², from the labeled frames of `displaced`."""
    n = len(cell)
    constants_of = np.zeros((*repeat, n, 3, *repeat, n, 3))
    forces = np.array([atoms.get_forces() for atoms in labeled]).reshape(n, 3, 2, *repeat, n, 3)
    for atom, axis in np.ndindex(n, 3):
        row = -(forces[atom, axis, 0] - forces[atom, axis, 1]) / (2 * STEP_ANG)
        for shift in np.ndindex(*repeat):
            constants_of[(*shift, atom, axis)] = np.roll(row, shift, axis=(0, 1, 2))
    square = constants_of.reshape(3 * n * int(np.prod(repeat)), -1)
    return (square + square.T) / 2


def normal_modes(supercell: Atoms, hessian: Array, floor_cm: float) -> tuple[Array, Array]:
    """Angular frequencies (K,) in √(eV/(amu Å²)), not below the floor, and displacement patterns (3N, K)."""
    root_mass = np.sqrt(np.repeat(supercell.get_masses(), 3))
    squared, vectors = np.linalg.eigh(hessian / np.outer(root_mass, root_mass))
    translations = np.tile(np.eye(3), (len(supercell), 1)) * root_mass[:, None]
    translations /= np.linalg.norm(translations, axis=0)
    optic = np.linalg.norm(translations.T @ vectors, axis=0) < 0.5
    floor = angular_frequency_from_wavenumber(floor_cm) * np.sqrt(AMU_ANG2_FS2_EV)  # from rad/fs
    frequencies = np.maximum(np.sqrt(np.abs(squared)), floor)
    return frequencies[optic], (vectors / root_mass[:, None])[:, optic]


def random_frame(
    supercell: Any,
    frequencies: Array,
    patterns: Array,
    temperature_k: float,
    strain: float,
    generator: np.random.Generator,
) -> Atoms:
    """Return the supercell at a random point of its harmonic distribution, randomly strained."""
    atoms = supercell.copy()
    amplitude = np.sqrt(BOLTZMANN_EV_K * temperature_k) / frequencies
    atoms.positions += (patterns @ (amplitude * generator.normal(size=len(amplitude)))).reshape(-1, 3)
    random = generator.normal(scale=strain, size=(3, 3))
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + (random + random.T) / 2), scale_atoms=True)
    return atoms  # type: ignore[no-any-return]


def labeled_frames(
    cell: Any,
    repeat: tuple[int, int, int],
    label: LabelAll,
    frames: int,
    *,
    temperatures_k: tuple[float, float] = (50.0, 900.0),
    strain: float = 0.004,
    floor_cm: float = 60.0,
    seed: int = 1,
) -> list[Atoms]:
    """Return labeled configurations: 6 of every atom of the cell, then `frames` thermal ones.

    Parameters
    ----------
    cell
        Crystal near its mechanical equilibrium.
    repeat
        Cells along the three lattice vectors.
    label
        Labels configurations with the slow potential (`bec_md.dynamics.labels.Labels`).
    frames
        Number of thermal configurations.
    temperatures_k
        Range of their temperatures, K.
    strain
        Standard deviation of the components of their strain.
    floor_cm
        Lowest frequency that they are drawn with, cm⁻¹.
    seed
        Of the random numbers.
    """
    first = label(displaced(cell, repeat))
    hessian = force_constants(cell, repeat, first)
    supercell = cell.repeat(repeat)
    frequencies, patterns = normal_modes(supercell, hessian, floor_cm)
    generator = np.random.default_rng(seed)
    low, high = temperatures_k
    return first + label(
        [
            random_frame(
                supercell,
                frequencies,
                patterns,
                low + (high - low) * (k + 0.5) / frames,
                strain,
                generator,
            )
            for k in range(frames)
        ]
    )
