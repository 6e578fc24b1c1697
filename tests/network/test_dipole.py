"""Z* as the derivative of a polarization: what only this read-out promises, and what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from bec_md.errors import DataError
from bec_md.network import load_model
from bec_md.network.config import NetworkConfig
from bec_md.network.graph import build_graph, concatenate
from bec_md.network.model_file import load_network, save_model
from bec_md.network.network import Network
from bec_md.network.request import Request
from bec_md.network.torch_engine import TorchEngine
from bec_md.training.projection import energy_score, random_directions, random_pairs, step_generator
from tests.network.conftest import SHAPES, make_network
from tests.network.test_symmetry import predict, rattled


@pytest.fixture(scope="module")
def network() -> Network:
    return make_network(**SHAPES["dipole"])


def polarization(network: Network, atoms: Atoms) -> np.ndarray:
    """Σ q_i r_i + Σ p_i of a cell whose atoms are not wrapped; the mean charge is taken off as in Z*."""
    graph = build_graph([atoms], network.config.cutoff_ang, dtype=torch.float64)
    with torch.no_grad():
        dipole = network.charges_from(network.species(graph), network.describe(graph)).sum(0).mean(0)
        charge = network.charges_from.reference_charge[network.species(graph)].numpy()
    return dipole.numpy() + (charge - charge.mean()) @ atoms.positions


def tensors_along(network: Network, path: np.ndarray) -> np.ndarray:
    """Z* (K, N, 3, 3) of the rattled cell with its atoms displaced by `path` (K, N, 3)."""
    frames = [rattled() for _ in path]
    for frame, moved in zip(frames, path, strict=True):
        frame.positions += moved
    engine = TorchEngine(network, 0, "cpu", double=True)
    return engine.evaluate(frames, Request(("charges",), members=False))["charges"][:, 0]


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
        one, two = 0.1 * np.random.default_rng(5).normal(size=(2, 5, 3))
        angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)[:, None, None]
        path = np.cos(angle) * one + np.sin(angle) * two
        slope = -np.sin(angle) * one + np.cos(angle) * two
        total = np.einsum("kiab,kib->a", tensors_along(net, path), slope) * 2 * np.pi / 32
        return float(np.abs(total).max())

    assert loop(network) < 1e-6
    assert loop(make_network(**SHAPES["tensors sent"])) > 1e-4


def test_every_member_derives_from_its_own_polarization(network):
    atoms = rattled()
    graph = build_graph([atoms], 4.0, dtype=torch.float64)
    members = network(graph)["charges"]  # (N, M, 3, 3)
    assert members.std(dim=1).max() > 0.01
    torch.testing.assert_close(members.mean(dim=1), network(graph, members=False)["charges"][:, 0])
    with torch.no_grad():
        weight = network.charges_from.weight.clone()
        network.charges_from.weight.copy_(weight[:, 1:2].expand_as(weight))
        alone = network(graph)["charges"][:, 0]
        network.charges_from.weight.copy_(weight)
    torch.testing.assert_close(alone, members[:, 1], atol=1e-12, rtol=0)


def test_the_current_is_the_sum_of_charges_times_velocities(network):
    """Forward mode in two lanes of velocities against reverse mode, for every member and frame."""
    graph = concatenate([build_graph([rattled(seed)], 4.0, dtype=torch.float64) for seed in (0, 1)])
    graph.total_charge[1] = 1.0
    velocities = torch.randn(10, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    oxygen = (graph.numbers == 8)[:, None]
    lanes = torch.stack([velocities * oxygen, velocities * ~oxygen], dim=1)  # (N, G, 3)
    found = network.jvp("dipole", graph, lanes)  # (B, M, G, 3)
    terms = torch.einsum("nmab,ngb->nmga", network(graph)["charges"], lanes)
    expected = torch.stack([terms[:5].sum(0), terms[5:].sum(0)])
    assert expected.abs().max() > 1.0
    torch.testing.assert_close(found, expected, atol=1e-11, rtol=0)


def test_projections_are_rows_of_the_tensors_and_can_be_trained_on(network):
    graph = concatenate([build_graph([rattled(seed)], 4.0, dtype=torch.float64) for seed in (0, 1)])
    graph.total_charge[1] = 1.0
    generator = step_generator(seed=3, step=7)
    direction = random_directions(2, generator, graph.vectors)
    mean = graph.vectors.new_full((2, 3), 1 / 3)
    first, second = random_pairs(2, 3, generator, graph.vectors)
    rows, outputs = network.projected(graph, direction, [mean, first, second])
    members = network(graph)["charges"]
    for row, mix in zip(rows, (mean, first, second), strict=True):
        mixed = torch.einsum("nm,nmab->nab", mix[graph.frame], members)
        expected = torch.einsum("na,nab->nb", direction[graph.frame], mixed)
        torch.testing.assert_close(row.detach(), expected, atol=1e-10, rtol=0)
    assert set(outputs) == {"dipole", "eps_inf"}
    rows[0].square().sum().backward()
    assert network.charges_from.weight.grad.abs().max() > 0
    network.zero_grad()


def test_random_numbers_depend_on_seed_and_step_alone():
    like = torch.zeros(1)

    def draw(seed, step, count=4):
        return random_directions(count, step_generator(seed, step), like)

    torch.testing.assert_close(draw(1, 2), draw(1, 2))
    torch.testing.assert_close(draw(1, 2).norm(dim=1), torch.ones(4))
    assert not torch.allclose(draw(1, 2), draw(1, 3))
    many = draw(0, 0, 20_000)  # isotropic: ⟨e eᵀ⟩ = 1/3, standard error 0.3/√20000
    torch.testing.assert_close(many.T @ many / 20_000, torch.eye(3) / 3, atol=0.01, rtol=0)
    pairs = random_pairs(1000, 3, step_generator(0, 1), like)
    assert (pairs[0] * pairs[1]).sum() == 0  # never a member with itself
    torch.testing.assert_close(pairs[1].mean(dim=0), torch.full((3,), 1 / 3), atol=0.05, rtol=0)


def test_the_energy_score_is_least_where_members_are_spread_like_the_labels():
    generator = torch.Generator().manual_seed(0)
    first, second, labels = torch.randn(3, 50_000, 3, generator=generator, dtype=torch.float64)
    scores = {
        width: energy_score(width * first, width * second, labels, detach_mean=False).mean()
        for width in (0.5, 0.8, 1.0, 1.25, 2.0)
    }
    assert min(scores, key=scores.__getitem__) == 1.0
    shifted = energy_score(first + 0.5, second + 0.5, labels, detach_mean=False).mean()
    assert shifted > scores[1.0] + 0.01


def test_the_middle_of_the_members_is_left_alone_on_request():
    common = torch.zeros(4, 3, requires_grad=True)
    apart = torch.ones(4, 3)
    labels = torch.full((4, 3), 0.3)
    energy_score(common + apart, common - apart, labels, detach_mean=True).sum().backward()
    assert common.grad is None or common.grad.abs().max() == 0
    energy_score(common + apart, common - apart, labels, detach_mean=False).sum().backward()
    assert common.grad.abs().max() > 0


def test_z_comes_from_one_readout():
    for names in (["charges", "dipole"], ["polarizability"], ["dipole", "dipole"], [], ["dipole"]):
        with pytest.raises(ValueError, match="each once; Z\\* comes from charges or dipole, ε_∞ from pol"):
            NetworkConfig(elements=(8,), levels=("a",), readouts=[{"name": name} for name in names])


def test_the_model_serves_tensors_members_and_permittivity(network, tmp_path):
    path = tmp_path / "p.safetensors"
    save_model(path, network, {"name": "p", "uncertainty_scale": 2.0})
    model = load_model(path)
    assert model.engine.name.startswith(("native", "torch"))
    charges, eps_inf = predict(network, rattled())
    found = model.predict_batch([rattled()])
    np.testing.assert_allclose(found.born_effective_charges[0], charges, atol=2e-5)  # float32
    np.testing.assert_allclose(found.eps_inf[0], eps_inf, rtol=1e-5)
    members = network(build_graph([rattled()], 4.0, dtype=torch.float64))["charges"].numpy()
    np.testing.assert_allclose(found.members[0], members.swapaxes(0, 1), atol=2e-5)
    spread = members.std(axis=1, ddof=1)
    expected = 2.0 * np.sqrt((spread**2).mean(axis=(-1, -2)))
    np.testing.assert_allclose(found.uncertainty_e[0], expected, atol=1e-5)


def test_many_frames_are_evaluated_in_parts(network, monkeypatch):
    import bec_md.network.torch_engine as engine

    frames = [rattled(seed) for seed in range(5)]
    together = engine.TorchEngine(network, 0, "cpu", double=True).evaluate(frames)
    sizes = []
    build = engine.build_graph
    monkeypatch.setattr(engine, "BACKWARD_ATOMS", 10)  # two frames of five atoms
    monkeypatch.setattr(
        engine, "build_graph", lambda part, *a, **k: sizes.append(len(part)) or build(part, *a, **k)
    )
    parts = engine.TorchEngine(network, 0, "cpu", double=True).evaluate(frames)
    assert sizes == [2, 2, 1]
    for name in ("charges", "eps_inf"):
        np.testing.assert_allclose(parts[name], together[name], atol=1e-12)


@pytest.mark.parametrize("search", ["host", "device"])
def test_the_engine_gives_currents_and_polarizations(network, search):
    """J of two groups and P of every member, with neighbors found either way, one frame charged."""
    frames = [rattled(seed) for seed in range(3)]
    frames[1].info["total_charge"] = 1.0
    velocities = np.random.default_rng(3).normal(size=(3, 5, 3))
    group = np.array([0, 1, 1, -1, 0])
    lanes = (group[:, None] == np.arange(2))[..., None] * velocities[:, :, None]  # (F, N, G, 3)
    engine = TorchEngine(network, 0, "cpu", double=True, search=search)
    found = engine.evaluate(frames, Request(("current", "polarization", "eps_inf"), velocities=lanes))
    tensors = engine.evaluate(frames)
    expected = np.einsum("fmnab,fngb->fmga", tensors["charges"], lanes)
    np.testing.assert_allclose(found["current"], expected, atol=1e-10)
    np.testing.assert_allclose(found["eps_inf"], tensors["eps_inf"], atol=1e-12)
    mean = engine.evaluate(frames, Request(("charges",), members=False))["charges"]
    np.testing.assert_allclose(mean[:, 0], tensors["charges"].mean(axis=1), atol=1e-12)
    step = 1e-4  # Å; central differences of P along one atom's displacement
    sides = []
    for sign in (1, -1):
        moved = [frame.copy() for frame in frames]
        for frame in moved:
            frame.positions[2, 1] += sign * step
        sides.append(engine.evaluate(moved, Request(("polarization",)))["polarization"])
    numeric = (sides[0] - sides[1]) / (2 * step)  # (F, M, 3)
    np.testing.assert_allclose(tensors["charges"][:, :, 2, :, 1], numeric, atol=1e-5)


@pytest.mark.parametrize("charges", ["charges", "dipole"])
def test_a_model_gives_the_current_however_it_makes_its_tensors(charges, tmp_path):
    path = tmp_path / "p.safetensors"
    save_model(path, make_network(charges, sent_tensor_channels=4), {"name": "p"})
    model = load_model(path, engine="torch")
    frames = [rattled(0), rattled(1)]
    velocities = np.random.default_rng(3).normal(size=(2, 5, 3))
    group = np.array([0, 1, 1, -1, 0])
    found = model.current(frames, velocities, group)
    members = model.predict_batch(frames).members  # (F, M, N, 3, 3)
    lanes = (group[:, None] == np.arange(2))[..., None] * velocities[:, :, None]
    expected = np.einsum("fmnab,fngb->fmga", members, lanes)
    np.testing.assert_allclose(found.members, expected, atol=1e-4)  # float32, tensors of order 10 e
    np.testing.assert_allclose(found.current, found.members.mean(axis=1))
    assert (found.polarization is None) == (charges == "charges")
    assert model.current(frames, velocities).current.shape == (2, 1, 3)


IONS = {"H": 1, "O": -2, "Si": 4, "Ti": 4, "Ba": 2}


def ionic_network() -> Network:
    readouts = [{"name": "dipole", "members": 3, "oxidation_numbers": IONS}, {"name": "polarizability"}]
    torch.manual_seed(3)
    config = NetworkConfig(
        elements=(1, 8, 14, 22, 56), levels=("a",), channels=8, cutoff_ang=4.0, readouts=readouts
    )
    return Network(config).double().eval()


@pytest.mark.parametrize("name", ["universal", "universal-polarization"])
@pytest.mark.parametrize(
    ("velocities", "groups"), [((2, 2, 3), None), ((1, 2, 3), 1), ((1, 3, 3), None), ((2, 3), None)]
)
def test_velocities_and_groups_belong_to_the_atoms(name, velocities, groups):
    """Those of other frames were read beyond their end by the compiled evaluator."""
    frames = [bulk("MgO", "rocksalt", a=4.21)]
    given = None if groups is None else np.zeros(groups, dtype=int)
    with pytest.raises(DataError, match=r"1 frame\(s\) of 2 atoms"):
        load_model(name).current(frames, np.zeros(velocities), given)


def test_an_ion_carries_its_oxidation_number_around_the_cell():
    """Moved by a lattice vector R, an ion takes n R with it, whatever the network says on the way."""
    network, atoms = ionic_network(), rattled()
    engine = TorchEngine(network, 0, "cpu", double=True)
    moved = atoms.copy()
    moved.positions[3] += atoms.cell[1]
    request = Request(("polarization",))
    before, after = (engine.evaluate([item], request)["polarization"][0] for item in (atoms, moved))
    # float64, the same state of the atoms up to the order of additions
    np.testing.assert_allclose(after - before, np.tile(IONS["O"] * atoms.cell[1], (3, 1)), atol=1e-10)
    path = np.zeros((64, len(atoms), 3))  # ∫ Z·du along it, by the trapezoidal rule for a periodic function
    path[:, 3] = np.arange(64)[:, None] / 64 * atoms.cell[1]
    total = tensors_along(network, path)[:, 3].mean(axis=0) @ atoms.cell[1]
    np.testing.assert_allclose(total, IONS["O"] * atoms.cell[1], atol=2e-3)  # passes atoms at 0.5 Å


def test_fixed_charges_are_kept_in_file_and_training(tmp_path):
    network = ionic_network()
    assert "readouts.dipole.reference_charge" not in dict(network.named_parameters())
    network.charges_from.start({0: 0.1})
    save_model(tmp_path / "ions.safetensors", network.float(), {"name": "ions"})
    again = load_network(tmp_path / "ions.safetensors")
    torch.testing.assert_close(again.charges_from.reference_charge, torch.tensor([1.0, -2.0, 4.0, 4.0, 2.0]))
    for change in ({"H": 1}, {**IONS, "Xx": 1}, {**IONS, "Li": 1}):
        wrong = {"name": "dipole", "oxidation_numbers": change}
        with pytest.raises(ValueError, match="one for each element"):
            NetworkConfig(
                elements=(1, 8, 14, 22, 56), levels=("a",), readouts=[wrong, {"name": "polarizability"}]
            )
    with pytest.raises(ValueError, match="only the read-out dipole"):
        NetworkConfig(
            elements=(1,),
            levels=("a",),
            readouts=[{"name": "charges", "oxidation_numbers": {"H": 1}}, {"name": "polarizability"}],
        )
