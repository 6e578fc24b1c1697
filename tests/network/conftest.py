"""Small networks with random weights, in double precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bec_md.network.config import NetworkConfig
from bec_md.network.model import ZStarNetwork
from bec_md.network.polarization import Network
from bec_md.network.polarization import make_network as build

SHAPES = {
    "scalars sent": {"sent_tensor_channels": 0},
    "tensors sent": {"sent_tensor_channels": 4},
    "l_max 3": {"sent_tensor_channels": 4, "l_max": 3},
    "one layer": {"layers": 1},
    "three layers": {"layers": 3, "sent_tensor_channels": 4},
    "polarization": {"readout": "polarization", "members": 1, "sent_tensor_channels": 4},
}


def make_network(**shape: Any) -> Network:
    """A network for H, O, Si, Ti, Ba with tensors of order one, so that tolerances mean something."""
    torch.manual_seed(3)
    config = NetworkConfig(
        elements=(1, 8, 14, 22, 56), levels=("a", "b"), channels=8, cutoff_ang=4.0, **{"members": 3} | shape
    )
    network = build(config).double()
    with torch.no_grad():
        network.level.normal_()
        network.reference_charge.copy_(torch.tensor([0.4, -1.2, 3.0, 6.5, 2.7]))
        heads = network.readout.weights.values() if isinstance(network, ZStarNetwork) else [network.dipole]
        for weight in heads:
            weight.mul_(3.0)
    return network.eval()


@pytest.fixture(params=SHAPES, ids=lambda name: name.replace(" ", "-"))
def network(request: pytest.FixtureRequest) -> Network:
    return make_network(**SHAPES[request.param])
