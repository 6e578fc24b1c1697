r"""CP2K: dipole moments of PRINT%MOMENTS (Quickstep, xTB) or of classical runs, from file or output.

Newer versions write one line for each moment: ``MOMENTS| step x y z norm [nine numbers of the cell]``.
With the periodic (Berry phase) operator the moment is defined modulo the cell matrix × e, which the file
prints in debye; its columns are the lattice vectors.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.current.options import SeriesOptions
from bec_md.current.readers.raw import RawSeries
from bec_md.current.readers.table import uniform_step
from bec_md.current.readers.units import DEBYE_E_ANG
from bec_md.errors import DataError
from bec_md.files import open_text

_NUMBER = r"([-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?)"
_MOMENT = re.compile(rf"X=\s*{_NUMBER}\s+Y=\s*{_NUMBER}\s+Z=\s*{_NUMBER}")
_CLASSICAL = re.compile(
    r"(?:(?:MM|TB)_DIPOLE\|\s*Moment \[Debye\]|MM DIPOLE \[BERRY PHASE\]\(Debye\)\|)"
    rf"\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}"
)
_QUANTUM = re.compile(rf"\[([XYZ])\][\s=]*\[\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*\]")
_RECORD = "MOMENTS|"
MARKS = (
    *(_RECORD, "Dipole moment [Debye]", "MM DIPOLE [BERRY PHASE](Debye)|"),
    *("MM_DIPOLE| Moment [Debye]", "TB_DIPOLE| Moment [Debye]"),
)


def read_cp2k(path: Path, options: SeriesOptions) -> RawSeries:
    """Read every dipole moment of a file, in order of appearance, with the quanta that it prints."""
    records = _records(path)
    if records is not None:
        return _from_records(records, options, path.name)
    moments: list[list[float]] = []
    rows: dict[str, list[list[float]]] = {"X": [], "Y": [], "Z": []}
    expecting, berry = False, False
    with open_text(path) as lines:
        for line in lines:
            if not line.endswith("\n"):  # of a run that goes on: digits of a number may be missing
                break
            if "modulo integer multiples of the cell matrix" in line or "(Berry phase)" in line:
                berry = True
            elif found := _QUANTUM.search(line):
                rows[found.group(1)].append(_values(found.groups()[1:]))
            elif found := _CLASSICAL.search(line):
                moments.append(_values(found.groups()))
                berry = berry or "BERRY" in line
            elif expecting and (found := _MOMENT.search(line)):
                moments.append(_values(found.groups()))
            expecting = "Dipole moment [Debye]" in line
    if not moments:
        raise DataError(
            f"{path.name} holds no dipole moment",
            f"lines like {', '.join(MARKS)} are read",
            "print it with &MOMENTS (PERIODIC TRUE) under &DFT &PRINT, at every MD step",
        )
    quanta = _quanta(rows, len(moments))
    if quanta is None and berry:
        quanta = _quanta_of_cell(options, path.name)
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


def _records(path: Path) -> Array | None:
    """Return the numbers of the lines ``MOMENTS| …``, None if there are none; a cut last one is left out."""
    with open_text(path) as lines:
        found = [
            line.split(_RECORD, 1)[1].split()
            for line in lines
            if line.lstrip().startswith(_RECORD) and line.endswith("\n")
        ]
    rows = [words for words in found if words[:1] and words[0].lstrip("-").isdigit()]
    if not rows:
        return None
    if len(rows) > 1 and len(rows[-1]) < len(rows[0]):
        rows.pop()
    wrong = next(
        (i for i, words in enumerate(rows) if len(words) not in (5, 14) or len(words) != len(rows[0])), None
    )
    if wrong is not None:
        raise DataError(
            f"record {wrong + 1} of {path.name} is {' '.join(rows[wrong])[:60]!r}",
            "step, three components, the norm, and possibly nine numbers of the cell are expected",
            "cut the damaged part off",
        )
    return np.array([_values(tuple(words)) for words in rows])


def _quanta_of_cell(options: SeriesOptions, where: str) -> Array | None:
    """Return the quanta of the cell that was given, (1, 3, 3) e Å; None if the moments are continuous."""
    if options.cell_ang is not None:
        return options.quantum_e * np.asarray(options.cell_ang, dtype=np.float64)[None]
    if options.unwrap is not False:
        raise DataError(
            f"{where} holds Berry-phase moments but not their quanta",
            "they jump by a lattice vector × e, which would be a burst of current",
            "give the cell with `cell_ang` (or `unwrap=False` if they are continuous)",
        )
    return None


def _from_records(records: Array, options: SeriesOptions, where: str) -> RawSeries:
    uniform_step(records[:, 0], "the step", where)
    quanta = None
    if records.shape[1] == 14:
        quanta = DEBYE_E_ANG * _lattice_rows(records[:, 5:].reshape(-1, 3, 3), options, where)
        quanta = quanta[:1] if np.allclose(quanta, quanta[0], rtol=0.0, atol=1e-6) else quanta
    else:
        quanta = _quanta_of_cell(options, where)
    cell = None if quanta is None else quanta.mean(axis=0) / options.quantum_e
    return RawSeries(
        DEBYE_E_ANG * records[:, None, 1:4],
        "dipole",
        "cp2k",
        cell_ang=cell,
        volume_ang3=None if cell is None else abs(float(np.linalg.det(cell))),
        quanta_ang=None if options.unwrap is False else quanta,
    )


def _lattice_rows(matrices: Array, options: SeriesOptions, where: str) -> Array:
    """Return cells with lattice vectors as rows: CP2K's a lies along x and b in the xy plane."""
    scale = float(np.abs(matrices).max())
    lower = float(np.abs(np.triu(matrices, 1)).max()) < 1e-6 * scale
    upper = float(np.abs(np.tril(matrices, -1)).max()) < 1e-6 * scale
    if lower:
        return matrices
    if upper or (options.cell_ang is None and np.allclose(matrices, matrices.swapaxes(1, 2))):
        return np.asarray(matrices.swapaxes(1, 2))
    if options.cell_ang is None:
        raise DataError(
            f"the cell of {where} is a general matrix",
            "whether its rows or its columns are the lattice vectors, the quanta, is not stated",
            "give the cell with `cell_ang`",
        )
    given = options.quantum_e * np.asarray(options.cell_ang, dtype=np.float64)
    first = DEBYE_E_ANG * matrices[0]
    same = np.abs(first - given).max() <= np.abs(first.T - given).max()
    return matrices if same else np.asarray(matrices.swapaxes(1, 2))


def _values(words: tuple[str | None, ...]) -> list[float]:
    return [float(str(word).replace("D", "E").replace("d", "e")) for word in words]
