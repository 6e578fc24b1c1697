"""Z* as the derivative of a polarization: what only this read-out promises, and what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from bec_md.errors import UsageError
from bec_md.network import load_model
from bec_md.network.compiled import compile_model
from bec_md.network.config import NetworkConfig
from bec_md.network.graph import build_graph, concatenate
from bec_md.network.model_file import save_model
from bec_md.network.native import native_status
from bec_md.network.polarization import PolarizationNetwork, random_directions
from tests.network.conftest import SHAPES, make_network
from tests.network.test_symmetry import predict, rattled


@pytest.fixture(scope="module")
def network() -> PolarizationNetwork:
    return make_network(**SHAPES["polarization"])


def polarization(network: PolarizationNetwork, atoms: Atoms) -> np.ndarray:
    """Σ q_i r_i + Σ p_i of a cell whose atoms are not wrapped; the mean charge is taken off as in Z*."""
    graph = build_graph([atoms], network.config.cutoff_ang, dtype=torch.float64)
    with torch.no_grad():
        dipoles, _ = network.dipoles(graph)
        charge = network.reference_charge[network.element_index[graph.numbers]].numpy()
    return dipoles.sum(0).numpy() + (charge - charge.mean()) @ atoms.positions


def test_z_is_the_derivative_of_the_polarization(network):
    atoms, step = rattled(), 1e-4
    charges, _ = predict(network, atoms)
    numeric = np.zeros_like(charges)
    for i in range(len(atoms)):
        for b in range(3):
            sides = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions[i, b] += sign * step
                sides.append(polarization(network, moved))
            numeric[i, :, b] = (sides[0] - sides[1]) / (2 * step)
    assert np.ptp(charges) > 0.5
    # central differences err by step² times a third derivative of some 100 e/Å²
    np.testing.assert_allclose(charges, numeric, atol=1e-5)


def test_the_current_around_a_closed_path_is_zero_unlike_that_of_the_direct_readout(network):
    """∮ Σ Z·du by the trapezoidal rule on a smooth path converges faster than any power of the step."""

    def loop(net) -> float:
        atoms = rattled()
        rng = np.random.default_rng(5)
        one, two = 0.1 * rng.normal(size=(2, 5, 3))
        total = np.zeros(3)
        for angle in np.linspace(0, 2 * np.pi, 32, endpoint=False):
            moved = atoms.copy()
            moved.positions += np.cos(angle) * one + np.sin(angle) * two
            slope = -np.sin(angle) * one + np.cos(angle) * two
            total += np.einsum("iab,ib->a", predict(net, moved)[0], slope) * 2 * np.pi / 32
        return float(np.abs(total).max())

    assert loop(network) < 1e-6
    assert loop(make_network(**SHAPES["tensors sent"])) > 1e-4


def test_projections_are_rows_of_the_tensors_and_can_be_trained_on(network):
    graphs = [build_graph([rattled(seed)], 4.0, dtype=torch.float64) for seed in (0, 1)]
    graph = concatenate(graphs)
    graph.total_charge[1] = 1.0
    direction = random_directions(2, seed=3, step=7, like=graph.vectors)
    rows, _ = network.projected(graph, direction)
    expected = torch.einsum("na,nab->nb", direction[graph.frame], network(graph).charges)
    torch.testing.assert_close(rows.detach(), expected, atol=1e-10, rtol=0)
    rows.square().sum().backward()
    assert network.dipole.grad is not None
    assert network.dipole.grad.abs().max() > 0
    network.zero_grad()


def test_directions_depend_on_seed_and_step_alone():
    like = torch.zeros(1)
    first = random_directions(4, 1, 2, like)
    torch.testing.assert_close(first, random_directions(4, 1, 2, like))
    torch.testing.assert_close(first.norm(dim=1), torch.ones(4))
    assert not torch.allclose(first, random_directions(4, 1, 3, like))
    many = random_directions(20_000, 0, 0, like)  # isotropic: ⟨e eᵀ⟩ = 1/3, standard error 0.3/√20000
    torch.testing.assert_close(many.T @ many / 20_000, torch.eye(3) / 3, atol=0.01, rtol=0)


def test_an_ensemble_is_refused():
    with pytest.raises(ValueError, match="members: 1"):
        NetworkConfig(elements=(8,), levels=("a",), readout="polarization")


def test_the_model_works_in_pytorch_and_elsewhere_says_why_not(network, tmp_path):
    path = tmp_path / "p.safetensors"
    save_model(path, network, {"name": "p"})
    model = load_model(path)
    assert "derivative" in model.engine_note
    charges, _ = predict(network, rattled())
    np.testing.assert_allclose(model.predict(rattled()), charges, atol=2e-5)  # float32
    with pytest.raises(UsageError, match="backward pass"):
        load_model(path, engine="native")
    with pytest.raises(UsageError, match="backward pass"):
        load_model(path, compile=True)
    with pytest.raises(UsageError, match="backward pass"):
        compile_model(path, tmp_path / "p.pt2")


def test_many_frames_are_evaluated_in_parts(network, monkeypatch):
    import bec_md.network.torch_engine as engine

    frames = [rattled(seed) for seed in range(5)]
    together, eps = engine.TorchEngine(network, 0, "cpu", double=True).evaluate(frames)
    sizes = []
    build = engine.build_graph
    monkeypatch.setattr(engine, "BACKWARD_ATOMS", 10)  # two frames of five atoms
    monkeypatch.setattr(
        engine, "build_graph", lambda part, *a, **k: sizes.append(len(part)) or build(part, *a, **k)
    )
    parts, eps_parts = engine.TorchEngine(network, 0, "cpu", double=True).evaluate(frames)
    assert sizes == [2, 2, 1]
    np.testing.assert_allclose(parts, together, atol=1e-12)
    np.testing.assert_allclose(eps_parts, eps, atol=1e-12)


@pytest.mark.skipif(not native_status().available, reason="needs the compiled evaluator")
def test_the_compiled_evaluator_refuses_the_file(network, tmp_path):
    from bec_md.network.native import NativeEngine

    path = tmp_path / "p.safetensors"
    save_model(path, network, {"name": "p"})
    with pytest.raises(Exception, match="predicts a polarization"):
        NativeEngine(path, "a")
