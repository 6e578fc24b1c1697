"""Molecular dynamics of a crystal with a fitted potential: energy-conserving replicas of one temperature.

    python run_md.py srtio3.xyz --potential srtio3 --repeat 2 2 2 --temperature 300 --output srtio3_300K

Each replica is brought to the temperature by a Langevin thermostat of its own, its energy is set so that the
mean kinetic temperature is right, and then it runs without thermostat (NVE). Positions and velocities of
the same step are stored in one compact file per replica, OUTPUT_1.npz, OUTPUT_2.npz, …, and `bec-md spectrum`
averages them. Several short replicas sample better than one long run: in a nearly harmonic crystal a mode
keeps the energy that it happened to get for many picoseconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ase.io
import numpy as np
from engine import Potential, System, build
from numpy.typing import NDArray

from bec_md.trajectory import Frame
from bec_md.trajectory.compact import write_compact
from bec_md.units import BOLTZMANN_EV_K

FRICTION_PS = 0.2  # damping time of the thermostat


def mean_temperature(system: System, picoseconds: float, step_fs: float) -> float:
    """Run and average the kinetic temperature (3N − 3 degrees of freedom)."""
    values = []
    for _ in range(max(1, round(picoseconds * 1000 / (step_fs * 10)))):
        system.lmp.command("run 10 pre no post no")
        values.append(system.lmp.extract_compute("thermo_temp", 0, 0))
    return float(np.mean(values))


def equilibrate(system: System, temperature_k: float, picoseconds: float, step_fs: float, seed: int) -> None:
    """Thermostat for one half of the time, then choose the total energy and run freely for the other half."""
    lmp = system.lmp
    lmp.commands_list(
        [
            f"timestep {step_fs / 1000}",
            f"velocity all create {2 * temperature_k} {seed} mom yes loop all",
            "fix integrate all nve",
            f"fix bath all langevin {temperature_k} {temperature_k} {FRICTION_PS} {seed}",
            f"run {round(picoseconds * 500 / step_fs)} post no",
            "unfix bath",
            "velocity all zero linear",
            "run 0 post no",
        ]
    )
    mean = mean_temperature(system, picoseconds / 4, step_fs)
    # One microcanonical run keeps the energy it happens to start with. Half of what is added to the
    # kinetic energy flows into the potential energy, hence the factor 2.
    lmp.commands_list(["compute now all temp", "run 0 post no"])
    now = lmp.extract_compute("now", 0, 0)
    lmp.command(f"velocity all scale {max(now + 2 * (temperature_k - mean), 0.2 * now)} temp now")
    lmp.commands_list(["uncompute now", "velocity all zero linear", "run 0 post no"])
    mean_temperature(system, picoseconds / 4, step_fs)


def produce(
    system: System, picoseconds: float, step_fs: float, every: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """NVE frames: positions [Å], velocities [Å/fs], both (T, N, 3); kinetic, potential energy [eV] (T, 2)."""
    cell, sites = system.atoms.cell.array, system.atoms.positions
    positions, velocities, energies = [], [], []
    system.lmp.command("run 0 post no")
    for frame in range(round(picoseconds * 1000 / (step_fs * every))):
        if frame:
            system.lmp.command(f"run {every} pre no post no")
        offset = (system.gather("x") - sites) @ np.linalg.inv(cell)
        positions.append(sites + (offset - np.round(offset)) @ cell)
        velocities.append(system.gather("v") / 1000.0)  # Å/ps in units metal
        energies.append([system.lmp.get_thermo("ke"), system.lmp.get_thermo("pe")])
    return np.array(positions), np.array(velocities), np.array(energies)


def write(
    path: Path,
    system: System,
    positions: NDArray[np.float64],
    velocities: NDArray[np.float64],
    timestep_fs: float,
    grid: tuple[float, float],
) -> None:
    """Write the compact trajectory: multiples of ``grid``, Å and Å/fs; positions not wrapped."""
    atoms = system.atoms
    frames = [
        Frame(
            positions_ang=positions[t],
            cell_ang=atoms.cell.array,
            pbc=np.ones(3, dtype=bool),
            numbers=atoms.numbers.astype(np.int64),
            masses_amu=atoms.get_masses(),
            velocities_ang_fs=velocities[t],
            time_fs=t * timestep_fs,
            index=t,
        )
        for t in range(len(positions))
    ]
    write_compact(
        path,
        frames,
        timestep_fs=timestep_fs,
        positions_resolution_ang=grid[0],
        velocities_resolution_ang_fs=grid[1],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structure", type=Path)
    parser.add_argument("--potential", type=Path, required=True, help="prefix of the two files")
    parser.add_argument("--repeat", type=int, nargs=3, default=(2, 2, 2))
    parser.add_argument("--scale", type=float, default=1.0, help="of all lengths: thermal expansion")
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--picoseconds", type=float, default=25.0, help="of each replica")
    parser.add_argument("--equilibration", type=float, default=6.0, help="picoseconds before")
    parser.add_argument("--step", type=float, default=1.0, help="time step in fs")
    parser.add_argument("--every", type=int, default=10, help="steps between stored frames")
    parser.add_argument(
        "--grid",
        type=float,
        nargs=2,
        default=(1e-3, 5e-6),
        help="stored positions (Å) and velocities (Å/fs) are multiples of these; coarse is small",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="prefix of the trajectories")
    options = parser.parse_args()

    atoms = ase.io.read(options.structure).repeat(tuple(options.repeat))
    atoms.set_cell(atoms.cell.array * options.scale, scale_atoms=True)
    for replica in range(1, options.replicas + 1):
        system = build(Potential.of(options.potential), atoms)
        seed = 1000 * options.seed + replica
        equilibrate(system, options.temperature, options.equilibration, options.step, seed)
        positions, velocities, energies = produce(system, options.picoseconds, options.step, options.every)
        path = options.output.with_name(f"{options.output.name}_{replica}.npz")
        interval_fs = options.step * options.every
        write(path, system, positions, velocities, interval_fs, tuple(options.grid))
        temperature = 2 * energies[:, 0] / (3 * len(atoms) - 3) / BOLTZMANN_EV_K
        total = energies.sum(axis=1) / len(atoms)
        drift = np.polyfit(np.linspace(0, options.picoseconds, len(total)), total, 1)[0]
        print(
            f"{path.name}: {len(positions)} frames, {temperature.mean():.1f} ± {temperature.std():.1f} K, "
            f"drift of the energy {drift * 1e6:.1f} µeV/atom/ps, largest offset from the sites "
            f"{np.linalg.norm(positions - system.atoms.positions, axis=-1).max():.2f} Å"
        )


if __name__ == "__main__":
    main()
