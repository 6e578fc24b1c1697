"""The structures of the benchmark: quartz and water, made from published geometry and a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array

if TYPE_CHECKING:
    from ase import Atoms


#: α-quartz at room temperature, space group P3₂21 (Levien, Prewitt and Weidner 1980).
QUARTZ_A_ANG, QUARTZ_C_ANG = 4.916, 5.4054
QUARTZ_SI_X = 0.4697
QUARTZ_O = (0.4135, 0.2669, 0.7858)
#: r.m.s. displacement along one axis of Si and O in quartz at 300 K, Å: about what X-rays see.
QUARTZ_RATTLE_ANG = 0.08

#: Geometry of the free water molecule and the density of the liquid at 298 K.
WATER_OH_ANG, WATER_HOH_DEG = 0.9572, 104.52
WATER_DENSITY_G_CM3 = 0.997
#: Intermolecular distances shorter than this are not met in the liquid, Å.
WATER_CONTACT_ANG = 1.5


@dataclass(frozen=True, slots=True)
class BenchSystem:
    """A structure of the benchmark."""

    name: str
    n_atoms: int

    @property
    def label(self) -> str:
        """Name and number of atoms."""
        return f"{self.name} {self.n_atoms}"

    def frames(self, count: int, seed: int = 1) -> list[Atoms]:
        """Return `count` different frames of this system."""
        make = quartz if self.name == "quartz" else water
        return [make(self.n_atoms, seed=seed + index) for index in range(count)]


#: Replicas of the cell of nine atoms along a, b, c, by the number of atoms.
QUARTZ_REPLICAS = {72: (2, 2, 2), 288: (4, 4, 2), 2592: (8, 6, 6)}

SYSTEMS: dict[str, tuple[BenchSystem, ...]] = {
    "quartz": tuple(BenchSystem("quartz", size) for size in QUARTZ_REPLICAS),
    "water": (BenchSystem("water", 192), BenchSystem("water", 1536)),
}


def quartz_cell() -> tuple[Array, Array, NDArray[np.int64]]:
    """Lattice (3, 3) in Å, fractional positions (9, 3) and atomic numbers of α-quartz."""
    a, c, u = QUARTZ_A_ANG, QUARTZ_C_ANG, QUARTZ_SI_X
    cell = np.array([[a, 0.0, 0.0], [-a / 2, a * np.sqrt(3) / 2, 0.0], [0.0, 0.0, c]])
    x, y, z = QUARTZ_O
    silicon = [(u, 0.0, 2 / 3), (0.0, u, 1 / 3), (-u, -u, 0.0)]
    oxygen = [
        (x, y, z),
        (-y, x - y, z + 2 / 3),
        (y - x, -x, z + 1 / 3),
        (y, x, -z),
        (x - y, -y, 1 / 3 - z),
        (-x, y - x, 2 / 3 - z),
    ]
    return cell, np.array(silicon + oxygen) % 1.0, np.array([14] * 3 + [8] * 6)


def quartz(n_atoms: int, seed: int = 1, rattle_ang: float = QUARTZ_RATTLE_ANG) -> Atoms:
    """α-quartz with independent Gaussian displacements of the atoms.

    Parameters
    ----------
    n_atoms
        A size of `QUARTZ_REPLICAS`.
    seed
        Of the displacements.
    rattle_ang
        Their standard deviation along each axis, Å.

    References
    ----------
    Levien, Prewitt and Weidner, American Mineralogist 65, 920 (1980).
    """
    from ase import Atoms

    cell, fractional, numbers = quartz_cell()
    unit = Atoms(numbers, scaled_positions=fractional, cell=cell, pbc=True)
    atoms: Atoms = unit.repeat(QUARTZ_REPLICAS[n_atoms])  # type: ignore[no-untyped-call]
    rng = np.random.default_rng(seed)
    atoms.positions += rng.normal(scale=rattle_ang, size=atoms.positions.shape)
    return atoms


def water(n_atoms: int, seed: int = 1) -> Atoms:
    """Rigid water molecules with random orientations on a jittered cubic grid at the density of the liquid.

    Not a snapshot of the liquid, but as many neighbors at the same distances, which is what the cost depends
    on. Molecules are turned again until none touches another one.

    Parameters
    ----------
    n_atoms
        Three times a cube of a whole number: 192, 1536 …
    seed
        Of places and orientations.
    """
    from ase import Atoms

    molecules = n_atoms // 3
    per_side = round(molecules ** (1 / 3))
    length = (molecules * 18.01528 / (WATER_DENSITY_G_CM3 * 0.602214076)) ** (1 / 3)  # Å
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(per_side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    centers = (grid + 0.5) * length / per_side + rng.uniform(-0.2, 0.2, size=(molecules, 3))
    positions = np.empty((0, 3))
    for center in centers:
        positions = np.concatenate([positions, _place(center, positions, length, rng)])
    return Atoms("OHH" * molecules, positions=positions, cell=[length] * 3, pbc=True)


def _place(center: Array, others: Array, length: float, rng: np.random.Generator, tries: int = 40) -> Array:
    """Turn a molecule until it touches no other one; the best orientation if none is free."""
    half = np.deg2rad(WATER_HOH_DEG) / 2
    hydrogen = WATER_OH_ANG * np.array([[np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]])
    molecule = np.concatenate([np.zeros((1, 3)), hydrogen])
    best, widest = molecule + center, -1.0
    for _ in range(tries):
        turned = center + molecule @ random_rotation(rng).T
        apart = turned[:, None] - others[None]
        apart -= length * np.rint(apart / length)
        closest = float(np.sqrt(np.square(apart).sum(-1)).min(initial=np.inf))
        if closest > widest:
            best, widest = turned, closest
        if closest > WATER_CONTACT_ANG:
            break
    return best


def random_rotation(rng: np.random.Generator) -> Array:
    """Rotation matrix (3, 3), uniform over all rotations: from a random unit quaternion."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
