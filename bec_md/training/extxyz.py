"""Labelled structures from extended XYZ files, ten times faster than a general reader."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError

CHARGE_KEYS = ("born_effective_charges", "becs", "bec", "born_charge", "born_charges", "REF_becs")
"""Columns under which the tensors are looked for, in this order."""

EPS_KEYS = ("eps_inf", "epsilon_inf", "dielectric_tensor", "REF_epsilon")

_ENTRY = re.compile(r"""([^\s="]+)=(?:"([^"]*)"|'([^']*)'|(\S+))""")
_TRANSPOSED = {"dm/du": False, "polarization-first": False, "du/dm": True, "displacement-first": True}


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One structure with its reference tensors.

    The names of the geometry are those of :class:`bec_md.trajectory.Frame`.
    """

    positions_ang: NDArray[np.float64]  # (N, 3)
    cell_ang: NDArray[np.float64]  # (3, 3), rows are lattice vectors
    pbc: NDArray[np.bool_]  # (3,)
    numbers: NDArray[np.int64]  # (N,)
    born_effective_charges: NDArray[np.float64]  # (N, 3, 3), e, Z[i,a,b] = ∂M_a/∂u_ib
    eps_inf: NDArray[np.float64] | None = None  # (3, 3)
    total_charge: float = 0.0  # e
    index: int = 0
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    @property
    def formula(self) -> str:
        """Reduced formula, elements in alphabetic order: the composition's name."""
        return reduced_formula(self.numbers)


def reduced_formula(numbers: NDArray[np.int64]) -> str:
    """Return the reduced formula of atomic numbers, e.g. ``O2Si``."""
    from ase.data import chemical_symbols

    kinds, counts = np.unique(numbers, return_counts=True)
    counts = counts // np.gcd.reduce(counts)
    parts = sorted((chemical_symbols[k], int(c)) for k, c in zip(kinds, counts, strict=True))
    return "".join(symbol + (str(count) if count > 1 else "") for symbol, count in parts)


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _columns(properties: str, place: str) -> dict[str, tuple[int, int]]:
    """Return start and width of each named column."""
    parts = properties.split(":")
    if len(parts) % 3:
        raise DataError(
            f"{place}: Properties={properties!r}", "it is not name:type:width triples", "repair it"
        )
    out: dict[str, tuple[int, int]] = {}
    start = 0
    for name, _, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        out[name] = (start, int(width))
        start += int(width)
    return out


def _species(words: list[str], place: str) -> NDArray[np.int64]:
    from ase.data import atomic_numbers

    try:
        return np.array([int(w) if w.isdigit() else atomic_numbers[w] for w in words], dtype=np.int64)
    except KeyError as error:
        raise DataError(
            f"{place}: element {error.args[0]!r}", "no element has this symbol", "correct the species column"
        ) from None


def _matrix(text: str, place: str, key: str) -> NDArray[np.float64]:
    values = [float(word) for word in text.replace(",", " ").strip("[] ").split()]
    if len(values) == 9:
        return np.array(values).reshape(3, 3)
    if len(values) == 3:
        return np.diag(np.array(values))
    if len(values) == 1:
        return np.eye(3) * values[0]
    raise DataError(f"{place}: {key} has {len(values)} numbers", "a tensor has 1, 3 or 9", f"correct {key}")


def _bool(word: str) -> bool:
    return word.strip().upper() in {"T", "TRUE", "1"}


def _parse(
    lines: list[str], comment: str, place: str, key: str | None, transposed: bool | None, charge: float | None
) -> LabelledFrame:
    info = {m[1]: next(g for g in m.groups()[1:] if g is not None) for m in _ENTRY.finditer(comment)}
    columns = _columns(info.get("Properties", "species:S:1:pos:R:3"), place)
    names = (key,) if key else CHARGE_KEYS
    name = next((n for n in names if n in columns), None)
    if name is None or columns[name][1] != 9:
        raise DataError(
            f"{place}: no 9-column {' / '.join(names)} among {', '.join(columns)}",
            "training and evaluation compare with reference Born effective charges",
            "name the column (charges_key) or write it as born_effective_charges:R:9",
        )
    words = [line.split() for line in lines]
    width = sum(w for _, w in columns.values())
    for number, row in enumerate(words):
        if len(row) < width:
            raise DataError(
                f"{place}, atom {number}: {len(row)} of {width} columns", "the file is cut", "write it again"
            )
    first, wide = columns.get("species", columns.get("Z", (0, 1)))
    spans = [columns["pos"], columns[name]]
    picked = [row[a : a + w] for row in words for a, w in spans]
    flat = np.array([x for part in picked for x in part], dtype=np.float64).reshape(len(lines), 12)
    if not np.isfinite(flat).all():
        atom = int(np.flatnonzero(~np.isfinite(flat).all(1))[0])
        raise DataError(
            f"{place}, atom {atom}: not a finite number", "it cannot be trained on", "drop the frame"
        )
    tensors = flat[:, 3:].reshape(-1, 3, 3)
    if transposed is None:
        stated = info.get("bec_convention")
        if stated is not None and stated.lower() not in _TRANSPOSED:
            raise DataError(
                f"{place}: bec_convention={stated!r}",
                "the order of the two indices decides the current",
                f"use one of {', '.join(_TRANSPOSED)}",
            )
        transposed = _TRANSPOSED[stated.lower()] if stated is not None else False
    if transposed:
        tensors = tensors.transpose(0, 2, 1)
    cell = _matrix(info["Lattice"], place, "Lattice") if "Lattice" in info else np.zeros((3, 3))
    periodic = info.get("pbc")
    pbc = [_bool(w) for w in periodic.split()] if periodic else ["Lattice" in info] * 3
    eps_key = next((k for k in EPS_KEYS if k in info), None)
    q = next((float(info[k]) for k in ("total_charge", "charge") if k in info), charge or 0.0)
    return LabelledFrame(
        positions_ang=np.ascontiguousarray(flat[:, :3]),
        cell_ang=cell,
        pbc=np.array(pbc, dtype=bool),
        numbers=_species([row[first : first + wide][0] for row in words], place),
        born_effective_charges=np.ascontiguousarray(tensors),
        eps_inf=_matrix(info[eps_key], place, eps_key) if eps_key else None,
        total_charge=q,
        info={k: v for k, v in info.items() if k not in {"Lattice", "Properties", "pbc"}},
    )


def iterate_frames(
    path: str | Path,
    *,
    charges_key: str | None = None,
    transposed: bool | None = None,
    total_charge: float | None = None,
) -> Iterator[LabelledFrame]:
    """Yield the labelled structures of an extended XYZ file (plain, .gz or .xz).

    Parameters
    ----------
    path
        The file.
    charges_key
        Column of the tensors; by default the first of :data:`CHARGE_KEYS` that is there.
    transposed
        Whether the file stores ∂M_b/∂u_ia. ``None``: what ``bec_convention`` in the comment line says,
        else no.
    total_charge
        Net charge (e) of frames that do not state ``total_charge`` or ``charge``.

    Raises
    ------
    DataError
        With file, frame and atom, when the tensors are missing or the file is damaged.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{file}: no such file", "there is nothing to read", "check the path")
    with _open_text(file) as stream:
        index = 0
        while header := stream.readline():
            if not header.strip():
                continue
            place = f"{file.name}, frame {index}"
            try:
                count = int(header)
            except ValueError:
                raise DataError(
                    f"{place}: {header.strip()[:40]!r} where the number of atoms belongs",
                    "this is not an extended XYZ file",
                    "convert it with ASE",
                ) from None
            comment = stream.readline()
            lines = [stream.readline() for _ in range(count)]
            frame = _parse(lines, comment, place, charges_key, transposed, total_charge)
            yield LabelledFrame(
                **{name: getattr(frame, name) for name in frame.__dataclass_fields__ if name != "index"},
                index=index,
            )
            index += 1


def read_frames(
    path: str | Path,
    *,
    charges_key: str | None = None,
    transposed: bool | None = None,
    total_charge: float | None = None,
) -> list[LabelledFrame]:
    """Return all frames of :func:`iterate_frames`; an empty file is an error."""
    frames = list(
        iterate_frames(path, charges_key=charges_key, transposed=transposed, total_charge=total_charge)
    )
    if not frames:
        raise DataError(f"{path}: no frames", "there is nothing to learn from", "check the file")
    return frames
