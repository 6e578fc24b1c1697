"""Currents of the members of a network whose Z* derives from a polarization: without their tensors."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from bec_md import compute_current
from bec_md.network import load_model
from bec_md.network.model_file import save_model
from tests.network.conftest import make_network
from tests.network.test_symmetry import rattled

STEP_FS = 1.0


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dipole") / "dipole.safetensors"
    save_model(path, make_network("dipole", sent_tensor_channels=4), {"name": "dipole"})
    return path


@pytest.fixture(scope="module")
def run() -> list[Atoms]:
    """Atoms that swing about their places, with the velocities of that motion."""
    rng = np.random.default_rng(2)
    amplitude, phase = 0.05 * rng.normal(size=(5, 3)), rng.uniform(0, 2 * np.pi, (5, 3))
    frames = []
    for number in range(30):
        angle = 0.3 * number * STEP_FS + phase
        atoms = rattled()
        atoms.positions += amplitude * np.sin(angle)
        atoms.set_array("velo", 0.3 * amplitude * np.cos(angle))  # Å/fs
        frames.append(atoms)
    return frames


@pytest.mark.filterwarnings("ignore:.*no velocities:bec_md.errors.BecMDWarning")
@pytest.mark.parametrize("scheme", ["velocity", "midpoint"])
def test_currents_along_the_velocities_are_those_of_the_tensors(
    scheme: str, model_file: Path, run: list[Atoms], tmp_path: Path
) -> None:
    from ase import units

    frames = [atoms.copy() for atoms in run]
    for atoms in frames:
        velocities = atoms.arrays.pop("velo")
        if scheme == "velocity":
            atoms.set_velocities(velocities / units.fs)
    file = tmp_path / "run.traj"
    ase.io.write(file, frames)
    model = load_model(model_file, engine="torch")
    series = compute_current(file, model, timestep_fs=STEP_FS)
    tensors = model.predict_batch(run).members  # (F, M, N, 3, 3)
    masses = run[0].get_masses() / run[0].get_masses().sum()
    if scheme == "velocity":
        velocities = np.stack([atoms.arrays["velo"] for atoms in run])
    else:
        velocities = np.stack([b.positions - a.positions for a, b in pairwise(run)]) / STEP_FS
        tensors = 0.5 * (tensors[:-1] + tensors[1:])
    relative = velocities - np.einsum("n,fnb->fb", masses, velocities)[:, None]
    expected = np.einsum("fmnab,fnb->fma", tensors, relative)
    assert series.member_current is not None
    # float32 network, tensors of some e, velocities of 0.02 Å/fs
    np.testing.assert_allclose(series.member_current, expected, atol=2e-6)
    for group, name in enumerate(series.groups):
        part = np.array(run[0].symbols) == name
        mine = np.einsum("fnab,fnb->fa", tensors.mean(axis=1)[:, part], relative[:, part])
        np.testing.assert_allclose(series.partial("mass")[:, group], mine, atol=2e-6)
    np.testing.assert_allclose(series.total("equal"), series.total("mass"), atol=2e-6)
    assert "those of one frame in" in " ".join(series.metadata["remarks"])
    assert series.charge_uncertainty_e is not None
    first = model.predict_batch(run[:1]).uncertainty_e.mean()
    assert series.charge_uncertainty_e[0] == pytest.approx(first, rel=1e-4)
