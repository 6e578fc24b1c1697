r"""P(t) followed from frame to frame, of a model whose tensors are the derivatives of a polarization.

The model gives :math:`P = \sum_i q_i r_i + \sum_j p_j` of the positions as they are stored. Atoms that a
program has wrapped would make it jump; its change between two frames is

.. math:: ΔP = P(t + Δ) - P(t) + \sum_i q_i [u_i - r_i(t + Δ) + r_i(t)]

with the minimum-image displacement u. Rows are these changes, which depend on two neighboring frames alone:
wherever a computation is cut into pieces, they add up to the same P(t).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from bec_md.arrays import Array
from bec_md.trajectory.velocities import midpoint_displacement

if TYPE_CHECKING:
    from bec_md.structure import Frame


class Continuous:
    """Rows of changes of P; the first row of a trajectory is P itself.

    Parameters
    ----------
    charges_e
        (N,) charges that move with the atoms, e.
    midpoint
        Rows lie between frames, and are means of P of the two.
    """

    def __init__(self, charges_e: Array, *, midpoint: bool) -> None:
        self._charges, self._midpoint = charges_e, midpoint
        self._last: tuple[Frame, Array] | None = None
        self._half: Array | None = None  # of a midpoint: what half a step is added to

    def begin_after(self, frame: Frame, polarization: Array) -> None:
        """Take the frame before the first one, with its P, (3,)."""
        self._last = frame, polarization

    def rows(self, frames: Iterable[Frame], polarization: Array) -> Array:
        """Return the rows that come with more frames and their P, (F, 3); the last frame may be repeated."""
        found = []
        for frame, moment in zip(frames, polarization, strict=True):
            if self._last is None:
                if self._midpoint:
                    self._half = moment
                else:
                    found.append(moment)
            elif frame is self._last[0]:
                continue
            else:
                step = self._step(frame, moment)
                if not self._midpoint:
                    found.append(step)
                elif self._half is not None:
                    found.append(self._half + 0.5 * step)
                if self._midpoint:
                    self._half = 0.5 * step
            self._last = frame, moment
        return np.array(found).reshape(-1, 3)

    def _step(self, frame: Frame, moment: Array) -> Array:
        assert self._last is not None
        before, old = self._last
        images = midpoint_displacement(before, frame) - (frame.positions_ang - before.positions_ang)
        change: Array = moment - old + self._charges @ images
        return change
