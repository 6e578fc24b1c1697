"""The time between frames: what the caller says, what the file says, and what the motion says.

One number comes out, or an error with both numbers. What is stated is believed as long as nothing speaks
against it; what the motion contradicts is refused; a time without a unit is used where the motion confirms
one. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import STEP_KEYS, UNITLESS_TIME_KEYS, VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.motion import ClockReading
from bec_md.units import BOHR_ANG

#: Names of the counters that are no keys of `Frame.info`.
TIME, STEP = "time_fs of the frame", "step of the frame"
#: Largest relative difference of two statements of the same time (rounded times, single precision).
_SAME = 2e-3
#: Units in which a ``Time=`` without a unit may count, in fs.
_TIME_UNITS_FS = {"fs": 1.0, "ps": 1000.0}


@dataclass(frozen=True)
class Counter:
    """What a frame counts: ``time_fs``, ``step``, or a number in its comment without a unit."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.value:g}{self.unit}"


def counter_of(frame: Frame, key: str | None) -> Counter | None:
    """The counter of a frame; `key` names one of its `info` that has been found to count."""
    if frame.time_fs is not None:
        return Counter("time", frame.time_fs, " fs")
    if frame.step is not None:
        return Counter("step", float(frame.step))
    value = None if key is None else number_of(frame, key)
    return None if key is None or value is None else Counter(f"{key}=", value)


def counters_of(frame: Frame) -> dict[str, float]:
    """Everything that a frame counts, by name."""
    found = {TIME: frame.time_fs, STEP: frame.step}
    found |= {key: number_of(frame, key) for key in (*UNITLESS_TIME_KEYS, *STEP_KEYS)}
    return {name: float(value) for name, value in found.items() if value is not None}


def counting_key(frames: Sequence[Frame]) -> str | None:
    """The key of `info` that grows by equal steps over these frames, if there is one."""
    for key in (*UNITLESS_TIME_KEYS, *STEP_KEYS):
        values = [number_of(frame, key) for frame in frames[:4]]
        if len(values) > 2 and all(value is not None for value in values):
            steps = [b - a for a, b in pairwise(values)]  # type: ignore[operator]
            if min(steps) > 0 and max(steps) - min(steps) <= 2e-2 * max(steps):
                return key
    return None


def number_of(frame: Frame, key: str) -> float | None:
    """The number behind a key of `Frame.info`; None if there is none."""
    try:
        return float(frame.info[key])
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class Clock:
    """The time between stored frames, and how it was settled.

    Parameters
    ----------
    timestep_fs
        In fs, or None when nobody states it.
    notes, warnings
        In words.
    own_times
        Whether times that the file states are those of the frames.
    """

    timestep_fs: float | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    own_times: bool = True


@dataclass(frozen=True)
class Statements:
    """All that is known about the time between stored frames.

    Parameters
    ----------
    source
        Name of the trajectory.
    given_fs
        What the caller says, fs.
    stated_fs
        What the file says, fs.
    unitless
        Difference of a ``Time=`` without a unit, with the name of its key.
    motion
        What the motion says about the frames that were read, `stride` stored frames apart.
    stride
        Stored frames from one frame read to the next.
    units
        Of the velocities.
    kelvin
        Their kinetic temperature, K.
    """

    source: str
    given_fs: float | None
    stated_fs: float | None
    unitless: tuple[str, float] | None
    motion: ClockReading | None
    stride: int
    units: VelocityUnits | None
    kelvin: float = 300.0

    def allowed(self, timestep_fs: float) -> bool | None:
        """Whether the motion allows this time between stored frames; None without a verdict."""
        if self.motion is None:
            return None
        if self.motion.resolved:
            interval_fs = timestep_fs * self.stride
            recurs = self.motion.recurs(interval_fs)
            return self.motion.allows(interval_fs) or (None if recurs else False)
        return False if self.motion.outruns(timestep_fs * self.stride) else None

    @property
    def moving_fs(self) -> float | None:
        """The motion's own estimate, when there is one."""
        return self.motion.estimate_fs / self.stride if self.motion and self.motion.resolved else None

    def settle(self) -> Clock:
        """Compare everything.

        Raises
        ------
        DataError
            If caller, file and motion contradict one another.
        """
        given, stated = self.given_fs, self.stated_fs
        if given is not None:
            if self.allowed(given) is False:
                raise self._contradiction(given, f"`timestep_fs={given:g}`")
            if stated is not None and abs(stated - given) > _SAME * given:
                return self._overruled(given, stated)
            return Clock(given, notes=self._confirmed(given))
        if stated is not None:
            if self.allowed(stated) is False:
                raise self._contradiction(stated, f"its own times are {stated:g} fs apart")
            return Clock(stated, notes=self._confirmed(stated))
        return self._from_counter()

    def _confirmed(self, timestep_fs: float) -> tuple[str, ...]:
        if self.allowed(timestep_fs) is None or self.moving_fs is None:
            return ()
        return (f"time between frames {timestep_fs:g} fs: the motion says {self.moving_fs:.4g} fs",)

    def _overruled(self, given: float, stated: float) -> Clock:
        """The caller contradicts the file: the motion decides, or nobody does."""
        if self.allowed(stated) is False:
            said = (
                f"{self.source}: its own times are {stated:g} fs apart, but its atoms move as in "
                f"{self.moving_fs or given:.4g} fs: `timestep_fs={given:g}` is used"
            )
            return Clock(given, own_times=False, notes=self._confirmed(given), warnings=(said,))
        raise DataError(
            f"{self.source}: `timestep_fs={given:g}` was given, but its own times are {stated:g} fs apart",
            "every frequency scales with the time between stored frames, and one of the two is wrong",
            "leave `timestep_fs` out to use the file's; it is the time between stored frames, not the time "
            "step of the run",
        )

    def _from_counter(self) -> Clock:
        moving = self.moving_fs
        if self.unitless is None:
            hint = (
                () if moving is None else (f"the atoms move as if frames were about {moving:.3g} fs apart",)
            )
            return Clock(None, notes=hint)
        key, step = self.unitless
        fits = [unit for unit, fs in _TIME_UNITS_FS.items() if self.allowed(step * fs) and moving is not None]
        if len(fits) != 1:
            text = f"{key}= in the comment states no unit, and the motion confirms none: it is not used"
            return Clock(None, notes=(text,))
        timestep = step * _TIME_UNITS_FS[fits[0]]
        text = f"{key}= counts {fits[0]}: {timestep:g} fs between frames, the motion says {moving:.4g} fs"
        return Clock(timestep, notes=(text,))

    def _contradiction(self, timestep_fs: float, statement: str) -> DataError:
        moving, motion = self.moving_fs, self.motion
        assert motion is not None
        if moving is None:
            far, reach = motion.displacement_ang, motion.speed_ang_fs * timestep_fs * self.stride
            return DataError(
                f"{self.source}: {statement}, but its atoms move {far:.3g} Å from frame to frame and their "
                f"velocities carry them {reach:.3g} Å in that time",
                "every frequency scales with the time between stored frames",
                "give `timestep_fs` as the time between stored frames, not the time step of the run; or "
                "correct the units of the velocities",
            )
        found = (
            f"its atoms move as if frames were {moving:.4g} fs apart (displacements against stored "
            f"velocities, correlation {min(motion.correlation, 0.9999999):.7g})"
        )
        fitting = self._fitting_units(timestep_fs)
        if fitting is not None and self.units is not None:
            return DataError(
                f"{self.source}: {statement}, but with velocities in {self.units.name} (assumed) {found}",
                f"in {fitting} the velocities fit to {timestep_fs:g} fs",
                f"give `velocity_units={fitting}`, or correct `timestep_fs`",
            )
        if abs(moving * BOHR_ANG / timestep_fs - 1.0) < 0.01:
            return DataError(
                f"{self.source}: {statement}, but {found}",
                "the ratio is that of Å to bohr: its positions are probably in bohr, and were read in Å",
                "convert the positions (and the cell, if it came with them) to Å",
            )
        return DataError(
            f"{self.source}: {statement}, but {found}",
            "every frequency scales with the time between stored frames, not with the time step of the run",
            f"give `timestep_fs={moving:.3g}` if that is right, or correct the times or the units of the "
            "velocities in the file",
        )

    def _fitting_units(self, timestep_fs: float) -> str | None:
        """Other units of assumed velocities with which the stated time would be right."""
        if self.units is None or not self.units.assumed or self.moving_fs is None:
            return None
        for name, factor in VELOCITY_UNITS.items():
            # A larger unit of velocity means a shorter time for the same displacement.
            ratio = factor / self.units.factor_ang_fs
            fits = abs(self.moving_fs / ratio / timestep_fs - 1.0) < 0.15
            if name != self.units.name and fits and 20.0 <= self.kelvin * ratio**2 <= 20000.0:
                return name
        return None
