r"""Constant tensors of a reference cell (``born:PATH``), mapped onto the atoms of a trajectory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.charges.born_file import BornFile, looks_like_born, read_born
from bec_md.charges.constant import ConstantCharges
from bec_md.charges.mapping import MAX_STRAIN, SiteMap, map_supercell
from bec_md.charges.source import ChargeBatch, ChargeSource, digest
from bec_md.charges.symmetry import (
    Operation,
    expand_tensors,
    orbits,
    primitive_cell,
    site_change,
    symmetry_operations,
)
from bec_md.errors import DataError
from bec_md.files import expanded, parsing, read_text, require_file, unpacked_name
from bec_md.units import BOHR_ANG

if TYPE_CHECKING:
    from bec_md.structure import Frame


#: Tensors of a calculation differ from the symmetry of their sites by less, e.
ASYMMETRY_E = 0.05
#: Distances of atoms from the images of others that programs take for none, the first of them by default.
TOLERANCES_ANG = (1e-2, 1e-3, 1e-4, 1e-5)
#: Full lists of larger cells are not compared: their translations alone are thousands of operations.
_COMPARED_ATOMS = 100
#: Where the structure of a BORN file is looked for, in its folder.
COMPANIONS = ("POSCAR-unitcell", "POSCAR_unitcell", "POSCAR", "CONTCAR", "unitcell.extxyz", "unitcell.xyz")


@dataclass(frozen=True)
class ReferenceCell:
    """A cell with its atoms; what tensors are mapped from."""

    cell_ang: Array
    positions_ang: Array
    numbers: NDArray[np.int64]
    name: str

    def mapped_onto(self, frame: Frame) -> SiteMap | None:
        """Return which of its atoms each atom of a frame corresponds to."""
        own = self.cell_ang, self.positions_ang, self.numbers
        return map_supercell(*own, frame.cell_ang, frame.positions_ang, frame.numbers)


@dataclass(frozen=True)
class ReferenceCharges:
    """Tensors of a reference, before they are bound to a trajectory (see `prepare`).

    Parameters
    ----------
    tensors
        (n, 3, 3) tensors of the reference, e.
    structure
        Its cell and atoms; None when only the order of the atoms is known.
    path
        The file, for messages.
    notes
        What was done to the file's tensors.
    eps_inf
        (3, 3) electronic permittivity, when the file has one.
    """

    tensors: Array
    structure: ReferenceCell | None
    path: Path
    notes: tuple[str, ...] = ()
    eps_inf: Array | None = None
    fingerprint: str = field(init=False)
    constant: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        parts: list[object] = ["born", self.tensors]
        if self.structure is not None:
            parts += [self.structure.cell_ang, self.structure.positions_ang, self.structure.numbers]
        object.__setattr__(self, "fingerprint", digest(*parts))

    @property
    def name(self) -> str:
        """How the source is called."""
        return f"born:{self.path.name}"

    def prepare(self, frame: Frame) -> ChargeSource:
        """Return one tensor per atom of the trajectory, matched by position (by order without structure)."""
        n_atoms = len(frame.positions_ang)
        structure = None if self._by_order(frame) else self.structure
        if structure is None:
            if n_atoms != len(self.tensors):
                raise DataError(
                    f"{self.path.name} lists {len(self.tensors)} tensors, the trajectory has {n_atoms} atoms",
                    "without the structure they belong to, tensors can only be taken atom by atom",
                    f"put the structure beside it ({', '.join(COMPANIONS[:3])}, unitcell.extxyz) "
                    "or name it: `charges=born:BORN,POSCAR`",
                )
            note = f"{n_atoms} tensors taken in the order of {self.path.name}"
            note += (
                ", and as it is turned: they do not follow a molecule that turns" if self.structure else ""
            )
            return ConstantCharges(self.tensors, self.name, (*self.notes, note), self.eps_inf)
        return self._mapped(structure, frame)

    def _by_order(self, frame: Frame) -> bool:
        """Whether atoms are told by their order: where a molecule has no cell, there are no sites."""
        own = self.structure
        if own is None or np.linalg.det(own.cell_ang) * np.linalg.det(frame.cell_ang):
            return own is None
        if not np.array_equal(own.numbers, frame.numbers):
            raise DataError(
                f"the atoms of frame {frame.index} are not those of {own.name} in the same order",
                "atoms of molecules without a cell are told by their order",
                "give the tensors of this very molecule, or `charges=model`",
            )
        return True

    def _mapped(self, structure: ReferenceCell, frame: Frame) -> ConstantCharges:
        tensors, notes = self.tensors, self.notes
        found = structure.mapped_onto(frame)
        reduced = _primitive(structure, tensors) if found is None else None
        if reduced is not None:
            smaller, tensors = reduced
            notes = (*notes, f"the reference cell is {smaller.name} ({len(smaller.numbers)} atoms)")
            found = smaller.mapped_onto(frame)
        if found is None:
            raise DataError(
                f"the {len(frame.numbers)} atoms of frame {frame.index} do not match a supercell of "
                f"{structure.name} ({len(structure.numbers)} atoms)",
                "each atom takes the tensor of the site it belongs to; composition, cell (within "
                f"{100 * MAX_STRAIN:g} % strain) or positions differ, or atoms have left their sites",
                "start from a frame of the same phase (`start`), give the reference of this phase, or use "
                "`charges=model`",
            )
        tensors = found.rotation @ tensors[found.atoms] @ found.rotation.T
        turned = None if self.eps_inf is None else found.rotation @ self.eps_inf @ found.rotation.T
        return ConstantCharges(tensors, self.name, (*notes, found.describe()), turned)

    def evaluate(self, frames: Sequence[Frame]) -> ChargeBatch:
        """Map onto the first of these frames and evaluate."""
        return self.prepare(frames[0]).evaluate(frames)


def born_charges(spec: str) -> ReferenceCharges:
    """Read the reference that ``born:PATH`` or ``born:PATH,STRUCTURE`` names.

    Parameters
    ----------
    spec
        Path of a BORN file, a phonopy_params.yaml that holds one, or a structure with
        ``born_effective_charges`` (extxyz), and optionally of the structure that the BORN file belongs to.

    Raises
    ------
    UsageError, DataError
        For missing files, or a reduced BORN file without the structure to expand it.
    """
    head, _, tail = spec.partition(",")
    path = expanded(head)
    structure_path = expanded(tail) if tail else None
    for item in (path, structure_path):
        if item is not None:
            require_file(item, f"`charges=born:{spec}` are constant tensors of it")
    if unpacked_name(path).endswith((".yaml", ".yml")):
        return _from_phonopy(path)
    named = not path.suffix and path.name.upper().startswith("BORN")
    if not named and not looks_like_born(path):
        return _from_structure_file(path)
    born = _in_order(read_born(path))
    if structure_path is None:
        beside = [path.parent / name for name in COMPANIONS]
        structure_path = next((item for item in beside if item.is_file()), None)
    structure = None if structure_path is None else _read_structure(structure_path)
    return _from_born(path, born, structure)


def _primitive(structure: ReferenceCell, tensors: Array) -> tuple[ReferenceCell, Array] | None:
    """Return the primitive cell of a reference, where there is a smaller one, with its mean tensors.

    None where tensors tell apart what translations of the atoms make alike (magnetic order).
    """
    found = primitive_cell(structure.cell_ang, structure.positions_ang, structure.numbers)
    if found is None:
        return None
    cell, site = found
    mean = np.array([tensors[site == one].mean(axis=0) for one in range(site.max() + 1)])
    if np.abs(mean[site] - tensors).max() > ASYMMETRY_E:
        return None
    first = np.unique(site, return_index=True)[1]
    name = f"the primitive cell of {structure.name}"
    return ReferenceCell(cell, structure.positions_ang[first], structure.numbers[first], name), mean


def _in_order(born: BornFile) -> BornFile:
    """Return the file with its tensors in the order of the atoms that its header names."""
    if born.atoms is None:
        return born
    order = np.argsort(born.atoms, kind="stable").tolist()
    return BornFile(born.eps_inf, born.tensors[order], tuple(born.atoms[index] for index in order))


def _from_born(path: Path, born: BornFile, structure: ReferenceCell | None) -> ReferenceCharges:
    count = len(born.tensors)
    if structure is None:
        return ReferenceCharges(born.tensors, structure, path, eps_inf=born.eps_inf)
    n_atoms, has_cell = len(structure.numbers), bool(np.linalg.det(structure.cell_ang))
    if count == n_atoms:
        notes = _compared(born, structure, path) if has_cell else ()
        return ReferenceCharges(born.tensors, structure, path, notes, born.eps_inf)
    if not has_cell:
        raise DataError(
            f"{path.name} lists {count} tensors; {structure.name} has {n_atoms} atoms and no cell",
            "a reduced list is completed by the symmetry of a crystal",
            "list the tensors of all atoms",
        )
    operations, listed = _operations_of(path, born, structure)
    given = dict(zip(listed, born.tensors, strict=True))
    change = max(site_change(operations, atom, tensor) for atom, tensor in given.items())
    if change > ASYMMETRY_E:
        raise _misplaced(given, operations, structure, path.name)
    tensors = expand_tensors(operations, given, n_atoms)
    note = (
        f"{count} tensors of {path.name} expanded to the {n_atoms} atoms of {structure.name} by "
        f"{len(operations)} symmetry operations (site symmetry changed them by at most {change:.2g} e)"
    )
    return ReferenceCharges(tensors, structure, path, (note,), born.eps_inf)


def _operations_of(
    path: Path, born: BornFile, structure: ReferenceCell
) -> tuple[list[Operation], tuple[int, ...]]:
    """Return the operations by which a reduced list is complete, and the atoms that it lists.

    The rounding of a structure decides which atoms are equivalent: what one program found to its tolerance is
    read with another one where that of bec-md does not fit.
    """
    n_atoms = len(structure.numbers)
    named = born.atoms if born.atoms is not None and max(born.atoms) < n_atoms else None
    counts, distinct = [], True
    for tolerance in TOLERANCES_ANG:
        operations = symmetry_operations(
            structure.cell_ang, structure.positions_ang, structure.numbers, tolerance
        )
        lowest = orbits(operations, n_atoms)
        first = tuple(np.unique(lowest).tolist())
        counts.append(len(first))
        if len(first) != len(born.tensors):
            continue
        listed = named or first
        distinct = len({int(lowest[atom]) for atom in listed}) == len(listed)
        if distinct:
            return operations, listed
    if not distinct:
        raise DataError(
            f"atoms {', '.join(str(a + 1) for a in named or ())} in the header of {path.name} are not one of "
            f"each kind in {structure.name}",
            "a reduced BORN file lists one tensor per independent atom",
            "give the structure that the file was made for, with its order of atoms",
        )
    raise DataError(
        f"{path.name} lists {len(born.tensors)} tensors; {structure.name} has {n_atoms} atoms, "
        f"{counts[0]} of them independent by symmetry",
        "a reduced BORN file lists one tensor per independent atom",
        f"give the structure it was made for (`charges=born:{path.name},POSCAR`), or list all atoms",
    )


def _compared(born: BornFile, structure: ReferenceCell, path: Path) -> tuple[str, ...]:
    """Compare the tensors of all atoms with the symmetry of the structure; say what it would change.

    The electrons may break the symmetry (magnetic order): only what fits another atom is refused.
    """
    if len(born.tensors) > _COMPARED_ATOMS:
        return ()
    operations = symmetry_operations(structure.cell_ang, structure.positions_ang, structure.numbers)
    given = dict(enumerate(born.tensors))
    alike = expand_tensors(operations, given, len(given))
    change = float(np.abs(alike - born.tensors).max())
    if change <= ASYMMETRY_E:
        return ()
    wrong = {atom: z for atom, z in given.items() if site_change(operations, atom, z) > ASYMMETRY_E}
    if wrong and all(_fitting(operations, structure, atom, z) for atom, z in wrong.items()):
        raise _misplaced(wrong, operations, structure, path.name)
    return (
        f"the tensors of {path.name} break the symmetry of {structure.name} by up to {change:.2f} e: its "
        "atoms may stand in another order, or the electrons have a lower symmetry (magnetic order)",
    )


def _fitting(operations: list[Operation], structure: ReferenceCell, atom: int, tensor: Array) -> list[int]:
    """Atoms of the same element whose site has the symmetry of a tensor."""
    alike = np.flatnonzero(structure.numbers == structure.numbers[atom]).tolist()
    return [other for other in alike if site_change(operations, other, tensor) < ASYMMETRY_E]


def _misplaced(
    given: dict[int, Array], operations: list[Operation], structure: ReferenceCell, where: str
) -> DataError:
    """Return the error for a tensor that has not the symmetry of its site, with the sites that it fits."""
    atom, tensor = max(given.items(), key=lambda item: site_change(operations, *item))
    fitting = _fitting(operations, structure, atom, tensor)
    fits = (
        f"it fits atom {', '.join(str(other + 1) for other in fitting[:4])}"
        if fitting
        else "it fits no atom of this element: axes or structure differ from those of the calculation"
    )
    header = " ".join(str((fitting[0] if a == atom and fitting else a) + 1) for a in given)
    return DataError(
        f"the tensor of atom {atom + 1} in {where} has not the symmetry of its site in {structure.name}: "
        f"symmetry would change it by {site_change(operations, atom, tensor):.2f} e; {fits}",
        "averaging it away would give every equivalent atom a wrong tensor",
        "give the structure of the calculation, with its order of atoms, or name the atoms of a reduced list "
        f"in the first line (# epsilon and Z* of atoms {header})",
    )


def _read_structure(path: Path) -> ReferenceCell:
    from bec_md.structure.ase_files import read_structure

    atoms = read_structure(path)
    return ReferenceCell(
        np.array(atoms.cell), np.array(atoms.positions), np.array(atoms.numbers, dtype=np.int64), path.name
    )


def _from_phonopy(path: Path) -> ReferenceCharges:
    """Read the tensors of the primitive cell from a phonopy_params.yaml, which may hold them."""
    import yaml
    from ase.data import atomic_numbers

    wanted = "nac|born_effective_charge|dielectric_constant|primitive_cell|physical_unit"
    with parsing(path, "phonopy_params.yaml"):
        text = read_text(path)
        blocks = re.findall(rf"^(?:{wanted}):[^\n]*\n(?:[ \t-][^\n]*\n|\n)*", text, re.MULTILINE)
        content: dict[str, Any] = yaml.safe_load("".join(blocks)) or {}
        found: dict[str, Any] = content.get("nac", content)
        if (
            not {"born_effective_charge", "dielectric_constant"} <= set(found)
            or "primitive_cell" not in content
        ):
            raise DataError(
                f"{path.name} holds no Born effective charges",
                "phonopy writes them into phonopy_params.yaml where it has read a BORN file",
                "give that BORN file and its structure: `charges=born:BORN,POSCAR`",
            )
        cell, atoms = content["primitive_cell"], content["primitive_cell"]["points"]
        unit = BOHR_ANG if content.get("physical_unit", {}).get("length") in ("au", "bohr") else 1.0
        lattice = unit * np.array(cell["lattice"], dtype=np.float64)
        places = np.array([atom["coordinates"] for atom in atoms], dtype=np.float64) @ lattice
        numbers = np.array([atomic_numbers[atom["symbol"].rstrip("0123456789")] for atom in atoms])
        tensors, eps = (
            np.array(found[k], dtype=np.float64) for k in ("born_effective_charge", "dielectric_constant")
        )
    return ReferenceCharges(tensors, ReferenceCell(lattice, places, numbers, path.name), path, (), eps)


def _from_structure_file(path: Path) -> ReferenceCharges:
    from bec_md.trajectory import open_trajectory

    frames = open_trajectory(path, need_velocities=False, time_series=False, need_cell=False).frames()
    first = next(iter(frames))
    if first.born_effective_charges is None:
        raise DataError(
            f"{path.name} carries no Born effective charges as a structure",
            "`charges=born:…` takes constant tensors from it",
            "give a phonopy BORN file, or an extxyz with a column born_effective_charges (9 numbers), which "
            "`bec-md collect` makes of an OUTCAR, vasprun.xml or output of ph.x or ABINIT",
        )
    structure = ReferenceCell(first.cell_ang, first.positions_ang, first.numbers, path.name)
    notes = () if next(frames, None) is None else (f"tensors of the first frame of {path.name}",)
    return ReferenceCharges(np.asarray(first.born_effective_charges), structure, path, notes, first.eps_inf)
