r"""Radial functions R_kl(r; Z_i, Z_j) that vanish smoothly at the cutoff.

A small perceptron sees eight Bessel functions of the distance (Gasteiger, Groß, Günnemann 2020, Eq. 7)
and the embeddings of both atoms; its output is multiplied by a polynomial envelope (ibid., Eq. 8) whose
value and first two derivatives are zero at the cutoff. For one pair of species it is a function of r
alone, which inference tabulates as a spline.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def envelope(x: Tensor, p: int = 6) -> Tensor:
    """Polynomial with u(0) = 1 and u = u' = u'' = 0 at x = r/r_c = 1."""
    a = -(p + 1) * (p + 2) / 2
    b = p * (p + 2)
    c = -p * (p + 1) / 2
    xp = x**p
    return torch.where(x < 1, 1 + xp * (a + x * (b + x * c)), torch.zeros_like(x))


def bessel_functions(r: Tensor, cutoff: float, count: int) -> Tensor:
    """√(2/r_c) sin(nπr/r_c)/r for n = 1 … count, (E, count); scaled to order one."""
    n = torch.arange(1, count + 1, dtype=r.dtype, device=r.device)
    x = r[:, None] / cutoff  # (E, 1)
    return math.pi * n * torch.sinc(n * x) * math.sqrt(2.0) / math.pi / n.sqrt()  # (E, count)


class RadialNetwork(nn.Module):
    """R_k(r; Z_i, Z_j): (E,) distances and two node embeddings → (E, outputs)."""

    def __init__(self, cutoff: float, functions: int, embedding: int, width: int, outputs: int) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.functions = functions
        self.from_distance = nn.Linear(functions, width)
        self.from_receiver = nn.Linear(embedding, width, bias=False)
        self.from_sender = nn.Linear(embedding, width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, outputs)
        with torch.no_grad():  # features of order one: SiLU and the envelope shrink the default start
            for linear, gain in (
                (self.from_distance, 2.0),
                (self.from_receiver, 1.0),
                (self.from_sender, 1.0),
                (self.hidden, 2.0),
                (self.output, 1.5),
            ):
                linear.weight.normal_(std=gain / math.sqrt(linear.in_features))

    def forward(
        self, r: Tensor, basis: Tensor, embedding: Tensor, receiver: Tensor, sender: Tensor
    ) -> Tensor:
        """Values (E, outputs) for edges with distances r (E,) and Bessel functions `basis` (E, functions)."""
        x = self.from_distance(basis)  # (E, width)
        x = x + self.from_receiver(embedding)[receiver] + self.from_sender(embedding)[sender]
        x = nn.functional.silu(x)
        x = nn.functional.silu(self.hidden(x))  # (E, width)
        values: Tensor = self.output(x) * envelope(r / self.cutoff)[:, None]  # (E, outputs)
        return values
