r"""CP2K: dipole moments of PRINT%MOMENTS (Quickstep) or of classical runs, from file or output.

With the periodic (Berry phase) operator the moment is defined modulo the cell matrix × e, which the file
prints in debye; its columns are the lattice vectors.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.current.readers.raw import RawSeries, SeriesOptions
from bec_md.current.readers.units import DEBYE_E_ANG
from bec_md.errors import DataError

Array = NDArray[np.float64]

_NUMBER = r"([-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?)"
_MOMENT = re.compile(rf"X=\s*{_NUMBER}\s+Y=\s*{_NUMBER}\s+Z=\s*{_NUMBER}")
_CLASSICAL = re.compile(
    r"(?:MM_DIPOLE\|\s*Moment \[Debye\]|MM DIPOLE \[BERRY PHASE\]\(Debye\)\|)"
    rf"\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}"
)
_QUANTUM = re.compile(rf"\[([XYZ])\][\s=]*\[\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*\]")
MARKS = ("Dipole moment [Debye]", "MM_DIPOLE| Moment [Debye]", "MM DIPOLE [BERRY PHASE](Debye)|")


def read_cp2k(path: Path, options: SeriesOptions) -> RawSeries:
    """Read every dipole moment of a file, in order of appearance, with the quanta that it prints."""
    moments: list[list[float]] = []
    rows: dict[str, list[list[float]]] = {"X": [], "Y": [], "Z": []}
    expecting, berry = False, False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if "modulo integer multiples of the cell matrix" in line:
                berry = True
            elif found := _QUANTUM.search(line):
                rows[found.group(1)].append(_values(found.groups()[1:]))
            elif found := _CLASSICAL.search(line):
                moments.append(_values(found.groups()))
                berry = berry or "BERRY" in line
            elif expecting and (found := _MOMENT.search(line)):
                moments.append(_values(found.groups()))
            expecting = MARKS[0] in line
    if not moments:
        raise DataError(
            f"{path.name} holds no dipole moment",
            f"lines like {MARKS[0]!r} are read",
            "print it with &MOMENTS (PERIODIC TRUE) under &DFT &PRINT, at every MD step",
        )
    quanta = _quanta(rows, len(moments))
    if quanta is None and berry and options.cell_ang is not None:
        quanta = options.quantum_e * np.asarray(options.cell_ang, dtype=np.float64)[None]
    if quanta is None and berry and options.unwrap is not False:
        raise DataError(
            f"{path.name} holds Berry-phase moments but not their quanta",
            "they jump by a lattice vector × e, which would be a burst of current",
            "give the cell with --cell (or --no-unwrap if they are continuous)",
        )
    cell = None if quanta is None else quanta.mean(axis=0) / options.quantum_e
    return RawSeries(
        DEBYE_E_ANG * np.array(moments)[:, None, :],
        "dipole",
        "cp2k",
        cell_ang=cell,
        volume_ang3=None if cell is None else abs(float(np.linalg.det(cell))),
        quanta_ang=None if options.unwrap is False else quanta,
    )


def _quanta(rows: dict[str, list[list[float]]], count: int) -> Array | None:
    """Return (1 or T, 3, 3) quanta with lattice vectors as rows, e Å; None if they are not all printed."""
    length = len(rows["X"])
    if length == 0 or any(len(r) != length for r in rows.values()) or length not in (1, count):
        return None
    matrix = np.stack([np.array(rows[axis]) for axis in "XYZ"], axis=1)  # (T, xyz, lattice vector)
    vectors = DEBYE_E_ANG * matrix.swapaxes(1, 2)
    same = np.allclose(vectors, vectors[0], rtol=0.0, atol=1e-6)
    return vectors[:1] if same else vectors


def _values(words: tuple[str | None, ...]) -> list[float]:
    return [float(str(word).replace("D", "E").replace("d", "e")) for word in words]
