"""A short trajectory with known numbers, and writers that know nothing of the readers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols


@dataclass
class Truth:
    """Five frames of MgO in a triclinic cell: internal units, every number drawn at random."""

    n_frames: int = 5
    timestep_fs: float = 2.0
    numbers: np.ndarray = field(default_factory=lambda: np.array([12, 12, 8, 8, 8, 12, 8]))
    cell: np.ndarray = field(
        default_factory=lambda: np.array([[7.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-2.0, 1.0, 9.0]])
    )

    def __post_init__(self) -> None:
        random = np.random.default_rng(20)
        n_atoms = len(self.numbers)
        start = random.uniform(0.0, 1.0, (n_atoms, 3)) @ self.cell
        # ~0.005 Å/fs is thermal at some 500 K.
        self.velocities = random.normal(0.0, 0.005, (self.n_frames, n_atoms, 3))
        steps = np.cumsum(self.velocities * self.timestep_fs, axis=0)
        self.positions = start + steps - steps[:1]
        self.charges = random.normal(0.0, 2.0, (self.n_frames, n_atoms, 3, 3))

    @property
    def symbols(self) -> list[str]:
        return [chemical_symbols[number] for number in self.numbers]

    def wrapped(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the cell, and the image flags taken off."""
        scaled = self.positions[index] @ np.linalg.inv(self.cell)
        images = np.floor(scaled)
        return (scaled - images) @ self.cell, images.astype(int)

    def atoms(self, *, momenta: bool = True, charges: bool = False, times: bool = True) -> list[Atoms]:
        # 1 Å/fs is √(amu Å²/eV)/fs ASE velocity units; recomputed from ase.units as an oracle.
        from ase import units

        images = []
        for index in range(self.n_frames):
            atoms = Atoms(self.numbers, self.positions[index], cell=self.cell, pbc=True)
            if momenta:
                atoms.set_velocities(self.velocities[index] / units.fs)
            if charges:
                atoms.arrays["becs"] = self.charges[index].reshape(-1, 9)
            if times:
                atoms.info["time_fs"] = index * self.timestep_fs
            images.append(atoms)
        return images

    def extxyz(
        self,
        columns: dict[str, np.ndarray] | None = None,
        comment: str = "",
        lattice: bool = True,
        labels: list[str] | None = None,
    ) -> str:
        """Text of an extended XYZ file; `columns` are (T, N, k) arrays by name, `{i}` is the frame."""
        lines = []
        columns = columns or {}
        for index in range(self.n_frames):
            properties = "species:S:1:pos:R:3" + "".join(
                f":{name}:R:{values.shape[2]}" for name, values in columns.items()
            )
            cell = " ".join(f"{x:.10f}" for x in self.cell.ravel())
            head = f'Lattice="{cell}" ' if lattice else ""
            lines += [str(len(self.numbers)), f"{head}Properties={properties} " + comment.format(i=index)]
            for atom, label in enumerate(labels or self.symbols):
                row = [self.positions[index, atom], *(values[index, atom] for values in columns.values())]
                lines.append(label + " " + " ".join(f"{x:.10f}" for x in np.concatenate(row)))
        return "\n".join(lines) + "\n"


def assert_helpful(error: BaseException, *words: str) -> None:
    """Every message says what, why and how to go on, and names these words."""
    text = str(error)
    assert "\n  why: " in text
    assert "\n  fix: " in text
    for word in words:
        assert word in text, text
