"""Several inputs: parts of one run are joined, replicas stay replicas, what overlaps otherwise is refused."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import Parts, Trajectory, find_runs, open_trajectory
from bec_md.trajectory.runs import Run

from .motion import HarmonicMotion
from .truth import assert_helpful


def opened(paths, **options) -> list[Trajectory]:
    return [open_trajectory(path, **{"timestep_fs": 1.0} | options) for path in paths]


def cut(write, motion: HarmonicMotion, *ranges: range, **how) -> list:
    """Write parts a.xyz, b.xyz, … of a motion."""
    return [
        write(motion.extxyz(frames=list(frames), **how), f"{name}.xyz")
        for frames, name in zip(ranges, "abcdef", strict=False)
    ]


@pytest.mark.parametrize("velocities", [True, False])
@pytest.mark.parametrize("shared", [0, 1])
def test_parts_are_joined_in_any_order(write, velocities, shared) -> None:
    motion = HarmonicMotion(n_atoms=16)
    ranges = range(20), range(20 - shared, 41), range(41 - shared, 60)
    paths = cut(write, motion, *ranges, velocities=velocities)
    for order in permutations(range(3)):
        (run,) = find_runs(opened([paths[number] for number in order]))
        assert [order[member] for member in run.members] == [0, 1, 2]
        assert run.repeated == (0, shared, shared)
    joined = open_trajectory(Parts(tuple(paths), (0, shared, shared)), timestep_fs=1.0)
    whole = open_trajectory(write(motion.extxyz(velocities=velocities), "whole.xyz"), timestep_fs=1.0)
    assert joined.info.n_frames == whole.info.n_frames
    assert "a.xyz, b.xyz, c.xyz continue one another" in joined.info.remarks[0]
    assert ("2 frame(s) that two of them hold" in joined.info.remarks[0]) == bool(shared)
    for one, other in zip(joined.frames(), whole.frames(), strict=True):
        np.testing.assert_array_equal(one.positions_ang, other.positions_ang)
        assert (one.index, one.time_fs) == (other.index, other.time_fs)


def test_intervals_are_differences_of_times(write) -> None:
    """Of floating point numbers: 0.7 − 0 is not 14.7 − 14."""
    motion = HarmonicMotion(n_atoms=16, interval_fs=0.7)
    paths = cut(write, motion, range(21), range(20, 60), comment="time_fs={t}")
    (run,) = find_runs([open_trajectory(path) for path in paths])
    assert run.repeated == (0, 1)


@pytest.mark.parametrize("velocities", [True, False])
def test_a_copy_from_before_the_run_was_longer_is_no_replica(write, velocities) -> None:
    paths = cut(write, HarmonicMotion(n_atoms=16), range(60), range(25), velocities=velocities, comment="")
    for order in (paths, paths[::-1]):
        with pytest.raises(UsageError, match="begin with the same frames") as caught:
            find_runs(opened(order))
        assert_helpful(caught.value, "the longer one")


@pytest.mark.parametrize(
    ("start", "stop", "stride"), [(0, None, 1), (5, 50, 4), (25, None, 7), (-10, None, 3)]
)
def test_a_window_of_joined_parts_is_that_of_the_run(write, start, stop, stride) -> None:
    motion = HarmonicMotion()
    paths = cut(write, motion, range(20), range(19, 45), range(45, 60))
    window = {"timestep_fs": 1.0, "start": start, "stop": stop, "stride": stride}
    joined = open_trajectory(Parts(tuple(paths), (0, 1, 0)), **window)
    found = [frame.index for frame in joined.frames()]
    assert found == list(range(60))[start:stop:stride]
    assert len(found) == joined.info.n_frames
    assert [frame.index for frame in joined.frames(skip=3)] == found[3:]


@pytest.mark.parametrize("comment", ["Time={t}", "step={i}", "time_fs={t}"])
def test_counters_that_begin_anew_are_carried_on(write, comment) -> None:
    motion = HarmonicMotion()
    second = HarmonicMotion()
    second.positions, second.velocities = motion.positions[30:], motion.velocities[30:]
    paths = [
        write(part.extxyz(comment=comment, frames=list(range(30))), name)
        for part, name in ((motion, "a.xyz"), (second, "b.xyz"))
    ]
    (run,) = find_runs(opened(paths))
    frames = list(open_trajectory(Parts(tuple(paths), run.repeated), timestep_fs=1.0).frames())
    assert [frame.time_fs for frame in frames] == [float(number) for number in range(60)]
    told = (
        [float(frame.info[comment[: comment.index("=")]]) for frame in frames] if "fs" not in comment else []
    )
    assert told in ([], [float(number) for number in range(60)])


def test_frames_too_far_apart_are_joined_by_their_counters(write) -> None:
    """Hydrogen-like vibrations every 20 fs: no motion from frame to frame can be followed."""
    motion = HarmonicMotion(60, 20.0, 8, 1500.0, 3500.0)
    counted = cut(write, motion, range(30), range(30, 60), comment="time_fs={t}")
    (run,) = find_runs(opened(counted, timestep_fs=20.0))
    assert run == Run((0, 1), (0, 0))
    uncounted = cut(write, motion, range(30), range(30, 60))
    assert len(find_runs(opened(uncounted, timestep_fs=20.0))) == 2


def test_a_part_of_another_is_refused(write) -> None:
    motion = HarmonicMotion(n_atoms=16)
    paths = cut(write, motion, range(60), range(30, 60), comment="time_fs={t}")
    with pytest.raises(UsageError) as caught:
        find_runs(opened(paths))
    assert_helpful(caught.value, "b.xyz begins with frame 30 of a.xyz", "leave b.xyz out")


@pytest.mark.parametrize("stride", [1, 3])
def test_a_run_that_was_killed_and_restarted_from_earlier_on(write, stride) -> None:
    motion = HarmonicMotion(n_atoms=16)
    paths = cut(write, motion, range(35), range(20, 50), range(47, 60), comment="time_fs={t}")
    (run,) = find_runs(opened([paths[1], paths[2], paths[0]]))
    assert run == Run((2, 0, 1), (0, 15, 3))
    joined = open_trajectory(Parts(tuple(paths), (0, 15, 3)), timestep_fs=1.0, stride=stride)
    found = [frame.time_fs for frame in joined.frames()]
    np.testing.assert_allclose(found, np.arange(0, 60, stride), atol=1e-9)
    whole = open_trajectory(write(motion.extxyz(), "whole.xyz"), timestep_fs=1.0, stride=stride)
    for one, other in zip(joined.frames(), whole.frames(), strict=True):
        np.testing.assert_array_equal(one.positions_ang, other.positions_ang)


@pytest.mark.parametrize(("comment", "anew"), [("Time={t}", False), ("step={i} time_fs={t}", True)])
def test_a_killed_run_whose_time_has_no_unit_or_begins_anew(write, comment, anew) -> None:
    """`read_restart` of LAMMPS goes on with the steps alone."""
    motion = HarmonicMotion(n_atoms=16)
    first, second = (motion.extxyz(frames=list(r), comment=comment) for r in (range(35), range(20, 60)))
    for number in range(20, 60) if anew else ():
        second = second.replace(f"time_fs={float(number)}", f"time_fs={float(number - 20)}")
    paths = write(first, "a.xyz"), write(second, "b.xyz")
    (run,) = find_runs(opened(paths))
    assert run == Run((0, 1), (0, 15))
    joined = open_trajectory(Parts(paths, run.repeated), timestep_fs=1.0)
    np.testing.assert_allclose([frame.time_fs for frame in joined.frames()], np.arange(60), atol=1e-9)


def test_two_continuations_of_one_run_are_refused(write) -> None:
    motion = HarmonicMotion(n_atoms=16)
    paths = cut(write, motion, range(30), range(30, 60), range(29, 50))
    with pytest.raises(UsageError, match=r"b\.xyz and c\.xyz both continue a\.xyz"):
        find_runs(opened(paths))
    with pytest.raises(UsageError, match=r"a\.xyz \(input 1\) and a\.xyz \(input 2\) hold the same frames"):
        find_runs(opened([paths[0], paths[0]]))


def test_a_gap_between_joined_parts_is_found(write) -> None:
    paths = cut(write, HarmonicMotion(), range(20), range(26, 60))
    with pytest.raises(DataError, match="frame 20"):
        list(open_trajectory(Parts(tuple(paths), (0, 0)), timestep_fs=1.0).frames())


@pytest.mark.parametrize("velocities", [True, False])
def test_independent_runs_are_replicas(write, velocities) -> None:
    """From the same start with other velocities, from the end of another one, or from anywhere."""
    one, two = HarmonicMotion(n_atoms=16), HarmonicMotion(n_atoms=16, seed=2)
    two.positions += one.positions[-1] - two.positions[0]
    paths = [
        write(motion.extxyz(velocities=velocities), name)
        for motion, name in ((one, "a.xyz"), (two, "b.xyz"), (HarmonicMotion(n_atoms=16, seed=3), "c.xyz"))
    ]
    assert find_runs(opened(paths)) == [Run((number,), (0,)) for number in range(3)]
