"""Currents that continue one another are one run; replicas stay replicas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.cli.inputs import InputOptions, open_sources
from bec_md.current import CurrentSeries, open_current
from bec_md.current.joined import find_parts, in_runs
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.spectrum import compute_spectrum
from tests.trajectory.truth import assert_helpful


def motion(seed: int, rows: int = 400, timestep_fs: float = 2.0, low: float = 50.0, high: float = 900.0):
    """J(t) of vibrations between two wavenumbers, and its integral."""
    random = np.random.default_rng(seed)
    omega = 2.0 * np.pi * 2.99792458e-5 * random.uniform(low, high, (12, 1, 3))
    phase = random.uniform(0.0, 2.0 * np.pi, omega.shape)
    angle = omega * timestep_fs * np.arange(rows)[:, None] + phase
    return 1e-3 * np.cos(angle).sum(axis=0), (1e-3 * np.sin(angle) / omega).sum(axis=0)


def series(seed: int = 1, timestep_fs: float = 2.0, **about: float) -> CurrentSeries:
    current, moment = motion(seed, timestep_fs=timestep_fs, **about)
    return CurrentSeries(
        current=current[:, None], groups=("total",), timestep_fs=timestep_fs, volume_ang3=900.0,
        temperature_k=300.0, polarization=moment,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    at=st.integers(20, 380),
    shared=st.sampled_from([0, 1]),
    counted=st.booleans(),
    seed=st.integers(0, 10**6),
    timestep_fs=st.floats(0.2, 2.0),
    swapped=st.booleans(),
    branch=st.floats(-50.0, 50.0),
)
def test_parts_of_a_run_are_found_wherever_it_was_cut(
    at: int, shared: int, counted: bool, seed: int, timestep_fs: float, swapped: bool, branch: float
) -> None:
    whole = series(seed, timestep_fs)
    one, other = whole[: at + shared], whole[at:]
    other = replace(other, timestep_fs=timestep_fs * (1.0 + 5e-6))  # the mean of rounded times
    if not counted:  # a restart with another clock and another branch of P
        other = replace(other, start_time_fs=0.0, polarization=other.polarization + branch)
    (found,) = in_runs([other, one] if swapped else [one, other], ["b", "a"] if swapped else ["a", "b"])
    assert found.n_frames == whole.n_frames
    np.testing.assert_array_equal(found.current, whole.current)
    assert found.metadata["source"] == "a + b"
    # the trapezoid of one step between the parts, where the branch is not known
    np.testing.assert_allclose(found.polarization, whole.polarization, atol=2e-3 * timestep_fs)


@settings(max_examples=60, deadline=None)
@given(seeds=st.lists(st.integers(0, 10**6), min_size=5, max_size=5, unique=True), later=st.booleans())
def test_replicas_are_never_joined(seeds: list[int], later: bool) -> None:
    replicas = [series(seed) for seed in seeds]
    if later:  # each clock goes on where that of the one before ended
        replicas = [replace(one, start_time_fs=800.0 * k) for k, one in enumerate(replicas)]
    assert len(find_parts(replicas, list("abcde"))) == 5


def test_replicas_of_rounded_times_are_averaged() -> None:
    one = series(1)
    spectra = [compute_spectrum([one, replace(series(2), timestep_fs=step)]) for step in (2.0, 2.00001)]
    np.testing.assert_allclose(spectra[1].sigma, spectra[0].sigma)


def test_samples_too_far_apart_are_joined_by_their_times() -> None:
    whole = series(3, timestep_fs=20.0, low=400.0, high=3000.0)
    one, other = whole[:200], whole[200:]
    assert len(in_runs([one, other])) == 1
    assert len(in_runs([one, replace(other, start_time_fs=0.0)])) == 2


def test_one_current_twice_an_overlap_and_a_fork_are_refused() -> None:
    whole = series(2)
    restarted = {"start_time_fs": 0.0}  # a clock that begins anew
    for pair, words in (
        ([whole, whole[:300]], ("a and b begin with the same samples", "the longer one")),
        ([replace(whole[150:], **restarted), whole], ("a begins with sample 150 of b", "leave a out")),
        ([whole, whole], ("a and b begin with the same samples", "√2")),
        ([whole, whole[150:]], ("b begins with sample 150 of a", "leave b out")),
        ([whole[:200], whole[100:200]], ("b begins with sample 100 of a", "as long")),
    ):
        with pytest.raises(UsageError) as caught:
            find_parts(pair, ["a", "b"])
        assert_helpful(caught.value, *words)
    with pytest.raises(UsageError) as caught:
        find_parts([whole[:200], whole[200:], whole[200:300]], ["a", "b", "c"])
    assert_helpful(caught.value, "b and c both continue a")


@pytest.mark.parametrize("diverged", [False, True])
def test_a_run_that_was_killed_and_restarted_from_earlier_on(diverged: bool) -> None:
    whole, other = series(2), series(3)
    killed = whole[:200]
    if diverged:  # by rounding: the same beginning of the rest, then another motion
        killed = replace(killed, current=np.concatenate([whole.current[:170], other.current[170:200]]))
    restarted = replace(whole[150:], start_time_fs=0.0)
    for pair in ([killed, restarted], [restarted, killed]):
        with pytest.warns(BecMDWarning, match="50 sample\\(s\\) that two of them hold count once"):
            spectrum = compute_spectrum(pair, resolution_cm=60.0)
        np.testing.assert_allclose(
            spectrum.n_alpha, compute_spectrum(whole, resolution_cm=60.0).n_alpha, rtol=1e-12, atol=1e-12
        )


def test_a_motion_that_recurs_is_no_circle() -> None:
    """Two periods of one vibration: each of the two could follow the other."""
    angle = 2.0 * np.pi * np.arange(200)[:, None] / 100.0 + np.array([0.0, 1.0, 2.0])
    whole = CurrentSeries(
        current=np.cos(angle)[:, None], groups=("total",), timestep_fs=1.0, volume_ang3=900.0
    )
    one, other = whole[:99], whole[99:198]
    runs = find_parts([one, replace(other, start_time_fs=0.0)], ["a", "b"])
    assert [run.members for run in runs] == [(0, 1)]


def test_a_spectrum_of_parts_is_that_of_the_run() -> None:
    whole = series(5)
    with pytest.warns(BecMDWarning, match="continue one another: joined to one run"):
        found = compute_spectrum([whole[:170], whole[170:]], resolution_cm=60.0)
    np.testing.assert_array_equal(found.n_alpha, compute_spectrum(whole, resolution_cm=60.0).n_alpha)


LOG = """LAMMPS (22 Jul 2025 - Update 4)
units metal
  72 atoms
timestep 0.001
fix move all nve
fix ir all bec silica Si O every 2
thermo_style custom step temp vol f_ir[1] f_ir[2] f_ir[3] f_ir[7] f_ir[8] f_ir[9]
thermo 2
run {steps}
Per MPI rank memory allocation (min/avg/max) = 4.7 | 4.7 | 4.7 Mbytes
   Step   Temp   Volume   f_ir[1]   f_ir[2]   f_ir[3]   f_ir[7]   f_ir[8]   f_ir[9]
{rows}
Loop time of 1.0 on 1 procs for {steps} steps with 72 atoms
"""


def log(folder: Path, name: str, rows: slice, *, faster: float = 1.0) -> Path:
    current, moment = motion(7)
    table = [
        " ".join(
            [str(2 * k), "300", "904", *(f"{x:.9g}" for x in [*(1e3 * current[k]), *(faster * moment[k])])]
        )
        for k in range(400)[rows]
    ]
    steps = 2 * (len(table) - 1)
    path = folder / name
    path.write_text(LOG.format(steps=steps, rows="\n".join(table)))
    return path


def test_logs_of_a_run_that_was_restarted_are_one_run(tmp_path: Path) -> None:
    """LAMMPS prints the first step of a restart again."""
    paths = [log(tmp_path, "two.log", slice(250, 400)), log(tmp_path, "one.log", slice(0, 251))]
    (source,) = open_sources([str(path) for path in paths], InputOptions.of({}))
    assert source.series is not None
    assert source.path == "one.log + two.log"
    assert source.series.n_frames == 400
    assert "1 sample(s) that two of them hold count once" in source.series.metadata["remarks"][-1]
    window = {"start": 21, "stop": 380, "stride": 3}  # of the run, not of each of its parts
    (cut,) = open_sources([str(path) for path in paths], InputOptions.of(window))
    np.testing.assert_array_equal(cut.series.current, source.series.current[21:380:3])
    assert (cut.series.start_time_fs, cut.series.timestep_fs) == (source.series.times_fs[21], 6.0)
    (source,) = open_sources(
        [str(log(tmp_path, "late.log", slice(100, 400))), str(paths[1])], InputOptions.of({})
    )
    assert source.series is not None
    assert source.series.n_frames == 400
    np.testing.assert_allclose(source.series.polarization, motion(7)[1], atol=1e-4)


def test_polarization_beside_the_current_of_a_log(tmp_path: Path) -> None:
    found = open_current(log(tmp_path, "log.lammps", slice(0, 400)))
    np.testing.assert_allclose(found.polarization, motion(7)[1], atol=1e-8)  # nine digits of 1 e Å
    table = tmp_path / "J.dat"
    names = "TimeStep f_ir[1] f_ir[2] f_ir[3] f_ir[7] f_ir[8] f_ir[9]"
    current, moment = motion(7)
    rows = np.column_stack([2 * np.arange(400), 1e3 * current, moment])
    np.savetxt(table, rows, header=f"Time-averaged data for fix j\n{names}", fmt="%.9g")
    given = {"lammps_units": "metal", "timestep_fs": 2.0, "volume_ang3": 904.0}
    np.testing.assert_allclose(open_current(table, **given).polarization, moment, atol=1e-8)
    # P of all atoms beside J of some of them is another quantity
    rows[:, 1:4] = motion(8)[0]
    np.savetxt(table, rows, header=f"Time-averaged data for fix j\n{names}", fmt="%.9g")
    left_out = open_current(table, **given)
    assert left_out.polarization is None
    assert any("P(t) is left out" in text for text in left_out.metadata["remarks"])


@pytest.mark.parametrize("faster", [0.5, 3.0])
def test_a_polarization_that_moves_faster_than_its_current_is_refused(tmp_path: Path, faster: float) -> None:
    with pytest.raises(DataError) as caught:
        open_current(log(tmp_path, "log.lammps", slice(0, 400), faster=faster))
    assert_helpful(caught.value, "times as fast as J says", "2 fs apart")
