"""A potential of LAMMPS as an ASE calculator: ASE's own interface, begun anew for other atoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.calculators.lammpslib import LAMMPSlib

from bec_md.lammps.plugins import preload_mpi


class LammpsCalculator(LAMMPSlib):
    """`ase.calculators.lammpslib.LAMMPSlib` whose commands hold for every structure that it is given.

    ASE adds atoms to a running LAMMPS when a structure has more of them, and does not repeat commands that
    set their charges: they would have none.

    Parameters
    ----------
    commands
        That define the potential.
    header
        That belong before the box.
    types
        Chemical symbols of the LAMMPS types 1, 2, ….
    """

    def __init__(self, commands: Sequence[str], header: Sequence[str], types: Sequence[str]) -> None:
        preload_mpi()
        self.types = tuple(types)
        numbers = {symbol: number for number, symbol in enumerate(self.types, start=1)}
        super().__init__(  # type: ignore[no-untyped-call]
            lmpcmds=list(commands), lammps_header=list(header), atom_types=numbers, keep_alive=True
        )

    def calculate(self, atoms: Any, properties: Any, system_changes: Any) -> None:  # type: ignore[override]
        """Compute energy, forces and stress."""
        if self.started and not np.array_equal(self.previous_atoms_numbers, atoms.numbers):
            self.clean()  # type: ignore[no-untyped-call]
            self.previous_atoms_numbers: Any = []
        super().calculate(within_cell(atoms), properties, system_changes)  # type: ignore[no-untyped-call]
        self.atoms = atoms.copy()


def within_cell(atoms: Any) -> Any:
    """Return atoms moved to the middle of the cell along axes that are not periodic, if some lie outside.

    LAMMPS loses atoms beyond a fixed boundary; where slab and molecule lie in their cell has no meaning.
    """
    places = atoms.get_scaled_positions(wrap=False)
    low, high = places.min(axis=0), places.max(axis=0)
    beyond = ~atoms.pbc & ((low < 0.0) | (high >= 1.0))
    if not beyond.any():
        return atoms
    moved = atoms.copy()
    moved.set_scaled_positions(places + np.where(beyond, 0.5 - (low + high) / 2, 0.0))
    return moved
