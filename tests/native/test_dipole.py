"""Derivatives of a polarization in C++: forward and reverse mode against PyTorch in double precision.

Tolerances: derivatives of float32 splines and sums over some 50 neighbors and 200 channels, 1e-5 of the
largest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.network.graph import build_graph
from bec_md.network.native import NativeModel
from tests.native.conftest import ELEMENTS, Reference, random_frame, random_network

Array = NDArray[np.float64]
RELATIVE = 1e-5


def assert_close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=RELATIVE * np.abs(expected).max())


def load(reference: Reference) -> NativeModel:
    return NativeModel(reference.path, "PBE", ELEMENTS)


def velocities_of(frames: list[Atoms], seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(sum(map(len, frames)), 3))


def reference_current(reference: Reference, frames: list[Atoms], lanes: Array) -> Array:
    """DP/dt (B, M, G, 3) by PyTorch's forward mode along `lanes` (N, G, 3)."""
    graph = build_graph(frames, reference.network.config.cutoff_ang, dtype=torch.float64)
    return reference.network.jvp("dipole", graph, torch.from_numpy(lanes)).numpy()


CONFIGURATIONS: list[dict[str, Any]] = [
    {"members": 1},
    {"sent_tensor_channels": 16, "members": 3},
    {"layers": 1, "members": 2},
    {"l_max": 3, "sent_tensor_channels": 16, "members": 1},
    {"layers": 3, "channels": 20, "sent_tensor_channels": 5, "l_max": 3, "scalar_width": 30, "members": 1},
    {"channels": 48, "sent_tensor_channels": 24, "cutoff_ang": 3.7, "members": 1},
]


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_configurations(options: dict[str, Any], tmp_path: Path) -> None:
    reference = random_network(tmp_path / "network.safetensors", charges="dipole", **options)
    frames = [random_frame(1, n_atoms=17), random_frame(2, n_atoms=30, length=7.0)]
    velocities = velocities_of(frames)
    group = np.random.default_rng(1).integers(-1, 3, len(velocities))
    names = ("charges", "current", "eps_inf", "dipole")
    result = load(reference).evaluate(
        frames, names, members=names, velocities=velocities, groups=group, n_groups=3
    )
    expected = {name: value.numpy() for name, value in reference.predict(frames).items()}
    assert_close(result.members["charges"], expected["charges"])
    assert_close(result.values["charges"], expected["charges"].mean(axis=1))
    assert_close(result.members["dipole"], expected["dipole"])
    np.testing.assert_allclose(result.values["eps_inf"], expected["eps_inf"], rtol=1e-5, atol=1e-5)
    lanes = (group[:, None] == np.arange(3))[:, :, None] * velocities[:, None]
    current = reference_current(reference, frames, lanes).swapaxes(1, 2)  # (B, G, M, 3)
    scale = np.abs(expected["charges"]).max() * np.abs(velocities).max()
    np.testing.assert_allclose(result.members["current"], current, rtol=0, atol=3 * RELATIVE * scale)
    np.testing.assert_allclose(result.values["current"], result.members["current"].mean(axis=2), atol=1e-12)


SPECIAL = {
    "slab": random_frame(3, pbc=(True, True, False)),
    "chain": random_frame(4, pbc=(False, True, False)),
    "cluster": random_frame(5, pbc=False),
    "smaller than the cutoff": bulk("SiO", "zincblende", a=4.2),
    "charged": random_frame(6),
    "no neighbors": Atoms("SiO", positions=[(0, 0, 0), (50, 0, 0)], cell=np.eye(3) * 100, pbc=True),
}
SPECIAL["smaller than the cutoff"].positions[1] += (0.1, -0.05, 0.2)
SPECIAL["charged"].info["total_charge"] = 2.0


@pytest.mark.parametrize("name", SPECIAL)
def test_special_frames(dipole_reference: Reference, name: str) -> None:
    frame = SPECIAL[name]
    velocities = velocities_of([frame])
    result = load(dipole_reference).evaluate([frame], ("charges", "current"), velocities=velocities)
    expected = dipole_reference.predict([frame])["charges"].numpy().mean(axis=1)
    assert_close(result.values["charges"], expected)
    total = result.values["charges"].sum(axis=0)
    np.testing.assert_allclose(total, frame.info.get("total_charge", 0.0) * np.eye(3), atol=1e-12)
    current = np.einsum("nab,nb->a", expected, velocities)
    scale = np.abs(expected).max() * np.abs(velocities).max() * np.sqrt(len(frame))
    np.testing.assert_allclose(result.values["current"][0, 0], current, atol=RELATIVE * scale)


def test_central_differences_of_the_polarization(dipole_reference: Reference) -> None:
    """An oracle that knows nothing of derivatives: P itself, by the same library."""
    model, frame, step = load(dipole_reference), random_frame(7, n_atoms=12), 0.01
    direction = velocities_of([frame])

    def polarization(shift: float) -> Array:
        moved = frame.copy()
        moved.positions += shift * direction
        return model.evaluate([moved], ("polarization",)).values["polarization"][0]

    def difference(width: float) -> Array:
        return (polarization(width) - polarization(-width)) / (2 * width)

    extrapolated = (4 * difference(step) - difference(2 * step)) / 3  # fourth order
    result = model.evaluate([frame], ("charges", "current"), velocities=direction)
    current = result.values["current"][0, 0]
    # float32 rounding of P divided by the step
    np.testing.assert_allclose(current, extrapolated, atol=2e-3)
    np.testing.assert_allclose(
        current, np.einsum("nab,nb->a", result.values["charges"], direction), atol=1e-4
    )


def test_closed_loop(dipole_reference: Reference) -> None:
    """∮ ΣZ·du of a loop by Gauss–Legendre quadrature, against the length of the way in the space of P."""
    model, frame = load(dipole_reference), random_frame(8, n_atoms=10)
    first, second = velocities_of([frame], 1), velocities_of([frame], 2)
    count = 96
    angles = 2 * np.pi * np.arange(count) / count  # the periodic trapezoidal rule converges exponentially
    frames, steps = [], []
    for angle in angles:
        moved = frame.copy()
        moved.positions += 0.02 * (np.cos(angle) * first + np.sin(angle) * second)
        frames.append(moved)
        steps.append(0.02 * (-np.sin(angle) * first + np.cos(angle) * second) * (2 * np.pi / count))
    velocities = np.concatenate(steps)
    charges = model.evaluate(frames, ("charges",)).values["charges"].reshape(count, 10, 3, 3)
    along = np.einsum("fnab,fnb->fa", charges, np.array(steps))
    length = np.abs(along).sum(axis=0).max()
    assert np.abs(along.sum(axis=0)).max() < RELATIVE * length
    rates = model.evaluate(frames, ("current",), velocities=velocities).values["current"][:, 0]
    assert np.abs(rates.sum(axis=0)).max() < RELATIVE * length


def test_threads_and_batches_do_not_matter(dipole_reference: Reference) -> None:
    model = load(dipole_reference)
    frames = [random_frame(9).repeat((4, 3, 3)), random_frame(10)]  # enough blocks for several chunks
    velocities = velocities_of(frames)
    names = ("charges", "current", "dipole")
    one = model.evaluate(frames, names, members=names, velocities=velocities)
    for threads in (2, 5):
        several = model.evaluate(frames, names, members=names, velocities=velocities, threads=threads)
        for name in names:
            np.testing.assert_array_equal(several.values[name], one.values[name])
            np.testing.assert_array_equal(several.members[name], one.members[name])
    alone = model.evaluate(frames[1:], ("charges",)).values["charges"]
    np.testing.assert_allclose(alone, one.values["charges"][-24:], atol=RELATIVE * np.abs(alone).max())


def test_what_a_model_does_not_give(reference: Reference, dipole_reference: Reference) -> None:
    frame = random_frame(11, n_atoms=4)
    with pytest.raises(DataError, match="the model does not give current"):
        load(reference).evaluate([frame], ("current",), velocities=velocities_of([frame]))
    with pytest.raises(DataError, match="a current was asked for without velocities"):
        load(dipole_reference).evaluate([frame], ("current",))
    with pytest.raises(DataError, match="group 2 of atom 0 is not valid"):
        load(dipole_reference).evaluate(
            [frame], ("current",), velocities=velocities_of([frame]), groups=np.full(4, 2), n_groups=2
        )


def test_ionic_charges(dipole_reference: Reference) -> None:
    charges = load(dipole_reference).ionic_charges()
    readout = dipole_reference.network.charges_from
    np.testing.assert_allclose(charges, readout.reference_charge.detach().numpy(), atol=1e-7)
