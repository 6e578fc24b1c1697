"""Currents of molecules that stretch, that bend and that move as a whole, with their known mean squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.current.fields import INTERNAL
from bec_md.errors import DataError
from bec_md.spectrum.estimators.blocks import CurrentBlocks, rows
from bec_md.spectrum.estimators.control_variates import KnownSquare


def has_internal(blocks: CurrentBlocks) -> bool:
    """Whether the currents of the internal motion of molecules are stored."""
    return all(s.internal_current is not None for s in blocks.series)


def internal_parts(whole: KnownSquare, thermal: float) -> list[KnownSquare]:
    """Divide a current into stretching, bending and what is left, each with its known mean square.

    Parameters
    ----------
    whole
        The current.
    thermal
        k_B T in amu Å²/fs².

    Raises
    ------
    DataError
        If the current was computed without them.
    """
    blocks = whole.blocks
    if not has_internal(blocks):
        raise DataError(
            "a current without the internal motion of molecules",
            "`control_variates=molecules` needs the parts that stretch and that bend",
            "compute the current with `motions=molecules`",
        )
    squares = np.zeros((len(INTERNAL), 3))
    for series, length in zip(blocks.series, blocks.lengths, strict=True):
        assert series.internal_zz_over_mass is not None  # stored with the currents
        known = np.asarray(series.internal_zz_over_mass[:], dtype=float)
        known = known[~np.isnan(known[:, 0, 0, 0])]
        mean = known.mean(axis=0) if len(known) else np.full(known.shape[1:], np.nan)
        squares += thermal * length / sum(blocks.lengths) * np.einsum("kaa->ka", mean)
    exact = [*squares, whole.exact - squares.sum(axis=0)]
    return [
        KnownSquare(InternalBlocks(blocks.series, blocks.sum_rules, kind=kind), square)
        for kind, square in enumerate(exact)
    ]


@dataclass(frozen=True, kw_only=True)
class InternalBlocks(CurrentBlocks):
    """The part of a current that one kind of motion carries.

    Parameters
    ----------
    kind
        Number in `INTERNAL`, or the next one for the rest.
    """

    kind: int

    def currents(self, replica: int, start: int, stop: int) -> Array:
        """Return the current of the kind, (n, 1, 3)."""
        internal = rows(self.series[replica].internal_current, start, stop)
        if self.kind < len(INTERNAL):
            return internal[:, self.kind : self.kind + 1]
        whole = super().currents(replica, start, stop).sum(axis=1, keepdims=True)
        return np.asarray(whole - internal.sum(axis=1, keepdims=True))

    @property
    def has_polarization(self) -> bool:
        """No: the part's own M is the integral of its current."""
        return False
