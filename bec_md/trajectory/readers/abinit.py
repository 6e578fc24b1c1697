"""ABINIT's HIST.nc: atomic units, elements of its own, velocities and times of molecular dynamics.

The file is classic NetCDF or, from netCDF-4, HDF5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.structure.species import resolve_species, symbols_of
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.hdf5 import is_hdf5, open_trajectory_hdf5, rows_of
from bec_md.trajectory.readers.indexed import IndexedReader
from bec_md.trajectory.readers.netcdf3 import NetCDF3
from bec_md.units import ATOMIC_TIME_FS, BOHR_ANG

_NEEDED = ("xred", "rprimd", "typat", "znucl")
#: Values of a variable: of one record, or all.
Values = Callable[[str, int | None], NDArray[np.float64]]


class AbinitReader(IndexedReader):
    """Steps of a HIST.nc."""

    format = "abinit-hist"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        super().__init__(path, options)
        with path.open("rb") as stream:
            self._is_hdf5 = is_hdf5(stream.read(8))
        self._classic = None if self._is_hdf5 else NetCDF3(path)
        with self._values() as (names, n_frames, values):
            missing = [name for name in _NEEDED if name not in names]
            if missing:
                raise DataError(f"{self.source}: no variable {missing[0]}", f"it holds {', '.join(names)}",
                                "check that this is a HIST.nc of ABINIT")  # fmt: skip
            self.n_frames = n_frames
            kinds = np.ravel(values("typat", None)).astype(np.int64) - 1
            charges = np.ravel(values("znucl", None))
            if len(kinds) == 0 or kinds.min() < 0 or kinds.max() >= len(charges):
                raise self.damaged(
                    self.source, f"types {sorted(set((kinds + 1).tolist()))[:6]} of {len(charges)} elements"
                )
            numbers = np.rint(charges[kinds]).astype(np.int64)
            masses = np.ravel(values("amu", None))[kinds] if "amu" in names else None
            self._species = resolve_species(
                symbols_of(numbers, self.source),
                place=self.source,
                file_masses_amu=masses,
                masses=options.masses,
            )
            moves = "vel" in names and n_frames > 0 and np.any(values("vel", min(1, n_frames - 1)))
            self._time_unit_fs = self._clock(names, values, moving=bool(moves))
            if moves and options.need_velocities:
                self.velocity_units = VelocityUnits("atomic", VELOCITY_UNITS["atomic"], assumed=False)
        self.notes = ["atomic units of ABINIT", *self.notes]

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        with self._values() as (_, _, values):
            yield lambda index: self._frame(values, index)

    def _frame(self, values: Values, index: int) -> Frame:
        cell = values("rprimd", index).reshape(3, 3) * BOHR_ANG
        velocities = None
        if self.velocity_units is not None:
            velocities = values("vel", index).reshape(-1, 3) * self.velocity_units.factor_ang_fs
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=values("xred", index).reshape(-1, 3) @ cell,
            cell_ang=cell,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=None
            if self._time_unit_fs is None
            else float(np.ravel(values("mdtime", index))[0]) * self._time_unit_fs,
        )

    @contextmanager
    def _values(self) -> Iterator[tuple[list[str], int, Values]]:
        """Names of the variables, number of whole records, and a function that reads one."""
        if self._classic is not None:
            classic = self._classic
            if classic.cut:
                self.n_frames = classic.n_records
                self.note_cut()
            with self.path.open("rb") as stream:
                yield (
                    list(classic.variables),
                    classic.n_records,
                    lambda name, record: np.asarray(classic.read(stream, name, record), dtype=np.float64),
                )
            return
        with open_trajectory_hdf5(self.path) as file:
            rows = [rows_of(file[name], self.path) for name in ("xred", "rprimd") if name in file]
            n_frames = self.n_frames = min(rows, default=0)
            self.note_cut(max(rows, default=0))

            def value(name: str, record: int | None) -> NDArray[np.float64]:
                """A dataset, or its record."""
                dataset: Any = file[name]
                return np.asarray(dataset[()] if record is None else dataset[record], dtype=np.float64)

            yield list(file), n_frames, value

    def _clock(self, names: list[str], values: Values, *, moving: bool) -> float | None:
        """Unit of `mdtime` in fs, None if it is no clock.

        Some algorithms write times, others count steps (Verlet, ``ionmov 6``); steps of dynamics are `dtion`
        apart, which the motion has to confirm, and those of a relaxation are no time.
        """
        if "mdtime" not in names or (self.n_frames or 0) < 2:
            return None
        first, second = (float(np.ravel(values("mdtime", index))[0]) for index in (0, 1))
        step = float(np.ravel(values("dtion", None))[0]) if "dtion" in names else second - first
        if second > first and abs(second - first - step) < 0.01 * step:
            return ATOMIC_TIME_FS
        if second - first == 1.0 and "dtion" in names and moving:
            self.notes.append(f"steps are counted, dtion = {step:g} atomic units of time apart")
            return step * ATOMIC_TIME_FS
        self.notes.append(
            f"its times go from {first:g} to {second:g}, which is not dtion = {step:g}, and are not used"
        )
        return None


def is_hist(path: Path, head: bytes) -> bool:
    """Whether a NetCDF file of either kind holds a history of ABINIT."""
    if head.startswith(b"CDF"):
        return b"\x06rprimd" in head and b"\x04xred" in head
    if not is_hdf5(head):
        return False
    with open_trajectory_hdf5(path) as file:
        return "xred" in file and "rprimd" in file
