"""`attach`: Born effective charges in a running LAMMPS through `fix external`, without a compiled plugin.

The network runs in Python, on one MPI rank. It does what `fix bec` does by another way (the whole frame at
once, periodic images instead of ghost atoms), so each of them checks the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.structure.species import ISOTOPES

if TYPE_CHECKING:
    from bec_md.structure import Frame


#: Velocity unit of LAMMPS in Å/fs, for the unit styles in which lengths are Å.
VELOCITY_UNIT_ANG_FS = {"metal": 1e-3, "real": 1.0}


class Model(Protocol):
    """Whatever predicts Z* of a frame, (N, 3, 3) in e."""

    def predict(self, atoms: Frame) -> Array:
        """Born effective charges of the frame."""
        ...


class Attachment:
    """Born effective charges of a LAMMPS instance, refreshed at each step of its runs.

    Parameters
    ----------
    lmp, model, efield_v_ang, every, total_charge, fix_id
        As in `attach`, which makes it.
    numbers_of_type
        Atomic number of each atom type.

    An error of the model ends the run of LAMMPS at its next step; `charges`, `current` and `run` raise it.
    """

    def __init__(
        self,
        lmp: Any,
        model: Model,
        numbers_of_type: NDArray[np.int64],
        efield_v_ang: Array,
        every: int,
        total_charge: float,
        fix_id: str,
    ) -> None:
        self._lmp = lmp
        self._model = model
        self._numbers_of_type = numbers_of_type
        self._efield = efield_v_ang
        self._every = every
        self._total_charge = total_charge
        self._fix_id = fix_id
        self._unit = VELOCITY_UNIT_ANG_FS[lmp.extract_global("units")]
        self._charges: Array = np.empty((0, 3, 3))
        self._step = -1  # of the last call
        self._failure: Exception | None = None  # of the last evaluation; ctypes drops what a callback raises
        lmp.command(f"fix {fix_id} all external pf/callback 1 1")
        lmp.set_fix_external_callback(fix_id, self._callback, self)

    @property
    def charges(self) -> Array:
        """Born effective charges of the last step, (N, 3, 3) e, ordered by atom ID.

        Raises
        ------
        BecMDError
            What the model raised at that step.
        """
        if self._failure is not None:
            raise self._failure
        return self._charges

    def detach(self) -> None:
        """Remove the fix from the LAMMPS instance."""
        self._lmp.command(f"unfix {self._fix_id}")

    def current(self) -> Array:
        """Polarization current J_a = Σ_i Σ_b Z[i,a,b] v[i,b] of the last step, (3,) in e Å/fs."""
        n = self._lmp.extract_global("nlocal")
        tags = np.asarray(self._lmp.numpy.extract_atom("id"))[:n]
        velocities = np.asarray(self._lmp.numpy.extract_atom("v"))[:n][np.argsort(tags)] * self._unit
        result: Array = np.einsum("iab,ib->a", self.charges, velocities)
        return result

    def run(self, n_steps: int) -> Array:
        """Run the simulation and collect J at each step, the present one first: (n_steps + 1, 3) e Å/fs."""
        self._lmp.command("run 0 post no")
        samples = [self.current()]
        for _ in range(n_steps):
            self._lmp.command("run 1 pre no post no")
            samples.append(self.current())
        return np.array(samples)

    def _callback(
        self, _caller: Any, step: int, _nlocal: int, tag: Any, x: Any, f: Any
    ) -> None:  # signature of LAMMPS
        order = np.argsort(tag)
        f[:] = 0.0
        goes_on = step == self._step + 1  # else a run begins, or a minimizer tries structures
        self._step = step
        if not goes_on or len(self._charges) != len(order) or step % self._every == 0:
            try:
                self._charges = np.asarray(self._model.predict(self._frame(order, np.asarray(x))), np.float64)
                self._failure = None
            except Exception as error:  # kept for who asks; LAMMPS would go on with what was there before
                self._charges, self._failure = np.empty((0, 3, 3)), error
                self._lmp.force_timeout()
                return
        if self._efield.any():
            forces = np.einsum("a,iab->ib", self._efield, self._charges)
            f[order] = forces * self._lmp.extract_global("qe2f")

    def _frame(self, order: NDArray[np.int64], positions: Array) -> Frame:
        from bec_md.structure import Frame

        low, high, xy, yz, xz, periodicity, _ = self._lmp.extract_box()
        cell = np.diag(np.array(high) - np.array(low))
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        types = np.asarray(self._lmp.numpy.extract_atom("type"))[: len(order)][order]
        numbers = self._numbers_of_type[types - 1]
        return Frame(
            positions_ang=positions[order] - np.array(low),
            cell_ang=cell,
            pbc=np.array(periodicity, dtype=bool),
            numbers=numbers,
            masses_amu=np.ones(len(numbers)),
            velocities_ang_fs=None,
            time_fs=None,
            total_charge=self._total_charge,
        )


def attach(
    lmp: Any,
    model: str | Model,
    types: Sequence[str],
    *,
    efield_v_ang: Sequence[float] = (0.0, 0.0, 0.0),
    every: int = 1,
    total_charge: float = 0.0,
    fix_id: str = "bec_attach",
) -> Attachment:
    """Evaluate Born effective charges in a LAMMPS instance of the Python module.

    Parameters
    ----------
    lmp
        A ``lammps.lammps()`` with its simulation box and atoms, on one MPI rank.
    model
        Name of a bundled model, path of a model file, or an object with a method `predict`.
    types
        Chemical symbol of each atom type.
    efield_v_ang
        Uniform electric field in V/Å; adds the force F_ib = Σ_a E_a Z[i,a,b].
    every
        Steps between evaluations; the tensors are held in between. A run begins with a fresh evaluation.
    total_charge
        Net charge of the cell in e, to which Σ_i Z_i is set.
    fix_id
        ID of the `fix external` that is created.

    Returns
    -------
    Attachment
        Tensors and current after every step; `Attachment.detach` ends it.

    Raises
    ------
    UsageError
        If units, number of ranks or number of types do not fit.
    """
    from ase.data import atomic_numbers

    known = atomic_numbers | {isotope: number for isotope, (number, _) in ISOTOPES.items()}
    units = lmp.extract_global("units")
    if units not in VELOCITY_UNIT_ANG_FS:
        raise UsageError(f"units {units}", "bec-md works in Å", "use units metal or real")
    if lmp.extract_setting("world_size") != 1:
        raise UsageError(
            f"LAMMPS runs on {lmp.extract_setting('world_size')} MPI ranks",
            "attach sees the atoms of one rank only",
            "use fix bec, or one rank",
        )
    n_types = lmp.extract_setting("ntypes")
    unknown = [symbol for symbol in types if symbol not in known]
    if unknown or len(types) != n_types:
        raise UsageError(
            f"types {' '.join(types)} for {n_types} atom types",
            f"{unknown[0]} is no chemical element" if unknown else "one element for each type is needed",
            "list the chemical symbols in the order of the LAMMPS atom types",
        )
    if isinstance(model, str):
        from bec_md.network import load_model

        model = load_model(model)
    numbers = np.array([known[symbol] for symbol in types], dtype=np.int64)
    field = np.asarray(efield_v_ang, dtype=np.float64)
    return Attachment(lmp, model, numbers, field, every, total_charge, fix_id)
