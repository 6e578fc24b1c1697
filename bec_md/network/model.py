r"""The backbone of the network: local environments → the state of every atom.

Each of the `layers` does the same four things, all tensor algebra on atoms and none on edges:

1. gather   A_i,klm = Σ_j R_kl(r_ij; Z_i, Z_j) h_jk Y_lm(r̂_ij)     neighbors send scalars h_jk
            T_i,klm = Σ_j R'_kl(r_ij; Z_i, Z_j) t_j,klm            and, optionally, a few tensors
2. product  B² = C (U A)⊗(V A), B³ = C B²⊗(W A)                    body orders three and four
3. update   s_i ← s_i + mix(A, B², B³)                             0e + 1o + 1e + 2e
4. gate     scalars pass through a perceptron, which also scales the other irreps

Properties are read out of the last state (`bec_md.network.readouts`), one set of weights for each member of a
shallow ensemble (Kellner and Ceriotti 2024).

References: Drautz 2019 (atomic cluster expansion); Batatia et al. 2022 (MACE).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from e3nn import o3
from torch import Tensor, nn

from bec_md.network.config import NetworkConfig
from bec_md.network.graph import Graph
from bec_md.network.messages import Messages
from bec_md.network.products import (
    STATE_IRREPS,
    ChannelMixing,
    ChannelwiseProduct,
    Features,
    add,
    bounded,
    natural_irreps,
    split,
)
from bec_md.network.radial import RadialNetwork, bessel_functions

SCALAR = o3.Irrep("0e")


class Edges:
    """Geometry of the edges, computed once for all layers."""

    def __init__(self, graph: Graph, config: NetworkConfig) -> None:
        self.receiver = graph.receiver
        self.sender = graph.sender
        self.n_atoms = graph.n_atoms
        self.r = torch.linalg.vector_norm(graph.vectors, dim=1)  # (E,)
        self.basis = bessel_functions(self.r, config.cutoff_ang, config.radial_functions)  # (E, n)
        degrees = list(range(config.l_max + 1))
        self.harmonics = o3.spherical_harmonics(
            degrees, graph.vectors, normalize=True, normalization="component"
        )  # (E, (l_max+1)²)

    def messages(self, irreps: Iterable[o3.Irrep]) -> Messages:
        """Sums over neighbors of what has these irreps."""
        return Messages(self.receiver, self.sender, self.n_atoms, tuple(ir.dim for ir in irreps))


class Layer(nn.Module):
    """Gather, product, update, gate."""

    def __init__(self, config: NetworkConfig, first: bool) -> None:
        super().__init__()
        width = config.channels
        self.first = first
        self.width = width
        self.norm = 1 / math.sqrt(config.mean_neighbors)
        self.gathered = natural_irreps(config.l_max)
        self.sent = () if first else tuple(ir for ir in STATE_IRREPS if ir.l > 0)
        self.sent_width = 0 if first else config.sent_tensor_channels
        radial_outputs = width * len(self.gathered) + self.sent_width * len(self.sent)
        self.radial = RadialNetwork(
            config.cutoff_ang, config.radial_functions, width, config.radial_width, radial_outputs
        )
        inputs = dict.fromkeys(self.gathered, width)
        if not first:
            self.send_scalars = nn.Linear(width, width)
            for ir in STATE_IRREPS:
                inputs[ir] = inputs.get(ir, 0) + width
            if self.sent_width:
                self.send_tensors = ChannelMixing(dict.fromkeys(self.sent, width), self.sent_width)
                for ir in self.sent:
                    inputs[ir] += self.sent_width
        self.left = ChannelMixing(inputs, width)
        self.middle = ChannelMixing(inputs, width)
        self.right = ChannelMixing(inputs, width)
        self.direct = ChannelMixing(inputs, width)
        order = tuple(sorted(inputs, key=lambda ir: (ir.l, ir.p)))
        self.square = ChannelwiseProduct(order, order, width)
        self.cube = ChannelwiseProduct(STATE_IRREPS, order, width)
        self.to_state = ChannelMixing(dict.fromkeys(STATE_IRREPS, 2 * width), width, scale=0.5)
        self.hidden = nn.Linear(2 * width, config.scalar_width)
        self.update = nn.Linear(config.scalar_width, width * len(STATE_IRREPS))

    def forward(self, edges: Edges, embedding: Tensor, state: Features) -> Features:
        """New state of the atoms, (N, 2l+1, K) for each irrep."""
        inputs = self.gather(edges, embedding, state)
        square = self.square(self.left(inputs), self.middle(inputs))
        cube = self.cube(square, self.right(inputs))
        products = {ir: torch.cat([square[ir], cube[ir]], dim=-1) for ir in STATE_IRREPS}
        update = add(self.direct(inputs), self.to_state(products))
        state = add(state, {ir: update[ir] for ir in STATE_IRREPS if ir in update})
        return self.gate(state, embedding)

    def gather(self, edges: Edges, embedding: Tensor, state: Features) -> Features:
        """What each atom learns from its neighbors, joined with what it knows of itself."""
        radial = self.radial(edges.r, edges.basis, embedding, edges.receiver, edges.sender)
        n_natural = len(self.gathered) * self.width
        scalars = radial[:, :n_natural].unflatten(1, (len(self.gathered), self.width))  # (E, l, K)
        if not self.first:
            sent = self.send_scalars(state[SCALAR][:, 0])  # (N, K)
            scalars = scalars * sent[edges.sender][:, None, :]
        natural = edges.messages(self.gathered).sum_harmonics(edges.harmonics, scalars)
        collected = {ir: [part] for ir, part in split(self.norm * natural, self.gathered).items()}
        if not self.first:
            for ir in STATE_IRREPS:
                collected.setdefault(ir, []).append(state[ir])
            if self.sent_width:
                tensors = self.send_tensors(state)
                weights = radial[:, n_natural:].unflatten(1, (len(self.sent), self.sent_width))
                joined = torch.cat([tensors[ir] for ir in self.sent], dim=1)  # (N, Σ(2l+1), K)
                arrived = edges.messages(self.sent).sum_tensors(joined, weights)
                for ir, part in split(self.norm * arrived, self.sent).items():
                    collected[ir].append(part)
        return bounded({ir: torch.cat(parts, dim=-1) for ir, parts in collected.items()})

    def gate(self, state: Features, embedding: Tensor) -> Features:
        """Perceptron on the scalars; the other irreps are scaled by what it says."""
        scalars = state[SCALAR][:, 0]  # (N, K)
        hidden = nn.functional.silu(self.hidden(torch.cat([scalars, embedding], dim=-1)))
        update = self.update(hidden).unflatten(1, (len(STATE_IRREPS), self.width))  # (N, irreps, K)
        gated: Features = {SCALAR: (scalars + update[:, 0])[:, None, :]}
        for index, ir in enumerate(STATE_IRREPS):
            if ir != SCALAR:
                gated[ir] = state[ir] * (1 + update[:, index, None, :])
        return gated


class Backbone(nn.Module):
    """What a network knows of its atoms before anything is read out."""

    element_index: Tensor  # (119,) row of each atomic number in the tables, −1 if unknown

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels
        index = torch.full((119,), -1, dtype=torch.int64)
        index[list(config.elements)] = torch.arange(len(config.elements))
        self.register_buffer("element_index", index, persistent=False)
        self.element = nn.Parameter(torch.randn(len(config.elements), width))
        self.level = nn.Parameter(torch.zeros(len(config.levels), width))
        self.layers = nn.ModuleList(Layer(config, first=t == 0) for t in range(config.layers))

    def species(self, graph: Graph) -> Tensor:
        """Row of each atom's element in the tables, (N,)."""
        return self.element_index[graph.numbers]

    def describe(self, graph: Graph) -> Features:
        """Last state of the atoms, (N, 2l+1, K) for each irrep.

        `graph` holds only elements of `config.elements`.
        """
        embedding = self.element[self.species(graph)] + self.level[graph.level][graph.frame]  # (N, K)
        edges = Edges(graph, self.config)
        n = graph.n_atoms
        state: Features = {
            ir: embedding.new_zeros(n, ir.dim, self.config.channels) for ir in STATE_IRREPS if ir != SCALAR
        }
        state[SCALAR] = embedding[:, None, :]
        for layer in self.layers:
            state = layer(edges, embedding, state)
        return state
