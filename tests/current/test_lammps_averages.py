"""Currents of fix ave/time beside a LAMMPS log, formulas, and columns that are no current."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.current import is_current_file, open_current
from bec_md.errors import DataError
from tests.current.lammps_log import (
    CHAIN,
    COLUMNS,
    CURRENT,
    HEAD,
    assert_reference,
    ave_time,
    one,
    read,
    rows,
)


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
    # or goes on from an earlier step than the one it was killed at
    killed = [f"{4 * k} 0.1 0.2 0.{k}" for k in range(21, 25)]
    path.write_text("\n".join([*lines[:23], *killed, " ".join(again), *lines[23:]]) + "\n")
    found = open_current(path)
    np.testing.assert_allclose(found.current[:, 0], 1e-3 * CURRENT, rtol=1e-9)
    assert "5 rows of J.dat that a restart wrote again count once" in found.metadata["remarks"]
    path.write_text(
        "\n".join([*lines[:23], *killed, " ".join([again[0], "9", "9", "9"]), *lines[23:]]) + "\n"
    )
    with pytest.raises(DataError, match="goes from 96 to 80"):  # another run
        open_current(path)
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
    listed = "---\nkeywords: ['f_ir', ]\ndata:\n" + "".join(
        f"  {4 * n}:\n" + "".join(f"  - [{v:.8g}, ]\n" for v in (*row, 0, 0, 0))
        for n, row in enumerate(CURRENT)
    )
    for cut in ("", "  164:\n  - [0.5, ]\n", "  164:\n  - [0.5"):
        path.write_text(head + listed + cut)
        assert_reference(open_current(path))
    for text in (blocks, listed):
        path.write_text(head.replace("Row f_ir", "Row f_ir c_x") + text)
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
