"""Random networks on disk and as PyTorch references in double precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from numpy.typing import NDArray

from bec_md.network.config import NetworkConfig, readouts
from bec_md.network.graph import build_graph
from bec_md.network.model_file import load_network, save_model
from bec_md.network.native_library import native_status
from bec_md.network.network import Network, Properties

ELEMENTS = (1, 8, 14)
LEVELS = ("PBE", "r2SCAN")


@dataclass(frozen=True)
class Reference:
    """A network file and the same network in float64."""

    path: Path
    network: Network

    def predict(self, frames: list[Atoms], level: int = 0) -> Properties:
        """Reference tensors of a batch."""
        graph = build_graph(frames, self.network.config.cutoff_ang, dtype=torch.float64, level=level)
        with torch.no_grad():
            return self.network(graph)


def random_network(
    path: Path, seed: int = 0, members: int = 8, charges: str = "charges", **options: Any
) -> Reference:
    """Random weights, none of them zero by construction; Z* from `charges` or as derivative of a `dipole`."""
    torch.manual_seed(seed)
    config = NetworkConfig(elements=ELEMENTS, levels=LEVELS, readouts=readouts(charges, members), **options)
    network = Network(config)
    torch.nn.init.normal_(network.charges_from.reference_charge)
    torch.nn.init.normal_(network.level)
    save_model(path, network, {"name": "random"})
    return Reference(path, load_network(path).double())


def random_frame(seed: int, n_atoms: int = 24, length: float = 6.5, pbc: Any = True) -> Atoms:
    """Atoms at random places that keep apart, in a skewed cell."""
    rng = np.random.default_rng(seed)
    skew = rng.uniform(-0.2, 0.2, (3, 3))
    cell = length * (np.eye(3) + skew)
    places: list[NDArray[np.float64]] = []
    while len(places) < n_atoms:
        place = rng.random(3)
        if all(np.linalg.norm((place - p - np.round(place - p)) @ cell) > 0.9 for p in places):
            places.append(place)
    outside = rng.integers(-2, 3, (n_atoms, 3))  # trajectories are often unwrapped
    positions = (np.array(places) + (outside if np.all(pbc) else 0)) @ cell
    return Atoms(numbers=rng.choice(ELEMENTS, n_atoms), positions=positions, cell=cell, pbc=pbc)


@pytest.fixture(scope="session", autouse=True)
def _native() -> None:
    status = native_status()
    if not status.available:
        pytest.skip(f"native evaluator: {status.reason}")


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Two layers with tensor messages: the default kind of network."""
    path = tmp_path_factory.mktemp("native") / "network.safetensors"
    return random_network(path, sent_tensor_channels=16, members=4)


@pytest.fixture(scope="session")
def dipole_reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The same for a network whose derivatives are Z*."""
    path = tmp_path_factory.mktemp("native") / "dipole.safetensors"
    return random_network(path, charges="dipole", sent_tensor_channels=16, members=3)
