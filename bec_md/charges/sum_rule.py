r"""The acoustic sum rule of Born effective charges, :math:`\sum_i Z_i = Q\,1`: arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array


def charge_sum(born_effective_charges: Array) -> Array:
    r"""Return :math:`S = \sum_i Z_i`.

    Parameters
    ----------
    born_effective_charges
        (..., N, 3, 3), e.

    Returns
    -------
    (..., 3, 3), e.
    """
    total: Array = np.asarray(born_effective_charges, dtype=np.float64).sum(axis=-3)
    return total


def correct_equal(born_effective_charges: Array, total_charge: float = 0.0) -> Array:
    r"""Return :math:`Z_i - (S - Q\,1)/N`: every atom carries the same share of the violation.

    Parameters
    ----------
    born_effective_charges
        (..., N, 3, 3), e.
    total_charge
        Net charge Q of the cell, e.

    Returns
    -------
    (..., N, 3, 3), e.
    """
    tensors = np.asarray(born_effective_charges, dtype=np.float64)
    excess: Array = charge_sum(tensors) - total_charge * np.eye(3)
    corrected: Array = tensors - excess[..., None, :, :] / tensors.shape[-3]
    return corrected


def correct_mass(born_effective_charges: Array, masses_amu: Array, total_charge: float = 0.0) -> Array:
    r"""Return :math:`Z_i - (m_i/M)(S - Q\,1)`: the violation is shared by mass.

    In the barycentric frame it is the same as removing the velocity of the center of mass:
    :math:`\sum_i [Z_i - (m_i/M) S] v_i = \sum_i Z_i (v_i - v_\mathrm{com})`.

    Parameters
    ----------
    born_effective_charges
        (..., N, 3, 3), e.
    masses_amu
        (N,), amu.
    total_charge
        Net charge Q of the cell, e.

    Returns
    -------
    (..., N, 3, 3), e.
    """
    tensors = np.asarray(born_effective_charges, dtype=np.float64)
    masses = np.asarray(masses_amu, dtype=np.float64)
    excess: Array = charge_sum(tensors) - total_charge * np.eye(3)
    corrected: Array = tensors - excess[..., None, :, :] * (masses / masses.sum())[:, None, None]
    return corrected


def residual(born_effective_charges: Array, total_charge: float = 0.0) -> Array:
    r"""Return the r.m.s. over the nine components of :math:`(S - Q\,1)/N`, e per atom.

    Parameters
    ----------
    born_effective_charges
        (..., N, 3, 3), e.
    total_charge
        Net charge Q of the cell, e.

    Returns
    -------
    (...), e.
    """
    tensors = np.asarray(born_effective_charges, dtype=np.float64)
    excess = (charge_sum(tensors) - total_charge * np.eye(3)) / tensors.shape[-3]
    out: Array = np.sqrt((excess**2).mean(axis=(-2, -1)))
    return out
