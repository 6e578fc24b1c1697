"""Labels from ABINIT: the main output (`.abo`) of a response to an electric field (``rfelfd 3``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import read_text
from bec_md.structure import Frame
from bec_md.structure.names import labels_of
from bec_md.training.runs_in_file import frames_of, runs_in
from bec_md.training.theory import libxc_functional
from bec_md.units import BOHR_ANG, HARTREE_EV

_FUNCTIONALS = {
    1: "LDA", 2: "LDA", 3: "LDA", 4: "LDA", 5: "LDA", 6: "LDA", 7: "LDA", 11: "PBE", 14: "revPBE",
    15: "RPBE", 23: "PBE-WC",
}  # fmt: skip
_INPUT = "outvars: echo values of preprocessed input variables"
_FINAL = "outvars: echo values of variables after computation"
_MOVES = ("ionmov", "geoopt", "optcell", "getxred", "getxcart", "getcell", "imgmov")
_CHARGES = "(from electric field response)"
_EPSILON = "Dielectric tensor, in cartesian coordinates"
_NUMBER = r"[-+]?\d+\.?\d*(?:[EeDd][-+]?\d+)?"
_ELEMENT = re.compile(rf"^\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+({_NUMBER})\s+{_NUMBER}\s*$", re.MULTILINE)
_VERSION = r"\.Version\s+\S+\s+of ABINIT"
_ROUNDING_BOHR = 2e-6
"""Lattice vectors of a dataset are printed with seven decimals."""
_CUT = ("the output is cut", "let ABINIT finish and collect again")


def is_abinit_output(text: str) -> bool:
    """Whether a text is the main output of ABINIT."""
    return re.search("^" + _VERSION, text, re.MULTILINE) is not None


def _matrix(text: str, heading: str, name: str, what: str, advice: str) -> dict[tuple[int, ...], float]:
    """Return the elements (dir1, pert1, dir2, pert2) of the last table under a heading."""
    start = text.rfind(heading)
    if start < 0:
        raise DataError(
            f"{name}: no {what}", f"ABINIT prints '{heading}' after a response to a field", advice
        )
    stop = re.compile(r"^(?:==|\s*[A-Za-z].*cartesian coordinates)", re.MULTILINE).search(
        text, start + len(heading)
    )
    block = text[start : stop.start() if stop else len(text)]
    return {
        (int(i), int(p), int(j), int(q)): float(x.replace("D", "E"))
        for i, p, j, q, x in _ELEMENT.findall(block)
    }


def read_charges(text: str, n_atoms: int, name: str) -> NDArray[np.float64]:
    """Born effective charges of the last field response, (N, 3, 3).

    A row ``a i b f`` is the mixed derivative with respect to the displacement of atom i along a and the
    field along b: it goes to Z[i, b, a], whose first index is the field.

    Raises
    ------
    DataError
        If the table is missing or incomplete.
    """
    table = _matrix(text, _CHARGES, name, "effective charges", "run a dataset with rfelfd 3 (and getddk)")
    charges = np.full((n_atoms, 3, 3), np.nan)
    for (direction, atom, field, perturbation), value in table.items():
        if perturbation == n_atoms + 2 and atom <= n_atoms:
            charges[atom - 1, field - 1, direction - 1] = value
    if np.isnan(charges).any():
        raise DataError(f"{name}: {np.isfinite(charges).sum()} of {charges.size} effective charges", *_CUT)
    return charges


def read_dielectric_tensor(text: str, n_atoms: int, name: str) -> NDArray[np.float64]:
    """ε_∞ of the last field response, (3, 3).

    Raises
    ------
    DataError
        If the table is missing or incomplete.
    """
    table = _matrix(text, _EPSILON, name, "dielectric tensor", "run a dataset with rfelfd 3 and rfdir 1 1 1")
    field = n_atoms + 2
    try:
        return np.array([[table[a, field, b, field] for b in (1, 2, 3)] for a in (1, 2, 3)])
    except KeyError:
        raise DataError(f"{name}: incomplete dielectric tensor", *_CUT) from None


class _Echo:
    """Variables as ABINIT repeats them at the end, for a dataset that computed charges.

    What is repeated at the beginning is the input: a dataset that takes its atoms from a relaxation before it
    has others.
    """

    def __init__(self, text: str, name: str, dataset: str) -> None:
        start = text.rfind(_FINAL)
        final = start >= 0
        if not final:
            start = text.find(_INPUT)
        if start < 0:
            raise DataError(f"{name}: no input variables", "the head is missing", "keep the whole output")
        stop = text.find("====", start)
        self._text = text[start : stop if stop > 0 else len(text)]
        self._name = name
        self._dataset = dataset
        moving = [
            variable
            for variable in _MOVES
            if re.search(rf"^.\s+{variable}\d*(?:\s+-?\d+)*?\s+-?[1-9]", self._text, re.MULTILINE)
        ]
        if moving and not final:
            raise DataError(
                f"{name}: atoms may have moved ({', '.join(moving)}), and the end of the output is missing",
                "what stands at the beginning is the structure before that",
                "let ABINIT finish and collect again",
            )

    def values(self, variable: str) -> NDArray[np.float64] | None:
        """Return the numbers of a variable in the dataset of the charges, None if it has its default.

        Raises
        ------
        DataError
            If datasets differ in it, and that one is not among them.
        """
        own = re.search(rf"^.\s+{variable}{self._dataset}((?:\s+{_NUMBER})+)", self._text, re.MULTILINE)
        if own is None and re.search(rf"^.\s+{variable}[\d?]+\s", self._text, re.MULTILINE):
            raise DataError(
                f"{self._name}: {variable} differs between the datasets",
                "it is not clear to which structure the charges belong",
                "run one structure per output",
            )
        found = own or re.search(rf"^.\s+{variable}((?:\s+{_NUMBER})+)", self._text, re.MULTILINE)
        return np.array([float(x.replace("D", "E")) for x in found[1].split()]) if found else None

    def shaped(self, variable: str, default: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a variable in the shape of its default."""
        values = self.values(variable)
        if values is None:
            return default
        if values.size < default.size:
            raise DataError(f"{self._name}: {values.size} of {default.size} numbers of {variable}", *_CUT)
        return values[: default.size].reshape(default.shape)


def read_abinit_output(path: Path, left_out: list[str] | None = None) -> list[Frame]:
    """Read tensors, ε_∞ and structure of every dataset of an ABINIT run that responds to a field.

    Parameters
    ----------
    path
        Main output (`.abo`, `.out`); it may hold several runs, one behind the other.
    left_out
        Gets a sentence for each dataset or run that cannot be read while another can.

    Raises
    ------
    DataError
        If a table is missing, a cycle did not converge, or the datasets hold different structures.
    """
    said = [] if left_out is None else left_out
    runs = enumerate(runs_in(read_text(path, strict=False), _VERSION), 1)
    return frames_of(runs, path.name, lambda text, name: _read_run(text, name, said), said)


def _read_run(text: str, name: str, left_out: list[str]) -> list[Frame]:
    """Read the datasets of one run that have charges."""
    unconverged = re.search(r"nstep\s*=\s*(\d+)\s+was not enough SCF cycles", text)
    if unconverged:
        raise DataError(
            f"{name}: not converged in {unconverged[1]} cycles", "labels would be noise", "raise nstep"
        )
    parts = re.split(r"(?m)^== DATASET +(\d+) ==", text[: text.rfind(_FINAL)] if _FINAL in text else text)
    sections = list(zip(["1", *parts[1::2]], parts[::2], strict=True))
    found = [section for section in sections if _CHARGES in section[1]] or sections[-1:]
    frames: list[Frame] = []
    errors: list[DataError] = []
    for dataset, section in found:
        try:
            frames.append(_read_dataset(text, section, name, dataset))
        except DataError as error:
            errors.append(error)
    if not frames:
        raise errors[0]
    left_out += [f"{error.what} ({error.why})" for error in errors]
    return frames


def _read_dataset(text: str, section: str, name: str, dataset: str) -> Frame:
    """Read the dataset of a run that prints this section."""
    count = re.search(r"^\s+natom =\s+(\d+)", text, re.MULTILINE)
    if count is None:
        raise DataError(f"{name}: no number of atoms", "the head is missing", "keep the whole output")
    n_atoms = int(count[1])
    echo = _Echo(text, name, dataset)
    nuclei = echo.values("znucl")
    if nuclei is None:
        raise DataError(f"{name}: no elements (znucl)", "the head is missing", "keep the whole output")
    if (nuclei < 1).any() or (nuclei % 1 > 0).any():
        raise DataError(
            f"{name}: znucl {nuclei} names no elements",
            "tensors belong to atoms of an element",
            "run ABINIT without pseudo-atoms or mixtures",
        )
    types = echo.shaped("typat", np.ones(n_atoms)).astype(int)
    cell = echo.shaped("rprim", np.eye(3)) * echo.shaped("acell", np.ones(3))[:, None]
    _check_cell(section, cell, name, dataset)
    charge = re.search(rf"^electrons:.*\bcharge:\s*({_NUMBER})", text, re.MULTILINE)  # since version 9
    stated = [value for name in ("cellcharge", "charge") if (value := echo.values(name)) is not None]
    return Frame(
        positions_ang=echo.shaped("xangst", np.zeros((n_atoms, 3))),
        cell_ang=cell * BOHR_ANG,
        pbc=np.ones(3, dtype=bool),
        numbers=nuclei[types - 1].astype(np.int64),
        labels=labels_of(
            read_charges(section, n_atoms, name), read_dielectric_tensor(section, n_atoms, name)
        ),
        total_charge=float(charge[1] if charge else stated[0][0] if stated else 0.0),
        info=_settings(text, echo, nuclei),
    )


def _check_cell(section: str, cell_bohr: NDArray[np.float64], name: str, dataset: str) -> None:
    """Compare the cell that is repeated at the end with that in which a dataset computed.

    Raises
    ------
    DataError
        If they differ: with ``getcell`` ABINIT may compute in the cell of the input and repeat another.
    """
    rows = re.findall(rf"^ R\([123]\)=\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})", section, re.MULTILINE)
    if len(rows) < 3:
        return
    used = np.array(rows[-3:], dtype=float)
    if np.abs(used - cell_bohr).max() > _ROUNDING_BOHR:
        raise DataError(
            f"{name}: dataset {dataset} computed in a cell with R(1) = {used[0]} bohr, "
            f"but {cell_bohr[0]} is repeated at the end",
            "it is not clear to which structure the charges belong",
            "compute the response in a run of its own, with the cell in its input",
        )


def functional_of(ixc: int) -> str:
    """Name of a functional: ABINIT's own number, or two of libxc as −1012 or −101130."""
    if ixc >= 0:
        return _FUNCTIONALS.get(ixc, f"ixc {ixc}")
    second, first = -ixc % 1000, -ixc // 1000
    return libxc_functional([first, second] if first else [second])


def _settings(text: str, echo: _Echo, nuclei: NDArray[np.float64]) -> dict[str, Any]:
    """Version, functional, Hubbard corrections, cutoff and number of k-points as printed."""
    from ase.data import chemical_symbols

    version = re.search(r"^\.Version\s+(\S+)", text, re.MULTILINE)
    out: dict[str, Any] = {"code": f"ABINIT {version[1]}" if version else "ABINIT"}
    functional, cutoff, points = (echo.values(variable) for variable in ("ixc", "ecut", "nkpt"))
    printed = re.findall(r"- ixc=\s*(-?\d+)", text)  # the default is not repeated
    if functional is None and printed:
        functional = np.array([float(printed[-1])])
    if functional is not None:
        out["functional"] = functional_of(int(functional[0]))
    hubbard, u = echo.values("usepawu"), echo.values("upawu")
    if hubbard is not None and hubbard.any():
        out["functional"] = f"{out.get('functional', 'unknown functional')}+U"
        if u is not None and len(u) == len(nuclei):
            exchange = echo.shaped("jpawu", np.zeros(len(u)))
            values = zip(nuclei.astype(int), HARTREE_EV * (u - exchange), strict=True)
            out["hubbard_u_ev"] = " ".join(f"{chemical_symbols[z]} {x:.6g}" for z, x in values if x)
    if cutoff is not None:
        out["cutoff_ha"] = float(cutoff[0])
    out["n_k_points"] = 1 if points is None else int(points[0])
    return out
