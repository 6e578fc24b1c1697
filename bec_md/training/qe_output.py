"""Labels from Quantum ESPRESSO: `ph.x` with ``epsil = .true.``, structure from `pw.x`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import read_text
from bec_md.structure import Frame
from bec_md.structure.ase_files import images
from bec_md.structure.names import labels_of
from bec_md.training.theory import plus_u, qe_functional
from bec_md.units import BOHR_ANG

_NUMBER = r"([-+]?\d+\.?\d*(?:[EeDd][-+]?\d+)?)"
_TRIPLE = re.compile(r"\(\s*" + r"\s+".join([_NUMBER] * 3) + r"\s*\)")
_SITE = re.compile(r"^\s*\d+\s+(\S+)\s+([\d.]+)\s+tau\(\s*\d+\s*\)\s*=\s*" + _TRIPLE.pattern, re.MULTILINE)
_SAME_MASS = 0.02
"""Standard weights and the masses of input files agree better than this; neighboring elements do not."""
_HEADING = re.compile(r"Effective charges \(d Force / dE\) in cartesian axis([^\n]*)")
_ROUNDING = 2e-4
"""ph.x prints positions with five decimals of the lattice parameter; a fair margin, in that unit."""


def is_ph_output(text: str) -> bool:
    """Whether a text was printed by ph.x."""
    return "Program PHONON" in text


def _floats(triples: list[tuple[str, ...]]) -> NDArray[np.float64]:
    return np.array([[float(x.replace("D", "E").replace("d", "e")) for x in row] for row in triples])


def _rows(text: str, count: int, what: str, name: str) -> NDArray[np.float64]:
    found: list[tuple[str, ...]] = []
    for match in _TRIPLE.finditer(text):
        found.append(match.groups())
        if len(found) == count:
            return _floats(found)
    raise DataError(
        f"{name}: {len(found)} of {count} rows of {what}",
        "the output is cut",
        "let ph.x finish and collect again",
    )


def read_charges(text: str, n_atoms: int, name: str) -> NDArray[np.float64]:
    """Last block of effective charges without the acoustic sum rule imposed, (N, 3, 3).

    Row ``Ex`` holds ∂F_ib/∂E_x: the first index is the field, as in Z[i,a,b] = ∂F_ib/∂E_a.
    """
    blocks = [m for m in _HEADING.finditer(text) if "with asr applied" not in m[1]]
    if not blocks:
        raise DataError(
            f"{name}: no block 'Effective charges (d Force / dE)'",
            "ph.x prints it after an electric-field calculation of an insulator",
            "run ph.x with epsil = .true.",
        )
    start = blocks[-1].end()
    following = _HEADING.search(text, start)
    block = text[start : following.start() if following else len(text)]
    return _rows(block, 3 * n_atoms, "effective charges", name).reshape(n_atoms, 3, 3)


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
    if len(sites) < n_atoms:
        raise DataError(
            f"{name}: {len(sites)} sites are listed, number of atoms/cell is {n_atoms}",
            "tensors would be attached to the wrong atoms",
            "keep the whole output; a site is printed as '1  Mg  24.3050  tau(  1) = ( x y z )'",
        )
    symbols = _elements([(label, float(mass)) for label, mass, *_ in sites[:n_atoms]], name)
    return unit, _rows(cell[0], 3, "axes", name) * unit, symbols, _floats([s[2:] for s in sites[:n_atoms]])


def _elements(sites: list[tuple[str, float]], name: str) -> list[str]:
    """Return the elements of labels (with masses, amu): any case, X, Xn, X_* or X-*, and Xw beside them.

    Where two letters and one letter both name an element (``Co``, ``C`` with a suffix), the mass decides,
    unless masses are placeholders: labels that cannot be the same element have the same one.
    """
    from ase.data import atomic_masses, atomic_numbers

    known: dict[tuple[str, float], list[str]] = {}
    for label, mass_amu in dict.fromkeys(sites):
        letters = re.match(r"[A-Za-z]{1,2}", label)
        candidates = [] if letters is None else [letters[0].capitalize(), letters[0][0].upper()]
        known[label, mass_amu] = [symbol for symbol in candidates if symbol in atomic_numbers]
        if not known[label, mass_amu]:
            raise DataError(
                f"{name}: the atomic label {label!r} names no element",
                "tensors belong to atoms of an element",
                "label atoms by their element, with a number or a suffix if needed: O, O1, O_s",
            )
    of_mass: dict[float, set[str]] = {}
    for (_, mass_amu), symbols in known.items():
        of_mass[mass_amu] = of_mass.get(mass_amu, set(symbols)) & set(symbols)

    def element(site: tuple[str, float]) -> str:
        """The first element of a label, or the one that has its mass."""
        weights = {symbol: atomic_masses[atomic_numbers[symbol]] for symbol in known[site]}
        fitting = [s for s in known[site] if abs(weights[s] / max(site[1], 1e-3) - 1.0) < _SAME_MASS]
        return (fitting if fitting and all(of_mass.values()) else known[site])[0]

    return [element(site) for site in sites]


def _from_pw(path: Path) -> tuple[Any, dict[str, str]]:
    """Structure and settings of a pw.x input or output."""
    text = read_text(path, strict=False)
    kind = "espresso-out" if "Program PWSCF" in text else "espresso-in"
    *_, atoms = images(path, slice(-1, None), kind)
    if kind == "espresso-in":
        text = re.sub(r"[!#].*", "", text)  # what is commented out is not set
    charge = re.search(r"tot_charge\s*=\s*" + _NUMBER, text)
    settings = {"total_charge": charge[1].replace("d", "e").replace("D", "e")} if charge else {}
    if plus_u(text):
        settings["plus_u"] = "yes"
    return atoms, settings


def _matching_pw(
    folder: Path, tau_ang: NDArray[np.float64], cell_ang: NDArray[np.float64], margin_ang: float
) -> Path | None:
    """File beside the ph.x output that holds the same structure with more digits; inputs first."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in {".in", ".pwi", ".out", ".pwo"})
    for file in files:
        if file.stat().st_size > 50_000_000:
            continue
        text = read_text(file, strict=False)
        if "Program PWSCF" not in text and "ATOMIC_POSITIONS" not in text:
            continue
        try:
            atoms, _ = _from_pw(file)
        except Exception:  # ASE raises errors of many kinds for files that are not from pw.x
            continue
        if _apart(atoms, tau_ang, cell_ang) < margin_ang:
            return file
    return None


def _apart(atoms: Any, positions_ang: NDArray[np.float64], cell_ang: NDArray[np.float64]) -> float:
    """Largest difference of positions and lattice vectors, Å; infinite for another number of atoms."""
    if len(atoms) != len(positions_ang):
        return np.inf
    found = (np.abs(atoms.positions - positions_ang).max(), np.abs(atoms.cell.array - cell_ang).max())
    return float(max(found))


def read_ph_output(path: Path, *, structure: Path | None = None) -> Frame:
    """Read tensors, ε_∞ and structure of one ph.x run.

    Parameters
    ----------
    path
        Output of ph.x.
    structure
        Input or output of pw.x. By default a file beside `path` that agrees with the structure which
        ph.x prints (five decimals only), else that structure itself.

    Raises
    ------
    DataError
        If a block is missing, the response did not converge, or `structure` is another structure.
    """
    from ase.data import atomic_numbers

    text = read_text(path, strict=False)
    name = path.name
    if re.search(r"convergence (has )?not (been )?achieved", text, re.IGNORECASE):
        raise DataError(f"{name}: not converged", "labels would be noise", "raise niter_ph and run again")
    unit, cell, symbols, tau = _geometry(text, name)
    numbers = np.array([atomic_numbers[s] for s in symbols], dtype=np.int64)
    charges = read_charges(text, len(numbers), name)
    heading = text.rfind("Dielectric constant in cartesian axis")
    if heading < 0:
        raise DataError(f"{name}: no dielectric constant", "epsil = .true. prints it", "run ph.x with it")
    eps = _rows(text[heading:], 3, "the dielectric constant", name)
    positions, margin, origin = tau * unit, _ROUNDING * unit, "ph.x (positions to five decimals)"
    found = structure or _matching_pw(path.parent, positions, cell, margin)
    info: dict[str, Any] = {}
    if found is not None:
        atoms, settings = _from_pw(found)
        distance = _apart(atoms, positions, cell)
        if distance > margin or not np.array_equal(atoms.numbers, numbers):
            alike = np.array_equal(atoms.numbers, numbers)
            where = f"largest distance {distance:.4f} Å" if alike else "other elements or numbers of atoms"
            raise DataError(
                f"{found.name} and {name} hold different structures ({where})",
                "labels would be attached to the wrong atoms",
                "give the input or output of the pw.x run that preceded ph.x",
            )
        positions, cell, origin = atoms.positions, np.asarray(atoms.cell), f"pw.x ({found.name})"
        info |= settings
    info |= _settings(text) | {"structure_from": origin}
    if info.pop("plus_u", None) and "+U" not in str(info.get("functional", "+U")):
        info["functional"] = f"{info['functional']}+U"  # ph.x itself need not say so
    return Frame(
        positions_ang=np.array(positions),
        cell_ang=cell,
        pbc=np.ones(3, dtype=bool),
        numbers=numbers,
        labels=labels_of(charges, eps),
        total_charge=float(info.pop("total_charge", 0.0)),
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
