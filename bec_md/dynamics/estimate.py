"""How long a dynamics will take, measured on its own structure before it is run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.dynamics.options import DynamicsOptions

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.network import BecModel


@dataclass(frozen=True)
class Estimate:
    """What a run will cost.

    Parameters
    ----------
    n_atoms
        Atoms of the repeated cell.
    options
        Resolved.
    workers
        Processes that run replicas side by side.
    seconds_per_step, seconds_per_sample
        Measured here: forces, and Z*, of one process.
    """

    n_atoms: int
    options: DynamicsOptions
    workers: int
    seconds_per_step: float
    seconds_per_sample: float

    @property
    def samples(self) -> int:
        """Samples of the current of one replica."""
        return self.options.steps(self.options.time_ps) // self.options.interval + 1

    @property
    def seconds(self) -> float:
        """Expected duration: the cell by one process, then as many rounds of replicas as it takes."""
        replica = self.options.replica_steps * self.seconds_per_step + self.samples * self.seconds_per_sample
        rounds = -(-self.options.replicas // self.workers)
        return self.options.cell_steps * self.seconds_per_step + rounds * replica


def estimate(
    structure: Atoms,
    calculator: Any,
    options: DynamicsOptions,
    model: BecModel | None = None,
    *,
    workers: int = 1,
) -> Estimate:
    """Time a few force calls and evaluations of Z* (`model`) on slightly displaced atoms."""
    options = options.resolved(structure)
    atoms = options.supercell(structure)
    atoms.calc = calculator
    random = np.random.default_rng(0)

    def forces() -> None:
        """Compute forces of atoms that have moved a little."""
        atoms.set_positions(atoms.positions + 0.01 * random.normal(size=(len(atoms), 3)))
        atoms.get_forces()

    per_step = _seconds(forces)
    per_sample = 0.0 if model is None else _seconds(lambda: model.predict_batch([atoms] * 4)) / 4
    return Estimate(len(atoms), options, min(workers, options.replicas), per_step, per_sample)


def _seconds(call: Any) -> float:
    """Mean duration of a call, the first one left out."""
    call()
    begin, count = time.perf_counter(), 0
    while count < 3 or (time.perf_counter() - begin < 0.5 and count < 100):
        call()
        count += 1
    return (time.perf_counter() - begin) / count
