"""A current written while a dynamics runs is that of the stored trajectory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

from bec_md import compute_current, load_current
from bec_md.ase import CurrentRecorder
from bec_md.errors import UsageError


@pytest.mark.parametrize(("model", "steps"), [("silica-direct", 150), ("silica", 450)])
def test_the_current_is_that_of_the_stored_frames(
    quartz: Atoms, tmp_path: Path, model: str, steps: int
) -> None:
    """A polarization is evaluated in blocks that share the tensors of a frame, so its rows come later."""
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    frames: list[Atoms] = []
    with CurrentRecorder(dynamics, tmp_path / "j.h5", interval=2, model=model, batch=16) as recorder:
        dynamics.attach(lambda: frames.append(quartz.copy()), interval=2)
        dynamics.run(steps)
        meanwhile = load_current(recorder.path)
        assert 0 < meanwhile.n_frames < len(frames)
        dynamics.run(50)
    found = load_current(tmp_path / "j.h5")
    expected = compute_current(frames, timestep_fs=1.0, model=model, batch=16)
    assert found.n_frames == len(frames) == steps // 2 + 26
    assert found.metadata["complete"]
    assert found.timestep_fs == pytest.approx(1.0, rel=1e-12)
    # velocities pass through the units of ASE once more in the list of frames
    np.testing.assert_allclose(found.current, expected.current, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.charge_sum, expected.charge_sum)
    np.testing.assert_array_equal(found.current[: meanwhile.n_frames], meanwhile.current)


def test_few_frames_are_a_current_too(quartz: Atoms, tmp_path: Path) -> None:
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    recorder = CurrentRecorder(dynamics, tmp_path / "j.h5", charges="fixed:Si=3.4,O=-1.7")
    dynamics.run(3)
    series = recorder.close()
    assert series is not None
    assert series.n_frames == 4
    charges = np.where(quartz.numbers == 14, 3.4, -1.7)
    expected = charges @ quartz.get_velocities() * units.fs
    np.testing.assert_allclose(series.current[-1].sum(axis=0), expected, rtol=1e-9)


def test_nothing_recorded_is_no_file(quartz: Atoms, tmp_path: Path) -> None:
    recorder = CurrentRecorder(VelocityVerlet(quartz, 0.5 * units.fs), tmp_path / "j.h5", model="silica")
    assert recorder.close() is None
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_run_is_not_continued(quartz: Atoms, tmp_path: Path) -> None:
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    (tmp_path / "j.h5").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        CurrentRecorder(dynamics, tmp_path / "j.h5")
    assert (tmp_path / "j.h5").read_bytes() == b"mine"


def test_what_could_not_be_written_is_refused_before_the_run(quartz: Atoms, tmp_path: Path) -> None:
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    with pytest.raises(UsageError, match="there is no folder"):
        CurrentRecorder(dynamics, tmp_path / "missing" / "j.h5")
    for interval in (0, -2, 2.5):
        with pytest.raises(UsageError, match="interval="):
            CurrentRecorder(dynamics, tmp_path / "j.h5", interval=interval)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="use groups"):
        CurrentRecorder(dynamics, tmp_path / "c.h5", group="species")


def test_a_gap_is_refused(quartz: Atoms, tmp_path: Path) -> None:
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    recorder = CurrentRecorder(dynamics, tmp_path / "j.h5", charges="fixed:Si=3.4,O=-1.7")
    dynamics.run(2)
    dynamics.nsteps += 5
    with pytest.raises(UsageError, match="step 8 follows step 2"):
        dynamics.run(1)
    recorder.close()


@pytest.mark.parametrize("between", ["runs", "rows"])
def test_a_changed_time_step_is_refused(quartz: Atoms, tmp_path: Path, between: str) -> None:
    """Rows after it would lie at other times: the rows before it stay, with their spacing."""
    dynamics = VelocityVerlet(quartz, 1.0 * units.fs)

    def change() -> None:
        """Halve the step for the second half of a row only."""
        dynamics.dt = (0.5 if dynamics.nsteps == 5 else 1.0) * units.fs

    with CurrentRecorder(dynamics, tmp_path / "j.h5", interval=2, charges="fixed:Si=3.4,O=-1.7"):
        dynamics.run(4)
        if between == "rows":
            dynamics.attach(change, interval=1)
        else:
            dynamics.dt = 0.5 * units.fs
        with pytest.raises(UsageError, match=r"goes from 1 to 0\.5 fs"):
            dynamics.run(4)
    found = load_current(tmp_path / "j.h5")
    assert (found.n_frames, found.timestep_fs) == (3, 2.0)


def test_a_closed_recorder_lets_the_dynamics_go_on(quartz: Atoms, tmp_path: Path) -> None:
    """With another time step, too, into another file."""
    dynamics = VelocityVerlet(quartz, 1.0 * units.fs)
    for number, step in enumerate((1.0, 0.5)):
        dynamics.dt = step * units.fs
        with CurrentRecorder(dynamics, tmp_path / f"{number}.h5", charges="fixed:Si=3.4,O=-1.7"):
            dynamics.run(600)
    found = [load_current(tmp_path / f"{number}.h5") for number in range(2)]
    assert [(one.n_frames, one.timestep_fs) for one in found] == [(601, 1.0), (600, pytest.approx(0.5))]


def test_the_time_step_is_that_of_the_first_row(quartz: Atoms, tmp_path: Path) -> None:
    dynamics = VelocityVerlet(quartz, 1.0 * units.fs)
    with CurrentRecorder(dynamics, tmp_path / "j.h5", interval=2, charges="fixed:Si=3.4,O=-1.7"):
        dynamics.dt = 0.5 * units.fs
        dynamics.run(4)
    assert load_current(tmp_path / "j.h5").timestep_fs == pytest.approx(1.0, rel=1e-12)
