"""Files that ASE reads, within limits.

A number of atoms in a header promises nothing: ASE allocates it, or reads on behind the end of the file for
each of them. Headers are compared with the bytes that are there before, and reading ends at the end.
"""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from bec_md.errors import BecMDError, BecMDWarning, DataError
from bec_md.files import (
    compression_of,
    in_words,
    open_binary,
    open_text,
    read_head,
    require_file,
    whole_limit,
)
from bec_md.structure.names import VELOCITY_UNITS
from bec_md.structure.species import ISOTOPES, element_of_potential
from bec_md.units import BOHR_ANG

if TYPE_CHECKING:
    from ase import Atoms

#: Atoms that ASE compares in no time; what symmetry may make of those of a CIF.
_COMPARED_ATOMS, _MADE_ATOMS = 200, 5000
#: All structures of a file that is read as a whole.
_ALL = slice(0, sys.maxsize)
_VASP = r"\A(?:[^\n]*\n){5}(?:[^\n\d]*\n)?[ \t]*(\d+(?:[ \t]+\d+)*)"
#: What a header announces (atoms, columns, grid points), by ASE's name of the format.
_ANNOUNCED = {
    "cfg": r"^(?:Number of particles|entry_count)\s*=\s*(\d+)",
    "cube": r"\A[^\n]*\n[^\n]*\n\s*-?(\d+)",
    "extxyz": r"\A\s*(\d+)\s*$|:[SRIL]:(\d+)",
    "lammps-data": r"^\s*(\d+)\s+(?:atoms|bonds|angles|dihedrals|impropers)",
    "vasp": _VASP,
    "vasp-xdatcar": _VASP,
}


def read_structure(source: str | Path | Atoms) -> Atoms:
    """Read the last structure of a file by ASE, the relaxed one of a relaxation; `ase.Atoms` as they are.

    A `BecMDWarning` says where there were several. Labels D and T of XYZ files and POSCARs are hydrogen of
    their mass.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is empty, or ASE cannot read it.
    """
    if not isinstance(source, (str, Path)):
        return source
    path = require_file(Path(source), "atoms and cell are read from it")
    try:
        count, last = 0, None
        for atoms in images(path, _ALL):
            count, last = count + 1, atoms
        if count > 1:
            said = f"{path.name} holds {count} structures: the last one is taken"
            warnings.warn(BecMDWarning(said), stacklevel=2)
        if last is not None:
            return last
        raise ValueError("it holds no structure")
    except BecMDError:
        raise
    except Exception as error:  # ASE raises anything, from StopIteration to UnknownFileTypeError
        raise DataError(
            f"cannot read the structure {path.name}: {in_words(error, path)}",
            "atoms and cell are read from it",
            "give a POSCAR, an extxyz, or another file that ASE reads",
        ) from error


def images(path: Path, index: slice = slice(0, 1), ase_format: str | None = None) -> Iterator[Atoms]:
    """Yield structures of a file; whatever ASE raises is left to the caller.

    Parameters
    ----------
    path
        The file.
    index
        Which of its structures.
    ase_format
        ASE's name of the format; by default what ASE takes it for.

    Raises
    ------
    DataError
        If it announces more than it holds, or names no elements.
    """
    from ase.io import iread
    from ase.io.formats import filetype, get_ioformat

    name = ase_format or filetype(str(path))
    kind: Any = get_ioformat(name)
    if kind.single and (index.start or 0) > 0:
        return
    check_announced(path, name)
    _check_elements(path, name)
    whole = index.stop is not None or compression_of(path) is not None
    if not kind.acceptsfd:
        yield from iread(str(path), index=index, format=name, do_not_split_by_at_sign=True)
        return
    with open_binary(path, lines=False, whole=whole) as stream:
        opened: IO[Any] = stream
        if not kind.isbinary:
            opened = io.TextIOWrapper(cast(Any, stream), encoding="utf-8-sig", errors="replace")
        if name == "cif":
            yield from _crystals(opened, index, path.name)
            return
        if whole and name in ("extxyz", "xyz"):
            yield from _with_isotopes(opened.read(), index, name)
            return
        if name == "vasp":
            yield from _poscar(opened.read())
            return
        if name == "gromos":
            yield from _gromos(opened.read(), path.name)
            return
        found = iread(cast(Any, opened), index=index, format=name)
        yield from map(_in_units_of_ase, found) if name == "qbox" else found


def _in_units_of_ase(atoms: Any) -> Atoms:
    """Atoms of Qbox, whose bohr and bohr E_h/ħ ASE leaves as they are, in Å and ASE's units of momentum."""
    atoms.set_cell(atoms.cell.array * BOHR_ANG, scale_atoms=True)
    atoms.set_momenta(atoms.get_momenta() * (VELOCITY_UNITS["atomic"] / VELOCITY_UNITS["ase"]))
    return cast("Atoms", atoms)


def _with_isotopes(text: str, index: slice, ase_format: str) -> Iterator[Atoms]:
    """Structures of an XYZ text by ASE, which knows neither D nor T; they are hydrogen of their mass."""
    from ase.io import iread

    lines = text.splitlines(keepends=True)
    masses: list[dict[int, float]] = []
    start = 0
    while start < len(lines) and lines[start].strip().isdecimal():
        first, end = start + 2, start + 2 + int(lines[start])
        masses.append({})
        for row, line in enumerate(lines[first:end]):
            label, _, rest = line.strip().partition(" ")
            if label in ISOTOPES:
                masses[-1][row] = ISOTOPES[label][1]
                lines[first + row] = f"H {rest}\n"
        start = end
    found: Iterator[Any] = iread(cast(Any, io.StringIO("".join(lines))), index=index, format=ase_format)
    for atoms, heavy in zip(found, masses[index], strict=False):
        if heavy and not atoms.has("masses"):
            values = atoms.get_masses()
            values[list(heavy)] = list(heavy.values())
            atoms.set_masses(values)
        yield atoms


def _poscar(text: str) -> Iterator[Atoms]:
    """Structure of a POSCAR by ASE, which knows neither D nor T; they are hydrogen of their mass."""
    from ase.io import iread

    lines = text.splitlines(keepends=True)
    stated = lines[5].split() if len(lines) > 6 else []
    names = [element_of_potential(name) for name in stated]  # Fe1, Fe2: sites of one element
    heavy = [ISOTOPES[name][1] if name in ISOTOPES else None for name in names]
    if any(heavy) or names != stated:
        lines[5] = " ".join("H" if name in ISOTOPES else name for name in names) + "\n"
    found: Iterator[Any] = iread(cast(Any, io.StringIO("".join(lines))), format="vasp")
    for atoms in found:
        if any(heavy):
            counts = [int(word) for word in lines[6].split()[: len(heavy)]]
            each = [mass for mass, count in zip(heavy, counts, strict=True) for _ in range(count)]
            pairs = zip(each, atoms.get_masses(), strict=True)
            atoms.set_masses([usual if mass is None else mass for mass, usual in pairs])
        yield atoms


def _gromos(text: str, place: str) -> Iterator[Atoms]:
    """Structure of a .g96 by ASE, which takes NA for nitrogen, Cl- for carbon, and all frames for one."""
    from ase.io import iread

    blocks = re.findall(r"^POSITION[ \t]*\n(.*?)^END", text, re.MULTILINE | re.DOTALL)
    if len(blocks) > 1:
        raise DataError(
            f"{place}: a .g96 of several frames",
            "ASE reads them as one structure of all their atoms",
            "convert it (gmx trjconv) to TRR for a trajectory, or write the one frame that is meant",
        )
    names = [line.split()[2] for line in "".join(blocks).splitlines() if len(line.split()) > 2]
    elements = [element_of_gro(name, place) for name in names]
    found: Iterator[Any] = iread(cast(Any, io.StringIO(text)), format="gromos")
    for atoms in found:
        atoms.set_chemical_symbols(elements)
        yield atoms


def _crystals(stream: IO[Any], index: slice, place: str) -> Iterator[Atoms]:
    """Structures of a CIF by ASE, which compares every atom that symmetry makes with all others.

    Many atoms without symmetry are taken as they are, in the cell; many others are refused.
    """
    from ase.io.cif import parse_cif

    found: Any = parse_cif(stream)
    blocks = [block for block in found if block.has_structure()]
    for block in blocks[index]:
        check_occupied(block, place)
        operations = block.get_spacegroup(True).nsymop if block.get_cell().rank == 3 else 1
        made = len(block.get_symbols()) * operations
        if made <= _COMPARED_ATOMS or (operations > 1 and made <= _MADE_ATOMS):
            yield block.get_atoms()
            continue
        if operations > 1:
            raise DataError(
                f"{place}: symmetry makes up to {made} atoms, more than {_MADE_ATOMS}",
                "each of them is compared with all others, which takes the square of their number",
                "write it without symmetry (P1), or as POSCAR or extended XYZ",
            )
        atoms: Any = block.get_unsymmetrized_structure()
        atoms.set_pbc(atoms.cell.rank == 3)
        atoms.wrap()
        yield atoms


def check_occupied(block: Any, place: str) -> None:
    """Refuse a crystal of ASE's CIF reader in which a site is occupied in part; ASE would fill it.

    Raises
    ------
    DataError
        With the first such site.
    """
    labels, shares = (block.get(f"_atom_site_{name}") or [] for name in ("label", "occupancy"))
    for number, share in enumerate(shares):
        if isinstance(share, int | float) and abs(share - 1.0) > 1e-3:
            site = labels[number] if number < len(labels) else f"number {number + 1}"
            raise DataError(
                f"{place}: site {site} is occupied to {share:g}",
                "the crystal is disordered, and its atoms are not those of one structure",
                "choose which sites are occupied, in a larger cell if need be, and write that",
            )


def _check_elements(path: Path, ase_format: str) -> None:
    """Refuse types of LAMMPS that are numbers only, and names and several frames of GROMACS.

    ASE makes elements of the former.

    Raises
    ------
    DataError
        With what is missing.
    """
    if ase_format == "gromacs":
        with open_text(path) as lines:
            top = list(islice(lines, 2))
            count = int(top[1]) if len(top) == 2 and top[1].strip().isdigit() else 0
            names = sorted({line[10:15].strip() for line in islice(lines, count)})
            if count and any(line.strip() for line in islice(lines, 1, None)):
                raise DataError(
                    f"{path.name}: a .gro of several frames",
                    "one structure is needed, and of several ASE reads none",
                    "write the one frame that is meant into a file of its own",
                )
        for name in names:
            element_of_gro(name, path.name)
    if ase_format != "lammps-dump-text":
        return
    head = read_head(path).decode("utf-8", "replace")
    if not re.search(r"^ITEM: ATOMS.*\belement\b", head, re.MULTILINE):
        raise DataError(
            f"{path.name}: its atom types have no elements",
            "the charges of an atom depend on its element, and a type is only a number",
            "give a POSCAR or an extxyz, or write the dump with a column element (dump_modify … element)",
        )


def element_of_gro(name: str, place: str) -> str:
    """Element that a name of an atom in a .gro begins with, where it can be one only.

    Raises
    ------
    DataError
        If two are possible, or none is.
    """
    from ase.data import atomic_numbers

    first, both = name[:1], name[:2].capitalize()
    if name[:2] == both and both in atomic_numbers:
        return both
    if first not in atomic_numbers or (both in atomic_numbers and both != first):
        raise DataError(
            f"{place}: which element is {name}?",
            "a .gro or .g96 has names of atoms alone (is CA carbon or calcium?); charges depend on elements",
            f"of a trajectory name it by `elements`, e.g. `elements={name or 'OW'}=…`; else write it as "
            "extended XYZ with element symbols",
        )
    return first


def check_announced(path: Path, ase_format: str) -> None:
    """Refuse a file whose header announces more than its bytes can hold.

    Raises
    ------
    DataError
        With both numbers.
    """
    pattern = _ANNOUNCED.get(ase_format)
    if pattern is None:
        return
    head = read_head(path).decode("utf-8", "replace")
    numbers = " ".join(" ".join(match.groups("")) for match in re.finditer(pattern, head, re.MULTILINE))
    announced = max(map(int, numbers.split()), default=0)
    size = path.stat().st_size
    held = size if compression_of(path) is None else whole_limit()
    if announced > held:
        raise DataError(
            f"{path.name} announces {announced} atoms or columns, but has {size} bytes",
            "each of them takes some bytes: the number is damaged, or the file is cut off",
            "correct the number, or copy the file again",
        )
