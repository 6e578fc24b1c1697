"""Accumulated cross-power of groups with the total current: what every estimator sums up.

Symmetric components (`symmetric_tensor.VOIGT`) of Re(X_a Y_b*), which is the time-even, index-symmetric
part: all that survives in equilibrium (Onsager).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bec_md.arrays import Array, Complex
from bec_md.spectrum.response.symmetric_tensor import VOIGT


def add_symmetric(target: Array, x: Complex, y: Complex) -> None:
    """Add ½ Re(X_a Y_b* + X_b Y_a*) of x, y (3, F) to target (6, F)."""
    for component, (a, b) in enumerate(VOIGT):
        if a == b:
            target[component] += x[a].real * y[a].real
            target[component] += x[a].imag * y[a].imag
        else:
            target[component] += 0.5 * (x[a].real * y[b].real + x[a].imag * y[b].imag)
            target[component] += 0.5 * (x[b].real * y[a].real + x[b].imag * y[a].imag)


class CrossPower:
    """Running sums of cross-power spectra.

    Parameters
    ----------
    n_groups, n_members, n_freq
        Sizes; ``n_groups = 0`` keeps the total only.
    n_blocks
        Number of consecutive stretches kept apart for the jackknife (trace of the total only).
    matrix
        Also keep the group–group matrix (traces).
    """

    def __init__(self, n_groups: int, n_members: int, n_freq: int, n_blocks: int, matrix: bool) -> None:
        self.total = np.zeros((6, n_freq))
        self.partial = np.zeros((n_groups, 6, n_freq))
        self.auto = np.zeros((n_groups, 6, n_freq))
        self.members = np.zeros((n_members, n_freq))
        self.matrix = np.zeros((n_groups, n_groups, n_freq)) if matrix else np.zeros((0, 0, n_freq))
        self.blocks = np.zeros((n_blocks, n_freq))
        self.block_weight = np.zeros(n_blocks)

    def add_total(self, x: Complex, y: Complex, block: int, weight: float) -> None:
        """Add the total current's transforms (3, F) of one block or segment."""
        contribution = np.zeros_like(self.total)
        add_symmetric(contribution, x, y)
        self.total += contribution
        if self.blocks.shape[0]:
            self.blocks[block] += contribution[:3].sum(axis=0)
            self.block_weight[block] += weight

    def add_group(self, group: int, x: Complex, y: Complex, y_total: Complex) -> None:
        """Add one group's transforms (3, F): with the total, and with itself."""
        add_symmetric(self.partial[group], x, y_total)
        add_symmetric(self.auto[group], x, y)

    def add_matrix(self, x: Sequence[Complex], y: Sequence[Complex]) -> None:
        """Add all pairs of groups, traces; x and y hold one (3, F) transform per group."""
        for g in range(len(x)):
            for h in range(g, len(y)):
                trace = np.sum(x[g].real * y[h].real + x[g].imag * y[h].imag, axis=0)
                if g != h:
                    trace = 0.5 * trace
                    trace += 0.5 * np.sum(x[h].real * y[g].real + x[h].imag * y[g].imag, axis=0)
                self.matrix[g, h] += trace
                if g != h:
                    self.matrix[h, g] += trace

    def add_member(self, member: int, x: Complex, y: Complex) -> None:
        """Add one ensemble member's transforms (3, F), trace."""
        self.members[member] += np.sum(x.real * y.real + x.imag * y.imag, axis=0)
