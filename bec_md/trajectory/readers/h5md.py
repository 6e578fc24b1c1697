"""H5MD: positions, velocities, box, species and masses of one group of particles, in their stated units.

Reference
---------
de Buyl, Colberg, Höfling 2014, Comput. Phys. Commun. 185, 1546; H5MD 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.files import require_file
from bec_md.hdf5 import kind_of_result
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import Species, resolve_species
from bec_md.trajectory.lammps_units import LammpsUnits, lammps_units
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.given import elements_of, given_cell
from bec_md.trajectory.readers.hdf5 import open_trajectory_hdf5, rows_of
from bec_md.trajectory.readers.indexed import IndexedReader
from bec_md.trajectory.readers.topology import species_of_topology
from bec_md.units import ATOMIC_TIME_FS, BOHR_ANG

_TORCHSIM = "TorchSim"
_LENGTHS = {"angstrom": 1.0, "angstroms": 1.0, "å": 1.0, "a": 1.0, "ang": 1.0, "nm": 10.0, "nanometer": 10.0,
            "pm": 0.01, "m": 1e10, "bohr": BOHR_ANG, "a0": BOHR_ANG}  # fmt: skip
_TIMES = {
    "fs": 1.0,
    "femtosecond": 1.0,
    "ps": 1e3,
    "picosecond": 1e3,
    "ns": 1e6,
    "s": 1e15,
    "hbar/eh": ATOMIC_TIME_FS,
}


class H5mdReader(IndexedReader):
    """Frames of the particles of an H5MD file."""

    format = "h5md"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._topology = None if options.topology is None else require_file(Path(options.topology))
        super().__init__(path, options, [] if self._topology is None else [self._topology])
        self._units = None if options.lammps_units is None else lammps_units(options.lammps_units)
        self._given_cell = given_cell(options)
        with open_trajectory_hdf5(path) as file:
            self._group = self._choose_group(file)
            group = file[self._group]
            self._length = self._factor(group["position"]["value"], _length, "positions")
            rows = [rows_of(group[name]["value"], path) for name in self._moving(group)]
            declared = int(group["position"]["value"].shape[0])
            self.n_frames = min(rows)
            self.note_cut(declared)
            self._n_atoms = int(group["position"]["value"].shape[1])
            self._choose_velocities(group)
            self._times, self._steps = self._clock(group)
            self._species = self._read_species(group)
            self._periodic(group)
        self.notes = [f"group {self._group} of an H5MD file", *self.notes]

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        with open_trajectory_hdf5(self.path) as file:
            group = file[self._group]
            yield lambda index: self._frame(group, index)

    def _frame(self, group: Any, index: int) -> Frame:
        velocities = None
        if self.velocity_units is not None:
            velocities = _row(group["velocity"]["value"], index) * self.velocity_units.factor_ang_fs
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=_row(group["position"]["value"], index) * self._length,
            cell_ang=self._cell(group, index),
            pbc=self._pbc,
            velocities_ang_fs=velocities,
            time_fs=None if self._times is None else float(self._times[index]),
            step=None if self._steps is None else int(self._steps[index]),
        )

    def _choose_group(self, file: Any) -> str:
        groups = (
            [name for name, group in file["particles"].items() if "position" in group]
            if "particles" in file
            else []
        )
        if (
            not groups
            and file.get("header") is not None
            and _TORCHSIM in str(file["header"].attrs.get("program"))
        ):
            raise DataError(
                f"{self.source}: a trajectory of TorchSim, which is no H5MD file",
                "it states neither units nor times",
                "convert its positions in Python, TorchSimTrajectory(FILE).write_ase_trajectory('run.traj'), "
                "or report J while it runs (docs/howto/workflows.md)",
            )
        if not groups and "coordinates" in file:
            raise DataError(
                f"{self.source}: a trajectory of MDTraj, which is no H5MD file",
                "OpenMM's HDF5Reporter writes these, too",
                "convert it in Python, mdtraj.load(FILE).save_netcdf('run.nc'), with a frame of save_pdb as "
                "`topology`",
            )
        if not groups and (kind := kind_of_result(file)):
            raise DataError(
                f"{self.source} is a {kind} of bec-md, no trajectory",
                "positions of atoms are not in it",
                "name the trajectory that it was computed from",
            )
        if not groups:
            raise DataError(
                f"{self.source}: no group of particles with positions",
                "an H5MD file keeps them in particles/NAME/position",
                "check how it was written",
            )
        if len(groups) > 1:
            groups.sort(key=lambda name: -int(file["particles"][name]["position"]["value"].shape[1]))
            self.warnings.append(
                f"{self.source}: groups {', '.join(groups)}; only {groups[0]}, the largest, is read: J lacks "
                "whatever else moves in the cell"
            )
        return f"particles/{groups[0]}"

    def _moving(self, group: Any) -> list[str]:
        """Names of the arrays with a row per frame."""
        return ["position", *(["velocity"] if self.options.need_velocities and "velocity" in group else [])]

    def _choose_velocities(self, group: Any) -> None:
        if not self.options.need_velocities or "velocity" not in group:
            return
        steps = [np.ravel(group[name]["step"][()]) for name in ("position", "velocity")] \
            if all("step" in group[name] for name in ("position", "velocity")) else []  # fmt: skip
        if steps and not np.array_equal(steps[0], steps[1]):
            raise UsageError(
                f"{self.source}: positions and velocities are stored at different steps",
                "every frame needs both, of the same time",
                "write both at one interval, or leave the velocities out with `velocities=none`",
            )
        values = group["velocity"]["value"]
        if self.options.velocity_units is not None:
            name = self.options.velocity_units
            self.velocity_units = VelocityUnits(name, VELOCITY_UNITS[name], assumed=False)
        else:
            factor = self._factor(values, _velocity, "velocities")
            self.velocity_units = VelocityUnits(_unit(values) or "LAMMPS units", factor, assumed=False)

    def _factor(
        self, dataset: Any, known: Callable[[str, LammpsUnits | None], float | None], what: str
    ) -> float:
        """Factor to Å or Å/fs of a data set, by its attribute `unit`, else by the unit style given."""
        unit = _unit(dataset)
        factor = known(unit, self._units)
        if factor is None:
            raise UsageError(
                f"{self.source}: {what} in {unit!r}"
                if unit
                else f"{self.source}: {what} without the attribute unit",
                "units are never guessed",
                "give `lammps_units` (metal, real, …) if LAMMPS wrote the file, or set the attribute "
                "unit of the data set",
            )
        return factor

    def _clock(self, group: Any) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
        """Times in fs and steps of the frames, as far as the file states them."""
        n_frames = self.n_frames or 0
        element = group["position"]
        steps = _series(element["step"], n_frames) if "step" in element else None
        times = None
        if "time" in element:
            unit = _unit(element["time"]).lower()
            factor = _TIMES.get(unit, self._units.time_fs if self._units is not None and not unit else None)
            if factor is None:
                self.notes.append("its times state no known unit and are not used")
            else:
                stored = _series(element["time"], n_frames)
                times = stored * factor
                single = n_frames > 1 and element["time"].dtype == np.float32 and bool(element["time"].shape)
                if single and stored[0] < stored[-1] and self.times_repeat(stored[0], stored[-1], factor):
                    times = None
                elif n_frames > 1 and times[0] == times[-1]:
                    self.notes.append("all its times are equal, so the time between frames must be given")
                    times = None
        return times, None if steps is None else steps.astype(np.int64)

    def _read_species(self, group: Any) -> Species:
        import h5py

        options = self.options
        if self._topology is not None:
            return species_of_topology(self._topology, options, self.source, self._n_atoms)
        if "species" not in group:
            raise UsageError(
                f"{self.source}: no species, and no topology",
                "the charges of an atom depend on its element",
                "give `topology` (PDB, TPR, …) of the same run, or write the data set species",
            )
        dataset = group["species"]["value"] if isinstance(group["species"], h5py.Group) else group["species"]
        values = dataset[()] if dataset.ndim == 1 else dataset[0]
        names = {number: name for name, number in (h5py.check_enum_dtype(dataset.dtype) or {}).items()}
        labels = [
            value.decode("utf-8", "replace") if isinstance(value, bytes) else names.get(value, str(value))
            for value in values.tolist()
        ]
        masses = None
        if "mass" in group:
            mass = group["mass"]["value"] if isinstance(group["mass"], h5py.Group) else group["mass"]
            masses = np.asarray(mass[()] if mass.ndim == 1 else mass[0], dtype=np.float64)
        if len(labels) != self._n_atoms or (masses is not None and len(masses) != self._n_atoms):
            raise self.damaged(self.source, f"{len(labels)} species for {self._n_atoms} positions")
        elements = elements_of(labels, options, self.source)
        return resolve_species(elements, place=self.source, file_masses_amu=masses, masses=options.masses)

    def _periodic(self, group: Any) -> None:
        """Fix periodicity and, if the box does not change, the cell."""
        import h5py

        self._fixed: NDArray[np.float64] | None = self._given_cell
        self._pbc = np.ones(3, dtype=bool)
        box = group.get("box")
        boundary = [] if box is None else [_text(word) for word in np.ravel(box.attrs.get("boundary", []))]
        if len(boundary) == 3:
            self._pbc = np.array([word != "none" for word in boundary])
        if self._fixed is None:
            if box is None or "edges" not in box:
                raise UsageError(f"{self.source}: no box", "conductivity is current squared per volume",
                                 "give `cell_ang=a,b,c` (or nine numbers), in Å")  # fmt: skip
            if not isinstance(box["edges"], h5py.Group):
                self._fixed = _matrix(box["edges"][()]) * self._edge_factor(box["edges"])
            else:
                self._edges = self._edge_factor(box["edges"]["value"])
                self._match_edges(box["edges"])

    def _match_edges(self, edges: Any) -> None:
        """Fix which row of the edges belongs to which frame: that of the same step; any if none changes."""
        values, n_frames = edges["value"], self.n_frames or 0
        rows = rows_of(values, self.path)
        if rows == 0:
            raise self.damaged(self.source, "no row of the box edges")
        stored = _series(edges["step"], rows) if "step" in edges else None
        own = np.arange(rows, dtype=np.float64) if stored is None or self._steps is None else stored
        steps = np.arange(n_frames, dtype=np.float64) if own is not stored else np.asarray(self._steps)
        found = np.searchsorted(own, steps).clip(max=rows - 1)
        missing = own[found] != steps
        if missing.any() and (values[()] == values[0]).all():
            self._fixed = _matrix(values[0]) * self._edges
            self.notes.append(
                f"the box is stored for {rows} of {n_frames} frames, in which it does not change"
            )
        elif missing.any() and not missing[:rows].any():  # the last ones, of a run that was killed
            self.n_frames = int(missing.argmax())
            self.note_cut(n_frames)
        elif missing.any():
            known = n_frames - int(missing.sum())
            raise UsageError(
                f"{self.source}: the box changes, and is stored for {known} of {n_frames} frames",
                "displacements and volumes of every frame need the cell of the same time",
                "write positions and box at one interval, or give the mean cell with `cell_ang`",
            )
        self._edge_rows = found

    def _edge_factor(self, dataset: Any) -> float:
        return _length(_unit(dataset), self._units) or self._length

    def _cell(self, group: Any, index: int) -> NDArray[np.float64]:
        if self._fixed is not None:
            return self._fixed
        return _matrix(group["box"]["edges"]["value"][self._edge_rows[index]]) * self._edges


def is_h5md(path: Path) -> bool:
    """Whether an HDF5 file keeps particles the way of H5MD."""
    with open_trajectory_hdf5(path) as file:
        return "h5md" in file and "particles" in file


def _row(dataset: Any, index: int) -> NDArray[np.float64]:
    values = np.asarray(dataset[index], dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 3:
        raise ValueError(f"{dataset.name} has shape {dataset.shape}, not (frames, atoms, 3)")
    return values


def _matrix(edges: Any) -> NDArray[np.float64]:
    values = np.asarray(edges, dtype=np.float64)
    return np.diag(values) if values.size == 3 else values.reshape(3, 3)


def _series(dataset: Any, n_frames: int) -> NDArray[np.float64]:
    """Values of all frames: stored, or a fixed interval with its offset."""
    if dataset.shape:
        return np.asarray(dataset[:n_frames], dtype=np.float64)
    offset = float(np.ravel(dataset.attrs.get("offset", 0.0))[0])
    return offset + float(dataset[()]) * np.arange(n_frames, dtype=np.float64)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _unit(dataset: Any) -> str:
    return _text(dataset.attrs.get("unit", "")).strip()


def _length(unit: str, style: LammpsUnits | None) -> float | None:
    if not unit:
        return None if style is None else style.length_ang
    return _LENGTHS.get(unit.lower())


def _velocity(unit: str, style: LammpsUnits | None) -> float | None:
    """Factor to Å/fs of ``nm ps-1``, ``Angstrom/ps``, ``nm*ps^-1``."""
    if not unit:
        return None if style is None else style.velocity_ang_fs
    words = [word for word in re.split(r"[\s*/]+|\^?-1", unit.lower()) if word]
    if len(words) != 2 or words[0] not in _LENGTHS or words[1] not in _TIMES:
        return None
    return _LENGTHS[words[0]] / _TIMES[words[1]]
