r"""Velocities of molecules divided into stretching of bonds, bending, and motion as a whole.

With :math:`w_i = \sqrt{m_i}\,v_i` of one molecule and a matrix X whose columns span a kind of motion, the
part of that kind is :math:`P w`, :math:`P = X (X^TX)^+ X^T`. X depends on positions alone: translations
:math:`\sqrt{m_i}\,e_a` and rotations :math:`\sqrt{m_i}\,e_a × r_i` of the molecule as a whole,
:math:`∂l/∂r_i/\sqrt{m_i}` of the length l of each bond. What is left is bending (and torsion). The three are
orthogonal, so that in classical equilibrium, whatever the forces,

.. math:: ⟨J^k_a J^l_b⟩ = δ_{kl}\,k_BT\,⟨\sum_\mathrm{mol} (Z P_k Z^T)_{ab}⟩, \qquad
          Z_{a,ib} = Z_{i,ab}/\sqrt{m_i},

is exact for the currents :math:`J^k = \sum Z v^k` of the three kinds.

Reference: E. B. Wilson, J. C. Decius, P. C. Cross, Molecular Vibrations (1955), chapter 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.current.fields import INTERNAL
from bec_md.current.grouping import bonded
from bec_md.errors import DataError
from bec_md.trajectory.velocities import minimum_image

if TYPE_CHECKING:
    from bec_md.structure import Frame

Indices = NDArray[np.int64]

#: Most atoms of one molecule.
LARGEST = 60
#: Singular values below this share of the largest span nothing: linear molecules, redundant bonds.
_SINGULAR = 1e-9
#: How far a ring of bonds may miss its beginning, Å: a network goes through the cell otherwise.
_CLOSED_ANG = 0.1
#: Numbers in the matrices that are made at once.
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Kind:
    """Molecules with the same bonds.

    Parameters
    ----------
    atoms
        (M, n) their atoms, each behind one that it is bonded to.
    parents
        (n − 1,) place of that one, of all atoms but the first.
    bonds
        (B, 2) places of bonded atoms.
    """

    atoms: Indices
    parents: Indices
    bonds: Indices

    def vectors(self, frames: Sequence[Frame]) -> Array:
        """Positions relative to the first atom, (F, M, n, 3) in Å."""
        positions = np.stack([frame.positions_ang for frame in frames])
        steps = positions[:, self.atoms[:, 1:]] - positions[:, self.atoms[:, self.parents]]
        out = np.zeros((len(frames), *self.atoms.shape, 3))
        for row, frame in enumerate(frames):
            steps[row] = minimum_image(steps[row], frame.cell_ang, frame.pbc)
        for place, parent in enumerate(self.parents.tolist(), start=1):
            out[:, :, place] = out[:, :, parent] + steps[:, :, place - 1]
        return out

    def bases(self, frames: Sequence[Frame], masses_amu: Array) -> tuple[Array, Array]:
        """What spans the motion as a whole and the stretching, (F, M, 3n, 6) and (F, M, 3n, B)."""
        r, root = self.vectors(frames), np.sqrt(masses_amu[self.atoms])  # (M, n)
        weights = root**2 / (root**2).sum(axis=1, keepdims=True)
        bond = r[:, :, self.bonds[:, 1]] - r[:, :, self.bonds[:, 0]]
        bond /= np.maximum(np.linalg.norm(bond, axis=3, keepdims=True), 1e-12)
        r = r - np.einsum("mi,fmia->fma", weights, r)[:, :, None]
        whole = np.empty((*r.shape, 6))
        whole[..., :3] = root[:, :, None, None] * np.eye(3)
        whole[..., 3:] = root[:, :, None, None] * np.cross(np.eye(3), r[..., None, :]).swapaxes(3, 4)
        stretching = np.zeros((*r.shape, len(self.bonds)))
        for number, (i, j) in enumerate(self.bonds.tolist()):
            stretching[:, :, i, :, number] = -bond[:, :, number] / root[:, i, None]
            stretching[:, :, j, :, number] = bond[:, :, number] / root[:, j, None]
        shape = (*r.shape[:2], -1)
        return whole.reshape(*shape, 6), stretching.reshape(*shape, len(self.bonds))


@dataclass(frozen=True)
class InternalMotion:
    """The molecules of a system.

    Parameters
    ----------
    kinds
        All of more than one atom.
    masses_amu
        (N,) masses of all atoms.
    """

    kinds: tuple[Kind, ...]
    masses_amu: Array

    @classmethod
    def of(cls, frame: Frame, masses_amu: Array) -> InternalMotion:
        """Find the molecules of a structure by its bonds.

        Raises
        ------
        DataError
            If there are none, or something else than molecules.
        """
        if not (masses_amu > 0.0).all():
            raise _refused("there are sites without mass", "they move with atoms, and carry no energy")
        first, second, label = bonded(frame)
        found: dict[tuple[int, tuple[tuple[int, int], ...]], list[Indices]] = {}
        for molecule in np.flatnonzero(np.bincount(label) > 1).tolist():
            atoms = np.flatnonzero(label == molecule)
            if len(atoms) > LARGEST:
                raise _refused(f"{len(atoms)} atoms hang together", f"molecules have at most {LARGEST} here")
            own = label[first] == molecule
            pairs = np.searchsorted(atoms, np.stack([first[own], second[own]], axis=1))
            bonds = tuple(sorted({(i, j) for i, j in pairs.tolist() if i < j}))
            found.setdefault((len(atoms), bonds), []).append(atoms)
        if not found:
            raise _refused("no atoms are bonded", "stretching and bending are motions of molecules")
        kinds = []
        for (count, bonds), members in found.items():
            order, parents = _tree(count, bonds)
            kinds.append(Kind(np.array(members)[:, order], parents, np.argsort(order)[np.array(bonds)]))
        motion = cls(tuple(kinds), np.asarray(masses_amu, dtype=np.float64))
        motion._require_molecules(frame)
        return motion

    def _require_molecules(self, frame: Frame) -> None:
        """Refuse bonds that go through the cell, from one periodic image to the next."""
        for kind in self.kinds:
            r, bonds = kind.vectors([frame])[0], kind.bonds
            along = r[:, bonds[:, 1]] - r[:, bonds[:, 0]]
            if np.abs(along - minimum_image(along, frame.cell_ang, frame.pbc)).max() > _CLOSED_ANG:
                raise _refused("bonds go through the cell and on", "a network is no molecule")

    def velocities(self, frames: Sequence[Frame], velocities: Array) -> Array:
        """Return the parts of velocities (F, N, 3) that stretch and that bend, (2, F, N, 3)."""
        out = np.zeros((len(INTERNAL), *velocities.shape))
        for kind, rows, whole, stretching in self._bases(frames):
            root = np.sqrt(self.masses_amu[kind.atoms])[:, :, None]
            own = velocities[rows][:, kind.atoms] * root
            flat = own.reshape(*own.shape[:2], -1, 1)
            stretch = _projected(stretching, flat)
            for number, part in enumerate((stretch, flat - stretch - _projected(whole, flat))):
                out[number, rows][:, kind.atoms] = part.reshape(own.shape) / root
        return out

    def squares(self, frames: Sequence[Frame], charges: Array) -> Array:
        """Return Σ Z P Zᵀ of both kinds for tensors (F, N, 3, 3), (F, 2, 3, 3) in e²/amu."""
        out = np.zeros((len(frames), len(INTERNAL), 3, 3))
        for kind, rows, whole, stretching in self._bases(frames):
            root = np.sqrt(self.masses_amu[kind.atoms])[:, :, None, None]
            own = charges[rows][:, kind.atoms] / root  # (F, M, n, a, b)
            flat = own.swapaxes(3, 4).reshape(*own.shape[:2], -1, 3)  # (F, M, 3n, a)
            stretch, rigid = (
                _squared(basis, basis.swapaxes(2, 3) @ flat).sum(axis=1) for basis in (stretching, whole)
            )
            all_of_it = np.einsum("fmka,fmkb->fab", flat, flat)
            out[rows] += np.stack([stretch, all_of_it - stretch - rigid], axis=1)
        return out

    def _bases(self, frames: Sequence[Frame]) -> Iterator[tuple[Kind, slice, Array, Array]]:
        for kind in self.kinds:
            numbers = 3 * kind.atoms.size * max(6, len(kind.bonds))
            size = max(_AT_ONCE // numbers, 1)
            for start in range(0, len(frames), size):
                rows = slice(start, min(start + size, len(frames)))
                yield kind, rows, *kind.bases(frames[rows], self.masses_amu)


def _inverse(basis: Array) -> Array:
    return np.asarray(np.linalg.pinv(basis.swapaxes(2, 3) @ basis, rcond=_SINGULAR, hermitian=True))


def _projected(basis: Array, vectors: Array) -> Array:
    return np.asarray(basis @ (_inverse(basis) @ (basis.swapaxes(2, 3) @ vectors)))


def _squared(basis: Array, overlaps: Array) -> Array:
    return np.asarray(overlaps.swapaxes(2, 3) @ (_inverse(basis) @ overlaps))


def _tree(count: int, bonds: Sequence[tuple[int, int]]) -> tuple[Indices, Indices]:
    """Order of atoms in which each follows one that it is bonded to, and the place of that one."""
    neighbors: list[list[int]] = [[] for _ in range(count)]
    for i, j in bonds:
        neighbors[i].append(j)
        neighbors[j].append(i)
    order, parents = [0], []
    for place, atom in enumerate(order):  # grows while it is read
        for other in neighbors[atom]:
            if other not in order:
                order.append(other)
                parents.append(place)
    return np.array(order), np.array(parents)


def _refused(what: str, why: str) -> DataError:
    return DataError(
        f"no molecules to divide the motion of: {what}",
        why,
        "use `control_variates=f-sum` instead: it needs no molecules",
    )
