"""VASP's OUTCAR of molecular dynamics: positions of every step that it prints, its own clock and masses.

A step is a table ``POSITION … TOTAL-FORCE``, after the lattice vectors that are in force and the number of
the step (``Iteration N(…)``, or ``Ionic step N`` of a machine-learned force field). Steps lie POTIM apart.
VASP prints no velocities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from bec_md.structure import Frame
from bec_md.structure.species import Species, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.text import CutFrameError, TextReader, floats, take

_TAG = re.compile(r"\s*(POTIM|IBRION)\s*=\s*([-+\d.Ee]{1,30})")
_STEP = re.compile(r"\s*-+\s+(?:Iteration|Ionic step)\s+(\d{1,12})")
_IONS = re.compile(r"number of ions\s+NIONS =\s*(\d{1,9})")
_ELEMENT = re.compile(r"\s*VRHFIN\s*=\s*([A-Z][a-z]?)")
_MASS = re.compile(r"\s*POMASS\s*=\s*([\d.]{1,20})\s*;")
#: Masses that the run used, with two decimals: those of the potentials, unless the input changed them.
_MASSES = re.compile(r"\s*POMASS\s*=((?:\s+[\d.]{1,20})+)\s*$")
_SAME_MASS_AMU = 0.05


@dataclass
class Head:
    """What stands above the steps."""

    kinds: list[str] = field(default_factory=list)
    masses_amu: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    n_ions: int = 0

    @property
    def n_atoms(self) -> int:
        """Number of atoms, 0 while it is unknown."""
        return sum(self.counts)

    def take(self, line: str) -> None:
        """Take a line of the head."""
        if found := _ELEMENT.match(line):
            self.kinds.append(found[1])
        elif found := _MASS.match(line):
            self.masses_amu.append(float(found[1]))
        elif found := _MASSES.match(line):
            used = [float(word) for word in found[1].split()]
            if len(used) == len(self.masses_amu):
                pairs = zip(self.masses_amu, used, strict=True)
                self.masses_amu = [a if abs(a - b) < _SAME_MASS_AMU else b for a, b in pairs]
        elif found := _IONS.search(line):
            self.n_ions = int(found[1])
        elif "ions per type" in line:
            self.counts = self._numbers(line.split("=")[1])
        elif 0 < self.n_atoms < self.n_ions and line.split() and line.replace(" ", "").strip().isdigit():
            self.counts += self._numbers(line)  # more than ten kinds take further lines
        elif found := _TAG.match(line):
            self.tags[found[1]] = found[2]  # the input is printed first, then what is used

    def _numbers(self, text: str) -> list[int]:
        """Numbers of a line; those of four digits touch one another."""
        numbers = [int(word) for word in text.split()]
        if self.n_atoms + sum(numbers) <= self.n_ions or not self.n_ions:
            return numbers
        row = text.rstrip()
        return [int(field) for at in range(len(row) % 4, len(row), 4) if (field := row[at : at + 4]).strip()]


@dataclass(frozen=True)
class Step:
    """Lines of a table of positions, the lattice vectors in force, and the number of the step."""

    rows: list[str]
    cell: list[str]
    number: int | None


class OutcarReader(TextReader[Step]):
    """Frames of an OUTCAR."""

    format = "outcar"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        self._head = Head()
        numbers = [step.number for step in islice(self._whole_blocks(), 2)]
        if not numbers:
            self.first()  # says that there is none
        self.notes = ["positions in Å, of every step that the OUTCAR holds"]
        self._read_clock(numbers)

    def _read_clock(self, numbers: list[int | None]) -> None:
        tags = self._head.tags
        if tags.get("IBRION", "0") != "0":
            self.warnings.append(
                f"{self.source}: IBRION = {tags['IBRION']} is no molecular dynamics: its structures have no "
                "times"
            )
        elif "POTIM" in tags:
            first, second = numbers if len(numbers) == 2 else (None, None)
            between = 1 if first is None or second is None else max(second - first, 1)
            self.timestep_fs = float(tags["POTIM"]) * between
            every = "" if between == 1 else f", every {between} steps"
            self.notes.append(f"POTIM = {float(tags['POTIM']):g} fs{every}")

    def blocks(self, lines: Iterator[str]) -> Iterator[Step]:
        """Follow the output; a step that is printed twice (by force field and by DFT) counts once."""
        head, cell, number, last = Head(), list[str](), None, None
        for line in lines:
            if line.startswith(" POSITION ") and "TOTAL-FORCE" in line:
                if head.n_atoms < 1 or len(head.kinds) != len(head.counts):
                    raise ValueError(
                        f"its head names {len(head.kinds)} elements and {len(head.counts)} numbers of atoms"
                    )
                self._head = head
                rule = next(lines, "")
                rows = take(lines, head.n_atoms)
                if not rule.lstrip().startswith("--"):
                    raise ValueError("no line below POSITION")
                if number is None or number != last:
                    yield Step(rows, cell, number)
                last = number
            elif "direct lattice vectors" in line:
                cell = take(lines, 3)
            elif found := _STEP.match(line):
                number = int(found[1])
            elif last is None:
                head.take(line)
        if number is not None and number != last:
            raise CutFrameError

    def parse(self, block: Step, index: int, where: str) -> Frame:
        """Read the positions of a step."""
        species = self._species_of(where)
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=floats(block.rows, (0, 1, 2)),
            cell_ang=floats(_apart(block.cell), (0, 1, 2)),
            pbc=np.ones(3, dtype=bool),
            step=block.number,
        )

    def _species_of(self, where: str) -> Species:
        if self.species is None:
            head, masses = self._head, None
            labels = [kind for kind, n in zip(head.kinds, head.counts, strict=True) for _ in range(n)]
            if len(head.masses_amu) == len(head.counts):
                masses = np.repeat(np.array(head.masses_amu), head.counts)
            self.species = resolve_species(
                labels, place=where, file_masses_amu=masses, masses=self.options.masses
            )
        return self.species


def _apart(rows: list[str]) -> list[str]:
    """Rows of fixed width, in which negative numbers touch."""
    return [re.sub(r"(?<=\d)-", " -", row) for row in rows]


def is_outcar(name: str, lines: list[str]) -> bool:
    """Whether a file is an OUTCAR, by the first line that VASP writes, or by its name."""
    first = lines[0].split() if lines else []
    return bool(first) and (first[0].startswith("vasp.") or name.upper().startswith("OUTCAR"))
