r"""A polarization, whose derivatives are what is wanted: Born effective charges and the current.

Every atom has a dipole, linear in the vectors of the last state, and moves with a charge of its element:

.. math:: P = \sum_i q_i r_i + \sum_j p_j, \qquad
          Z_{i,ab} = q_i δ_{ab} + \frac{∂}{∂u_{ib}} \sum_j p_{j,a}, \qquad
          J = \frac{dP}{dt} = \sum_i q_i v_i + \sum_{jb} \frac{∂}{∂u_{jb}}\Bigl(\sum_k p_k\Bigr) v_{jb}

with :math:`q_i = q(Z_i) - (\sum_k q(Z_k) - Q)/N`. Hence ∮ Σ Z·du = 0 on every closed path of the atoms, and
the acoustic sum rule holds. What the network may say is smaller by all the tensor fields that are nobody's
derivative, and from a few dozen frames it learns more than `charges` (docs/accuracy.md).

The charges of the elements are fitted, or fixed to oxidation numbers. Then, in a cell whose oxidation numbers
add up to Q, an ion that moves by a lattice vector R takes the charge nR along with an integer n, whatever the
network has learned, and the DC conductivity of a system with a gap is that of the oxidation numbers.

References: Resta 1994 (polarization as the integral of a current); Falletta et al. 2025 (Z* as derivative of
one learned function); Grasselli and Baroni 2019 (charge transport by oxidation numbers).
"""

from __future__ import annotations

import math

import torch
from ase.data import chemical_symbols
from e3nn import o3
from torch import Tensor, nn

from bec_md.network.config import NetworkConfig, ReadoutConfig
from bec_md.network.graph import Graph
from bec_md.network.products import Features
from bec_md.network.readouts.base import Readout, atoms_of_frames, element_charges, sum_over_frames

VECTOR = o3.Irrep("1o")
#: Standard deviation of the members' random weights, those of their common part being 1.
SPREAD = 0.1


class Dipole(Readout):
    """Σ_j p_j of every frame, e Å; its derivative by the positions is Z*."""

    name = "dipole"
    output = "dipole"
    gradient = "charges"
    reference_charge: Tensor

    def __init__(self, readout: ReadoutConfig, network: NetworkConfig) -> None:
        super().__init__(readout, network)
        common = torch.randn(network.channels, 1) + SPREAD * torch.randn(network.channels, readout.members)
        self.weight = nn.Parameter(0.3 * common / math.sqrt(network.channels))
        self.fixed = readout.oxidation_numbers is not None
        if readout.oxidation_numbers is None:
            self.reference_charge = element_charges(network)
        else:
            numbers = [readout.oxidation_numbers[chemical_symbols[z]] for z in network.elements]
            self.register_buffer("reference_charge", torch.tensor(numbers, dtype=torch.get_default_dtype()))

    def forward(self, species: Tensor, state: Features) -> Tensor:
        """Dipole of each atom, (N, M, 3), up to its charge times its position."""
        return (state[VECTOR] @ self.weight).transpose(1, 2)

    def finish(self, shares: Tensor, species: Tensor, graph: Graph) -> Tensor:
        """Σ_j p_j, (B, M, 3)."""
        return sum_over_frames(shares, graph)

    def ionic(self, species: Tensor, graph: Graph) -> Tensor:
        """Charges q_i that move with the atoms, (N,) e; their sum over a frame is Q."""
        charge = self.reference_charge[species]
        excess = (sum_over_frames(charge, graph) - graph.total_charge) / atoms_of_frames(charge, graph)
        return charge - excess[graph.frame]

    def finish_gradient(
        self, gradient: Tensor, species: Tensor, graph: Graph, along: Tensor | None = None
    ) -> Tensor:
        """Z_i,ab = q_i δ_ab + ∂(Σ_j p_ja)/∂u_ib, (N, M, 3, 3), or its rows along e, (N, M, 1, 3)."""
        if along is None:
            moved = torch.eye(3, dtype=gradient.dtype, device=gradient.device)[None]  # (1, 3, 3)
        else:
            moved = along[:, None, :]  # (N, 1, 3)
        return gradient + (self.ionic(species, graph)[:, None, None] * moved)[:, None]

    def finish_rate(self, rate: Tensor, velocities: Tensor, species: Tensor, graph: Graph) -> Tensor:
        """J = Σ_i q_i v_i + dΣ_j p_j/dt, (B, M, G, 3) e Å/fs."""
        carried = self.ionic(species, graph)[:, None, None] * velocities  # (N, G, 3)
        return rate + sum_over_frames(carried, graph)[:, None]

    def start(self, element_means: dict[int, float]) -> None:
        """Begin with the mean charge of each element, unless the charges are fixed."""
        if self.fixed:
            return
        with torch.no_grad():
            for row, mean in element_means.items():
                self.reference_charge[row] = mean
