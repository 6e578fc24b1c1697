"""Checks of every frame against the first, with messages that name file, frame and atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame, cell_volume
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.block import Block
from bec_md.trajectory.clock import counter_of
from bec_md.trajectory.motion import Motion, temperature_of_differences
from bec_md.trajectory.plausibility import check_order
from bec_md.trajectory.reader import place
from bec_md.units import AMU_ANG2_FS2_EV, kinetic_temperature_k

#: Kinetic temperature in K that no run has.
_IMPOSSIBLE_K = 1e5
#: Ratio of two temperatures that no start of a run explains: a wrong time step enters squared.
_UNLIKE = 4.0
#: Cells larger than a millimeter, and numbers whose squares overflow, are damage.
_LARGEST_ANG, _LARGEST_SUM = 1e7, 1e30
#: Volume in Å³ below which a cell has none.
_SMALLEST_ANG3 = 1e-6
#: Resolution of times that a file holds in single precision.
_SINGLE_PRECISION = 1.2e-7


class FrameChecker:
    """Checks the frames of one pass through a trajectory, in order.

    Parameters
    ----------
    source
        Name of the trajectory, for messages.
    first
        The frame that fixes the atoms and what is stored.
    timestep_fs
        Time in fs between the frames checked; None takes it from the first two.
    corrected
        Whether the caller's time step replaces the file's clock, which then is only checked for gaps.
    key
        Key of `Frame.info` that counts, for files whose frames have neither time nor step.
    time_series
        Whether frames follow one another in time; else they may hold different atoms.
    need_cell
        Whether molecules without a cell are refused.
    """

    def __init__(
        self,
        source: str,
        first: Frame,
        timestep_fs: float | None,
        *,
        corrected: bool,
        key: str | None = None,
        time_series: bool = True,
        need_cell: bool = True,
    ) -> None:
        self._source = source
        self._first = first
        self._loose = corrected
        self._key = key
        self._time_series = time_series
        self._need_cell = need_cell
        self._expected = None if self._loose or first.time_fs is None else timestep_fs
        self._previous: Frame | None = None
        self._cell: NDArray[np.float64] | None = None

    def first_fault(self, frames: Sequence[Frame], block: Block | None) -> tuple[int, DataError] | None:
        """Position and error of the first frame that `check` refuses; `block` holds `frames` as arrays.

        A block in which nothing is suspicious costs a few sums; the frames of any other are looked at singly.
        """
        if block is not None and self._clear(block):
            self._previous, self._cell = frames[-1], frames[-1].cell_ang
            return None
        for position, frame in enumerate(frames):
            try:
                self.check(frame)
            except DataError as error:
                return position, error
        return None

    def _clear(self, block: Block) -> bool:
        cells = block.cells_ang
        sound = np.abs(cells).max() <= _LARGEST_ANG and np.abs(np.linalg.det(cells)).min() >= _SMALLEST_ANG3
        periodic = self._first.pbc.tobytes()
        alike = self._first.pbc.any() and all(frame.pbc.tobytes() == periodic for frame in block.frames)
        if not (self._time_series and sound and alike):
            return False
        return block.finite() and block.in_place() and self._even(block)

    def _even(self, block: Block) -> bool:
        """Whether the counter of a block goes on in the steps so far."""
        counters = self._counters(block)
        if counters is None:
            return False
        name, values = counters
        since = max(block.old - 1, 0)
        if name == "" or len(values) - since < 2:
            return True
        elapsed = np.diff(values[since:])
        if self._expected is None and elapsed[0] > 0.0:
            self._expected = float(elapsed[0])
        expected = self._expected or np.nan
        slack = self._slack(name, expected) + 2 * _SINGLE_PRECISION * np.abs(values[since + 1 :])
        return bool(((elapsed > 0.0) & (np.abs(elapsed - expected) <= slack)).all())

    def _counters(self, block: Block) -> tuple[str, NDArray[np.float64]] | None:
        """Counters of a block; their name is empty if there are none. None if only some frames count."""
        frames, key = block.frames, self._key
        found = block.counters
        if found is not None or block.counted:
            return found
        if key is None:
            return "", np.empty(0)
        counters = [counter_of(frame, key) for frame in frames]
        if any(counter is None for counter in counters):
            return None
        return key, np.array([counter.value for counter in counters if counter is not None])

    def _slack(self, name: str, expected: float) -> float:
        """How far a step of the counter may differ from the expected one."""
        return (0.5 if self._loose and name.lower().startswith("time") else 2e-3) * expected

    def check(self, raw: Frame) -> None:
        """Raise `DataError` if the frame is damaged or does not fit the ones before it."""
        if self._time_series:
            self.check_atoms(raw)
        self._check_cell(raw)
        self._check_finite(raw, "position", raw.positions_ang)
        for name, values in (
            ("velocity", raw.velocities_ang_fs),
            ("Born effective charge", raw.born_effective_charges),
        ):
            if values is not None:
                self._check_finite(raw, name, values)
        if self._previous is not None and self._time_series:
            check_order(self._previous, raw, self._source)
        if self._previous is not None and self._time_series:
            self._check_clock(self._previous, raw)
        self._previous = raw

    def check_atoms(self, raw: Frame) -> None:
        """Raise `DataError` unless the frame holds the atoms and arrays of the first one."""
        expected, found = self._first.numbers, raw.numbers
        where = place(self._source, raw.index)
        if len(found) != len(expected):
            raise DataError(
                f"{where}: {len(found)} atoms, but {len(expected)} in frame {self._first.index}",
                "a current is a sum over the same atoms at all times",
                "write every frame with the same atoms, or cut the file with `start` and `stop`",
            )
        if found is not expected and not np.array_equal(found, expected):
            atom = int(np.flatnonzero(found != expected)[0])
            raise DataError(
                f"{where}: atom {atom} is element number {int(found[atom])}, but {int(expected[atom])} in "
                f"frame {self._first.index}",
                "atoms must keep their places in the file, because velocities are followed in time",
                "write the atoms sorted by their id",
            )
        if not np.array_equal(raw.pbc, self._first.pbc):
            raise DataError(
                f"{where}: periodic along {list(map(bool, raw.pbc))}, other than frame {self._first.index}",
                "atoms that cross a border are followed across it in periodic directions alone",
                'mark the same directions in every frame (extxyz: pbc="T T T")',
            )
        for name in ("velocities_ang_fs", "born_effective_charges"):
            if (getattr(raw, name) is None) != (getattr(self._first, name) is None):
                raise DataError(
                    f"{where}: {name} are {'missing' if getattr(raw, name) is None else 'present'}, other "
                    f"than in frame {self._first.index}",
                    "every frame must hold the same arrays",
                    "write all frames with the same columns, or cut the file with `start` and `stop`",
                )

    def _check_cell(self, raw: Frame) -> None:
        cell = raw.cell_ang
        if self._cell is not None and np.array_equal(cell, self._cell):
            return
        where = place(self._source, raw.index)
        if cell.shape != (3, 3):
            raise DataError(
                f"{where}: {cell.size} numbers for the cell",
                "three vectors of three components make a cell",
                "correct the frame in the file, or leave it out with `start` and `stop`",
            )
        if not np.isfinite(cell).all() or np.abs(cell).max() > _LARGEST_ANG:
            raise DataError(
                f"{where}: the cell is {np.array2string(cell.ravel(), precision=4)} Å",
                "no simulated cell is that large; positions in it have no digits left",
                "correct the cell in the file, or its units",
            )
        if not (self._need_cell or raw.pbc.any()):
            return
        if cell_volume(cell) < _SMALLEST_ANG3:
            raise DataError(
                f"{where}: the cell has no volume: {np.array2string(cell.ravel(), precision=4)} Å",
                "tensors and spectra are those of a periodic cell, per volume",
                'give `cell_ang=a,b,c`, or write it into the file (extxyz: Lattice="ax ay az bx …")',
            )
        if not raw.pbc.any():
            raise DataError(
                f"{where}: no direction is periodic",
                "the dielectric function is that of a periodic cell",
                'mark the periodic directions in the file (extxyz: pbc="T T T")',
            )
        self._cell = cell

    def _check_finite(self, raw: Frame, name: str, values: NDArray[np.float64]) -> None:
        if abs(values.sum()) < _LARGEST_SUM and abs(values.min()) < _LARGEST_SUM:
            return
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if len(bad) == 0:  # finite numbers whose sum overflows
            bad = np.array([int(np.abs(values.reshape(len(values), -1)).max(axis=1).argmax())])
        atom = int(bad[0])
        raise DataError(
            f"{place(self._source, raw.index)}: {name} of atom {atom} is {values[atom].ravel().tolist()}",
            "no simulation gives such a number, and one of them spoils the whole spectrum",
            f"look at the run around this frame (has it exploded?) and cut the file with `stop={raw.index}`",
        )

    def _check_clock(self, previous: Frame, raw: Frame) -> None:
        now, before = counter_of(raw, self._key), counter_of(previous, self._key)
        if now is None or before is None or now.name != before.name:
            return
        where = place(self._source, raw.index)
        elapsed = now.value - before.value
        if elapsed <= 0.0:
            same = np.array_equal(raw.positions_ang, previous.positions_ang)
            raise _not_later(where, str(now), str(before), repeated=same)
        if self._expected is None:
            self._expected = elapsed
        tolerance = self._slack(now.name, self._expected) + 2 * _SINGLE_PRECISION * abs(now.value)
        if abs(elapsed - self._expected) > tolerance:
            unit = now.unit or (" steps" if now.name == "step" else f" in {now.name}")
            third = raw.index - previous.index == previous.index - self._first.index
            part = f"after the first with `start={previous.index}`" if third else f"with `stop={raw.index}`"
            raise DataError(
                f"{where}: {elapsed:g}{unit} after the frame before it, but {self._expected:g}{unit} between "
                "the frames so far",
                "a spectrum needs frames at equal intervals",
                f"read the part {part}, or dump at one interval; times that are uneven for want of digits "
                "are overruled by `timestep_fs`",
            )


def _not_later(where: str, now: str, before: str, *, repeated: bool) -> DataError:
    equal = ", which it equals in every number" if repeated else ""
    return DataError(
        f"{where}: its {now} is not later than the {before} of the frame before it{equal}",
        "a correlation function needs frames in time order; a restart often repeats frames",
        "remove repeated frames, read one part with `start` and `stop`, or give the appended files, "
        "which are joined where they continue one another",
    )


@dataclass(frozen=True)
class TemperatureNote:
    """Kinetic temperature of the first frames in words, and warnings about it."""

    text: str
    warnings: tuple[str, ...]


def kinetic_temperature_note(frames: Sequence[Frame], units: VelocityUnits, source: str) -> TemperatureNote:
    """Check the units of velocities by the kinetic temperature T = Σ m v²/(3 N k_B) of some frames.

    Raises
    ------
    DataError
        If the units were assumed and give less than 1 K or more than 50 000 K.
    """
    kelvin = kinetic_temperature(frames)
    how = "assumed" if units.assumed else "stated"
    text = f"velocities in {units.name} ({how}): {kelvin:.4g} K in the first frames"
    if kelvin == 0.0:
        return TemperatureNote(text, ("the first frames are at rest (all velocities are 0)",))
    if 20.0 <= kelvin <= 20000.0:
        return TemperatureNote(text, ())
    others = ", ".join(
        f"{name} would give {kelvin * (factor / units.factor_ang_fs) ** 2:.3g} K"
        for name, factor in VELOCITY_UNITS.items()
        if factor != units.factor_ang_fs
    )
    if units.assumed and not 1.0 <= kelvin <= 50000.0:
        raise DataError(
            f"{source}: velocities read in {units.name} mean a kinetic temperature of {kelvin:.3g} K",
            f"these are probably not the units of the file: {others}",
            "state them with `velocity_units` (ase, ang/fs or ang/ps)",
        )
    return TemperatureNote(
        text,
        (f"kinetic temperature {kelvin:.3g} K with velocities in {units.name} ({how}); {others}",),
    )


def difference_temperature_note(
    motion: Motion, interval_fs: float, expected_k: float | None, source: str
) -> TemperatureNote:
    """Kinetic temperature of displacements, compared with the one expected.

    Parameters
    ----------
    motion
        The first frames.
    interval_fs
        Time between them, fs.
    expected_k
        Temperature of the run, K, if the caller knows it.
    source
        Name of the trajectory.

    Raises
    ------
    DataError
        Above 100 000 K: no run looks like this.
    """
    found = temperature_of_differences(motion, interval_fs)
    if found is None:
        return TemperatureNote("", ())
    text = f"no velocities: displacements in {interval_fs:g} fs mean {found.kelvin:.4g} K in the first frames"
    if found.kelvin > _IMPOSSIBLE_K:
        raise DataError(
            f"{source}: displacements in {interval_fs:g} fs mean a kinetic temperature of "
            f"{found.kelvin:.3g} K",
            "atoms change places between frames, or the time between frames is wrong",
            "write the atoms sorted by their id, in the same order in every frame, and check `timestep_fs`",
        )
    if expected_k is None:
        return TemperatureNote(text, ())
    spread = 1.0 + 6.0 / np.sqrt(3.0 * len(motion.masses_amu))
    fits_fs = interval_fs * float(np.sqrt(found.corrected_k / expected_k))
    close = found.smoothness > 0.6 and found.steady
    too_cold = close and found.corrected_k * _UNLIKE * spread < expected_k
    if found.kelvin <= _UNLIKE * spread * expected_k and not too_cold:
        return TemperatureNote(text, ())
    said = (
        f"displacements in {interval_fs:g} fs mean {found.kelvin:.3g} K in the first frames, but "
        f"`temperature_k={expected_k:g}`: frames about {fits_fs:.2g} fs apart would fit"
    )
    return TemperatureNote(text, (said,))


def check_velocities(motion: Motion, source: str) -> None:
    """Refuse velocities that are none: the same numbers in every frame, while the atoms move.

    Raises
    ------
    DataError
        From three frames on.
    """
    velocities = motion.velocities_ang_fs
    if velocities is None or len(velocities) < 3 or not velocities[0].any():
        return
    # Atoms in free flight keep their velocities, and then their steps do not change either.
    if (velocities == velocities[0]).all() and float(np.ptp(motion.moved_ang, axis=0).max()) > 2e-4:
        raise DataError(
            f"{source}: the velocities are the same numbers in all of the first {len(velocities)} frames",
            "the steps of the atoms change, so these are left over from before the run (a rerun that "
            "reads no velocities)",
            "write the velocities of every frame, or leave their columns out: differences of positions then "
            "take their place",
        )


def kinetic_temperature(frames: Sequence[Frame]) -> float:
    """Largest kinetic temperature of some frames in K; 0 without velocities."""
    return max(_temperature(raw) for raw in frames)


def _temperature(raw: Frame) -> float:
    velocities = raw.velocities_ang_fs
    if velocities is None:
        return 0.0
    masses = raw.masses_amu
    energy_ev = 0.5 * AMU_ANG2_FS2_EV * float(masses @ np.einsum("ia,ia->i", velocities, velocities))
    return kinetic_temperature_k(energy_ev, 3 * len(masses)) if np.isfinite(energy_ev) else 0.0
