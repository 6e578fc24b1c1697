"""Exact harmonic motion with positions, velocities and a clock that is known, and files made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units

FS_PER_CM = 1.0 / (2 * np.pi * 2.99792458e-5)  # ω [rad/fs] = wavenumber / this


@dataclass
class HarmonicMotion:
    """Atoms on independent springs: Na and Cl in turns, thermal at about 330 K."""

    n_frames: int = 60
    interval_fs: float = 1.0
    n_atoms: int = 4
    low_cm: float = 300.0
    high_cm: float = 500.0
    seed: int = 1
    cell: np.ndarray | None = None

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        if self.cell is None:
            self.cell = 9.0 * np.eye(3)
        self.symbols = ["Na", "Cl"] * (self.n_atoms // 2)
        masses = np.array([22.98976928, 35.45] * (self.n_atoms // 2))
        omega = random.uniform(self.low_cm, self.high_cm, (self.n_atoms, 3)) / FS_PER_CM
        speed = np.sqrt(8.617e-5 * 330.0 / masses / 103.642695)[:, None]  # Å/fs, 1 amu Å²/fs² = 103.64 eV
        amplitude = speed / omega * random.normal(0.0, 1.0, omega.shape).clip(0.3, 3) * np.sqrt(2)
        phase = random.uniform(0.0, 2 * np.pi, omega.shape)
        sites = random.uniform(0.0, 1.0, (self.n_atoms, 3)) @ self.cell
        time = np.arange(self.n_frames)[:, None, None] * self.interval_fs
        self.masses = masses
        self.positions = sites + amplitude * np.cos(omega * time + phase)
        self.velocities = -amplitude * omega * np.sin(omega * time + phase)

    def images(self, indices: Iterable[int], *, velocities: bool = True) -> list[Atoms]:
        """ASE's Atoms of some frames."""
        found = []
        for index in indices:
            atoms = Atoms(self.symbols, self.positions[index], cell=self.cell, pbc=True)
            atoms.set_masses(self.masses)
            if velocities:
                atoms.set_velocities(self.velocities[index] / units.fs)
            found.append(atoms)
        return found

    def extxyz(
        self,
        *,
        velocities: bool = True,
        comment: str = "",
        frames: list[int] | None = None,
        order: dict[int, list[int]] | None = None,
        decimals: int = 8,
        scale: float = 1.0,
    ) -> str:
        """Extended XYZ, velocities in Å/fs times `scale`; `{i}` and `{t}` in the comment: index and fs."""
        lattice = " ".join(f"{x:.10f}" for x in self.cell.ravel())
        columns = "species:S:1:pos:R:3" + (":vel:R:3" if velocities else "")
        text = []
        for i in range(self.n_frames) if frames is None else frames:
            said = comment.format(i=i, t=i * self.interval_fs)
            text += [str(self.n_atoms), f'Lattice="{lattice}" Properties={columns} pbc="T T T" {said}']
            for atom in (order or {}).get(i, range(self.n_atoms)):
                row = [f"{x:.{decimals}f}" for x in self.positions[i, atom]]
                if velocities:
                    row += [f"{x:.10f}" for x in scale * self.velocities[i, atom]]
                text.append(" ".join([self.symbols[atom], *row]))
        return "\n".join(text) + "\n"

    def lammps(
        self,
        columns: str,
        *,
        lengths: np.ndarray | None = None,
        masses: np.ndarray | None = None,
        images: np.ndarray | None = None,
    ) -> str:
        """LAMMPS dump in `real` units; the box grows with `lengths`, positions with it."""
        text = []
        edge = float(self.cell[0, 0])
        for i in range(self.n_frames):
            length = edge if lengths is None else float(lengths[i])
            box = "\n".join([f"{-(length - edge) / 2:.10f} {length - (length - edge) / 2:.10f}"] * 3)
            text.append(
                f"ITEM: TIMESTEP\n{i}\nITEM: NUMBER OF ATOMS\n{self.n_atoms}\n"
                f"ITEM: BOX BOUNDS pp pp pp\n{box}\nITEM: ATOMS id type {columns}"
            )
            for atom in range(self.n_atoms):
                corner = -(length - edge) / 2
                inside = corner + (self.positions[i, atom] % edge) * length / edge
                n = np.zeros(3, dtype=int) if images is None else images[atom]
                values = {
                    **dict(zip("xyz", inside, strict=True)),
                    **dict(zip(("xu", "yu", "zu"), inside + n * length, strict=True)),
                    **dict(zip(("ix", "iy", "iz"), n, strict=True)),
                    **dict(zip(("vx", "vy", "vz"), self.velocities[i, atom], strict=True)),
                    "mass": 0.0 if masses is None else masses[atom],
                }
                row = " ".join(f"{values[name]:.10g}" for name in columns.split())
                text.append(f"{atom + 1} {1 + atom % 2} {row}")
        return "\n".join(text) + "\n"
