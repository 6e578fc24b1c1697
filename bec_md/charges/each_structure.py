"""Constant tensors for sets of structures, where one binding to the first frame does not serve the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from bec_md.charges.born import ReferenceCharges
from bec_md.charges.source import ChargeBatch, ChargeSource
from bec_md.errors import DataError
from bec_md.structure import Frame

#: Change of a cell, of its longest vector, below which it is the same one, breathing; and up to which atoms
#: that no longer match a reference keep the tensors that they had.
BREATHING, SAME_CRYSTAL = 0.005, 0.05


class EachStructure:
    """Bind constant tensors anew wherever the atoms, their order or the cell are others.

    Parameters
    ----------
    source
        Tensors that are not yet bound (`ChargeSource.prepare`), the same in every frame of a trajectory.
    first
        The first structure.

    Raises
    ------
    DataError
        If they do not fit it.
    """

    constant = False

    def __init__(self, source: ChargeSource, first: Frame) -> None:
        self._source, self._frame = source, first
        self._bound = source.prepare(first)
        self.name, self.fingerprint, self.notes = source.name, source.fingerprint, self._bound.notes

    def prepare(self, frame: Frame) -> ChargeSource:
        """Return the same, bound to another first structure."""
        return EachStructure(self._source, frame)

    def evaluate(self, frames: Sequence[Frame]) -> ChargeBatch:
        """Return the tensors of these frames, which hold equally many atoms."""
        pairs = [(self._bound_to(frame), frame) for frame in frames]
        return ChargeBatch.joined(
            [
                same[0][0].evaluate([frame for _, frame in same])
                for same in (list(run) for _, run in groupby(pairs, key=lambda pair: id(pair[0])))
            ]
        )

    def _bound_to(self, frame: Frame) -> ChargeSource:
        before = self._frame
        change = np.abs(frame.cell_ang - before.cell_ang).max() / (np.abs(before.cell_ang).max() or 1.0)
        same_atoms = np.array_equal(frame.numbers, before.numbers)
        if same_atoms and change < BREATHING:
            return self._bound
        if not same_atoms and isinstance(self._source, ReferenceCharges) and self._source.structure is None:
            raise DataError(
                f"frame {frame.index} holds other atoms than frame {before.index}, or in another order",
                f"the tensors of {self._source.path.name} are taken atom by atom, without their structure",
                "name the structure that they belong to: `charges=born:BORN,POSCAR`",
            )
        try:
            self._bound, self._frame = self._source.prepare(frame), frame
        except DataError:
            if not same_atoms or change > SAME_CRYSTAL:
                raise
        return self._bound
