"""A column of tensors means the same wherever it is read: training, evaluation and ``--charges file``.

One file, whatever name and order of indices it states, goes through every door; the tensors that come out are
compared with those that went in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointDFTCalculator

from bec_md.arrays import Array
from bec_md.current import compute_current
from bec_md.errors import BecMDWarning
from bec_md.evaluation import evaluate_model
from bec_md.structure.extxyz import read_frames
from bec_md.structure.names import CHARGE_COLUMNS, CONVENTIONS
from bec_md.training.config import Labels, Source
from bec_md.training.sources import load_source
from bec_md.trajectory import open_trajectory

STEP_FS = 1.0


def truth(n_atoms: int = 8) -> Array:
    """Tensors that no transposition leaves as they are, adding up to nothing."""
    tensors = np.random.default_rng(4).normal(size=(n_atoms, 3, 3))
    return tensors - tensors.mean(axis=0)


def run(count: int = 6) -> list[Atoms]:
    """Rock salt whose atoms fly apart slowly."""
    atoms = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    velocity = np.random.default_rng(5).normal(scale=1e-3, size=(8, 3))  # Å/fs
    frames = []
    for t in range(count):
        frame = atoms.copy()
        frame.positions += velocity * STEP_FS * t
        frame.arrays["vel"] = velocity
        frame.info["time_fs"] = STEP_FS * t
        frames.append(frame)
    return frames


def write(path: Path, key: str, convention: str | None, **more: Any) -> Path:
    """Write the run with its tensors under a name, in the order that is stated."""
    transposed = convention is not None and CONVENTIONS[convention.lower()]
    frames = run()
    for frame in frames:
        frame.arrays[key] = (truth().swapaxes(1, 2) if transposed else truth()).reshape(8, 9)
        frame.arrays.update(more)
        if convention is not None:
            frame.info["bec_convention"] = convention
        if path.suffix == ".traj":  # keeps the results of calculators, and no other arrays
            results = {"born_effective_charges": frame.arrays.pop(key).reshape(8, 3, 3)}
            frame.calc = SinglePointDFTCalculator(frame)
            frame.calc.results.update(results)
    ase.io.write(path, frames)
    return path


class Exact:
    """A model that knows the truth."""

    name = "exact"

    def predict_batch(self, frames: Any) -> SimpleNamespace:
        return SimpleNamespace(born_effective_charges=np.array([truth() for _ in frames]))


def of_training(path: Path) -> Array:
    source = Source(path=path.name, level="toy", validation=None)
    options: dict[str, Any] = {"seed": 0, "config_folder": path.parent, "data_root": None}
    loaded = load_source(source, Labels(), report=lambda _: None, **options)
    return loaded.training[0].labels["born_effective_charges"]


def of_evaluation(path: Path) -> Array:
    result = evaluate_model(Exact(), path)
    return truth() + result.metrics["rmse_e"]


def of_current(path: Path) -> Array:
    """J = Σ Z v, in the place of tensors: the same for all atoms."""
    velocity = run(1)[0].arrays["vel"]
    current = compute_current(path, charges="file", timestep_fs=STEP_FS)
    expected = np.einsum("iab,ib->a", truth(), velocity)
    return truth() + np.abs(current.total("none")[0] - expected).max()


def of_frames(path: Path) -> Array:
    return read_frames(path)[0].labels["born_effective_charges"]


DOORS = {
    "labels": of_frames,
    "training": of_training,
    "evaluation": of_evaluation,
    "current": of_current,
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("convention", [None, *CONVENTIONS, "dM/du", "du/dM"])
@pytest.mark.parametrize("key", CHARGE_COLUMNS)
def test_every_name_and_order_through_every_door(
    tmp_path: Path, key: str, convention: str | None, door: Callable[[Path], Array]
) -> None:
    found = door(write(tmp_path / "run.xyz", key, convention))
    np.testing.assert_allclose(found, truth(), atol=1e-7)  # eight decimals in the file


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_column_of_the_name_that_holds_no_tensors_is_passed_over(
    tmp_path: Path, door: Callable[[Path], Array]
) -> None:
    """``bec`` comes before ``born_charges`` in the list, but three numbers are no tensor."""
    path = write(tmp_path / "run.xyz", "born_charges", "du/dM", bec=np.zeros((8, 3)))
    np.testing.assert_allclose(door(path), truth(), atol=1e-7)


@pytest.mark.parametrize("convention", [None, "dM/du", "displacement-first"])
@pytest.mark.parametrize("suffix", ["xyz", "traj"])
def test_ase_and_own_reader_agree(tmp_path: Path, suffix: str, convention: str | None) -> None:
    path = write(tmp_path / f"run.{suffix}", "becs", convention)
    frames = open_trajectory(path, timestep_fs=STEP_FS, velocities="none").frames()
    np.testing.assert_allclose(next(iter(frames)).labels["born_effective_charges"], truth(), atol=1e-7)


@pytest.mark.parametrize("suffix", ["xyz", "traj"])
def test_an_order_that_contradicts_the_file_is_said(tmp_path: Path, suffix: str) -> None:
    """The user's word is followed, aloud."""
    path = write(tmp_path / f"run.{suffix}", "becs", "dM/du")
    trajectory = open_trajectory(path, charges_transposed=True, timestep_fs=STEP_FS, velocities="none")
    frame = next(iter(trajectory.frames()))
    swapped = truth().swapaxes(1, 2)
    np.testing.assert_allclose(frame.labels["born_effective_charges"], swapped, atol=1e-7)
    assert any("states bec_convention=dM/du" in text for text in trajectory.info.warnings)
    if suffix == "xyz":
        with pytest.warns(BecMDWarning, match="displacement-first as asked for: one of both is wrong"):
            evaluate_model(Exact(), path, index_order="displacement-first")
