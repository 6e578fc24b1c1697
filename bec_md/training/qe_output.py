"""Labels from Quantum ESPRESSO: `ph.x` with ``epsil = .true.``, structure from `pw.x`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import read_text
from bec_md.structure import Frame
from bec_md.structure.names import labels_of
from bec_md.structure.species import elements_of_labels
from bec_md.training.pw_files import HEADER, NUMBER, PwRun, given_run, is_pw_output, matching_run, number_of
from bec_md.training.runs_in_file import frames_of, runs_in
from bec_md.training.theory import qe_functional
from bec_md.units import BOHR_ANG

_TRIPLE = r"\(\s*" + r"\s+".join([NUMBER] * 3) + r"\s*\)"
_SITE = re.compile(r"^\s*(\d+)\s+(\S+)\s+([\d.]+)\s+tau\(\s*\d+\s*\)\s*=\s*" + _TRIPLE, re.MULTILINE)
_HEADING = re.compile(r"Effective charges \(d (Force / dE|P / du)\) in cartesian axis([^\n]*)")
_ROUNDING = 2e-4
"""ph.x prints positions with five decimals of the lattice parameter; a fair margin, in that unit."""


def is_ph_output(text: str) -> bool:
    """Whether a text was printed by ph.x."""
    return "Program PHONON" in text


def _rows(text: str, label: str, count: int, what: str, name: str) -> NDArray[np.float64]:
    """Return the first `count` lines ``label (a b c)``: each three of them consecutive, as x, y and z."""
    lines = text.splitlines()
    row = re.compile(rf"\s*{label}\s*(?:=\s*)?\((.*)\)\s*$")
    found = [(at, match) for at, line in enumerate(lines) if (match := row.match(line))][:count]
    if len(found) < count:
        raise DataError(
            f"{name}: {len(found)} of {count} rows of {what}",
            "the output is cut",
            "let ph.x finish and collect again",
        )
    try:
        numbers = np.array([[number_of(x) for x in match.groups()[-1].split()] for _, match in found])
        whole = numbers.shape == (count, 3) and np.isfinite(numbers).all()
    except ValueError:
        whole = False
    steps = np.diff([at for at, _ in found])
    axes = "".join(match[1] for _, match in found if row.groups > 1)
    if not whole or (np.delete(steps, np.s_[2::3]) != 1).any() or axes not in ("", "xyz" * (count // 3)):
        raise DataError(
            f"{name}: rows of {what} are missing, or are no numbers",
            "those behind them would belong to other atoms or axes",
            "look at the table in the output, and run ph.x again",
        )
    return numbers


def read_charges(text: str, n_atoms: int, name: str) -> NDArray[np.float64]:
    """Last block of effective charges without the acoustic sum rule imposed, (N, 3, 3).

    Row ``Ex`` holds ∂F_ib/∂E_x: the first index is the field, as in Z[i,a,b] = ∂F_ib/∂E_a. Where ph.x has
    only the polarization of displacements (``zue`` without ``zeu``), row ``Px`` holds ∂P_x/∂u_ib: the same.
    """
    found = [m for m in _HEADING.finditer(text) if "with asr applied" not in m[2]]
    blocks = [m for m in found if m[1].startswith("F")] or found
    if not blocks:
        raise DataError(
            f"{name}: no block 'Effective charges (d Force / dE)'",
            "ph.x prints it after an electric-field calculation of an insulator",
            "run ph.x with epsil = .true.",
        )
    start = blocks[-1].end()
    following = _HEADING.search(text, start)
    block = text[start : following.start() if following else len(text)]
    label = "E([xyz])" if blocks[-1][1].startswith("F") else "P([xyz])"
    return _rows(block, label, 3 * n_atoms, "effective charges", name).reshape(n_atoms, 3, 3)


def _geometry(text: str, name: str) -> tuple[float, NDArray[np.float64], list[str], NDArray[np.float64]]:
    """Lattice parameter (Å), lattice vectors (Å), symbols and positions (units of the lattice parameter)."""
    alat = re.search(r"lattice parameter \(a(?:lat|_0)\)\s*=\s*([\d.]+)", text)
    cell = re.search(r"crystal axes:.*?(?=reciprocal axes)", text, re.DOTALL)
    sites = _SITE.findall(text)
    exact = re.search(r"celldm\s?\(1\)=\s*([\d.]+)", text)
    if alat is None or cell is None or not sites:
        raise DataError(f"{name}: no structure", "the head of the output is missing", "keep the whole output")
    count = re.search(r"number of atoms/cell\s*=\s*(\d+)", text)
    n_atoms = int(count[1]) if count else len(sites)
    unit = float((exact or alat)[1]) * BOHR_ANG
    if [int(site[0]) for site in sites[:n_atoms]] != list(range(1, n_atoms + 1)):
        raise DataError(
            f"{name}: {len(sites)} sites are listed, number of atoms/cell is {n_atoms}",
            "tensors would be attached to the wrong atoms",
            "keep the whole output; a site is printed as '1  Mg  24.3050  tau(  1) = ( x y z )'",
        )
    symbols = elements_of_labels([(label, float(mass)) for _, label, mass, *_ in sites[:n_atoms]], name)
    tau = np.array([[number_of(x) for x in site[3:]] for site in sites[:n_atoms]])
    return unit, _rows(cell[0], r"a\([123]\)", 3, "axes", name) * unit, symbols, tau


def read_ph_output(
    path: Path, *, structure: Path | None = None, left_out: list[str] | None = None
) -> list[Frame]:
    """Read tensors, ε_∞ and structure of every ph.x run of a file.

    Parameters
    ----------
    path
        Output of ph.x; it may hold runs of pw.x as well.
    structure
        Input or output of pw.x. By default the last run of pw.x before it, or a file beside `path` that
        agrees with the structure which ph.x prints (five decimals only), else that structure itself.
    left_out
        Gets a sentence for each run that cannot be read while another can.

    Raises
    ------
    DataError
        If a block is missing or no number, the response did not converge, `structure` is another structure,
        or files of pw.x differ in the net charge.
    """
    runs: list[tuple[int, tuple[str, str]]] = []
    electrons = ""  # the last run of pw.x
    for number, text in enumerate(runs_in(read_text(path, strict=False), HEADER), 1):
        if is_ph_output(text):
            runs.append((number, (text, electrons)))
        elif is_pw_output(text):
            electrons = text
    labelled = [run for run in runs if _HEADING.search(run[1][0])] or runs[-1:]
    return frames_of(
        labelled,
        path.name,
        lambda texts, place: [_read_run(*texts, place, path, structure)],
        [] if left_out is None else left_out,
    )


def _read_run(text: str, electrons: str, name: str, path: Path, structure: Path | None) -> Frame:
    """Read one run of ph.x, and what the run of pw.x before it in the same file printed."""
    from ase.data import atomic_numbers

    stopped = re.search(r"Error in routine\s+(\w+).*\n\s*(\S.*)", text)
    if stopped and not _HEADING.search(text):
        raise DataError(
            f"{name}: ph.x stopped with an error in {stopped[1]}: {stopped[2].strip()}",
            "it printed no effective charges",
            "mend the input and run ph.x again",
        )
    if re.search(r"convergence (has )?not (been )?achieved", electrons + text, re.IGNORECASE):
        raise DataError(f"{name}: not converged", "labels would be noise", "raise niter_ph and run again")
    unit, cell, symbols, tau = _geometry(text, name)
    numbers = np.array([atomic_numbers[s] for s in symbols], dtype=np.int64)
    charges = read_charges(text, len(numbers), name)
    heading = text.rfind("Dielectric constant in cartesian axis")
    if heading < 0:
        raise DataError(f"{name}: no dielectric constant", "epsil = .true. prints it", "run ph.x with it")
    eps = _rows(text[heading:], "", 3, "the dielectric constant", name)
    printed = Frame(
        positions_ang=tau * unit,
        cell_ang=cell,
        pbc=np.ones(3, dtype=bool),
        numbers=numbers,
        labels=labels_of(charges, eps),
        total_charge=0.0,
        info=_settings(text) | {"structure_from": "ph.x (positions to five decimals)"},
    )
    index = re.search(r"bravais-lattice index\s*=\s*(-?\d+)", text)
    bravais, margin = (int(index[1]) if index else 0, unit / BOHR_ANG), _ROUNDING * unit
    if structure is not None:
        found: PwRun | None = given_run(structure, printed, bravais, margin, name)
    else:
        found = matching_run(path.parent, electrons, printed, bravais, margin, path.name)
    if found is None:
        return printed
    info: dict[str, Any] = {**printed.info, "structure_from": f"pw.x ({found.name})"}
    if found.plus_u and "+U" not in str(info.get("functional", "+U")):
        info["functional"] = f"{info['functional']}+U"  # ph.x itself need not say so
    return replace(
        printed,
        positions_ang=found.positions_ang,
        cell_ang=found.cell_ang,
        total_charge=found.total_charge or 0.0,
        info=info,
    )


def _settings(text: str) -> dict[str, Any]:
    """Version, functional, cutoff and k-points as printed."""
    version = re.search(r"Program PHONON v\.?\s*([\w.]+)", text)
    cutoff = re.search(r"kinetic-energy cut-?off\s*=\s*([\d.]+)\s+Ry", text)
    points = re.search(r"number of k points=\s*(\d+)", text)
    functional = qe_functional(text)
    out: dict[str, Any] = {"code": "Quantum ESPRESSO " + (version[1] if version else "ph.x")}
    if functional:
        out["functional"] = functional
    hubbard = re.findall(r"^\s*U\(\s*([\w-]+)\s*\)\s*=\s*([\d.]+)", text, re.MULTILINE)
    if table := re.search(r"atomic species +L +U .*\n((?: +[A-Za-z]\S* +\d+ +[\d.].*\n)+)", text):
        hubbard += [(row.split()[0], row.split()[2]) for row in table[1].splitlines()]
    if hubbard:
        out["hubbard_u_ev"] = " ".join(f"{site} {float(value):g}" for site, value in dict(hubbard).items())
    if cutoff:
        out["cutoff_ry"] = float(cutoff[1])
    if points:
        out["n_k_points"] = int(points[1])
    return out
