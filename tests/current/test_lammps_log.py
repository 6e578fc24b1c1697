"""What a LAMMPS log says about its rows decides what they mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.current import open_current
from bec_md.errors import DataError, UsageError
from tests.current.lammps_log import (
    CHAIN,
    COLUMNS,
    CURRENT,
    HEAD,
    RNG,
    assert_reference,
    ave_time,
    multi,
    one,
    read,
    rows,
    yaml,
)


# ---------------------------------------------------------------------- layouts
@pytest.mark.parametrize("layout", [one, multi, yaml])
def test_every_layout_of_the_thermo_output(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    found = read(tmp_path, HEAD + "run 160\n" + layout(rows()))
    assert_reference(found)
    assert found.temperature_k == pytest.approx(rows()[:, 2].mean())
    live = layout(rows()).split("Loop time")[0].rstrip(" ]},.\n")  # the run goes on: e-05 may follow
    assert read(tmp_path, HEAD + "run 160\n" + live).n_frames == 40


def test_screen_output_has_units_and_step_of_its_own(tmp_path: Path) -> None:
    screen = "LAMMPS (22 Jul 2025)\nSetting up Verlet run ...\n  Unit style    : metal\n  Current step  : 0\n"
    text = (
        screen + "  Time step     : 0.0005\n" + one(np.delete(rows(), 1, axis=1), (COLUMNS[0], *COLUMNS[2:]))
    )
    assert_reference(read(tmp_path, text))
    # a scheduler's file begins with other lines
    assert_reference(read(tmp_path, "module load\n" + text))
    # what the fix says of itself, with no command in sight
    for said, driven in (("", False), ("fix bec ir: efield 0 v_e 0.1 V/A\n", True)):
        found = read(tmp_path, text.replace("Setting", f"fix bec ir: model m, cutoff 5 A\n{said}Setting", 1))
        told = "the run is driven (fix ir bec … efield 0 v_e 0.1)"
        assert any(told in note for note in found.metadata["warnings"]) == driven


def test_a_table_that_does_not_begin_with_the_step(tmp_path: Path) -> None:
    table = one(rows()[:, 1:], COLUMNS[1:])
    assert_reference(read(tmp_path, HEAD + "run 160\n" + table))


def test_such_a_table_of_a_run_that_sets_nothing_up(tmp_path: Path) -> None:
    """`run N pre no` has a header without the line about memory in front."""
    first, second = (one(table[:, [1, 0, *range(2, 7)]], (COLUMNS[1], COLUMNS[0], *COLUMNS[2:]))
                     for table in (rows(0, 21), rows(20)))  # fmt: skip
    assert_reference(read(tmp_path, HEAD + "run 80\n" + first + "run 80 pre no\n" + second.split("\n", 1)[1]))


def test_a_rerun_counts_frames(tmp_path: Path) -> None:
    """`Loop time … for 161 steps` after the 161 frames of a dump of every step is not one too many."""
    text = HEAD + "rerun d.dump dump x y z vx vy vz\n" + one(rows())
    assert_reference(read(tmp_path, text.replace("for 160 steps", "for 161 steps")))


def test_the_default_time_step_of_a_rerun_is_none(tmp_path: Path) -> None:
    head = (
        HEAD.replace("timestep 0.0005\n", "") + "rerun d.dump dump x y z vx vy vz\n  Time step     : 0.001\n"
    )
    with pytest.raises(UsageError, match="how much time lies between its samples"):
        read(tmp_path, head + one(rows()))
    again = head.replace("rerun d.dump dump x y z vx vy vz", "run 160").replace("0.001", "0.0005")
    assert_reference(read(tmp_path, again + one(np.delete(rows(), 1, axis=1), (COLUMNS[0], *COLUMNS[2:]))))


def test_comments_of_commands_are_none(tmp_path: Path) -> None:
    """A log echoes them: an option, a fix or a formula in a comment sets nothing."""
    head = HEAD.replace("every 4\n", "every 4 # efield 0 0 1\n").replace("metal\n", "metal # or real\n")
    head += "# fix box all npt temp 300 300 0.1 iso 0 0 1\n"
    head += "fix out all print 10 '# ${x}' title \"#\" screen no # s\n"
    head += CHAIN.replace("]\n", "] # the current\n") + "thermo_modify norm no # norm yes\nrun 160 # s\n"
    assert_reference(read(tmp_path, head + one(rows())))
    columns = ("v_jx", "v_jy", "v_jz")
    assert_reference(read(tmp_path, head + one(rows(), (*COLUMNS[:4], *columns)), columns=columns))


def test_what_print_says_is_no_command(tmp_path: Path) -> None:
    said = 'print "velocity all: ${x}"\nvelocity all: 3\nprint "timestep 2" screen no\n'
    text = HEAD + "run 80\n" + one(rows(0, 21)) + said + "run 80\n" + one(rows(20, 41))
    assert_reference(read(tmp_path, text))
    moved = text.replace("screen no\n", "screen no\nvelocity all scale 300\n")
    assert read(tmp_path, moved).n_frames == 21


@pytest.mark.parametrize(("steps", "missing"), [(160, 0), (163, 0), (164, 4), (400, 240)])
def test_rows_that_are_due_before_the_end_of_the_run(tmp_path: Path, steps: int, missing: int) -> None:
    """`timer timeout` and `fix halt` end a run beside the grid, without a row."""
    found = read(tmp_path, HEAD + "run 9999\n" + one(rows()).replace("for 160 steps", f"for {steps} steps"))
    said = [note for note in found.metadata["warnings"] if f"the last {missing} steps" in note]
    assert len(said) == len(found.metadata["warnings"]) == (missing > 0)


def test_a_killed_run_and_lines_in_between(tmp_path: Path) -> None:
    body = one(rows()).split("Loop time")[0].splitlines(keepends=True)
    body.insert(12, "WARNING: something about neighbor lists (src/neighbor.cpp:1)\n")
    assert_reference(read(tmp_path, HEAD + "run 160\n" + "".join(body) + " 164 0.0"))


@pytest.mark.parametrize("layout", [one, yaml])
def test_lines_of_fix_print_are_no_rows(tmp_path: Path, layout) -> None:  # type: ignore[no-untyped-def]
    """They have as many numbers as the table, and stand before the row of their step."""
    lines = (HEAD + "run 160\n" + layout(rows())).splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if line.startswith(("0 0 300", "  - [0")))
    for k in range(first, first + 41):
        values = lines[k].strip(" -[]\n").replace(",", "").split()
        row = lines[k] if layout is yaml else " " * 9 + lines[k]
        lines[k] = (" ".join([*values[:-1], "7.0"]) + "\n" if k > first else "") + row
    assert_reference(read(tmp_path, "".join(lines)))
    if layout is one:  # thermo_modify format line: rows without a margin
        with pytest.raises(DataError, match="two different rows of step 4"):
            read(tmp_path, "".join(line.replace(" " * 9, "") for line in lines))


def test_the_log_of_a_killed_process_before_another_one(tmp_path: Path) -> None:
    """As `cat` or a scheduler puts them together: commands of the first do not hold for the second."""
    first = HEAD + "thermo_modify norm yes\nfix box all npt temp 9 9 1 iso 0 0 1\nrun 160\n" + one(rows(0, 9))
    columns = tuple(name for name in COLUMNS if name != "Volume")
    second = HEAD.replace("timestep 0.0005", "timestep 0.001").replace("10 10 9", "10 10 8") + "run 160\n"
    table = np.delete(rows(dt=0.001), 3, axis=1)
    found = read(tmp_path, first.split("Loop")[0] + second + one(table, columns))
    np.testing.assert_allclose(found.current[:, 0], 1e-3 * CURRENT, rtol=1e-9)
    assert (found.timestep_fs, found.volume_ang3) == (pytest.approx(4.0), pytest.approx(800.0))
    # outputs without commands, of a run and its restart, are one run
    screen = "LAMMPS (22 Jul 2025)\n  Unit style    : metal\n  Time step     : 0.0005\n"
    assert_reference(read(tmp_path, screen + one(rows(0, 21)) + screen + one(rows(20, 41))))
    hotter = rows(20, 41)
    hotter[:, 2] *= 1.02  # by `velocity`
    current = read(tmp_path, screen + one(rows(0, 21)) + screen + one(hotter))
    assert current.n_frames == 21
    assert "1 earlier runs" in str(current.metadata["remarks"])
    shown = HEAD + "run 80\n" + one(rows(0, 21)) + "run 80\n" + one(hotter)  # no `velocity`, as of gjf vhalf
    assert read(tmp_path, shown).n_frames == 41


# ---------------------------------------------------------------------- what scales the numbers
def test_norm_is_undone_with_the_number_of_atoms(tmp_path: Path) -> None:
    normalized = one(rows(factor=1 / 72))
    assert_reference(
        read(tmp_path, HEAD + "thermo_modify norm yes format float %.8g\nrun 160\n" + normalized)
    )
    # a new thermo_style forgets what was modified
    text = (
        HEAD
        + "thermo_modify norm yes\nthermo_style custom step time temp vol f_ir[*]\nrun 160\n"
        + one(rows())
    )
    assert_reference(read(tmp_path, text))


def test_norm_of_a_column_that_may_be_a_density_is_refused(tmp_path: Path) -> None:
    text = HEAD.replace("fix ir all bec silica Si O every 4", "fix ir all vector 1 c_x[1]")
    with pytest.raises(DataError, match="norm divides columns"):
        read(tmp_path, text + "thermo_modify norm yes\nrun 160\n" + one(rows()), columns=COLUMNS[4:])


def test_norm_with_a_number_of_atoms_that_changes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="number of atoms"):
        read(
            tmp_path,
            HEAD + "thermo_modify norm yes\nfix mc all gcmc 10 1 1 1 5 300 -5 0.1\nrun 1\n" + one(rows()),
        )


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([0.00025, 0.0005, 0.001]), st.sampled_from([0.0001, 0.002]), st.booleans())
def test_the_time_step_is_the_one_in_force_at_the_table(before: float, after: float, timed: bool) -> None:
    import tempfile

    keep = list(range(7)) if timed else [0, 2, 3, 4, 5, 6]
    table = one(rows(dt=before)[:, keep], tuple(COLUMNS[k] for k in keep))
    head = HEAD.replace("timestep 0.0005", f"timestep {before}")
    other = one(rows(0, 5, dt=after)[:, :4], ("Step", "Temp", "PotEng", "Press"))
    text = head + "run 160\n" + table + f"thermo_style one\ntimestep {after}\nrun 16\n" + other
    with tempfile.TemporaryDirectory() as folder:
        assert read(Path(folder), text).timestep_fs == pytest.approx(4e3 * before, rel=1e-9)


def test_a_clock_that_is_reset(tmp_path: Path) -> None:
    head = HEAD + "fix d all dt/reset 1 1e-5 0.0007 0.008\nrun 160\n"
    uneven = rows()
    uneven[:, 1] = np.cumsum(RNG.uniform(0.0018, 0.0028, size=41))
    with pytest.raises(DataError, match="dt/reset"):
        read(tmp_path, head + one(uneven))
    with pytest.raises(DataError, match="dt/reset changes the time step"):
        read(tmp_path, head + one(np.delete(rows(), 1, axis=1), (COLUMNS[0], *COLUMNS[2:])))
    even = rows(dt=0.0006)  # it has not been changed during this table: the Time column knows
    assert read(tmp_path, head + one(even)).timestep_fs == pytest.approx(2.4, rel=1e-6)


def test_rounded_times_do_not_refuse_a_uniform_run(tmp_path: Path) -> None:
    late = rows()
    late[:, 1] = np.round(late[:, 1] + 1234.0, 3)  # 2 fs apart, printed to 1 fs
    late[:, 1] = np.round(late[:, 1], 2)  # printed to 10 fs
    assert read(tmp_path, HEAD + "run 160\n" + one(late)).timestep_fs == pytest.approx(2.0, rel=1e-9)


def test_a_given_time_between_samples_must_not_contradict_the_log(tmp_path: Path) -> None:
    text = HEAD + "run 160\n" + one(rows())
    assert_reference(read(tmp_path, text, timestep_fs=2.0))
    with pytest.raises(UsageError, match=r"timestep_fs=0.5` .* 2 fs apart"):
        read(tmp_path, text, timestep_fs=0.5)


# ---------------------------------------------------------------------- several tables
def test_tables_that_continue_are_one_run(tmp_path: Path) -> None:
    pieces = "".join(one(rows(a, b)) for a, b in ((0, 11), (10, 21), (20, 31), (30, 41)))
    found = read(tmp_path, HEAD + "run 160 every 40 'print x'\n" + pieces)
    assert_reference(found)
    assert "4 thermo tables" in found.metadata["remarks"][0]


def test_tables_of_other_dynamics_are_not_joined(tmp_path: Path) -> None:
    """Equilibration with a thermostat, then the run that counts: its rows alone."""
    first = one(rows(0, 21))
    text = (
        HEAD
        + "run 80\n"
        + first
        + "unfix move\nfix move all nvt temp 300 300 0.1\nrun 80\n"
        + one(rows(20, 41))
    )
    found = read(tmp_path, text)
    assert found.n_frames == 21
    assert np.allclose(found.current[:, 0], 1e-3 * CURRENT[20:], rtol=1e-9)
    assert "earlier runs" in found.metadata["remarks"][0]
    # output commands in between change nothing
    text = (
        HEAD
        + "run 80\n"
        + first
        + "write_restart a\nfix o all ave/time 1 1 1 f_ir\n"
        + "timestep 5e-4\nfix h all halt 9 tlimit > 9\nrun 80\n"
        + one(rows(20, 41))
    )
    assert_reference(read(tmp_path, text))


@pytest.mark.parametrize("command", ["mass 2 17.999", "angle_coeff 1 55.0 104.5"])
def test_other_masses_or_forces_are_another_run(tmp_path: Path, command: str) -> None:
    text = f"{HEAD}run 80\n{one(rows(0, 21))}{command}\nrun 80\n{one(rows(20, 41))}"
    assert read(tmp_path, text).n_frames == 21


@pytest.mark.parametrize("command", ["silica Si O charge 1", "universal Si O"])
def test_another_fix_of_the_same_name_is_another_current(tmp_path: Path, command: str) -> None:
    """Other charges, or another group, in the second half of a run: J is not that of the first."""
    begin = HEAD + "fix o all ave/time 4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat\nrun 80\n" + one(rows(0, 21))
    text = begin + f"unfix ir\nfix ir all bec {command}\nrun 80\n" + one(rows(20, 41))
    assert read(tmp_path, text).n_frames == 21
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    (tmp_path / "log.lammps").write_text(text)
    assert open_current(path).n_frames == 20
    same = text.replace(f"bec {command}", "bec silica Si O every 4")
    assert read(tmp_path, same).n_frames == 41


def test_a_minimization_is_no_dynamics(tmp_path: Path) -> None:
    text = HEAD + "minimize 0 0 10 10\n" + one(rows(0, 3)) + "reset_timestep 0\nrun 160\n" + one(rows())
    assert_reference(read(tmp_path, text))
    with pytest.raises(DataError, match="no thermo table of a run"):
        read(tmp_path, HEAD + "minimize 0 0 10 10\n" + one(rows(0, 9)))


def test_the_log_of_all_partitions_names_those_with_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "LAMMPS (22 Jul 2025)\nRunning on 2 partitions of processors\n")
    assert "log.lammps.0, log.lammps.1" in str(caught.value)


def test_a_run_behind_an_exchange_of_replicas_is_one(tmp_path: Path) -> None:
    text = HEAD + "temper 80 8 300 move 1 2\n" + one(rows(0, 21)) + "run 80\n" + one(rows(20, 41))
    assert read(tmp_path, text).n_frames == 21
    with pytest.raises(DataError, match="log of a temper"):
        read(tmp_path, HEAD + "temper 80 8 300 move 1 2\n" + one(rows(0, 21)))


def test_rows_beside_the_grid_at_the_ends_of_runs(tmp_path: Path) -> None:
    odd = rows(40, 41).copy()
    odd[:, :2] += [2, 0.001]
    found = read(tmp_path, HEAD + "run 162\n" + one(np.concatenate([rows(), odd])))
    assert_reference(found)
    assert "step 162" in found.metadata["remarks"][0]
    half = rows(20, 21).copy()
    half[:, :2] += [2, 0.001]
    first, second = one(np.concatenate([rows(0, 21), half])), one(np.concatenate([half, rows(21, 41)]))
    assert_reference(read(tmp_path, HEAD + "run 82\n" + first + "run 78\n" + second))
    gap = np.delete(rows(), 17, axis=0)
    with pytest.raises(DataError, match="goes from 64 to 72"):
        read(tmp_path, HEAD + "run 160\n" + one(gap))


def test_replica_exchange_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="log of a temper"):
        read(tmp_path, HEAD + "temper 160 10 300 nvt 1 2\n" + one(rows()))


# ---------------------------------------------------------------------- what is no equilibrium dynamics
def test_zero_and_stale_velocities_of_a_rerun(tmp_path: Path) -> None:
    still = rows(factor=0.0)
    still[:, 2] = 0.0
    with pytest.raises(DataError, match="J is zero throughout"):
        read(tmp_path, HEAD + "rerun a.dump dump x y z\n" + one(still))
    stale = rows()
    stale[:, 2] = 301.25
    with pytest.raises(DataError, match="same to all digits"):
        read(tmp_path, HEAD + "rerun a.dump dump x y z\n" + one(stale))
    [warning] = read(tmp_path, HEAD + "run 160\n" + one(stale)).metadata["warnings"]
    assert "no dynamics" in warning
    isokinetic = HEAD.replace("move all nve", "move all nvk temp 300 300")
    assert_reference(read(tmp_path, isokinetic + "run 160\n" + one(stale)))


@pytest.mark.parametrize(
    ("command", "driven"),
    [
        ("fix ir all bec silica Si O efield 0 0 0.1", True),
        ("fix ir all bec silica Si O every 2 efield 0 0 v_wave", True),
        ("fix ir all bec silica Si O efield 0 0 0", False),
        ("fix e all efield 0.0 0.0 0.1", True),
        ("fix x all nvt/sllod temp 300 300 0.1", True),
        ("fix v all viscous 0.01", True),
        ("fix m wall move linear 1 0 0", True),
        ("fix x all langevin 300 300 0.1 77", False),
    ],
)
def test_a_driven_run_is_said(tmp_path: Path, command: str, driven: bool) -> None:
    found = read(tmp_path, HEAD + f"{command}\nrun 160\n" + one(rows()))
    assert any("is driven" in text for text in found.metadata["warnings"]) is driven


# ---------------------------------------------------------------------- volume
@pytest.mark.parametrize(
    ("fix", "known"),
    [
        ("rigid/npt temp 300 300 0.1 iso 0 0 1 molecule", False),
        ("rigid/npt/small molecule temp 300 300 0.1 iso 0 0 1", False),
        ("rigid/nph/omp molecule iso 0 0 1", False),
        ("npt/asphere temp 300 300 0.1 iso 0 0 1", False),
        ("nphug temp 1 1 10 v_p v_v v_e", False),
        ("tgnpt/drude temp 300 300 0.1 1 0.02 iso 0 0 1", False),
        ("bocs temp 300 300 0.1 cgiso 0 0 1", False),
        ("msst z 80", False),
        ("qbmsst z 80", False),
        ("ipi localhost 31415", False),
        ("press/langevin iso 0 0 1 temp 300 300 5", False),
        ("deform/pressure 1 x pressure 0 1", False),
        ("rigid/nvt/small molecule temp 300 300 0.1", True),
        ("nvt temp 300 300 0.1", True),
        ("nve\nboundary p p s", False),
        ("nve\nchange_box all boundary p p m", False),
        ("nve\nchange_box all boundary p p f", True),
    ],
)
def test_a_box_that_changes_has_not_the_volume_it_began_with(tmp_path: Path, fix: str, known: bool) -> None:
    columns = tuple(name for name in COLUMNS if name != "Volume")
    text = HEAD + f"fix box all {fix}\nrun 160\n" + one(np.delete(rows(), 3, axis=1), columns)
    if known:
        assert read(tmp_path, text).volume_ang3 == pytest.approx(900.0)
        return
    with pytest.raises(UsageError, match="does not say the volume"):
        read(tmp_path, text)


def test_the_vacuum_of_a_slab_is_in_its_volume(tmp_path: Path) -> None:
    slab = HEAD.replace("units metal\n", "units metal\nboundary p p f\n") + "run 160\n" + one(rows())
    (said,) = read(tmp_path, slab).metadata["warnings"]
    assert said.startswith("periodic along 2 of 3 directions")
    assert_reference(read(tmp_path, slab, volume_ang3=904.0))
    assert_reference(read(tmp_path, slab.replace("p p f", "pp pp p")))


def test_a_volume_that_changes_is_said(tmp_path: Path) -> None:
    table = rows()
    table[:, 3] += np.arange(41)
    found = read(tmp_path, HEAD + "run 160\n" + one(table))
    assert found.volume_ang3 == pytest.approx(924.0)
    (said,) = found.metadata["warnings"]
    assert said.startswith(
        "the volume changes from 904.0 to 944.0 Å³: the spectrum is per mean volume, 924.0"
    )
    assert not read(tmp_path, HEAD + "run 160\n" + one(table), volume_ang3=900.0).metadata["warnings"]


# ---------------------------------------------------------------------- temperature
def test_a_langevin_thermostat_moves_the_center_of_mass(tmp_path: Path) -> None:
    """LAMMPS divides the kinetic energy of 3N degrees of freedom by 3N − 3."""
    mean = rows()[:, 2].mean()
    heated = HEAD + "fix hot all langevin 300 300 0.1 77{}\nrun 160\n" + one(rows())
    assert read(tmp_path, heated.format("")).temperature_k == pytest.approx(mean * 71 / 72)
    zeroed = read(tmp_path, heated.format(" zero yes"))
    assert zeroed.temperature_k == pytest.approx(mean)
    assert any("same random force from light and heavy" in note for note in zeroed.metadata["warnings"])
    assert not any(
        "random force" in n for n in read(tmp_path, heated.format(" zero no")).metadata["warnings"]
    )


MEANS = (
    "fix bec ir: means of the run: temperature 300.0 K (144 degrees of freedom, 48 of 72 atoms move), "
    "sum of Z Z^T/m 9 8 7 0.1 0.2 0.3 e^2/amu\n"
)


def test_the_summary_of_fix_bec_is_believed(tmp_path: Path) -> None:
    frozen = HEAD + "fix wall all setforce 0 0 0\nrun 160\n"
    with pytest.raises(UsageError, match="fix wall setforce"):
        read(tmp_path, frozen + one(rows()))
    found = read(tmp_path, frozen + one(rows()).replace("Loop time", MEANS + "Loop time"))
    assert found.temperature_k == 300.0
    assert np.allclose(found.zz_sum()[0], [[9, 0.1, 0.2], [0.1, 8, 0.3], [0.2, 0.3, 7]])
    assert "24 of 72 atoms do not move" in found.metadata["remarks"]
    assert read(tmp_path, frozen + one(rows()), temperature_k=310.0).temperature_k == 310.0


@pytest.mark.parametrize("group_atoms", [72, 24])
def test_frozen_atoms_beside_rigid_molecules(tmp_path: Path, group_atoms: int) -> None:
    """Temp counts them; the summary knows rigid bonds, unless they are those of a part of the atoms."""
    text = HEAD + "fix wall all setforce 0 0 0\nfix water all shake 1e-6 20 0 b 1\nrun 160\n" + one(rows())
    text = text.replace("Loop time", MEANS.replace("48 of 72", f"16 of {group_atoms}") + "Loop time")
    if group_atoms == 72:
        found = read(tmp_path, text)
        assert found.temperature_k == 300.0
        assert found.zz_sum() is None
        return
    with pytest.raises(UsageError, match="fix wall setforce"):
        read(tmp_path, text)


def test_what_fix_bec_has_warned_of_is_passed_on(tmp_path: Path) -> None:
    at = "WARNING: fix bec ir: {} (src/fix_bec_checks.cpp:157)\n"
    said, other = (
        at.format("step 0 is 3 times that of /home/me/silica.safetensors: take another"),
        at.format("old"),
    )
    text = HEAD + "run 10\n" + other + one(rows(0, 3)) + "velocity all create 300 1\nrun 160\n" + said
    found = read(tmp_path, text + one(rows()))
    assert found.metadata["warnings"] == [
        "in LAMMPS: fix bec ir: step 0 is 3 times that of silica.safetensors: take another"
    ]
    domain = "fix bec ir: mean uncertainty of the tensors {} e, limit of the training domain 0.02 e; 9 % of\n"
    for mean, outside in ((0.01, False), (0.03, True)):
        ended = one(rows()).replace("Loop time", domain.format(mean) + "Loop time")
        warnings = read(tmp_path, HEAD + "run 160\n" + ended).metadata["warnings"]
        assert [f"mean uncertainty of the tensors {mean} e" in text for text in warnings] == [True] * outside


def test_a_run_of_no_steps_in_front_has_no_summary(tmp_path: Path) -> None:
    said = one(rows()).replace("Loop time", MEANS + "Loop time")
    found = read(tmp_path, HEAD + "run 0\n" + one(rows(0, 1)) + "run 160\n" + said)
    assert found.n_frames == 41
    assert found.temperature_k == 300.0
    assert found.zz_sum() is not None
    killed = one(rows(40, 41)).split("Loop time")[0]  # the run that goes on has said nothing of its atoms yet
    assert read(tmp_path, HEAD + "run 160\n" + said + "run 160\n" + killed).zz_sum() is None


def test_atoms_that_no_fix_moves_ask_for_the_temperature(tmp_path: Path) -> None:
    told = "fix bec ir: no fix moves 24 of 72 atoms\n"
    text = HEAD + "run 160\n" + told + one(rows())
    with pytest.raises(UsageError, match="no fix moves 24 of 72 atoms"):
        read(tmp_path, text)
    found = read(tmp_path, text.replace("Loop time", MEANS + "Loop time"))
    assert found.temperature_k == 300.0
    # of another run, whose atoms all move
    assert_reference(read(tmp_path, HEAD + "run 10\n" + told + "unfix wall\nrun 160\n" + one(rows())))


def test_hidden_types_ask_for_the_temperature(tmp_path: Path) -> None:
    for what in ("tensors", "polarization and current"):
        said = f"fix bec ir: model silica\n  atom types Si O NULL; {what} every 4 step(s); sum rule imposed\n"
        with pytest.raises(UsageError, match="NULL in fix bec"):
            read(tmp_path, HEAD + "run 160\n" + said + one(rows()))


def test_a_bead_has_not_the_temperature_of_the_run(tmp_path: Path) -> None:
    text = HEAD + "fix pi all pimd/langevin method nmpimd temp 300\nrun 160\n" + one(rows())
    with pytest.raises(UsageError, match="one bead"):
        read(tmp_path, text)
    found = read(tmp_path, text, temperature_k=300.0)
    assert "mean over the beads" in found.metadata["warnings"][0]
