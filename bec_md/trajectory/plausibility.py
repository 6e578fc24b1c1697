"""Motion that no run makes: atoms that exchange places, positions that are rounded, velocities that are none.

An exchange of two atoms of one element leaves every other check content, and the current is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.trajectory.reader import place
from bec_md.trajectory.velocities import minimum_image

#: Displacement in Å between two frames from which on an atom is looked at
#: (atoms of molecules lie farther apart than half of this).
FAR_ANG = 0.7
#: Atoms that are looked at, of those that moved so far, and those that tell rows in disorder from diffusion.
_MOST, _SAMPLE = 500, 64
#: Share of these that rows in disorder put where others were; of ions that follow each other it is less.
_DISORDER = 0.9


@dataclass(frozen=True)
class Exchange:
    """Two atoms, of which the first is now where the second was, and how far that is in Å."""

    atom: int
    other: int
    distance_ang: float


def find_exchange(before: Frame, after: Frame) -> Exchange | None:
    """Find an atom that has come to lie where another one of its element was a frame ago.

    Coordinates that hardly differ cost one comparison; only atoms that moved far, wrapped ones included, are
    looked at with their periodic images. Where half of an element moved as far between the frames, ions may
    have come to lie where others were by themselves: an exchange is then one of nearly all that moved.
    """
    moved = after.positions_ang - before.positions_ang
    if moved.max() <= FAR_ANG and moved.min() >= -FAR_ANG:
        return None
    far = np.flatnonzero(np.abs(moved).max(axis=1) > FAR_ANG)
    if len(far) < 2:
        return None
    lengths = np.linalg.norm(minimum_image(moved[far], after.cell_ang, after.pbc), axis=1)
    far, lengths = far[lengths > FAR_ANG], lengths[lengths > FAR_ANG]
    first = next(
        filter(None, (_exchange(before, after, far, lengths, k) for k in range(len(far))[:_MOST])), None
    )
    if first is None:
        return None
    alike = np.flatnonzero(after.numbers == after.numbers[first.atom])
    steps = np.linalg.norm(minimum_image(moved[alike], after.cell_ang, after.pbc), axis=1)
    if np.median(steps) <= 0.5 * FAR_ANG:
        return first
    rows = np.flatnonzero(after.numbers[far] == after.numbers[first.atom])
    sample = rows[:: -(-len(rows) // _SAMPLE)]
    displaced = sum(_exchange(before, after, far, lengths, k) is not None for k in sample.tolist())
    return first if displaced >= _DISORDER * len(sample) else None


def _exchange(
    before: Frame, after: Frame, far: NDArray[np.int64], lengths: NDArray[np.float64], row: int
) -> Exchange | None:
    """Return the exchange of one of the atoms that moved `far`, by `lengths` in Å, if it is one."""
    atom = int(far[row])
    others = far[(after.numbers[far] == after.numbers[atom]) & (far != atom)]
    if len(others) == 0:
        return None
    gaps = after.positions_ang[atom] - before.positions_ang[others]
    distances = np.linalg.norm(minimum_image(gaps, after.cell_ang, after.pbc), axis=1)
    nearest = int(distances.argmin())
    if distances[nearest] >= 0.25 * lengths[row]:
        return None
    return Exchange(atom, int(others[nearest]), float(lengths[row]))


def check_order(before: Frame, after: Frame, source: str) -> None:
    """Refuse a frame in which atoms have exchanged places.

    Raises
    ------
    DataError
        With the two atoms and how far they are apart.
    """
    found = find_exchange(before, after)
    if found is None:
        return
    from ase.data import chemical_symbols

    symbol = chemical_symbols[int(after.numbers[found.atom])]
    raise DataError(
        f"{place(source, after.index)}: atom {found.atom} is where atom {found.other} was in the "
        f"frame before it, "
        f"{found.distance_ang:.2g} Å away (both {symbol})",
        "the rows of the file are not in the same order in every frame, and a current follows every atom",
        "write the atoms sorted by their id (LAMMPS: dump_modify sort id; OVITO: export the column id)",
    )


def check_first_frames(frames: Sequence[Frame], source: str) -> None:
    """Refuse what the first frames of a run cannot be.

    Raises
    ------
    DataError
        If atoms exchange places, if time does not advance, or if only one of positions and velocities
        changes.
    """
    for before, after in pairwise(frames):
        check_order(before, after, source)
        if before.time_fs is not None and after.time_fs is not None and after.time_fs <= before.time_fs:
            raise DataError(
                f"{place(source, after.index)}: its time {after.time_fs:g} fs is not later than the "
                f"{before.time_fs:g} fs of the frame before it",
                "a correlation function needs frames in time order, and runs are appended to one another",
                f"read the run that begins there with `start={after.index}`, sort the frames, or give the "
                "files that were appended, which are joined where they continue one another",
            )
    first = frames[0]
    if len(frames) < 3 or first.velocities_ang_fs is None:
        return
    zero = [v is None or not v.any() for v in (frame.velocities_ang_fs for frame in frames)]
    at_rest = (*zero, False).index(False)
    moves = [bool((frame.positions_ang != first.positions_ang).any()) for frame in frames]
    if any(moves[:at_rest]):
        rest = f"`start={frames[at_rest].index}`" if at_rest < len(frames) else "`start`"
        raise DataError(
            f"{source}: all velocities are zero in its first {at_rest} frames, while positions change",
            "they were not written (LAMMPS: rerun without vx vy vz), or it is a relaxation, behind which the "
            "run begins",
            f"begin with the run by {rest}, or leave the velocities out with `velocities=none`",
        )
    if at_rest < len(frames) and not any(moves):
        raise DataError(
            f"{source}: all positions stand still in its first {len(frames)} frames, while velocities are "
            "not zero",
            "they were not written by the run",
            "write the positions of every step",
        )


def rounding_grid_ang(
    positions_ang: NDArray[np.float64], grids: Sequence[float] = (0.1, 0.01, 0.001)
) -> float | None:
    """Step in Å to which positions are rounded, if it is one of `grids`; else None.

    Numbers in single precision count as rounded when they lie within their own resolution of a multiple.
    """
    values = positions_ang.ravel()
    if len(values) < 6 or not np.isfinite(values).all():
        return None
    resolution = 3e-7 * np.abs(values) + 1e-9
    for grid in grids:
        multiples = np.rint(values / grid)
        tolerance = np.minimum(resolution, 0.02 * grid)
        if (np.abs(values - multiples * grid) <= tolerance).all() and len(np.unique(multiples)) > 3:
            return grid
    return None


def rounding_of(frames: Sequence[Frame]) -> float | None:
    """Step in Å to which the positions of the first frames are rounded, if they are."""
    return rounding_grid_ang(np.concatenate([frame.positions_ang for frame in frames[:3]]))


def velocity_rounding_ang_fs(frames: Sequence[Frame]) -> float | None:
    """Step in Å/fs to which stored velocities are rounded so coarsely that many are equal, else None."""
    stored = [frame.velocities_ang_fs for frame in frames if frame.velocities_ang_fs is not None]
    return step_of(np.concatenate(stored)) if stored else None


def step_of(numbers: NDArray[np.float64]) -> float | None:
    """Step to which numbers are rounded so coarsely that many of them are equal, else None."""
    values = np.abs(numbers).ravel()
    top = float(values.max(initial=0.0))
    if not 0.0 < top < np.inf:
        return None
    steps = np.unique(np.rint(values / (1e-6 * top))) * (1e-6 * top)
    if not 3 < len(steps) < len(values) / 4:
        return None
    grid = float(np.diff(steps).min())
    grid = top / max(float(np.rint(top / grid)), 1.0)
    far = np.abs(values / grid - np.rint(values / grid))
    return grid if float(far.max()) < 0.05 else None


def rounding_temperature_k(grid_ang: float, interval_fs: float, masses_amu: NDArray[np.float64]) -> float:
    """Kinetic temperature in K of the noise that rounding gives to differences of positions.

    Rounding to g is white noise of variance g²/12, the difference of two has g²/6, and
    T = ⟨m⟩ g² / (6 Δ² k_B).
    """
    from bec_md.units import AMU_ANG2_FS2_EV, kinetic_temperature_k

    variance = grid_ang**2 / 6.0 / interval_fs**2
    energy_ev = 0.5 * AMU_ANG2_FS2_EV * 3.0 * float(masses_amu.sum()) * variance
    return kinetic_temperature_k(energy_ev, 3 * len(masses_amu))


def rounding_warning(frames: Sequence[Frame], interval_fs: float | None) -> list[str]:
    """Say that stored velocities are rounded, or positions, and what that does to their differences."""
    first = frames[0]
    if first.velocities_ang_fs is not None:
        return _rounded_velocities(frames)
    grid = None if interval_fs is None else rounding_of(frames)
    if interval_fs is None or grid is None:
        return []
    noise = rounding_temperature_k(grid, interval_fs, first.masses_amu)
    if noise < 1.0:
        return []
    stride = int(np.ceil(np.sqrt(noise / 1.0)))
    return [
        f"positions are rounded to {grid:g} Å: their differences in {interval_fs:g} fs carry noise of "
        f"{noise:.3g} K, "
        "which grows with more frames. Use stored velocities (GROMACS: trr with nstvout) or more digits; "
        f"else take `stride={stride}` or so, which lowers it to 1 K and the highest wavenumber with it"
    ]


def _rounded_velocities(frames: Sequence[Frame]) -> list[str]:
    """Say that stored velocities have few digits: rounding to g is white noise of variance g²/12."""
    stored = [frame.velocities_ang_fs for frame in frames[:3] if frame.velocities_ang_fs is not None]
    grid = rounding_grid_ang(np.concatenate(stored), (0.01, 0.001))
    if grid is None:
        return []
    noise = rounding_temperature_k(grid, np.sqrt(2.0), frames[0].masses_amu)
    return [
        f"velocities are rounded to {grid:g} Å/fs, which is noise of {noise:.3g} K at all wavenumbers: write "
        "more digits (LAMMPS: dump_modify format float %.8g), or leave them out with `velocities=none`"
    ]
