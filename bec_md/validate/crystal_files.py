"""Write a run of the model crystal as other programs write theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.atomic import replacing
from bec_md.units import AMU_ANG2_FS2_EV
from bec_md.validate.crystal import HarmonicCrystal


def write_extxyz(
    path: Path,
    crystal: HarmonicCrystal,
    displacements: Array,
    velocities: Array,
    timestep_fs: float,
    digits: int = 10,
) -> None:
    """Extended XYZ with momenta in ASE's units, √(amu eV), and the time of each frame."""
    momenta = velocities * (crystal.masses_amu * AMU_ANG2_FS2_EV**0.5)[:, None]
    columns = np.concatenate([crystal.positions_ang + displacements, momenta], axis=2)
    lattice = " ".join(f"{x:.10g}" for x in crystal.cell_ang.ravel())
    head = f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:momenta:R:3 pbc="T T T" time_fs='
    row = "%s " + " ".join([f"%.{digits}g"] * 6)
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as out:
        for step, frame in enumerate(columns.tolist()):
            out.write(f"{len(crystal.symbols)}\n{head}{step * timestep_fs:g}\n")
            lines = (row % (s, *v) for s, v in zip(crystal.symbols, frame, strict=True))
            out.write("\n".join(lines) + "\n")


def write_lammps_dump(
    path: Path, crystal: HarmonicCrystal, displacements: Array, velocities: Array, timestep_fs: float
) -> None:
    """LAMMPS text dump in metal units (Å/ps), triclinic box, masses, atoms in reverse order."""
    cell = crystal.cell_ang  # lower triangular: LAMMPS' own orientation
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    low = [min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0]
    high = [cell[0, 0] + max(0.0, xy, xz, xy + xz), cell[1, 1] + max(0.0, yz), cell[2, 2]]
    tilts = (xy, xz, yz)
    box = "\n".join(f"{a:.10g} {b:.10g} {t:.10g}" for a, b, t in zip(low, high, tilts, strict=True))
    columns = np.concatenate([crystal.positions_ang + displacements, 1000.0 * velocities], axis=2)
    types = {symbol: number + 1 for number, symbol in enumerate(dict.fromkeys(crystal.symbols))}
    names = [f"{i + 1} {types[s]} {m:.10g} " for i, (s, m) in enumerate(_species(crystal))]
    row = " ".join(["%.10g"] * 6)
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as out:
        for step, frame in enumerate(columns.tolist()):
            out.write(f"ITEM: UNITS\nmetal\nITEM: TIMESTEP\n{step * round(timestep_fs)}\n")
            out.write(f"ITEM: NUMBER OF ATOMS\n{len(names)}\nITEM: BOX BOUNDS xy xz yz pp pp pp\n{box}\n")
            out.write("ITEM: ATOMS id type mass xu yu zu vx vy vz\n")
            lines = [name + row % tuple(v) for name, v in zip(names, frame, strict=True)]
            out.write("\n".join(reversed(lines)) + "\n")


def _species(crystal: HarmonicCrystal) -> list[tuple[str, float]]:
    return list(zip(crystal.symbols, crystal.masses_amu.tolist(), strict=True))
