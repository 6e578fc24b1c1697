"""Crystals that nobody computed: those of a file, with one element exchanged for another of its column.

Exchanging chemically similar elements is how most new crystals are found (Hautier, Fischer, Ehrlacher, Jain
and Ceder 2011). A teacher labels them, so that its pupil meets many more compositions than were computed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from bec_md.errors import UsageError
from bec_md.network.familiarity import FEW_STRUCTURES
from bec_md.structure import Frame
from bec_md.structure.frame import reduced_formula

#: Atomic numbers of the noble gases, where rows of the periodic table end.
_ROW_ENDS = (0, 2, 10, 18, 36, 54, 86, 118)
#: Volume of an atom, Å³, between which those of a file are looked for.
_VOLUMES_ANG3 = (2.0, 200.0)
#: Standard deviation of the length of a new cell relative to that of the sum of atomic volumes.
STRAIN = 0.015


def column(number: int) -> int:
    """Column 1 to 18 of the periodic table; lanthanides and actinides are in the third."""
    end = next(index for index, last in enumerate(_ROW_ENDS) if number <= last)
    before, after = _ROW_ENDS[end - 1], _ROW_ENDS[end]
    place = number - before
    if place <= 2 and number != 2:
        return place
    if after - number <= 5:
        return 18 - (after - number)
    return place if after - before == 18 else max(3, place - 14)


@dataclass(frozen=True, slots=True)
class Substitution:
    """Elements of a file that stand for each other, and what room each takes.

    Parameters
    ----------
    volumes_ang3
        Volume by atomic number, Å³, whose sums fit the cells of the file best (least squares of the relative
        difference).
    partners
        Others of the same column by atomic number.
    """

    volumes_ang3: dict[int, float]
    partners: dict[int, list[int]]

    @classmethod
    def of(cls, frames: Sequence[Frame], where: str) -> Substitution:
        """Elements of at least 20 of the structures, but for hydrogen, and their volumes.

        Raises
        ------
        UsageError
            If a structure is no crystal, or no two of these elements share a column.
        """
        if any(not frame.pbc.all() for frame in frames):
            raise UsageError(
                f"{where}: elements cannot be exchanged in structures that are not periodic",
                "atomic volumes are fitted to the cells of crystals",
                "leave out substitute",
            )
        sizes = [frame.n_atoms for frame in frames]
        numbers = np.concatenate([frame.numbers for frame in frames])
        pairs = np.unique(np.stack([np.repeat(np.arange(len(frames)), sizes), numbers]), axis=1)
        found = dict(zip(*(one.tolist() for one in np.unique(pairs[1], return_counts=True)), strict=True))
        kinds = sorted(found)
        counts = np.array([[np.count_nonzero(frame.numbers == z) for z in kinds] for frame in frames])
        volumes = np.array([frame.volume_ang3 for frame in frames])
        fit = lsq_linear(counts / volumes[:, None], np.ones(len(frames)), bounds=_VOLUMES_ANG3)
        usual = [z for z in kinds if found[z] >= FEW_STRUCTURES and z != 1]
        partners = {z: [y for y in usual if y != z and column(y) == column(z)] for z in usual}
        partners = {z: others for z, others in partners.items() if others}
        if not partners:
            raise UsageError(
                f"{where}: no elements to exchange",
                f"that takes two of one column, each in {FEW_STRUCTURES} or more structures",
                "leave out substitute",
            )
        return cls(dict(zip(kinds, fit.x.tolist(), strict=True)), partners)

    def exchanged(
        self, frame: Frame, generator: np.random.Generator, without: Collection[str] = ()
    ) -> Frame | None:
        """Copy with one element, drawn at random, exchanged, in a cell of the new volume.

        Parameters
        ----------
        frame
            Of the file.
        generator
            Draws elements, and a strain of 1.5 %.
        without
            Reduced formulas that are not made.

        Returns
        -------
        Frame or None
            None if nothing in the frame can be exchanged for what is not in it.
        """
        present = set(frame.numbers.tolist())
        pairs = [(z, y) for z in sorted(present) for y in self.partners.get(z, ()) if y not in present]
        old = sum(self.volumes_ang3[z] for z in frame.numbers.tolist())
        for index in generator.permutation(len(pairs)):
            z, y = pairs[index]
            numbers = np.where(frame.numbers == z, y, frame.numbers)
            new = sum(self.volumes_ang3[number] for number in numbers.tolist())
            stretch = (new / old) ** (1 / 3) * generator.normal(1.0, STRAIN)
            if reduced_formula(numbers) not in without:
                return Frame(
                    positions_ang=frame.positions_ang * stretch,
                    cell_ang=frame.cell_ang * stretch,
                    pbc=frame.pbc,
                    numbers=numbers,
                    total_charge=frame.total_charge,
                    index=frame.index,
                )
        return None
