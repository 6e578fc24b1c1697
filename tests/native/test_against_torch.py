"""The native evaluator and the PyTorch reference give the same tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from bec_md.network.config import NetworkConfig, ReadoutConfig
from bec_md.network.model_file import load_network, save_model
from bec_md.network.native import NativeModel
from bec_md.network.network import Network
from tests.native.conftest import ELEMENTS, LEVELS, Reference, random_frame, random_network

# float32 sums over some 50 neighbors and 200 channels of numbers of order one: 1e-6 e absolute, as promised
TOLERANCE_E = 1e-6


def assert_same(reference: Reference, frames: list[Atoms], **options: Any) -> None:
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    expected = reference.predict(frames)
    result = model.predict_frames(frames, members=True, **options)
    assert result.members is not None
    np.testing.assert_allclose(
        result.charges, expected["charges"].mean(dim=1).numpy(), atol=TOLERANCE_E, rtol=1e-6
    )
    # members are combinations of features with random weights of order one, several e large
    scale = max(1.0, float(expected["charges"].abs().max()))
    np.testing.assert_allclose(
        result.members, expected["charges"].numpy(), atol=2 * TOLERANCE_E * scale, rtol=0
    )
    # ε_∞ is an exponential of the scalars, its relative error their absolute error
    np.testing.assert_allclose(result.eps_inf, expected["eps_inf"].numpy(), rtol=1e-5, atol=1e-5)


CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"sent_tensor_channels": 16, "members": 1},
    {"layers": 1, "members": 1},
    {"layers": 3, "channels": 16, "sent_tensor_channels": 8},
    {"l_max": 3, "sent_tensor_channels": 16},
    {"l_max": 3, "layers": 1},
    {"channels": 64, "sent_tensor_channels": 32, "members": 16},
    # widths that are no multiple of a register
    {"channels": 20, "sent_tensor_channels": 5, "l_max": 3, "layers": 3, "members": 3, "scalar_width": 30},
    {"channels": 48, "radial_functions": 5, "radial_width": 10, "cutoff_ang": 3.7},
]


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_configurations(options: dict[str, Any], tmp_path: Path) -> None:
    network = random_network(tmp_path / "network.safetensors", **options)
    assert_same(network, [random_frame(1, n_atoms=17), random_frame(2, n_atoms=30, length=7.0)])


@pytest.mark.parametrize(
    "pbc", [(True, True, False), (False, True, False), (True, False, True), (False, False, False)], ids=str
)
def test_partly_periodic(reference: Reference, pbc: tuple[bool, ...]) -> None:
    assert_same(reference, [random_frame(3, pbc=pbc)])


def test_cell_smaller_than_the_cutoff(reference: Reference) -> None:
    frame = bulk("SiO", "zincblende", a=4.2)  # two atoms, 3 Å apart from their own images
    frame.positions[1] += (0.1, -0.05, 0.2)
    assert_same(reference, [frame])


def test_isolated_atoms_and_no_cell(reference: Reference) -> None:
    far = Atoms("SiO", positions=[(0, 0, 0), (50, 0, 0)], cell=np.eye(3) * 100, pbc=True)
    alone = Atoms("H", positions=[(1, 2, 3)], cell=np.eye(3) * 9)
    assert_same(reference, [far, alone])
    water = molecule("H2O")  # no cell at all: ε_∞ has no meaning
    expected = reference.predict([water])["charges"].mean(dim=1).numpy()
    result = NativeModel(reference.path, "PBE", ELEMENTS).predict_frames([water])
    np.testing.assert_allclose(result.charges, expected, atol=TOLERANCE_E)


def test_members_of_the_polarizability_are_none(tmp_path: Path) -> None:
    """A training could be asked for several, and PyTorch, which trains, has one."""
    names = [ReadoutConfig(name="charges", members=2), ReadoutConfig(name="polarizability", members=20)]
    config = NetworkConfig(elements=ELEMENTS, levels=LEVELS, readouts=tuple(names), layers=1, channels=4)
    save_model(tmp_path / "n.safetensors", Network(config), {})
    assert_same(
        Reference(tmp_path / "n.safetensors", load_network(tmp_path / "n.safetensors").double()),
        [random_frame(7)],
    )


def test_level_of_theory(reference: Reference) -> None:
    frame = random_frame(4)
    expected = reference.predict([frame], level=1)["charges"].mean(dim=1).numpy()
    result = NativeModel(reference.path, "r2SCAN", ELEMENTS).predict_frames([frame])
    np.testing.assert_allclose(result.charges, expected, atol=TOLERANCE_E)


def test_total_charge_and_sum_rule(reference: Reference) -> None:
    frame = random_frame(5)
    frame.info["total_charge"] = 2.0
    assert_same(reference, [frame])
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    total = model.predict_frames([frame]).charges.sum(axis=0)
    np.testing.assert_allclose(total, 2 * np.eye(3), atol=1e-12)  # imposed in double precision
    raw = model.predict_frames([frame], sum_rule=False).charges
    assert abs(raw.sum(axis=0) - 2 * np.eye(3)).max() > 1e-3
    shift = raw - model.predict_frames([frame]).charges
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-12)


@pytest.mark.parametrize("instruction_set", ["avx2", "baseline"])
def test_other_instruction_sets(reference: Reference, instruction_set: str) -> None:
    # chosen when the library is first used, hence another process
    import os
    import subprocess
    import sys

    frame = random_frame(6, n_atoms=14)
    script = (
        "import sys, numpy as np, ase\n"
        "from bec_md.network.native import NativeModel, native_status\n"
        "data = np.load(sys.argv[2])\n"
        "atoms = ase.Atoms(data['numbers'], data['positions'], cell=data['cell'], pbc=True)\n"
        "print(native_status().instruction_set)\n"
        "np.save(sys.argv[3], NativeModel(sys.argv[1], '', (1, 8, 14)).predict_frames([atoms]).charges)\n"
    )
    folder = reference.path.parent
    np.savez(folder / "in.npz", numbers=frame.numbers, positions=frame.positions, cell=np.asarray(frame.cell))
    out = subprocess.run(
        [sys.executable, "-c", script, str(reference.path), str(folder / "in.npz"), str(folder / "out.npy")],
        env={**os.environ, "BEC_MD_INSTRUCTION_SET": instruction_set},
        capture_output=True,
        text=True,
        check=True,
    )
    if out.stdout.strip() != instruction_set:
        pytest.skip(f"this processor runs {out.stdout.strip()}")
    expected = reference.predict([frame])["charges"].mean(dim=1).numpy()
    np.testing.assert_allclose(np.load(folder / "out.npy"), expected, atol=TOLERANCE_E)
