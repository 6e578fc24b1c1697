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
            return AlongEdges(self, "send_harmonics").product(harmonics, weights)
        return self._summed([harmonics[:, a:b, None] for a, b in self._bounds()], weights)

    def sum_tensors(self, tensors: Tensor, weights: Tensor) -> Tensor:
        """T (N, M, K) of t (N, M, K) and w (E, L, K)."""
        if runs_natively(weights):
            return AlongEdges(self, "send_tensors").product(tensors, weights)
        return self._summed([tensors[:, a:b][self.sender] for a, b in self._bounds()], weights)

    def _bounds(self) -> list[tuple[int, int]]:
        return list(pairwise(accumulate(self.components, initial=0)))

    def _summed(self, carried: list[Tensor], weights: Tensor) -> Tensor:
        sums = []
        for index, part in enumerate(carried):
            message = part * weights[:, index, None, :]  # (E, 2l+1, K)
            zeros = message.new_zeros(self.n_atoms, *message.shape[1:])
            sums.append(zeros.index_add(0, self.receiver, message))
        return torch.cat(sums, dim=1)


#: Transposes of each kernel of (u, v): the kernel, its two arrays out of u, v and the gradient g, and whether
#: edges are turned round.
_LEFT = {
    "send_harmonics": ("project_harmonics", ("g", "v"), False),
    "project_harmonics": ("send_harmonics", ("g", "v"), False),
    "weigh_harmonics": ("send_harmonics", ("v", "g"), False),
    "send_tensors": ("send_tensors", ("g", "v"), True),
    "weigh_tensors": ("send_tensors", ("v", "g"), False),
}
_RIGHT = {
    "send_harmonics": ("weigh_harmonics", ("g", "u"), False),
    "project_harmonics": ("weigh_harmonics", ("u", "g"), False),
    "weigh_harmonics": ("project_harmonics", ("u", "g"), False),
    "send_tensors": ("weigh_tensors", ("g", "u"), False),
    "weigh_tensors": ("send_tensors", ("u", "g"), True),
}


@dataclass(frozen=True)
class AlongEdges(BilinearMap):
    """One of the five kernels: sums over edges (send), over components (weigh) or over channels (project)."""

    edges: Messages
    kernel: str

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Result of the kernel."""
        edges = self.edges
        channels = u.shape[-1] if self.kernel.startswith("weigh") else v.shape[-1]
        if self.kernel.startswith("send"):  # adds to what is there
            out = v.new_zeros(edges.n_atoms, u.shape[1], channels)
        elif self.kernel.startswith("weigh"):
            out = u.new_empty(len(edges.receiver), len(edges.components), channels)
        else:
            out = v.new_empty(len(edges.receiver), u.shape[1])
        sets = (ctypes.c_int32 * len(edges.components))(*edges.components)
        described = MessagesStruct(
            *(len(edges.receiver), edges.receiver.data_ptr(), edges.sender.data_ptr()),
            *(len(sets), sets, channels),
        )
        kernel = getattr(load_library(), f"bec_{self.kernel}")
        kernel(ctypes.byref(described), u.data_ptr(), v.data_ptr(), out.data_ptr())
        return out

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂u."""
        return self._transposed(_LEFT[self.kernel], {"g": gradient, "u": u, "v": v})

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂v."""
        return self._transposed(_RIGHT[self.kernel], {"g": gradient, "u": u, "v": v})

    def _transposed(self, transpose: tuple[str, tuple[str, str], bool], arrays: dict[str, Tensor]) -> Tensor:
        kernel, (first, second), turned = transpose
        edges = self.edges
        if turned:
            edges = replace(edges, receiver=edges.sender, sender=edges.receiver)
        return AlongEdges(edges, kernel).product(arrays[first], arrays[second])
