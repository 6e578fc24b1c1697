r"""Whether positions and cell can be in Å: how far atoms lie from their nearest neighbors, and how densely.

In condensed matter an atom touches its nearest neighbor: their distance over the sum of their covalent radii
is 0.8 to 1.3 in molecules, oxides, salts and metals (only noble gases keep away from one another). All atoms
near 1.89 or 0.53 are lengths in bohr that were read as Å, or the reverse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.trajectory.reader import place
from bec_md.trajectory.velocities import minimum_image

#: Atoms whose neighbors are looked for, and pairs at most.
_ATOMS, _PAIRS = 48, 400_000
#: Fewer atoms say nothing.
_FEW = 8
#: Distances over touching ones, of nearly all atoms, that are those of bohr read as Å and of the reverse.
_BOHR_AS_ANG, _ANG_AS_BOHR = (1.35, 2.5), (0.36, 0.7)
#: Volume of atoms (covalent spheres) over that of the cell that no pressure makes: tungsten has 1.1, lengths
#: in nm a thousand times as much as those in Å, lengths that were divided by 1.89 seven times.
_DENSEST = 20.0
_NOBLE = (2, 10, 18, 36, 54, 86)


def contact_ratios(frame: Frame) -> NDArray[np.float64]:
    """Distance of some atoms to their nearest neighbor over the sum of the covalent radii of the two."""
    from ase.data import covalent_radii

    atoms = np.flatnonzero(frame.numbers > 0)
    if len(atoms) < 2:
        return np.empty(0)
    radii = covalent_radii[frame.numbers[atoms]]
    count = min(_ATOMS, max(_PAIRS // len(atoms), 4), len(atoms))
    some = np.unique(np.linspace(0, len(atoms) - 1, count).astype(int))
    positions = frame.positions_ang[atoms]
    apart = positions[some][:, None] - positions[None]
    distances = np.linalg.norm(minimum_image(apart, frame.cell_ang, frame.pbc), axis=2)
    ratios = distances / (radii[some][:, None] + radii[None])
    ratios[np.arange(len(some)), some] = np.inf
    return np.asarray(ratios.min(axis=1))


def check_lengths(frame: Frame, source: str) -> str | None:
    """Say in a warning that lengths look like those of another unit.

    Raises
    ------
    DataError
        If the atoms do not fit into the cell.
    """
    from ase.data import covalent_radii

    known = frame.numbers[(frame.numbers > 0) & (frame.numbers < len(covalent_radii))]
    packed = 4.0 / 3.0 * np.pi * float((covalent_radii[known] ** 3).sum()) / (frame.volume_ang3 or np.inf)
    if packed > _DENSEST:
        raise DataError(
            f"{place(source, frame.index)}: {frame.n_atoms} atoms in a cell of {frame.volume_ang3:.3g} Å³",
            f"the atoms alone, as spheres of their covalent radii, take {packed:.2g} times as much",
            "the lengths are in another unit (nm?), or the cell belongs to another structure: convert to Å",
        )
    if len(known) < _FEW or np.isin(known, _NOBLE).any():
        return None
    low, high = np.quantile(contact_ratios(frame), [0.2, 0.8])
    for window, what in ((_BOHR_AS_ANG, "bohr, read as Å"), (_ANG_AS_BOHR, "Å, read as bohr")):
        if window[0] < low and high < window[1]:
            return (
                f"nearest neighbors lie {low:.2g} to {high:.2g} times as far apart as atoms that touch "
                f"(covalent radii): the positions look like {what}; convert them if they are"
            )
    return None
