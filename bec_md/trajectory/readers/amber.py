"""Amber's NetCDF trajectories: Å, ps, velocities in Å/ps times their scale factor, or as `units` state.

LAMMPS' ``dump netcdf`` writes the same format in the units of its run, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.cells import cell_from_parameters
from bec_md.trajectory.readers.indexed import IndexedReader, frames_of_clock, mean_step
from bec_md.trajectory.readers.netcdf3 import NetCDF3
from bec_md.trajectory.readers.topology import species_of_topology, topology_path
from bec_md.units import BOHR_ANG

_LENGTHS_ANG = {"angstrom": 1.0, "nanometer": 10.0, "nm": 10.0, "bohr": BOHR_ANG}
_TIMES_FS = {"femtosecond": 1.0, "fs": 1.0, "picosecond": 1e3, "ps": 1e3, "nanosecond": 1e6}


class AmberReader(IndexedReader):
    """Frames of an Amber NetCDF file with a topology."""

    format = "amber-netcdf"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        topology = topology_path(path, options)
        super().__init__(path, options, [topology])
        self._file = NetCDF3(path)
        variables = self._file.variables
        if "coordinates" not in variables or not variables["coordinates"].by_record:
            raise DataError(
                f"{self.source}: no variable coordinates with frames",
                f"it holds {', '.join(variables) or 'nothing'}",
                "check that this is a trajectory of Amber (not a restart), or name its format with `format`",
            )
        self._has_box = "cell_lengths" in variables and "cell_angles" in variables
        self.n_frames = self._file.n_records
        if self._file.cut:
            self.note_cut()
        self._length_ang = self._stated("coordinates", "angstrom")
        self._edge_ang = self._stated("cell_lengths", "angstrom") if self._has_box else 1.0
        self._time_fs = self._stated("time", "picosecond") if "time" in variables else 1e3
        shape = variables["coordinates"].shape
        self._species = species_of_topology(topology, options, self.source, shape[0])
        length, time = self._unit("coordinates", "angstrom"), self._unit("time", "picosecond")
        plain = self._length_ang == 1.0 and self._time_fs == 1e3
        self.notes = ["Å, ps and Å/ps of Amber" if plain else f"{length} and {time}, as it states"]
        self._by_ase = _text(self._file.attributes.get("program")) == "ASE"
        # the times of ASE are in what its caller counts in
        self._has_times = "time" in variables and not self._by_ase and self._clock_runs()
        if options.need_velocities and "velocities" in variables:
            self.velocity_units = self._units_of_velocities()

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        with self.path.open("rb") as stream:
            yield lambda index: self._frame(stream, index)

    def _frame(self, stream: IO[bytes], index: int) -> Frame:
        where = place(self.source, index)
        cell = np.zeros((3, 3))
        if self._has_box:
            lengths, angles = (self._values(stream, name, index) for name in ("cell_lengths", "cell_angles"))
            try:
                cell = cell_from_parameters(lengths * self._edge_ang, angles) if lengths.any() else cell
            except ValueError as error:
                raise self.damaged(where, error) from None
        velocities = None
        if self.velocity_units is not None:
            velocities = self._values(stream, "velocities", index) * self.velocity_units.factor_ang_fs
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=self._values(stream, "coordinates", index) * self._length_ang,
            cell_ang=cell,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=float(self._values(stream, "time", index)) * self._time_fs if self._has_times else None,
        )

    def _units_of_velocities(self) -> VelocityUnits:
        """As given, stated, or Amber's; ASE states no unit and writes its own."""
        given = self.options.velocity_units
        silent = "units" not in self._file.variables["velocities"].attributes
        if given is None and silent and self._by_ase:
            given = "ase"
        if given is not None:
            return VelocityUnits(given, VELOCITY_UNITS[given], assumed=False)
        stated = self._unit("velocities", "angstrom/picosecond")
        name = "ang/ps" if stated == "angstrom/picosecond" else stated
        return VelocityUnits(name, self._stated("velocities", "angstrom/picosecond"), assumed=silent)

    def _values(self, stream: IO[bytes], name: str, index: int | None) -> NDArray[np.float64]:
        variable = self._file.variables[name]
        scale: Any = variable.attributes.get("scale_factor", 1.0)
        values = self._file.read(stream, name, index if variable.by_record else None)
        return np.asarray(values, dtype=np.float64) * float(np.ravel(scale)[0])

    def _unit(self, name: str, usual: str) -> str:
        """Unit that a variable states, the one of Amber if it states none."""
        stated = self._file.variables[name].attributes.get("units") if name in self._file.variables else None
        return _text(stated).lower() or usual

    def _stated(self, name: str, usual: str) -> float:
        """Factor from the unit of a variable to Å, fs or Å/fs.

        Raises
        ------
        DataError
            For a unit that is not known.
        """
        text = self._unit(name, usual)
        length, _, time = text.partition("/")
        known = _LENGTHS_ANG | _TIMES_FS
        factors = [
            known.get(word.strip().rstrip("s") if word not in known else word)
            for word in (length, time or "fs")
        ]
        if factors[0] is None or factors[1] is None:
            raise DataError(
                f"{self.source}: {name} are in the unit {text!r}",
                "a wrong unit scales all frequencies, and this one is not known here (lj has none)",
                f"write it in {usual}",
            )
        return factors[0] / factors[1]

    def _clock_runs(self) -> bool:
        """Whether times differ: some programs write zeros."""
        n_frames = self.n_frames or 0
        if n_frames < 2:
            return True
        with self.path.open("rb") as stream:
            told = frames_of_clock(self.options.first_frame(n_frames), n_frames)
            times = [float(self._values(stream, "time", index)) for index in told]
        if times[0] == times[3]:
            first_ps = times[0] * self._time_fs / 1e3
            self.notes.append(f"all its times are {first_ps:g} ps, so the time between frames must be given")
        elif not self.times_repeat(times[0], times[3], self._time_fs):
            self.timestep_fs = mean_step(told, [time * self._time_fs for time in times])
            return True
        return False


def _text(value: Any) -> str:
    """Text of an attribute, empty if there is none."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return text.strip(" \x00")
