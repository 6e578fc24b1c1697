"""A stream of checked frames over any reader: start, stop, stride, time grid, warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import BecMDError, BecMDWarning, DataError, UsageError
from bec_md.structure import Frame
from bec_md.structure.names import UNITLESS_TIME_KEYS
from bec_md.structure.species import is_repartitioned_hydrogen
from bec_md.trajectory.block import Block, Stack, StackedBlock
from bec_md.trajectory.checks import (
    FrameChecker,
    check_velocities,
    difference_temperature_note,
    kinetic_temperature,
    kinetic_temperature_note,
)
from bec_md.trajectory.clock import Statements, counter_of, counting_key
from bec_md.trajectory.continuity import LOOK_BACK, Continuity
from bec_md.trajectory.findings import Findings
from bec_md.trajectory.frame import TrajectoryInfo
from bec_md.trajectory.joined import JoinedReader
from bec_md.trajectory.lengths import check_lengths
from bec_md.trajectory.motion import Motion, foreign_velocities, read_clock, uneven_paces, usual_smoothness
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.plausibility import check_first_frames, rounding_warning
from bec_md.trajectory.reader import FrameReader, HoldsArrays
from bec_md.trajectory.velocities import same_basis

#: Frames read on opening, for time step, units and temperature; fewer of large systems, never below three.
_PROBED_FRAMES, _PROBED_ATOMS = 24, 120_000
#: Frames that are checked together and the atoms in them: what lies between them costs little then, and what
#: has to be stacked stays in the cache.
_BLOCK, _HELD_BLOCK = (672, 80_000), (2048, 100_000)
#: Strain up to which a cell is the first one in other vectors.
_NEAR = 0.4
#: Correlation of successive displacements from which gaps between positions can be told.
_SMOOTH = 0.9


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
                f"{source}: `start={start}`, `stop={stop}` counts from the end",
                "the number of frames of this file is not known before it is read",
                "count start and stop from the beginning",
            )
        total = n_frames or 0
        start = max(0, total + start) if start < 0 else start
        stop = max(0, total + stop) if stop is not None and stop < 0 else stop
        end = min((limit for limit in (stop, n_frames) if limit is not None), default=None)
        if end is not None and start >= end:
            raise UsageError(
                f"{source}: `start={self.start}`, `stop={self.stop}` leave no frame",
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
        self._options = options
        self._holder = reader if isinstance(reader, HoldsArrays) else None
        if reader.n_frames == 0:
            raise _no_frame(reader.source, 0)
        window = FrameWindow(options.start, options.stop, options.stride)
        self._window = window.resolved(reader.n_frames, reader.source)
        self._probed = self._probe()
        self._first = first = self._probed[0]
        self._near_ang = _NEAR * float(np.linalg.svd(first.cell_ang, compute_uv=False)[-1])
        if options.time_series:
            check_first_frames(self._probed, reader.source)
        self._key = counting_key(self._probed) if options.time_series else None
        self._findings = Findings(reader.source)
        motion = Motion.of(self._probed)
        if options.time_series:
            check_velocities(motion, reader.source)
        self._reading = read_clock(motion) if options.time_series else None
        if self._reading is not None and self._reading.backwards:
            raise _backwards(reader.source, self._reading.correlation)
        if options.time_series:
            _compare(motion, reader.source, bool(options.masses))
        self._clock = clock = self._statements().settle()
        lengths = check_lengths(first, reader.source)
        noted = [*reader.warnings, *([lengths] if lengths else []), *clock.warnings, *self._seen_cell()]
        notes = [*reader.notes, _moved_masses(first), *clock.notes]
        has_velocities = first.velocities_ang_fs is not None
        if has_velocities and reader.velocity_units is not None:
            note = kinetic_temperature_note(self._probed, reader.velocity_units, reader.source)
            notes.append(note.text)
            noted.extend([*note.warnings, *rounding_warning(self._probed, None)])
        elif options.time_series and clock.timestep_fs is not None:
            step = clock.timestep_fs * self._window.stride
            noted.extend(rounding_warning(self._probed, step))
            note = difference_temperature_note(motion, step, options.temperature_k, reader.source)
            notes.append(note.text)
            noted.extend(note.warnings)
        if first.pbc.any() and not first.pbc.all():
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
            timestep_fs=None if clock.timestep_fs is None else clock.timestep_fs * self._window.stride,
            has_velocities=has_velocities,
            has_charges=first.born_effective_charges is not None,
            velocity_scheme="stored" if has_velocities else "midpoint",
            units_note="; ".join(note for note in notes if note),
            fingerprint=reader.fingerprint,
            warnings=tuple(noted),
            remarks=reader.remarks if isinstance(reader, JoinedReader) else (),
            sites=getattr(reader, "sites", None),
        )

    def __repr__(self) -> str:
        info = self._info
        frames = "frames" if info.n_frames is None else f"{info.n_frames} frames"
        step = "" if info.timestep_fs is None else f" {info.timestep_fs:g} fs apart"
        return f"<Trajectory: {info.source} ({info.format}); {frames}{step}; atoms {info.n_atoms}>"

    @property
    def info(self) -> TrajectoryInfo:
        """What is known before reading."""
        return self._info

    @property
    def findings(self) -> Findings:
        """What frames have shown while they were read, in all passes so far; `info` knows what was before."""
        self._findings.say(text for text in self._reader.warnings if text not in self._info.warnings)
        return self._findings

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
        limit = None if window.stop is None else len(range(window.start, window.stop, window.stride)) - skip
        back = min(skip, LOOK_BACK)
        continuity = self._continuity()
        frames = islice(self._verified(self._raw(skip - back), continuity), back, None)
        for raw in islice(frames, None if limit is None else max(0, limit)):
            yield self._frame(raw)
        if self._findings.silent:
            return
        changed = continuity.velocities.changes.warning() if continuity and continuity.velocities else None
        for message in [*reader.warnings[known:], *([f"{reader.source}: {changed}"] if changed else [])]:
            warnings.warn(message, BecMDWarning, stacklevel=2)

    def _raw(self, skip: int) -> Iterator[Frame]:
        """Frames as they are stored, those that were read on opening from memory."""
        yield from self._probed[skip:]
        window, skip = self._window, max(skip, len(self._probed))
        if window.stop is None or window.start + skip * window.stride < window.stop:
            yield from self._reader.read(window.start + skip * window.stride, window.stride)

    def _verified(self, frames: Iterator[Frame], continuity: Continuity | None) -> Iterator[Frame]:
        """Check block by block; frames before a fault are handed on before it is raised."""
        limit = self._window.stop
        most, atoms = _BLOCK if self._holder is None else _HELD_BLOCK
        size = min(max(atoms // len(self._first.numbers), 1), most)
        checker = self._checker(self._first, self._info.timestep_fs)
        stack = Stack()
        before: Sequence[Frame] = ()
        wanted = min(size, len(self._probed))  # who wants one frame does not wait for a whole block
        while True:
            read: list[Frame] = []
            block: Block | None = None  # frees the one before, whose memory the next one takes
            fault: BecMDError | None = None
            try:
                read.extend(islice(frames, wanted))  # what came before a damaged frame is kept
            except BecMDError as error:
                fault = error
            ended, wanted = len(read) < wanted, size
            if limit is not None and read and read[-1].index >= limit:
                read, ended = [frame for frame in read if frame.index < limit], True
            block = self._block(before, read, stack)
            found = checker.first_fault(read, block)
            if found is not None:
                read, fault = read[: found[0]], found[1]
                block = self._block(before, read, stack)
            jump = None if continuity is None or block is None else continuity.first_break(block)
            if jump is not None:
                read, fault = read[: jump.position], jump.error
            yield from read
            if fault is not None:
                raise fault
            if ended:
                return
            before = [*before, *read][-LOOK_BACK:]

    def _block(self, before: Sequence[Frame], frames: Sequence[Frame], stack: Stack) -> Block | None:
        """Frames as a block; None without any, or where they are no frames of one run."""
        if not frames or not self._options.time_series:
            return None
        if self._holder is not None:
            return self._holder.block_of([*before, *frames], len(before))
        return StackedBlock.of(self._first, before, frames, stack)

    def _continuity(self) -> Continuity | None:
        if not self._options.time_series:
            return None
        source, reading = self._reader.source, self._reading
        if reading is not None and reading.resolved:
            return Continuity(source, reading.upper_fs, resolved=True, changes=self._findings.changes)
        return Continuity(source, None, resolved=usual_smoothness(Motion.of(self._probed)) > _SMOOTH)

    def _checker(self, first: Frame, timestep_fs: float | None) -> FrameChecker:
        corrected = self._options.timestep_fs is not None
        return FrameChecker(
            self._reader.source,
            first,
            timestep_fs,
            corrected=corrected,
            key=self._key,
            time_series=self._options.time_series,
            need_cell=self._options.need_cell,
        )

    def _frame(self, raw: Frame) -> Frame:
        clock = self._clock
        first = self._first if self._options.time_series else raw
        time_fs = raw.time_fs if clock.own_times else None
        if time_fs is None and clock.timestep_fs is not None:
            time_fs = raw.index * clock.timestep_fs
        cell = _unflipped(raw, first, self._near_ang)
        return Frame(
            raw.positions_ang, cell, raw.pbc, first.numbers, first.masses_amu,
            raw.velocities_ang_fs, time_fs, raw.labels, raw.total_charge, raw.index, raw.step, raw.info,
        )  # fmt: skip

    def _probe(self) -> list[Frame]:
        """Read the first frames; one that cannot be read is left to the pass that reaches it."""
        window, source = self._window, self._reader.source
        raw_frames = self._reader.read(window.start, window.stride)
        count = _PROBED_FRAMES
        if window.stop is not None:
            count = min(count, len(range(window.start, window.stop, window.stride)))
        first = next(raw_frames, None)
        if first is None:
            raise _no_frame(source, window.start)
        probed = [first]
        checker = FrameChecker(
            source, first, None, corrected=False, time_series=False, need_cell=self._options.need_cell
        )
        checker.check(first)
        count = min(count, max(_PROBED_ATOMS // len(first.numbers), 3)) if self._options.time_series else 1
        try:
            for raw in islice(raw_frames, count - 1):
                checker.check_atoms(raw)
                checker.check(raw)
                probed.append(raw)
        except BecMDError:
            if len(probed) == 1 and self._options.time_series:  # nothing is left to compare it with
                raise
        return probed

    def _statements(self) -> Statements:
        """What caller, file and motion say about the time between stored frames."""
        reader, stride, probed = self._reader, self._window.stride, self._probed
        stated, unitless = reader.timestep_fs, None
        if stated is None and len(probed) > 1:
            first, second = probed[0].time_fs, probed[1].time_fs
            if first is not None and second is not None:
                stated = (second - first) / stride if second > first else None
        if self._key in UNITLESS_TIME_KEYS:
            counters = [counter_of(frame, self._key) for frame in probed[:2]]
            values = [counter.value for counter in counters if counter is not None]
            unitless = (str(self._key), (values[1] - values[0]) / stride)
        return Statements(
            reader.source,
            self._options.timestep_fs,
            stated,
            unitless,
            self._reading,
            stride,
            reader.velocity_units,
            kinetic_temperature(probed),
        )

    def _seen_cell(self) -> list[str]:
        """Say that the cell changes, when it does in the first frames."""
        if not self._options.time_series:
            return []
        volumes = [frame.volume_ang3 for frame in self._probed]
        if all(np.array_equal(frame.cell_ang, self._first.cell_ang) for frame in self._probed):
            return []
        how = (
            "the stored velocities are used"
            if self._first.velocities_ang_fs is not None
            else "displacements are taken in fractional coordinates times the mean cell of the two frames"
        )
        return [
            f"the cell changes (V from {min(volumes):.5g} to {max(volumes):.5g} Å³ in the first frames): "
            f"{how}, and the spectrum is per mean volume; the theory is that of a constant one"
        ]


def _unflipped(raw: Frame, first: Frame, near_ang: float) -> Array:
    """Cell in the basis of the first frame where it is near that: flips would spoil means over frames."""
    change = raw.cell_ang - first.cell_ang
    if np.vdot(change, change) <= near_ang**2 or not first.pbc.any():
        return raw.cell_ang
    cell = same_basis(first.cell_ang, raw.cell_ang)
    strain = cell @ np.linalg.inv(first.cell_ang) - np.eye(3)
    return cell if np.abs(strain).max() < _NEAR else raw.cell_ang


def _compare(motion: Motion, source: str, masses: bool) -> None:
    """Refuse velocities of other atoms, axes, times or masses than positions show."""
    foreign = foreign_velocities(motion)
    if foreign is not None:
        raise _foreign(source, foreign)
    ratio = uneven_paces(motion) if masses else None
    if ratio is None:
        return
    raise DataError(
        f"{source}: by these `masses` velocities of some atoms are off by a factor of {ratio:.2g}",
        "momenta give other velocities than positions: they are not the masses that the run had",
        "leave `masses` out, or give those of the run",
    )


def _moved_masses(first: Frame) -> str:
    """Say that hydrogens are heavier than hydrogen, when they are."""
    heaviest = float(first.masses_amu[first.numbers == 1].max(initial=0.0))
    if not is_repartitioned_hydrogen(heaviest):
        return ""
    return f"hydrogen of {heaviest:g} amu (repartitioned masses), with which the atoms move"


def _backwards(source: str, correlation: float) -> DataError:
    return DataError(
        f"{source}: its atoms move against their stored velocities (correlation {correlation:.4g})",
        "the frames are in the reverse order of time, or the velocities have the other sign",
        "write the frames in the order of time, or leave the velocities out with `velocities=none`",
    )


def _foreign(source: str, correlation: float) -> DataError:
    return DataError(
        f"{source}: its velocities are not those of its atoms (correlation {correlation:.2g} with the "
        "displacements, although both change little from frame to frame)",
        "they are in another order of atoms, along other axes, of another run or time, or of normal modes "
        "(path integrals of LAMMPS)",
        "write both sorted by id and in the same axes, or leave the velocities out with `velocities=none`",
    )


def _no_frame(source: str, start: int) -> DataError:
    return DataError(
        f"{source}: no complete frame from index {start} on",
        "the file ends before it, or its only frame is cut off",
        "check `start` and whether the file was copied completely, its last line end included",
    )
