r"""Sums over the neighbors of each atom, and their transposes.

What an edge e from j to i carries has sets l of components m, with one weight w for each set and channel:

.. math::
   A_{i,m,k} = \sum_{e → i} y_{e,m}\, w_{e,l(m),k}, \qquad
   T_{i,m,k} = \sum_{e → i} t_{j(e),m,k}\, w_{e,l(m),k}

with the harmonics y of the edge or tensors t of the sender. Transposes are sums of the same kind: over
channels (∂L/∂y), over the components of a set (∂L/∂w), over the edges that leave an atom (∂L/∂t).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from bec_md.network.bilinear import BilinearMap, runs_natively
from bec_md.network.native_library import MessagesStruct, load_library


@dataclass(frozen=True)
class Messages:
    """Edges of a batch with N atoms, and how many components each set has."""

    receiver: Tensor  # (E,) int64
    sender: Tensor  # (E,) int64
    n_atoms: int
    components: tuple[int, ...]

    def sum_harmonics(self, harmonics: Tensor, weights: Tensor) -> Tensor:
        """A (N, M, K) of y (E, M) and w (E, L, K)."""
        if runs_natively(weights):
            return SendHarmonics(self).product(harmonics, weights)
        return self._summed([harmonics[:, a:b, None] for a, b in self._bounds()], weights)

    def sum_tensors(self, tensors: Tensor, weights: Tensor) -> Tensor:
        """T (N, M, K) of t (N, M, K) and w (E, L, K)."""
        if runs_natively(weights):
            return SendTensors(self).product(tensors, weights)
        return self._summed([tensors[:, a:b][self.sender] for a, b in self._bounds()], weights)

    def apply(self, name: str, first: Tensor, second: Tensor, out: Tensor) -> Tensor:
        """Run the kernel `name` of two contiguous arrays into a third."""
        sets = (ctypes.c_int32 * len(self.components))(*self.components)
        edges = MessagesStruct(
            *(len(self.receiver), self.receiver.data_ptr(), self.sender.data_ptr()),
            *(len(sets), sets, second.shape[-1] if name != "weigh_harmonics" else first.shape[-1]),
        )
        kernel = getattr(load_library(), f"bec_{name}")
        kernel(ctypes.byref(edges), first.data_ptr(), second.data_ptr(), out.data_ptr())
        return out

    def _bounds(self) -> list[tuple[int, int]]:
        return list(pairwise(accumulate(self.components, initial=0)))

    def _summed(self, carried: list[Tensor], weights: Tensor) -> Tensor:
        sums = []
        for index, part in enumerate(carried):
            message = part * weights[:, index, None, :]  # (E, 2l+1, K)
            zeros = message.new_zeros(self.n_atoms, *message.shape[1:])
            sums.append(zeros.index_add(0, self.receiver, message))
        return torch.cat(sums, dim=1)


@dataclass(frozen=True)
class _AlongEdges(BilinearMap):
    edges: Messages


class SendHarmonics(_AlongEdges):
    """(y, w) → A."""

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Sum over the edges that end at an atom."""
        return self.edges.apply(
            "send_harmonics", u, v, v.new_zeros(self.edges.n_atoms, u.shape[1], v.shape[2])
        )

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂y."""
        return ProjectHarmonics(self.edges).product(gradient, v)

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂w."""
        return WeighHarmonics(self.edges).product(gradient, u)


class ProjectHarmonics(_AlongEdges):
    """(∂L/∂A, w) → ∂L/∂y."""

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Sum over channels."""
        return self.edges.apply("project_harmonics", u, v, v.new_empty(v.shape[0], u.shape[1]))

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """A of the harmonics' adjoints."""
        return SendHarmonics(self.edges).product(gradient, v)

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Weights' adjoints."""
        return WeighHarmonics(self.edges).product(u, gradient)


class WeighHarmonics(_AlongEdges):
    """(∂L/∂A, y) → ∂L/∂w."""

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Sum over the components of a set."""
        out = u.new_empty(v.shape[0], len(self.edges.components), u.shape[2])
        return self.edges.apply("weigh_harmonics", u, v, out)

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """A of the weights' adjoints."""
        return SendHarmonics(self.edges).product(v, gradient)

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Harmonics' adjoints."""
        return ProjectHarmonics(self.edges).product(u, gradient)


class SendTensors(_AlongEdges):
    """(t, w) → T."""

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Sum over the edges that end at an atom."""
        return self.edges.apply("send_tensors", u, v, torch.zeros_like(u))

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂t: the same along edges turned round."""
        turned = replace(self.edges, receiver=self.edges.sender, sender=self.edges.receiver)
        return SendTensors(turned).product(gradient, v)

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂w."""
        return WeighTensors(self.edges).product(gradient, u)


class WeighTensors(_AlongEdges):
    """(∂L/∂T, t) → ∂L/∂w."""

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Sum over the components of a set."""
        out = u.new_empty(len(self.edges.receiver), len(self.edges.components), u.shape[2])
        return self.edges.apply("weigh_tensors", u, v, out)

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """T of the weights' adjoints."""
        return SendTensors(self.edges).product(v, gradient)

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """The same along edges turned round."""
        turned = replace(self.edges, receiver=self.edges.sender, sender=self.edges.receiver)
        return SendTensors(turned).product(u, gradient)
