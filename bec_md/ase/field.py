r"""A homogeneous electric field on top of any ASE calculator.

With the energy :math:`U(r) - E \cdot P(r)` the force on atom i is
:math:`F_{ib} = -\partial U/\partial r_{ib} + \sum_a E_a Z^*_{i,ab}` (Umari and Pasquarello 2002). The field
does the work :math:`W = \int E \cdot J\,dt` with :math:`J = \sum_i Z^*_i v_i`, so that :math:`T + U - W` is
conserved under every field, and :math:`T + U - E \cdot P` under a constant one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import fs

from bec_md.arrays import Array
from bec_md.ase.calculator import ModelCalculator
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.md.md import MolecularDynamics

    from bec_md.network import BecModel

Vector = Sequence[float] | Array


class Field(ModelCalculator):
    r"""Any calculator, with the exact force of −E·P added.

    Parameters
    ----------
    calculator
        Gives energy and forces without a field.
    field
        Electric field E, (3,) in V/Å; or a function of the time in fs that returns it (see `follow`).
    model
        Where Z* comes from: a loaded model, or the name or path of one. Where the tensors derive from a
        polarization, the energy holds −E·P (positions must not be wrapped during a run); where they do not,
        it is that of `calculator` alone, and `work_ev` the only bookkeeping.
    **options
        Of `bec_md.network.load_model`.

    Attributes
    ----------
    calculator
        The one without a field.
    time_fs
        Time at which the field is taken, fs; `follow` keeps it. Unknown (None) at first.
    work_ev
        Work :math:`\int E \cdot J\,dt` that the field has done since `follow`, eV: trapezoid rule, one term
        per step.
    """

    def __init__(
        self,
        calculator: Any,
        field: Vector | Callable[[float], Vector],
        model: BecModel | str | Path = "auto",
        **options: Any,
    ) -> None:
        super().__init__(model, **options)
        self.implemented_properties = ["energy", "free_energy", "forces", "born_effective_charges"]
        self.calculator = calculator
        self.time_fs: float | None = None
        self.work_ev = 0.0
        self._field = field
        self._dynamics: Any = None
        self._before: tuple[Array, Array] | None = None  # positions and field forces of the step before
        self.field_at(0.0)

    def field_at(self, time_fs: float) -> Array:
        """Return the field at a time, (3,) in V/Å.

        Raises
        ------
        UsageError
            If it is not a finite vector.
        """
        given = self._field(time_fs) if callable(self._field) else self._field
        vector = np.asarray(given, dtype=np.float64)
        if vector.shape != (3,) or not np.isfinite(vector).all():
            raise UsageError(
                f"the field at {time_fs:g} fs is {given!r}",
                "an electric field has three finite components in V/Å",
                "give (Ex, Ey, Ez), or a function of the time in fs that returns them",
            )
        return vector

    def follow(self, dynamics: MolecularDynamics) -> Field:
        """Take the time from a dynamics, and add up the work from here on."""
        self._dynamics = dynamics
        self.time_fs = self._dynamics.get_time() / fs
        self._dynamics.attach(self._advance, interval=1)
        if self._dynamics.nsteps:  # else it calls the observer before its first step
            self.get_forces(self._dynamics.atoms)  # type: ignore[no-untyped-call]
            self._advance()
        return self

    def properties_of(self, atoms: Atoms) -> dict[str, Any]:
        """Energy (eV) and forces (eV/Å) in the field at `time_fs`.

        Raises
        ------
        UsageError
            If the field changes with time and the time is not known.
        """
        if callable(self._field) and self.time_fs is None:
            raise UsageError(
                "the time of the field is not known",
                "an ASE calculator is not told the time, and the field changes with it",
                "call follow(dynamics) before the run, or set time_fs",
            )
        field, tensors = self.field_at(self.time_fs or 0.0), self.loaded(atoms).predict(atoms)
        dipole = self.dipole(atoms)
        stored = 0.0 if dipole is None else -float(field @ dipole)
        push = np.einsum("a,iab->ib", field, tensors)
        energy = self.calculator.get_potential_energy(atoms) + stored
        return {
            "energy": energy,
            "free_energy": energy,
            "forces": self.calculator.get_forces(atoms) + push,
            "field_energy": stored,
            "field_forces": push,
            "born_effective_charges": tensors,
        }

    def _advance(self) -> None:
        """Add the work of the step that has ended, and set the clock to the end of the next one."""
        positions, push = self._dynamics.atoms.positions.copy(), self.results["field_forces"]
        if self._before is not None:
            moved = positions - self._before[0]
            self.work_ev += float(0.5 * np.sum((push + self._before[1]) * moved))
        self._before = positions, push
        self.time_fs = (self._dynamics.get_time() + self._dynamics.dt) / fs
