"""VASP's vasprun.xml as a trajectory: the structures of all steps, machine-learned ones too.

Steps with a force field are ``<structure>`` elements directly below ``<modeling>``, the others stand in
``<calculation>``; together they are every step of the run, POTIM apart (times ML_OUTBLOCK where that is
stated). The file is parsed as a stream; entities are refused, so that no small file becomes a large one.
"""

from __future__ import annotations

import xml.parsers.expat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import fingerprint, open_binary
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.structure.species import MISSPELLED, Species, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.text import COUNT_LIMIT_BYTES, note_cut

_TAGS = ("POTIM", "IBRION", "NBLOCK", "ML_OUTBLOCK")
#: Structures that repeat the first or the last step.
_REPEATED = ("initialpos", "finalpos", "primitive_cell", "primitive_initialpos")
_BLOCK = 1 << 18
#: Characters of one value; longer ones are no number or name.
_TEXT_LIMIT = 4096


@dataclass
class Structure:
    """Text of the vectors of one structure."""

    basis: list[str] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)


class _Handler:
    """Collects structures, elements and tags while expat walks through the file."""

    def __init__(self) -> None:
        self.elements: list[str] = []
        self.kinds: list[list[str]] = []  # number of atoms, element, mass … of each type
        self.tags: dict[str, str] = {}
        self.structures: list[Structure] = []
        self.ended = False
        self._structure: Structure | None = None
        self._rows: list[str] | None = None
        self._text: list[str] | None = None
        self._tag: str | None = None
        self._array: str | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        own = attributes.get("name")
        if name == "structure":
            self._structure = Structure() if own not in _REPEATED else None
        elif name == "varray":
            structure = self._structure
            if structure is not None and own in ("basis", "positions"):
                self._rows = structure.basis if own == "basis" else structure.positions
        elif name == "v" and self._rows is not None:
            self._text = []
        elif name == "array":
            self._array = own
        elif name == "rc" and self._array == "atoms":
            self._tag = "rc"
        elif name == "rc" and self._array == "atomtypes":
            self.kinds.append([])
        elif name == "c" and (self._tag == "rc" or (self._array == "atomtypes" and self.kinds)):
            self._text = []
        elif name == "i" and own in _TAGS:
            self._tag, self._text = own, []

    def end(self, name: str) -> None:
        """End an element."""
        text = "".join(self._text or ())
        if name == "structure":
            if self._structure is not None and self._structure.positions:
                self.structures.append(self._structure)
            self._structure = None
        elif name == "varray":
            self._rows = None
        elif name == "v" and self._rows is not None:
            self._rows.append(text)
        elif name == "c" and self._tag == "rc":
            self.elements.append(MISSPELLED.get(text.strip(), text.strip()))
            self._tag = None
        elif name == "c" and self._array == "atomtypes" and self.kinds:
            self.kinds[-1].append(text.strip())
        elif name == "i" and self._tag in _TAGS:
            self.tags.setdefault(self._tag, text.strip())
            self._tag = None
        elif name == "modeling":
            self.ended = True
        else:
            return
        self._text = None

    def data(self, text: str) -> None:
        """Take text of an element that is read."""
        if self._text is not None:
            self._text.append(text)
            if len(self._text) > _TEXT_LIMIT or len(text) > _TEXT_LIMIT:
                raise ValueError(f"a value of more than {_TEXT_LIMIT} characters")


class VasprunReader:
    """Structures of the steps of a vasprun.xml."""

    format = "vasprun"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._path = path
        self._options = options
        self.source = path.name
        self.fingerprint = fingerprint(path)
        self.warnings: list[str] = []
        self.velocity_units: VelocityUnits | None = None
        self._species: Species | None = None
        self.n_frames: int | None = None
        self._tags: dict[str, str] = {}
        if path.stat().st_size <= COUNT_LIMIT_BYTES:
            self.n_frames = sum(1 for _ in self._structures())
        else:
            next(self._structures(), None)
        self.timestep_fs = self._time_step()
        self.notes = ["positions in fractions of the cell, of every step"]
        if self.timestep_fs is not None:
            self.notes.append(f"POTIM = {self._tags['POTIM']} fs")
        elif self._tags.get("IBRION", "0") != "0":
            self.warnings.append(
                f"{self.source}: IBRION = {self._tags['IBRION']} is no molecular dynamics: its "
                f"structures have no times"
            )

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield steps start, start + stride, …"""
        for index, structure in enumerate(self._structures()):
            if index < start or (index - start) % stride:
                continue
            where = place(self.source, index)
            species = self._species_of(where)
            try:
                cell, scaled = _vectors(structure.basis), _vectors(structure.positions)
                if cell.shape != (3, 3) or len(scaled) != len(species.numbers):
                    raise ValueError(f"{len(cell)} lattice vectors and {len(scaled)} positions")
            except (ValueError, OverflowError) as error:
                raise self._unreadable(where, error) from None
            yield Frame(
                index=index,
                numbers=species.numbers,
                masses_amu=species.masses_amu,
                positions_ang=scaled @ cell,
                cell_ang=cell,
                pbc=np.ones(3, dtype=bool),
            )

    def _structures(self) -> Iterator[Structure]:
        """All structures but those that repeat another; a file that ends early keeps its whole ones."""
        handler, index = _Handler(), 0
        parser = xml.parsers.expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.CharacterDataHandler = handler.data
        parser.EntityDeclHandler = _refuse_entities
        with open_binary(self._path, lines=False) as stream:
            while block := stream.read(_BLOCK):
                try:
                    parser.Parse(block)
                except (xml.parsers.expat.ExpatError, ValueError) as error:
                    if not handler.ended:
                        raise self._unreadable(place(self.source, index), error) from None
                    block = b""  # what follows the end of the document is not read
                if not self._tags and handler.structures:
                    self._tags, self._elements, self._kinds = handler.tags, handler.elements, handler.kinds
                for structure in handler.structures:
                    yield structure
                    index += 1
                handler.structures.clear()
                if not block:
                    return
        if not self._tags:
            self._tags, self._elements, self._kinds = handler.tags, handler.elements, handler.kinds
        if not handler.ended:
            note_cut(self.warnings, self.source, index)

    def _time_step(self) -> float | None:
        """Time between structures in fs, if the run is molecular dynamics."""
        try:
            if int(self._tags.get("IBRION", "0")) != 0 or "POTIM" not in self._tags:
                return None
            return float(self._tags["POTIM"]) * max(1, int(self._tags.get("ML_OUTBLOCK", "1")))
        except ValueError:
            return None

    def _species_of(self, where: str) -> Species:
        if self._species is None:
            self._species = resolve_species(
                self._elements, place=where, file_masses_amu=self._masses(), masses=self._options.masses
            )
        return self._species

    def _masses(self) -> NDArray[np.float64] | None:
        """Masses of all atoms, amu: POMASS of their types; None where the file does not tell."""
        try:
            counts = [int(kind[0]) for kind in self._kinds]
            masses = np.repeat([float(kind[2]) for kind in self._kinds], counts)
        except (ValueError, IndexError):
            return None
        return masses if len(masses) == len(self._elements) > 0 else None

    def _unreadable(self, where: str, error: Exception) -> DataError:
        return DataError(
            f"{where} cannot be read: {error}",
            "it is damaged here, or no vasprun.xml",
            "look at the file around this step, or use XDATCAR, which has the same positions",
        )


def _vectors(rows: list[str]) -> NDArray[np.float64]:
    return np.array(" ".join(rows).split(), dtype=np.float64).reshape(-1, 3)


def _refuse_entities(*_: Any) -> None:
    raise ValueError("it declares entities, which VASP never does")
