r"""A plain edge-wise e3nn network of the NequIP kind: what the node-centered network is compared with.

Each layer multiplies the tensors of every neighbor by the spherical harmonics of the edge, path by path,

    m_ij = Σ_paths R_path(r_ij) (h_j ⊗ Y(r̂_ij))_path,   h_i ← gate(linear(Σ_j m_ij / √n) + linear(h_i)),

so that the Clebsch–Gordan products are done once per edge instead of once per atom. The last features,
0e + 1e + 2e, are the tensor Z*; the acoustic sum rule is imposed as in the network of this package.

Reference: Batzner et al. 2022 (NequIP).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from e3nn import o3
from e3nn.nn import FullyConnectedNet, Gate
from numpy.typing import NDArray
from torch import Tensor, nn

from bec_md.network.graph import Graph, build_graph
from bec_md.network.products import cartesian_basis
from bec_md.network.radial import bessel_functions, envelope
from bec_md.network.readouts.charges import impose_sum_rule

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.structure import Frame

#: Irreps that are exchanged between atoms: those of the node-centered network, the least that gives Z*.
HIDDEN = ("0e", "1o", "1e", "2e")


class EdgewiseLayer(nn.Module):
    """Tensor products on edges, sum over neighbors, linear maps, gate."""

    def __init__(
        self,
        inputs: o3.Irreps,
        channels: int,
        harmonics: o3.Irreps,
        functions: int,
        radial_width: int,
        norm: float,
    ) -> None:
        super().__init__()
        scalars = o3.Irreps([(channels, "0e")])
        gated = o3.Irreps([(channels, name) for name in HIDDEN if name != "0e"])
        gates = o3.Irreps([(channels * len(gated), "0e")])
        self.gate = Gate(scalars, [nn.functional.silu], gates, [torch.sigmoid], gated)
        targets = {ir for _, ir in self.gate.irreps_in}
        irreps: list[tuple[int, o3.Irrep]] = []
        instructions = []
        for i, (width, a) in enumerate(inputs):
            for j, (_, b) in enumerate(harmonics):
                for c in a * b:
                    if c in targets:
                        instructions.append((i, j, len(irreps), "uvu", True))
                        irreps.append((width, c))
        between, order, _ = o3.Irreps(irreps).sort()
        self.product = o3.TensorProduct(
            inputs,
            harmonics,
            between,
            [(i, j, order[k], mode, train) for i, j, k, mode, train in instructions],
            shared_weights=False,
            internal_weights=False,
        )
        self.send = o3.Linear(inputs, inputs)
        sizes = [functions, radial_width, radial_width, self.product.weight_numel]
        self.radial = FullyConnectedNet(sizes, nn.functional.silu)
        self.norm = norm
        self.receive = o3.Linear(between.simplify(), self.gate.irreps_in)
        self.keep = o3.Linear(inputs, self.gate.irreps_in)
        self.irreps_out = self.gate.irreps_out

    def forward(
        self, features: Tensor, receiver: Tensor, sender: Tensor, harmonics: Tensor, basis: Tensor
    ) -> Tensor:
        """New features (N, d) from those of atoms (N, d'), with Y (E, 9) and radial functions (E, n)."""
        weights = self.radial(basis)  # (E, paths · channels)
        messages = self.product(self.send(features)[sender], harmonics, weights)  # (E, …)
        total = messages.new_zeros(features.shape[0], messages.shape[1]).index_add(0, receiver, messages)
        return self.gate(self.receive(self.norm * total) + self.keep(features))  # type: ignore[no-any-return]


class EdgewiseNetwork(nn.Module):
    """Born effective charges of a graph by tensor products on edges.

    Parameters
    ----------
    cutoff_ang, layers, channels, l_max
        Å; message passes; channels of each irrep; highest degree of the harmonics.
    functions, radial_width
        Bessel functions and neurons of the radial perceptron (two hidden layers).
    mean_neighbors
        Sums over neighbors are divided by its root.
    """

    def __init__(
        self,
        cutoff_ang: float = 5.0,
        layers: int = 3,
        channels: int = 32,
        l_max: int = 2,
        functions: int = 8,
        radial_width: int = 64,
        mean_neighbors: float = 40.0,
    ) -> None:
        super().__init__()
        self.cutoff_ang = cutoff_ang
        self.functions = functions
        norm = 1 / math.sqrt(mean_neighbors)
        self.degrees = list(range(l_max + 1))
        harmonics = o3.Irreps.spherical_harmonics(l_max)
        self.element = nn.Embedding(119, channels)
        irreps = o3.Irreps([(channels, "0e")])
        self.layers = nn.ModuleList()
        for _ in range(layers):
            layer = EdgewiseLayer(irreps, channels, harmonics, functions, radial_width, norm)
            self.layers.append(layer)
            irreps = layer.irreps_out
        self.readout = o3.Linear(irreps, o3.Irreps("0e + 1e + 2e"))
        self.reference_charge = nn.Embedding(119, 1)
        nn.init.zeros_(self.reference_charge.weight)
        self.register_buffer("basis", cartesian_basis().to(torch.get_default_dtype()), persistent=False)

    def forward(self, graph: Graph) -> Tensor:
        """Z*[i, a, b] of every atom, (N, 3, 3) in e."""
        raw = self.raw_charges(graph.numbers, graph.receiver, graph.sender, graph.vectors)
        return impose_sum_rule(raw[:, None], graph)[:, 0]

    def raw_charges(self, numbers: Tensor, receiver: Tensor, sender: Tensor, vectors: Tensor) -> Tensor:
        """Tensors (N, 3, 3) before the sum rule; plain tensors in, so that it can be compiled."""
        r = torch.linalg.vector_norm(vectors, dim=1)
        basis = bessel_functions(r, self.cutoff_ang, self.functions)
        basis = basis * envelope(r / self.cutoff_ang)[:, None]  # (E, n)
        harmonics = o3.spherical_harmonics(
            self.degrees, vectors, normalize=True, normalization="component"
        )  # (E, (l_max + 1)²)
        features = self.element(numbers)
        for layer in self.layers:
            features = layer(features, receiver, sender, harmonics, basis)
        spherical = self.readout(features)  # (N, 9)
        charges: Tensor = torch.einsum("abc,nc->nab", self.basis, spherical)
        isotropic: Tensor = self.reference_charge(numbers)[:, :, None]  # (N, 1, 1)
        return charges + isotropic * torch.eye(3, dtype=charges.dtype, device=charges.device)


def predict(network: EdgewiseNetwork, frames: Sequence[Frame | Atoms]) -> NDArray[np.float64]:
    """Z* of frames, (N, 3, 3) in e for all their atoms: neighbor list, graph, network."""
    graph = build_graph(frames, network.cutoff_ang)
    with torch.inference_mode():
        charges: NDArray[np.float64] = network(graph).double().numpy()
    return charges


def compiled(network: EdgewiseNetwork) -> EdgewiseNetwork:
    """Have the network compiled by TorchInductor, for any number of atoms and edges."""
    network.raw_charges = torch.compile(network.raw_charges, dynamic=True)  # type: ignore[method-assign]
    return network


def untrained(seed: int = 1, compile: bool = False) -> EdgewiseNetwork:
    """Return a network with random weights: the time does not depend on them."""
    import e3nn

    modes = e3nn.get_optimization_defaults()
    if compile:
        e3nn.set_optimization_defaults(jit_mode="inductor")
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = EdgewiseNetwork().eval().requires_grad_(False)
    finally:
        e3nn.set_optimization_defaults(jit_mode=modes["jit_mode"])
    return compiled(network) if compile else network
