r"""A network: the backbone that describes the atoms, and the properties that it is read out for.

`Network.forward` gives every property by its name. Derivatives stand here once for all read-outs:

- `forward`: by the positions of all atoms, :math:`∂Y/∂u_{ib}`, in reverse mode: one backward pass for each
  component of :math:`Y` (Z* of all atoms from a polarization: three);
- `jvp`: along given velocities, :math:`dY/dt = \sum_{ib} v_{ib}\, ∂Y/∂u_{ib}`, in forward mode: one pass for
  all components and members, with a lane for each group of velocities (the current from a polarization);
- `projected`: along one direction of :math:`Y` in each frame, which can be trained on.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from bec_md.network.config import NetworkConfig
from bec_md.network.graph import Graph
from bec_md.network.model import Backbone
from bec_md.network.readouts import Dipole, Readout, make_readout
from bec_md.network.readouts.base import sum_over_frames

# not annotated in PyTorch
make_dual: Any = forward_ad.make_dual
unpack_dual: Any = forward_ad.unpack_dual

#: What a network says of a batch by name, e.g. ``charges`` (N, M, 3, 3) in e and ``eps_inf`` (B, 3, 3).
Properties = dict[str, Tensor]


class Network(Backbone):
    """Properties of a batch of frames by name."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.readouts = nn.ModuleDict({item.name: make_readout(item, config) for item in config.readouts})

    @property
    def charges_from(self) -> Readout:
        """The read-out that gives Z*, itself or by its derivative."""
        return self._readout(self.config.charges_from.name)

    def _readout(self, name: str) -> Readout:
        return cast(Readout, self.readouts[name])

    def forward(self, graph: Graph, *, members: bool = True, gradients: bool = True) -> Properties:
        """Every property, and gradients where they are wanted; for training, without gradients of these.

        Parameters
        ----------
        graph
            The batch; it holds only elements of the configuration.
        members
            Give gradients for every member of an ensemble, else for their mean (M = 1), which costs less.
        gradients
            Give them at all.
        """
        if self.charges_from.gradient is None or not gradients:
            return self._finished(self._shares(graph), graph)
        with torch.inference_mode(False), torch.enable_grad():
            graph = _cloned(graph)
            graph.vectors.requires_grad_(True)
            shares = self._shares(graph)
            found = self._finished(shares, graph)
            for name, share in shares.items():
                readout = self._readout(name)
                if readout.gradient is not None:
                    rows = _position_gradient(share if members else share.mean(dim=1, keepdim=True), graph)
                    found[readout.gradient] = readout.finish_gradient(rows, self.species(graph), graph)
        return {name: value.detach() for name, value in found.items()}

    def jvp(self, name: str, graph: Graph, velocities: Tensor) -> Tensor:
        """Rate of change dY/dt of the output of the read-out `name` in G lanes, (B, M, G, …).

        Parameters
        ----------
        name
            Read-out whose output depends on the positions through the vectors of the edges.
        graph
            The batch.
        velocities
            (N, G, 3); a lane holds the velocities of one group of atoms and zeros elsewhere.
        """
        _load_forward_mode()
        with torch.inference_mode(False), torch.no_grad():  # inference mode knows no derivatives
            graph, velocities = _cloned(graph), velocities.clone()
            readout, species = self._readout(name), self.species(graph)
            along = velocities[graph.sender] - velocities[graph.receiver]  # (E, G, 3)
            lanes = []
            for tangent in along.unbind(dim=1):
                with forward_ad.dual_level():
                    vectors = make_dual(graph.vectors, tangent.contiguous())
                    moved = replace(graph, vectors=vectors)
                    output = readout.finish(readout(species, self.describe(moved)), species, moved)
                    lanes.append(unpack_dual(output).tangent)
            return readout.finish_rate(torch.stack(lanes, dim=2), velocities, species, graph)

    def charges_moved(self, graph: Graph, positions: Tensor) -> Tensor:
        """Polarization Σ_i q_i r_i of what moves with the atoms, (B, 3) e Å; positions (N, 3) in Å."""
        readout = self.charges_from
        if not isinstance(readout, Dipole):
            raise TypeError(f"read-out {readout.name} has no polarization")
        return sum_over_frames(readout.ionic(self.species(graph), graph)[:, None] * positions, graph)

    def projected(
        self, graph: Graph, direction: Tensor, mixes: Sequence[Tensor]
    ) -> tuple[list[Tensor], Properties]:
        """Σ_a e_a Z_i,ab for one direction of the polarization in each frame, to be trained on.

        One backward pass for each mix instead of three for each member; in the mean over unit vectors e,
        3 |Σ_a e_a Z_i,ab|² is |Z_i|².

        Parameters
        ----------
        graph
            The batch.
        direction
            e (B, 3), unit vectors.
        mixes
            Mixes of the members in each frame, (B, M) each with sum one.

        Returns
        -------
        rows, properties
            (N, 3) in e for each mix, and the outputs of all read-outs, all differentiable by the weights.
        """
        graph = replace(graph, vectors=graph.vectors.detach().requires_grad_(True))
        shares = self._shares(graph)
        readout, species = self.charges_from, self.species(graph)
        along = direction[graph.frame]  # (N, 3)
        scalars = torch.einsum("nma,na->nm", shares[readout.name], along)
        rows = [
            _sum_to_atoms(
                torch.autograd.grad((scalars * mix[graph.frame]).sum(), graph.vectors, create_graph=True)[0],
                graph,
            )
            for mix in mixes
        ]
        tensors = [readout.finish_gradient(row[:, None, None], species, graph, along) for row in rows]
        return [tensor[:, 0, 0] for tensor in tensors], self._finished(shares, graph)

    def _shares(self, graph: Graph) -> Properties:
        """What each atom contributes to every property, by the name of the read-out."""
        state, species = self.describe(graph), self.species(graph)
        return {name: readout(species, state) for name, readout in self.readouts.items()}

    def _finished(self, shares: Properties, graph: Graph) -> Properties:
        species = self.species(graph)
        return {
            self._readout(name).output: self._readout(name).finish(share, species, graph)
            for name, share in shares.items()
        }


def _cloned(graph: Graph) -> Graph:
    """Copy of a graph whose tensors may have been made in inference mode, which forbids derivatives."""
    return Graph(*(getattr(graph, field.name).clone() for field in fields(graph)))


@cache
def _load_forward_mode() -> None:
    """Have PyTorch load its rules of forward mode, which it does with a warning of its own at first use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import torch._decomp.decompositions_for_jvp  # noqa: F401 (imported for what it registers)


def _position_gradient(shares: Tensor, graph: Graph) -> Tensor:
    """∂(Σ_j y_j)/∂u_i of shares (N, M, C) by the positions of all atoms, (N, M, C, 3)."""
    rows = [
        torch.autograd.grad(component.sum(), graph.vectors, retain_graph=True)[0]  # (E, 3)
        for component in shares.flatten(1).unbind(dim=1)
    ]
    gradient = torch.stack([_sum_to_atoms(row, graph) for row in rows], dim=1)
    return gradient.reshape(*shares.shape, 3)


def _sum_to_atoms(gradient: Tensor, graph: Graph) -> Tensor:
    """Derivative by the positions of the atoms (N, 3) from that by the vectors of the edges (E, 3)."""
    index = torch.cat([graph.sender, graph.receiver])
    zeros = gradient.new_zeros(graph.n_atoms, 3)
    total: Tensor = torch.index_add(zeros, 0, index, torch.cat([gradient, -gradient]))
    return total
