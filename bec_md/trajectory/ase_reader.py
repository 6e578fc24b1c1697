"""Everything ASE can read, and sequences of `ase.Atoms` in memory.

ASE keeps momenta in √(amu eV) and velocities in Å per ASE time unit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import BecMDError, DataError
from bec_md.files import fingerprint, in_words
from bec_md.structure import Frame
from bec_md.structure.ase_files import images
from bec_md.structure.from_ase import number_of, stored_arrays
from bec_md.structure.names import (
    CHARGES,
    CONVENTION_KEY,
    MASS_COLUMNS,
    TIME_KEYS,
    TIMESTEP_KEYS,
    TOTAL_CHARGE_KEYS,
    VELOCITY_COLUMNS,
    VELOCITY_UNITS,
    VelocityUnits,
    as_tensors,
    find_charge_key,
    index_order,
)
from bec_md.structure.species import Species, resolve_species, symbols_of
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place

if TYPE_CHECKING:
    from ase import Atoms


#: Endings that ASE gives to one format (``gamess-us-punch`` …) and everybody else to tables and texts.
_COMMON_ENDINGS = (".dat", ".out", ".log", ".txt", ".in", ".inp")


class AtomsReader:
    """Frames from `ase.Atoms`, in memory or read one at a time from a file of any ASE format."""

    def __init__(self, source: Path | Sequence[Atoms], options: ReadOptions) -> None:
        self._options = options
        self._path = source if isinstance(source, Path) else None
        self._atoms = None if isinstance(source, Path) else source
        self._ase_format = None if options.format == "ase" else options.format
        self._species: tuple[bytes, Species] | None = None
        self.warnings: list[str] = []
        self.source = source.name if isinstance(source, Path) else f"{len(source)} ase.Atoms"
        first: Any = next(iter(self._images(0, 1)), None)
        if first is None:
            raise DataError(
                f"{self.source}: no frame",
                "there is nothing to read",
                "check the file, or pass at least one frame",
            )
        self.format = f"ase:{self._recognized()}" if isinstance(source, Path) else "ase.Atoms"
        # CRYST1 stands once in a PDB file, in front of the first model, and holds for all
        self._header = first if self.format == "ase:proteindatabank" else None
        self.notes = ["Å by the convention of ASE"]
        self.n_frames = self._count()
        self.fingerprint = fingerprint(source) if isinstance(source, Path) else self._hash()
        wanted = options.first_frame(self.n_frames)
        if wanted:  # a relaxation may come before the run
            first = next(iter(self._images(wanted, 1)), first)
        self.timestep_fs = number_of(first.info, TIMESTEP_KEYS)
        self.velocity_units: VelocityUnits | None = None
        # ase.io.read leaves columns of other programs (GPUMD's vel) where they are
        self._velocities = next((name for name in VELOCITY_COLUMNS if _is_vector(first, name)), "")
        if self._velocities and options.need_velocities:
            name = options.velocity_units or VELOCITY_COLUMNS[self._velocities]
            self.velocity_units = VelocityUnits(
                name, VELOCITY_UNITS[name], assumed=options.velocity_units is None
            )

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, …"""
        for number, atoms in enumerate(self._images(start, stride)):
            if len(atoms) or self._header is None:  # ASE takes the END behind the last ENDMDL for a model
                yield self._frame(atoms, start + number * stride)

    def _frame(self, atoms: Any, index: int) -> Frame:
        where = place(self.source, index)
        species = self._species_of(atoms, where)
        box = self._header if self._header is not None and not atoms.cell.any() else atoms
        velocities = None
        if self.velocity_units is not None and _is_vector(atoms, self._velocities):
            velocities = atoms.arrays[self._velocities] * self.velocity_units.factor_ang_fs
            if self._velocities.startswith("moment"):  # of ASE's masses, whatever an array `mass` holds
                own = atoms.get_masses() if "mass" in atoms.arrays else species.momentum_masses_amu
                velocities /= own[:, None]
        return Frame(
            index=index,
            numbers=species.numbers,
            masses_amu=species.masses_amu,
            positions_ang=np.array(atoms.positions, dtype=np.float64),
            cell_ang=np.array(box.cell.array, dtype=np.float64),
            pbc=np.array(box.pbc, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=number_of(atoms.info, TIME_KEYS),
            labels=self._charges(atoms, where),
            total_charge=number_of(atoms.info, dict.fromkeys(TOTAL_CHARGE_KEYS, 1.0)) or 0.0,
        )

    def _species_of(self, atoms: Any, where: str) -> Species:
        stored = (atoms.arrays[name] for name in MASS_COLUMNS if name in atoms.arrays)
        own = next((np.array(masses, dtype=np.float64) for masses in stored if masses.ndim == 1), None)
        key = atoms.numbers.tobytes() + (b"" if own is None else own.tobytes())
        if self._species is None or self._species[0] != key:
            labels = symbols_of(np.asarray(atoms.numbers, dtype=np.int64), where)
            species = resolve_species(labels, place=where, file_masses_amu=own, masses=self._options.masses)
            self._species = (key, species)
        return self._species[1]

    def _charges(self, atoms: Any, where: str) -> dict[str, NDArray[np.float64]]:
        stored = stored_arrays(atoms)
        name = find_charge_key(stored, self._options.charges_key, where)
        if name is None:
            return {}
        asked = True if self._options.charges_transposed else None
        transposed, doubt = index_order(atoms.info.get(CONVENTION_KEY), asked, where)
        if doubt and doubt not in self.warnings:
            self.warnings.append(doubt)
        tensors = as_tensors(
            np.asarray(stored[name], dtype=np.float64),
            len(atoms),
            name=name,
            transposed=transposed,
            place=where,
        )
        return {CHARGES: tensors}

    def _images(self, start: int, stride: int) -> Iterable[Atoms]:
        if self._atoms is not None:
            return (self._atoms[index] for index in range(start, len(self._atoms), stride))
        return self._read_file(start, stride)

    def _read_file(self, start: int, stride: int) -> Iterator[Atoms]:
        assert self._path is not None
        try:
            yield from images(self._path, slice(start, None, stride), self._ase_format)
        except BecMDError:
            raise
        except Exception as error:  # ASE's readers raise whatever their parsing runs into
            if type(error).__name__ == "UnknownFileTypeError" or self._only_named():
                raise DataError(
                    f"{self.source}: its format is not recognized",
                    "neither its content nor its name is that of a format that is known here or to ASE",
                    "name the format with `format`, or convert the file to extended XYZ",
                ) from None
            raise DataError(
                f"{self.source} cannot be read as {self._ase_format or self._recognized()} by ASE"
                f"{_in_words(error, self._path)}",
                "it is damaged or cut off, or of another format than its name says",
                "name the format with `format`, or convert the file to extended XYZ",
            ) from error

    def _only_named(self) -> bool:
        """Whether nothing but the end of a name that many programs use speaks for the format."""
        return self._ase_format is None and self._path is not None and self._path.suffix in _COMMON_ENDINGS

    def _recognized(self) -> str:
        from ase.io.formats import filetype

        return self._ase_format or str(filetype(str(self._path)))

    def _count(self) -> int | None:
        if self._atoms is not None:
            return len(self._atoms)
        if self.format != "ase:traj":
            return None
        from ase.io import trajectory as ase_trajectory

        reader: Any = ase_trajectory.TrajectoryReader
        with reader(self._path) as trajectory:
            return len(trajectory)

    def _hash(self) -> str:
        """Hash of the number of frames, and of the first and the last."""
        atoms_list = self._atoms or ()
        digest = hashlib.sha256(str(len(atoms_list)).encode())
        for atoms in (atoms_list[0], atoms_list[-1]):
            for values in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.arrays.get("momenta")):
                if values is not None:
                    digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]


def _is_vector(atoms: Any, name: str) -> bool:
    """Whether atoms have an array of this name with three numbers each."""
    return name in atoms.arrays and atoms.arrays[name].shape == (len(atoms), 3)


def _in_words(error: Exception, path: Path) -> str:
    """What ASE says about a file, if it is about the file: its programming errors say nothing to anybody."""
    if isinstance(error, (AttributeError, TypeError, AssertionError, KeyError, IndexError, StopIteration)):
        return ""
    return f": {in_words(error, path)}"
