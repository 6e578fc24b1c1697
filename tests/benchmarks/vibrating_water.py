"""A cheap trajectory: rigid molecules on a grid whose atoms vibrate as independent harmonic oscillators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bec_md.bench.structures import water
from bec_md.structure import Frame
from bec_md.trajectory.compact import write_compact
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

TIMESTEP_FS, TEMPERATURE_K = 1.0, 300.0
#: One wavenumber for each element: librations of the molecules' oxygen, vibrations of the hydrogens, cm⁻¹.
WAVENUMBERS_CM = {1: (600.0, 1650.0, 3400.0), 8: (250.0, 400.0, 600.0)}
RADIANS_PER_FS = 2 * np.pi * 2.99792458e-5  # of one cm⁻¹


def frames(n_atoms: int, n_frames: int, seed: int = 1) -> Iterator[Frame]:
    """Yield frames with the velocities that belong to the motion, at the temperature on average."""
    atoms = water(n_atoms, seed)
    masses = atoms.get_masses()
    rng = np.random.default_rng(seed)
    omega = RADIANS_PER_FS * np.array([WAVENUMBERS_CM[z] for z in atoms.numbers])  # (N, 3)
    omega *= rng.normal(1.0, 0.03, size=omega.shape)
    phase = rng.uniform(0, 2 * np.pi, size=omega.shape)
    speed = np.sqrt(2 * BOLTZMANN_EV_K * TEMPERATURE_K / (masses * AMU_ANG2_FS2_EV))[:, None]  # Å/fs
    for index in range(n_frames):
        angle = omega * (TIMESTEP_FS * index) + phase
        yield Frame(
            positions_ang=atoms.positions + speed / omega * np.sin(angle),
            cell_ang=np.asarray(atoms.cell),
            pbc=np.array([True] * 3),
            numbers=atoms.numbers.astype(np.int64),
            masses_amu=masses,
            velocities_ang_fs=speed * np.cos(angle),
            time_fs=TIMESTEP_FS * index,
            index=index,
        )


def write(path: Path, n_atoms: int, n_frames: int) -> None:
    """Write the trajectory as compact ``.npz`` or as extended XYZ, by the suffix."""
    if path.suffix == ".npz":
        write_compact(path, frames(n_atoms, n_frames), timestep_fs=TIMESTEP_FS)
        return
    with path.open("w", encoding="utf-8") as stream:
        for frame in frames(n_atoms, n_frames):
            cell = " ".join(f"{x:.6f}" for x in frame.cell_ang.ravel())
            properties = "species:S:1:pos:R:3:vel:R:3"
            stream.write(
                f'{n_atoms}\nLattice="{cell}" Properties={properties} timestep_fs={TIMESTEP_FS} pbc="T T T"\n'
            )
            symbols = np.where(frame.numbers == 8, "O", "H")
            values = np.concatenate([frame.positions_ang, frame.velocities_ang_fs], axis=1).tolist()
            stream.writelines(
                f"{symbol} %.5f %.5f %.5f %.7f %.7f %.7f\n" % tuple(row)
                for symbol, row in zip(symbols, values, strict=True)
            )
