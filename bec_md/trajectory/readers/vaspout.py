"""VASP's vaspout.h5 as a trajectory: positions in fractions of the cell, velocities if they were stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import Species, element_of_potential, resolve_species
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.hdf5 import open_trajectory_hdf5, rows_of
from bec_md.trajectory.readers.indexed import IndexedReader

_GROUP = "intermediate/ion_dynamics"
#: Where elements and scale are: of the results, or of the input while the run has not finished.
_STRUCTURES = ("results/positions", "input/poscar")


class VaspoutReader(IndexedReader):
    """Steps of a vaspout.h5."""

    format = "vaspout"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        with open_trajectory_hdf5(path) as file:
            if f"{_GROUP}/position_ions" not in file or f"{_GROUP}/lattice_vectors" not in file:
                raise DataError(
                    f"{self.source}: no positions of steps",
                    f"they are in {_GROUP}/position_ions",
                    "check that this is the output of molecular dynamics",
                )
            group = file[_GROUP]
            self._velocities = options.need_velocities and "ion_velocities" in group
            names = ["position_ions", "lattice_vectors", *(["ion_velocities"] if self._velocities else [])]
            rows = [rows_of(group[name], path) for name in names]
            self.n_frames = min(rows)
            self.note_cut(int(group["position_ions"].shape[0]))
            self._n_atoms = int(group["position_ions"].shape[1])
            self._species, self._scale = self._structure(file)
            incar = file.get("input/incar", {})
            self.timestep_fs = self._time_step(incar)
        self.notes = ["positions in fractions of the cell"]
        if self.timestep_fs is not None:
            self.notes.append(f"POTIM = {self.timestep_fs:g} fs")
        if self._velocities:
            units = options.velocity_units or "ang/fs"
            self.velocity_units = VelocityUnits(
                units, VELOCITY_UNITS[units], assumed=options.velocity_units is None
            )

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        with open_trajectory_hdf5(self.path) as file:
            group = file[_GROUP]
            yield lambda index: self._frame(group, index)

    def _frame(self, group: Any, index: int) -> Frame:
        cell = np.asarray(group["lattice_vectors"][index], dtype=np.float64).reshape(3, 3) * self._scale
        scaled = np.asarray(group["position_ions"][index], dtype=np.float64).reshape(self._n_atoms, 3)
        velocities = None
        if self.velocity_units is not None:
            velocities = (
                np.asarray(group["ion_velocities"][index], dtype=np.float64)
                * self.velocity_units.factor_ang_fs
            )
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=scaled @ cell,
            cell_ang=cell,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
        )

    def _structure(self, file: Any) -> tuple[Species, float]:
        place = next((name for name in _STRUCTURES if f"{name}/ion_types" in file), None)
        if place is None:
            raise DataError(f"{self.source}: no elements", f"they are in {_STRUCTURES[0]}/ion_types",
                            "use XDATCAR of the same run")  # fmt: skip
        group = file[place]
        kinds = [name.decode("utf-8", "replace").strip() for name in group["ion_types"][()].tolist()]
        counts = [int(number) for number in group["number_ion_types"][()].tolist()]
        if len(kinds) != len(counts) or sum(counts) != self._n_atoms or min(counts) < 0:
            raise DataError(
                f"{self.source}: {counts} atoms of {kinds} for {self._n_atoms} positions",
                "elements and positions belong together",
                "use XDATCAR of the same run",
            )
        labels = [element_of_potential(kind) for kind, n in zip(kinds, counts, strict=True) for _ in range(n)]
        scale = float(group["scale"][()]) if "scale" in group else 1.0
        changed = np.ravel(file["input/incar/POMASS"][()]) if "input/incar/POMASS" in file else np.empty(0)
        own = np.repeat(changed.astype(np.float64), counts) if len(changed) == len(counts) else None
        species = resolve_species(labels, place=self.source, file_masses_amu=own, masses=self.options.masses)
        return species, scale

    def _time_step(self, incar: Any) -> float | None:
        """POTIM in fs, if the run is molecular dynamics."""
        value = {
            name: float(np.ravel(incar[name][()])[0])
            for name in ("POTIM", "IBRION", "ML_OUTBLOCK")
            if name in incar
        }
        if value.get("IBRION", 0.0) != 0.0 or "POTIM" not in value:
            return None
        return value["POTIM"] * max(1.0, value.get("ML_OUTBLOCK", 1.0))


def is_vaspout(path: Path) -> bool:
    """Whether an HDF5 file holds the steps of a run of VASP."""
    with open_trajectory_hdf5(path) as file:
        return _GROUP in file
