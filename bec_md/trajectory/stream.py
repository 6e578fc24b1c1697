"""A stream of checked frames over any reader: start, stop, stride, time grid, warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.structure import Frame
from bec_md.trajectory.checks import FrameChecker, kinetic_temperature_note
from bec_md.trajectory.frame import TrajectoryInfo
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader, place

#: Frames read on opening, for the time step and the kinetic temperature.
_PROBED_FRAMES = 3


@dataclass(frozen=True)
class FrameWindow:
    """Which stored frames iteration yields."""

    start: int
    stop: int | None
    stride: int

    def resolved(self, n_frames: int | None, source: str) -> FrameWindow:
        """Count negative limits from the end and check that a frame is left."""
        start, stop = self.start, self.stop
        if (start < 0 or (stop is not None and stop < 0)) and n_frames is None:
            raise UsageError(
                f"{source}: start={start}, stop={stop} counts from the end",
                "the number of frames of this file is not known before it is read",
                "count start and stop from the beginning",
            )
        total = n_frames or 0
        start = max(0, total + start) if start < 0 else start
        stop = max(0, total + stop) if stop is not None and stop < 0 else stop
        end = min((limit for limit in (stop, n_frames) if limit is not None), default=None)
        if end is not None and start >= end:
            raise UsageError(
                f"{source}: start={self.start}, stop={self.stop} leave no frame",
                f"the file holds {n_frames if n_frames is not None else 'an unknown number of'} frames",
                "choose start < stop within the file",
            )
        return FrameWindow(start, stop, self.stride)

    def count(self, n_frames: int | None) -> int | None:
        """Number of frames yielded of `n_frames` stored ones."""
        if n_frames is None:
            return None
        end = n_frames if self.stop is None else min(self.stop, n_frames)
        return len(range(self.start, end, self.stride))


class StreamedTrajectory:
    """A `Trajectory` over a `FrameReader`: bounded memory, restartable, every frame checked."""

    def __init__(self, reader: FrameReader, options: ReadOptions) -> None:
        self._reader = reader
        self._given_fs = options.timestep_fs
        if reader.n_frames == 0:
            raise _no_frame(reader.source, 0)
        window = FrameWindow(options.start, options.stop, options.stride)
        self._window = window.resolved(reader.n_frames, reader.source)
        probed = self._probe()
        first = probed[0]
        self._first = first
        noted = [*reader.warnings]
        stored_fs = self._stored_timestep(probed, noted)
        self._stored_timestep_fs = stored_fs
        has_velocities = first.velocities_ang_fs is not None
        if has_velocities and reader.velocity_units is not None:
            note = kinetic_temperature_note(probed, reader.velocity_units, reader.source)
            reader_notes = [*reader.notes, note.text]
            noted.extend(note.warnings)
        else:
            reader_notes = [*reader.notes]
        if not first.pbc.all():
            noted.append(
                f"periodic along {int(first.pbc.sum())} of 3 directions: absorption is per volume of the "
                "whole cell, vacuum included"
            )
        self._info = TrajectoryInfo(
            source=reader.source,
            format=reader.format,
            n_atoms=len(first.numbers),
            n_frames=self._window.count(reader.n_frames),
            numbers=first.numbers,
            masses_amu=first.masses_amu,
            timestep_fs=None if stored_fs is None else stored_fs * self._window.stride,
            has_velocities=has_velocities,
            has_charges=first.born_effective_charges is not None,
            velocity_scheme="stored" if has_velocities else "midpoint",
            units_note="; ".join(reader_notes),
            fingerprint=reader.fingerprint,
            warnings=tuple(noted),
        )

    @property
    def info(self) -> TrajectoryInfo:
        """What is known before reading."""
        return self._info

    def __len__(self) -> int:
        """Number of frames that iteration yields, when it is known."""
        if self._info.n_frames is None:
            raise TypeError(f"{self._info.source}: the number of frames is not known before reading")
        return self._info.n_frames

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Read from the start, after dropping `skip` frames without parsing them.

        Raises
        ------
        DataError
            At the first frame that is damaged or does not fit the others.
        """
        if skip < 0:
            raise UsageError(f"skip={skip}", "frames are dropped from the start", "use skip=0 or more")
        return self._checked(skip)

    def _checked(self, skip: int) -> Iterator[Frame]:
        window, reader = self._window, self._reader
        known = len(reader.warnings)
        checker = self._checker(self._first, self._info.timestep_fs)
        limit = None if window.stop is None else len(range(window.start, window.stop, window.stride)) - skip
        raw_frames = reader.read(window.start + skip * window.stride, window.stride)
        for raw in islice(raw_frames, None if limit is None else max(0, limit)):
            checker.check(raw)
            yield self._frame(raw)
        for message in reader.warnings[known:]:
            warnings.warn(message, BecMDWarning, stacklevel=2)

    def _checker(self, first: Frame, timestep_fs: float | None) -> FrameChecker:
        return FrameChecker(self._reader.source, first, timestep_fs, corrected=self._given_fs is not None)

    def _frame(self, raw: Frame) -> Frame:
        time_fs = raw.time_fs
        if time_fs is None and self._stored_timestep_fs is not None:
            time_fs = raw.index * self._stored_timestep_fs
        first = self._first
        return replace(raw, numbers=first.numbers, masses_amu=first.masses_amu, time_fs=time_fs)

    def _probe(self) -> list[Frame]:
        window, source = self._window, self._reader.source
        raw_frames = self._reader.read(window.start, window.stride)
        count = _PROBED_FRAMES
        if window.stop is not None:
            count = min(count, len(range(window.start, window.stop, window.stride)))
        probed = list(islice(raw_frames, max(count, 1)))
        if not probed:
            raise _no_frame(source, window.start)
        checker = self._checker(probed[0], None)
        for raw in probed[:2]:
            checker.check(raw)
        return probed

    def _stored_timestep(self, probed: list[Frame], noted: list[str]) -> float | None:
        """Time between stored frames in fs: the caller's, else the file's."""
        given, stride = self._given_fs, self._window.stride
        stated = self._reader.timestep_fs
        if stated is None and len(probed) > 1:
            first, second = probed[0].time_fs, probed[1].time_fs
            if first is not None and second is not None:
                stated = (second - first) / stride
        if given is None:
            return stated
        if stated is not None and abs(stated - given) > 1e-3 * given:
            noted.append(
                f"{place(self._reader.source)}: its own times are {stated:g} fs apart, but "
                f"timestep_fs={given:g} was given and is used (it is the time between stored frames)"
            )
        return given


def _no_frame(source: str, start: int) -> DataError:
    return DataError(
        f"{source}: no complete frame from index {start} on",
        "the file ends before it, or its only frame is cut off",
        "check start= and whether the file was copied completely",
    )
