r"""Sums over groups of atoms that a current is made of: arrays in, arrays out.

Every frame is summed on its own, in the order of the atoms, so that the result does not depend on how
frames are batched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.units import AMU_ANG2_FS2_EV

Indices = NDArray[np.int64]


class GroupSums:
    """Sum per-atom quantities over groups.

    Parameters
    ----------
    group_index
        (N,) group of each atom, 0 … G−1; every group has at least one atom.
    masses_amu
        (N,) amu; 0 for sites without mass, which follow the atoms rigidly.
    immobile
        (N,) atoms that do not move. As if their mass were infinite, they have no part in ΣZZᵀ/m, and the
        center of mass rests.
    held
        (N, 3, 3) projectors on directions along which the others do not move: no part in ΣZZᵀ/m either.

    Attributes
    ----------
    group_free
        (G,) numbers of atoms that have degrees of freedom.
    anchored
        Whether atoms that do not move hold the center of mass.
    """

    def __init__(
        self,
        group_index: Indices,
        masses_amu: Array,
        immobile: NDArray[np.bool_] | None = None,
        held: Array | None = None,
    ) -> None:
        self.masses_amu = np.asarray(masses_amu, dtype=np.float64)
        self.order = np.argsort(group_index, kind="stable")
        self.sorted = bool(np.all(self.order == np.arange(len(self.order))))
        self.starts = np.flatnonzero(np.diff(np.asarray(group_index)[self.order], prepend=-1))
        self.group_count = np.bincount(group_index).astype(np.int64)
        self.group_mass_amu = np.bincount(group_index, weights=self.masses_amu)
        self.anchored = immobile is not None and bool(immobile.any())
        self.held = held
        self.massless = bool((self.masses_amu == 0.0).any())
        free = (self.masses_amu > 0.0) & (True if immobile is None else ~immobile)
        self.group_free = np.bincount(group_index, weights=free).astype(np.int64)
        self._inverse_masses = np.divide(1.0, self.masses_amu, out=np.zeros(len(free)), where=free)
        self.group_inverse_mass = np.bincount(group_index, weights=self._inverse_masses)
        single = np.isclose(self.group_inverse_mass * self.group_mass_amu, self.group_count**2, rtol=1e-12)
        self.mixed_masses = not bool(single.all())

    def over_groups(self, per_atom: Array) -> Array:
        """Sum (F, N, …) over the atoms of each group: (F, G, …)."""
        ordered = per_atom if self.sorted else per_atom[:, self.order]
        return np.asarray(np.add.reduceat(ordered, self.starts, axis=1))

    def frame_sums(self, charges: Array, velocities: Array) -> dict[str, Array]:
        r"""Return every group sum of F frames.

        Parameters
        ----------
        charges, velocities
            (F, N, 3, 3) e and (F, N, 3) Å/fs.

        Returns
        -------
        ``current`` :math:`\sum Z v`, ``charge_sum`` :math:`\sum Z`, ``momentum`` :math:`\sum m v`,
        ``velocity_sum`` :math:`\sum v`, ``zz_over_mass`` :math:`\sum Z Z^T/m` (not with charges on sites
        without mass, which belong to the atoms that hold them), ``kinetic_energy_ev``, and for groups of
        mixed masses ``charge_over_mass`` :math:`\sum Z/m`.
        """
        out = {
            "current": self.over_groups(polarization_velocity(charges, velocities)),
            **self.motion_sums(velocities),
        }
        constant = charges.strides[0] == 0  # tensors of one frame that stand for all: summed once
        sums = self._tensor_sums(charges[:1] if constant else charges)
        return out | {name: np.broadcast_to(s, (len(charges), *s.shape[1:])) for name, s in sums.items()}

    def _tensor_sums(self, charges: Array) -> dict[str, Array]:
        """Return the group sums of F frames of tensors that motion has no part in."""
        inverse = self._inverse_masses[:, None, None]
        out = {"charge_sum": self.over_groups(charges)}
        if self.held is not None:
            charges = charges - charges @ self.held
        if not self.massless:
            out["zz_over_mass"] = self.over_groups(_square(charges) * inverse)
        if self.mixed_masses:
            out["charge_over_mass"] = self.over_groups(charges * inverse)
        return out

    def motion_sums(self, velocities: Array) -> dict[str, Array]:
        """Return the group sums of F frames that charges have no part in, of velocities (F, N, 3)."""
        masses = self.masses_amu
        return {
            "momentum": self.over_groups(velocities * masses[:, None]),
            "velocity_sum": self.over_groups(velocities),
            "kinetic_energy_ev": self.over_groups(
                (0.5 * AMU_ANG2_FS2_EV) * masses * (velocities**2).sum(axis=2)
            ),
        }

    def charge_sums(self, charges: Array) -> dict[str, Array]:
        """Return the group sums of constant tensors (N, 3, 3) that motion has no part in, (G, 3, 3)."""
        sums = self.frame_sums(charges[None], np.zeros((1, len(self.masses_amu), 3)))
        sums["charge_over_mass"] = self.over_groups((charges * self._inverse_masses[:, None, None])[None])
        names = ("charge_sum", "zz_over_mass", "charge_over_mass")
        return {name: sums[name][0] for name in names if name in sums}

    def member_current(self, members: Array, velocities: Array) -> Array:
        r"""Return :math:`\sum_i Z^m_i (v_i - v_\mathrm{com})` of each member, (F, M, 3) in e Å/fs.

        Parameters
        ----------
        members, velocities
            (F, M, N, 3, 3) e and (F, N, 3) Å/fs.
        """
        relative = velocities - self.com_velocity(velocities)[:, None]
        per_atom: Array = np.einsum("fmnab,fnb->fmna", members, relative)
        return np.asarray(per_atom.sum(axis=2))

    def com_velocity(self, velocities: Array) -> Array:
        """Return the velocity of the center of mass, (F, 3), of velocities (F, N, 3); 0 if it is held."""
        if self.anchored:
            return np.zeros((len(velocities), 3))
        weights = self.masses_amu / self.masses_amu.sum()
        return np.asarray((velocities * weights[:, None]).sum(axis=1))


def polarization_velocity(charges: Array, velocities: Array) -> Array:
    """Return Z v of each atom, (F, N, 3); written out so that no intermediate depends on the batch."""
    out = charges[..., 0] * velocities[..., None, 0]
    out += charges[..., 1] * velocities[..., None, 1]
    out += charges[..., 2] * velocities[..., None, 2]
    return np.asarray(out)


def _square(charges: Array) -> Array:
    """Return Z Zᵀ of each atom, (F, N, 3, 3)."""
    out = charges[..., :, None, 0] * charges[..., None, :, 0]
    out += charges[..., :, None, 1] * charges[..., None, :, 1]
    out += charges[..., :, None, 2] * charges[..., None, :, 2]
    return np.asarray(out)
