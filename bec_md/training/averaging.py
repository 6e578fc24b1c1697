"""Exponential moving average of the weights: what is evaluated and shipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Average w̄ ← d w̄ + (1 − d) w with d = min(decay, (1 + t)/(10 + t)), so that it forgets the start.

    Parameters
    ----------
    network
        Its parameters are followed.
    decay
        0 keeps the latest weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after optimizer step number `step`."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        for name, parameter in network.named_parameters():
            self.weights[name].lerp_(parameter.detach(), 1.0 - decay)

    def copy(self) -> dict[str, Tensor]:
        """Return the averaged weights by name."""
        return {name: weight.clone() for name, weight in self.weights.items()}


@torch.no_grad()
def set_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights` into the parameters of the same names."""
    for name, parameter in network.named_parameters():
        parameter.copy_(weights[name])


@contextmanager
def swapped_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Use `weights` inside the block and restore the network's own afterwards."""
    own = {name: p.detach().clone() for name, p in network.named_parameters()}
    set_weights(network, weights)
    try:
        yield
    finally:
        set_weights(network, own)
