"""Small networks with random weights, in double precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bec_md.network.config import NetworkConfig, readouts
from bec_md.network.network import Network

SHAPES = {
    "scalars sent": {"sent_tensor_channels": 0},
    "tensors sent": {"sent_tensor_channels": 4},
    "l_max 3": {"sent_tensor_channels": 4, "l_max": 3},
    "one layer": {"layers": 1},
    "three layers": {"layers": 3, "sent_tensor_channels": 4},
    "dipole": {"charges": "dipole", "sent_tensor_channels": 4},
}


def make_network(charges: str = "charges", members: int = 3, **shape: Any) -> Network:
    """A network for H, O, Si, Ti, Ba with tensors of order one, so that tolerances mean something."""
    torch.manual_seed(3)
    config = NetworkConfig(
        elements=(1, 8, 14, 22, 56),
        levels=("a", "b"),
        channels=8,
        cutoff_ang=4.0,
        readouts=readouts(charges, members),
        **shape,
    )
    network = Network(config).double()
    with torch.no_grad():
        network.level.normal_()
        network.charges_from.reference_charge.copy_(torch.tensor([0.4, -1.2, 3.0, 6.5, 2.7]))
        for name, weight in network.charges_from.named_parameters():
            if name != "reference_charge":
                weight.mul_(3.0)
    return network.eval()


@pytest.fixture(params=SHAPES, ids=lambda name: name.replace(" ", "-"))
def network(request: pytest.FixtureRequest) -> Network:
    return make_network(**SHAPES[request.param])
