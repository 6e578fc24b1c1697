"""Molecules in crystals that nobody has grown: random cells, shrunk until the molecules touch.

What a molecule's neighbors do to its Born effective charges is learned from such cells; the charge of the
hydrogen of a hydrogen bond may be three times that in vacuum, so that cells of straight chains of such
bonds are drawn as well.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data.vdw_alvarez import vdw_radii
from numpy.typing import NDArray

CONTACT = (0.8, 0.95)
"""Shortest distance between packed molecules over the sum of the radii of van der Waals."""
HYDROGEN_BOND = 0.8
"""The same between hydrogen and N, O or F, over that of others."""
BEND = 0.1
"""Spread of the direction of a hydrogen bond, over its length, along each axis."""
PACKINGS = 10
"""Tried for each molecule; the densest one is taken."""


def touching_distances(molecule: Atoms, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how near each pair of atoms of two packed molecules may come."""
    hydrogen = molecule.numbers == 1
    bond = np.outer(hydrogen, acceptors(molecule))
    touching = np.add.outer(vdw_radii[molecule.numbers], vdw_radii[molecule.numbers])
    touching[bond | bond.T] *= HYDROGEN_BOND
    return np.asarray(touching * rng.uniform(*CONTACT))


def acceptors(molecule: Atoms) -> NDArray[np.bool_]:
    """Tell which atoms take part in hydrogen bonds."""
    return np.isin(molecule.numbers, (7, 8, 9))


def overlap(apart: NDArray[np.float64], touching: NDArray[np.float64], shifts: NDArray[np.float64]) -> bool:
    """Tell whether molecules at these lattice vectors come nearer than they may."""
    distances = np.linalg.norm(apart + shifts[:, None, None], axis=-1)
    return bool((distances < touching).any())


def chain(
    molecule: Atoms, touching: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the vector to the next molecule of a hydrogen-bonded chain, and how near atoms may come.

    The donor of the bond may come as near to the acceptor as the hydrogen between them lets it. None if no
    hydrogen of the molecule reaches an acceptor of the next one.
    """
    positions, apart = molecule.positions, molecule.positions[:, None] - molecule.positions[None, :]
    hydrogens = np.flatnonzero(molecule.numbers == 1)
    pairs = [(h, a) for h in hydrogens for a in np.flatnonzero(acceptors(molecule))]
    for h, a in rng.permutation(np.array(pairs, dtype=int).reshape(-1, 2)):
        donor = np.argsort(np.linalg.norm(apart[h], axis=-1))[1]
        bond = positions[h] - positions[donor]
        bond = bond / np.linalg.norm(bond) + rng.normal(0.0, BEND, 3)
        vector = positions[h] + 1.001 * touching[h, a] * bond / np.linalg.norm(bond) - positions[a]
        near = touching.copy()
        near[[donor, a], [a, donor]] = touching[h, a]
        if not overlap(apart, near, np.outer([-2, -1, 1, 2], vector)):
            return np.asarray(vector), near
    return None


def packed(molecule: Atoms, rng: np.random.Generator, chained: bool = False) -> Atoms:
    """Put a molecule into the densest of some random cells, each shrunk until the molecules touch."""
    touching, step = touching_distances(molecule, rng), None
    if chained:
        found = chain(molecule, touching, rng)
        if found is None:
            raise RuntimeError("no hydrogen-bonded chain")
        step, touching = found
    _, axes = np.linalg.eigh(np.cov(molecule.positions.T))
    axes = axes[:, ::-1]
    if step is not None:
        axes = np.linalg.qr(np.column_stack([step, axes[:, :2]]))[0]
    positions = molecule.positions @ axes
    images = np.array([n for n in np.ndindex(5, 5, 5) if n != (2, 2, 2)]) - 2
    apart = positions[:, None] - positions[None, :]
    cells = []
    for shear in rng.uniform(-0.5, 0.5, (PACKINGS, 3)):
        cell = np.diag(np.ptp(positions, axis=0) + 8.0)
        if step is not None:
            cell[0, 0] = np.linalg.norm(step)
        cell[1, 0], cell[2, :2] = shear[0] * cell[0, 0], shear[1:] * np.diag(cell)[:2]
        for factor in (0.9, 0.98):
            axes_left = [0, 1, 2] if step is None else [1, 2]
            while axes_left:
                for axis in list(axes_left):
                    smaller = cell.copy()
                    smaller[:, axis] *= factor  # a strain along a Cartesian axis
                    if overlap(apart, touching, images @ smaller):
                        axes_left.remove(axis)
                    else:
                        cell = smaller
        cells.append(cell)
    return Atoms(molecule.symbols, positions=positions, cell=min(cells, key=np.linalg.det), pbc=True)
