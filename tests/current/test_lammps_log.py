"""What a LAMMPS log says about its rows decides what they mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.current import is_current_file, open_current
from bec_md.errors import DataError, UsageError

RNG = np.random.default_rng(3)
CURRENT = RNG.normal(size=(41, 3)).round(6)  # e Å/ps
COLUMNS = ("Step", "Time", "Temp", "Volume", "f_ir[1]", "f_ir[2]", "f_ir[3]")
HEAD = """LAMMPS (22 Jul 2025 - Update 4)
units metal
  orthogonal box = (0 0 0) to (10 10 9)
  72 atoms
timestep 0.0005
fix move all nve
fix ir all bec silica Si O every 4
thermo_style custom step time temp vol f_ir[1] f_ir[2] f_ir[3]
thermo 4
"""


def after(table: np.ndarray) -> str:
    steps = table[-1, 0] - table[0, 0]
    return f"Loop time of 1.0 on 1 procs for {steps:.0f} steps with 72 atoms\n\nPerformance: 1.0 ns/day\n"


def rows(
    start: int = 0, stop: int = 41, step: int = 4, dt: float = 0.0005, factor: float = 1.0
) -> np.ndarray:
    steps = step * np.arange(41)
    temperature = 300.0 + np.arange(41) % 7
    table = np.column_stack([steps, dt * steps, temperature, np.full(41, 904.0), factor * CURRENT])
    return table[start:stop]


def one(table: np.ndarray, columns: tuple[str, ...] = COLUMNS) -> str:
    lines = [
        "Per MPI rank memory allocation (min/avg/max) = 4.7 | 4.7 | 4.7 Mbytes",
        "   " + "   ".join(columns),
    ]
    lines += [" ".join(f"{value:.10g}" for value in row) for row in table]
    return "\n".join(lines) + "\n" + after(table)


def multi(table: np.ndarray) -> str:
    lines = ["Per MPI rank memory allocation (min/avg/max) = 4.7 | 4.7 | 4.7 Mbytes"]
    for row in table:
        lines.append(f"------------ Step {row[0]:14.0f} ----- CPU =  0.0059 (sec) -------------")
        pairs = [f"{name:8s} = {value:.10g} " for name, value in zip(COLUMNS, row, strict=True)]
        lines += ["".join(pairs[:3]), "".join(pairs[3:6]), pairs[6]]
    return "\n".join(lines) + "\n" + after(table)


def yaml(table: np.ndarray) -> str:
    quoted = ", ".join(f"'{name}'" for name in COLUMNS)
    lines = ["---", f"keywords: [{quoted}, ]", "data:"]
    lines += ["  - [" + ", ".join(f"{value:.10g}" for value in row) + ", ]" for row in table]
    return "\n".join([*lines, "..."]) + "\n" + after(table)


def read(tmp_path: Path, text: str, **options: object):  # type: ignore[no-untyped-def]
    path = tmp_path / "log.lammps"
    path.write_text(text)
    assert is_current_file(path)
    return open_current(path, **options)


def assert_reference(found) -> None:  # type: ignore[no-untyped-def]
    assert found.n_frames == 41
    assert np.allclose(found.current[:, 0], 1e-3 * CURRENT, rtol=1e-9)
    assert found.timestep_fs == pytest.approx(2.0, rel=1e-12)
    assert found.volume_ang3 == pytest.approx(904.0)
    assert found.metadata["warnings"] == []


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


# ---------------------------------------------------------------------- fix ave/time, fix ave/correlate
def ave_time(tmp_path: Path, command: str) -> Path:
    (tmp_path / "log.lammps").write_text(HEAD + f"fix out all ave/time {command}\nrun 160\n" + one(rows()))
    path = tmp_path / "J.dat"
    steps = 4 * np.arange(41)[:, None]
    lines = "\n".join(" ".join(f"{v:.10g}" for v in row) for row in np.hstack([steps, CURRENT]))
    path.write_text(f"# Time-averaged data for fix out\n# TimeStep f_ir[1] f_ir[2] f_ir[3]\n{lines}\n")
    return path


def test_fix_ave_time_of_single_steps(tmp_path: Path) -> None:
    assert_reference(open_current(ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")))


def test_a_file_that_fix_ave_time_appends_to(tmp_path: Path) -> None:
    assert_reference(open_current(ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] append J.dat")))
    # rows of a process before this one, whose log is another
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] append J.dat")
    table = HEAD + "fix o all ave/time 4 1 4 f_ir[1] f_ir[2] f_ir[3] append J.dat\nrun 80\n"
    (tmp_path / "log.lammps").write_text(table + one(rows(20, 41)))
    assert open_current(path).n_frames == 41
    # which writes the row of its first step again
    lines = path.read_text().splitlines()
    again = lines[22].split()
    again[1] = f"{float(again[1]) * (1 + 1e-6):.10g}"
    path.write_text("\n".join([*lines[:23], *lines[:2], " ".join(again), *lines[23:]]) + "\n")
    found = open_current(path)
    np.testing.assert_allclose(found.current[:, 0], 1e-3 * CURRENT, rtol=1e-9)
    assert found.metadata["remarks"] == [
        "20 rows of J.dat are of runs that its log does not show: their time step is taken to be the same"
    ]
    with pytest.raises(DataError, match="averages 4 samples"):
        open_current(ave_time(tmp_path, "1 4 4 f_ir[1] f_ir[2] f_ir[3] append J.dat"))


@pytest.mark.parametrize("style", ["rigid single", "shake 1e-6 20 0 b 1"])
@pytest.mark.parametrize(("rigid", "left"), [("before", 41), ("behind", 40)])
def test_a_row_from_before_rigid_bodies_are_set_up(tmp_path: Path, rigid: str, left: int, style: str) -> None:
    """Fixes are set up in their order: one in front of `fix rigid` sees the velocities that were drawn."""
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    lines = ["fix out all ave/time 4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat\n", f"fix r all {style}\n"]
    head = HEAD + "".join(lines if rigid == "behind" else lines[::-1]) + "run 160\n"
    (tmp_path / "log.lammps").write_text(head + one(rows()))
    found = open_current(path)
    np.testing.assert_allclose(found.current[:, 0], 1e-3 * CURRENT[-left:], rtol=1e-9)
    assert any("fix r had not set up" in text for text in found.metadata["remarks"]) == (left == 40)


def test_thermo_rows_beside_the_grid_belong_to_the_run_of_a_file(tmp_path: Path) -> None:
    """The run began at step 3, thermo prints that, then every 8: temperature and volume are known."""
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n")  # from step 4 on
    thermo = rows()[::2].copy()
    thermo[0, :2] = 3, 3 * 0.0005
    head = HEAD + "fix o all ave/time 4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat\nrun 157\n"
    (tmp_path / "log.lammps").write_text(head + one(thermo))
    assert open_current(path).temperature_k == pytest.approx(thermo[1:, 2].mean())


@pytest.mark.parametrize(
    "between", ["timestep 0.001", "velocity all create 300 1", "fix hot all nvt temp 9 9 1"]
)
def test_fix_ave_time_over_several_runs(tmp_path: Path, between: str) -> None:
    """As of a log: the last run alone, with its own time step, temperature and volume."""
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    head = HEAD + "fix o all ave/time 4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat\nrun 80\n" + one(rows(0, 21))
    later = rows(20, 41)
    later[:, 2] = 400.0 + np.arange(21)
    dt = 0.001 if "timestep" in between else 0.0005
    later[:, 1] = later[:, 0] * dt
    (tmp_path / "log.lammps").write_text(head + between + "\nrun 80\n" + one(later))
    found = open_current(path)
    np.testing.assert_allclose(found.current[:, 0], 1e-3 * CURRENT[21:], rtol=1e-9)
    assert found.timestep_fs == pytest.approx(4000 * dt, rel=1e-12)
    assert found.temperature_k == pytest.approx(410.0)
    assert (
        "21 rows of J.dat up to step 80 are left out: they are of earlier runs" in found.metadata["remarks"]
    )
    # the run goes on, and the log is behind
    (tmp_path / "log.lammps").write_text(head + between + "\nrun 80\n" + one(later[:9]).split("Loop")[0])
    assert open_current(path).n_frames == 20


def test_fix_ave_time_as_yaml_and_as_a_vector(tmp_path: Path) -> None:
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    rows = "".join(f"  - [{4 * n}, {x:.8g}, {y:.8g}, {z:.8g}, ]\n" for n, (x, y, z) in enumerate(CURRENT))
    names = "keywords: ['Step', 'f_ir[1]', 'f_ir[2]', 'f_ir[3]', ]\ndata:\n"
    head = "# Time-averaged data for fix out\n# TimeStep f_ir[1] f_ir[2] f_ir[3]\n---\n"
    for cut in ("0.", "0.2, 1.2345"):  # the run goes on: e-05 may follow
        path.write_text(head + names + rows + "  - [164, 0.1, " + cut)
        assert_reference(open_current(path))
    blocks = "".join(
        f"{4 * n} 6\n" + "".join(f"{k + 1} {v:.8g}\n" for k, v in enumerate((*row, 0, 0, 0)))
        for n, row in enumerate(CURRENT)
    )
    head = "# Time-averaged data for fix out\n# TimeStep Number-of-rows\n# Row f_ir\n"
    for cut in ("1 0.5\n", "1 0\n2 0\n3 0\n4 0\n5 0\n6 1.2345"):
        path.write_text(head + blocks + "164 6\n" + cut)
        assert_reference(open_current(path))
    path.write_text(head.replace("Row f_ir", "Row f_ir c_x") + blocks)
    with pytest.raises(DataError, match="2 columns in mode vector"):
        open_current(path)
    path.write_text(head + blocks.replace("\n8 6\n", "\n8 x\n"))
    with pytest.raises(DataError, match=r"the block at line 15 of J\.dat is damaged"):
        open_current(path)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("1 4 4 f_ir[1] f_ir[2] f_ir[3] file J.dat", "averages 4 samples"),
        ("4 1 4 f_ir[1] f_ir[2] f_ir[3] ave running file J.dat", "ave running"),
        ("4 1 4 f_ir[1] f_ir[2] f_ir[3] file out/J.dat ave window 5", "ave window"),
    ],
)
def test_averages_are_no_samples(tmp_path: Path, command: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_current(ave_time(tmp_path, command))


def test_without_its_log_the_assumption_is_said(tmp_path: Path) -> None:
    path = ave_time(tmp_path, "4 1 4 f_ir[*] file other.dat")
    found = open_current(path, lammps_units="metal", timestep_fs=2.0, volume_ang3=904.0)
    assert "Nrepeat 1" in found.metadata["warnings"][0]


def test_ready_correlations_are_refused_with_what_to_print(tmp_path: Path) -> None:
    path = tmp_path / "J0Jt.dat"
    path.write_text(
        "# Time-correlated data for fix c\n# Timestep Number-of-time-windows\n"
        "# Index TimeDelta Ncount f_ir[1]*f_ir[1] f_ir[2]*f_ir[2] f_ir[3]*f_ir[3]\n"
        "1600 2\n1 0 401 3 2 1\n2 4 400 2 1 1\n"
    )
    assert is_current_file(path)
    with pytest.raises(DataError, match="correlations") as error:
        open_current(path)
    assert "ave/time 1 1 1 f_ir[1] f_ir[2] f_ir[3]" in error.value.fix


# ---------------------------------------------------------------------- where columns come from
FORCES = "fix sp all spring tether 5 5 5 5 0\n"
CHAIN = "variable jx equal f_ir[1]\nvariable jy equal f_ir[2]\nvariable jz equal f_ir[3]\n"


@pytest.mark.parametrize("order", ["", "v"])
def test_averages_are_recognized_behind_other_columns(tmp_path: Path, order: str) -> None:
    """Thermo output of fix ave/time, also through variables; with Nrepeat 1 it is the current itself."""
    columns = (*COLUMNS[:4], "f_a[1]", "f_a[2]", "f_a[3]")
    values = "v_jx v_jy v_jz" if order else "f_ir[1] f_ir[2] f_ir[3]"
    text = HEAD + CHAIN + f"fix a all ave/time {{}} {values}\nrun 160\n" + one(rows(), columns)
    with pytest.raises(DataError, match="fix a ave/time averages 4 samples"):
        read(tmp_path, text.format("1 4 4"))
    assert_reference(read(tmp_path, text.format("4 1 4")))
    named = text.format("1 4 4").replace("f_a[", "v_a")
    for k in (1, 2, 3):
        named = named.replace(f"v_a{k}]", f"v_a{k}")
        named = named.replace("run 160", f"variable a{k} equal f_a[{k}]\nrun 160")
    with pytest.raises(DataError, match="fix a ave/time averages 4 samples"):
        read(tmp_path, named, columns=("v_a1", "v_a2", "v_a3"))


@pytest.mark.parametrize(("formula", "known"), [("f_ir[1]/vol", False), ("f_ir[1] + f_ib[1]", True)])
def test_a_formula_has_not_the_unit_of_a_current(tmp_path: Path, formula: str, known: bool) -> None:
    columns = (*COLUMNS[:4], "v_a", "f_ir[2]", "f_ir[3]")
    text = HEAD + f"variable a equal {formula}\nrun 160\n" + one(rows(), columns)
    if known:
        return assert_reference(read(tmp_path, text, columns=columns[4:]))
    with pytest.raises(DataError, match=r"v_a of log.lammps is f_ir\[1\]/vol"):
        read(tmp_path, text, columns=columns[4:])
    assert read(tmp_path, text, columns=columns[4:], units="e*ang/ps").n_frames == 41
    return None


@pytest.mark.parametrize("name", ["f_ir[{}]", "c_m[{}]", "v_m{}"])
def test_a_dipole_moment_is_not_read_as_a_current(tmp_path: Path, name: str) -> None:
    moments = tuple(name.format(k) for k in ((4, 5, 6) if name.startswith("f") else (1, 2, 3)))
    text = HEAD + "compute m all dipole\n" + "".join(f"variable m{k} equal c_m[{k}]\n" for k in (1, 2, 3))
    text += "run 160\n" + one(rows(), (*COLUMNS[:4], *moments))
    with pytest.raises(DataError, match="is a dipole moment"):
        read(tmp_path, text, columns=moments)
    found = read(tmp_path, text, columns=moments, units="e*ang")
    np.testing.assert_allclose(found.current[:, 0], np.diff(CURRENT, axis=0) / 2.0, atol=1e-9)
    with pytest.raises(DataError, match=r"f_ir\[1\] of log.lammps is the current itself"):
        read(tmp_path, HEAD + "run 160\n" + one(rows()), units="e*ang")


def test_vectors_of_other_fixes_are_no_current(tmp_path: Path) -> None:
    columns = (*COLUMNS[:4], "f_sp[1]", "f_sp[2]", "f_sp[3]")
    text = HEAD + FORCES + "run 160\n" + one(rows(), columns)
    with pytest.raises(DataError, match=r"f_sp\[1\] of log.lammps comes from fix sp spring"):
        read(tmp_path, text)
    assert read(tmp_path, text, columns=("f_sp[1]", "f_sp[2]", "f_sp[3]")).n_frames == 41  # they know


def test_averages_of_averages_and_titles_of_the_user(tmp_path: Path) -> None:
    path = ave_time(tmp_path, "4 1 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    assert_reference(open_current(path))
    numbers = "\n".join(path.read_text().splitlines()[2:]) + "\n"
    for title in ("", "# my current\n# step jx jy jz\n"):
        path.write_text(title + numbers)
        assert_reference(open_current(path))  # units and clock by the log, as with the usual titles
    again = ave_time(tmp_path, "1 4 4 f_ir[1] f_ir[2] f_ir[3] file J.dat")
    again.write_text("# step jx jy jz\n" + numbers)
    with pytest.raises(DataError, match="averages 4 samples"):
        open_current(again)
    log = tmp_path / "log.lammps"
    chain = "fix a all ave/time 1 2 4 f_ir[*]\nfix out all ave/time 4 1 4 f_a[*]"
    single = "fix out all ave/time 1 4 4 f_ir[1] f_ir[2] f_ir[3]"
    log.write_text(log.read_text().replace(single, chain))
    with pytest.raises(DataError, match="fix a ave/time averages 2 samples"):
        open_current(again)


# ---------------------------------------------------------------------- no equilibrium
@pytest.mark.parametrize(
    ("kind", "said"), [("ramp", True), ("decay", True), ("canonical", False), ("NVE", False)]
)
def test_a_temperature_that_changes_is_said(tmp_path: Path, kind: str, said: bool) -> None:
    """400 rows of 72 atoms (213 degrees of freedom): T scatters by √(2/213) at one temperature."""
    random, x = np.random.default_rng(5), np.arange(400) / 400.0
    level = {"ramp": 1.0 + 0.8 * x, "decay": np.exp(-3.0 * x)}.get(kind, np.ones(400))
    noise = np.sqrt((1.0 if kind != "NVE" else 0.4) * 2 / 213) * random.normal(size=400)
    table = np.column_stack([4 * np.arange(400), 0.002 * np.arange(400), 300 * level * (1 + noise),
                             np.full(400, 904.0), random.normal(size=(400, 3))])  # fmt: skip
    found = read(tmp_path, HEAD + "run 1596\n" + one(table)).metadata["warnings"]
    assert ["a spectrum needs one temperature" in text for text in found] == [True] * said


@pytest.mark.parametrize(
    "command", ["atom/swap 5 20 4321 500 types 1 2", "mol/swap 5 1 1 2 7 300", "gcmc 2 6 6 3 7 50 -1 0.3"]
)
def test_monte_carlo_moves_are_said(tmp_path: Path, command: str) -> None:
    [warning] = read(tmp_path, HEAD + f"fix mc all {command}\nrun 160\n" + one(rows())).metadata["warnings"]
    assert f"fix mc all {command.split()[0]} moves atoms" in warning
