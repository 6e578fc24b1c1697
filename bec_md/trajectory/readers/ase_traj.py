"""ASE's `.traj`: frames by number, the time step that its molecular dynamics wrote, a last frame cut off.

The file is a list of items with a table of offsets (ASE's Ulm format). A compressed one is unpacked into
memory.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.errors import DataError
from bec_md.files import compression_of, in_words, open_binary
from bec_md.trajectory.ase_reader import AtomsReader
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.text import note_cut

if TYPE_CHECKING:
    from ase import Atoms

_MAGIC = b"- of UlmASE-Trajectory"
#: Unpacked files up to this size are kept in memory.
_UNPACKED_LIMIT = 4 << 30


def is_traj(data: bytes) -> bool:
    """Whether a file begins like a trajectory of ASE."""
    return data.startswith(_MAGIC)


class AseTrajReader(AtomsReader):
    """Frames of a `.traj` file."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self._unpacked = _unpack(path) if compression_of(path) is not None else None
        self._whole = 0
        self._cut: list[str] = []
        self._description: dict[str, Any] = {}
        self._look(path)
        super().__init__(path, options)
        self.format = "ase:traj"
        self.warnings.extend(self._cut)
        step = self._step_fs()
        if self.timestep_fs is None and step is not None:
            self.timestep_fs = step
            self.notes.append(
                f"time step and interval of ASE's molecular dynamics: {step:.6g} fs between frames"
            )

    def _look(self, path: Path) -> None:
        """Check the table of offsets and count whole frames from the end."""
        with self._items(path) as trajectory:
            self._description = dict(trajectory.description or {}) if len(trajectory) else {}
            whole = len(trajectory)
            while whole and _image(trajectory, whole - 1) is None:
                whole -= 1
            self._whole = whole
            if whole < len(trajectory):
                note_cut(self._cut, path.name, whole)

    def _read_file(self, start: int, stride: int) -> Iterator[Atoms]:
        assert self._path is not None
        with self._items(self._path) as trajectory:
            for index in range(start, self._whole, stride):
                atoms = _image(trajectory, index)
                if atoms is None:
                    raise DataError(
                        f"{place(self.source, index)} cannot be read by ASE",
                        "the file is damaged there, while frames after it are whole",
                        f"read the part before it with `stop={index}`",
                    )
                yield atoms

    def _recognized(self) -> str:
        return "traj"

    def _count(self) -> int:
        return self._whole

    @contextmanager
    def _items(self, path: Path) -> Iterator[Any]:
        """The file as ASE's `TrajectoryReader`, its table of offsets checked before anything is allocated."""
        from ase.io import trajectory as ase_trajectory

        data: Any = path.open("rb") if self._unpacked is None else io.BytesIO(self._unpacked)
        with data:
            size = data.seek(0, io.SEEK_END)
            data.seek(24)
            _, n_items, table = (int.from_bytes(data.read(8), "little") for _ in range(3))
            if size < 48 or table > size or n_items * 8 > size:
                raise _damaged(path, f"its header announces {n_items} frames, but it has {size} bytes")
            try:
                reader: Any = ase_trajectory.TrajectoryReader(data)  # type: ignore[no-untyped-call]
            except Exception as error:  # ASE raises whatever its parser runs into
                raise _damaged(path, error) from None
            yield reader

    def _step_fs(self) -> float | None:
        """Time between frames in fs from the description of the run, in units of ASE."""
        from ase import units

        try:
            step = float(self._description["timestep"]) * int(self._description.get("interval", 1))
        except (KeyError, TypeError, ValueError):
            return None
        return step / units.fs if step > 0 else None


def _image(trajectory: Any, index: int) -> Any:
    """Frame by number, None if its bytes are missing."""
    try:
        return trajectory[index]
    except Exception:  # ASE raises whatever its parser runs into; the caller says what that means
        return None


def _damaged(path: Path, error: Exception | str) -> DataError:
    said = error if isinstance(error, str) else in_words(error, path)
    return DataError(
        f"{path.name} cannot be read as a trajectory of ASE: {said}",
        "it is damaged, or cut off before its first frame",
        "copy it again from where it was written, or name another format with `format`",
    )


def _unpack(path: Path) -> bytes:
    with open_binary(path, lines=False) as stream:
        data = stream.read(_UNPACKED_LIMIT + 1)
    if len(data) > _UNPACKED_LIMIT:
        raise DataError(
            f"{path.name}: more than {_UNPACKED_LIMIT >> 30} GiB after unpacking",
            "its frames are not in order, so that it has to be unpacked as a whole",
            "unpack it (gunzip) and name the file itself",
        )
    return data
