"""Output of Quantum ESPRESSO's pw.x for ``calculation = 'md'`` or ``'vc-md'``: positions and times.

Frames are the blocks ``ATOMIC_POSITIONS`` that follow ``Entering Dynamics``; the structure of the input is
not among them. pw.x prints no velocities. Runs with a changing cell print times alone, in ps with five
decimals and 2.42e-5 ps for ħ/E_h.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.files import open_text
from bec_md.structure import Frame
from bec_md.structure.species import Species, species_of_labels
from bec_md.trajectory.ase_reader import AtomsReader
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.text import CutFrameError, TextReader, floats, take
from bec_md.units import ATOMIC_TIME_FS, BOHR_ANG

_ATOMS = re.compile(r"number of atoms/cell\s*=\s*(\d{1,9})")
_ALAT = re.compile(r"lattice parameter \(alat\)\s*=\s*([\d.]{1,30})\s*a\.u\.")
_TIME_STEP = re.compile(r"Time step\s*=\s*([\d.]{1,30})\s*a\.u\.")
_AXIS = re.compile(r"a\([123]\) = \(([-+\d.\s]{1,80})\)")
_ENTER = re.compile(r"Entering Dynamics[:;]?\s*(?:iteration\s*=|it\s*=)\s*(\d{1,12})")
_TIME = re.compile(r"time\s*=\s*([\d.]{1,30})\s*pico-?seconds")
#: ħ/E_h as runs with a changing cell print it, and the time from which on five decimals of ps suffice.
_PRINTED_FS, _LEAST_FS = 0.0242, 5.0
_SPECIES = re.compile(r"\s*atomic species\s+valence\s+mass")
_CARD = re.compile(r"\s*+(ATOMIC_POSITIONS|CELL_PARAMETERS)\s*+[({]?\s*+(\w+)?\s*+(?:=\s*+([\d.]{1,30}))?")


@dataclass(frozen=True)
class PwBlock:
    """Rows of positions with their unit, lattice vectors in force, number and time of the iteration."""

    unit: str
    rows: list[str]
    cell_ang: NDArray[np.float64]
    alat_ang: float
    iteration: int
    time_fs: float | None


class PwReader(TextReader[PwBlock]):
    """Frames of a run of molecular dynamics of pw.x."""

    format = "pw.x"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._step_fs: float | None = None
        self._masses: dict[str, float] = {}
        super().__init__(path, options)
        self.first()
        self.notes = ["positions of pw.x, from its iteration 1 on"]
        if self._step_fs is not None:
            self.timestep_fs = self._step_fs
            self.notes.append(f"time step of the run {self._step_fs:.5g} fs, all steps printed")
        else:
            self.timestep_fs = self._mean_step_fs()

    def _mean_step_fs(self) -> float | None:
        """Time step from the first and the last time that are printed; None if these have too few digits."""
        first = last = self.first()
        for last in self._whole_blocks():  # noqa: B007
            pass
        if first.time_fs is None or last.time_fs is None or last.time_fs - first.time_fs < _LEAST_FS:
            return None
        self.notes.append("time step from its times")
        step_fs = (last.time_fs - first.time_fs) / (last.iteration - first.iteration)
        return step_fs * ATOMIC_TIME_FS / _PRINTED_FS

    def blocks(self, lines: Iterator[str]) -> Iterator[PwBlock]:
        """Follow the output; a frame is complete with its last row."""
        n_atoms, alat, iteration = 0, 0.0, None
        time_fs: float | None = None
        axes: list[str] = []
        cell = np.zeros((3, 3))
        for line in lines:
            if found := _ATOMS.search(line):
                n_atoms = int(found[1])
            elif found := _ALAT.search(line):
                alat, axes = float(found[1]) * BOHR_ANG, []
            elif (found := _AXIS.search(line)) and len(axes) < 3:
                axes.append(found[1])
                if len(axes) == 3:
                    cell = floats(axes, (0, 1, 2)) * alat
            elif _SPECIES.match(line):
                self._read_masses(lines)
            elif found := _TIME_STEP.search(line):  # Rydberg units: 2 ħ/E_h
                self._step_fs = float(found[1]) * 2.0 * ATOMIC_TIME_FS
            elif found := _ENTER.search(line):
                iteration, time = int(found[1]), _TIME.search(line)
                time_fs = None if time is None else float(time[1]) * 1e3
            elif (found := _TIME.search(line)) and iteration is not None:
                time_fs = float(found[1]) * 1e3
            elif (found := _CARD.match(line)) and iteration is not None:
                unit = (found[2] or "alat").lower()
                if found[1] == "CELL_PARAMETERS":
                    own = float(found[3]) * BOHR_ANG if found[3] else alat
                    cell = floats(take(lines, 3), (0, 1, 2)) * _length(unit, own)
                    continue
                if n_atoms < 1:
                    raise ValueError("its number of atoms is not printed above its positions")
                yield PwBlock(unit, take(lines, n_atoms), cell, alat, iteration, time_fs)
                iteration = None
        if iteration is not None:
            raise CutFrameError

    def parse(self, block: PwBlock, index: int, where: str) -> Frame:
        """Read the positions of a frame."""
        values = floats(block.rows, (1, 2, 3))
        scaled = block.unit == "crystal"
        species = self._species_of(block.rows, where)
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=values @ block.cell_ang if scaled else values * _length(block.unit, block.alat_ang),
            cell_ang=block.cell_ang,
            pbc=np.ones(3, dtype=bool),
            step=block.iteration,
        )

    def _species_of(self, rows: list[str], where: str) -> Species:
        if self.species is None:
            kinds = [row.split()[0] for row in rows]
            self.species = species_of_labels(kinds, self._masses, where, self.options.masses)
        return self.species

    def _read_masses(self, lines: Iterator[str]) -> None:
        """Masses of the table of species, which the input may have changed."""
        for line in lines:
            words = line.split()
            if len(words) < 4:
                return
            try:
                self._masses[words[0]] = float(words[2])
            except ValueError:
                return


def _length(unit: str, alat_ang: float) -> float:
    factors = {"alat": alat_ang, "bohr": BOHR_ANG, "angstrom": 1.0}
    if unit not in factors:
        raise ValueError(f"unit ({unit}): known are alat, bohr, angstrom and crystal")
    return factors[unit]


def open_pwx(path: Path, options: ReadOptions) -> FrameReader:
    """Open an output of pw.x: molecular dynamics here, single structures and relaxations by ASE."""
    with open_text(path) as lines:
        dynamic = any("Entering Dynamics" in line for line in lines)
    return PwReader(path, options) if dynamic else AtomsReader(path, options)
