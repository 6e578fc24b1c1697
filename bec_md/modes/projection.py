r"""Velocities of normal modes along a trajectory.

.. math:: \dot Q_m(t) = \frac{1}{\sqrt{N_c}} \sum_i \sqrt{m_i}\; e_{m,s(i)} \cdot v_i(t)

s(i) is the reference atom of atom i and N_c the number of reference cells: the Γ modes of the reference
cell in a supercell of any size. In equilibrium :math:`\langle\dot Q_m \dot Q_n\rangle = k_BT δ_{mn}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.current.prepare import timestep_of
from bec_md.errors import DataError
from bec_md.memory import require_memory
from bec_md.modes.reference import ReferenceModes
from bec_md.spectrum.estimators.corrections import undamped_gain
from bec_md.trajectory.velocities import midpoint_displacement
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K, SPEED_OF_LIGHT_CM_FS

if TYPE_CHECKING:
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import Trajectory


#: Frames projected by one matrix product.
_BLOCK = 256
#: Copies of the velocities of all modes that are in memory at once: joining, transforming, summing.
_COPIES = 4
#: Masses of isotopes differ by more, those of one element from one program to another by less.
_SAME_MASS = 0.02


@dataclass(frozen=True, eq=False)
class ModeVelocities:
    r"""Mode velocities along a trajectory.

    Parameters
    ----------
    modes
        The reference.
    velocities
        (T, M) :math:`\dot Q_m` in √amu Å/fs.
    n_cells
        Reference cells in the trajectory's cell, N_c.
    volume_ang3
        Mean volume of the trajectory's cell, Å³.
    timestep_fs, scheme
        Time between samples, fs; "velocity" or "midpoint" as in `CurrentSeries`.
    mapping
        How atoms were matched, in words.
    atoms
        (N,) reference atom of each atom of the trajectory.
    rotation
        (3, 3) from the frame of the reference to that of the trajectory.
    """

    modes: ReferenceModes
    velocities: Array
    n_cells: int
    volume_ang3: float
    timestep_fs: float
    scheme: Literal["velocity", "midpoint"]
    mapping: str
    atoms: NDArray[np.int64]
    rotation: Array

    def reference_tensors(self, tensors: Array) -> Array:
        """Tensors (N, 3, 3) of the trajectory's atoms as (n, 3, 3) of the reference atoms, means over images.

        Their second index belongs to the frame of the reference, as the eigenvectors do.
        """
        count = len(self.modes.numbers)
        means = np.array([tensors[self.atoms == atom].mean(axis=0) for atom in range(count)])
        return np.asarray(means @ self.rotation)

    def frequencies_cm(self) -> Array:
        """Frequency of each mode in the motion, cm⁻¹, (M,): half of its spectrum lies below it (NaN at rest).

        The median takes no notice of the tails that friction and noise give the spectrum.
        """
        from scipy.fft import rfft, rfftfreq

        power = np.abs(rfft(self.velocities, axis=0)) ** 2
        below = np.cumsum(power, axis=0)
        grid = rfftfreq(len(self.velocities), self.timestep_fs) / SPEED_OF_LIGHT_CM_FS
        with np.errstate(invalid="ignore", divide="ignore"):
            found = grid[np.argmax(below / below[-1] >= 0.5, axis=0)]
        return np.where(below[-1] > 0.0, found, np.nan)

    def temperatures(self) -> Array:
        """Kinetic temperature of each mode, K, (M,): equipartition makes them equal.

        The damping of differences of positions is divided out.
        """
        from scipy.fft import rfft, rfftfreq

        scale, count = AMU_ANG2_FS2_EV / BOLTZMANN_EV_K, len(self.velocities)
        squares = np.mean(self.velocities**2, axis=0)
        if self.scheme == "midpoint":
            grid = rfftfreq(count, self.timestep_fs) / SPEED_OF_LIGHT_CM_FS
            lost = undamped_gain(grid, self.timestep_fs, self.scheme) - 1.0
            squares = squares + 2.0 * lost @ (np.abs(rfft(self.velocities, axis=0)) ** 2) / count**2
        return np.asarray(scale * squares)


def mode_velocities(
    trajectory: Trajectory, modes: ReferenceModes, timestep_fs: float | None = None
) -> ModeVelocities:
    """Project the velocities of a trajectory on the modes of a reference.

    Parameters
    ----------
    trajectory
        Frames with velocities, or with positions only (midpoint differences).
    modes
        Modes of a reference cell; the trajectory is that cell or a supercell, in any order of atoms.
    timestep_fs
        Time between frames, if the trajectory does not state it.

    Returns
    -------
    ModeVelocities
        Mass-weighted velocity of every mode in every frame, √amu Å/fs.

    Raises
    ------
    UsageError
        If the time between frames is unknown.
    DataError
        If the atoms do not match a supercell of the reference, or have other masses.
    """
    from bec_md.charges.mapping import map_supercell

    info = trajectory.info
    step = timestep_of(info, timestep_fs, is_open=True)
    frames = trajectory.frames()
    first = next(frames, None)
    found = None
    if first is not None:
        found = map_supercell(
            modes.cell_ang,
            modes.positions_ang,
            modes.numbers,
            first.cell_ang,
            first.positions_ang,
            first.numbers,
        )
    if first is None or found is None:
        raise DataError(
            f"the atoms of {info.source} do not match a supercell of {modes.name} "
            f"({len(modes.numbers)} atoms)",
            "each atom moves along the eigenvector of the site it belongs to",
            "give the force constants of this phase, and a trajectory in which no atom has left its site",
        )
    _refuse_other_masses(info.source, info.masses_amu, modes, found.atoms)
    n_cells = len(info.numbers) // len(modes.numbers)
    weights = np.sqrt(info.masses_amu / n_cells)[:, None]
    # eigenvectors turned into the trajectory's frame, times √m_i: (3N, M)
    vectors = modes.eigenvectors[:, found.atoms] @ found.rotation.T * weights
    projector = np.ascontiguousarray(vectors.reshape(len(vectors), -1).T)
    stored = info.velocity_scheme == "stored"
    require_memory(
        _COPIES * 8.0 * (info.n_frames or 0) * len(vectors),
        f"a projection of {info.n_frames} frames on {len(vectors)} modes",
        "the velocities of all modes are held in memory, and transformed",
        "take a part of the run, or every nth frame (`stop`, `stride`)",
    )
    blocks, volumes = [], []
    for velocities, volume in _blocks(trajectory, step, stored):
        blocks.append(velocities @ projector)
        volumes.append(volume)
    lengths = [len(block) for block in blocks]
    if not lengths:
        raise DataError(
            f"{info.source} holds too few frames", "velocities need at least one", "check start and stop"
        )
    return ModeVelocities(
        modes,
        np.concatenate(blocks),
        n_cells,
        float(np.average(volumes, weights=lengths)),
        float(step),
        "velocity" if stored else "midpoint",
        found.describe(),
        np.asarray(found.atoms),
        np.asarray(found.rotation),
    )


def _refuse_other_masses(
    source: str, masses_amu: Array, modes: ReferenceModes, atoms: NDArray[np.int64]
) -> None:
    """Refuse atoms of other masses than the modes were computed with."""
    from ase.data import chemical_symbols

    expected = modes.masses_amu[atoms]
    worst = int(np.argmax(np.abs(masses_amu / expected - 1.0)))
    if abs(masses_amu[worst] / expected[worst] - 1.0) > _SAME_MASS:
        symbol, mass = chemical_symbols[int(modes.numbers[atoms[worst]])], float(masses_amu[worst])
        raise DataError(
            f"{symbol} (atom {worst + 1}) has {mass:.6g} amu in {source}, "
            f"{expected[worst]:.6g} in {modes.name}",
            "with other masses modes have other frequencies and eigenvectors",
            f"give `masses={symbol}={mass:.6g}`, which is that of both then, or a structure with its masses",
        )


def velocities_of(trajectory: Trajectory, timestep_fs: float) -> Iterator[tuple[Array, Frame]]:
    """Velocities (N, 3) in Å/fs with their frame: stored, or midpoint differences."""
    if trajectory.info.velocity_scheme == "stored":
        for frame in trajectory.frames():
            yield np.asarray(frame.velocities_ang_fs), frame
        return
    previous = None
    for frame in trajectory.frames():
        if previous is not None:
            yield midpoint_displacement(previous, frame) / timestep_fs, frame
        previous = frame


def _blocks(trajectory: Trajectory, step: float, stored: bool) -> Iterator[tuple[Array, float]]:
    """Flat velocities (n, 3N) of blocks of frames, and their mean volume."""
    kept: list[Array] = []
    volume = 0.0
    for velocity, frame in velocities_of(trajectory, step):
        kept.append(velocity.ravel())
        volume += frame.volume_ang3
        if len(kept) == _BLOCK:
            yield np.array(kept), volume / len(kept)
            kept, volume = [], 0.0
    if kept:
        yield np.array(kept), volume / len(kept)
