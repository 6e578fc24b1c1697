"""The network that ours is compared with is a proper one: equivariant, smooth, obeying the sum rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from bec_md.bench.structures import quartz, random_rotation
from bec_md.network.graph import build_graph
from tests.benchmarks.evaluation.edgewise import EdgewiseNetwork


@pytest.fixture(scope="module")
def network() -> EdgewiseNetwork:
    torch.manual_seed(2)
    return EdgewiseNetwork(layers=2, channels=4).double().eval().requires_grad_(False)


def charges(network: EdgewiseNetwork, atoms: Atoms) -> np.ndarray:
    with torch.inference_mode():
        return network(build_graph([atoms], network.cutoff_ang, dtype=torch.float64)).numpy()


@pytest.mark.parametrize("improper", [False, True])
def test_tensors_turn_with_the_structure(network: EdgewiseNetwork, improper: bool) -> None:
    rotation = random_rotation(np.random.default_rng(1)) * (-1 if improper else 1)
    atoms = quartz(72)
    turned = atoms.copy()
    turned.set_cell(atoms.cell @ rotation.T)
    turned.positions = atoms.positions @ rotation.T
    expected = np.einsum("ac,ncd,bd->nab", rotation, charges(network, atoms), rotation)
    # e3nn's constants of activation functions and Clebsch–Gordan coefficients are float32
    assert charges(network, turned) == pytest.approx(expected, abs=1e-5)
    assert np.abs(expected - np.trace(expected, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3).max() > 1e-2


def test_the_acoustic_sum_rule_holds(network: EdgewiseNetwork) -> None:
    # a sum of 72 numbers of order one in float64
    assert charges(network, quartz(72)).sum(axis=0) == pytest.approx(np.zeros((3, 3)), abs=1e-12)


def test_an_atom_that_crosses_the_cutoff_changes_nothing(network: EdgewiseNetwork) -> None:
    def pair(distance: float) -> np.ndarray:
        return charges(network, Atoms("SiO", positions=[[0, 0, 0], [0, 0, distance]], cell=[30] * 3))

    # the envelope falls with the third power: (1e-3)³ times coefficients of order 100
    assert pair(4.995) == pytest.approx(pair(5.005), abs=1e-5)
