"""How a dynamics is run: every option once, with plain types."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from bec_md.errors import UsageError
from bec_md.options import Options, refuse_not_positive

if TYPE_CHECKING:
    from ase import Atoms

#: Shortest distance between opposite faces of the cell that is run, Å: more than two cutoffs of half a cell.
SMALLEST_WIDTH_ANG = 8.0


@dataclass(frozen=True)
class DynamicsOptions(Options):
    """Options of `run_dynamics`.

    Parameters
    ----------
    temperature_k
        Temperature, K.
    time_ps
        Length of every replica, ps.
    replicas
        Runs that start from separate velocities and are averaged.
    md_timestep_fs
        Integration time step; by default 0.5 fs with hydrogen, else 1 fs.
    store_fs
        Longest time between stored samples; by default 2 fs with hydrogen, else 4 fs.
    equilibration_ps
        Langevin dynamics before each replica, ps: replicas are independent if they forget their common
        start in it (2 ps for a crystal; for a liquid its slowest relaxation, 10 ps for water).
    repeat
        Cells along the three lattice vectors; by default until opposite faces are 8 Å apart where the cell is
        periodic.
    relax_cell
        Take the mean cell of a run at zero pressure (as long as an equilibration) before.
    seed
        Of all random numbers: those of replica n follow from it and n.
    """

    of: ClassVar[str] = "a dynamics"

    temperature_k: float = 300.0
    time_ps: float = 10.0
    replicas: int = 4
    md_timestep_fs: float | None = None
    store_fs: float | None = None
    equilibration_ps: float = 2.0
    repeat: tuple[int, int, int] | None = None
    relax_cell: bool = False
    seed: int = 1

    def check(self) -> None:
        """Refuse what no run could be.

        Raises
        ------
        UsageError
            With the name of the option.
        """
        refuse_not_positive(
            self,
            {
                "temperature_k": "atoms would not move",
                "time_ps": "it is the length of a run",
                "replicas": "one run at least",
                "md_timestep_fs": "it is the step of the integrator",
                "store_fs": "it is the time between samples",
                "equilibration_ps": "it is the length of a run",
            },
        )
        if self.seed < 0:
            raise UsageError(f"`seed={self.seed}`", "seeds are counted from 0 on", "give another `seed`")
        if self.repeat is not None and min(self.repeat) < 1:
            raise UsageError(
                f"`repeat={','.join(map(str, self.repeat))}`",
                "a cell is repeated once at least along each lattice vector",
                "give numbers from 1 on",
            )

    def resolved(self, atoms: Atoms) -> DynamicsOptions:
        """Return these options with every default replaced by what it means for a structure.

        Raises
        ------
        UsageError
            If the structure has no cell that could be relaxed.
        """
        import numpy as np

        if self.relax_cell and (atoms.constraints or not atoms.pbc.all()):
            raise UsageError(
                "the cell of a structure with constraints"
                if atoms.constraints
                else "the cell of a structure that is not periodic along all three axes",
                "it has no pressure that could be made zero",
                "leave `relax_cell` out, or remove them" if atoms.constraints else "leave `relax_cell` out",
            )
        light = bool((atoms.numbers == 1).any())
        widths = atoms.cell.volume / np.linalg.norm(
            np.cross(np.roll(atoms.cell.array, -1, axis=0), np.roll(atoms.cell.array, -2, axis=0)), axis=1
        )
        narrow = np.ceil(SMALLEST_WIDTH_ANG / widths - 1e-6).astype(int)
        fits = np.where(atoms.pbc, narrow, 1).tolist()  # beside a slab or a molecule there is nothing
        return replace(
            self,
            md_timestep_fs=self.md_timestep_fs or (0.5 if light else 1.0),
            store_fs=self.store_fs or (2.0 if light else 4.0),
            repeat=self.repeat or (fits[0], fits[1], fits[2]),
        )

    def supercell(self, atoms: Any) -> Any:
        """Return the repeated cell, with the net charge of all copies (options resolved).

        Raises
        ------
        UsageError
            If ASE cannot repeat its constraints.
        """
        from bec_md.structure.names import TOTAL_CHARGE_KEYS

        assert self.repeat is not None
        try:
            found = atoms.copy() if self.repeat == (1, 1, 1) else atoms.repeat(self.repeat)
        except NotImplementedError as error:  # of some constraints of ASE
            raise UsageError(
                f"`repeat={','.join(map(str, self.repeat))}` of atoms with rigid bonds or the like",
                "ASE cannot repeat these constraints",
                "give `repeat=1,1,1`, and a cell that is large enough",
            ) from error
        for key in found.info.keys() & set(TOTAL_CHARGE_KEYS):
            found.info[key] = float(found.info[key]) * math.prod(self.repeat)
        return found

    def steps(self, time_ps: float) -> int:
        """Return how many time steps a time has (options resolved)."""
        return max(1, round(1000.0 * time_ps / self.step_fs))

    @property
    def step_fs(self) -> float:
        """Integration time step, fs (options resolved)."""
        assert self.md_timestep_fs is not None
        return self.md_timestep_fs

    @property
    def interval(self) -> int:
        """Time steps between stored samples (options resolved)."""
        assert self.store_fs is not None
        return max(1, int(self.store_fs / self.step_fs + 1e-9))

    @property
    def cell_steps(self) -> int:
        """Time steps of the run that relaxes the cell (options resolved)."""
        before = self.steps(self.equilibration_ps / 4) + self.steps(self.equilibration_ps)
        return before if self.relax_cell else 0

    @property
    def replica_steps(self) -> int:
        """Time steps of one replica (options resolved)."""
        return self.steps(self.equilibration_ps) + self.steps(self.time_ps)

    @property
    def total_steps(self) -> int:
        """Time steps of everything together (options resolved)."""
        return self.cell_steps + self.replicas * self.replica_steps
