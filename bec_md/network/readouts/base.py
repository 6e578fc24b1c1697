r"""What every read-out is: a share of each atom, made of its last state, and what becomes of the shares.

A property :math:`Y` of a frame or its atoms is made in two steps, the atoms' shares :math:`y_i` (`forward`)
and the property itself (`finish`). Of some properties the derivatives are wanted, by the positions
(:math:`∂Y/∂u`, Z* of a polarization) or by time along given velocities (:math:`dY/dt`, the current): then
`finish_gradient` and `finish_rate` add what the shares do not contain.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from bec_md.network.config import NetworkConfig, ReadoutConfig
from bec_md.network.graph import Graph
from bec_md.network.products import Features


class Readout(nn.Module):
    """A property of the atoms or of the frame; subclasses say which."""

    name: ClassVar[str]
    """In configurations and model files."""
    output: ClassVar[str]
    """What `finish` gives, by its name in predictions."""
    gradient: ClassVar[str | None] = None
    """What the derivative by the positions gives, if that is what is wanted."""

    def __init__(self, readout: ReadoutConfig, network: NetworkConfig) -> None:
        super().__init__()
        self.members = readout.members

    def forward(self, species: Tensor, state: Features) -> Tensor:
        """Share of each atom, (N, M, …) for M members of an ensemble.

        Parameters
        ----------
        species
            (N,) row of each atom's element in the tables.
        state
            Last state of the atoms, (N, 2l+1, K) for each irrep.
        """
        raise NotImplementedError

    def finish(self, shares: Tensor, species: Tensor, graph: Graph) -> Tensor:
        """Make the property of the shares of all atoms."""
        raise NotImplementedError

    def finish_gradient(
        self, gradient: Tensor, species: Tensor, graph: Graph, along: Tensor | None = None
    ) -> Tensor:
        """Make the derivative by the positions of that of the shares, both (N, M, C, 3).

        Parameters
        ----------
        gradient
            ∂(Σ_j y_jc)/∂u_ib.
        along
            (N, 3) unit vectors e: the gradient is Σ_c e_c ∂(Σ_j y_jc)/∂u_ib, C = 1, and so is the result.
        """
        raise NotImplementedError

    def finish_rate(self, rate: Tensor, velocities: Tensor, species: Tensor, graph: Graph) -> Tensor:
        """Make the rate of change (B, M, G, C) of that of the shares, given the velocities (N, G, 3)."""
        raise NotImplementedError

    def start(self, element_means: dict[int, float]) -> None:
        """Begin the training with the mean charges of the elements' rows, e; most properties need none."""


def sum_over_frames(values: Tensor, graph: Graph) -> Tensor:
    """Σ over the atoms of each frame: (N, …) → (B, …)."""
    return values.new_zeros(graph.n_frames, *values.shape[1:]).index_add(0, graph.frame, values)


def atoms_of_frames(like: Tensor, graph: Graph) -> Tensor:
    """Number of atoms of each frame, (B,)."""
    return sum_over_frames(like.new_ones(graph.n_atoms), graph)


def element_charges(network: NetworkConfig) -> nn.Parameter:
    """A charge for each element, e, (elements,), zero before the training."""
    return nn.Parameter(torch.zeros(len(network.elements)))
