"""What symmetry demands of the network, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, make_supercell
from e3nn import o3

from bec_md.network.graph import build_graph, concatenate
from bec_md.network.network import Network
from tests.network.conftest import make_network

# Rounding in float64 after two or three layers of sums over ~40 neighbors is a few 1e-14 e.
EXACT = 1e-10


def rattled(seed: int = 0, amplitude: float = 0.25) -> Atoms:
    rng = np.random.default_rng(seed)
    cell = np.array([[4.6, 0.0, 0.0], [0.7, 5.1, 0.0], [-0.4, 0.9, 4.9]])
    scaled = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    atoms = Atoms("BaTiO3", cell=cell, scaled_positions=scaled, pbc=True)
    atoms.positions += amplitude * rng.normal(size=(5, 3))
    return atoms


def predict(network: Network, atoms: Atoms, level: int = 0) -> tuple[np.ndarray, np.ndarray]:
    graph = build_graph([atoms], network.config.cutoff_ang, dtype=torch.float64, level=level)
    with torch.no_grad():
        out = network(graph)
    return out["charges"].mean(dim=1).numpy(), out["eps_inf"][0].numpy()


@pytest.mark.parametrize("inversion", [1.0, -1.0], ids=["rotation", "with inversion"])
def test_tensors_turn_with_the_crystal(network: Network, inversion: float) -> None:
    rotation = inversion * o3.rand_matrix(dtype=torch.float64).numpy()
    atoms = rattled()
    turned = atoms.copy()
    turned.set_cell(atoms.cell @ rotation.T)
    turned.positions = atoms.positions @ rotation.T
    charges, eps = predict(network, atoms)
    turned_charges, turned_eps = predict(network, turned)
    assert np.ptp(charges) > 0.5
    np.testing.assert_allclose(turned_charges, rotation @ charges @ rotation.T, atol=EXACT)
    np.testing.assert_allclose(turned_eps, rotation @ eps @ rotation.T, atol=EXACT)


def test_translation_wrapping_and_order_do_not_matter(network: Network) -> None:
    atoms = rattled()
    charges, eps = predict(network, atoms)
    order = np.array([3, 0, 4, 2, 1])
    moved = atoms[order]
    moved.positions += [0.3, -7.1, 2.2]
    moved.wrap()
    moved_charges, moved_eps = predict(network, moved)
    np.testing.assert_allclose(moved_charges, charges[order], atol=EXACT)
    np.testing.assert_allclose(moved_eps, eps, atol=EXACT)


def test_a_supercell_has_the_same_tensors(network: Network) -> None:
    atoms = rattled()
    charges, eps = predict(network, atoms)
    supercell = make_supercell(atoms, [[2, 0, 0], [1, 1, 0], [0, 0, 1]], order="atom-major")
    big_charges, big_eps = predict(network, supercell)
    np.testing.assert_allclose(big_charges, np.repeat(charges, 2, axis=0), atol=EXACT)
    np.testing.assert_allclose(big_eps, eps, atol=EXACT)


def test_frames_of_a_batch_do_not_see_each_other(network: Network) -> None:
    frames = [rattled(seed) for seed in range(3)]
    graphs = [build_graph([f], 4.0, dtype=torch.float64) for f in frames]
    with torch.no_grad():
        together = network(concatenate(graphs))
    for index, frame in enumerate(frames):
        charges, eps = predict(network, frame)
        np.testing.assert_allclose(
            together["charges"][5 * index : 5 * index + 5].mean(dim=1).numpy(), charges, atol=EXACT
        )
        np.testing.assert_allclose(together["eps_inf"][index].numpy(), eps, atol=EXACT)


def test_the_antisymmetric_part_lives(network: Network) -> None:
    charges, _ = predict(network, rattled())
    antisymmetric = (charges - charges.transpose(0, 2, 1)) / 2
    assert np.sqrt(np.mean(antisymmetric**2)) > 1e-3


def test_site_symmetry_forbids_what_it_must(network: Network) -> None:
    # Cubic perovskite: A and B sites are isotropic, oxygen has two different diagonal entries.
    cubic = Atoms(
        "BaTiO3",
        cell=[4.0, 4.0, 4.0],
        pbc=True,
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )
    charges, eps = predict(network, cubic)
    off_diagonal = charges[:, ~np.eye(3, dtype=bool)]
    np.testing.assert_allclose(off_diagonal, 0, atol=EXACT)
    np.testing.assert_allclose(charges[:2, 0, 0], charges[:2, 2, 2], atol=EXACT)
    assert abs(charges[2, 0, 0] - charges[2, 2, 2]) > 1e-3
    np.testing.assert_allclose(eps, eps[0, 0] * np.eye(3), atol=EXACT)


def test_the_sum_rule_holds_with_and_without_net_charge(network: Network) -> None:
    for charge in (0.0, -1.0):
        atoms = rattled()
        atoms.info["total_charge"] = charge
        charges, _ = predict(network, atoms)
        np.testing.assert_allclose(charges.sum(axis=0), charge * np.eye(3), atol=EXACT)


@pytest.mark.parametrize("name", ["tensors sent", "l_max 3"])
def test_a_neighbor_crosses_the_cutoff_smoothly(name: str) -> None:
    from tests.network.conftest import SHAPES

    network = make_network(**SHAPES[name])
    cutoff = network.config.cutoff_ang

    def charges_at(x: float) -> np.ndarray:
        # only the first atom comes within the cutoff of the last one
        cluster = Atoms("OSiO", positions=[[0, 0, 0], [-1.2, 1.1, 0.2], [x, 0, 0]], cell=[30, 30, 30])
        return predict(network, cluster)[0]

    step = 1e-3
    near, nearer = charges_at(cutoff - step), charges_at(cutoff - 2 * step)
    outside = charges_at(cutoff + step)
    np.testing.assert_allclose(outside, charges_at(cutoff + 0.5), atol=EXACT)
    # The envelope closes as the cube of the distance: value ~(step/r_c)³, slope ~(step/r_c)².
    assert np.abs(near - outside).max() < 1e-7
    assert np.abs(nearer - near).max() / step < 1e-4
    assert np.abs(charges_at(cutoff - 0.5) - outside).max() > 1e-4


def test_cells_smaller_than_the_cutoff_have_images(network: Network) -> None:
    rocksalt = bulk("BaO", "rocksalt", a=5.5)
    primitive, _ = predict(network, rocksalt)
    cubic, _ = predict(network, bulk("BaO", "rocksalt", a=5.5, cubic=True))
    np.testing.assert_allclose(cubic[0], primitive[0], atol=EXACT)
    assert primitive[0, 0, 0] == pytest.approx(primitive[0, 1, 1], abs=EXACT)


def test_levels_of_theory_differ(network: Network) -> None:
    atoms = rattled()
    assert np.abs(predict(network, atoms, 0)[0] - predict(network, atoms, 1)[0]).max() > 1e-3


def test_lone_atoms_and_empty_neighborhoods(network: Network) -> None:
    lone = Atoms("OSi", positions=[[0, 0, 0], [15, 0, 0]], cell=[30, 30, 30], pbc=True)
    charges, eps = predict(network, lone)
    assert np.isfinite(charges).all()
    assert np.isfinite(eps).all()
    np.testing.assert_allclose(charges[0], charges[0, 0, 0] * np.eye(3), atol=EXACT)
