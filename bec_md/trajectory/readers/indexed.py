"""What the readers of binary formats share: frames by number, as many as the file has bytes for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np

from bec_md.errors import DataError
from bec_md.files import in_words
from bec_md.structure import Frame
from bec_md.trajectory.readers.base import FileReader
from bec_md.trajectory.readers.text import note_cut


def frames_of_clock(wanted: int, n_frames: int) -> tuple[int, int, int, int]:
    """Return the frames whose times say what lies between: the first one, the first two wanted, the last."""
    first = max(0, min(wanted, n_frames - 2))
    return 0, first, min(first + 1, n_frames - 1), n_frames - 1


def mean_step(frames: Sequence[int], times: Sequence[float]) -> float | None:
    """Time between frames from those of `frames_of_clock`: single precision leaves few digits late in a run.

    The mean over the run, or over its part from the first frame wanted on, is taken where it agrees with the
    first interval wanted within these digits.
    """
    step, resolution = times[2] - times[1], 2.4e-7 * abs(times[2])
    if not step > 0.0:
        return None
    for begin in (0, 1):
        mean = (times[3] - times[begin]) / (frames[3] - frames[begin])
        if abs(mean - step) <= resolution + 1e-6 * mean:
            return mean
    return step


class IndexedReader(FileReader):
    """Frames of a binary file, read by number; parameters as `FileReader`."""

    n_frames: int | None = 0

    @abstractmethod
    def opened(self) -> AbstractContextManager[Callable[[int], Frame]]:
        """Open the file for one pass; what is returned reads a frame by its number."""

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, …"""
        with self.opened() as frame:
            for index in range(start, self.n_frames or 0, stride):
                yield frame(index)

    def times_repeat(self, first: float, last: float, unit_fs: float) -> bool:
        """Whether times in single precision, in units of `unit_fs`, are too coarse to tell frames apart.

        Early in a run they are not: 20 ns in ps have steps of 0.002 ps.
        """
        n_frames = self.n_frames or 0
        if n_frames < 2 or not -1e30 < first <= last < 1e30 or last == 0.0:
            return False
        if any(float(np.float32(time)) != time for time in (first, last)):
            return False
        mean, resolution = (last - first) / (n_frames - 1), float(np.spacing(np.float32(abs(last))))
        if resolution <= 0.98 * mean:
            return False
        self.notes.append(
            f"its times are stored in single precision, in steps of {resolution * unit_fs:.2g} fs, and are "
            "not used"
        )
        return True

    def note_cut(self, declared: int | None = None) -> None:
        """Warn about a last frame that is cut off, or about those of `declared` ones that are not whole."""
        n_frames = self.n_frames or 0
        if declared is None or declared == n_frames + 1:
            note_cut(self.warnings, self.source, n_frames)
        elif declared > n_frames:
            message = f"{self.source}: only {n_frames} of {declared} frames are whole and are read"
            if message not in self.warnings:
                self.warnings.append(message)

    def damaged(self, where: str, error: Exception | str) -> DataError:
        """Error for a file that its library cannot read."""
        return DataError(
            f"{where} cannot be read: {error if isinstance(error, str) else in_words(error, self.path)}",
            f"it is damaged or cut off there, or not of the format {self.format}",
            "copy it again from where it was written, or read the part before with `stop`",
        )
