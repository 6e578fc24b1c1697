"""The compiled package gives the same tensors as the network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bec_md.errors import UsageError
from bec_md.network.compiled import compile_model
from bec_md.network.graph import build_graph
from bec_md.network.model_file import load_network, save_model
from tests.network.conftest import make_network
from tests.network.test_model_file import quartz_like


@pytest.mark.filterwarnings("ignore")  # deprecations inside torch's own exporter and loader
def test_a_package_agrees_with_its_model_for_any_size(tmp_path: Path) -> None:
    model, package = tmp_path / "small.safetensors", tmp_path / "small.bec.pt2"
    save_model(model, make_network(sent_tensor_channels=4), {"name": "small"})
    metadata = compile_model(model, package)
    assert metadata["convention"] == "dM/du"
    runner = torch._inductor.aoti_load_package(str(package))
    assert json.loads(runner.get_metadata()["bec_md"]) == json.loads(json.dumps(metadata))
    network = load_network(model)
    atoms = quartz_like()
    for frames in ([atoms], [atoms.repeat((2, 1, 1)), atoms, atoms]):
        g = build_graph(frames, network.config.cutoff_ang)
        inputs = (g.numbers, g.frame, g.receiver, g.sender, g.vectors, g.total_charge, g.volume_ang3, g.level)
        with torch.no_grad():
            expected = network(g)
            charges, members, eps_inf = runner(*inputs)
        # both are float32 sums over ~10² neighbors in different orders
        scale = float(expected.members.abs().max())
        np.testing.assert_allclose(charges, expected.charges, atol=2e-6 * scale)
        np.testing.assert_allclose(members, expected.members, atol=2e-6 * scale)
        np.testing.assert_allclose(eps_inf, expected.eps_inf, rtol=1e-4)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "small.safetensors"
    save_model(model, make_network(), {"name": "small"})
    with pytest.raises(UsageError, match=r"\.pt2"):
        compile_model(model, tmp_path / "small.so")
