"""Molecular dynamics of liquid water at 300 K with LAMMPS, stored as a compact npz.

    python examples/water/run_md.py --model qtip4pf --seed 1 --output water_qtip4pf_1.npz

64 flexible molecules at the density of the liquid: some picoseconds with a global stochastic-rescaling
thermostat, which does not touch the dynamics of single molecules, then energy-conserving (NVE) production
with positions and velocities of the same step. About five minutes for 25 ps on one core.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from models import MODELS, build
from numpy.typing import NDArray

from bec_md.trajectory import Frame
from bec_md.trajectory.compact import write_compact
from bec_md.units import BOLTZMANN_EV_K

TEMPERATURE_K = 300.0
EV_PER_KCAL_MOL = 0.0433641


def gather(lmp: Any, name: str) -> NDArray[np.float64]:
    """Per-atom vectors ("x" in Å, "v" in Å/fs) ordered by atom ID, (N, 3)."""
    return np.array(lmp.gather_atoms(name, 1, 3)).reshape(-1, 3)


def equilibrate(lmp: Any, picoseconds: float, timestep_fs: float, seed: int) -> None:
    """Thermostat the liquid, then give it the mean total energy: NVE keeps what it starts with."""
    lmp.commands_list(
        [
            "fix move all nve",
            f"fix bath all temp/csvr {TEMPERATURE_K} {TEMPERATURE_K} 100.0 {seed + 3}",
            f"timestep {timestep_fs}",
            f"run {round(0.6 * picoseconds * 1000 / timestep_fs)}",
        ]
    )
    energies = []
    for _ in range(round(0.4 * picoseconds * 1000 / (20 * timestep_fs))):
        lmp.command("run 20 pre no post no")
        energies.append(lmp.get_thermo("etotal"))
    lmp.commands_list(["unfix bath", "velocity all zero linear", "run 0"])
    kinetic, total = lmp.get_thermo("ke"), lmp.get_thermo("etotal")
    target = max(kinetic + float(np.mean(energies)) - total, 0.5 * kinetic)
    lmp.command(f"velocity all scale {lmp.get_thermo('temp') * target / kinetic}")


def produce(
    lmp: Any, picoseconds: float, timestep_fs: float, store_fs: float
) -> tuple[list[Frame], NDArray[np.float64]]:
    """NVE frames, and kinetic and potential energy in eV, (T, 2)."""
    low, high = lmp.extract_box()[:2]
    cell = np.diag(np.array(high) - np.array(low))
    types = np.array(lmp.gather_atoms("type", 0, 1))
    numbers = np.where(types == 1, 8, 1).astype(np.int64)
    masses = np.where(types == 1, 15.999, 1.008)
    every = round(store_fs / timestep_fs)
    frames, energies = [], []
    lmp.command("run 0")
    for index in range(round(picoseconds * 1000 / store_fs)):
        if index:
            lmp.command(f"run {every} pre no post no")
        frames.append(
            Frame(
                positions_ang=gather(lmp, "x"),
                cell_ang=cell,
                pbc=np.ones(3, dtype=bool),
                numbers=numbers,
                masses_amu=masses,
                velocities_ang_fs=gather(lmp, "v"),
                time_fs=index * store_fs,
                index=index,
            )
        )
        energies.append([lmp.get_thermo("ke"), lmp.get_thermo("pe")])
    return frames, np.array(energies) * EV_PER_KCAL_MOL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(MODELS), default="qtip4pf")
    parser.add_argument("--output", type=Path, default=Path("water.npz"))
    parser.add_argument("--molecules", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picoseconds", type=float, default=25.0)
    parser.add_argument("--equilibration", type=float, default=5.0, help="picoseconds before the first frame")
    parser.add_argument("--timestep", type=float, default=0.5, help="integration step in fs")
    parser.add_argument("--store", type=float, default=2.0, help="time between stored frames in fs")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        lmp = build(MODELS[options.model], options.molecules, 1000 * options.seed, Path(folder) / "water.mol")
    equilibrate(lmp, options.equilibration, options.timestep, 1000 * options.seed)
    frames, energies = produce(lmp, options.picoseconds, options.timestep, options.store)
    lmp.close()
    write_compact(
        options.output,
        frames,
        timestep_fs=options.store,
        positions_resolution_ang=5e-4,
        velocities_resolution_ang_fs=1e-5,
    )
    temperature = 2 * energies[:, 0] / (3 * len(frames[0].numbers) - 3) / BOLTZMANN_EV_K
    total = energies.sum(axis=1) / options.molecules
    time_ps = np.arange(len(total)) * options.store / 1000
    drift = np.polyfit(time_ps, total, 1)[0] if len(total) > 1 else 0.0
    print(f"{options.output}: {len(frames)} frames, {options.output.stat().st_size / 1e6:.1f} MB")
    print(f"temperature {temperature.mean():.1f} K, fluctuation {temperature.std():.1f} K")
    print(f"total energy: drift {1000 * drift:.4f} meV per molecule and ps, rms {1000 * total.std():.3f} meV")


if __name__ == "__main__":
    main()
