"""Molecular dynamics of crystalline, glassy and molten Li3PO4 with LAMMPS, stored as compact npz files.

    python examples/li3po4/run_md.py crystal --temperature 300
    python examples/li3po4/run_md.py glass --temperature 300
    python examples/li3po4/run_md.py glass --temperature 1400 --picoseconds 80 --output hot

The crystal is β-Li3PO4 in the measured cell. The glass is made by melting it at the density of the
simulated glass that this example is compared with, and quenching. Each replica has its own seed; it is
brought to the temperature by a Langevin thermostat and then runs without one (NVE).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from model import System, beta_cell, build
from numpy.typing import NDArray

from bec_md.trajectory import Frame
from bec_md.trajectory.compact import write_compact
from bec_md.units import BOLTZMANN_EV_K

STEP_FS = 2.0
STORE_EVERY = 5
DAMPING_PS = 0.1
MELT_K = 3000.0
GLASS_ANG3_PER_ATOM = 10.247  # 2.345 g/cm³


def crystal_start(repeat: tuple[int, int, int]) -> Atoms:
    """Supercell of the β crystal."""
    return beta_cell().repeat(repeat)


def glass_start(repeat: tuple[int, int, int], seed: int, melt_ps: float, quench_ps: float) -> Atoms:
    """Melt the crystal in a cube, cool it at constant density to 300 K."""
    atoms = crystal_start(repeat)
    system = build(atoms)  # the bonds of the ions are found in the crystal; the box is changed afterwards
    edge = (GLASS_ANG3_PER_ATOM * len(atoms)) ** (1 / 3)
    lmp = system.lmp
    lmp.commands_list(
        [
            "minimize 0.0 1.0e-3 500 5000",
            f"timestep {STEP_FS / 2000}",
            f"velocity all create {MELT_K} {seed} mom yes loop all",
            "fix move all nve",
            f"fix bath all langevin {MELT_K} {MELT_K} {DAMPING_PS} {seed}",
            f"fix shape all deform 1 x final 0 {edge} y final 0 {edge} z final 0 {edge} remap x",
            f"run {round(melt_ps * 1000 / STEP_FS)} post no",  # half the time, with half the time step
            "unfix shape",
            f"run {round(melt_ps * 1000 / STEP_FS)} post no",
            f"timestep {STEP_FS / 1000}",
            f"fix bath all langevin {MELT_K} 300 {DAMPING_PS} {seed + 1}",
            f"run {round(quench_ps * 1000 / STEP_FS)} post no",
        ]
    )
    glass = atoms.copy()
    glass.set_cell([edge, edge, edge])
    glass.positions = system.gather("x")
    lmp.close()
    return glass


def mean_temperature(system: System, picoseconds: float) -> float:
    """Run and average the kinetic temperature (3N − 3 degrees of freedom)."""
    values = []
    for _ in range(max(1, round(picoseconds * 1000 / (STEP_FS * 10)))):
        system.lmp.command("run 10 pre no post no")
        values.append(system.lmp.extract_compute("thermo_temp", 0, 0))
    return float(np.mean(values))


def equilibrate(system: System, temperature_k: float, picoseconds: float, seed: int) -> None:
    """Thermostat for two fifths of the time; then free runs, after which the total energy is set twice."""
    lmp = system.lmp
    lmp.commands_list(
        [
            f"timestep {STEP_FS / 1000}",
            f"velocity all create {temperature_k} {seed} mom yes loop all",
            "fix move all nve",
            f"fix bath all langevin {temperature_k} {temperature_k} {DAMPING_PS} {seed}",
            f"run {round(picoseconds * 400 / STEP_FS)} post no",
            "unfix bath",
            "velocity all zero linear",
            "run 0 post no",
        ]
    )
    for _ in range(2):
        mean = mean_temperature(system, picoseconds / 5)
        # Half of what is added to the kinetic energy flows into the potential energy, hence the factor 2.
        lmp.commands_list(["compute now all temp", "run 0 post no"])
        now = lmp.extract_compute("now", 0, 0)
        lmp.command(f"velocity all scale {max(now + 2 * (temperature_k - mean), 0.2 * now)} temp now")
        lmp.commands_list(["uncompute now", "velocity all zero linear", "run 0 post no"])
    mean_temperature(system, picoseconds / 5)


def produce(system: System, picoseconds: float) -> tuple[list[Frame], NDArray[np.float64]]:
    """NVE frames, and kinetic and potential energy [eV] of each, (T, 2)."""
    atoms = system.atoms
    frames, energies = [], []
    system.lmp.command("run 0 post no")
    for index in range(round(picoseconds * 1000 / (STEP_FS * STORE_EVERY))):
        if index:
            system.lmp.command(f"run {STORE_EVERY} pre no post no")
        frames.append(
            Frame(
                positions_ang=system.gather("x"),
                cell_ang=atoms.cell.array,
                pbc=np.ones(3, dtype=bool),
                numbers=atoms.numbers.astype(np.int64),
                masses_amu=atoms.get_masses(),
                velocities_ang_fs=system.gather("v") / 1000.0,  # Å/ps in units metal
                time_fs=index * STEP_FS * STORE_EVERY,
                index=index,
            )
        )
        energies.append([system.lmp.get_thermo("ke"), system.lmp.get_thermo("pe")])
    return frames, np.array(energies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("phase", choices=("crystal", "glass"))
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--picoseconds", type=float, default=20.0, help="of each replica")
    parser.add_argument("--equilibration", type=float, default=6.0, help="picoseconds before")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--repeat", type=int, nargs=3, default=(2, 2, 2), help="16-atom cells")
    parser.add_argument("--melt", type=float, default=5.0, help="picoseconds at 3000 K")
    parser.add_argument("--quench", type=float, default=15.0, help="picoseconds to 300 K")
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--output", type=Path, help="prefix of the trajectories; the phase by default")
    options = parser.parse_args()
    prefix = options.output or Path(options.phase)
    for replica in range(1, options.replicas + 1):
        seed = options.seed + 100 * replica
        repeat = tuple(options.repeat)
        if options.phase == "crystal":
            atoms = crystal_start(repeat)
        else:
            atoms = glass_start(repeat, seed, options.melt, options.quench)
        system = build(atoms)
        system.lmp.command("minimize 0.0 1.0e-3 500 5000")
        equilibrate(system, options.temperature, options.equilibration, seed + 2)
        frames, energies = produce(system, options.picoseconds)
        system.lmp.close()
        path = prefix.with_name(f"{prefix.name}_{replica}.npz")
        # Rounding: at most 0.0005 Å and 2.5·10⁻⁶ Å/fs, 0.07 % of the rms velocity of oxygen at 300 K.
        write_compact(
            path,
            frames,
            timestep_fs=STEP_FS * STORE_EVERY,
            positions_resolution_ang=1e-3,
            velocities_resolution_ang_fs=5e-6,
        )
        temperature = 2 * energies[:, 0] / (3 * len(atoms) - 3) / BOLTZMANN_EV_K
        total = energies.sum(axis=1) / len(atoms)
        drift = np.polyfit(np.linspace(0.0, options.picoseconds, len(total)), total, 1)[0]
        print(
            f"{path}: {len(frames)} frames, {temperature.mean():.1f} ± {temperature.std():.1f} K, "
            f"energy drift {drift * 1e6:.1f} µeV/atom/ps, rms {total.std() * 1e6:.0f} µeV/atom",
            flush=True,
        )


if __name__ == "__main__":
    main()
