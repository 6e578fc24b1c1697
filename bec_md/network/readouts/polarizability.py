r"""Electronic permittivity of a frame from polarizabilities of its atoms.

.. math:: ε_∞ = 1 + \frac{1}{V} \sum_i α_i

The isotropic part of :math:`α_i` is positive, the anisotropy a share of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bec_md.network.config import NetworkConfig, ReadoutConfig
from bec_md.network.coupling import ExactTable
from bec_md.network.graph import Graph
from bec_md.network.products import TENSOR_IRREPS, ChannelMixing, Features, cartesian_basis
from bec_md.network.readouts.base import Readout, sum_over_frames

SCALAR, _, TRACELESS = TENSOR_IRREPS
#: Å³ of an atom whose output is zero.
UNIT_ANG3 = 50.0


class Polarizability(Readout):
    """ε_∞ of every frame."""

    name = "polarizability"
    output = "eps_inf"

    def __init__(self, readout: ReadoutConfig, network: NetworkConfig) -> None:
        super().__init__(readout, network)
        self.size = nn.Linear(network.channels, 1)
        self.anisotropy = ChannelMixing({TRACELESS: network.channels}, 1, scale=0.3)
        self._basis = ExactTable(cartesian_basis()[:, :, 4:])

    def forward(self, species: Tensor, state: Features) -> Tensor:
        """α of each atom, (N, 1, 3, 3), Å³."""
        size = torch.exp(self.size(state[SCALAR][:, 0]))  # (N, 1)
        traceless = self.anisotropy(state)[TRACELESS][:, :, 0]  # (N, 5)
        alpha = torch.einsum("abc,nc->nab", self._basis.like(size), size * traceless)
        alpha = alpha + size[:, :, None] * torch.eye(3, dtype=size.dtype, device=size.device)
        return UNIT_ANG3 * alpha[:, None]

    def finish(self, shares: Tensor, species: Tensor, graph: Graph) -> Tensor:
        """ε_∞ = 1 + Σ α/V, (B, 3, 3); NaN, with finite derivatives, where there is no cell."""
        total = sum_over_frames(shares[:, 0], graph)
        volume, none = graph.volume_ang3[:, None, None], graph.volume_ang3[:, None, None] == 0.0
        electronic = total / volume.masked_fill(none, torch.inf)
        return (torch.eye(3, dtype=total.dtype, device=total.device) + electronic).masked_fill(
            none, torch.nan
        )
