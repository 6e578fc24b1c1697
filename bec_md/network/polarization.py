r"""The network that predicts a polarization: Z* is its derivative.

The read-out is a dipole p_i, linear in the vectors of the last state, and

    Z_i,ab = q(Z_i) δ_ab + ∂/∂u_ib Σ_j p_j,a ,

so that ∮ Σ Z·du = 0 on every closed path of the atoms: what the network may say is smaller by all the tensor
fields that are nobody's derivative, and from a few dozen frames it learns more than the direct read-out
(docs/accuracy.md). Evaluation costs three backward passes in PyTorch. As a `teacher` in the training
configuration it labels as many structures as a direct, fast network needs to learn part of what it knows.

References: Resta 1994 (polarization as the integral of a current); Falletta et al. 2025 (Z* as derivative of
one learned function); Hinton, Vinyals and Dean 2015 (distillation).
"""

from __future__ import annotations

import math
from dataclasses import fields, replace

import torch
from e3nn import o3
from torch import Tensor, nn

from bec_md.network.config import NetworkConfig
from bec_md.network.graph import Graph
from bec_md.network.model import Backbone, NetworkOutput, ZStarNetwork, impose_sum_rule

VECTOR = o3.Irrep("1o")


class PolarizationNetwork(Backbone):
    """Born effective charges as the derivative of Σ_j p_j, and ε_∞ of every frame."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.dipole = nn.Parameter(0.3 * torch.randn(config.channels) / math.sqrt(config.channels))

    def forward(self, graph: Graph) -> NetworkOutput:
        """Predict a batch; works where gradients are switched off, too."""
        with torch.inference_mode(False), torch.enable_grad():
            graph = Graph(*(getattr(graph, field.name).clone() for field in fields(graph)))
            graph = replace(graph, vectors=graph.vectors.requires_grad_(True))
            dipoles, eps_inf = self.dipoles(graph)
            rows = [
                torch.autograd.grad(dipoles[:, a].sum(), graph.vectors, retain_graph=True)[0]  # (E, 3)
                for a in range(3)
            ]
        tensors = torch.stack([sum_to_atoms(row, graph) for row in rows], dim=1)  # (N, 3, 3)
        species = self.element_index[graph.numbers]
        identity = torch.eye(3, dtype=tensors.dtype, device=tensors.device)
        tensors = tensors + self.reference_charge[species].detach()[:, None, None] * identity
        tensors = impose_sum_rule(tensors[:, None], graph)[:, 0]
        return NetworkOutput(tensors, tensors[:, None], eps_inf.detach())

    def dipoles(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """Dipole of each atom (N, 3) in e Å, up to its charge times its position, and ε_∞ (B, 3, 3)."""
        _, state = self.describe(graph)
        return state[VECTOR] @ self.dipole, self.dielectric(graph, state)  # (N, 3)

    def projected(self, graph: Graph, direction: Tensor) -> tuple[Tensor, Tensor]:
        """Σ_a e_a Z_i,ab for one direction of the polarization in each frame, to be trained on.

        One backward pass instead of three; in the mean over unit vectors e, 3 |Σ_a e_a Z_i,ab|² is |Z_i|².

        Parameters
        ----------
        graph
            The batch.
        direction
            e (B, 3), unit vectors.

        Returns
        -------
        projection, eps_inf
            (N, 3) in e and (B, 3, 3), both differentiable by the weights.
        """
        graph = replace(graph, vectors=graph.vectors.detach().requires_grad_(True))
        along = direction[graph.frame]  # (N, 3)
        dipoles, eps_inf = self.dipoles(graph)
        (gradient,) = torch.autograd.grad((dipoles * along).sum(), graph.vectors, create_graph=True)
        rows = sum_to_atoms(gradient, graph)  # (N, 3)
        species = self.element_index[graph.numbers]
        rows = rows + self.reference_charge[species][:, None] * along
        total = rows.new_zeros(graph.n_frames, 3).index_add(0, graph.frame, rows)
        count = torch.bincount(graph.frame, minlength=graph.n_frames).to(rows)
        excess = (total - graph.total_charge[:, None] * direction) / count[:, None]
        return rows - excess[graph.frame], eps_inf


def sum_to_atoms(gradient: Tensor, graph: Graph) -> Tensor:
    """Derivative by the positions of the atoms (N, 3) from that by the vectors of the edges (E, 3)."""
    index = torch.cat([graph.sender, graph.receiver])
    zeros = gradient.new_zeros(graph.n_atoms, 3)
    total: Tensor = torch.index_add(zeros, 0, index, torch.cat([gradient, -gradient]))
    return total


def random_directions(count: int, seed: int, step: int, like: Tensor) -> Tensor:
    """Unit vectors (B, 3) that depend on seed and step alone, so that a resumed run repeats them."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
    vectors = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(vectors, dim=1).to(like)


Network = ZStarNetwork | PolarizationNetwork


def make_network(config: NetworkConfig) -> Network:
    """Build the network of a configuration, with random weights."""
    return PolarizationNetwork(config) if config.readout == "polarization" else ZStarNetwork(config)
