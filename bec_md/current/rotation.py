"""A molecule in vacuum that does not turn: its rotation is no degree of freedom of the temperature.

Many programs take the angular momentum away at the beginning, and nothing gives it back to a molecule alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from bec_md.arrays import Array
from bec_md.structure import Frame

#: Energy of rotation, in units of that at the temperature of the other motion, that is none.
_AT_REST = 0.02
#: Moments of inertia below this share of the largest are those of a line.
_LINEAR = 0.02


def count_rotations(frames: Sequence[Frame], later: Iterator[Frame]) -> int:
    """Return the number of axes about which all atoms together never turn: 3, 2 of linear molecules, or 0.

    E = ½ L I⁻¹ L with L = Σ m (r − r_com) × (v − v_com) is 3/2 k_BT on average in whatever turns, and that
    large, if without a meaning, in crystals and liquids.

    Parameters
    ----------
    frames
        The first frames, with velocities.
    later
        Frames of the middle and of the end, read only if the first ones do not turn: without any there is
        nothing to be said, as crystals may begin so.
    """
    if len(frames) < 3 or frames[0].velocities_ang_fs is None or frames[0].n_atoms < 2:
        return 0
    axes = seen = 0
    for frame in chain(frames, later):
        seen += 1
        turning, whole, axes = _energies(frame)
        freedom = 3 * frame.n_atoms - 3 - axes
        if turning * freedom > _AT_REST * 3.0 * (whole - turning):
            return 0
    return axes if seen > len(frames) else 0


def _energies(frame: Frame) -> tuple[float, float, int]:
    """Twice the energy of rotation and the whole one about the center of mass, and the number of axes."""
    masses, velocities = frame.masses_amu, frame.velocities_ang_fs
    assert velocities is not None
    places, share = _together(frame), masses / masses.sum()
    places, velocities = places - share @ places, velocities - share @ velocities
    momentum = (masses[:, None] * np.cross(places, velocities)).sum(axis=0)
    squares = np.einsum("i,ia,ib->ab", masses, places, places)
    moments, axes = np.linalg.eigh(np.trace(squares) * np.eye(3) - squares)
    turns = moments > _LINEAR * moments[-1]
    along = (momentum @ axes)[turns]
    whole = float(np.einsum("i,ia,ia->", masses, velocities, velocities))
    return float((along**2 / moments[turns]).sum()), whole, int(turns.sum())


def _together(frame: Frame) -> Array:
    """Positions with all images next to the middle of the molecule, wherever it crosses a border."""
    scaled = frame.positions_ang @ np.linalg.inv(frame.cell_ang)
    middle = np.angle(np.exp(2j * np.pi * scaled).mean(axis=0)) / (2.0 * np.pi)
    near = scaled - middle
    return np.asarray(np.where(frame.pbc, near - np.rint(near), near) @ frame.cell_ang)
