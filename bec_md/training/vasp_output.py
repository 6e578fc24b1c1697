"""Labels from VASP: OUTCAR or vasprun.xml of a run with LEPSILON or LCALCEPS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import labels_of

_FUNCTIONALS = {"PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "91": "PW91", "CA": "LDA"}
_NO_LABELS = (
    "the run did not compute the response to a field",
    "run VASP with LEPSILON = .TRUE. or LCALCEPS = .TRUE.",
)


def _numbers(symbols: Sequence[str]) -> NDArray[np.int64]:
    from ase.data import atomic_numbers

    return np.array([atomic_numbers[s.strip().split("_")[0]] for s in symbols], dtype=np.int64)


def _block(lines: Sequence[str], start: int, count: int, columns: slice, name: str) -> NDArray[np.float64]:
    """Three numbers in each of `count` lines."""
    try:
        table = np.array([[float(x) for x in line.split()[columns]] for line in lines[start : start + count]])
        if table.shape == (count, 3):
            return table
    except ValueError:
        pass
    raise DataError(
        f"{name}, line {start + 1}: not a table of {count} × 3", "the file is cut", "let VASP finish"
    )


def read_outcar(path: Path) -> Frame:
    """Read tensors, ε_∞ and the last structure of an OUTCAR.

    The rows of VASP's tensors are the field directions: Z[i,a,b] = ∂F_ib/∂E_a. Net charge:
    Q = Σ ZVAL − NELECT.

    Raises
    ------
    DataError
        If a block is missing or cut.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    name = path.name

    def last(pattern: str, *, unlike: str = "$^") -> int:
        """Return the number of the last line with this text, −1 if there is none."""
        found = [i for i, line in enumerate(lines) if pattern in line and unlike not in line]
        return found[-1] if found else -1

    kinds = [re.split(r"[=:]", line)[1].strip() for line in lines if "VRHFIN" in line]
    counts = next(
        ([int(x) for x in line.split("=")[1].split()] for line in lines if "ions per type" in line), []
    )
    symbols = [s for s, n in zip(kinds, counts, strict=False) for _ in range(n)]
    n_atoms = len(symbols)
    at_cell, at_positions = last("direct lattice vectors"), last("POSITION  ")
    if not n_atoms or at_cell < 0 or at_positions < 0:
        raise DataError(
            f"{name}: no structure", "VRHFIN, lattice or POSITION is missing", "keep the whole OUTCAR"
        )
    at_charges = last("BORN EFFECTIVE CHARGES")
    if at_charges < 0:
        raise DataError(f"{name}: no BORN EFFECTIVE CHARGES", *_NO_LABELS)
    start = next(
        (i for i in range(at_charges, len(lines)) if re.match(r"\s*ion\s+1\b", lines[i])), len(lines)
    )
    charges = np.array([_block(lines, start + 4 * i + 1, 3, slice(1, 4), name) for i in range(n_atoms)])
    at_eps = last("MACROSCOPIC STATIC DIELECTRIC TENSOR (", unlike="IONIC")
    eps = _block(lines, at_eps + 2, 3, slice(0, 3), name) if at_eps >= 0 else None
    info, charge = _outcar_settings(lines, counts)
    return Frame(
        positions_ang=_block(lines, at_positions + 2, n_atoms, slice(0, 3), name),
        cell_ang=_block(lines, at_cell + 1, 3, slice(0, 3), name),
        pbc=np.ones(3, dtype=bool),
        numbers=_numbers(symbols),
        labels=labels_of(charges, eps),
        total_charge=charge,
        info=info,
    )


def _outcar_settings(lines: Sequence[str], counts: Sequence[int]) -> tuple[dict[str, Any], float]:
    text = "\n".join(lines)
    info: dict[str, Any] = {"code": "VASP"}
    version = re.search(r"vasp\.([\d.]+\d)", text)
    if version:
        info["code"] = f"VASP {version[1]}"
    functional = re.search(r"GGA\s*=\s*(\w\w)\s", text) or re.search(r"LEXCH\s*=\s*(\w\w)\b", text)
    if functional:
        info["functional"] = _FUNCTIONALS.get(functional[1].upper(), functional[1])
    cutoff = re.search(r"ENCUT\s*=\s*([\d.]+)\s*eV", text)
    if cutoff:
        info["cutoff_ev"] = float(cutoff[1])
    points = re.search(r"NKPTS\s*=\s*(\d+)", text)
    if points:
        info["n_k_points"] = int(points[1])
    electrons = re.search(r"NELECT\s*=\s*([\d.]+)", text)
    valences = re.findall(r"POMASS\s*=\s*[\d.]+;\s*ZVAL\s*=\s*([\d.]+)", text)[: len(counts)]
    if not electrons or len(valences) != len(counts):
        return info, 0.0
    total = sum(float(z) * n for z, n in zip(valences, counts, strict=True))
    return info, round(total - float(electrons[1]), 6) + 0.0


def read_vasprun(path: Path) -> Frame:
    """Read tensors, ε_∞ and the final structure of a vasprun.xml.

    Raises
    ------
    DataError
        If the file is cut or holds no ``born_charges``.
    """
    name = path.name
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DataError(f"{name}: {error}", "the file is cut", "let VASP finish, or use the OUTCAR") from None
    arrays = root.findall(".//array[@name='born_charges']")
    if not arrays:
        raise DataError(f"{name}: no born_charges", *_NO_LABELS)
    charges = np.array([_vectors(s) for s in arrays[-1].findall("set")])
    symbols = [(rc.find("c").text or "") for rc in root.findall(".//atominfo/array[@name='atoms']/set/rc")]  # type: ignore[union-attr]
    structures = root.findall("./structure[@name='finalpos']") or root.findall(".//structure")
    basis = structures[-1].find("./crystal/varray[@name='basis']") if structures else None
    positions = structures[-1].find("./varray[@name='positions']") if structures else None
    if basis is None or positions is None or charges.shape != (len(symbols), 3, 3):
        raise DataError(f"{name}: incomplete structure or tensors", "the file is cut", "let VASP finish")
    cell = _vectors(basis)
    epsilon = root.findall(".//varray[@name='epsilon_scf']") or root.findall(".//varray[@name='epsilon']")
    info, charge = _vasprun_settings(root, len(symbols))
    return Frame(
        positions_ang=_vectors(positions) @ cell,
        cell_ang=cell,
        pbc=np.ones(3, dtype=bool),
        numbers=_numbers(symbols),
        labels=labels_of(charges, _vectors(epsilon[-1]) if epsilon else None),
        total_charge=charge,
        info=info,
    )


def _vectors(element: ElementTree.Element) -> NDArray[np.float64]:
    return np.array([[float(x) for x in (v.text or "").split()] for v in element.findall("v")])


def _vasprun_settings(root: ElementTree.Element, n_atoms: int) -> tuple[dict[str, Any], float]:
    def text(path: str) -> str | None:
        """Return the text at a path of the document, None if there is none."""
        found = root.find(path)
        return found.text.strip() if found is not None and found.text else None

    version = text("./generator/i[@name='version']")
    info: dict[str, Any] = {"code": f"VASP {version}" if version else "VASP"}
    functional = text(".//i[@name='GGA']")
    if functional and functional.upper() in _FUNCTIONALS:
        info["functional"] = _FUNCTIONALS[functional.upper()]
    cutoff = text(".//i[@name='ENMAX']")
    if cutoff:
        info["cutoff_ev"] = float(cutoff)
    points = root.find(".//kpoints/varray[@name='kpointlist']")
    if points is not None:
        info["n_k_points"] = len(points.findall("v"))
    electrons = text(".//i[@name='NELECT']")
    rows = root.findall(".//atominfo/array[@name='atomtypes']/set/rc")
    cells = [[(c.text or "").strip() for c in row.findall("c")] for row in rows]
    if electrons is None or sum(int(c[0]) for c in cells if len(c) > 3) != n_atoms:
        return info, 0.0
    total = sum(int(c[0]) * float(c[3]) for c in cells)
    return info, round(total - float(electrons), 6) + 0.0
