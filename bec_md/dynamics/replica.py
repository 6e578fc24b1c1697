"""One energy-conserving replica: equilibrated, run, its trajectory and its current stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import units

from bec_md import atomic
from bec_md.ase.recorder import CurrentRecorder
from bec_md.dynamics.options import DynamicsOptions
from bec_md.dynamics.phases import Phases, degrees_of_freedom
from bec_md.structure.extxyz import frame_text
from bec_md.structure.from_ase import as_frame

#: Shortest time between two words about how far a replica is, s.
_TELL_S = 0.2


@dataclass(frozen=True)
class Replica:
    """One energy-conserving run.

    Parameters
    ----------
    trajectory, current
        Names of its files.
    temperature_k
        Mean kinetic temperature, K, the center of mass at rest.
    drift_mev_atom_ps
        Slope of the total energy, meV per atom and ps.
    """

    trajectory: str
    current: str
    temperature_k: float
    drift_mev_atom_ps: float


@dataclass(frozen=True)
class ReplicaRuns:
    """Runs replicas of one system; each depends on the seed and its number alone, wherever it runs.

    Parameters
    ----------
    atoms
        Where every replica begins.
    calculator
        An ASE calculator, or a function that makes one.
    options
        Resolved.
    prefix
        Begin of the names of the files.
    recorded
        Options of the current.
    """

    atoms: Any
    calculator: Any
    options: DynamicsOptions
    prefix: Path
    recorded: Mapping[str, Any]

    def __call__(self) -> Callable[[int, Callable[[int], None]], Replica]:
        """Make the potential, once for all replicas of this process."""
        calculator = made(self.calculator)
        return lambda number, tell: self.run(number, calculator, tell)

    def run(self, number: int, calculator: Any, tell: Callable[[int], None]) -> Replica:
        """Equilibrate, draw velocities anew, run and store."""
        from ase.md.verlet import VelocityVerlet

        options, atoms = self.options, self.atoms.copy()
        atoms.calc = calculator
        phases = Phases(atoms, options, number, _now_and_then(tell))
        phases.draw_velocities()
        phases.thermalize(options.equilibration_ps)
        phases.draw_velocities()
        freedom = degrees_of_freedom(atoms)
        trajectory = self.prefix.with_name(f"{self.prefix.name}-{number}.xyz")
        current = self.prefix.with_name(f"{self.prefix.name}-{number}_current.h5")
        dynamics: Any = VelocityVerlet(atoms, phases.step)
        energies: list[tuple[float, float]] = []
        dynamics.attach(
            lambda: energies.append((atoms.get_kinetic_energy(), atoms.get_potential_energy())),
            interval=options.interval,
        )
        with (
            atomic.replacing(trajectory, keep=True) as partial,
            partial.open("w", encoding="utf-8") as stream,
        ):
            dynamics.attach(_store, options.interval, atoms, stream, dynamics)
            with CurrentRecorder(
                dynamics, current, interval=options.interval, overwrite=True, **self.recorded
            ):
                phases.advance(dynamics, options.time_ps)
        kinetic, total = np.array(energies)[:, 0], np.array(energies).sum(axis=1)
        times = np.arange(len(total)) * options.interval * options.step_fs / 1000.0
        drift = float(np.polyfit(times, total, 1)[0]) if len(total) > 1 else 0.0
        temperature = float(kinetic.mean() / (0.5 * units.kB * freedom))
        return Replica(trajectory.name, current.name, temperature, 1000.0 * drift / len(atoms))


def made(calculator: Any) -> Any:
    """Return a calculator, made now if it is a function that makes one."""
    return calculator if is_calculator(calculator) else calculator()


def is_calculator(calculator: Any) -> bool:
    """Return whether this is a calculator, and not what makes one: a function, or its class."""
    return hasattr(calculator, "get_forces") and not isinstance(calculator, type)


def _store(atoms: Any, stream: Any, dynamics: Any) -> None:
    frame = replace(
        as_frame(atoms),
        velocities_ang_fs=np.asarray(atoms.get_velocities() * units.fs),
        time_fs=float(dynamics.get_time() / units.fs),
        info={"step": int(dynamics.nsteps)},
    )
    stream.write(frame_text(frame))


def _now_and_then(tell: Callable[[int], None]) -> Callable[[int], None]:
    """Pass on what is told, some times a second."""
    last = 0.0

    def told(done: int) -> None:
        """Pass it on if the last time is long enough ago."""
        nonlocal last
        if time.monotonic() - last > _TELL_S:
            last = time.monotonic()
            tell(done)

    return told
