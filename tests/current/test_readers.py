from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.current import is_current_file, open_current
from bec_md.current.readers.dipole import unwrap_polarization
from bec_md.current.readers.table import uniform_step
from bec_md.current.readers.units import BOHR_ANG, DEBYE_E_ANG, parse_units
from bec_md.errors import BecMDWarning, DataError, UsageError

RNG = np.random.default_rng(0)
CURRENT = RNG.normal(size=(20, 3)).round(6)
TRICLINIC = np.array([[6.0, 0.0, 0.0], [2.5, 5.0, 0.0], [-2.0, 1.5, 7.0]])


def text(table: np.ndarray, header: str = "") -> str:
    rows = "\n".join(" ".join(f"{v:.10g}" for v in row) for row in table)
    return header + rows + "\n"


def smooth_dipole(frames: int = 200) -> np.ndarray:
    time = np.arange(frames)[:, None]
    return 30.0 * np.sin(0.03 * time * np.array([1.0, 1.3, 0.7]) + [0.0, 1.0, 2.0])  # several quanta


def wrapped(dipole: np.ndarray, quanta: np.ndarray) -> np.ndarray:
    return (dipole @ np.linalg.inv(quanta) % 1.0) @ quanta


# ---------------------------------------------------------------------- polarization quantum
def test_a_dipole_is_followed_over_its_branches_in_a_triclinic_cell() -> None:
    true = smooth_dipole()
    folded = wrapped(true, TRICLINIC)
    assert np.abs(np.diff(folded, axis=0)).max() > 4.0  # it does jump
    found, nearness = unwrap_polarization(folded, TRICLINIC[None])
    # up to the constant branch of the first frame, exact to rounding of numbers of order 30
    assert np.allclose(found - found[0], true - true[0], atol=1e-12)
    assert nearness < 0.7


def test_a_cell_that_changes_moves_the_quantum_with_it() -> None:
    true = smooth_dipole(80)
    cells = TRICLINIC * (1.0 + 0.001 * np.sin(0.1 * np.arange(80)))[:, None, None]
    folded = np.array([wrapped(m[None], c)[0] for m, c in zip(true, cells, strict=True)])
    found, _ = unwrap_polarization(folded, cells)
    # a change of the cell during a step moves the branch by n δa, here ≤ 6 × 1e-4 × 7 e Å per step
    assert np.abs(np.diff(found - true, axis=0)).max() < 0.005


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.5, 2.0))
def test_unwrapping_undoes_wrapping_in_any_cell(seed: int, quantum: float) -> None:
    rng = np.random.default_rng(seed)
    cell = quantum * (5.0 * np.eye(3) + rng.uniform(-1.5, 1.5, (3, 3)))
    steps = rng.normal(scale=0.1, size=(50, 3))
    true = np.cumsum(steps, axis=0)
    found, nearness = unwrap_polarization(wrapped(true, cell), cell[None])
    assert nearness < 1.0
    assert np.allclose(np.diff(found, axis=0), steps[1:], atol=1e-11)


# ---------------------------------------------------------------------- formats
def test_gpumd_dpdt_with_and_without_time(tmp_path: Path) -> None:
    path = tmp_path / "dpdt.out"
    time = 100.0 + 0.5 * np.arange(20)[:, None]
    path.write_text(text(np.hstack([time, CURRENT, np.cumsum(CURRENT, axis=0)])))
    assert is_current_file(path)
    found = open_current(path, volume_ang3=500.0)
    assert np.array_equal(found.current[:, 0], CURRENT)
    assert (found.timestep_fs, found.start_time_fs, found.scheme) == (0.5, 100.0, "velocity")
    assert found.metadata["format"] == "gpumd-dpdt"
    path.write_text(text(np.hstack([CURRENT, np.cumsum(CURRENT, axis=0)])))
    with pytest.raises(UsageError, match="timestep_fs"):
        open_current(path, volume_ang3=500.0)
    assert np.array_equal(open_current(path, volume_ang3=500.0, timestep_fs=1.0).current[:, 0], CURRENT)


def test_gpumd_dipole_is_differentiated(tmp_path: Path) -> None:
    path = tmp_path / "dipole.out"
    moment = smooth_dipole(30)
    path.write_text(text(np.hstack([10.0 * np.arange(1, 31)[:, None], moment])))
    with pytest.raises(UsageError, match="`units`"):
        open_current(path, timestep_fs=2.0, volume_ang3=500.0)
    found = open_current(path, timestep_fs=2.0, volume_ang3=500.0, units="e*bohr")
    assert found.scheme == "midpoint"
    assert found.start_time_fs == 1.0
    # the file has ten digits
    assert np.allclose(found.current[:, 0], np.diff(moment, axis=0) * BOHR_ANG / 2.0, atol=1e-7)
    central = open_current(path, timestep_fs=2.0, volume_ang3=500.0, units="e*bohr", scheme="central")
    assert np.allclose(central.current[:, 0], (moment[2:] - moment[:-2]) * BOHR_ANG / 4.0, atol=1e-7)
    assert central.start_time_fs == 2.0


LOG = """LAMMPS (22 Jul 2025 - Update 4)
units           metal
timestep        0.0005
fix             ir all bec model.safetensors Si O
thermo          10
run             5
   Step          Temp          Volume
         0   300.0   100.0
        10   300.0   100.0
Loop time of 0.1 on 1 procs for 5 steps with 9 atoms
run             200
   Step          Temp         f_ir[1]        f_ir[2]        f_ir[3]         Volume
{rows}
Loop time of 1.0 on 1 procs for 200 steps with 9 atoms
"""


def write_log(path: Path, steps: np.ndarray | None = None) -> Path:
    step = 10 * np.arange(20) if steps is None else steps
    temperature = 300.0 + np.arange(20)
    table = np.column_stack([step, temperature, CURRENT, np.full(20, 113.0)])
    path.write_text(LOG.format(rows=text(table).rstrip()))
    return path


def test_lammps_log_needs_nothing_else(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log.lammps")
    assert is_current_file(path)
    found = open_current(path)
    assert np.allclose(found.current[:, 0], CURRENT * 1e-3, rtol=1e-15)  # e Å/ps
    assert found.timestep_fs == pytest.approx(5.0, rel=1e-12)  # 10 steps of 0.0005 ps
    assert (found.volume_ang3, found.temperature_k) == (113.0, 309.5)


def test_lammps_log_with_other_columns_and_a_gap(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log.lammps")
    swapped = open_current(path, columns=("f_ir[3]", 4, "f_ir[1]"))
    assert np.allclose(swapped.current[:, 0], CURRENT[:, ::-1] * 1e-3, rtol=1e-15)
    with pytest.raises(UsageError, match=r"no column 'f_x\[1\]'"):
        open_current(path, columns=("f_x[1]", "f_x[2]", "f_x[3]"))
    steps = 10 * np.arange(20)
    steps[12:] += 10
    with pytest.raises(DataError, match=r"the step of log.lammps goes from 110 to 130 at row 13"):
        open_current(write_log(path, steps))


def test_lammps_log_without_a_current(tmp_path: Path) -> None:
    path = tmp_path / "log.lammps"
    path.write_text("LAMMPS (2025)\nunits real\nStep Temp\n0 300\n10 301\nLoop time of 1\n")
    with pytest.raises(UsageError, match=r"no f_ID\[1\]") as error:
        open_current(path)
    assert "`columns=" in error.value.fix
    path.write_text("LAMMPS (2025)\nunits real\n")
    with pytest.raises(DataError, match="no thermo table"):
        open_current(path)


def test_fix_ave_time(tmp_path: Path) -> None:
    path = tmp_path / "j.dat"
    header = "# Time-averaged data for fix out\n# TimeStep f_ir[1] f_ir[2] f_ir[3]\n"
    path.write_text(text(np.hstack([20.0 * np.arange(20)[:, None], CURRENT]), header))
    assert is_current_file(path)
    with pytest.raises(UsageError, match="`lammps_units"):
        open_current(path, timestep_fs=2.0, volume_ang3=100.0)
    found = open_current(path, timestep_fs=2.0, volume_ang3=100.0, lammps_units="real", temperature_k=300.0)
    assert np.array_equal(found.current[:, 0], CURRENT)
    assert found.temperature_k == 300.0
    with pytest.raises(UsageError, match="'lj' are not supported"):
        open_current(path, timestep_fs=2.0, volume_ang3=100.0, lammps_units="lj")


def cp2k_text(dipole_e_ang: np.ndarray, cell: np.ndarray | None) -> str:
    lines = []
    for moment in dipole_e_ang / DEBYE_E_ANG:
        lines.append(" Reference Point [Bohr]              0.00000000      0.00000000      0.00000000")
        lines.append(" Dipole vectors are based on the periodic (Berry phase) operator.")
        lines.append(" They are defined modulo integer multiples of the cell matrix [Debye].")
        if cell is not None:
            for mark, axis, row in zip("XYZ", "ijk", (cell / DEBYE_E_ANG).T, strict=True):
                lines.append(f" [{mark}] [ {row[0]:14.8f} {row[1]:14.8f} {row[2]:14.8f} ] [{axis}]")
        lines.append(" Dipole moment [Debye]")
        x, y, z = moment
        total = np.linalg.norm(moment)
        lines.append(f"   X= {x:14.8f} Y= {y:14.8f} Z= {z:14.8f}     Total= {total:14.8f}")
    return "\n".join(lines) + "\n"


def test_cp2k_berry_phase_moments_are_unwrapped_by_the_printed_cell(tmp_path: Path) -> None:
    true = smooth_dipole(60)
    path = tmp_path / "run-moments-1_0.dat"
    path.write_text(cp2k_text(wrapped(true, TRICLINIC), TRICLINIC))
    assert is_current_file(path)
    found = open_current(path, timestep_fs=0.5)
    # eight decimals in debye, divided by 0.5 fs
    assert np.allclose(found.current[:, 0], np.diff(true, axis=0) / 0.5, atol=1e-7)
    assert np.allclose(found.cell_ang, TRICLINIC, atol=1e-7)
    assert found.volume_ang3 == pytest.approx(210.0, rel=1e-7)


def test_cp2k_without_the_quanta_asks_for_the_cell(tmp_path: Path) -> None:
    true = smooth_dipole(60)
    path = tmp_path / "moments.dat"
    path.write_text(cp2k_text(wrapped(true, TRICLINIC), None))
    with pytest.raises(DataError, match="`cell_ang`"):
        open_current(path, timestep_fs=0.5)
    found = open_current(path, timestep_fs=0.5, cell_ang=TRICLINIC)
    assert np.allclose(found.current[:, 0], np.diff(true, axis=0) / 0.5, atol=1e-7)


def test_steps_near_half_a_quantum_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "moments.dat"
    path.write_text(cp2k_text(wrapped(smooth_dipole(60)[::4], TRICLINIC), TRICLINIC))
    found = open_current(path, timestep_fs=0.5)
    assert "wrong branch" in found.metadata["warnings"][0]


def test_plain_columns_and_their_units(tmp_path: Path) -> None:
    path = tmp_path / "j.dat"
    path.write_text(text(np.hstack([np.arange(20)[:, None], CURRENT]), "# step Jx Jy Jz\n"))
    assert is_current_file(path)
    options = {"timestep_fs": 1.0, "volume_ang3": 10.0}
    with pytest.raises(UsageError, match="`units`"):
        open_current(path, **options)
    found = open_current(path, units="debye/ps", **options)
    assert np.allclose(found.current[:, 0], CURRENT * DEBYE_E_ANG * 1e-3, rtol=1e-14)
    named = open_current(path, units="e*ang/fs", columns=("Jz", "Jy", "Jx"), **options)
    assert np.array_equal(named.current[:, 0], CURRENT[:, ::-1])
    with pytest.raises(UsageError, match="`volume_ang3`"):
        open_current(path, units="e*ang/fs", timestep_fs=1.0)


@pytest.mark.parametrize(
    "header", ["# time_fs Jx Jy Jz", "#t[fs] Jx Jy Jz", "time_fs,Jx,Jy,Jz", "# time_ps Jx Jy Jz"]
)
def test_a_time_that_names_its_unit_is_the_clock(tmp_path: Path, header: str) -> None:
    """As of a comment, so of a row of names; a time step that contradicts it is refused."""
    time = 2.0 * np.arange(50) * (1e-3 if "ps" in header else 1.0)
    rows = np.column_stack([time, smooth_dipole(50)])
    separator = "," if "," in header else " "
    path = tmp_path / "j.csv"
    path.write_text("\n".join([header, *(separator.join(map(repr, row.tolist())) for row in rows)]) + "\n")
    assert is_current_file(path)
    given = {"units": "e*ang/fs", "volume_ang3": 300.0, "temperature_k": 300.0}
    found = open_current(path, **given)
    assert found.timestep_fs == pytest.approx(2.0, rel=1e-9)
    np.testing.assert_allclose(found.current[:, 0], rows[:, 1:])
    with pytest.raises(UsageError, match="2 fs apart"):
        open_current(path, timestep_fs=1.0, **given)


def test_numpy_files(tmp_path: Path) -> None:
    grouped = np.stack([CURRENT, 2.0 * CURRENT], axis=1)
    np.save(tmp_path / "j.npy", grouped)
    found = open_current(tmp_path / "j.npy", units="e*ang/ps", timestep_fs=1.0, volume_ang3=10.0)
    assert np.allclose(found.total(), 3.0e-3 * CURRENT, rtol=1e-14)
    np.savez(
        tmp_path / "j.npz",
        current_e_ang_fs=grouped, timestep_fs=2.0, cell_ang=TRICLINIC, temperature_k=310.0, groups=["a", "b"],
    )  # fmt: skip
    assert is_current_file(tmp_path / "j.npz")
    found = open_current(tmp_path / "j.npz")
    assert np.array_equal(found.current, grouped)
    assert (found.groups, found.timestep_fs, found.temperature_k) == (("a", "b"), 2.0, 310.0)
    assert found.volume_ang3 == pytest.approx(210.0)
    np.savez(tmp_path / "m.npz", dipole_e_ang=wrapped(smooth_dipole(), TRICLINIC))
    found = open_current(tmp_path / "m.npz", timestep_fs=1.0, cell_ang=TRICLINIC)
    assert np.allclose(found.current[:, 0], np.diff(smooth_dipole(), axis=0), atol=1e-12)
    np.save(tmp_path / "bad.npy", np.ones((5, 4)))
    with pytest.raises(DataError, match=r"shape \(5, 4\)"):
        open_current(tmp_path / "bad.npy", units="e*ang/ps", timestep_fs=1.0, volume_ang3=10.0)


def test_trajectories_are_not_taken_for_currents(tmp_path: Path) -> None:
    atoms = [Atoms("HF", [[0, 0, 0], [0, 0, 1]], cell=[5, 5, 5], pbc=True) for _ in range(3)]
    write(tmp_path / "a.xyz", atoms, format="extxyz")
    write(tmp_path / "b.xyz", atoms, format="xyz")
    dump = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\n"
    (tmp_path / "c.dump").write_text(dump + "ITEM: ATOMS id type x y z\n1 1 0 0 0\n")
    np.savez(tmp_path / "d.npz", positions=np.ones((3, 4, 3)))
    (tmp_path / "POSCAR").write_text("comment\n1.0\n5 0 0\n0 5 0\n0 0 5\nH\n1\nDirect\n0 0 0\n")
    for path in tmp_path.iterdir():
        assert not is_current_file(path), path.name
        with pytest.raises(UsageError, match="not recognized"):
            open_current(path, timestep_fs=1.0)


def test_a_broken_line_is_named_and_an_unfinished_last_one_left_out(tmp_path: Path) -> None:
    path = tmp_path / "j.dat"
    options = {"units": "e*ang/fs", "timestep_fs": 1.0, "volume_ang3": 10.0, "format": "columns"}
    path.write_text("1 2 3\n1 2 3\n1 2")
    with pytest.warns(BecMDWarning, match=r"the last line of j.dat, '1 2', lacks its line end or numbers"):
        assert open_current(path, **options).n_frames == 2
    path.write_text("1 2 3\n1 2 3\n1 2 1.2345")  # e-05 may follow
    with pytest.warns(
        BecMDWarning, match=r"the last line of j.dat, '1 2 1.2345', lacks its line end or numbers"
    ):
        assert open_current(path, **options).n_frames == 2
    path.write_text("1 2 3\n1 2 3\n# end")
    assert open_current(path, **options).n_frames == 2
    path.write_text("1 2 3\n1 oops 3\n1 2 3\n")
    with pytest.raises(DataError, match=r"line 2 of j.dat is '1 oops 3'"):
        open_current(path, **options)
    path.write_text("1 2 3\n1 nan 3\n1 2 3\n")
    with pytest.raises(DataError, match="not finite, or above 1e\\+100, in frame 1"):
        open_current(path, **options)
    for wrong in ({"timestep_fs": np.inf}, {"volume_ang3": np.nan}, {"cell_ang": np.zeros((3, 3))}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            open_current(path, **options | wrong)
    path.write_text("# nothing\n")
    with pytest.raises(DataError, match="no rows of numbers"):
        open_current(path, **options)


@pytest.mark.parametrize(
    ("name", "kind", "factor"),
    [
        ("e*ang/fs", "current", 1.0),
        ("e Å/ps", "current", 1e-3),
        ("E*Angstrom", "dipole", 1.0),
        ("e*bohr", "dipole", 0.529177210544),  # CODATA 2022
        ("D", "dipole", 1.0 / 4.80320471),
        ("e*nm/ps", "current", 1e-2),
        ("e*bohr/au", "current", 0.529177210544 / 0.02418884326586),
        ("C*m", "dipole", 1e10 / 1.602176634e-19),
    ],
)
def test_units(name: str, kind: str, factor: float) -> None:
    found = parse_units(name)
    assert found[0] == kind
    assert found[1] == pytest.approx(factor, rel=1e-8)


@pytest.mark.parametrize("name", ["", "ang", "e*mile/fs", "e*ang/fortnight"])
def test_unknown_units(name: str) -> None:
    with pytest.raises(UsageError, match="unknown units"):
        parse_units(name)


# ---------------------------------------------------------------------- tables that do not say what they are
@pytest.mark.parametrize(("header", "columns"), [("", 24), ("", 6), ("# T V E Jz Jy Jx\n", 6), ("", 5)])
def test_an_unknown_table_asks_for_its_columns(tmp_path: Path, header: str, columns: int) -> None:
    path = tmp_path / "atomic_dipole.raw"
    table = RNG.normal(size=(30, columns)).round(6)
    path.write_text(text(table, header))
    options = {"units": "e*ang", "timestep_fs": 1.0, "volume_ang3": 10.0}
    with pytest.raises(UsageError, match=f"{columns} columns"):
        open_current(path, **options)
    found = open_current(path, columns=(1, 2, 3), **options)
    assert np.allclose(found.current[:, 0], np.diff(table[:, :3], axis=0), atol=1e-9)


def test_counters_and_names_tell_the_components(tmp_path: Path) -> None:
    path = tmp_path / "j.dat"
    options = {"units": "e*ang/fs", "timestep_fs": 1.0, "volume_ang3": 10.0}
    counters = np.arange(20)[:, None] * [10.0, 0.5]
    path.write_text(text(np.hstack([counters, CURRENT])))
    assert np.array_equal(open_current(path, **options).current[:, 0], CURRENT)
    table = np.hstack([RNG.normal(size=(20, 2)), CURRENT, RNG.normal(size=(20, 1))])
    path.write_text(text(table, "# temp press J_x J_y J_z norm\n"))
    assert np.array_equal(open_current(path, **options).current[:, 0], CURRENT)
    gap = np.hstack([counters[:, :1], CURRENT])
    gap[9:, 0] += 10
    path.write_text(text(gap))
    with pytest.raises(DataError, match=r"column 1 of j\.dat goes from 80 to 100"):
        open_current(path, **options)


@pytest.mark.parametrize("transposed", [False, True])
def test_cp2k_moments_of_one_line_each(tmp_path: Path, transposed: bool) -> None:
    """The quanta stand behind each moment, with lattice vectors as rows or as columns."""
    lower = np.array([[6.0, 0.0, 0.0], [2.5, 5.0, 0.0], [-2.0, 1.5, 7.0]])
    true = smooth_dipole(60)
    quanta = (lower.T if transposed else lower).ravel() / DEBYE_E_ANG
    lines = [
        f" MOMENTS| {step:8d} {m[0]:14.8f} {m[1]:14.8f} {m[2]:14.8f} {np.linalg.norm(m):14.8f} "
        + " ".join(f"{q:.8f}" for q in quanta)
        for step, m in enumerate(wrapped(true, lower) / DEBYE_E_ANG, start=1)
    ]
    path = tmp_path / "water-moments.dat"
    path.write_text("\n".join([*lines, lines[-1][:-3]]))  # the run is still going
    assert is_current_file(path)
    found = open_current(path, timestep_fs=0.5)
    assert np.allclose(found.current[:, 0], np.diff(true, axis=0) / 0.5, atol=1e-6)
    assert found.volume_ang3 == pytest.approx(210.0, rel=1e-6)
    path.write_text("\n".join([*lines[:20], *lines[22:]]) + "\n")
    with pytest.raises(DataError, match=r"the step of water-moments\.dat goes from 20 to 23"):
        open_current(path, timestep_fs=0.5)
    bare = "\n".join(" ".join(line.split()[:6]) for line in lines) + "\n"
    path.write_text(bare)
    with pytest.raises(DataError, match="quanta"):
        open_current(path, timestep_fs=0.5)
    assert np.allclose(open_current(path, timestep_fs=0.5, cell_ang=lower).current, found.current, atol=1e-6)


@pytest.mark.parametrize("kind", ["MM", "TB"])
def test_cp2k_moments_of_force_fields_and_of_xtb_are_branches_too(tmp_path: Path, kind: str) -> None:
    """CP2K 2023 says '(Berry phase)' above the moment and prints no quanta: the cell has to be given."""
    cell = np.array([6.3, 6.4, 6.5])
    exact = np.linspace(0.0, 1.7, 40)[:, None] * cell  # e Å, wraps once
    path = tmp_path / "moments.dat"
    blocks = []
    for moment in exact - cell * np.rint(exact / cell):
        debye = "".join(f"{value:18.8f}" for value in moment / DEBYE_E_ANG)
        blocks.append(
            f"\n {kind}_DIPOLE| Dipole type                                   periodic (Berry phase)\n"
            + (f" {kind}_DIPOLE| Reference Point [Boh 0.0 0.0 0.0\n" if kind == "TB" else "")
            + f" {kind}_DIPOLE| Moment [a.u.]    0.0 0.0 0.0\n {kind}_DIPOLE| Moment [Debye]    {debye}\n"
            f" {kind}_DIPOLE| Derivative [a.u.]       0.00106876       0.00044454       0.00018036\n"
        )
    path.write_text("".join(blocks))
    with pytest.raises(DataError, match="Berry-phase moments but not their quanta"):
        open_current(path, timestep_fs=1.0, volume_ang3=262.0)
    found = open_current(path, timestep_fs=1.0, cell_ang=np.diag(cell))
    np.testing.assert_allclose(found.total(), np.diff(exact, axis=0), atol=1e-6)
    path.write_text("".join(blocks).replace("periodic (Berry phase)", "non-periodic"))
    assert open_current(path, timestep_fs=1.0, volume_ang3=262.0).n_frames == 39


# ---------------------------------------------------------------------- times of few digits
@pytest.mark.parametrize(
    ("step", "digits", "rows"),
    [(0.5, "%g", 220_000), (1.5, "%g", 80_000), (1.0 / 3.0, "%g", 400_000), (0.5, "%.0f", 3000)],
)
def test_times_with_few_digits_are_equidistant(step: float, digits: str, rows: int) -> None:
    exact = step * np.arange(1, rows + 1)
    printed = np.array([float(digits % time) for time in exact])
    # 0.6 of the last digit over the run
    assert uniform_step(printed, "t", "f", rounded=True) == pytest.approx(step, rel=1e-5)
    with pytest.raises(DataError, match="goes from"):
        uniform_step(printed, "the step", "f")
    for late in (step, -step, 10.0 * step):  # a sample is missing, or twice
        slipped = exact + np.where(np.arange(rows) < 0.9 * rows, 0.0, late)
        with pytest.raises(DataError, match="goes from"):
            uniform_step(np.array([float(digits % time) for time in slipped]), "t", "f", rounded=True)


def test_a_rare_gap_between_whole_times_is_no_rounding() -> None:
    with pytest.raises(DataError, match="from 1999 to 2001"):
        uniform_step(np.r_[0:2000, 2001:4000].astype(float), "t", "f", rounded=True)


def test_a_table_with_rounded_times_and_fortran_exponents(tmp_path: Path) -> None:
    path, current = tmp_path / "j.txt", np.sin(np.arange(2500))[:, None] * [1.0, 2.0, 3.0]
    rows = [
        f"{0.0005 * n:.3f} " + " ".join(f"{v:.9e}".replace("e", "D") for v in row)
        for n, row in enumerate(current)
    ]
    path.write_text("# time_ps Jx Jy Jz\n" + "\n".join(rows) + "\n")
    found = open_current(path, units="e*ang/fs", volume_ang3=100.0)
    assert np.allclose(found.current[:, 0], current, atol=1e-9)
    assert found.timestep_fs == pytest.approx(0.5, rel=2e-5)


def test_numbers_of_an_npz_may_be_arrays_of_one(tmp_path: Path) -> None:
    path = tmp_path / "j.npz"
    np.savez(
        path,
        current_e_ang_fs=CURRENT,
        timestep_fs=np.array([2.0]),
        volume_ang3=np.array([[100.0]]),
        temperature_k=[300],
    )
    found = open_current(path)
    assert (found.timestep_fs, found.volume_ang3, found.temperature_k) == (2.0, 100.0, 300.0)
    np.savez(path, current_e_ang_fs=CURRENT, timestep_fs=2.0, volume_ang3=np.full(20, 100.0))
    with pytest.raises(DataError, match="volume_ang3"):
        open_current(path)
