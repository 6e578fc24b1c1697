"""The same motion gives the same J whichever way it comes in, to the precision of the formats.

LAMMPS runs 41 steps with `fix bec` and dumps every step with all digits. The others are given these frames:
stored trajectories, an observer of ASE's dynamics, an analysis of MDAnalysis, a file of predicted tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.lj import LennardJones
from ase.md.md import MolecularDynamics

from bec_md import compute_current, load_model
from bec_md.ase import CurrentRecorder
from bec_md.current.readers import open_current
from bec_md.mdanalysis import PolarizationCurrent
from bec_md.structure import Frame
from bec_md.trajectory import open_trajectory
from tests.lammps.systems import commands, quartz, soft_forces

STEPS, STEP_FS = 40, 1.0
TYPES = ("Si", "O", "H")


class Replay(MolecularDynamics):
    """A dynamics of ASE that goes where another one went."""

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = iter(frames)
        first = frames[0]
        atoms = Atoms(first.numbers, cell=first.cell_ang, pbc=True)
        atoms.calc = LennardJones(epsilon=0.0)  # a dynamics wants forces, here none
        super().__init__(atoms, STEP_FS * units.fs)
        self.step()

    def step(self) -> None:
        frame = next(self.frames)
        self.atoms.set_masses(frame.masses_amu)
        self.atoms.positions = frame.positions_ang
        self.atoms.set_velocities(frame.velocities_ang_fs / units.fs)


@pytest.fixture(params=["two_layers", "dipole"])
def run(
    request: Any, models: dict[str, Path], start: Callable[[], Any], tmp_path: Path, monkeypatch: Any
) -> Any:
    """A run of LAMMPS: model, log and dump."""
    monkeypatch.chdir(tmp_path)
    model = models[request.param]
    lmp = start()
    lmp.commands_string(
        commands(quartz((2, 1, 1)), TYPES)
        + soft_forces()
        + f"""velocity all create 600 7
fix motion all nve
fix J all bec {model} Si O H
dump every all custom 1 run.lammpstrj id element xu yu zu vx vy vz
dump_modify every sort id element Si O H format float %.17g
thermo 1
thermo_style custom step time temp vol f_J[1] f_J[2] f_J[3]
thermo_modify format float %.15g
log run.log
timestep {STEP_FS / 1000.0}
run {STEPS}
"""
    )
    lmp.command("undump every")
    lmp.command("log none")
    return model


def doors(model: Path) -> dict[str, np.ndarray]:
    """J (41, 3) in e Å/fs by every way in."""
    trajectory = open_trajectory("run.lammpstrj", timestep_fs=STEP_FS, lammps_units="metal")
    frames, masses = list(trajectory.frames()), trajectory.info.masses_amu
    images = []
    for frame in frames:
        image = Atoms(frame.numbers, frame.positions_ang, cell=frame.cell_ang, pbc=True, masses=masses)
        image.set_velocities(frame.velocities_ang_fs / units.fs)
        images.append(image)
    ase.io.write("run.xyz", images, columns=["symbols", "positions", "momenta"])
    ase.io.write("run.traj", images)
    with CurrentRecorder(Replay(frames), "observer.h5", model=str(model)) as recorder:
        recorder._dynamics.run(STEPS)
    network = load_model(str(model))
    stored = np.array([network.predict(image) for image in images])
    found = {
        "fix bec": open_current("run.log", lammps_units="metal"),
        "LAMMPS dump": compute_current(trajectory, str(model)),
        "extended XYZ": compute_current("run.xyz", str(model), timestep_fs=STEP_FS),
        "ASE trajectory": compute_current("run.traj", str(model), timestep_fs=STEP_FS),
        "ASE observer": recorder.close(),
        "MDAnalysis": PolarizationCurrent(universe(images), str(model), timestep_fs=STEP_FS)
        .run()
        .results.series,
    }
    currents = {name: series.total("none") for name, series in found.items()}
    v = np.array([frame.velocities_ang_fs for frame in frames])
    return currents | {"sum over predicted tensors": np.einsum("tiab,tib->ta", stored, v)}


def universe(images: list[Atoms]) -> Any:
    import MDAnalysis
    from MDAnalysis.coordinates.memory import MemoryReader
    from MDAnalysis.lib.mdamath import triclinic_box

    found = MDAnalysis.Universe.empty(len(images[0]), trajectory=True, velocities=True)
    found.add_TopologyAttr("elements", list(images[0].symbols))
    found.add_TopologyAttr("masses", images[0].get_masses())
    found.load_new(
        np.array([image.positions for image in images], dtype=np.float32),
        velocities=np.array([image.get_velocities() * 1000 * units.fs for image in images], dtype=np.float32),
        format=MemoryReader,
        dt=STEP_FS / 1000.0,
        dimensions=triclinic_box(*images[0].cell.array),
    )
    return found


def test_every_door_gives_the_same_current(run: Path) -> None:
    found = doors(run)
    truth = found.pop("sum over predicted tensors")
    size = np.sqrt((truth**2).mean())
    assert truth.shape == (STEPS + 1, 3)
    # MDAnalysis keeps single precision, an extended XYZ of ASE eight decimals; networks evaluate in single
    for name, current in found.items():
        assert current.shape == truth.shape, name
        assert np.abs(current - truth).max() < 2e-5 * size, (name, np.abs(current - truth).max() / size)
