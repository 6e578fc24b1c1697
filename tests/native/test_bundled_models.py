"""The bundled models, with trained weights, on structures of their elements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

import bec_md.network
from bec_md.network.graph import build_graph
from bec_md.network.model_file import load_network, read_header
from bec_md.network.native import NativeModel
from tests.native.conftest import Reference

BUNDLED = [
    path
    for path in sorted((Path(bec_md.network.__file__).parent / "bundled").glob("*.safetensors"))
    if "mean_of" not in read_header(path)
]


def structures() -> list[Atoms]:
    rng = np.random.default_rng(0)
    places = np.array([(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)])
    perovskite = Atoms("BaTiO3", positions=4.0 * places, cell=4.0 * np.eye(3), pbc=True)
    cristobalite = bulk("Si", cubic=True, a=7.16)
    bonds = [(a, b) for a in range(8) for b in range(8) if a < b]
    for a, b in bonds:
        vector = cristobalite.get_distance(a, b, mic=True, vector=True)
        if np.linalg.norm(vector) < 3.2:
            cristobalite += Atoms("O", positions=[cristobalite.positions[a] + vector / 2])
    water = molecule("H2O")
    water.set_cell(np.eye(3) * 3.1)
    corners = 0.9 * np.array([(0, 0, 0), (1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
    faces = 2.5 * np.array([(1, 1, 0), (1, 0, 1), (0, 1, 1)])
    phosphate = Atoms("PO4Li3", positions=np.concatenate([corners, faces]), cell=5.0 * np.eye(3))
    frames = [bulk("ZrO2", "fluorite", a=5.1), perovskite.repeat(2), cristobalite, water.repeat(2), phosphate]
    for frame in frames:
        frame.pbc = True
        frame.positions += rng.normal(0, 0.05, frame.positions.shape)
    return frames


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_native_equals_the_reference(path: Path) -> None:
    header = read_header(path)["config"]
    frames = [frame for frame in structures() if set(frame.numbers.tolist()) <= set(header["elements"])]
    assert frames
    network = load_network(path)
    reference = Reference(path, load_network(path).double())
    model = NativeModel(path, header["levels"][0], header["elements"])
    for frame in frames:
        expected = reference.predict([frame])["charges"].detach().mean(dim=1).numpy()
        result = model.predict_frames([frame]).charges
        single = (
            network(build_graph([frame], network.config.cutoff_ang))["charges"].detach().mean(dim=1).numpy()
        )
        largest = np.abs(expected).max()
        # 1e-6 e, and three roundings of float32 where charges are large (Ti: 7 e); or PyTorch in float32
        allowed = max(1e-6 + 2e-7 * largest, 1.5 * np.abs(single - expected).max())
        np.testing.assert_allclose(result, expected, atol=allowed, rtol=0)
        # an error of the tables would be seen in the mean
        assert np.sqrt(np.mean((result - expected) ** 2)) < 1e-7 + 6e-8 * largest


@pytest.mark.parametrize("name", ["silica", "batio3"])  # l ≤ 2 and l ≤ 3
def test_the_current_of_a_trained_polarization_is_exact_to_rounding(name: str) -> None:
    path = next(path for path in BUNDLED if path.stem == name)
    header = read_header(path)["config"]
    (frame,) = (one for one in structures() if set(one.numbers.tolist()) <= set(header["elements"]))
    velocities = np.random.default_rng(1).normal(size=(len(frame), 3))
    network = load_network(path).double()
    graph = build_graph([frame], network.config.cutoff_ang, dtype=torch.float64)
    expected = network.jvp("dipole", graph, torch.from_numpy(velocities[:, None]))[0, :, 0].numpy()  # (M, 3)
    model = NativeModel(path, header["levels"][0], header["elements"])
    found = model.evaluate([frame], ("current",), members=("current",), velocities=velocities)
    # tabulated radial functions add nothing to the rounding of float32 sums over atoms and neighbors
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.members["current"][0, 0], expected, atol=1e-6 * scale, rtol=0)
