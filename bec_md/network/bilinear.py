"""Bilinear maps of features whose values and transposes compiled kernels compute, for training.

A map w = B(u, v) has two transposes, ∂L/∂u of (∂L/∂w, v) and ∂L/∂v of (∂L/∂w, u), which are bilinear as well.
Here they are maps of the same few kinds, so that everything can be differentiated any number of times, as
training on a derivative needs. In double precision, on a GPU and without a compiler PyTorch does the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import torch
from torch import Tensor

from bec_md.network.native_library import native_status

#: Kernels work on so many channels at a time.
CHANNELS = 8


def runs_natively(features: Tensor) -> bool:
    """Whether kernels take these features (…, K): float32 on the CPU, K a multiple of eight."""
    fits = features.dtype == torch.float32 and features.shape[-1] % CHANNELS == 0
    return fits and features.device.type == "cpu" and native_status().available


class BilinearMap(ABC):
    """A map w = B(u, v) by a kernel."""

    @abstractmethod
    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """The kernel; u and v are contiguous."""

    @abstractmethod
    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂u from ∂L/∂w."""

    @abstractmethod
    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """∂L/∂v from ∂L/∂w."""

    def product(self, u: Tensor, v: Tensor) -> Tensor:
        """B(u, v), differentiable in both modes."""
        return cast(Tensor, _Product.apply(u, v, self))  # type: ignore[no-untyped-call]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(u: Tensor, v: Tensor, bilinear: BilinearMap) -> Tensor:
        """Values."""
        return bilinear.values(u.contiguous(), v.contiguous())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, BilinearMap], output: Tensor) -> None:
        """Keep what derivatives need."""
        u, v, ctx.bilinear = inputs
        ctx.save_for_backward(u, v)
        ctx.save_for_forward(u, v)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Adjoints of both factors."""
        u, v = ctx.saved_tensors
        bilinear, wanted = ctx.bilinear, ctx.needs_input_grad
        return (
            bilinear.left_adjoint(gradient, u, v) if wanted[0] else None,
            bilinear.right_adjoint(gradient, u, v) if wanted[1] else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, u_rate: Tensor, v_rate: Tensor, _: None) -> Tensor:
        """Rate of change by the product rule."""
        u, v = ctx.saved_tensors
        total: Tensor = ctx.bilinear.product(u_rate, v) + ctx.bilinear.product(u, v_rate)
        return total
