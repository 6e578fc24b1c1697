"""What is odd about a structure, whatever a model is sure of: vacuum, overlapping atoms, a net charge."""

from __future__ import annotations

import numpy as np

from bec_md.network.vacuum import vacuum_remark
from bec_md.structure import Frame
from bec_md.structure.neighbors import neighbor_list

#: No two atoms of matter are closer than this part of the sum of their covalent radii (in hot liquids 0.7).
OVERLAPPING = 0.5
#: Share of the net charge that an atom may have by the sum rule without a word, e.
_SHARE_E = 0.02


def oddities(model: str, frame: Frame) -> list[str]:
    """Sentences about a structure whose tensors are to be doubted.

    Parameters
    ----------
    model
        Name of the model.
    frame
        The structure.
    """
    found = (vacuum_remark(model, frame), overlap_remark(frame), charge_remark(model, frame))
    return [remark for remark in found if remark]


def overlap_remark(frame: Frame) -> str | None:
    """Sentence about the closest two atoms where they overlap, None where none do."""
    from ase.data import chemical_symbols, covalent_radii

    radii = covalent_radii[np.clip(frame.numbers, 0, len(covalent_radii) - 1)]
    pairs = neighbor_list()(cutoff=2 * OVERLAPPING * float(radii.max()), full_list=False)
    try:
        first, second, apart = pairs.compute(
            points=np.ascontiguousarray(frame.positions_ang),
            box=np.where(frame.pbc[:, None], frame.cell_ang, 0.0),
            periodic=frame.pbc,
            quantities="ijd",
        )
    except RuntimeError:  # no cell, or no positions: the model refuses them in words
        return None
    first, second = first.astype(np.int64), second.astype(np.int64)
    ratios = apart / (radii[first] + radii[second])
    if not (ratios < OVERLAPPING).any():
        return None
    pair = int(ratios.argmin())
    i, j = int(first[pair]), int(second[pair])
    names = [f"{atom} ({chemical_symbols[frame.numbers[atom]]})" for atom in (i, j)]
    return (
        f"atoms {names[0]} and {names[1]} are {apart[pair]:.2f} Å apart, {ratios[pair]:.2f} of the sum of "
        "their covalent radii, closer than in any matter: is an atom there twice, or the cell another one? "
        "What a model says of atoms near them means nothing"
    )


def charge_remark(model: str, frame: Frame) -> str | None:
    """Sentence about a net charge that is more than a defect's in a large cell."""
    share = frame.total_charge / frame.n_atoms
    if abs(share) < _SHARE_E:
        return None
    return (
        f"net charge {frame.total_charge:+g} e: by the sum rule every one of {frame.n_atoms} atoms has "
        f"{share:+.2g} e of it; where it is, {model} does not know, unless trained on such cells"
    )
