"""Inputs and outputs of Quantum ESPRESSO's `pw.x`: structure with all digits, net charge, corrections."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import in_words, read_text
from bec_md.structure import Frame
from bec_md.training.runs_in_file import runs_in
from bec_md.training.theory import plus_u
from bec_md.units import BOHR_ANG

NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][-+]?\d+)?)"
#: What every program of Quantum ESPRESSO prints first.
HEADER = r"Program [A-Z]\w* v"
_ATOMS = "ATOMIC_POSITIONS"
_CARD = re.compile(r"(?im)^[ \t]*((?:ATOMIC|CELL)_[A-Z]+)")
_NEXT_VARIABLE = re.compile(r"[ \t,]+(?=\w+(?:\([\d, ]+\))?[ \t]*=)")
_LARGEST = 50_000_000
_BOTH_CHARGES_E = 0.006
"""An output gives electrons and valences with two decimals."""


def is_pw_output(text: str) -> bool:
    """Whether a text was printed by pw.x."""
    return "Program PWSCF" in text


@dataclass(frozen=True, slots=True)
class PwRun:
    """What a file of pw.x says of a structure."""

    name: str
    positions_ang: NDArray[np.float64]  # (N, 3)
    cell_ang: NDArray[np.float64]  # (3, 3)
    numbers: NDArray[np.int64]  # (N,)
    total_charge: float | None  # None where an output does not print it
    plus_u: bool

    def apart(self, frame: Frame) -> float:
        """Largest difference of positions and lattice vectors, Å; infinite for other elements."""
        if not np.array_equal(self.numbers, frame.numbers):
            return np.inf
        differences = (self.positions_ang - frame.positions_ang, self.cell_ang - frame.cell_ang)
        return float(max(np.abs(difference).max() for difference in differences))


def number_of(text: str) -> float:
    """Return a number of Fortran."""
    return float(text.lower().replace("d", "e"))


def pw_run(text: str, name: str, printed: Frame, bravais: tuple[int, float]) -> PwRun:
    """Read one input or one run of an output; whatever ASE raises is left to the caller.

    Parameters
    ----------
    text, name
        The text, and the name of its file.
    printed
        Structure that ph.x printed.
    bravais
        Index of its lattice and lattice parameter (bohr). An input that has the same ones names no lattice
        vectors: they are those of `printed`.
    """
    from ase.io import iread

    output = is_pw_output(text)
    whole = text if output else _usual_input(text)
    stated = re.search(r"ibrav\s*=\s*([-+]?\d+)", whole, re.IGNORECASE)
    if not output and stated and int(stated[1]) and _same_lattice(whole, int(stated[1]), bravais):
        vectors = printed.cell_ang / (bravais[1] * BOHR_ANG)
        rows = "\n".join(" ".join(f"{x:.12f}" for x in vector) for vector in vectors)
        whole = whole.replace(stated[0], "ibrav = 0") + f"\nCELL_PARAMETERS alat\n{rows}\n"
    kind = "espresso-out" if output else "espresso-in"
    *_, found = iread(io.StringIO(whole), index=slice(-1, None), format=kind)
    atoms: Any = found
    return PwRun(
        name,
        np.array(atoms.positions),
        np.array(atoms.cell.array),
        np.array(atoms.numbers, dtype=np.int64),
        _charge_of_electrons(text) if output else _stated_charge(whole),
        plus_u(whole),
    )


def _usual_input(text: str) -> str:
    """Return an input of pw.x as ASE reads it: what is commented out is not set, and Fortran knows no case.

    Every variable gets its own line, ``&end`` becomes a slash, and A in Å celldm(1) in bohr.
    """
    plain = re.sub(r"[!#].*", "", text)
    plain = _CARD.sub(lambda card: card[1].upper(), plain)
    plain = re.sub(r"(?im)^[ \t]*&end\b", "/", plain)
    plain = _NEXT_VARIABLE.sub("\n", plain)
    length = r"(?im)(^|[\s,])A\s*=\s*" + NUMBER
    return re.sub(length, lambda a: f"{a[1]}celldm(1) = {number_of(a[2]) / BOHR_ANG:.12f}", plain)


def _same_lattice(text: str, index: int, bravais: tuple[int, float]) -> bool:
    """Whether an input without lattice vectors has the lattice that ph.x printed."""
    length = re.search(r"celldm\s*\(\s*1\s*\)\s*=\s*" + NUMBER, text, re.IGNORECASE)
    return index == bravais[0] and length is not None and abs(number_of(length[1]) - bravais[1]) < 1e-4


def _stated_charge(text: str) -> float:
    found = re.search(r"tot_charge\s*=\s*" + NUMBER, text, re.IGNORECASE)
    return number_of(found[1]) if found else 0.0


def _charge_of_electrons(text: str) -> float | None:
    """Net charge Q = Σ z_v − N_el of an output; None where it does not print both."""
    electrons = re.search(r"number of electrons\s*=\s*([\d.]+)", text)
    count = re.search(r"number of atoms/cell\s*=\s*(\d+)", text)
    table = re.search(r"atomic species +valence +mass.*\n((?: +\S+ +[\d.]+ +[\d.]+.*\n)+)", text)
    if electrons is None or count is None or table is None:
        return None
    valences = {row.split()[0]: float(row.split()[1]) for row in table[1].splitlines()}
    atoms = re.findall(r"^\s*\d+\s+(\S+)\s+tau\(", text, re.MULTILINE)[: int(count[1])]
    if len(atoms) < int(count[1]) or not set(atoms) <= set(valences):
        return None
    return round(sum(valences[atom] for atom in atoms) - float(electrons[1]), 2) + 0.0


def given_run(path: Path, printed: Frame, bravais: tuple[int, float], margin_ang: float, place: str) -> PwRun:
    """Return what the user's own file of pw.x says.

    Raises
    ------
    DataError
        If it cannot be read, or holds another structure than `printed`, that of the ph.x run `place`.
    """
    advice = "give the input or output of the pw.x run that preceded ph.x"
    try:
        texts = [
            text
            for text in runs_in(read_text(path, strict=False), HEADER)
            if (is_pw_output(text) or _ATOMS in text.upper())
        ]
        runs = [pw_run(text, path.name, printed, bravais) for text in texts]
    except Exception as error:  # ASE raises errors of many kinds
        raise DataError(
            f"cannot read {path.name} as an input or output of pw.x: {in_words(error, path)}",
            "its structure is compared with that of ph.x",
            advice,
        ) from error
    if not runs:
        raise DataError(f"{path.name}: no input or output of pw.x", "atoms are missing in it", advice)
    found = min(reversed(runs), key=lambda run: run.apart(printed))
    if found.apart(printed) > margin_ang:
        alike = np.array_equal(found.numbers, printed.numbers)
        where = (
            f"largest distance {found.apart(printed):.4f} Å"
            if alike
            else "other elements or numbers of atoms"
        )
        raise DataError(
            f"{path.name} and {place} hold different structures ({where})",
            "labels would be attached to the wrong atoms",
            advice,
        )
    return found


def matching_run(
    folder: Path, electrons: str, printed: Frame, bravais: tuple[int, float], margin_ang: float, name: str
) -> PwRun | None:
    """Return what pw.x says of the structure that ph.x printed, None if nothing does.

    Parameters
    ----------
    folder
        Where files of pw.x are searched, inputs first.
    electrons
        Text of the last run of pw.x before that of ph.x in the same file, if any: if it has the structure, it
        alone decides.
    printed, bravais, margin_ang
        Structure, lattice and accuracy of ph.x.
    name
        Name of the output of ph.x.

    Raises
    ------
    DataError
        If files that hold the same structure have different net charges.
    """

    def alike(texts: list[str], name: str) -> Iterator[PwRun]:
        """Runs that hold the same structure."""
        for text in texts:
            if not (is_pw_output(text) or _ATOMS in text.upper()):
                continue
            try:
                run = pw_run(text, name, printed, bravais)
            except Exception:  # ASE raises errors of many kinds for files that are not from pw.x
                continue
            if run.apart(printed) < margin_ang:
                yield run

    for run in alike([electrons], name):
        return run
    found: list[PwRun] = []
    kinds = {".in": 0, ".inp": 0, ".pwi": 0, ".out": 1, ".log": 1, ".pwo": 1}
    files = [
        p for p in folder.iterdir() if p.is_file() and p.suffix in kinds and p.stat().st_size <= _LARGEST
    ]
    for file in sorted(files, key=lambda p: (kinds[p.suffix], p)):
        found += alike(runs_in(read_text(file, strict=False), HEADER), file.name)
    charges = [(run.total_charge, run.name) for run in found if run.total_charge is not None]
    if charges and max(charges)[0] - min(charges)[0] > _BOTH_CHARGES_E:
        stated = ", ".join(f"{charge:+g} e in {file}" for charge, file in charges)
        raise DataError(
            f"{name}: files of pw.x with its structure differ in the net charge ({stated})",
            "ph.x does not print which of them it continued, and ΣZ must be the net charge",
            "name the file of that run as `structure`",
        )
    return replace(found[0], total_charge=charges[0][0] if charges else None) if found else None
