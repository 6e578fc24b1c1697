r"""Loss of a network whose Z* is a derivative: one random direction of the polarization in each frame.

The rows :math:`Σ_a e_a Z_{i,ab}` cost one backward pass instead of three for each member of the ensemble, and
in the mean over unit vectors e, :math:`3\,|Σ_a e_a ΔZ_{i,ab}|^2` is :math:`|ΔZ_i|^2`. Most steps see the rows
of the mean of the members. Every few steps see those of two members instead, drawn anew in each frame: their
middle takes the place of the mean, and their distance is trained by the energy score,

.. math:: S = \tfrac12 (|x - y| + |x' - y|) - \tfrac12 |x - x'| ,

which is proper: in the mean over labels y it is least where x, x' and y are drawn alike.

Reference: Gneiting and Raftery 2007, Eq. 22 (energy score); Kellner and Ceriotti 2024 (shallow ensembles).
"""

from __future__ import annotations

import torch
from torch import Tensor

#: One step in so many is about two members.
SPREAD_EVERY = 4
#: Differences of rows below this are not told apart, e.
SMOOTH_E = 1e-4


def step_generator(seed: int, step: int) -> torch.Generator:
    """Random numbers that depend on seed and step alone, so that a resumed run repeats them."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)


def random_directions(count: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Unit vectors, (B, 3)."""
    vectors = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1).to(like)


def random_pairs(count: int, members: int, generator: torch.Generator, like: Tensor) -> list[Tensor]:
    """Two different members of M in each frame, as two mixes (B, M) of ones and zeros."""
    first = torch.randint(members, (count,), generator=generator)
    second = (first + torch.randint(1, members, (count,), generator=generator)) % members
    return [torch.nn.functional.one_hot(index, members).to(like) for index in (first, second)]


def energy_score(first: Tensor, second: Tensor, labels: Tensor, *, detach_mean: bool) -> Tensor:
    """Energy score of two members for each atom, up to a constant.

    Parameters
    ----------
    first, second, labels
        Rows (N, 3), e.
    detach_mean
        Train the distance of the members alone, not their middle.
    """
    middle, half = (first + second) / 2, (first - second) / 2
    residual = labels - (middle.detach() if detach_mean else middle)

    def norm(vector: Tensor) -> Tensor:
        """Return |v|, smooth at zero; with √(|v|² + c²) in place of |v| the score is proper, too."""
        return torch.sqrt(vector.square().sum(dim=-1) + SMOOTH_E**2)

    return (norm(half - residual) + norm(half + residual)) / 2 - norm(2 * half) / 2
