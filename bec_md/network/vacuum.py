r"""Cells of a slab or a wire with vacuum, in which tensors across the surface are not those of a crystal.

Z* is defined without a mean field in the *cell*. Beside vacuum the polarization of a slab, a share f of the
cell, makes a field in the slab, and what it does to the electrons is part of Z*: across the surface

.. math:: Z^*_{cell} = Z^*_{crystal} / (f + (1 - f)\, ε_∞) .

In DFT, four layers of LiH in 15 Å have 0.52 e across and 1.13 e along them. A network that sees the
neighborhood of an atom gives 0.94 e across.
"""

from __future__ import annotations

import numpy as np

from bec_md.structure import Frame

#: Empty space between planes of atoms, Å: layers of a crystal are closer.
VACUUM_ANG = 7.0
#: Distances over the sum of covalent radii at which atoms touch; depth in which such pairs are looked for, Å.
_TOUCHING, _DEPTH_ANG = (0.7, 1.3), 6.0
_NEAREST = 4
#: Volume per atom in Å³ that no crystal falls below (diamond 5.7): a smaller cell stands for none.
_SMALLEST_ANG3 = 3.0
#: A box as high as what is in it, but for this share, is shrunk to it (LAMMPS: boundary s), and no period.
_SHRUNK = 3e-4


def vacuum_directions(frame: Frame, beyond_ang: float = VACUUM_ANG) -> list[int]:
    """Return the lattice directions in which a frame has vacuum, more than `beyond_ang` of empty space."""
    if not frame.volume_ang3:
        return [k for k in range(3) if not frame.pbc[k]]
    heights = 1.0 / np.linalg.norm(np.linalg.inv(frame.cell_ang), axis=0)
    places = np.sort((frame.positions_ang @ np.linalg.inv(frame.cell_ang)) % 1.0, axis=0)
    gaps = np.diff(places, axis=0, append=places[:1] + 1.0).max(axis=0) * heights
    return [k for k in range(3) if not frame.pbc[k] or gaps[k] > beyond_ang]


def vacuum_remark(model: str, frame: Frame) -> str | None:
    """Sentence about a slab or a wire with vacuum; None for crystals, liquids and molecules in a box."""
    found = vacuum_directions(frame)
    if len(found) not in (1, 2):
        return None
    axes = " and ".join("abc"[k] for k in found)
    return (
        f"vacuum along {axes}: across a surface Z* of such a cell is smaller than in a crystal, by up to ε∞ "
        f"(the slab's own field acts on it), and ε∞ is another; {model} knows neither, unless trained on "
        "such cells: use what lies in the plane"
    )


def open_remark(frame: Frame) -> str | None:
    """Sentence about a crystal that is not marked as one: its atoms would touch those of the next cell."""
    if frame.volume_ang3 < _SMALLEST_ANG3 * frame.n_atoms:
        return None
    axes = [k for k in range(3) if not frame.pbc[k] and _touches(frame, k)]
    return (
        f"not periodic along {' and '.join('abc'[k] for k in axes)}, where the atoms of the next cell would "
        "touch these: of a crystal this is only a piece, without its neighbors; mark its directions as "
        'periodic (extxyz: pbc="T T T", ASE: atoms.pbc = True)'
        if axes
        else None
    )


def _touches(frame: Frame, k: int) -> bool:
    """Whether an atom moved by a lattice vector is as far from the nearest one as atoms that touch."""
    from ase.data import covalent_radii
    from scipy.spatial import KDTree

    vector = frame.cell_ang[k]
    across = np.cross(frame.cell_ang[k - 2], frame.cell_ang[k - 1])
    heights = frame.positions_ang @ (across * np.sign(across @ vector) / np.linalg.norm(across))
    if abs(np.ptp(heights) * np.linalg.norm(across) / frame.volume_ang3 - 1.0) < _SHRUNK:
        return False
    low = np.flatnonzero(heights < heights.min() + _DEPTH_ANG)
    high = np.flatnonzero(heights > heights.max() - _DEPTH_ANG)
    several = list(range(1, min(_NEAREST, len(high)) + 1))  # the nearest is not always the one that touches
    apart, near = KDTree(frame.positions_ang[high]).query(frame.positions_ang[low] + vector, several)
    radii = covalent_radii[frame.numbers]
    closest = (apart / (radii[low][:, None] + radii[high[near]])).min()
    return bool(_TOUCHING[0] < closest < _TOUCHING[1])
