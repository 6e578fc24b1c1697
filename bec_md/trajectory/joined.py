"""One run in several files: read as if it were one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.structure.names import VelocityUnits
from bec_md.trajectory.clock import STEP, TIME, counters_of
from bec_md.trajectory.reader import FrameReader

#: Difference, in steps, up to which a counter is said to run on (rounded times).
_SAME_COUNT = 0.05


@dataclass(frozen=True)
class Parts:
    """Files of one run in the order of time, as `open_trajectory` takes them.

    Parameters
    ----------
    paths
        The files.
    repeated
        How many frames at the end of the file before each file holds again (`Run.repeated`); read once.
    """

    paths: tuple[str | Path, ...]
    repeated: tuple[int, ...]


class JoinedReader:
    """Frames of several readers, one after the other, numbered and timed through.

    Parameters
    ----------
    readers
        Of the parts, in the order of time.
    repeated
        Frames that each holds again: its first one is left out, the others are at the end of the part before.

    Raises
    ------
    UsageError
        If a part does not tell how many frames it holds.
    """

    def __init__(self, readers: Sequence[FrameReader], repeated: Sequence[int]) -> None:
        self._readers, self._left_out = readers, [min(count, 1) for count in repeated]
        self._cut = [again > 1 for again in (*repeated[1:], 0)]
        first = readers[0]
        names = [reader.source for reader in readers]
        self.source = " + ".join(names) if len(names) < 4 else f"{names[0]} … {names[-1]}"
        self.format, self.notes, self.sites = first.format, first.notes, getattr(first, "sites", None)
        joint = " ".join([*(reader.fingerprint for reader in readers), *map(str, repeated)])
        self.fingerprint = hashlib.sha256(joint.encode()).hexdigest()[:16]
        lengths = []
        for reader, left_out, again in zip(readers, self._left_out, (*repeated[1:], 0), strict=True):
            if reader.n_frames is None:
                raise UsageError(
                    f"{reader.source}: the number of its frames is not known before it is read",
                    "parts of one run can be joined only where each one ends is known",
                    "convert it to a format that is read from disk, e.g. extended XYZ",
                )
            lengths.append(reader.n_frames - left_out - max(again - 1, 0))
        self.warnings: list[str] = []
        self._collect_warnings()
        self._lengths = lengths
        self._shifts = self._find_shifts()
        shared = sum(repeated)
        once = f"; {shared} frame(s) that two of them hold are read once" if shared else ""
        self.remarks = (f"{', '.join(names)} continue one another: joined to one run{once}",)

    @property
    def n_frames(self) -> int | None:
        """Complete frames of all parts."""
        return sum(self._lengths)

    @property
    def timestep_fs(self) -> float | None:
        """Time between stored frames in fs, when the first header states it."""
        return self._readers[0].timestep_fs

    @property
    def velocity_units(self) -> VelocityUnits | None:
        """How velocities are stored, or None if they are not."""
        return self._readers[0].velocity_units

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, …"""
        begin = 0
        for reader, left_out, length, cut, shift in zip(
            self._readers, self._left_out, self._lengths, self._cut, self._shifts, strict=True
        ):
            local = start - begin if start >= begin else (start - begin) % stride
            if local < length:
                frames = reader.read(local + left_out, stride)
                for frame in islice(frames, -(-(length - local) // stride) if cut else None):
                    yield _shifted(replace(frame, index=frame.index + begin - left_out), shift)
            self._collect_warnings()
            begin += length

    def _collect_warnings(self) -> None:
        known = self.warnings
        known += [text for reader in self._readers for text in reader.warnings if text not in known]

    def _find_shifts(self) -> list[Mapping[str, float]]:
        """What to add to the counters of each part, where they begin anew, so that they run on."""
        start, second = (counters_of(frame) for frame in islice(self._readers[0].read(0, 1), 2))
        begin = 0
        shifts: list[Mapping[str, float]] = []
        for reader, left_out, length in zip(self._readers, self._left_out, self._lengths, strict=True):
            found = counters_of(next(iter(reader.read(0, 1))))
            shift = {}
            for name in found.keys() & start.keys() & second.keys():
                step = second[name] - start[name]
                missing = start[name] + step * (begin - left_out) - found[name]
                digits = 2.4e-7 * abs(second[name]) * begin if name == TIME else 0.0  # of single precision
                shift[name] = 0.0 if abs(missing) <= _SAME_COUNT * abs(step) + digits else missing
            shifts.append(shift)
            begin += length
        return shifts


def _shifted(frame: Frame, shift: Mapping[str, float]) -> Frame:
    if not any(shift.values()):
        return frame
    info = {
        key: f"{float(value) + shift[key]:.12g}" if shift.get(key) else value
        for key, value in frame.info.items()
    }
    return replace(
        frame,
        time_fs=None if frame.time_fs is None else frame.time_fs + shift.get(TIME, 0.0),
        step=None if frame.step is None else frame.step + round(shift.get(STEP, 0.0)),
        info=info,
    )
