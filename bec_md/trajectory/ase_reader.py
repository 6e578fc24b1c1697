"""Everything ASE can read, and sequences of `ase.Atoms` in memory.

ASE keeps momenta in √(amu eV) and velocities in Å per ASE time unit; it files `born_effective_charges` (and
forces, energy, …) of an extended XYZ under ``atoms.calc.results`` instead of ``atoms.arrays``. Both places
are searched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import BecMDError, DataError
from bec_md.trajectory.charge_columns import as_tensors, find_charge_key
from bec_md.trajectory.extxyz_comment import CHARGE_KEYS, TIME_KEYS, TIMESTEP_KEYS
from bec_md.trajectory.files import fingerprint
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import VELOCITY_UNITS, RawFrame, VelocityUnits, place
from bec_md.trajectory.species import Species, resolve_species, symbols_of

if TYPE_CHECKING:
    from ase import Atoms


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
        self.notes = ["Å by the convention of ASE"]
        self.n_frames = self._count()
        self.fingerprint = fingerprint(source) if isinstance(source, Path) else self._hash()
        self.timestep_fs = _number(first.info, TIMESTEP_KEYS)
        self.velocity_units: VelocityUnits | None = None
        if first.has("momenta") and options.need_velocities:
            name = options.velocity_units or "ase"
            self.velocity_units = VelocityUnits(
                name, VELOCITY_UNITS[name], assumed=options.velocity_units is None
            )

    def read(self, start: int, stride: int) -> Iterator[RawFrame]:
        """Yield frames start, start + stride, …"""
        for number, atoms in enumerate(self._images(start, stride)):
            yield self._frame(atoms, start + number * stride)

    def _frame(self, atoms: Any, index: int) -> RawFrame:
        where = place(self.source, index)
        species = self._species_of(atoms, where)
        velocities = None
        if self.velocity_units is not None and atoms.has("momenta"):
            momenta = atoms.get_momenta()
            velocities = momenta / species.momentum_masses_amu[:, None] * self.velocity_units.factor_ang_fs
        return RawFrame(
            index=index,
            species=species,
            positions_ang=np.array(atoms.positions, dtype=np.float64),
            cell_ang=np.array(atoms.cell.array, dtype=np.float64),
            pbc=np.array(atoms.pbc, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=_number(atoms.info, TIME_KEYS),
            born_effective_charges=self._charges(atoms, where),
            total_charge=_number(atoms.info, dict.fromkeys(CHARGE_KEYS, 1.0)) or 0.0,
        )

    def _species_of(self, atoms: Any, where: str) -> Species:
        own = atoms.get_masses() if atoms.has("masses") else None
        key = atoms.numbers.tobytes() + (b"" if own is None else own.tobytes())
        if self._species is None or self._species[0] != key:
            labels = symbols_of(np.asarray(atoms.numbers, dtype=np.int64), where)
            species = resolve_species(labels, place=where, file_masses_amu=own, masses=self._options.masses)
            self._species = (key, species)
        return self._species[1]

    def _charges(self, atoms: Any, where: str) -> NDArray[np.float64] | None:
        stored: dict[str, Any] = {**getattr(atoms.calc, "results", {}), **atoms.arrays}
        name = find_charge_key(stored, self._options.charges_key, where)
        if name is None:
            return None
        return as_tensors(
            np.asarray(stored[name], dtype=np.float64),
            len(atoms),
            name=name,
            transposed=self._options.charges_transposed,
            place=where,
        )

    def _images(self, start: int, stride: int) -> Iterable[Atoms]:
        if self._atoms is not None:
            return (self._atoms[index] for index in range(start, len(self._atoms), stride))
        return self._read_file(start, stride)

    def _read_file(self, start: int, stride: int) -> Iterator[Atoms]:
        from ase.io import iread

        assert self._path is not None
        try:
            yield from iread(
                self._path,
                index=slice(start, None, stride),
                format=self._ase_format,
                do_not_split_by_at_sign=True,
            )
        except BecMDError:
            raise
        except Exception as error:  # ASE's readers raise whatever their parsing runs into
            raise DataError(
                f"{self.source} cannot be read by ASE: {type(error).__name__}: {error}",
                "its format is not recognized, or it is damaged or cut off",
                "name the format with format=, or convert the file to extended XYZ",
            ) from error

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


def _number(info: dict[str, Any], keys: Any) -> float | None:
    for key, factor in keys.items():
        if key in info:
            return float(info[key]) * float(factor)
    return None
