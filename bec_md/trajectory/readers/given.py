"""What the caller gives where a format lacks it: the cell, elements of labels, velocities of another file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.files import COMPRESSIONS, require_file, unpacked_name
from bec_md.trajectory.options import ReadOptions


def given_cell(options: ReadOptions) -> NDArray[np.float64] | None:
    """Cell of the options, lattice vectors as rows in Å, shape (3, 3).

    Raises
    ------
    UsageError
        If it is neither three edges nor nine components, or has no volume.
    """
    if options.cell_ang is None:
        return None
    try:
        numbers = np.asarray(options.cell_ang, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.size == 3:
        numbers = np.diag(numbers).ravel()
    if numbers.size != 9 or not np.isfinite(numbers).all():
        raise UsageError(
            f"`cell_ang={options.cell_ang}` is not understood",
            "a cell is three edges (orthorhombic) or the nine components of its vectors, in Å",
            "write for example `cell_ang=10,10,12`",
        )
    cell = numbers.reshape(3, 3)
    if abs(float(np.linalg.det(cell))) < 1e-6:
        raise UsageError(
            f"`cell_ang={options.cell_ang}` has no volume",
            "conductivity is current squared per volume",
            "give three vectors that span a cell, in Å",
        )
    return cell


def refuse_given_cell(options: ReadOptions, source: str) -> None:
    """Refuse a cell of the options for a file that states its own.

    Raises
    ------
    UsageError
        If there is one.
    """
    if options.cell_ang is not None:
        raise UsageError(
            f"{source}: `cell_ang` was given, but the file states its cell itself",
            "one of them is wrong, or the option does nothing",
            "leave `cell_ang` out",
        )


def required_cell(options: ReadOptions, source: str, format: str) -> NDArray[np.float64]:
    """Cell of the options for a format that carries none.

    Raises
    ------
    UsageError
        If there is none.
    """
    cell = given_cell(options)
    if cell is None:
        raise UsageError(
            f"{source}: no cell",
            f"a file of the format {format} does not state it, and conductivity is current squared "
            f"per volume",
            "give `cell_ang=a,b,c` (or nine numbers), in Å",
        )
    return cell


def elements_of(labels: Sequence[str], options: ReadOptions, where: str) -> list[str]:
    """Element of every label of a file, shape (N,); labels that are elements stand for themselves.

    Raises
    ------
    UsageError
        For type numbers without elements, and for elements that the file has no use for.
    """
    table = options.elements
    numbered = all(label.isdigit() for label in set(labels))
    if table is None:
        if numbered:
            raise UsageError(
                f"{where}: its atom types {_some(labels)} have no elements",
                "the charges of an atom depend on its element, and a type is only a number",
                "give `elements` in the order of the types, e.g. `elements=Si,O`",
            )
        return list(labels)
    if isinstance(table, Mapping):
        named = {str(label): element for label, element in table.items()}
    elif numbered:
        named = {str(kind): element for kind, element in enumerate(_words(table), start=1)}
    else:
        raise UsageError(
            f"{where}: `elements` names types by their order, but its atoms have the labels {_some(labels)}",
            "only numbers have an order",
            "leave `elements` out, or name the labels that are no elements, e.g. `elements=OW=O,HW=H`",
        )
    missing = sorted({label for label in labels if label not in named} if numbered else set())
    if missing:
        raise UsageError(
            f"{where}: no element is given for atom type {missing[0]}",
            f"`elements` names {', '.join(named)}",
            "name all types, e.g. `elements=Si,O` in their order",
        )
    if not set(named) & set(labels):
        raise UsageError(
            f"{where}: `elements` names {', '.join(named)}, which the file does not contain",
            f"its labels are {_some(labels)}, so the option would do nothing",
            "leave `elements` out, or correct the names",
        )
    return [named.get(label, label) for label in labels]


def elements_in_order(n_atoms: int, options: ReadOptions, where: str) -> list[str]:
    """Elements of a format that has no labels at all: one for every atom, in the order of the rows.

    An element may carry how often it follows itself: ``Na32,Cl32`` or ``O,H2,O,H2``.

    Raises
    ------
    UsageError
        If they are missing or of another number.
    """
    table = options.elements
    fix = f"give `elements` with {n_atoms} atoms in the order of the rows, e.g. `elements=Na2,Cl2`"
    if table is None or isinstance(table, Mapping):
        raise UsageError(f"{where}: no elements", "its rows have no labels", fix)
    elements: list[str] = []
    for word in _words(table):
        symbol = word.rstrip("0123456789")
        times = int((word[len(symbol) :] or "1")[:9])
        if times > n_atoms:
            raise UsageError(f"{where}: `elements` names {times} atoms of {symbol} of {n_atoms}",
                             "the file has fewer rows", fix)  # fmt: skip
        elements += [symbol] * times
    if len(elements) != n_atoms:
        raise UsageError(
            f"{where}: `elements` names {len(elements)} atoms, but there are {n_atoms}",
            "its rows have no labels, so every one needs its element",
            fix,
        )
    return elements


def companion(path: Path, given: str | Path | None, name: str | None) -> Path | None:
    """File that belongs to a trajectory: the one given, else that of this name beside it, compressed or not.

    Raises
    ------
    UsageError
        If the file given does not exist.
    """
    if given is not None:
        return require_file(Path(given))
    if name is None or name == unpacked_name(path):
        return None
    beside = (path.with_name(name + ending) for ending in ("", *COMPRESSIONS))
    return next((other for other in beside if other.is_file()), None)


def _words(table: Sequence[str]) -> list[str]:
    words = table.replace(",", " ").split() if isinstance(table, str) else list(table)
    return [str(word) for word in words]


def _some(labels: Sequence[str]) -> str:
    names = sorted(set(labels))
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
