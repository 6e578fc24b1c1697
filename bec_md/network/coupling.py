r"""Clebsch–Gordan products, channel by channel, from the few coefficients that are not zero.

.. math:: w_{n,c,k} = \sum_{ab} C_{cab}\, u_{n,a,k}\, v_{n,b,k}

One coefficient in fifty is not zero. The compiled kernel of the evaluator sums over these; its derivatives are
products of the same kind with the roles of c, a and b exchanged, so that they can be differentiated again, as
training on a derivative needs. In double precision, on a GPU and without a compiler all coefficients are used.
"""

from __future__ import annotations

import ctypes
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from bec_md.network.native_library import CouplingEntry, load_library, native_status

#: The kernel works on so many channels at a time.
CHANNELS = 8
#: Coefficients below this are zero but for rounding.
ZERO = 1e-10


class ExactTable:
    """A constant array in float64, rounded once to each dtype and copied once to each device in use."""

    def __init__(self, exact: Tensor) -> None:
        self._exact = exact
        self._cast: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, values: Tensor) -> Tensor:
        """Return the table on the device and in the dtype of `values`."""
        key = (values.device, values.dtype)
        if key not in self._cast:
            with torch.inference_mode(False):  # what is made in inference mode knows no derivatives
                self._cast[key] = self._exact.to(device=values.device, dtype=values.dtype)
        return self._cast[key]


class Coupling:
    """A table C of coefficients, (rows, A, B), in double precision until it is used."""

    def __init__(self, exact: Tensor) -> None:
        self._exact = exact
        self._dense = ExactTable(exact.flatten(1))

    @cached_property
    def of_left(self) -> Coupling:
        """Coefficients of (∂L/∂w, v) → ∂L/∂u."""
        return Coupling(self._exact.permute(1, 0, 2))

    @cached_property
    def of_right(self) -> Coupling:
        """Coefficients of (∂L/∂w, u) → ∂L/∂v."""
        return Coupling(self._exact.permute(2, 0, 1))

    def __call__(self, u: Tensor, v: Tensor) -> Tensor:
        """Product of u (N, A, K) and v (N, B, K), (N, rows, K)."""
        fits = u.device.type == "cpu" and u.dtype == torch.float32 and u.shape[-1] % CHANNELS == 0
        if fits and native_status().available:
            return cast(Tensor, _SparseProduct.apply(u, v, self))  # type: ignore[no-untyped-call]
        outer = (u[:, :, None, :] * v[:, None, :, :]).flatten(1, 2)  # (N, A·B, K)
        return torch.matmul(self._dense.like(outer), outer)

    def sparse(self, u: Tensor, v: Tensor) -> Tensor:
        """The same by the kernel, without a derivative."""
        u, v = u.contiguous(), v.contiguous()
        rows, left, right = self._exact.shape
        out = u.new_empty(u.shape[0], rows, u.shape[2])
        entries, ends = self._entries
        load_library().bec_couple(
            *(u.shape[0], u.shape[2], rows, left, right, entries, ends.ctypes.data),
            *(u.data_ptr(), v.data_ptr(), out.data_ptr()),
        )
        return out

    @cached_property
    def _entries(self) -> tuple[ctypes.Array[CouplingEntry], np.ndarray[Any, np.dtype[np.int32]]]:
        """Coefficients that are not zero, row by row, and where each row ends."""
        table = self._exact.numpy()
        found = np.argwhere(np.abs(table) > ZERO)
        entries = [CouplingEntry(a, b, table[row, a, b]) for row, a, b in found.tolist()]
        ends = np.searchsorted(found[:, 0], np.arange(len(table)), side="right")
        return (CouplingEntry * len(entries))(*entries), ends.astype(np.int32)


class _SparseProduct(torch.autograd.Function):
    """Product by the kernel, differentiable any number of times in both modes."""

    @staticmethod
    def forward(u: Tensor, v: Tensor, coupling: Coupling) -> Tensor:
        """Values."""
        return coupling.sparse(u, v)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Coupling], output: Tensor) -> None:
        """Keep what derivatives need."""
        u, v, ctx.coupling = inputs
        ctx.save_for_backward(u, v)
        ctx.save_for_forward(u, v)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Adjoints of both factors."""
        u, v = ctx.saved_tensors
        coupling, wanted = ctx.coupling, ctx.needs_input_grad
        return (
            coupling.of_left(gradient, v) if wanted[0] else None,
            coupling.of_right(gradient, u) if wanted[1] else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, u_rate: Tensor, v_rate: Tensor, _: None) -> Tensor:
        """Rate of change by the product rule."""
        u, v = ctx.saved_tensors
        total: Tensor = ctx.coupling(u_rate, v) + ctx.coupling(u, v_rate)
        return total
