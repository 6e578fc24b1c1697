"""P(t) of a model whose tensors are its derivatives: continuous, and the same however it is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from bec_md import compute_current, load_current, load_model
from bec_md.current.options import CurrentOptions
from bec_md.current.prepare import prepare_current
from bec_md.current.series import CurrentSeries
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.options import ReadOptions

MODEL = "silica"
TRAJECTORY = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"
FRAMES = 40


@pytest.fixture(scope="module")
def run() -> list[Atoms]:
    """Quartz whose center of mass moves through the cell, wrapped into it: many atoms cross its faces."""
    from ase import units

    frames = []
    for number, frame in enumerate(open_trajectory(TRAJECTORY, stop=FRAMES).frames()):
        drift = np.array([0.05, 0.0, 0.02])
        atoms = Atoms(frame.numbers, frame.positions_ang + number * drift, cell=frame.cell_ang, pbc=True)
        atoms.set_velocities((frame.velocities_ang_fs + drift / 5.0) / units.fs)
        frames.append(atoms)
    return frames


def _wrapped(frames: list[Atoms]) -> list[Atoms]:
    found = [atoms.copy() for atoms in frames]
    for atoms in found:
        atoms.wrap()
    return found


def _direct(frames: list[Atoms]) -> np.ndarray:
    still = np.zeros((len(frames), len(frames[0]), 3))
    found = load_model(MODEL).current(frames, still).polarization
    assert found is not None
    return found


def _current(frames: list[Atoms], **options: object) -> CurrentSeries:
    return compute_current(frames, model=MODEL, timestep_fs=5.0, batch=8, **options)


def test_it_is_that_of_atoms_that_were_not_wrapped(run: list[Atoms]) -> None:
    wrapped = _wrapped(run)
    crossed = np.abs(wrapped[-1].positions - wrapped[0].positions).max(axis=1) > 3.0
    assert crossed.sum() > 3
    series = _current(wrapped)
    expected = _direct(run)
    assert series.polarization is not None
    # sums of 72 charges times positions of 10 Å in float32 shares
    np.testing.assert_allclose(
        series.polarization - series.polarization[0], expected - expected[0], atol=2e-5
    )


@pytest.mark.filterwarnings("ignore:.*no velocities:bec_md.errors.BecMDWarning")
def test_between_frames_it_is_their_mean(run: list[Atoms]) -> None:
    frames = _wrapped(run)
    for atoms in frames:
        del atoms.arrays["momenta"]
    series, expected = _current(frames), _direct(run)
    mean = 0.5 * (expected[1:] + expected[:-1])
    assert series.polarization is not None
    np.testing.assert_allclose(series.polarization - series.polarization[0], mean - mean[0], atol=2e-5)


@pytest.mark.filterwarnings("ignore:.*no velocities:bec_md.errors.BecMDWarning")
@pytest.mark.parametrize("scheme", ["velocity", "midpoint"])
def test_it_does_not_depend_on_where_the_work_was_cut(run: list[Atoms], scheme: str, tmp_path: Path) -> None:
    frames = _wrapped(run)
    if scheme == "midpoint":
        for atoms in frames:
            del atoms.arrays["momenta"]
    job = prepare_current(frames, CurrentOptions(model=MODEL, batch=8), ReadOptions(timestep_fs=5.0))
    whole = np.concatenate([rows["polarization"] for _, rows in job.recipe.rows()])
    for start in (1, 8, 13):
        again = np.concatenate([rows["polarization"] for _, rows in job.recipe.rows(start)])
        np.testing.assert_array_equal(again, whole[start:])
    stored = _current(frames, output=tmp_path / "j.h5")
    memory = _current(frames)
    np.testing.assert_array_equal(stored.polarization, memory.polarization)
    first = _current(frames[:20], output=tmp_path / "part.h5")
    assert first.n_frames < stored.n_frames
    _current(frames, output=tmp_path / "part.h5")  # goes on
    np.testing.assert_array_equal(load_current(tmp_path / "part.h5").polarization, stored.polarization)


def test_its_rate_is_the_current(run: list[Atoms]) -> None:
    series = _current(_wrapped(run))
    rate = np.gradient(series.polarization, series.timestep_fs, axis=0)[2:-2]
    current = series.current.sum(axis=1)[2:-2]
    # central differences of 5 fs lose 6 % of the fastest mode, 1070 cm⁻¹: (ωΔ)²/6
    assert np.abs(rate - current).max() < 0.15 * np.abs(current).max()
    assert np.corrcoef(rate.ravel(), current.ravel())[0, 1] > 0.99


def test_no_stride_makes_a_derivative_cheaper(run: list[Atoms]) -> None:
    auto = _current(run, charge_stride="auto")
    assert auto.metadata["charge_stride"] == 1
    assert np.array_equal(auto.current, _current(run).current)
    assert any("derivative along the velocities" in note for note in auto.metadata["notes"])
    strided = _current(run, charge_stride=4)
    assert any("leave it out" in note for note in strided.metadata["notes"])
    assert strided.current == pytest.approx(auto.current, abs=0.02 * np.abs(auto.current).max())
