"""The phases of a dynamics: velocities, thermostat, cell, and the time that passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import units
from ase.constraints import FixCom

from bec_md.arrays import Array
from bec_md.dynamics.options import DynamicsOptions
from bec_md.errors import DataError
from bec_md.interruption import checkpoint

#: Friction of the thermostat, 1/fs: velocities are forgotten in 50 fs.
FRICTION_PER_FS = 0.02
#: A kinetic temperature above so many times the wanted one is no fluctuation.
EXPLODED = 4.0
#: Relaxation times of the thermostat and the barostat at zero pressure, fs.
THERMOSTAT_FS, BAROSTAT_FS = 50.0, 500.0


def at_rest(atoms: Any) -> Array:
    """Return along which axes the center of mass is at rest, (3,)."""
    momenta = atoms.get_momenta()
    found: Array = np.abs(momenta.sum(axis=0)) <= 1e-8 * np.abs(momenta).sum()
    return found


def degrees_of_freedom(atoms: Any) -> int:
    """Return how many moving atoms have; a center of mass at rest has none, which `FixCom` of ASE counts."""
    held = int((at_rest(atoms) & atoms.get_momenta().any(axis=0)).sum())
    counted = 3 * sum(isinstance(constraint, FixCom) for constraint in atoms.constraints)
    return int(atoms.get_number_of_degrees_of_freedom()) - max(0, held - counted)


class Phases:
    """Atoms with a potential, brought through time.

    Parameters
    ----------
    atoms
        With their calculator.
    options
        Resolved.
    number
        Of the replica, from 1 on; 0 is the cell's own run. Random numbers follow from it and the seed.
    tell
        Called with the time steps done.
    """

    def __init__(
        self, atoms: Any, options: DynamicsOptions, number: int, tell: Callable[[int], None]
    ) -> None:
        self.atoms, self.options, self.number = atoms, options, number
        self.step = options.step_fs * units.fs
        self._tell, self._done = tell, 0
        self._random = np.random.default_rng([options.seed, number])

    def draw_velocities(self) -> None:
        """Draw momenta from the Maxwell–Boltzmann distribution; a center of mass that is free is at rest."""
        masses = self.atoms.get_masses()[:, None]
        spread = np.sqrt(units.kB * self.options.temperature_k * masses)
        self.atoms.set_momenta(spread * self._random.standard_normal((len(masses), 3)))
        momenta = self.atoms.get_momenta()  # as constraints leave them
        self.atoms.set_momenta(momenta - masses / masses.sum() * momenta.sum(axis=0))
        self.atoms.set_momenta(np.where(at_rest(self.atoms), self.atoms.get_momenta(), momenta))

    def thermalize(self, time_ps: float) -> None:
        """Langevin dynamics."""
        from ase.md.langevin import Langevin

        dynamics = Langevin(
            self.atoms,
            self.step,
            temperature_K=self.options.temperature_k,
            friction=FRICTION_PER_FS / units.fs,
            fixcm=False,  # velocities are drawn anew after it
            rng=self._random,
        )
        self.advance(dynamics, time_ps)

    def relax_cell(self) -> None:
        """Take the mean cell at zero pressure (Martyna, Tobias and Klein 1994)."""
        from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT

        lengths, angles = np.split(self.atoms.cell.cellpar(), 2)
        cubic = np.ptp(lengths) < 1e-3 * lengths[0] and bool((np.abs(angles - 90.0) < 0.1).all())
        self.draw_velocities()
        self.thermalize(self.options.equilibration_ps / 4)
        dynamics: Any = (IsotropicMTKNPT if cubic else MTKNPT)(
            self.atoms,
            self.step,
            temperature_K=self.options.temperature_k,
            pressure_au=0.0,
            tdamp=THERMOSTAT_FS * units.fs,
            pdamp=BAROSTAT_FS * units.fs,
        )
        cells: list[Any] = []
        dynamics.attach(lambda: cells.append(self.atoms.cell.array.copy()), interval=1)
        self.advance(dynamics, self.options.equilibration_ps)
        self.atoms.set_cell(np.mean(cells[len(cells) // 2 :], axis=0), scale_atoms=True)

    def advance(self, dynamics: Any, time_ps: float) -> None:
        """Let a time pass.

        Raises
        ------
        DataError
            If the run explodes.
        """
        for _ in dynamics.irun(self.options.steps(time_ps)):
            checkpoint()
            if dynamics.nsteps:
                self._done += 1
                self._tell(self._done)
            if dynamics.nsteps % 20 == 0:
                self._require_sane()

    def _require_sane(self) -> None:
        temperature = float(self.atoms.get_temperature())
        few = 1.0 + 10.0 / self.atoms.get_number_of_degrees_of_freedom()  # fluctuate more
        if not temperature < EXPLODED * few * self.options.temperature_k + 300.0:
            what = f"replica {self.number}" if self.number else "the run that relaxes the cell"
            raise DataError(
                f"{what} has exploded: {temperature:.0f} K instead of {self.options.temperature_k:g} K",
                "the potential does not hold this structure, or the time step is too long for it",
                "try a shorter time step; look at the structure; take another potential",
            )
