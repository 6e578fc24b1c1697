"""DCD of CHARMM, NAMD, LAMMPS and others: positions in Å, without velocities.

The header counts time in AKMA units (48.888 fs), but LAMMPS writes its own time unit there and VMD a 1:
times are believed only where CHARMM, NAMD or OpenMM wrote them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import constants

from bec_md.structure import Frame
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.cells import cell_from_parameters
from bec_md.trajectory.readers.indexed import IndexedReader
from bec_md.trajectory.readers.topology import species_of_topology, topology_path
from bec_md.units import ANGSTROM_M, ATOMIC_MASS_KG, FEMTOSECOND_S

#: Time unit of AKMA, Å √(amu / (kcal/mol)), in fs.
AKMA_FS = (
    ANGSTROM_M * (ATOMIC_MASS_KG / (constants.calorie * 1e3 / constants.Avogadro)) ** 0.5 / FEMTOSECOND_S
)
_PROGRAMS = re.compile(r"NAMD|CHARMM|OPENMM|CREATED BY USER", re.IGNORECASE)
#: Times between frames that a header may state; the library reads others where the byte order is foreign.
_SHORTEST_FS, _LONGEST_FS = 1e-3, 1e9
#: Order of A, B, C, α, β, γ among the six numbers of a frame.
_ORDER = [0, 2, 5, 4, 3, 1]


def keeps_time(remarks: str) -> bool:
    """Whether the program that wrote these remarks counts time in AKMA units."""
    return _PROGRAMS.search(remarks) is not None


class DcdReader(IndexedReader):
    """Frames of a DCD file with a topology."""

    format = "dcd"

    def __init__(self, path: Path, options: ReadOptions) -> None:
        topology = topology_path(path, options)
        super().__init__(path, options, [topology])
        self._check_header()
        with self._file() as file:
            header = file.header
            self.n_frames = len(file)
            if self._rest(header) > 0:
                self.note_cut()
            self._species = species_of_topology(topology, options, self.source, int(header["natoms"]))
        remarks = str(header["remarks"]).strip("\0 ")
        step_fs = float(header["delta"]) * int(header["nsavc"]) * AKMA_FS
        self.notes = ["Å of a DCD file"]
        if keeps_time(remarks) and _SHORTEST_FS < step_fs < _LONGEST_FS:
            self.timestep_fs = step_fs
            self.notes.append(f"time from its header ({step_fs:.6g} fs between frames)")
        else:
            writer = f"remarks {remarks[:40]!r}" if remarks else "no remarks"
            self.notes.append(
                f"the time in its header is not used ({writer}; only CHARMM, NAMD and OpenMM write it "
                f"in known units)"
            )

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], Frame]]:
        """Open the file for one pass."""
        with self._file() as file:
            yield lambda index: self._frame(file, index)

    def _frame(self, file: Any, index: int) -> Frame:
        where = place(self.source, index)
        try:
            file.seek(index)
            frame = file.read()
            cell = unit_cell(np.array(frame.unitcell, dtype=np.float64))
        except (OSError, StopIteration, ValueError, RuntimeError) as error:
            raise self.damaged(where, error) from None
        return Frame(
            index=index,
            numbers=self._species.numbers,
            masses_amu=self._species.masses_amu,
            positions_ang=np.array(frame.xyz, dtype=np.float64)[:, :3],  # CHARMM's may have a fourth
            cell_ang=cell,
            pbc=np.ones(3, dtype=bool),
        )

    @contextmanager
    def _file(self) -> Iterator[Any]:
        from MDAnalysis.lib.formats.libdcd import DCDFile

        try:
            file = DCDFile(str(self.path))
        except (OSError, ValueError, RuntimeError, MemoryError, UnicodeDecodeError) as error:
            raise self.damaged(self.source, error) from None
        try:
            yield file
        finally:
            file.close()

    def _check_header(self) -> None:
        """Refuse what does not begin like a DCD, before a library allocates what its numbers say."""
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            head = stream.read(100)
        for order in "<>":
            for marker in ("i", "q"):
                width = struct.calcsize(order + marker)
                begins = head[: width + 4] == struct.pack(order + marker, 84) + b"CORD"
                if begins and self._fits(order, marker, size):
                    return
        raise self.damaged(
            self.source, "it does not begin like a DCD file (84, CORD, title, number of atoms)"
        )

    def _rest(self, header: dict[str, Any]) -> int:
        """Bytes behind the whole frames; 0 where frames have no fixed size."""
        width = 8 if self._marker == "q" else 4
        frame = 3 * (4 * int(header["natoms"]) + 2 * width) + (48 + 2 * width) * bool(header["is_periodic"])
        return (self.path.stat().st_size - self._begin) % frame if self._simple else 0

    def _fits(self, order: str, marker: str, size: int) -> bool:
        """Whether title and number of atoms follow, and one frame of them fits into the file."""
        width = struct.calcsize(order + marker)
        with self.path.open("rb") as stream:
            head = stream.read(84 + 2 * width)
            title = stream.read(width)
            if len(title) < width:
                return False
            (length,) = struct.unpack(order + marker, title)
            if not 0 <= length <= min(size, 1 << 20):
                return False
            stream.seek(length + 2 * width, 1)
            number = stream.read(4)
        self._marker, self._begin = marker, 84 + length + 4 + 6 * width
        # Fixed atoms and a fourth dimension change the size of frames.
        self._simple = head[width + 36 : width + 40] == head[width + 48 : width + 52] == bytes(4)
        return len(number) == 4 and 0 < struct.unpack(order + "i", number)[0] * 12 <= size


def unit_cell(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cell in Å from the six numbers of a frame: cosines or degrees of the angles, or a symmetric matrix.

    Zero where the frame has none.
    """
    a, b, c, *angles = numbers[_ORDER]
    if a == b == c == 0.0:
        return np.zeros((3, 3))
    if all(-1.0 <= angle <= 1.0 for angle in angles):
        angles = [90.0 - np.degrees(np.arcsin(angle)) for angle in angles]
    elif (numbers < 0).any() or max(angles) > 180.0:
        xx, xy, yy, xz, yz, zz = numbers
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return cell_from_parameters((a, b, c), angles)
