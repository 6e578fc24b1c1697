r"""What the motion itself says about the time between frames.

Where positions and velocities are stored, Δr = r(t+Δ) − r(t) and v give Δ twice:

    T = Σ m Δr·v̄ / Σ m v̄²   with v̄ = ½(v + v'),        C = Σ m ½[r(t+Δ) − r(t−Δ)]·v / Σ m v².

For a vibration of angular frequency ω sampled above its Nyquist frequency, T = Δ tan(x)/x and
C = Δ sin(2x)/2x with x = ωΔ/2 < π/2, and any motion is a sum of vibrations: **C ≤ Δ ≤ T**, whatever the
system. Their leading errors cancel in (2T + C)/3. Masses m weigh the modes by their energy; the center of
mass is taken out.

Without velocities, successive displacements take their place: u_k against ½(u_{k−1} + u_{k+1}).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.structure import Frame
from bec_md.trajectory.velocities import same_basis
from bec_md.units import AMU_ANG2_FS2_EV, kinetic_temperature_k

#: Correlation of Δr and v̄ below which the frames are too far apart for a verdict.
MIN_CORRELATION = 0.98
#: T/C above which the fastest vibrations are sampled too coarsely for a verdict.
MAX_SPREAD = 2.0
#: Correlations of successive displacements and of successive velocities from which on Δr and v̄ have to agree,
#: and the correlation of these below which they do not.
_SMOOTH, _FOREIGN = 0.95, 0.8
#: Ratio of Δr/v̄ of two kinds of atoms that vibrations do not make, tan(x)/x with x < π/4, where successive
#: displacements of each correlate.
_UNEVEN = 1.5
#: How far a stated time may lie outside C … T: what diffusion, leapfrog velocities and thermostats may shift.
TOLERANCE = 0.1
#: Misfit of the slopes of single coordinates, root mean square and relative, up to which they recur.
_RECURS = 0.5
#: Standard errors added to it.
_SIGMAS = 5.0


@dataclass(frozen=True)
class Motion:
    """Positions, velocities and cells of successive frames, of all atoms or of some.

    Parameters
    ----------
    positions_ang
        (F, n, 3), Å.
    cells_ang
        (F, 3, 3), Å, or (1, 3, 3) when it does not change.
    pbc
        (3,) periodic directions.
    masses_amu
        (n,), amu.
    velocities_ang_fs
        (F, n, 3), Å/fs, or None.
    """

    positions_ang: Array
    cells_ang: Array
    pbc: NDArray[np.bool_]
    masses_amu: Array
    velocities_ang_fs: Array | None

    @classmethod
    def of(cls, frames: Sequence[Frame], atoms: slice = slice(None)) -> Motion:
        """Collect from frames; `atoms` picks some."""
        first = frames[0]
        stored = first.velocities_ang_fs is not None
        return cls(
            np.array([frame.positions_ang[atoms] for frame in frames]),
            np.array([frame.cell_ang for frame in frames]),
            first.pbc,
            first.masses_amu[atoms],
            np.array([v[atoms] for frame in frames if (v := frame.velocities_ang_fs) is not None])
            if stored
            else None,
        )

    def centered(self, vectors: Array) -> Array:
        """Vectors (F, n, 3) without the motion of the center of mass, times √m."""
        masses = self.masses_amu
        if len(masses) > 1:
            vectors = vectors - np.einsum("i,fia->fa", masses / masses.sum(), vectors)[:, None]
        return np.asarray(vectors * np.sqrt(masses[:, None]))

    @cached_property
    def moved_ang(self) -> Array:
        """Nearest-image displacements Δs·Ā between successive frames, (F − 1, n, 3), Å."""
        cells = np.where(self.pbc[:, None], self.cells_ang, self.cells_ang[0])
        moved = np.diff(self.positions_ang, axis=0)
        if len(cells) == 1 or (cells == cells[0]).all():
            inverse = np.linalg.inv(cells[0])
            reach = max(moved.max(), -moved.min()) if moved.size else 0.0
            if reach * np.abs(inverse).sum(axis=0).max() < 0.5:  # nothing crosses a boundary
                return np.asarray(moved)
            flat = moved.reshape(-1, 3)
            return np.asarray(moved - (np.rint(flat @ inverse) * self.pbc @ cells[0]).reshape(moved.shape))
        if not (np.rint(cells[1:] @ np.linalg.inv(cells[:-1])) == np.eye(3)).all():
            cells = cells.copy()
            for k in range(1, len(cells)):
                cells[k] = same_basis(cells[k - 1], cells[k])
        fractional = np.diff(self.positions_ang @ np.linalg.inv(cells), axis=0)
        fractional -= np.rint(fractional) * self.pbc
        return np.asarray(fractional @ (0.5 * (cells[:-1] + cells[1:])))


@dataclass(frozen=True)
class Pace:
    """Steps of successive frames beside the mean velocity at their ends; all times √m, of k = 3n numbers.

    Parameters
    ----------
    velocities, ends
        v, (F, k), and v + v', (F − 1, k), Å/fs √amu.
    beside
        Δr/Δ − ½(v + v'), (F − 1, k).
    squares
        Σ (v + v')², (F − 1,).
    """

    velocities: Array
    ends: Array
    beside: Array
    squares: Array

    @classmethod
    def of(cls, motion: Motion, interval_fs: float) -> Pace | None:
        """Of frames that far apart; None without velocities."""
        if motion.velocities_ang_fs is None:
            return None
        roots = np.repeat(np.sqrt(motion.masses_amu), 3)
        velocities = motion.velocities_ang_fs.reshape(-1, len(roots)) * roots
        ends = velocities[:-1] + velocities[1:]
        beside = motion.moved_ang.reshape(-1, len(roots)) * (roots / interval_fs)
        beside -= 0.5 * ends
        return cls(velocities, ends, beside, np.einsum("fk,fk->f", ends, ends))


@dataclass(frozen=True)
class Coordinates:
    """Every coordinate as one vibration: what its frames show of it.

    Parameters
    ----------
    slopes_fs
        T of each coordinate.
    phases
        Angle x by which it seems to advance from frame to frame, cos x = ½⟨[v(t+Δ) + v(t−Δ)] v⟩/⟨v²⟩.
    weights
        Σ m v̄².
    """

    slopes_fs: Array
    phases: Array
    weights: Array

    @classmethod
    def of(cls, moved: Array, fast: Array) -> Coordinates:
        """From displacements (F − 1, n, 3) and velocities (F, n, 3)."""
        mean, middle = 0.5 * (fast[:-1] + fast[1:]), fast[1:-1]
        weights, squares = (mean**2).sum(axis=0), (middle**2).sum(axis=0)
        cosine = 0.5 * ((fast[2:] + fast[:-2]) * middle).sum(axis=0)
        return cls(
            np.divide((moved * mean).sum(axis=0), weights, out=np.zeros_like(weights), where=weights > 0.0),
            np.arccos(
                np.clip(np.divide(cosine, squares, out=np.ones_like(squares), where=squares > 0.0), 0, 1)
            ),
            weights,
        )

    def recur(self, interval_fs: float) -> bool:
        """Whether vibrations with T = 2 tan(x/2)/ω have the same slopes at another interval."""
        known = (self.slopes_fs > 0.0) & (self.phases > 0.0)
        slopes, weights = self.slopes_fs[known], self.weights[known]
        omega = 2.0 * np.tan(0.5 * self.phases[known]) / slopes
        other = 2.0 * np.tan(0.5 * omega * interval_fs) / omega
        misfit = float((weights * (other - slopes) ** 2).sum())
        return bool(len(slopes)) and misfit < _RECURS**2 * float((weights * slopes**2).sum())


@dataclass(frozen=True)
class ClockReading:
    """Time between frames, in fs, as velocities and displacements together show it.

    Parameters
    ----------
    upper_fs, lower_fs
        T and C.
    correlation
        Of Δr and v̄, −1 … 1.
    error_fs
        Standard error of T from the scatter about the line.
    displacement_ang, speed_ang_fs
        Root mean squares of Δr and of v, per component and weighted by mass.
    each
        The same of every coordinate, for intervals of more than a period.
    """

    upper_fs: float
    lower_fs: float
    correlation: float
    error_fs: float
    displacement_ang: float
    speed_ang_fs: float
    each: Coordinates

    @property
    def resolved(self) -> bool:
        """Whether there is a verdict."""
        return self.correlation >= MIN_CORRELATION and 0.0 < self.upper_fs <= MAX_SPREAD * self.lower_fs

    @property
    def backwards(self) -> bool:
        """Whether atoms move against their velocities."""
        return self.correlation <= -MIN_CORRELATION

    @property
    def estimate_fs(self) -> float:
        """(2T + C)/3."""
        return (2.0 * self.upper_fs + self.lower_fs) / 3.0

    def allows(self, interval_fs: float) -> bool:
        """Whether the motion is compatible with this time between frames."""
        slack = _SIGMAS * self.error_fs
        low = min(self.lower_fs, self.upper_fs) * (1.0 - TOLERANCE) - slack
        high = max(self.lower_fs, self.upper_fs) * (1.0 + TOLERANCE) + slack
        return low <= interval_fs <= high

    def recurs(self, interval_fs: float) -> bool:
        """Whether frames that far apart would look the same: a vibration that is seen once in a period.

        A narrow band of frequencies sampled every Δ = T + n·2π/ω shows the displacements of T.
        """
        return interval_fs > self.upper_fs and self.each.recur(interval_fs)

    def outruns(self, interval_fs: float, slack_ang: float = 0.03) -> bool:
        """Whether atoms move farther than their velocities can carry them in that time, however they turn."""
        return self.displacement_ang > 3.0 * self.speed_ang_fs * interval_fs + slack_ang


def read_clock(motion: Motion) -> ClockReading | None:
    """Compare displacements with velocities; None without three frames, velocities or any motion."""
    velocities = motion.velocities_ang_fs
    if velocities is None or len(velocities) < 3:
        return None
    steps, roots = motion.moved_ang, np.sqrt(motion.masses_amu[:, None])
    each = Coordinates.of(steps * roots, velocities * roots)
    moved, fast = motion.centered(steps), motion.centered(velocities)
    mean = 0.5 * (fast[:-1] + fast[1:])
    regular = _regular((moved * mean).sum(axis=(1, 2)), (mean**2).sum(axis=(1, 2)))
    triples = regular[:-1] & regular[1:]
    if not triples.any():
        return None
    middle = fast[1:-1][triples]
    lower = float((0.5 * (moved[:-1] + moved[1:])[triples] * middle).sum()) / float((middle**2).sum())
    moved, mean = moved[regular], mean[regular]
    squares, path = float((mean**2).sum()), float((moved**2).sum())
    upper = float((moved * mean).sum()) / squares
    scatter = float(((moved - upper * mean) ** 2).sum()) / max(moved.size - 1, 1)
    total_mass = 3.0 * float(motion.masses_amu.sum())
    return ClockReading(
        upper_fs=upper,
        lower_fs=lower,
        correlation=upper * float(np.sqrt(squares / path)),
        error_fs=float(np.sqrt(scatter / squares)),
        displacement_ang=float(np.sqrt(path / len(moved) / total_mass)),
        speed_ang_fs=float(np.sqrt((fast**2).sum() / len(fast) / total_mass)),
        each=each,
    )


def _regular(products: Array, squares: Array) -> NDArray[np.bool_]:
    """Pairs of frames whose own slope lies near the median: neither a gap nor a repeated frame."""
    slopes = np.divide(products, squares, out=np.zeros_like(products), where=squares > 0.0)
    median = float(np.median(slopes))
    return np.asarray((squares > 0.0) & (np.abs(slopes - median) <= 0.5 * abs(median)) & (median != 0.0))


@dataclass(frozen=True)
class DifferenceTemperature:
    """Kinetic temperature of displacements.

    Parameters
    ----------
    kelvin
        T = Σ m (Δr/Δ)²/(3 N k_B) in K.
    smoothness
        Correlation of successive displacements, cos ωΔ for a vibration; 1 for frames that lie close.
    steady
        Whether first and second half agree within 50 %.
    """

    kelvin: float
    smoothness: float
    steady: bool

    @property
    def corrected_k(self) -> float:
        """T·(x/sin x)² with cos 2x = smoothness: with the part that differences filter out."""
        x = 0.5 * np.arccos(np.clip(self.smoothness, 0.0, 1.0))
        return self.kelvin / float(np.sinc(x / np.pi)) ** 2


def foreign_velocities(motion: Motion) -> float | None:
    """Correlation of Δr and v̄ where frames lie close enough to know that it should be 1, and it is not.

    Displacements and velocities each change little from frame to frame then; what they do not share are
    atoms, axes, or times. Velocities of atoms that rest mean nothing and count as none.
    """
    velocities = motion.velocities_ang_fs
    if velocities is None or len(velocities) < 3:
        return None
    moves = np.asarray(motion.moved_ang.any(axis=(0, 2)))
    moved, fast = motion.centered(motion.moved_ang), motion.centered(velocities * moves[:, None])
    if min(_usual_smoothness(moved), _usual_smoothness(fast)) < _SMOOTH:
        return None
    mean = 0.5 * (fast[:-1] + fast[1:])
    products = np.einsum("fia,fia->f", moved, mean)
    norms = np.sqrt(np.einsum("fia,fia->f", moved, moved) * np.einsum("fia,fia->f", mean, mean))
    usual = float(np.median(np.divide(products, norms, out=np.ones_like(norms), where=norms > 0.0)))
    return usual if usual < _FOREIGN else None


def uneven_paces(motion: Motion) -> float | None:
    """Largest ratio of Δr/v̄ of atoms of two masses, where both are known and it is far from 1."""
    velocities = motion.velocities_ang_fs
    if velocities is None or len(velocities) < 2:
        return None
    paces = []
    for mass in np.unique(motion.masses_amu):
        atoms = motion.masses_amu == mass
        moved, mean = motion.moved_ang[:, atoms], 0.5 * (velocities[:-1, atoms] + velocities[1:, atoms])
        product, square = float(np.sum(moved * mean)), float(np.sum(mean**2))
        alike = product > MIN_CORRELATION * np.sqrt(float(np.sum(moved**2)) * square)
        if alike and _usual_smoothness(moved) > 0.0:
            paces.append(product / square)
    ratio = max(paces) / min(paces) if paces else 1.0
    return ratio if ratio > _UNEVEN else None


def usual_smoothness(motion: Motion) -> float:
    """Correlation of successive displacements, cos ωΔ for a vibration: the median, which no gap changes."""
    return _usual_smoothness(motion.moved_ang)


def _usual_smoothness(moved: Array) -> float:
    if len(moved) < 2:
        return 0.0
    squares = np.einsum("fia,fia->f", moved, moved)
    products, norms = np.einsum("fia,fia->f", moved[:-1], moved[1:]), 0.5 * (squares[:-1] + squares[1:])
    return float(np.median(np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0.0)))


def temperature_of_differences(motion: Motion, interval_fs: float) -> DifferenceTemperature | None:
    """Kinetic temperature of the displacements; None without two frames."""
    if len(motion.positions_ang) < 2:
        return None
    moved = motion.moved_ang
    masses = motion.masses_amu
    energies = 0.5 * AMU_ANG2_FS2_EV * np.einsum("i,fia->f", masses, (moved / interval_fs) ** 2)
    kelvin = [kinetic_temperature_k(float(energy), 3 * len(masses)) for energy in energies]
    half = max(1, len(kelvin) // 2)
    early, late = float(np.mean(kelvin[:half])), float(np.mean(kelvin[half:] or kelvin))
    square = float((moved[:-1] ** 2).sum() + (moved[1:] ** 2).sum())
    smooth = 2.0 * float((moved[:-1] * moved[1:]).sum()) / square if square > 0.0 else 0.0
    steady = 1.0 / 1.5 <= late / early <= 1.5 if early > 0.0 else late == 0.0
    return DifferenceTemperature(float(np.mean(kelvin)), smooth, steady)
