r"""Born effective charges themselves: 0e + 1e + 2e of the last state as a 3×3 tensor of each atom.

.. math:: Z_{i,ab} = q(Z_i) δ_{ab} + \sum_{lm} B_{ab,lm} \sum_k w_{lk} s_{i,lmk} - \frac{1}{N}(…)

The acoustic sum rule Σ_i Z_i = Q·1 is imposed at the end. Nothing makes such tensors the derivative of a
polarization; `dipole` does.

Reference: Kutana, Shimizu, Asahi and Watanabe 2025 (Born effective charges from an equivariant network).
"""

from __future__ import annotations

import torch
from torch import Tensor

from bec_md.network.config import NetworkConfig, ReadoutConfig
from bec_md.network.coupling import ExactTable
from bec_md.network.graph import Graph
from bec_md.network.products import TENSOR_IRREPS, ChannelMixing, Features, cartesian_basis
from bec_md.network.readouts.base import Readout, atoms_of_frames, element_charges, sum_over_frames


class Charges(Readout):
    """Z*[i, a, b] = ∂M_a/∂u_ib of every atom, e."""

    name = "charges"
    output = "charges"

    def __init__(self, readout: ReadoutConfig, network: NetworkConfig) -> None:
        super().__init__(readout, network)
        self.mix = ChannelMixing(dict.fromkeys(TENSOR_IRREPS, network.channels), readout.members, scale=0.3)
        self.reference_charge = element_charges(network)
        self._basis = ExactTable(cartesian_basis())

    def forward(self, species: Tensor, state: Features) -> Tensor:
        """Tensors of the members before the sum rule, (N, M, 3, 3)."""
        parts = self.mix(state)  # (N, 2l+1, M) for 0e, 1e, 2e
        scalar = TENSOR_IRREPS[0]
        parts[scalar] = parts[scalar] + self.reference_charge[species][:, None, None]
        spherical = torch.cat([parts[ir] for ir in TENSOR_IRREPS], dim=1)  # (N, 9, M)
        return torch.einsum("abc,ncm->nmab", self._basis.like(spherical), spherical)

    def finish(self, shares: Tensor, species: Tensor, graph: Graph) -> Tensor:
        """Tensors that obey the sum rule, (N, M, 3, 3)."""
        return impose_sum_rule(shares, graph)

    def start(self, element_means: dict[int, float]) -> None:
        """Begin with the mean charge of each element."""
        with torch.no_grad():
            for row, mean in element_means.items():
                self.reference_charge[row] = mean


def impose_sum_rule(members: Tensor, graph: Graph) -> Tensor:
    """Subtract from every atom's tensors (N, M, 3, 3) its equal share of Σ_i Z_i − Q·1."""
    total = sum_over_frames(members, graph)
    count = atoms_of_frames(members, graph)[:, None, None, None]
    identity = torch.eye(3, dtype=members.dtype, device=members.device)
    excess = (total - graph.total_charge[:, None, None, None] * identity) / count
    return members - excess[graph.frame]
