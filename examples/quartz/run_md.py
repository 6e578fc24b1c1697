"""Molecular dynamics of α-quartz at 300 K with LAMMPS, stored as a compact npz.

    python examples/quartz/run_md.py --output quartz_300K.npz

2×2×2 hexagonal cells (72 atoms, a triclinic box), started with k_B T in every normal mode, then
energy-conserving (NVE) production with positions and velocities of the same step. About
seven minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from phonons import hessian
from potentials import POTENTIALS, System, build, quartz_cell
from scipy import constants

from bec_md.trajectory import Frame
from bec_md.trajectory.compact import write_compact
from bec_md.units import BOLTZMANN_EV_K

TEMPERATURE_K = 300.0
STEP_FS = 1.0
STORE_EVERY = 5
SEED = 20251
SQRT_EV_PER_AMU_ANG_PS = float(np.sqrt(constants.e / constants.atomic_mass)) / 100.0  # √(eV/amu) in Å/ps


def mean_temperature(system: System, picoseconds: float) -> float:
    """Run ``picoseconds`` and average the kinetic temperature (3N − 3 degrees of freedom)."""
    values = []
    for _ in range(round(picoseconds * 1000 / (STEP_FS * 10))):
        system.lmp.command("run 10 pre no post no")
        values.append(system.lmp.extract_compute("thermo_temp", 0, 0))
    return float(np.mean(values))


def start_from_normal_modes(system: System, seed: int) -> None:
    """Give every normal mode of the supercell the energy k_B T, with a random phase.

    r = r₀ + Σ_k e_k/√m √(2 k_B T)/ω_k cos φ_k,  v = −Σ_k e_k/√m √(2 k_B T) sin φ_k

    A thermostat would draw each energy from an exponential distribution, and a small crystal keeps the draw
    for 10 ps or more: that would be an error of tens of percent in the weight of single bands.
    """
    root_mass = np.sqrt(np.repeat(system.masses_amu, 3))
    squared, vectors = np.linalg.eigh(hessian(system) / np.outer(root_mass, root_mass))
    squared, vectors = squared[3:], vectors[:, 3:]  # without the three translations
    if squared[0] <= 0:
        raise ValueError("the relaxed structure has an unstable mode: no harmonic start exists")
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(squared))
    amplitude = np.sqrt(2 * BOLTZMANN_EV_K * TEMPERATURE_K)  # √eV
    displacement = vectors @ (amplitude / np.sqrt(squared) * np.cos(phase)) / root_mass
    velocity = -vectors @ (amplitude * np.sin(phase)) / root_mass * SQRT_EV_PER_AMU_ANG_PS
    system.scatter("v", velocity.reshape(-1, 3))
    system.scatter("x", system.gather("x") + displacement.reshape(-1, 3))


def equilibrate(system: System, picoseconds: float, seed: int) -> None:
    """Let the modes mix, then set the total energy so that the NVE mean temperature is 300 K."""
    lmp = system.lmp
    start_from_normal_modes(system, seed)
    lmp.commands_list([f"timestep {STEP_FS / 1000}", "fix integrate all nve", "run 0"])
    lmp.commands_list(["velocity all zero linear", "run 0"])
    mean = mean_temperature(system, picoseconds / 2)
    # One microcanonical run keeps the energy it happens to start with. Half of what is added to the
    # kinetic energy flows into the potential energy, hence the factor 2.
    lmp.commands_list(["compute now all temp", "run 0"])
    now = lmp.extract_compute("now", 0, 0)
    lmp.command(f"velocity all scale {now + 2 * (TEMPERATURE_K - mean)} temp now")
    lmp.commands_list(["velocity all zero linear", "run 0"])
    mean_temperature(system, picoseconds / 2)


def produce(
    system: System,
    picoseconds: float,
    store_every: int,
    sites_ang: NDArray[np.float64],
    cell_ang: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """NVE frames: positions [Å], velocities [Å/fs], both (T, N, 3); kinetic, potential energy [eV] (T, 2)."""
    frames = round(picoseconds * 1000 / (STEP_FS * store_every))
    positions, velocities, energies = [], [], []
    system.lmp.command("run 0")
    for frame in range(frames):
        if frame:
            system.lmp.command(f"run {store_every} pre no post no")
        offset = (system.gather("x") - sites_ang) @ np.linalg.inv(cell_ang)
        positions.append(sites_ang + (offset - np.round(offset)) @ cell_ang)
        velocities.append(system.gather("v") / 1000.0)  # Å/ps in units metal
        energies.append([system.lmp.get_thermo("ke"), system.lmp.get_thermo("pe")])
    return np.array(positions), np.array(velocities), np.array(energies)


def write(
    path: Path,
    atoms: Atoms,
    time_fs: float,
    positions: NDArray[np.float64],
    velocities: NDArray[np.float64],
) -> None:
    """Write the compact trajectory: integers times a resolution, positions not wrapped."""
    frames = [
        Frame(
            positions_ang=positions[t],
            cell_ang=atoms.cell.array,
            pbc=np.ones(3, dtype=bool),
            numbers=atoms.numbers.astype(np.int64),
            masses_amu=atoms.get_masses(),
            velocities_ang_fs=velocities[t],
            time_fs=t * time_fs,
            index=t,
        )
        for t in range(len(positions))
    ]
    # Rounding errors: at most 0.0005 Å, and 0.07 % of the rms velocity (0.0036 Å/fs).
    write_compact(
        path,
        frames,
        timestep_fs=time_fs,
        positions_resolution_ang=1e-3,
        velocities_resolution_ang_fs=5e-6,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("quartz_300K.npz"))
    parser.add_argument("--raw", type=Path, help="also write unrounded positions, velocities and energies")
    parser.add_argument("--picoseconds", type=float, default=50.0)
    parser.add_argument("--seed", type=int, default=SEED, help="phases of the normal modes at the start")
    parser.add_argument("--every", type=int, default=STORE_EVERY, help="steps between stored frames")
    parser.add_argument("--equilibration", type=float, default=4.0, help="picoseconds before the first frame")
    options = parser.parse_args()

    potential = POTENTIALS["pod"]
    if potential.lattice_ang is None:
        raise ValueError("the potential does not fix the lattice: relax it first")
    atoms = quartz_cell((2, 2, 2), *potential.lattice_ang)
    cell = atoms.cell.array
    system = build(potential, atoms)
    system.lmp.command("minimize 0.0 1.0e-6 1000 10000")
    offset = (system.gather("x") - atoms.positions) @ np.linalg.inv(cell)
    sites = atoms.positions + (offset - np.round(offset)) @ cell
    equilibrate(system, options.equilibration, options.seed)
    positions, velocities, energies = produce(system, options.picoseconds, options.every, sites, cell)
    if options.raw:
        np.savez(options.raw, positions=positions, velocities=velocities, energies=energies, sites=sites)
    interval_fs = STEP_FS * options.every
    write(options.output, atoms, interval_fs, positions, velocities)

    temperature = 2 * energies[:, 0] / (3 * len(atoms) - 3) / BOLTZMANN_EV_K
    total = energies.sum(axis=1)
    drift = np.polyfit(np.arange(len(total)) * interval_fs / 1000, total, 1)[0] / len(atoms)
    momentum = np.abs(np.einsum("i,tix->tx", system.masses_amu, velocities)).max()
    print(f"{options.output}: {len(positions)} frames, {options.output.stat().st_size / 1e6:.2f} MB")
    print(f"temperature {temperature.mean():.1f} K, fluctuation {temperature.std():.1f} K")
    rms = total.std() / len(atoms)
    print(f"total energy: drift {drift * 1e6:.2f} µeV/atom/ps, rms {rms * 1e6:.1f} µeV/atom")
    print(f"largest total momentum component {momentum:.1e} amu Å/fs before rounding")


if __name__ == "__main__":
    main()
