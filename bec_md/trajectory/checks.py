"""Checks of every frame against the first, with messages that name file, frame and atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame, cell_volume
from bec_md.structure.names import VELOCITY_UNITS, VelocityUnits
from bec_md.trajectory.reader import place
from bec_md.units import AMU_ANG2_FS2_EV, kinetic_temperature_k

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
        Whether the caller states a time step of his own; the file's clock is then only checked for gaps.
    """

    def __init__(self, source: str, first: Frame, timestep_fs: float | None, *, corrected: bool) -> None:
        self._source = source
        self._first = first
        self._loose = corrected
        self._expected_fs = None if self._loose else timestep_fs
        self._expected_steps: int | None = None
        self._previous: Frame | None = None
        self._cell: NDArray[np.float64] | None = None

    def check(self, raw: Frame) -> None:
        """Raise `DataError` if the frame is damaged or does not fit the ones before it."""
        self._check_atoms(raw)
        self._check_cell(raw)
        self._check_finite(raw, "position", raw.positions_ang)
        for name, values in (
            ("velocity", raw.velocities_ang_fs),
            ("Born effective charge", raw.born_effective_charges),
        ):
            if values is not None:
                self._check_finite(raw, name, values)
        if self._previous is not None:
            self._check_clock(self._previous, raw)
        self._previous = raw

    def _check_atoms(self, raw: Frame) -> None:
        expected, found = self._first.numbers, raw.numbers
        where = place(self._source, raw.index)
        if len(found) != len(expected):
            raise DataError(
                f"{where}: {len(found)} atoms, but {len(expected)} in frame {self._first.index}",
                "a current is a sum over the same atoms at all times",
                "write every frame with the same atoms, or cut the file with start= and stop=",
            )
        if found is not expected and not np.array_equal(found, expected):
            atom = int(np.flatnonzero(found != expected)[0])
            raise DataError(
                f"{where}: atom {atom} is element number {int(found[atom])}, but {int(expected[atom])} in "
                f"frame {self._first.index}",
                "atoms must keep their places in the file, because velocities are followed in time",
                "write the atoms sorted by their id",
            )
        for name in ("velocities_ang_fs", "born_effective_charges"):
            if (getattr(raw, name) is None) != (getattr(self._first, name) is None):
                raise DataError(
                    f"{where}: {name} are {'missing' if getattr(raw, name) is None else 'present'}, other "
                    f"than in frame {self._first.index}",
                    "every frame must hold the same arrays",
                    "write all frames with the same columns, or cut the file with start= and stop=",
                )

    def _check_cell(self, raw: Frame) -> None:
        cell = raw.cell_ang
        if self._cell is not None and np.array_equal(cell, self._cell):
            return
        where = place(self._source, raw.index)
        if not np.isfinite(cell).all() or cell_volume(cell) < 1e-6:
            raise DataError(
                f"{where}: the cell has no volume: {np.array2string(cell.ravel(), precision=4)} Å",
                "conductivity is current squared per volume",
                'write the cell into the file (extxyz: Lattice="ax ay az bx by bz cx cy cz" in the comment)',
            )
        if not raw.pbc.any():
            raise DataError(
                f"{where}: no direction is periodic",
                "the dielectric function is that of a periodic cell",
                'mark the periodic directions in the file (extxyz: pbc="T T T")',
            )
        self._cell = cell

    def _check_finite(self, raw: Frame, name: str, values: NDArray[np.float64]) -> None:
        if np.isfinite(values.sum()):
            return
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if len(bad) == 0:  # finite numbers whose sum overflows
            bad = np.array([int(np.abs(values.reshape(len(values), -1)).max(axis=1).argmax())])
        atom = int(bad[0])
        raise DataError(
            f"{place(self._source, raw.index)}: {name} of atom {atom} is {values[atom].ravel().tolist()}",
            "one number that is not finite spoils the whole spectrum",
            f"look at the run around this frame (has it exploded?) and cut the file with stop={raw.index}",
        )

    def _check_clock(self, previous: Frame, raw: Frame) -> None:
        where = place(self._source, raw.index)
        if raw.time_fs is not None and previous.time_fs is not None:
            elapsed = raw.time_fs - previous.time_fs
            self._check_increases(where, elapsed, f"{raw.time_fs:g} fs", f"{previous.time_fs:g} fs")
            if self._expected_fs is None:
                self._expected_fs = elapsed
            tolerance = (0.5 if self._loose else 2e-3) * self._expected_fs
            tolerance += 2 * _SINGLE_PRECISION * abs(raw.time_fs)
            if abs(elapsed - self._expected_fs) > tolerance:
                self._raise_uneven(where, f"{elapsed:g} fs", f"{self._expected_fs:g} fs")
        elif raw.step is not None and previous.step is not None:
            steps = raw.step - previous.step
            self._check_increases(where, steps, f"step {raw.step}", f"step {previous.step}")
            if self._expected_steps is None:
                self._expected_steps = steps
            if steps != self._expected_steps:
                self._raise_uneven(where, f"{steps} steps", f"{self._expected_steps} steps")

    @staticmethod
    def _check_increases(where: str, elapsed: float, now: str, before: str) -> None:
        if elapsed > 0:
            return
        raise DataError(
            f"{where}: its time, {now}, is not later than that of the frame before it, {before}",
            "a correlation function needs frames in time order; a restart often repeats frames",
            "remove the repeated frames, or read one part with start= and stop=",
        )

    @staticmethod
    def _raise_uneven(where: str, found: str, expected: str) -> None:
        raise DataError(
            f"{where}: {found} after the frame before it, but {expected} between the frames so far",
            "a spectrum needs frames at equal intervals",
            "read the part before this frame with stop=, or dump at one interval",
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
    kelvin = max(_temperature(raw) for raw in frames)
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
            "state them with velocity_units= (ase, ang/fs or ang/ps)",
        )
    return TemperatureNote(
        text,
        (f"kinetic temperature {kelvin:.3g} K with velocities in {units.name} ({how}); {others}",),
    )


def _temperature(raw: Frame) -> float:
    velocities = raw.velocities_ang_fs
    if velocities is None:
        return 0.0
    masses = raw.masses_amu
    energy_ev = 0.5 * AMU_ANG2_FS2_EV * float(masses @ np.einsum("ia,ia->i", velocities, velocities))
    return kinetic_temperature_k(energy_ev, 3 * len(masses)) if np.isfinite(energy_ev) else 0.0
