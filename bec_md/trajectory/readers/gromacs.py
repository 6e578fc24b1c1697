"""GROMACS' TRR and XTC: nm, ps and nm/ps, positions and velocities at intervals of their own.

Frames are read by the functions that MDAnalysis has for these files, without its reader, which leaves a
hidden file of offsets beside the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import DataError, UsageError
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.indexed import IndexedReader
from bec_md.trajectory.readers.topology import species_of_topology, topology_path

_MAGIC = {"trr": (1993,), "xtc": (1995, 2023)}
_ANG_PER_NM = 10.0
#: Frames looked through for the second one with velocities.
_SEARCHED = 10_000


class GromacsReader(IndexedReader):
    """Frames of a TRR or XTC file with a topology."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        topology = topology_path(path, options)
        super().__init__(path, options, [topology])
        self.format = self._kind()
        with self._file() as file:
            self.n_frames = self._count(file)
            self._species = species_of_topology(topology, options, self.source, int(file.n_atoms))
            interval = (
                self._velocity_interval(file) if self.format == "trr" and options.need_velocities else None
            )
            frames = [self._raw(file, index) for index in (0, 1, self.n_frames - 1) if self.n_frames > 1]
        if frames:
            self.timestep_fs = self.mean_step(*(float(frame.time) * 1e3 for frame in frames))
        self.notes = ["nm, ps and nm/ps of GROMACS"]
        if interval is not None:
            self.velocity_units = VelocityUnits("nm/ps", 1e-2, assumed=False)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        with self._file() as file:
            yield lambda index: self._frame(file, index)

    def _frame(self, file: Any, index: int) -> Frame:
        where = place(self.source, index)
        frame = self._raw(file, index)
        if frame is None:
            raise self.damaged(where, "its frame is incomplete")
        has_x = bool(getattr(frame, "hasx", True))
        velocities = None
        if self.velocity_units is not None and frame.hasv:
            velocities = np.array(frame.v, dtype=np.float64) * self.velocity_units.factor_ang_fs
        if not has_x:
            raise DataError(
                f"{where}: no positions",
                "the run stored velocities more often than positions (nstxout > nstvout)",
                "read the frames that have both with stride= and start=, or write both at one interval",
            )
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=np.array(frame.x, dtype=np.float64) * _ANG_PER_NM,
            cell_ang=np.array(frame.box, dtype=np.float64) * _ANG_PER_NM,
            pbc=np.ones(3, dtype=bool),
            velocities_ang_fs=velocities,
            time_fs=float(frame.time) * 1e3,
            step=int(frame.step),
        )

    def _kind(self) -> str:
        with self.path.open("rb") as stream:
            magic = int.from_bytes(stream.read(4), "big")
        for kind, known in _MAGIC.items():
            if magic in known:
                return kind
        raise DataError(
            f"{self.source}: not a TRR or XTC file",
            f"it begins with the number {magic}, those of GROMACS with 1993 or 1995",
            "check the file, or name its format with format=",
        )

    @contextmanager
    def _file(self) -> Iterator[Any]:
        from MDAnalysis.lib.formats import libmdaxdr

        kind = libmdaxdr.TRRFile if self.format == "trr" else libmdaxdr.XTCFile
        try:
            file = kind(str(self.path))
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            raise self.damaged(self.source, error) from None
        try:
            yield file
        finally:
            file.close()

    def _raw(self, file: Any, index: int) -> Any:
        """Frame as stored, None if it is cut off."""
        try:
            file.seek(index)
            return file.read()
        except (OSError, StopIteration, ValueError, RuntimeError, MemoryError):
            return None

    def _count(self, file: Any) -> int:
        """Number of whole frames."""
        try:
            n_frames = len(file)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            raise self.damaged(self.source, error) from None
        whole = n_frames
        cut = n_frames > 0 and self.format == "xtc" and self._ends_early(int(file.offsets[-1]))
        while whole and self._raw(file, whole - 1) is None:
            whole -= 1
        self.n_frames = whole
        if cut or whole < n_frames:
            self.note_cut()
        return whole

    def _ends_early(self, begin: int) -> bool:
        """Whether bytes of a further frame follow the one of an XTC file that begins there."""
        with self.path.open("rb") as stream:
            stream.seek(begin)
            head = stream.read(100)
        wide = head[:4] == (2023).to_bytes(4, "big")
        n_atoms = int.from_bytes(head[52:56], "big")
        if n_atoms <= 9:  # not compressed
            end = begin + 56 + 12 * n_atoms
        else:
            size = int.from_bytes(head[88:96] if wide else head[88:92], "big")
            end = begin + (96 if wide else 92) + -(-size // 4) * 4
        return self.path.stat().st_size > end

    def _velocity_interval(self, file: Any) -> int | None:
        """Distance of frames with velocities, None without any; refused if the wanted frames lack them."""
        options, n_frames = self.options, self.n_frames or 0
        start = min(options.start if options.start >= 0 else n_frames + options.start, n_frames - 1)
        if n_frames == 0 or start < 0:
            return None
        searched = range(min(n_frames, start + _SEARCHED))
        have = (index for index in searched if bool(self._raw(file, index).hasv))
        first = next(have, None)
        if first is None:
            return None
        second = next(have, None)
        interval = 1 if second is None else second - first
        if (interval == 1 and second == 1) or (
            (start - first) % interval == 0 and options.stride % interval == 0
        ):
            return interval
        raise UsageError(
            f"{self.source}: velocities only in every {interval}th frame (nstvout = {interval} × nstxout)",
            "every frame needs positions and velocities of the same time",
            f"read these frames with stride={interval}{f' and start={first}' if first else ''}, or "
            f"leave the velocities "
            "out with velocities=none",
        )
