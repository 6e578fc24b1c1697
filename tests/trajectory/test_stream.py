from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import Trajectory, extxyz, open_trajectory, write_compact
from bec_md.trajectory.prefetch import prefetch
from tests.trajectory.test_lammps_dump import dump
from tests.trajectory.truth import Truth, assert_helpful


@pytest.fixture(params=["extxyz", "lammps", "ase", "traj", "compact", "mdanalysis"])
def opened(request, truth: Truth, write, tmp_path):
    """Opens the same five frames through each reader, with options."""
    import ase.io

    def _open(**options) -> Trajectory:
        match request.param:
            case "extxyz":
                return open_trajectory(write(truth.extxyz({"vel": truth.velocities})), **options)
            case "lammps":
                return open_trajectory(write(dump(truth), "t.dump"), **options)
            case "ase":
                return open_trajectory(truth.atoms(), **options)
            case "traj":
                ase.io.write(tmp_path / "t.traj", truth.atoms())
                return open_trajectory(tmp_path / "t.traj", **options)
            case "compact":
                path = write_compact(tmp_path / "t.npz", open_trajectory(truth.atoms()))
                return open_trajectory(path, **options)
            case _:
                return open_trajectory(universe(truth), **options)

    return _open


def universe(truth: Truth):
    import MDAnalysis

    system = MDAnalysis.Universe.empty(len(truth.numbers), trajectory=True, velocities=True)
    system.add_TopologyAttr("elements", np.array(truth.symbols, dtype=object))
    box = MDAnalysis.lib.mdamath.triclinic_box(*truth.cell)
    system.load_new(
        truth.positions, velocities=truth.velocities * 1e3, dimensions=box, dt=truth.timestep_fs / 1e3
    )
    return system


def test_iteration_restarts_and_skips(opened) -> None:
    trajectory = opened()
    first = [frame.positions_ang for frame in trajectory.frames()]
    again = [frame.positions_ang for frame in trajectory.frames()]
    np.testing.assert_array_equal(first, again)
    for skip in range(7):
        indices = [frame.index for frame in trajectory.frames(skip=skip)]
        assert indices == list(range(skip, 5))


def test_two_passes_at_once_do_not_disturb_each_other(opened) -> None:
    trajectory = opened()
    pairs = zip(trajectory.frames(), trajectory.frames(skip=1), strict=False)
    assert [(a.index, b.index) for a, b in pairs] == [(0, 1), (1, 2), (2, 3), (3, 4)]


@pytest.mark.parametrize(
    ("start", "stop", "stride"), [(0, None, 1), (1, None, 1), (0, 3, 1), (1, 5, 2), (0, None, 3), (4, 99, 1)]
)
def test_start_stop_stride_are_those_of_a_slice(opened, truth: Truth, start, stop, stride) -> None:
    trajectory = opened(start=start, stop=stop, stride=stride, timestep_fs=truth.timestep_fs)
    expected = list(range(5))[start:stop:stride]
    assert trajectory.info.n_frames == len(expected)
    assert trajectory.info.timestep_fs == truth.timestep_fs * stride
    assert [frame.index for frame in trajectory.frames()] == expected
    assert [frame.index for frame in trajectory.frames(skip=1)] == expected[1:]


def test_velocities_agree_between_readers(opened, truth: Truth) -> None:
    for index, frame in enumerate(opened().frames()):
        # The compact archive rounds to multiples of 1e-5 Å/fs, MDAnalysis to single precision.
        np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[index], atol=5.1e-6)


def test_negative_limits_count_from_the_end(opened) -> None:
    assert [frame.index for frame in opened(start=-2).frames()] == [3, 4]


def test_limits_that_leave_nothing(opened) -> None:
    for options in ({"start": 5}, {"start": 2, "stop": 2}, {"stride": 0}, {"timestep_fs": 0.0}):
        with pytest.raises(UsageError) as caught:
            opened(**options)
        assert_helpful(caught.value)
    with pytest.raises(UsageError):
        opened().frames(skip=-1)


def test_memory_stays_bounded(truth: Truth, write) -> None:
    """Reading five times the frames takes no more memory than reading them once."""
    import tracemalloc

    text = truth.extxyz({"vel": truth.velocities})
    peaks = []
    for repeats in (200, 1000):
        trajectory = open_trajectory(write(text * repeats), timestep_fs=1.0)
        tracemalloc.start()
        assert sum(1 for _ in trajectory.frames()) == 5 * repeats
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The whole file would be 3 MB; buffers of one megabyte are shared by both.
    assert peaks[1] < peaks[0] + 300_000


def test_contradicting_time_step_is_reported(truth: Truth) -> None:
    with pytest.raises(DataError) as caught:
        open_trajectory(truth.atoms(), timestep_fs=1.0)
    assert_helpful(caught.value, "timestep_fs=1` ", "2 fs apart")


def test_fingerprint_depends_on_content_only(truth: Truth, write) -> None:
    text = truth.extxyz({"vel": truth.velocities})
    one, two = write(text, "a.xyz"), write(text, "b.xyz")
    other = write(text.replace("0.01", "0.02", 1), "c.xyz")
    marks = [open_trajectory(path).info.fingerprint for path in (one, two, other)]
    assert marks[0] == marks[1] != marks[2]


def test_uncounted_file_reports_a_cut_when_it_meets_it(truth: Truth, write, monkeypatch) -> None:
    monkeypatch.setattr(extxyz, "_COUNT_LIMIT_BYTES", 0)
    trajectory = open_trajectory(write(truth.extxyz()[:-50]))
    assert trajectory.info.n_frames is None
    with pytest.raises(TypeError):
        len(trajectory)  # type: ignore[arg-type]
    assert any("frame 4 is cut off" in warning for warning in trajectory.info.warnings)
    assert len([frame.index for frame in trajectory.frames()]) == 4
    with pytest.raises(UsageError) as caught:
        open_trajectory(write(truth.extxyz()), start=-1)
    assert_helpful(caught.value, "not known")


def test_prefetch_keeps_order_and_hands_over_errors(opened) -> None:
    assert [frame.index for frame in prefetch(opened().frames(), depth=2)] == [0, 1, 2, 3, 4]

    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("damaged")

    seen = []
    with pytest.raises(ValueError, match="damaged"):
        seen.extend(iter_into(seen, prefetch(failing(), depth=1)))
    assert seen == [1, 2]
    with pytest.raises(UsageError):
        prefetch([], depth=0)


def iter_into(seen: list[int], items) -> list[int]:
    for item in items:
        seen.append(item)  # noqa: PERF402 - items seen before an error must be kept
    return []


def test_prefetch_stops_its_thread_when_left_early() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    items = prefetch(endless(), depth=3)
    assert next(items) == 0
    items.close()
    assert closed.wait(2.0)
    deadline = time.monotonic() + 2.0
    while any(thread.name == "bec-md-prefetch" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
