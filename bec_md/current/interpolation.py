r"""Interpolate tensors in time between the frames at which they were evaluated.

Legend: key, a frame whose tensors are known; nodes, the keys around a frame.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from bec_md.arrays import Array


def node_window(keys: Sequence[int], frame: int, cubic: bool) -> tuple[int, int]:
    """Return the range of positions in `keys` that a frame is interpolated from.

    Two keys around the frame for linear interpolation, four for cubic; at the ends of the trajectory
    those that exist. A frame that is a key needs itself only.

    Parameters
    ----------
    keys
        Frame numbers, ascending; the first is not after `frame`, the last not before it.
    frame
        Frame number.
    cubic
        Cubic rather than linear.
    """
    left = bisect_right(keys, frame) - 1
    if keys[left] == frame:
        return left, left + 1
    reach = 1 if cubic else 0
    return max(0, left - reach), min(len(keys), left + 2 + reach)


def lagrange_weights(nodes: Sequence[int], frame: int) -> Array:
    r"""Return the weights :math:`w_k = \prod_{l \ne k} (f - n_l)/(n_k - n_l)` of the nodes.

    Parameters
    ----------
    nodes
        Frame numbers of the nodes.
    frame
        Frame number f to interpolate at.

    Returns
    -------
    (K,) weights that sum to 1.
    """
    weights = np.ones(len(nodes))
    for k, node in enumerate(nodes):
        for other in nodes:
            if other != node:
                weights[k] *= (frame - other) / (node - other)
    return weights


def weighted_sum(weights: Array, arrays: Sequence[Array]) -> Array:
    """Return the sum of arrays with weights, term by term in the order given."""
    out = weights[0] * arrays[0]
    for weight, array in zip(weights[1:], arrays[1:], strict=True):
        out += weight * array
    return np.asarray(out)
