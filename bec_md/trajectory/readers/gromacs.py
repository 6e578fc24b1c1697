"""GROMACS' TRR and XTC: nm, ps and nm/ps, positions and velocities at intervals of their own.

Nothing is left beside the data (the readers of MDAnalysis write hidden files of offsets there). Only the
positions of compressed XTC frames are decoded by MDAnalysis, after their headers have been checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError, UsageError
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.indexed import IndexedReader, frames_of_clock, mean_step
from bec_md.trajectory.readers.topology import species_of_topology, topology_path
from bec_md.trajectory.readers.xdr import TRR_MAGIC, XTC_MAGIC, XTC_MAGIC_LARGE, XdrFrame, read_array, scan

_ANG_PER_NM = 10.0


class GromacsReader(IndexedReader):
    """Frames of a TRR or XTC file with a topology."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        topology = topology_path(path, options)
        super().__init__(path, options, [topology])
        self.format = self._kind()
        cut: list[int] = []
        self._frames: list[XdrFrame] = list(scan(path, cut))
        self.n_frames = len(self._frames)
        if cut:
            self.note_cut()
        if not self._frames:
            raise self.damaged(self.source, "no whole frame")
        n_atoms = self._frames[0].n_atoms
        self._species = species_of_topology(topology, options, self.source, n_atoms)
        self._check_atoms(n_atoms)
        self.notes = ["nm, ps and nm/ps of GROMACS"]
        self._timeless = self.times_repeat(self._frames[0].time_ps, self._frames[-1].time_ps, 1e3)
        if not self._timeless:
            told = frames_of_clock(options.first_frame(self.n_frames), self.n_frames)
            self.timestep_fs = mean_step(told, [1e3 * self._frames[k].time_ps for k in told])
        self._counted = self._frames[0].step != self._frames[-1].step
        if options.need_velocities and self._has_velocities():
            self.velocity_units = VelocityUnits("nm/ps", 1e-2, assumed=False)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        if any("x" not in frame.places for frame in self._frames) and self.format == "xtc":
            from MDAnalysis.lib.formats.libmdaxdr import XTCFile

            try:
                file = XTCFile(str(self.path))
            except (OSError, ValueError, RuntimeError) as error:
                raise self.damaged(self.source, error) from None
            with file:
                yield lambda index: self._frame(index, file)
        else:
            yield lambda index: self._frame(index, None)

    def _frame(self, index: int, file: Any) -> Frame:
        where, found = place(self.source, index), self._frames[index]
        if file is None and "x" not in found.places:
            raise DataError(
                f"{where}: no positions",
                "the run stored velocities more often than positions (nstxout > nstvout)",
                "read the frames that have both with `stride` and `start`, or write both at one interval",
            )
        box = read_array(self.path, found, "box") if "box" in found.places else np.zeros((3, 3))
        positions = self._decoded(file, index) if file is not None else read_array(self.path, found, "x")
        velocities = None
        if self.velocity_units is not None and "v" in found.places:
            velocities = read_array(self.path, found, "v") * self.velocity_units.factor_ang_fs
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=positions * _ANG_PER_NM,
            cell_ang=box * _ANG_PER_NM,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=None if self._timeless else found.time_ps * 1e3,
            step=None if self._timeless and not self._counted else found.step,
        )

    def _decoded(self, file: Any, index: int) -> NDArray[np.float64]:
        """Positions of a compressed frame in nm."""
        try:
            file.seek(index)
            return np.array(file.read().x, dtype=np.float64)
        except (OSError, StopIteration, ValueError, RuntimeError, MemoryError) as error:
            raise self.damaged(place(self.source, index), error) from None

    def _kind(self) -> str:
        with self.path.open("rb") as stream:
            magic = int.from_bytes(stream.read(4), "big")
        if magic in (TRR_MAGIC, XTC_MAGIC, XTC_MAGIC_LARGE):
            return "trr" if magic == TRR_MAGIC else "xtc"
        raise DataError(
            f"{self.source}: not a TRR or XTC file",
            f"it begins with the number {magic}, those of GROMACS with {TRR_MAGIC} or {XTC_MAGIC}",
            "check the file, or name its format with `format`",
        )

    def _check_atoms(self, n_atoms: int) -> None:
        for index, frame in enumerate(self._frames):
            if frame.n_atoms != n_atoms:
                raise DataError(
                    f"{place(self.source, index)}: {frame.n_atoms} atoms, but {n_atoms} in frame 0",
                    "a current is a sum over the same atoms at all times",
                    f"read the part before it with `stop={index}`",
                )

    def _has_velocities(self) -> bool:
        """Whether the frames that are wanted have velocities; refused if only some of them have.

        Raises
        ------
        UsageError
            With the stride that takes those that have.
        """
        options = self.options
        have = ["v" in frame.places for frame in self._frames]
        wanted = have[options.start : options.stop : options.stride]
        if all(wanted) or not any(have):
            return bool(wanted) and all(wanted)
        stored = [index for index, stored in enumerate(have) if stored]
        interval = stored[1] - stored[0] if len(stored) > 1 else len(have)
        start = f" and `start={stored[0]}`" if stored[0] else ""
        raise UsageError(
            f"{self.source}: velocities only in every {interval}th frame (nstvout = {interval} × nstxout)",
            "every frame needs positions and velocities of the same time",
            f"read these frames with `stride={interval}{start}`, or leave the velocities out with "
            f"`velocities=none`",
        )
