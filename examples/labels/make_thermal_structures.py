"""Draw the structures of the thermal benchmark: every crystal of `thermal_crystals.py` in three states.

The crystal is relaxed with a universal potential, cell included, and displaced along the modes of the
same cell as heat does it; one of the three states is strained as well. Needs ASE and SevenNet (`pip
install sevenn`; its weights come with it). The order of the file is that of the labels: the first state
of every crystal comes first.

    python make_thermal_structures.py thermal_structures.xyz.xz
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from make_structures import LOWEST_CM, POTENTIAL, harmonic_displacement, modes, write
from thermal_crystals import CRYSTALS, Crystal

TEMPERATURES_K = (300, 600, 1000)
COLD = {"molecular", "hydrate", "hydride", "hydroxide"}
"""Groups that melt or decompose: 300 K, and 500 K for the strained state."""
STRAIN = 0.015
LARGEST_ANG = 0.45
"""Drawn again, with the softest modes stiffer, until no atom moves farther: a rotation drawn as a straight
line tears molecules apart."""
LARGEST_EXPANSION = 1.1
"""Where the potential, which knows no dispersion, expands the cell by more, the tabulated cell is kept."""


def relaxed(crystal: Crystal, calculator: Any) -> Atoms:
    """Relax the crystal and, unless it expands by too much, its cell."""
    atoms = crystal.build()
    atoms.calc = calculator
    LBFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=60)
    if atoms.get_volume() > LARGEST_EXPANSION * crystal.build().get_volume():
        atoms = crystal.build()
        atoms.calc = calculator
        LBFGS(atoms, logfile=None).run(fmax=0.02, steps=60)
    return atoms


def states(crystal: Crystal, index: int) -> list[tuple[int, bool]]:
    """Return temperature and whether the cell is strained, of seeds 1, 2 and 3."""
    if crystal.group in COLD:
        return [(300, False), (300, False), (500, True)]
    first, second, third = (TEMPERATURES_K[(index + shift) % 3] for shift in range(3))
    return [(first, False), (second, False), (third, True)]


def displaced(
    crystal: Crystal, atoms: Atoms, phonons: Any, seed: int, temperature_k: int, strained: bool
) -> Atoms:
    """Return one structure with the names of its state."""
    rng = np.random.default_rng([seed, temperature_k, *atoms.numbers.tolist()])
    energy, vectors = phonons
    lowest_cm = LOWEST_CM
    while True:
        normal = rng.normal(size=len(energy))
        moved = harmonic_displacement(atoms, energy, vectors, temperature_k, normal, lowest_cm)
        if np.linalg.norm(moved, axis=1).max() < LARGEST_ANG:
            break
        lowest_cm *= 1.1
    out = Atoms(atoms.symbols, positions=atoms.positions + moved, cell=atoms.cell, pbc=True)
    sampling = f"harmonic phonons of {POTENTIAL} at {temperature_k} K, none below {lowest_cm:.0f} cm-1"
    if strained:
        strain = rng.normal(0.0, STRAIN, (3, 3))
        out.set_cell(out.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        sampling += f", random strain of {STRAIN}"
    out.info = {
        "name": f"{crystal.name}_{temperature_k}K{'-strained' if strained else ''}_{seed:02d}",
        "kind": "thermal",
        "chemistry": crystal.group,
        "sampling": sampling,
        "seed": seed,
        "total_charge": 0.0,
        "mesh_reach_ang": crystal.mesh_reach_ang,
    }
    return out


def main() -> None:
    """Write all structures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(POTENTIAL, device="cpu")
    rounds: list[list[Atoms]] = [[], [], []]
    for index, crystal in enumerate(CRYSTALS.values()):
        atoms = relaxed(crystal, calculator)
        volume = crystal.build().get_volume()
        phonons = modes(atoms)
        for seed, (temperature_k, strained) in enumerate(states(crystal, index), start=1):
            rounds[seed - 1].append(displaced(crystal, atoms, phonons, seed, temperature_k, strained))
        print(
            crystal.name,
            atoms.cell.cellpar().round(2),
            f"volume ×{atoms.get_volume() / volume:.2f}",
            np.round(phonons[0][[0, -1]] * 8065.54).astype(int),
            rounds[0][-1].info["sampling"].split("none")[1],
            flush=True,
        )
        write([frame for part in rounds for frame in part], output)


if __name__ == "__main__":
    main()
