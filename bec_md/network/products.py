"""Equivariant operations on the atoms: channel mixing and Clebsch–Gordan products.

Features are dictionaries from an e3nn `Irrep` (0e, 1o, 1e, 2e …) to arrays (N, 2l+1, K), channels last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from e3nn import o3
from torch import Tensor, nn

from bec_md.network.coupling import Coupling

Features = dict[o3.Irrep, Tensor]


def natural_irreps(l_max: int) -> tuple[o3.Irrep, ...]:
    """Irreps of the spherical harmonics: 0e, 1o, 2e, 3o …"""
    return tuple(o3.Irrep(degree, (-1) ** degree) for degree in range(l_max + 1))


#: Irreps of the atoms' state: what spherical harmonics give, and the pseudovector that Z* needs.
STATE_IRREPS = tuple(o3.Irrep(name) for name in ("0e", "1o", "1e", "2e"))

#: A 3×3 tensor: trace, antisymmetric part, symmetric traceless part.
TENSOR_IRREPS = tuple(o3.Irrep(name) for name in ("0e", "1e", "2e"))


def cartesian_basis() -> Tensor:
    """Change of basis (3, 3, 9) from 0e + 1e + 2e to a Cartesian tensor; 0e alone gives the unit matrix."""
    columns = [o3.wigner_3j(1, 1, ir.l, dtype=torch.float64) * math.sqrt(3.0) for ir in TENSOR_IRREPS]
    return torch.cat(columns, dim=-1)


class ChannelMixing(nn.Module):
    """A linear map of the channels for each irrep: (N, 2l+1, K_in) → (N, 2l+1, K_out)."""

    def __init__(self, inputs: Mapping[o3.Irrep, int], outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {
                str(irrep): nn.Parameter(scale * torch.randn(width, outputs) / math.sqrt(width))
                for irrep, width in inputs.items()
            }
        )

    def forward(self, features: Mapping[o3.Irrep, Tensor]) -> Features:
        """Mix the channels of every irrep that this map has weights for."""
        return {
            irrep: features[irrep] @ self.weights[str(irrep)]  # (N, 2l+1, K_out)
            for irrep in features
            if str(irrep) in self.weights
        }


def product_paths(
    left: Iterable[o3.Irrep], right: Iterable[o3.Irrep], targets: Iterable[o3.Irrep]
) -> list[tuple[o3.Irrep, o3.Irrep, o3.Irrep]]:
    """All (l1, l2 → l3) that the selection rules allow and `targets` contain."""
    wanted = set(targets)
    return [(a, b, c) for a in left for b in right for c in a * b if c in wanted]


class ChannelwiseProduct(nn.Module):
    r"""Clebsch–Gordan product of two sets of features, channel by channel, then mixed.

    out[n, m3, k'] = Σ_paths Σ_k W[path, k, k'] Σ_{m1 m2} C(l1 m1 l2 m2; l3 m3) u[n, m1, k] v[n, m2, k]

    with C = √(2l3+1) × the Wigner 3j symbol of e3nn.
    """

    def __init__(
        self, left: tuple[o3.Irrep, ...], right: tuple[o3.Irrep, ...], channels: int, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.left = left
        self.right = right
        self.paths = product_paths(left, right, STATE_IRREPS)
        n_left = sum(ir.dim for ir in left)
        n_right = sum(ir.dim for ir in right)
        coefficients = torch.zeros(sum(c.dim for _, _, c in self.paths), n_left, n_right, dtype=torch.float64)
        row = 0
        self.widths: dict[o3.Irrep, int] = {}
        self.rows: dict[o3.Irrep, list[int]] = {}
        for a, b, c in sorted(self.paths, key=lambda path: STATE_IRREPS.index(path[2])):
            i = sum(ir.dim for ir in left[: left.index(a)])
            j = sum(ir.dim for ir in right[: right.index(b)])
            tensor = o3.wigner_3j(a.l, b.l, c.l, dtype=torch.float64) * math.sqrt(c.dim)
            coefficients[row : row + c.dim, i : i + a.dim, j : j + b.dim] = tensor.permute(2, 0, 1)
            self.rows.setdefault(c, []).append(row)
            self.widths[c] = self.widths.get(c, 0) + channels
            row += c.dim
        self._coupling = Coupling(coefficients)
        self.mix = ChannelMixing(self.widths, channels, scale)

    def forward(self, u: Mapping[o3.Irrep, Tensor], v: Mapping[o3.Irrep, Tensor]) -> Features:
        """Product of u and v, both with (N, 2l+1, K) for each of their irreps."""
        x = torch.cat([u[ir] for ir in self.left], dim=1)  # (N, M1, K)
        y = torch.cat([v[ir] for ir in self.right], dim=1)  # (N, M2, K)
        coupled = self._coupling(x, y)  # (N, rows, K)
        out: Features = {}
        for irrep, rows in self.rows.items():
            parts = coupled[:, rows[0] : rows[-1] + irrep.dim]  # (N, paths·(2l+1), K)
            parts = parts.reshape(x.shape[0], len(rows), irrep.dim, -1).transpose(1, 2)  # (N, 2l+1, paths, K)
            out[irrep] = parts.flatten(2)  # (N, 2l+1, paths·K)
        mixed: Features = self.mix(out)
        return mixed


def add(*features: Mapping[o3.Irrep, Tensor]) -> Features:
    """Sum of several sets of features, irrep by irrep."""
    total: Features = {}
    for item in features:
        for irrep, value in item.items():
            total[irrep] = total[irrep] + value if irrep in total else value
    return total


def split(values: Tensor, irreps: Sequence[o3.Irrep]) -> Features:
    """Features of (N, Σ(2l+1), K), the irreps one after the other."""
    parts = torch.split_with_sizes(values, [ir.dim for ir in irreps], dim=1)
    return dict(zip(irreps, parts, strict=True))


def bounded(features: Mapping[o3.Irrep, Tensor]) -> Features:
    """x/√(1 + ⟨x²⟩) for each irrep, the mean over its components and channels: order one at most."""
    return {ir: x * torch.rsqrt(1 + x.square().mean(dim=(1, 2), keepdim=True)) for ir, x in features.items()}
