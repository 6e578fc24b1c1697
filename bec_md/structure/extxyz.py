"""Extended XYZ: one parser for trajectories and labelled structures, and one writer.

ASE's own reader is slow (tens of µs per atom), hides `born_effective_charges` in a calculator, and takes
velocity columns of other programs as they come. Columns understood here, by name:

- ``momenta``: ASE units, √(amu eV), divided by the masses.
- ``velocities`` or ``velocity``: Å per ASE time unit, which is what ASE's `get_velocities` returns.
- ``vel`` (GPUMD) and ``velo`` (QUIP): Å/fs, as these programs define them.

A comment key ``velocity_units=ang/fs`` states other units in the file, ``bec_convention="du/dM"`` that the
first index of the tensors is the displacement.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.atomic import replacing
from bec_md.errors import BecMDWarning, DataError
from bec_md.files import open_for_writing, open_text, require_file
from bec_md.structure import comment as comment_line
from bec_md.structure.columns import DEFAULT_PROPERTIES, Layout, make_layout
from bec_md.structure.frame import Frame
from bec_md.structure.names import (
    CHARGES,
    CONVENTION_KEY,
    EPS_INF,
    EPS_INF_KEYS,
    TIME_KEYS,
    TOTAL_CHARGE_KEYS,
    VELOCITY_COLUMNS,
    VELOCITY_UNITS,
    VelocityUnits,
    as_tensors,
    index_order,
)
from bec_md.structure.species import Species, resolve_species, symbols_of

_GEOMETRY_KEYS = frozenset({"Lattice", "Properties", "pbc"})
_CHARGE_UNITS = dict.fromkeys(TOTAL_CHARGE_KEYS, 1.0)  # e


@dataclass
class ExtxyzParser:
    """Turns the lines of frames into structures; remembers what successive frames share.

    Parameters
    ----------
    charges_key
        Column of the tensors; by default the first known name that is there.
    transposed
        Whether the first index of the tensors is the displacement; None: as the file states, else no.
    masses
        Masses in amu by element that replace those of the file.
    velocity_units
        Units of the velocities, when the caller states them.
    velocities
        Whether velocities are read.
    cell_required
        Whether a frame without a cell is refused; else it has no volume.
    cell_ang
        Cell of frames that do not state theirs, in Å, shape (3, 3).
    rename
        Turns the labels of the atoms into elements.
    by_id
        Whether atoms are sorted by a column ``id``, when there is one.
    warnings
        Collects what the reader should know.
    """

    charges_key: str | None = None
    transposed: bool | None = None
    masses: Mapping[str, float] = field(default_factory=dict)
    velocity_units: str | None = None
    velocities: bool = True
    cell_required: bool = True
    cell_ang: Array | None = None
    rename: Callable[[Sequence[str], str], Sequence[str]] | None = None
    by_id: bool = False
    warnings: list[str] = field(default_factory=list)
    _ids: Array | None = field(default=None, init=False)
    _layouts: dict[str, Layout] = field(default_factory=dict, init=False)
    _species: Species | None = field(default=None, init=False)
    _prefixes: list[str] = field(default_factory=list, init=False)
    _pairs: tuple[str, dict[str, str]] = field(default=("", {}), init=False)

    def pairs(self, comment: str) -> dict[str, str]:
        """Key=value pairs of a comment line; passes in several threads may share the last ones."""
        last = self._pairs
        if comment != last[0]:
            last = self._pairs = (comment, comment_line.parse_comment(comment))
        return last[1]

    def layout(self, comment: str, where: str) -> Layout:
        """Which columns of a row hold what."""
        properties = self.pairs(comment).get("Properties", DEFAULT_PROPERTIES)
        if properties not in self._layouts:
            self._layouts[properties] = make_layout(
                properties, where, self.warnings, charges_key=self.charges_key, velocities=self.velocities
            )
        return self._layouts[properties]

    def units_of_velocities(self, comment: str, where: str) -> VelocityUnits | None:
        """How the velocities of a frame are stored, or None without them."""
        layout = self.layout(comment, where)
        if layout.velocities is None:
            return None
        stated = self.velocity_units or self.pairs(comment).get("velocity_units")
        if stated is not None and stated not in VELOCITY_UNITS:
            raise DataError(
                f"{where}: `velocity_units={stated}` in the comment is not known",
                f"known are {', '.join(VELOCITY_UNITS)}",
                "correct the comment, or give `velocity_units`",
            )
        units = stated or VELOCITY_COLUMNS[layout.velocity_name]
        return VelocityUnits(units, VELOCITY_UNITS[units], assumed=stated is None)

    def parse(self, comment: str, rows: Sequence[str], index: int, where: str) -> Frame:
        """Read one frame.

        Raises
        ------
        DataError
            If rows or comment do not hold what they announce.
        """
        try:
            return self._parse(comment, rows, index, where)
        except (ValueError, IndexError, OverflowError) as error:
            raise DataError(
                f"{where}: its rows cannot be read: {error}",
                "comment and rows do not fit together",
                "check the rows of this frame, or cut the file before it with `stop`",
            ) from None

    def _parse(self, comment: str, rows: Sequence[str], index: int, where: str) -> Frame:
        pairs, layout = self.pairs(comment), self.layout(comment, where)
        values = _values(rows, layout, where)
        if self.by_id and layout.ids is not None:
            order = self._order(values[:, layout.ids], where)
            values, rows = values[order], [rows[atom] for atom in order.tolist()]
        species = self._species_of(rows, layout, values, where)
        units = self.units_of_velocities(comment, where)
        velocities = None
        if units is not None and layout.velocities is not None:
            velocities = values[:, layout.velocities] * units.factor_ang_fs
            if layout.velocity_name.startswith("moment"):
                velocities /= species.momentum_masses_amu[:, None]
        has_cell = any(key in pairs for key in comment_line.CELL_KEYS)
        known = has_cell or self.cell_required
        given = None if has_cell else self.cell_ang
        return Frame(
            positions_ang=np.ascontiguousarray(values[:, layout.positions]),
            cell_ang=given
            if given is not None
            else comment_line.parse_cell(pairs, where)
            if known
            else np.zeros((3, 3)),
            # a file without a cell says pbc="F F F": it is not about the cell that is given
            pbc=np.ones(3, dtype=bool)
            if given is not None
            else comment_line.parse_pbc(pairs, where, default=known),
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            velocities_ang_fs=velocities,
            time_fs=comment_line.parse_number(pairs, TIME_KEYS, where),
            labels=self._labels(pairs, layout, values, where),
            total_charge=comment_line.parse_number(pairs, _CHARGE_UNITS, where) or 0.0,
            index=index,
            info={key: value for key, value in pairs.items() if key not in _GEOMETRY_KEYS},
        )

    def _labels(
        self, pairs: Mapping[str, str], layout: Layout, values: Array, where: str
    ) -> dict[str, Array]:
        labels: dict[str, Array] = {}
        if layout.charges is not None:
            transposed, doubt = index_order(pairs.get(CONVENTION_KEY), self.transposed, where)
            if doubt and doubt not in self.warnings:
                self.warnings.append(doubt)
            labels[CHARGES] = as_tensors(
                values[:, layout.charges],
                len(values),
                name=layout.charges_name,
                transposed=transposed,
                place=where,
            )
        key = next((key for key in EPS_INF_KEYS if key in pairs), None)
        if key is not None:
            labels[EPS_INF] = comment_line.parse_tensor(pairs[key], key, where)
        return labels

    def _order(self, ids: Array, where: str) -> NDArray[np.intp]:
        """Rows in the order of their ids, which must be those of the first frame."""
        order = np.argsort(ids, kind="stable")
        found = ids[order]
        if not (np.isfinite(found).all() and (np.diff(found) > 0).all()):
            raise DataError(
                f"{where}: the column id repeats or is not a number",
                "atoms are followed in time by their id",
                "write every atom once, with an id of its own",
            )
        if self._ids is None:
            self._ids = found
        elif len(found) == len(self._ids) and not np.array_equal(found, self._ids):
            atom = int(np.flatnonzero(found != self._ids)[0])
            raise DataError(
                f"{where}: atom id {found[atom]:g} where the first frame has {self._ids[atom]:g}",
                "a current is a sum over the same atoms at all times",
                "export atoms that do not change",
            )
        return order

    def _species_of(self, rows: Sequence[str], layout: Layout, values: Array, where: str) -> Species:
        known, prefixes = self._species, self._prefixes
        if known is not None and len(rows) == len(prefixes) and all(map(str.startswith, rows, prefixes)):
            return known
        column = layout.label
        labels = tuple(row.split(None, column + 1)[column] for row in rows)
        if layout.labels_are_numbers:
            labels = symbols_of(np.array(labels, dtype=np.float64).astype(np.int64), where)
        if self.rename is not None:
            labels = tuple(self.rename(labels, where))
        masses = None if layout.masses is None else values[:, layout.masses]
        species = resolve_species(labels, place=where, file_masses_amu=masses, masses=self.masses)
        if self._species is None and (column == 0 or (column == 1 and self.by_id and layout.ids is not None)):
            self._prefixes = [row[: len(row) - len(row.split(None, column + 1)[-1])] for row in rows]
            self._species = species
        return species


def _values(rows: Sequence[str], layout: Layout, where: str) -> Array:
    try:
        if rows and len(rows[0].split()) != layout.n_columns:
            raise ValueError(f"{len(rows[0].split())} columns in the first row")
        return np.loadtxt(rows, usecols=layout.used, comments=None, ndmin=2)
    except ValueError as error:
        short = [atom for atom, row in enumerate(rows) if len(row.split()) < layout.n_columns]
        raise DataError(
            f"{where}{f', atom {short[0]}' if short else ''}: its rows cannot be read: {error}",
            f"Properties in the comment line announce {layout.n_columns} columns of numbers",
            "check the rows of this frame, or cut the file before it with `stop`",
        ) from None


def iterate_frames(
    path: str | Path,
    *,
    charges_key: str | None = None,
    transposed: bool | None = None,
    total_charge: float | None = None,
) -> Iterator[Frame]:
    """Yield the labelled structures of an extended XYZ file (compressed or not), of any sizes.

    Frames without the column, and frames whose tensors are all exactly zero or NaN (placeholders of a missing
    label), are left out; a `BecMDWarning` at the end has their numbers. `Frame.index` counts all frames.

    Parameters
    ----------
    path
        The file.
    charges_key
        Column of the tensors; by default the first of `bec_md.structure.names.CHARGE_COLUMNS` there is.
    transposed
        Whether the file stores ∂M_b/∂u_ia. ``None``: what ``bec_convention`` in the comment line says,
        else no.
    total_charge
        Net charge (e) of frames that do not state ``total_charge`` or ``charge``.

    Raises
    ------
    DataError
        With file, frame and atom, when the file is damaged, or no frame has tensors.
    """
    file = require_file(Path(path))
    absent, zero, first = _LeftOut("have no tensors"), _LeftOut("have tensors that are all zero or NaN"), None
    levels: set[str] = set()
    parser = ExtxyzParser(
        charges_key=charges_key, transposed=transposed, velocities=False, cell_required=False
    )
    with open_text(file) as lines:
        index = 0
        while (count := next_count(lines, f"{file.name}, frame {index}")) is not None:
            where = f"{file.name}, frame {index}"
            comment = lines.readline()
            layout = parser.layout(comment, where)
            rows = [lines.readline() for _ in range(count)]
            index += 1
            if layout.charges is None:
                first = first or _no_charges(layout, where)
                absent.frames.append(index - 1)
                continue
            frame = parser.parse(comment, rows, index - 1, where)
            tensors = frame.labels[CHARGES]
            if not tensors.any() or np.isnan(tensors).all():
                zero.frames.append(frame.index)
                continue
            _require_finite(frame, where)
            if total_charge is not None and not any(key in frame.info for key in TOTAL_CHARGE_KEYS):
                frame = replace(frame, total_charge=total_charge)
            levels |= {str(value) for key, value in frame.info.items() if key == "level"}
            yield frame
    left_out = [part.describe() for part in (absent, zero) if part.frames]
    if index == 0:
        raise DataError(f"{file.name}: no frames", "there is nothing to learn from", "check the file")
    if len(absent.frames) + len(zero.frames) == index:
        raise first or DataError(
            f"{file.name}: all {index} frames {zero.what}",
            "tensors that are exactly zero, or NaN, are the placeholder of a missing label",
            "write the labels into the file",
        )
    for doubt in parser.warnings:
        warnings.warn(BecMDWarning(doubt), stacklevel=2)
    if len(levels) > 1:
        said = f"{file.name} mixes labels of {len(levels)} levels of theory ({', '.join(sorted(levels))})"
        warnings.warn(BecMDWarning(f"{said}, which differ: give each a file of its own"), stacklevel=2)
    if left_out:
        said = f"{file.name}: {'; '.join(left_out)}; they are left out of {index} frames"
        warnings.warn(BecMDWarning(said), stacklevel=2)


@dataclass
class _LeftOut:
    """Frames without labels, and what is wrong with them."""

    what: str
    frames: list[int] = field(default_factory=list)

    def describe(self) -> str:
        """Say how many there are, and the numbers of the first ones."""
        shown = ", ".join(map(str, self.frames[:5])) + (" …" if len(self.frames) > 5 else "")
        return f"{len(self.frames)} frame(s) {self.what} ({shown})"


def _no_charges(layout: Layout, where: str) -> DataError:
    return DataError(
        f"{where}: no 9-column {layout.charges_name or CHARGES} in Properties",
        "training and evaluation compare with reference Born effective charges",
        "name the column (`charges_key`) or write it as born_effective_charges:R:9",
    )


def _require_finite(frame: Frame, where: str) -> None:
    for name, values in (("position", frame.positions_ang), ("tensor", frame.labels[CHARGES])):
        finite = (np.abs(values.reshape(len(values), -1)) < 1e6).all(axis=1)  # NaN is not
        if not finite.all():
            raise DataError(
                f"{where}, atom {int(np.argmin(finite))}: the {name} is not a finite number below 10⁶",
                "it cannot be trained on, and no error can be measured against it",
                "drop the frame",
            )


def read_frames(
    path: str | Path,
    *,
    charges_key: str | None = None,
    transposed: bool | None = None,
    total_charge: float | None = None,
) -> list[Frame]:
    """Return all frames of :func:`iterate_frames`."""
    found = iterate_frames(path, charges_key=charges_key, transposed=transposed, total_charge=total_charge)
    return list(found)


def next_count(lines: Iterator[str], where: str) -> int | None:
    """Number of atoms of the next frame, or None at the end of the file."""
    line = next((line for line in lines if line.strip()), None)
    if line is None:
        return None
    try:
        n_atoms = int(line)
    except ValueError:
        n_atoms = 0
    if n_atoms > 0:
        return n_atoms
    raise DataError(
        f"{where}: expected the number of atoms, found {line.strip()[:60]!r}",
        "a frame of an XYZ file starts with a line that holds the number of its atoms",
        "convert the file to extended XYZ; `bec-md collect` makes it of outputs of VASP, ph.x and ABINIT"
        if where.endswith("frame 0")
        else "check that every frame has as many rows as its first line says",
    )


def frame_text(frame: Frame, columns: Mapping[str, Array] | None = None) -> str:
    """Return one frame as extended XYZ: geometry, velocities (as momenta in ASE's units), labels, info.

    Tensors are written row by row as nine columns with ``bec_convention="dM/du"``.

    Parameters
    ----------
    frame
        The structure.
    columns
        Further per-atom quantities by name, shape (N,).
    """
    from ase.data import atomic_masses, chemical_symbols

    stored: list[tuple[str, Array, str]] = [("pos", frame.positions_ang, "%.8f")]
    if not np.allclose(frame.masses_amu, atomic_masses[frame.numbers], rtol=1e-6):
        stored.append(("masses", frame.masses_amu[:, None], "%.6f"))
    if frame.velocities_ang_fs is not None:
        momenta = frame.masses_amu[:, None] * frame.velocities_ang_fs / VELOCITY_UNITS["ase"]
        stored.append(("momenta", momenta, "%.8g"))
    if frame.born_effective_charges is not None:
        stored.append((CHARGES, frame.born_effective_charges.reshape(frame.n_atoms, 9), "%.6f"))
    stored += [(name, values[:, None], "%.6f") for name, values in (columns or {}).items()]
    properties = "species:S:1" + "".join(f":{name}:R:{values.shape[1]}" for name, values, _ in stored)
    comment = " ".join(f"{key}={value}" for key, value in _entries(frame, properties).items())
    form = "%-2s " + " ".join(" ".join([fmt] * values.shape[1]) for _, values, fmt in stored)
    numbers = np.hstack([values for _, values, _ in stored]).tolist()
    symbols = [chemical_symbols[number] for number in frame.numbers.tolist()]
    rows = [form % (symbol, *row) for symbol, row in zip(symbols, numbers, strict=True)]
    return "\n".join([str(frame.n_atoms), comment, *rows]) + "\n"


def _entries(frame: Frame, properties: str) -> dict[str, str]:
    """Key=value pairs of the comment line; what the frame itself says comes before its info."""
    entries = {"Lattice": _quoted(frame.cell_ang)} if frame.cell_ang.any() else {}
    entries["Properties"] = properties
    if frame.born_effective_charges is not None:
        entries[CONVENTION_KEY] = '"dM/du"'
    if frame.eps_inf is not None:
        entries[EPS_INF] = _quoted(frame.eps_inf)
    if frame.time_fs is not None:
        entries["time_fs"] = f"{frame.time_fs:.10g}"
    if frame.total_charge or frame.labels:
        entries["total_charge"] = f"{frame.total_charge:g}"
    entries["pbc"] = '"' + " ".join("T" if periodic else "F" for periodic in frame.pbc) + '"'
    taken = {*entries, CONVENTION_KEY, *EPS_INF_KEYS, *TOTAL_CHARGE_KEYS, *TIME_KEYS, "velocity_units"}
    for key, value in frame.info.items():
        if key not in taken:
            clean = str(value).replace('"', "'")
            entries[key] = f'"{clean}"' if any(c.isspace() or c in "=,/[]{}" for c in clean) else clean
    return entries


def write_frames(path: str | Path, frames: Sequence[Frame]) -> None:
    """Write structures as extended XYZ, compressed if the name ends in .gz, .bz2 or .xz."""
    with replacing(path) as partial, open_for_writing(partial) as file:
        file.writelines(frame_text(frame) for frame in frames)


def _quoted(values: Any) -> str:
    return '"' + " ".join(f"{value:.10g}" for value in np.asarray(values).ravel().tolist()) + '"'
