"""Labels from VASP: OUTCAR or vasprun.xml of a run with LEPSILON or LCALCEPS, of every step that has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import compression_of, open_binary, read_text
from bec_md.structure import Frame
from bec_md.structure.names import labels_of
from bec_md.structure.species import ISOTOPES, MISSPELLED
from bec_md.training.runs_in_file import frames_of, runs_in
from bec_md.training.theory import VaspTags

NO_LABELS = (
    "the run did not compute the response to a field",
    "run VASP with LEPSILON = .TRUE. or LCALCEPS = .TRUE.",
)
_CHARGES, _WITHOUT = "BORN EFFECTIVE CHARGES", "excluding"
_UNCONVERGED = "aborting loop EDIFF was not reached"


def atomic_numbers_of(symbols: Sequence[str], name: str) -> NDArray[np.int64]:
    """Return the atomic numbers of VASP's names of elements, such as ``Ti_sv``; `name` is the file's."""
    from ase.data import atomic_numbers

    known = {name: number for name, number in atomic_numbers.items() if number}  # X: 0
    known |= {name: number for name, (number, _) in ISOTOPES.items()}
    clean = [re.split(r"[_.\d]", symbol.strip())[0] for symbol in symbols]
    clean = [MISSPELLED.get(symbol, symbol) for symbol in clean]
    unknown = next((s for s, c in zip(symbols, clean, strict=True) if c not in known), None)
    if unknown is not None:
        raise DataError(
            f"{name}: {unknown.strip()!r} is no chemical element",
            "tensors belong to atoms of an element",
            "correct the name of the element in the POTCAR",
        )
    return np.array([known[c] for c in clean], dtype=np.int64)


def _block(lines: Sequence[str], start: int, count: int, columns: slice, name: str) -> NDArray[np.float64]:
    """Three numbers in each of `count` lines; negative ones may touch those before them."""
    rows = (re.sub(r"(?<=\d)-(?=\d)", " -", line).split() for line in lines[start : start + count])
    try:
        table = np.array([[float(x) for x in row[columns]] for row in rows])
        if table.shape == (count, 3):
            return table
    except ValueError:
        pass
    raise DataError(
        f"{name}, line {start + 1}: not a table of {count} × 3", "the file is cut", "let VASP finish"
    )


def read_outcar(path: Path, left_out: list[str] | None = None) -> list[Frame]:
    """Read tensors, ε_∞ and structure of every step of an OUTCAR that has tensors, of every run in it.

    A block of tensors belongs to the structure printed before it; where the first block stands before the
    first structure, each belongs to the one behind it. The rows of VASP's tensors are the field directions:
    Z[i,a,b] = ∂F_ib/∂E_a. Net charge: Q = Σ ZVAL − NELECT. Tensors without local field effects are none.
    A cut last block, and those of electrons that did not converge, are left out if others are whole;
    `left_out` gets a sentence on them.

    Raises
    ------
    DataError
        If a block is missing or cut, or nothing converged.
    """
    said = [] if left_out is None else left_out
    runs = list(enumerate(runs_in(read_text(path, strict=False), r"vasp\.\d"), 1))
    labelled = [run for run in runs if _CHARGES in run[1]] or runs[-1:]
    return frames_of(labelled, path.name, lambda text, name: _outcar_run(text, name, said), said)


def _outcar_run(text: str, name: str, left_out: list[str]) -> list[Frame]:
    """Read the steps of one run."""
    lines = text.splitlines()
    kinds, counts = _outcar_species(lines, name)
    numbers = atomic_numbers_of(
        [kind for kind, n in zip(kinds, counts, strict=False) for _ in range(n)], name
    )
    at = {
        "cell": [i for i, line in enumerate(lines) if "direct lattice vectors" in line],
        "positions": [i for i, line in enumerate(lines) if line.lstrip().startswith("POSITION  ")],
        "charges": [i for i, line in enumerate(lines) if _CHARGES in line and _WITHOUT not in line],
        "eps": [
            i
            for i, line in enumerate(lines)
            if "MACROSCOPIC STATIC DIELECTRIC TENSOR (" in line and _WITHOUT not in line
        ],
    }
    if not at["cell"] or not at["positions"]:
        raise DataError(f"{name}: no structure", "lattice or POSITION is missing", "keep the whole OUTCAR")
    if not at["charges"] and _CHARGES in text:
        raise DataError(
            f"{name}: the only BORN EFFECTIVE CHARGES are those {_WITHOUT} local field effects",
            "the response of the electrons to their own field is missing in them",
            "run VASP with LEPSILON = .TRUE. or LCALCEPS = .TRUE., without LRPA",
        )
    if not at["charges"]:
        raise DataError(f"{name}: no BORN EFFECTIVE CHARGES", *NO_LABELS)
    info, charge = _outcar_settings(lines, kinds, counts)
    step_of = _before if at["positions"][0] < at["charges"][0] else _behind
    blocks = {step_of(at["positions"], line): line for line in at["charges"]}  # the last one of each step
    blocks = _converged(blocks, lines, at["positions"], name, left_out)
    eps_of = {step_of(at["positions"], line): line for line in at["eps"]}
    frames: list[Frame] = []
    for where, line in sorted(blocks.items()):
        try:
            frames.append(
                Frame(
                    positions_ang=_block(lines, where + 2, len(numbers), slice(0, 3), name),
                    cell_ang=_block(lines, _before(at["cell"], where) + 1, 3, slice(0, 3), name),
                    pbc=np.ones(3, dtype=bool),
                    numbers=numbers,
                    labels=labels_of(
                        _outcar_tensors(lines, line, len(numbers), name),
                        _block(lines, eps_of[where] + 2, 3, slice(0, 3), name) if where in eps_of else None,
                    ),
                    total_charge=charge,
                    index=len(frames),
                    info=dict(info),
                )
            )
        except DataError as error:
            if not frames or where != max(blocks):
                raise
            left_out.append(f"{error.what} (tensors of structure {len(blocks)} of {len(blocks)})")
    return frames


def _converged(
    blocks: dict[int, int], lines: Sequence[str], positions: Sequence[int], name: str, left_out: list[str]
) -> dict[int, int]:
    """Leave out the tensors of structures whose electrons did not converge (since the structure before)."""
    good = {}
    for where, line in blocks.items():
        begin = max((place for place in positions if place < min(where, line)), default=0)
        if not any(_UNCONVERGED in text for text in lines[begin : max(where, line)]):
            good[where] = line
    bad = f"{name}: the electrons of {len(blocks) - len(good)} of {len(blocks)} structures did not converge"
    if not good:
        raise DataError(bad, "labels would be noise", "raise NELM and run VASP again")
    if len(good) < len(blocks):
        left_out.append(bad)
    return good


def _before(places: Sequence[int], line: int) -> int:
    """Return the last of these lines before a line, or the first one after it."""
    earlier = [place for place in places if place < line]
    return earlier[-1] if earlier else places[0]


def _behind(places: Sequence[int], line: int) -> int:
    """Return the first of these lines after a line, or the last one before it."""
    return next((place for place in places if place > line), places[-1])


def _outcar_species(lines: Sequence[str], name: str) -> tuple[list[str], list[int]]:
    kinds = [re.split(r"[=:]", line)[1].strip() for line in lines if "VRHFIN" in line]
    start = next((i for i, line in enumerate(lines) if "ions per type" in line), None)
    words = [] if start is None else lines[start].split("=")[1].split()
    for line in lines[start + 1 :] if start is not None else ():  # many types take several lines
        if not re.fullmatch(r"[\d ]*\d[\d ]*", line):
            break
        words += line.split()
    counts = [int(word) for word in words]
    symbols = [s for s, n in zip(kinds, counts, strict=False) for _ in range(n)]
    ions = next((re.search(r"NIONS\s*=\s*(\d+)", line) for line in lines if "NIONS" in line), None)
    expected = int(ions[1]) if ions else sum(counts)
    if not symbols or len(symbols) != expected:
        raise DataError(
            f"{name}: elements of {len(symbols)} atoms, of {expected} expected",
            "VRHFIN and 'ions per type' name the elements of all atoms",
            "keep the whole OUTCAR",
        )
    return kinds[: len(counts)], counts


def _outcar_tensors(lines: Sequence[str], heading: int, n_atoms: int, name: str) -> NDArray[np.float64]:
    first = next((i for i in range(heading, len(lines)) if re.match(r"\s*ion\s+1\b", lines[i])), len(lines))
    return np.array([_block(lines, first + 4 * i + 1, 3, slice(1, 4), name) for i in range(n_atoms)])


def _effective_u(kinds: Sequence[str], u: str, j: str) -> dict[str, str]:
    """U − J of the elements that have one, as text: ``{"hubbard_u_ev": "Ti 4"}``."""
    values = [float(x) for x in u.split()]
    less = [float(x) for x in j.split()] or [0.0] * len(values)
    if len(values) != len(kinds) or len(less) != len(values):
        return {}
    effective = ((kind, a - b) for kind, a, b in zip(kinds, values, less, strict=True) if a != b)
    text = " ".join(f"{re.split(r'[_.0-9]', kind.strip())[0]} {value:g}" for kind, value in effective)
    return {"hubbard_u_ev": text} if text else {}


def _outcar_settings(
    lines: Sequence[str], kinds: Sequence[str], counts: Sequence[int]
) -> tuple[dict[str, Any], float]:
    text = "\n".join(lines)

    def tags(name: str) -> list[str]:
        """Every value that is printed for a tag, in the order of appearance."""
        return re.findall(rf"(?:^|[\s;]){name}\s*=[ \t]*([^\s;]+)", text)

    def last_number(name: str, otherwise: float) -> float:
        """The last number of this tag."""
        found = [value for value in tags(name) if re.fullmatch(r"[-+\d.Ee]+", value)]
        return float(found[-1]) if found else otherwise

    def on(name: str) -> bool:
        """Whether a logical tag is true: what is printed last was used, the INCAR may be repeated before."""
        return any(value.strip(".").upper().startswith("T") for value in tags(name)[-1:])

    info: dict[str, Any] = {"code": "VASP"}
    version = re.search(r"vasp\.([\d.]+\d)", text)
    if version:
        info["code"] = f"VASP {version[1]}"
    meta = [value for value in tags("METAGGA") if value.strip(".").upper() not in ("F", "T")]  # others' tag
    found = VaspTags(
        gga="".join(tags("GGA")[-1:]),
        lexch=next((v for v in tags("LEXCH") if not v.isdigit() or v == "91"), ""),
        metagga="".join(meta[-1:]),
        libxc=tuple(v for n in ("LIBXC1", "LIBXC2") for v in tags(n)[-1:]),
        hybrid=on("LHFCALC"),
        screening=last_number("HFSCREEN", 0.0),
        exact=last_number("AEXX", 0.25),
        hubbard=on("LDAU") or "LDA+U is selected" in text,
        nonlocal_vdw=on("LUSE_VDW"),
        model_screening=on("LMODELHF"),
    )
    if found.name:
        info["functional"] = found.name
    rows = [re.findall(rf"LDAU{letter}\s*=\s*([-\d. ]+)", text)[-1:] for letter in "UJ"]
    if found.hubbard:
        info |= _effective_u(kinds, *("".join(row) for row in rows))
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


def read_vasprun(path: Path) -> list[Frame]:
    """Read tensors, ε_∞ and structure of every calculation of a vasprun.xml that has tensors.

    Raises
    ------
    DataError
        If the file is cut or holds no ``born_charges``.
    """
    name = path.name
    try:
        with path.open("rb") if compression_of(path) is None else open_binary(path, whole=True) as stream:
            root = ElementTree.parse(stream).getroot()
    except ElementTree.ParseError as error:
        raise DataError(f"{name}: {error}", "the file is cut", "let VASP finish, or use the OUTCAR") from None
    parts = list(_labelled_parts(root))
    if not parts:
        raise DataError(f"{name}: no born_charges", *NO_LABELS)
    symbols = [(rc.find("c").text or "") for rc in root.findall(".//atominfo/array[@name='atoms']/set/rc")]  # type: ignore[union-attr]
    info, charge = _vasprun_settings(root, len(symbols))
    frames: list[Frame] = []
    for charges, structure, eps in parts:
        basis = structure.find("./crystal/varray[@name='basis']") if structure is not None else None
        positions = structure.find("./varray[@name='positions']") if structure is not None else None
        tensors = np.array([_vectors(s) for s in charges.findall("set")])
        if basis is None or positions is None or tensors.shape != (len(symbols), 3, 3):
            raise DataError(f"{name}: incomplete structure or tensors", "the file is cut", "let VASP finish")
        cell = _vectors(basis)
        frames.append(
            Frame(
                positions_ang=_vectors(positions) @ cell,
                cell_ang=cell,
                pbc=np.ones(3, dtype=bool),
                numbers=atomic_numbers_of(symbols, name),
                labels=labels_of(tensors, None if eps is None else _vectors(eps)),
                total_charge=charge,
                index=len(frames),
                info=dict(info),
            )
        )
    return frames


#: ε_∞ with local fields; its name depends on the version of VASP.
_EPS = ("dielectric_dft", "epsilon_scf", "epsilon")
_Part = tuple[ElementTree.Element, ElementTree.Element | None, ElementTree.Element | None]


def _labelled_parts(root: ElementTree.Element) -> Iterator[_Part]:
    """Yield tensors, structure and ε_∞ of each calculation, whose structure is its own, or the only one."""

    def last(parent: ElementTree.Element, *paths: str) -> ElementTree.Element | None:
        """The last element at the first path that has one."""
        return next((found[-1] for found in map(parent.findall, paths) if found), None)

    whole = last(root, "./structure[@name='finalpos']", ".//structure")
    inside = [
        part
        for part in root.findall("./calculation")
        if part.find(".//array[@name='born_charges']") is not None
    ]
    for part in inside or [root]:
        charges = last(part, ".//array[@name='born_charges']")
        if charges is None:
            return
        own = last(part, "./structure")
        if own is None and len(inside) < 2:  # of several it would not be known which one it is
            own = whole
        eps = last(part, *(f".//varray[@name='{name}']" for name in _EPS))
        yield charges, own, eps


def _vectors(element: ElementTree.Element) -> NDArray[np.float64]:
    return np.array([[float(x) for x in (v.text or "").split()] for v in element.findall("v")])


def _vasprun_settings(root: ElementTree.Element, n_atoms: int) -> tuple[dict[str, Any], float]:
    tags: dict[str, str] = {}
    for part in ("./generator", "./incar", "./parameters"):  # parameters are what was used in the end
        for section in root.findall(part):
            for kind in ("i", "v"):
                for item in section.iter(kind):
                    tags[(item.get("name") or "").strip()] = (item.text or "").strip()  # names may be padded
    rows = root.findall(".//atominfo/array[@name='atomtypes']/set/rc")
    cells = [[(c.text or "").strip() for c in row.findall("c")] for row in rows]
    info, charge = settings_of(tags, cells, n_atoms)
    points = root.find(".//kpoints/varray[@name='kpointlist']")
    return info if points is None else info | {"n_k_points": len(points.findall("v"))}, charge


def settings_of(
    tags: Mapping[str, str], types: Sequence[Sequence[str]], n_atoms: int
) -> tuple[dict[str, Any], float]:
    """Return what a label says of its calculation, and the net charge of the cell, e.

    Parameters
    ----------
    tags
        Tags of the run as text, and ``version``.
    types
        Number of atoms, element, mass, valence and potential of each type, as far as they are known.
    n_atoms
        Atoms of the cell; where the types have others the charge is taken as zero.
    """

    def number(name: str, otherwise: float) -> float:
        """The number of this tag."""
        try:
            return float(tags.get(name, otherwise))
        except ValueError:
            return otherwise

    def on(name: str) -> bool:
        """Whether a logical tag is true, as text or as a number."""
        return tags.get(name, "").strip(".").upper().startswith(("T", "1"))

    potential = types[0][-1] if types and len(types[0]) > 4 else ""
    info: dict[str, Any] = {"code": f"VASP {tags['version']}" if tags.get("version") else "VASP"}
    found = VaspTags(
        gga=tags.get("GGA", ""),
        lexch=_lexch(potential),
        metagga=tags.get("METAGGA", ""),
        libxc=tuple(tags[n] for n in ("LIBXC1", "LIBXC2") if tags.get(n)),
        hybrid=on("LHFCALC"),
        screening=number("HFSCREEN", 0.0),
        exact=number("AEXX", 0.25),
        hubbard=on("LDAU"),
        nonlocal_vdw=on("LUSE_VDW"),
        model_screening=on("LMODELHF"),
    )
    if found.name:
        info["functional"] = found.name
    if found.hubbard:
        info |= _effective_u(
            [c[1] for c in types if len(c) > 1], tags.get("LDAUU", ""), tags.get("LDAUJ", "")
        )
    cutoff = number("ENMAX", 0.0) or number("ENCUT", 0.0)
    if cutoff:
        info["cutoff_ev"] = cutoff
    electrons = number("NELECT", float("nan"))
    if np.isnan(electrons) or sum(int(c[0]) for c in types if len(c) > 3) != n_atoms:
        return info, 0.0
    total = sum(int(c[0]) * float(c[3]) for c in types)
    return info, round(total - electrons, 6) + 0.0


def _lexch(potential: str) -> str:
    """LEXCH, or what the name of a potential says of it."""
    if potential in ("PE", "CA", "91", "PS"):
        return potential
    return "PE" if "PBE" in potential else ("91" if "GGA" in potential else ("CA" if potential else ""))
