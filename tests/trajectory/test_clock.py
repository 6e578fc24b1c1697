"""The clock of a trajectory against its motion, its counters and its cell."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.io import write as write_file
from ase.md.bussi import Bussi
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import VELOCITY_UNITS
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.motion import Motion, read_clock, temperature_of_differences
from bec_md.trajectory.velocities import midpoint_displacement
from tests.benchmarks.no_false_alarm import run, said_of

from .motion import HarmonicMotion
from .truth import assert_helpful


def read_all(path, **options) -> list[Frame]:
    return list(open_trajectory(path, **options).frames())


def refused(path, *words: str, **options) -> None:
    with pytest.raises(DataError) as caught:
        read_all(path, **options)
    assert_helpful(caught.value, *words)


def as_motion(motion: HarmonicMotion, *, velocities: bool = True) -> Motion:
    cells = np.broadcast_to(motion.cell, (motion.n_frames, 3, 3)).copy()
    moving = motion.velocities if velocities else None
    return Motion(motion.positions, cells, np.ones(3, dtype=bool), motion.masses, moving)


# ------------------------------------------------------------------ class 1: the clock
def test_a_time_step_that_the_motion_contradicts_is_refused_with_both_numbers(write) -> None:
    path = write(HarmonicMotion().extxyz())
    refused(path, "timestep_fs=10", "1 fs apart", "correlation", "give `timestep_fs=1` ", timestep_fs=10.0)
    refused(path, "timestep_fs=0.5", "1 fs apart", timestep_fs=0.5)
    assert open_trajectory(path, timestep_fs=1.0).info.timestep_fs == 1.0


def test_a_stride_is_counted(write) -> None:
    path = write(HarmonicMotion().extxyz())
    assert open_trajectory(path, timestep_fs=1.0, stride=3).info.timestep_fs == 3.0
    refused(path, "timestep_fs=3", "1 fs apart", timestep_fs=3.0, stride=3)


@pytest.mark.parametrize(("comment", "found"), [("Time={t}", 5.0), ("time={t:.3f}", 5.0), ("Time={i}", None)])
def test_a_time_without_unit_is_used_where_the_motion_confirms_one(write, comment, found) -> None:
    path = write(HarmonicMotion(interval_fs=5.0).extxyz(comment=comment))
    info = open_trajectory(path).info
    assert info.timestep_fs == found
    assert ("counts fs" in info.units_note) == (found is not None)


def test_picoseconds_are_told_from_femtoseconds(write) -> None:
    motion = HarmonicMotion(interval_fs=2.0)
    text = motion.extxyz(comment="Time={i}")
    for index in range(motion.n_frames):
        text = text.replace(f"Time={index}\n", f"Time={index * 0.002:.6f}\n")
    info = open_trajectory(write(text)).info
    assert info.timestep_fs == pytest.approx(2.0)
    assert "counts ps" in info.units_note


def test_the_clock_of_the_file_is_taken_and_contradicted(write) -> None:
    right = write(HarmonicMotion(interval_fs=2.0).extxyz(comment="time_fs={t}"))
    assert open_trajectory(right).info.timestep_fs == 2.0
    refused(right, "timestep_fs=1", "2 fs apart", timestep_fs=1.0)
    # without velocities nobody decides, and neither number is taken silently
    still = write(HarmonicMotion(interval_fs=2.0).extxyz(comment="time_fs={t}", velocities=False), "p.xyz")
    refused(still, "timestep_fs=1", "2 fs apart", timestep_fs=1.0)
    wrong = write(HarmonicMotion(interval_fs=1.0).extxyz(comment="time_fs={i}0"), "wrong.xyz")
    refused(wrong, "10 fs apart", "1 fs apart")
    info = open_trajectory(wrong, timestep_fs=1.0)
    assert any("its own times are 10 fs apart" in warning for warning in info.info.warnings)
    assert [frame.time_fs for frame in info.frames()][:3] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("true", ["ase", "ang/fs", "ang/ps"])
@pytest.mark.parametrize("column", ["vel", "velocities"])
def test_the_units_of_velocities_are_settled_by_the_motion(write, true, column) -> None:
    text = HarmonicMotion().extxyz(scale=1.0 / VELOCITY_UNITS[true]).replace(":vel:", f":{column}:")
    path = write(text)
    assert open_trajectory(path, timestep_fs=1.0, velocity_units=true).info.has_velocities
    assumed = "ang/fs" if column == "vel" else "ase"
    if true != assumed:
        refused(path, true, timestep_fs=1.0)


def test_velocities_that_cannot_carry_the_atoms_so_far_are_said(write) -> None:
    path = write(HarmonicMotion(interval_fs=40.0, low_cm=20, high_cm=900, n_atoms=8).extxyz())
    read_all(path, timestep_fs=40.0)  # frames too far apart: no verdict
    refused(path, "timestep_fs=0.5", "carry them", timestep_fs=0.5)


def test_velocities_left_over_from_before_a_rerun_are_refused(write) -> None:
    motion = HarmonicMotion()
    motion.velocities[:] = motion.velocities[0]
    refused(write(motion.extxyz()), "the same numbers", "rerun", timestep_fs=1.0)
    motion.positions = motion.positions[:1] + np.arange(60)[:, None, None] * motion.velocities  # free flight
    read_all(write(motion.extxyz(), "free.xyz"), timestep_fs=1.0)


@settings(max_examples=60, deadline=None)
@given(
    interval_fs=st.floats(0.2, 40.0),
    low_cm=st.floats(10.0, 1500.0),
    width=st.floats(1.05, 20.0),
    seed=st.integers(0, 10**6),
    n_atoms=st.sampled_from([2, 4, 16]),
    skew=st.floats(-0.9, 0.9),
)
def test_no_honest_clock_is_contradicted(interval_fs, low_cm, width, seed, n_atoms, skew) -> None:
    cell = np.array([[9.0, 0, 0], [9.0 * skew, 10.0, 0], [4.0 * skew, -3.0 * skew, 11.0]])
    motion = HarmonicMotion(24, interval_fs, n_atoms, low_cm, low_cm * width, seed=seed, cell=cell)
    reading = read_clock(as_motion(motion))
    honest = reading is None or not reading.resolved or reading.allows(interval_fs)
    assert honest or reading.recurs(interval_fs)
    assert reading is None or not reading.outruns(interval_fs)


@pytest.mark.parametrize(
    ("interval_fs", "low_cm", "width", "seed", "n_atoms"),
    [(28.0, 1217.0, 1.0625, 1, 4), (33.0, 1099.0, 1.125, 0, 2)],
)
def test_a_vibration_seen_once_in_a_period_gives_no_verdict(
    write, interval_fs, low_cm, width, seed, n_atoms
) -> None:
    motion = HarmonicMotion(40, interval_fs, n_atoms, low_cm, low_cm * width, seed=seed)
    reading = read_clock(as_motion(motion))
    assert reading is not None
    assert reading.resolved  # it looks like frames 1.6 or 4.4 fs apart
    path = write(motion.extxyz())
    info = open_trajectory(path, timestep_fs=interval_fs).info
    assert info.timestep_fs == interval_fs
    assert "the motion says" not in info.units_note
    # an interval that fits neither is still contradicted
    refused(path, "its atoms move as if", timestep_fs=0.4 * interval_fs)


@settings(max_examples=40, deadline=None)
@given(
    interval_fs=st.floats(0.2, 5.0),
    factor=st.sampled_from([0.0489, 0.1, 0.5, 2.0, 2.4189, 10.0, 48.888, 1000.0]),
    seed=st.integers(0, 10**6),
)
def test_every_wrong_clock_of_close_frames_is_seen(interval_fs, factor, seed) -> None:
    reading = read_clock(as_motion(HarmonicMotion(24, interval_fs, 8, 50.0, 600.0, seed=seed)))
    assert reading is not None
    assert reading.resolved
    # 5 fs at 600 cm⁻¹: ωΔ = 0.57, where (2T + C)/3 is off by (ωΔ)⁴/60
    assert reading.estimate_fs == pytest.approx(interval_fs, rel=0.01)
    assert not reading.allows(interval_fs * factor)


def test_the_bounds_of_one_vibration_are_exact() -> None:
    omega, interval = 0.1, 4.0
    time = np.arange(200)[:, None, None] * interval
    direction = np.array([[0.3, -0.2, 0.1], [-0.1, 0.3, 0.2]])
    motion = Motion(
        1.0 + direction * np.sin(omega * time), np.broadcast_to(9.0 * np.eye(3), (200, 3, 3)).copy(),
        np.ones(3, dtype=bool), np.array([1.0, 2.0]), omega * direction * np.cos(omega * time),
    )  # fmt: skip
    reading, x = read_clock(motion), omega * interval / 2
    assert reading is not None
    assert reading.upper_fs == pytest.approx(interval * np.tan(x) / x, rel=1e-9)
    assert reading.lower_fs == pytest.approx(interval * np.sin(2 * x) / (2 * x), rel=1e-9)


@pytest.mark.parametrize("reverse", [True, False])
def test_time_that_runs_backwards_is_refused(write, reverse) -> None:
    """A reversed file, or velocities of the other sign: no wrong clock could be told from a right one."""
    order = list(range(59, -1, -1)) if reverse else None
    path = write(HarmonicMotion().extxyz(frames=order, scale=1.0 if reverse else -1.0))
    refused(path, "against their stored velocities", "velocities=none", timestep_fs=1.0)
    assert len(read_all(path, timestep_fs=1.0, velocities="none")) == 60


@pytest.mark.parametrize(
    ("mix", "n_atoms"),
    [
        (lambda v: v[:, [1, 0, 3, 2]], 4),
        (lambda v: np.roll(v, 1, axis=1), 64),
        (lambda v: v[:, :, [1, 2, 0]], 4),
        (lambda v: v * [1, 1, -1], 64),
        (lambda v: np.roll(v, 25, axis=0), 16),
    ],
    ids=["neighbors", "one row further", "axes", "mirrored", "25 fs before"],
)
def test_velocities_of_other_atoms_axes_or_times_are_refused(write, mix, n_atoms) -> None:
    """Their correlation with the displacements is that of frames far apart, which these are not."""
    motion = HarmonicMotion(n_atoms=n_atoms, seed=3)
    motion.velocities = mix(motion.velocities)
    path = write(motion.extxyz())
    refused(path, "not those of its atoms", "velocities=none", timestep_fs=1.0)
    assert len(read_all(path, timestep_fs=1.0, velocities="none")) == 60


# ------------------------------------------------------------------ without velocities
def test_the_temperature_of_differences_is_printed_and_compared(write) -> None:
    path = write(HarmonicMotion(n_atoms=64, seed=4).extxyz(velocities=False))
    info = open_trajectory(path, timestep_fs=1.0, temperature_k=330.0).info
    assert "no velocities: displacements in 1 fs mean" in info.units_note
    assert not info.warnings
    for wrong in (0.2, 5.0):
        (warning,) = open_trajectory(path, timestep_fs=wrong, temperature_k=330.0).info.warnings
        assert "temperature_k=330" in warning
        assert "fs apart would fit" in warning


def test_the_temperature_of_differences_is_that_of_velocities() -> None:
    motion = HarmonicMotion(n_frames=400, n_atoms=32)
    found = temperature_of_differences(as_motion(motion, velocities=False), 1.0)
    kinetic = 103.642695 * (motion.masses[:, None] * motion.velocities**2).mean() / 8.617333e-5
    assert found is not None
    # (ωΔ/2)²/3 = 7e-4 is filtered out; the two means are over slightly different times
    assert found.kelvin == pytest.approx(kinetic, rel=3e-3)


def test_atoms_that_change_places_are_refused(write) -> None:
    swapped = {i: [2, 1, 0, 3] for i in range(1, 60, 2)}
    path = write(HarmonicMotion().extxyz(velocities=False, order=swapped))
    refused(path, "sorted by", timestep_fs=1.0)


# ------------------------------------------------------------------ class 2: counters and continuity
@pytest.mark.parametrize("velocities", [True, False])
@pytest.mark.parametrize("comment", ["", "Time={t}", "step={i}", "time_fs={t}"])
def test_a_gap_is_found_at_its_frame(write, velocities, comment) -> None:
    frames = [*range(30), *range(37, 60)]
    path = write(HarmonicMotion().extxyz(velocities=velocities, comment=comment, frames=frames))
    refused(path, "frame 30", timestep_fs=1.0)


@pytest.mark.parametrize("velocities", [True, False])
def test_a_repeated_frame_is_found(write, velocities) -> None:
    frames = [*range(31), *range(30, 60)]
    path = write(HarmonicMotion().extxyz(velocities=velocities, frames=frames))
    refused(path, "frame 31", "equals the frame before it", "restart", timestep_fs=1.0)
    assert len(read_all(path, timestep_fs=1.0, stop=31)) == 31


@pytest.mark.parametrize(
    ("frame", "words"), [(0, "read the rest with `start=1`"), (30, "`stop=30` and the rest")]
)
def test_velocities_that_were_not_written_are_said(write, frame: int, words: str) -> None:
    motion = HarmonicMotion()
    motion.velocities[frame] = 0.0
    refused(write(motion.extxyz()), f"frame {frame}: its velocities are all 0", words, timestep_fs=1.0)


def test_a_restart_that_goes_back_in_time_is_found_by_the_motion_alone(write) -> None:
    frames = [*range(30), *range(24, 60)]
    path = write(HarmonicMotion().extxyz(frames=frames))
    refused(path, "frame 30", "backwards", timestep_fs=1.0)


def test_a_foreign_run_in_the_same_file_is_found(write) -> None:
    one = HarmonicMotion().extxyz()
    other = HarmonicMotion(seed=2).extxyz()
    refused(write(one + other), "frame 60", timestep_fs=1.0)


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(2, 57),
    missing=st.integers(1, 8),
    seed=st.integers(0, 10**6),
    interval_fs=st.floats(0.5, 3.0),
    n_atoms=st.sampled_from([16, 40, 100]),
)
def test_any_gap_anywhere_is_found_and_nothing_else(at, missing, seed, interval_fs, n_atoms) -> None:
    images = HarmonicMotion(70, interval_fs, n_atoms, 50.0, 500.0, seed=seed).images(range(70))
    assert len(read_all(images, timestep_fs=interval_fs)) == 70
    with pytest.raises(DataError, match=f"frame {at}"):
        read_all(images[:at] + images[at + missing :], timestep_fs=interval_fs)


@pytest.mark.parametrize("at", [5, 22, 23, 24, 30, 45, 46, 47, 48])  # 24 frames are probed, the first block
@pytest.mark.parametrize("missing", [1, 2])
def test_gaps_at_the_ends_of_blocks_are_found_without_velocities(write, at, missing) -> None:
    frames = [*range(at), *range(at + missing, 100)]
    path = write(HarmonicMotion(100, n_atoms=40).extxyz(velocities=False, frames=frames))
    refused(path, f"frame {at}:", timestep_fs=1.0)


@pytest.mark.parametrize(
    ("intervals", "velocities"),
    [
        *(((4, after), True) for after in (5, 6, 8, 12)), ((6, 4), True), ((8, 2), True),
        ((4, 8), False), ((8, 4), False), ((4, 12), False),  # a thermostat may do what smaller ratios do
    ],
)  # fmt: skip
def test_an_interval_that_changes_is_found_where_it_does(
    intervals: tuple[int, int], velocities: bool
) -> None:
    random = np.random.default_rng(3)
    before, after = intervals
    for at, n_atoms in zip(random.integers(5, 50, 9).tolist(), 3 * [16, 40, 100], strict=True):
        seed = int(random.integers(10**6))
        motion = HarmonicMotion(at * before + 40 * after, 0.5, n_atoms, 50.0, 300.0, seed=seed)
        frames = [*range(0, at * before, before), *range(at * before, motion.n_frames, after)]
        stated = 0.5 * (before if at >= 20 else after)  # what the first frames say, where velocities tell
        with pytest.raises(
            DataError, match=rf"frame {at + 1}: (from here on|its atoms have moved)|move as if"
        ):
            read_all(motion.images(frames, velocities=velocities), timestep_fs=stated)


def test_an_interval_that_changes_in_the_frames_from_which_the_clock_is_read() -> None:
    """Of two intervals the clock makes none: displacements alone tell."""
    motion = HarmonicMotion(11 * 4 + 40 * 6, 0.5, 40, 50.0, 300.0, seed=459183)
    with pytest.raises(DataError, match="frame 12: from here on"):
        read_all(motion.images([*range(0, 44, 4), *range(44, 284, 6)]), timestep_fs=3.0)


@pytest.mark.parametrize("seed", [5, 198])
def test_a_thermostat_at_every_step_is_no_change_of_the_interval(tmp_path: Path, seed: int) -> None:
    """Of four atoms scaled at random some step is longer than the one before; those after it are not."""

    def scaled(atoms, step: float) -> Bussi:
        return Bussi(atoms, step, 300, 100 * units.fs, rng=np.random.RandomState(seed))

    write_file(tmp_path / "v.xyz", run(bulk("Cu", cubic=True), scaled, 1, 30))
    assert not said_of(tmp_path / "v.xyz", timestep_fs=5.0)


def test_velocities_scaled_at_once_are_no_change_of_the_interval() -> None:
    """A thermostat that rescales small systems by a fifth, and one that draws velocities anew."""
    one, other = (HarmonicMotion(60, 1.0, 8, 50.0, 300.0, seed=seed) for seed in (1, 2))
    for change in (1.2 * np.diff(one.positions, axis=0), np.diff(other.positions, axis=0)):
        steps = np.concatenate([np.diff(one.positions, axis=0)[:30], change[30:]])
        changed = replace(one)
        changed.positions = one.positions[0] + np.cumsum(steps, axis=0)
        assert len(read_all(changed.images(range(59), velocities=False), timestep_fs=1.0)) == 59


def test_a_pass_that_starts_behind_a_gap_still_sees_it(write) -> None:
    path = write(HarmonicMotion().extxyz(frames=[*range(30), *range(37, 60)]))
    trajectory = open_trajectory(path, timestep_fs=1.0)
    with pytest.raises(DataError, match="frame 30"):
        list(trajectory.frames(skip=30))
    assert len(list(trajectory.frames(skip=35))) == 18


def test_structures_that_are_no_run_are_read_as_they_are(write) -> None:
    path = write(HarmonicMotion().extxyz(frames=[0, 30, 3, 3, 50]))
    assert len(read_all(path, time_series=False)) == 5


# ------------------------------------------------------------------ class 3: masses
def test_masses_of_the_other_element_are_refused(write) -> None:
    motion = HarmonicMotion()
    path = write(motion.lammps("mass x y z", masses=motion.masses), "t.dump")
    options = {"lammps_units": "real", "timestep_fs": 1.0}
    assert len(read_all(path, elements=["Na", "Cl"], **options)) == 60
    refused(path, "atom 0 is Cl", "22.9898 amu", "Na", elements=["Cl", "Na"], **options)
    assert read_all(path, elements=["Cl", "Na"], masses={"Cl": 22.9898, "Na": 35.45}, **options)


@pytest.mark.parametrize(
    ("symbol", "mass"),
    [("H", 2.014), ("H", 3.024), ("H", 4.032), ("O", 11.967), ("O", 17.999), ("Li", 6.015), ("C", 14.0266),
     ("B", 10.0), ("D", 2.014), ("Cl", 36.966)],
)  # fmt: skip
def test_isotopes_and_repartitioned_masses_pass(symbol, mass) -> None:
    from bec_md.structure.species import resolve_species

    species = resolve_species([symbol], place="t", file_masses_amu=np.array([mass]))
    assert species.masses_amu[0] == mass


def test_hydrogens_of_a_solvent_may_keep_their_mass() -> None:
    """N of N-H has 12.015 amu, that of carbon, where hydrogens of the solute have 3."""
    from bec_md.structure.species import resolve_species

    masses = np.array([1.008, 12.015, 3.0])
    assert resolve_species(["H", "N", "H"], place="t", file_masses_amu=masses).numbers.tolist() == [1, 7, 1]
    with pytest.raises(DataError, match="is N"):
        resolve_species(["H", "N"], place="t", file_masses_amu=masses[:2])


# ------------------------------------------------------------------ class 4: the cell
@pytest.mark.parametrize("columns", ["x y z", "x y z ix iy iz", "xu yu zu"])
def test_displacements_in_a_changing_cell_do_not_know_how_many_images_away_an_atom_is(write, columns) -> None:
    motion = HarmonicMotion()
    lengths = 9.0 * (1.0 + 0.004 * np.sin(0.1 * np.arange(60)))
    images = np.array([[40, 0, 0], [-40, 0, 0], [0, 30, 0], [0, -30, 0]])
    path = write(motion.lammps(columns, lengths=lengths, images=images), "t.dump")
    options = {"lammps_units": "real", "timestep_fs": 1.0, "elements": ["Na", "Cl"]}
    trajectory = open_trajectory(path, **options)
    (warning,) = trajectory.info.warnings
    assert "the cell changes" in warning
    assert "fractional" in warning
    frames = list(trajectory.frames())
    for before, after in pairwise(frames):
        steps = motion.positions[after.index] - motion.positions[before.index]
        mean = (lengths[before.index] + lengths[after.index]) / 18.0
        # the dump has ten digits, of numbers up to 370 Å
        np.testing.assert_allclose(midpoint_displacement(before, after), steps * mean, atol=3e-7)


def test_a_constant_box_that_is_written_exactly_says_nothing(write) -> None:
    path = write(HarmonicMotion().lammps("x y z vx vy vz"), "t.dump")
    options = {"lammps_units": "real", "timestep_fs": 1.0, "elements": ["Na", "Cl"]}
    assert not open_trajectory(path, **options).info.warnings


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.integers(-1, 1), min_size=3, max_size=3),
    strain=st.floats(-0.01, 0.01),
    seed=st.integers(0, 10**6),
)
def test_a_box_flip_is_no_motion(rows, strain, seed) -> None:
    """Another choice of lattice vectors for the same lattice leaves every displacement as it is."""
    random = np.random.default_rng(seed)
    cell = np.array([[8.0, 0, 0], [3.9, 9.0, 0], [1.0, -4.4, 10.0]])
    flip = np.array([[1.0, 0, 0], [rows[0], 1.0, 0], [rows[1], rows[2], 1.0]])
    grown = cell * (1.0 + strain)
    start = random.uniform(0, 1, (5, 3))
    steps = random.normal(0, 0.002, (5, 3))
    before = Frame(start @ cell, cell, np.ones(3, dtype=bool), np.full(5, 8))
    after = replace(before, positions_ang=(start + steps) @ grown, cell_ang=grown)
    flipped = replace(after, cell_ang=flip @ grown)
    expected = midpoint_displacement(before, after)
    np.testing.assert_allclose(midpoint_displacement(before, flipped), expected, atol=1e-12)
    np.testing.assert_allclose(expected, steps @ (cell * (1.0 + strain / 2)), atol=1e-12)
