r"""Clebsch–Gordan products, channel by channel, from the few coefficients that are not zero.

.. math:: w_{n,c,k} = \sum_{ab} C_{cab}\, u_{n,a,k}\, v_{n,b,k}
"""

from __future__ import annotations

import ctypes
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bec_md.network.bilinear import BilinearMap, runs_natively
from bec_md.network.native_library import CouplingEntry, load_library

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


class Coupling(BilinearMap):
    """Coefficients C (rows, A, B) in float64; a call gives the product of u (N, A, K) and v (N, B, K)."""

    def __init__(self, coefficients: Tensor) -> None:
        self._coefficients = coefficients
        self._dense = ExactTable(coefficients.flatten(1))

    def __call__(self, u: Tensor, v: Tensor) -> Tensor:
        """Return w (N, rows, K)."""
        if runs_natively(u):
            return self.product(u, v)
        outer = (u[:, :, None, :] * v[:, None, :, :]).flatten(1, 2)  # (N, A·B, K)
        return torch.matmul(self._dense.like(outer), outer)

    def values(self, u: Tensor, v: Tensor) -> Tensor:
        """Sum over the coefficients that are not zero."""
        rows, left, right = self._coefficients.shape
        out = u.new_empty(u.shape[0], rows, u.shape[2])
        entries, ends = self._entries
        load_library().bec_couple(
            *(u.shape[0], u.shape[2], rows, left, right, entries, ends.ctypes.data),
            *(u.data_ptr(), v.data_ptr(), out.data_ptr()),
        )
        return out

    def left_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Coefficients with the roles of c and a exchanged."""
        return self._of_left.product(gradient, v)

    def right_adjoint(self, gradient: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Coefficients with b in the place of c."""
        return self._of_right.product(gradient, u)

    @cached_property
    def _of_left(self) -> Coupling:
        return Coupling(self._coefficients.permute(1, 0, 2))

    @cached_property
    def _of_right(self) -> Coupling:
        return Coupling(self._coefficients.permute(2, 0, 1))

    @cached_property
    def _entries(self) -> tuple[ctypes.Array[CouplingEntry], NDArray[np.int32]]:
        """Coefficients row by row, and where each row ends."""
        table = self._coefficients.numpy()
        found = np.argwhere(np.abs(table) > ZERO)
        entries = [CouplingEntry(a, b, table[row, a, b]) for row, a, b in found.tolist()]
        ends = np.searchsorted(found[:, 0], np.arange(len(table)), side="right")
        return (CouplingEntry * len(entries))(*entries), ends.astype(np.int32)
