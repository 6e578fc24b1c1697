r"""From a dipole moment to a current: unwrapping in time, then differences. Arrays in, arrays out."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bec_md.arrays import Array
from bec_md.trajectory.velocities import minimum_image


def unwrap_polarization(dipole: Array, quanta: Array) -> tuple[Array, float]:
    r"""Return the dipole moment on one branch, and how near the largest step is to being ambiguous.

    The moment of a periodic system is defined modulo :math:`\sum_k n_k Q_k`, with the polarization quanta
    :math:`Q_k = q\,a_k` along the lattice vectors. Each step takes the shortest of its images in that
    lattice, for any cell: :math:`M(t_{n+1}) = M(t_n) + \min_k [M_{n+1} - M_n - \sum_k n_k Q_k]`.

    Parameters
    ----------
    dipole
        (T, 3), e Å.
    quanta
        (1 or T, 3, 3), rows, e Å; with a cell that changes the mean of two frames counts for their step.

    Returns
    -------
    (T, 3) continuous moment, e Å, and the largest step over half the shortest quantum: near 1 the branch
    is lost.

    References
    ----------
    King-Smith and Vanderbilt, Phys. Rev. B 47, 1651 (1993); Resta, Rev. Mod. Phys. 66, 899 (1994).
    """
    steps = np.diff(dipole, axis=0)
    if len(quanta) == 1:
        steps = minimum_image(steps, quanta[0])
    else:
        means = 0.5 * (quanta[:-1] + quanta[1:])
        steps = np.array([minimum_image(step, cell) for step, cell in zip(steps, means, strict=True)])
    out = np.concatenate([dipole[:1], steps]).cumsum(axis=0)
    shortest = float(np.linalg.norm(quanta.mean(axis=0), axis=1).min())
    largest = float(np.linalg.norm(steps, axis=1).max()) if len(steps) else 0.0
    return out, largest / (0.5 * shortest)


def differentiate(dipole: Array, timestep_fs: float, scheme: Literal["midpoint", "central"]) -> Array:
    r"""Return the current of a dipole moment by finite differences.

    midpoint: :math:`J(t + \Delta/2) = [M(t+\Delta) - M(t)]/\Delta`; central:
    :math:`J(t) = [M(t+\Delta) - M(t-\Delta)]/(2\Delta)`.

    Parameters
    ----------
    dipole
        (T, G, 3), e Å, continuous in time.
    timestep_fs
        Δ, fs.
    scheme
        Which difference.

    Returns
    -------
    (T − 1, G, 3) or (T − 2, G, 3), e Å/fs.
    """
    if scheme == "midpoint":
        return np.asarray(np.diff(dipole, axis=0) / timestep_fs)
    return np.asarray((dipole[2:] - dipole[:-2]) / (2.0 * timestep_fs))
