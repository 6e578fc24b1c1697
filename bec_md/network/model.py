r"""The Z* network: local environments → Born effective charge tensors and ε_∞.

Each of the `layers` does the same four things, all tensor algebra on atoms and none on edges:

1. gather   A_i,klm = Σ_j R_kl(r_ij; Z_i, Z_j) h_jk Y_lm(r̂_ij)     neighbors send scalars h_jk
            T_i,klm = Σ_j R'_kl(r_ij; Z_i, Z_j) t_j,klm            and, optionally, a few tensors
2. product  B² = C (U A)⊗(V A), B³ = C B²⊗(W A)                    body orders three and four
3. update   s_i ← s_i + mix(A, B², B³)                             0e + 1o + 1e + 2e
4. gate     scalars pass through a perceptron, which also scales the other irreps

The read-out is linear in the last state, 0e + 1e + 2e → 3×3, one set of weights for each member of a
shallow ensemble (Kellner and Ceriotti 2024). The acoustic sum rule Σ_i Z_i = Q·1 is imposed at the end.
`bec_md.network.polarization` has another read-out, a dipole of each atom, and takes Z* as its derivative.

References: Drautz 2019 (atomic cluster expansion); Batatia et al. 2022 (MACE); Kutana, Shimizu, Asahi and
Watanabe 2025 (Born effective charges from an equivariant network).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from e3nn import o3
from torch import Tensor, nn

from bec_md.network.config import NetworkConfig
from bec_md.network.graph import Graph
from bec_md.network.products import (
    STATE_IRREPS,
    TENSOR_IRREPS,
    ChannelMixing,
    ChannelwiseProduct,
    Features,
    add,
    bounded,
    natural_irreps,
)
from bec_md.network.radial import RadialNetwork, bessel_functions

SCALAR = o3.Irrep("0e")


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What the network predicts for a batch of frames."""

    charges: Tensor  # (N, 3, 3) e, mean over the members
    members: Tensor  # (N, M, 3, 3) e, every member obeys the sum rule
    eps_inf: Tensor  # (B, 3, 3)


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

    def sum_to_receivers(self, messages: Tensor) -> Tensor:
        """Σ over the neighbors of each atom: (E, …) → (N, …)."""
        total = messages.new_zeros(self.n_atoms, *messages.shape[1:])
        return total.index_add(0, self.receiver, messages)


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
        radial = self.radial(edges.r, edges.basis, embedding, edges.receiver, edges.sender) * self.norm
        n_natural = len(self.gathered) * self.width
        scalars = radial[:, :n_natural].unflatten(1, (len(self.gathered), self.width))  # (E, l, K)
        if not self.first:
            sent = self.send_scalars(state[SCALAR][:, 0])  # (N, K)
            scalars = scalars * sent[edges.sender][:, None, :]
        collected: dict[o3.Irrep, list[Tensor]] = {}
        start = 0
        for index, ir in enumerate(self.gathered):
            harmonics = edges.harmonics[:, start : start + ir.dim]  # (E, 2l+1)
            start += ir.dim
            message = harmonics[:, :, None] * scalars[:, index, None, :]  # (E, 2l+1, K)
            collected[ir] = [edges.sum_to_receivers(message)]
        if not self.first:
            for ir in STATE_IRREPS:
                collected.setdefault(ir, []).append(state[ir])
            if self.sent_width:
                tensors = self.send_tensors(state)
                weights = radial[:, n_natural:].unflatten(1, (len(self.sent), self.sent_width))
                for index, ir in enumerate(self.sent):
                    message = tensors[ir][edges.sender] * weights[:, index, None, :]
                    collected[ir].append(edges.sum_to_receivers(message))
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
    """What a network knows of its atoms before the read-out of Z*, and ε_∞ of every frame."""

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
        self.reference_charge = nn.Parameter(torch.zeros(len(config.elements)))
        self.layers = nn.ModuleList(Layer(config, first=t == 0) for t in range(config.layers))
        self.polarizability = nn.Linear(width, 1)
        self.anisotropy = ChannelMixing({TENSOR_IRREPS[2]: width}, 1, scale=0.3)
        self._exact_basis = cartesian_basis()
        self._basis: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def describe(self, graph: Graph) -> tuple[Tensor, Features]:
        """Row of each atom's element (N,) and the last state of the atoms, (N, 2l+1, K) for each irrep.

        `graph` holds only elements of `config.elements`.
        """
        species = self.element_index[graph.numbers]  # (N,)
        embedding = self.element[species] + self.level[graph.level][graph.frame]  # (N, K)
        edges = Edges(graph, self.config)
        n = graph.n_atoms
        state: Features = {
            ir: embedding.new_zeros(n, ir.dim, self.config.channels) for ir in STATE_IRREPS if ir != SCALAR
        }
        state[SCALAR] = embedding[:, None, :]
        for layer in self.layers:
            state = layer(edges, embedding, state)
        return species, state

    def dielectric(self, graph: Graph, state: Features) -> Tensor:
        """ε_∞ = 1 + Σ_i α_i / V with positive isotropic parts of the atoms' polarizabilities α_i."""
        basis = self._cartesian_basis(state[SCALAR])
        size = torch.exp(self.polarizability(state[SCALAR][:, 0]))  # (N, 1)
        traceless = self.anisotropy(state)[TENSOR_IRREPS[2]][:, :, 0]  # (N, 5)
        alpha = torch.einsum("abc,nc->nab", basis[:, :, 4:], size * traceless)
        alpha = alpha + size[:, :, None] * torch.eye(3, dtype=size.dtype, device=size.device)
        volume = graph.volume_ang3[:, None, None]
        total = alpha.new_zeros(graph.n_frames, 3, 3).index_add(0, graph.frame, 50.0 * alpha)
        return torch.eye(3, dtype=size.dtype, device=size.device) + total / volume

    def _cartesian_basis(self, like: Tensor) -> Tensor:
        """Change of basis on the device and in the dtype in use, copied there once."""
        key = (like.device, like.dtype)
        if key not in self._basis:
            self._basis[key] = self._exact_basis.to(like)
        return self._basis[key]


class ZStarNetwork(Backbone):
    """Born effective charges Z*[i, a, b] = ∂M_a/∂u_ib of every atom and ε_∞ of every frame."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.readout = ChannelMixing(dict.fromkeys(TENSOR_IRREPS, config.channels), config.members, scale=0.3)

    def forward(self, graph: Graph) -> NetworkOutput:
        """Predict a batch; `graph` holds only elements of `config.elements`."""
        return NetworkOutput(*self.read_out(graph, *self.describe(graph)))

    def read_out(self, graph: Graph, species: Tensor, state: Features) -> tuple[Tensor, Tensor, Tensor]:
        """Tensors from the last state."""
        parts = self.readout(state)  # (N, 2l+1, M) for 0e, 1e, 2e
        parts[SCALAR] = parts[SCALAR] + self.reference_charge[species][:, None, None]
        basis = self._cartesian_basis(parts[SCALAR])
        spherical = torch.cat([parts[ir] for ir in TENSOR_IRREPS], dim=1)  # (N, 9, M)
        members = torch.einsum("abc,ncm->nmab", basis, spherical)  # (N, M, 3, 3)
        members = impose_sum_rule(members, graph)
        return members.mean(dim=1), members, self.dielectric(graph, state)


def cartesian_basis() -> Tensor:
    """Change of basis (3, 3, 9) from 0e + 1e + 2e to a Cartesian tensor; 0e alone gives the unit matrix."""
    columns = []
    for ir in TENSOR_IRREPS:
        tensor = o3.wigner_3j(1, 1, ir.l, dtype=torch.float64) * math.sqrt(3.0)
        columns.append(tensor)
    return torch.cat(columns, dim=-1)


def impose_sum_rule(members: Tensor, graph: Graph) -> Tensor:
    """Subtract from every atom its equal share of Σ_i Z_i − Q·1."""
    total = members.new_zeros(graph.n_frames, *members.shape[1:]).index_add(0, graph.frame, members)
    ones = members.new_ones(graph.n_atoms)
    count = members.new_zeros(graph.n_frames).index_add(0, graph.frame, ones)[:, None, None, None]
    identity = torch.eye(3, dtype=members.dtype, device=members.device)
    excess = (total - graph.total_charge[:, None, None, None] * identity) / count
    return members - excess[graph.frame]
