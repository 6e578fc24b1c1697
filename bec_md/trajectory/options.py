"""How a trajectory is to be read: every option once, with plain types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bec_md.errors import UsageError
from bec_md.options import Options, refuse_not_positive, refuse_not_whole


@dataclass(frozen=True)
class ReadOptions(Options):
    """Options of `open_trajectory`; every one may be left out.

    Parameters
    ----------
    timestep_fs
        Time between stored frames in fs, before `stride`. Needed later unless the file carries it; a file
        that states another, or whose atoms move otherwise, is refused.
    start, stop, stride
        Which stored frames to yield, as in a slice.
    format
        Name of a row of `bec_md.trajectory.formats.FORMATS`, or of an ASE format; by default recognized by
        content.
    topology
        File with the elements of a binary trajectory (PDB, TPR, PSF, PRMTOP, …).
    velocities
        File with the velocities of a trajectory that holds positions alone; "none" leaves stored velocities
        unread.
    cell_ang
        Cell of a file that carries none, in Å: three edges or the nine components of the lattice vectors.
    lammps_units
        Unit style of a LAMMPS dump that does not state it.
    velocity_units
        "ase", "ang/fs", "ang/ps" or "atomic" (bohr E_h/ħ) for formats that do not state it. By default
        ASE's own, except for columns that other programs define (`bec_md.structure.extxyz`). The choice is
        stated in ``info.units_note`` and compared with the motion.
    elements
        Elements of LAMMPS atom types, in the order of the types or by type; with a topology, by atom type or
        name.
    masses
        Masses in amu by element, e.g. ``{"H": 2.014}``.
    charges_key
        Name of the per-atom array with Born effective charges; by default the known names.
    charges_transposed
        Whether the first index of stored charges is the displacement.
    need_velocities
        False to leave stored velocities unread.
    need_cell
        False where molecules may come without a cell, which is zero then: ``pbc="F F F"`` in extended XYZ, or
        `ase.Atoms` that are not periodic.
    time_series
        False for structures that are not frames of one run: their times and their motion are not looked at,
        and they may hold different atoms.
    temperature_k
        Temperature in K that the caller expects: compared with that of the motion, never used to scale it.
    """

    of: ClassVar[str] = "a trajectory"

    timestep_fs: float | None = None
    start: int = 0
    stop: int | None = None
    stride: int = 1
    format: str | None = None
    topology: str | Path | None = None
    velocities: str | Path | None = None
    cell_ang: Sequence[float] | Sequence[Sequence[float]] | None = None
    lammps_units: str | None = None
    velocity_units: str | None = None
    elements: Sequence[str] | Mapping[int, str] | Mapping[str, str] | None = None
    masses: Mapping[str, float] = field(default_factory=dict)
    charges_key: str | None = None
    charges_transposed: bool = False
    need_velocities: bool = True
    need_cell: bool = True
    time_series: bool = True
    temperature_k: float | None = None

    def check(self) -> None:
        """Refuse values that no file could need.

        Raises
        ------
        UsageError
            With the name of the option and what it means.
        """
        from bec_md.structure.names import VELOCITY_UNITS

        refuse_not_positive(
            self,
            {
                "stride": "frames are read forward in time",
                "timestep_fs": "it is the time between stored frames in fs",
                "temperature_k": "it is a temperature in K",
            },
        )
        refuse_not_whole(self, dict.fromkeys(("start", "stop", "stride"), "it counts stored frames"))
        if self.masses is not None and not isinstance(self.masses, Mapping):
            raise UsageError(
                f"`masses` of type {type(self.masses).__name__} is no table",
                "it gives the mass of each element whose own is not to be used",
                'give them by element, `masses={"H": 2.014}`',
            )
        if self.velocity_units is not None and self.velocity_units not in VELOCITY_UNITS:
            raise UsageError(
                f"`velocity_units={self.velocity_units}` is not known",
                "velocities are read in Å per ASE time unit, Å/fs, Å/ps or atomic units (bohr E_h/ħ)",
                f"use one of {', '.join(VELOCITY_UNITS)}",
            )

    def first_frame(self, n_frames: int | None) -> int:
        """Number of the stored frame that `start` means, of so many: what a run holds is told by that."""
        return self.start if self.start >= 0 else max(0, (n_frames or 0) + self.start)
