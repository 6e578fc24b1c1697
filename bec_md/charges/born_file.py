r"""phonopy BORN files: a dielectric tensor and the tensors of some or all atoms of a cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.files import parsing, read_head, read_text


@dataclass(frozen=True)
class BornFile:
    """Content of a BORN file.

    Parameters
    ----------
    eps_inf
        (3, 3) electronic permittivity.
    tensors
        (K, 3, 3) Born effective charges of the listed atoms, e; ``Z[a, b]`` = ∂M_a/∂u_b as in VASP.
    atoms
        Zero-based indices of the listed atoms in their unit cell, when the header names them.
    """

    eps_inf: Array
    tensors: Array
    atoms: tuple[int, ...] | None


def looks_like_born(path: Path) -> bool:
    """Whether a file has the shape of a BORN file: after one header line only rows of nine numbers."""
    try:
        lines = _content(read_head(path, 4096).decode("utf-8", "replace"))
    except (DataError, OSError):
        return False
    rows = lines[1:3]
    return len(rows) == 2 and all(len(_numbers(row) or ()) == 9 for row in rows)


def read_born(path: Path) -> BornFile:
    """Read a BORN file.

    The first line is a comment, a conversion factor or ``default``; the header of ``phonopy-vasp-born``
    (``# epsilon and Z* of atoms 1 3``) names the listed atoms. Then nine numbers of the dielectric tensor
    and nine per atom, row by row.

    Raises
    ------
    DataError
        With the line, if the file is not of this form.
    """
    with parsing(path, "BORN file"):
        return _parsed(path.name, _content(read_text(path, strict=False)))


def _parsed(name: str, lines: list[str]) -> BornFile:
    if len(lines) < 3:
        raise DataError(
            f"{name} has {len(lines)} lines",
            "a BORN file has a header, the dielectric tensor, and a tensor per independent atom",
            "write it with phonopy-vasp-born, or give an extxyz with born_effective_charges",
        )
    if len(_numbers(lines[0]) or ()) == 9:
        raise DataError(
            f"{name} begins with nine numbers",
            "its first line is a header, and would be left out: ε∞ would be the tensor of the first atom",
            "put a line `default` in front",
        )
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        if line.startswith("#"):
            continue
        values = _numbers(line)
        if values is None or len(values) != 9:
            raise DataError(
                f"line {number} of {name} is {line[:60]!r}",
                "nine numbers of one 3×3 tensor, row by row, are expected there",
                "write one tensor per line",
            )
        rows.append(np.array(values).reshape(3, 3))
    header = re.search(r"atoms?\s+(\d+(?:\s+\d+)*)$", lines[0])
    atoms = tuple(int(word) - 1 for word in header.group(1).split()) if header else None
    if atoms is not None and len(atoms) != len(rows) - 1:
        raise DataError(
            f"the header of {name} names {len(atoms)} atoms, {len(rows) - 1} tensors follow",
            "each listed atom needs its tensor",
            "write the file again with phonopy-vasp-born",
        )
    return BornFile(rows[0], np.array(rows[1:]), atoms)


def born_text(born: BornFile) -> str:
    """Return the text of a BORN file, as `read_born` and phonopy read it."""
    atoms = "" if born.atoms is None else " of atoms " + " ".join(str(index + 1) for index in born.atoms)
    rows = [born.eps_inf, *born.tensors]
    lines = [f"# epsilon and Z*{atoms}"]
    lines += [" ".join(f"{value:13.8f}" for value in np.ravel(row)) for row in rows]
    return "\n".join(lines) + "\n"


def _content(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(word) for word in line.split("#")[0].split()]
    except ValueError:
        return None
