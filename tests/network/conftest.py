"""Small networks with random weights, in double precision."""

from __future__ import annotations

import pytest
import torch

from bec_md.network.config import NetworkConfig
from bec_md.network.model import ZStarNetwork

SHAPES = {
    "scalars sent": {"sent_tensor_channels": 0},
    "tensors sent": {"sent_tensor_channels": 4},
    "l_max 3": {"sent_tensor_channels": 4, "l_max": 3},
    "one layer": {"layers": 1},
    "three layers": {"layers": 3, "sent_tensor_channels": 4},
}


def make_network(**shape: int) -> ZStarNetwork:
    """A network for H, O, Si, Ti, Ba with tensors of order one, so that tolerances mean something."""
    torch.manual_seed(3)
    config = NetworkConfig(
        elements=(1, 8, 14, 22, 56), levels=("a", "b"), channels=8, members=3, cutoff_ang=4.0, **shape
    )
    network = ZStarNetwork(config).double()
    with torch.no_grad():
        network.level.normal_()
        network.reference_charge.copy_(torch.tensor([0.4, -1.2, 3.0, 6.5, 2.7]))
        for weight in network.readout.weights.values():
            weight.mul_(3.0)
    return network.eval()


@pytest.fixture(params=SHAPES, ids=lambda name: name.replace(" ", "-"))
def network(request: pytest.FixtureRequest) -> ZStarNetwork:
    return make_network(**SHAPES[request.param])
