"""`fix bec` on models that predict a polarization: P, J and Z* are one function and its derivatives.

Tolerances: derivatives of splines in single precision, 1e-5 of the largest tensor (some 3 e) against PyTorch
in double precision, as in tests/native/test_dipole.py.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray

from bec_md.network.native import NativeModel
from tests.lammps.systems import (
    TYPES,
    charges,
    cluster,
    commands,
    no_forces,
    pair_of_atoms,
    per_atom,
    quartz,
    read_data,
    reference,
    skewed,
    slab,
    soft_forces,
    vector,
)
from tests.lammps.test_parallel import read_dump

Array = NDArray[np.float64]
Start = Callable[[], Any]
Run = Callable[..., subprocess.CompletedProcess[str]]
SYSTEMS: dict[str, Callable[[], Atoms]] = {
    "quartz 2x2x1": lambda: quartz((2, 2, 1)),
    "two atoms": pair_of_atoms,
    "skewed": skewed,
    "slab": slab,
    "cluster": cluster,
}
SHAPES = ("dipole", "dipole_one_layer", "dipole_three_layers")
FIELD = np.array([0.3, -0.2, 0.5])
EFIELD = "efield 0.3 -0.2 0.5"
NUMBERS = tuple(atomic_numbers[symbol] for symbol in TYPES)


def bec(path: Path, options: str = "", group: str = "all") -> str:
    return f"fix bec {group} bec {path} Si O H {options}\n"


def hot_quartz(temperature_k: float = 1500.0) -> str:
    script = commands(quartz((2, 2, 1), 0.02)) + soft_forces()
    return script + f"velocity all create {temperature_k} 11 loop geom\ntimestep 0.0005\nfix nve all nve\n"


def members_of(lmp: Any, rows: int) -> Array:
    return np.array([[lmp.extract_fix("bec", 0, 2, row, a) for a in range(3)] for row in range(rows)])


def unwrapped(lmp: Any) -> Array:
    """Positions followed through the faces of the cell, relative to its corner, ordered by ID."""
    n = lmp.extract_global("nlocal")
    order = np.argsort(np.asarray(lmp.numpy.extract_atom("id"))[:n])
    image = np.array([lmp.decode_image_flags(int(flag)) for flag in lmp.numpy.extract_atom("image")[:n]])[
        order
    ]
    low, high, xy, yz, xz, _, _ = lmp.extract_box()
    cell = np.diag(np.array(high) - np.array(low))
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return np.asarray(per_atom(lmp, "x") + image @ cell)


# ---------------------------------------------------------------------- one state
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("system", SYSTEMS)
def test_equal_to_python(lmp: Any, models: dict[str, Path], system: str, shape: str) -> None:
    """Tensors, current, members, groups, polarization and the force of a field, all against the library."""
    atoms = SYSTEMS[system]()
    lmp.commands_string(commands(atoms) + no_forces() + "velocity all create 900 7 loop geom\n")
    lmp.commands_string("group oxygen type 2\n" + bec(models[shape], f"tensors 1 groups oxygen {EFIELD}"))
    lmp.command("run 0 post no")
    z, v = charges(lmp), per_atom(lmp, "v")
    expected = reference(models[shape], atoms)
    size = np.abs(expected).max()
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e-5 * size)

    model = NativeModel(models[shape], "", NUMBERS)
    atoms.positions = unwrapped(lmp)
    groups = np.where(atoms.numbers == 8, 1, 0)
    names = ("polarization", "current")
    of_groups = model.evaluate([atoms], names, members=("current",), velocities=v, groups=groups, n_groups=2)
    of_all = model.evaluate([atoms], ("current",), members=("current",), velocities=v)
    count = 1 + model.members
    found = members_of(lmp, 2 * count)
    speed = 1e-5 * size * np.abs(v).max()
    for rows, values, each in (
        (found[:count], of_all.values["current"][0, 0], of_all.members["current"][0, 0]),
        (found[count:], of_groups.values["current"][0, 1], of_groups.members["current"][0, 1]),
    ):
        np.testing.assert_allclose(rows[0], values, rtol=0, atol=speed)
        np.testing.assert_allclose(rows[1:], each, rtol=0, atol=speed)
    np.testing.assert_allclose(vector(lmp)[:3], np.einsum("iab,ib->a", z, v), rtol=0, atol=speed)
    np.testing.assert_allclose(
        vector(lmp, size=10)[6:9], of_groups.values["polarization"][0], rtol=1e-6, atol=1e-5 * size
    )
    forces = np.einsum("a,iab->ib", FIELD, z)
    np.testing.assert_allclose(per_atom(lmp, "f"), forces, rtol=0, atol=2e-6 * size)
    np.testing.assert_allclose(per_atom(lmp, "f").sum(0), 0.0, atol=1e-11 * size)  # neutral: no net force


def test_net_charge_and_sum_rule(start: Start, models: dict[str, Path]) -> None:
    """A charged cell feels Q E as a whole; without the sum rule atoms keep the charges of their elements."""
    for options, total in (("charge 2", 2.0), ("sumrule no", None)):
        lmp = start()
        atoms = quartz()
        atoms.numbers[:3] = 1
        lmp.commands_string(
            commands(atoms) + no_forces() + bec(models["dipole"], f"tensors 1 {EFIELD} {options}")
        )
        lmp.command("run 0 post no")
        z = charges(lmp)
        expected = 3 * 0.6 + 6 * -1.6 if total is None else total  # conftest.py
        np.testing.assert_allclose(z.sum(0), expected * np.eye(3), atol=1e-5)
        np.testing.assert_allclose(per_atom(lmp, "f").sum(0), expected * FIELD, atol=1e-5)


def test_hidden_type_and_group(lmp: Any, models: dict[str, Path]) -> None:
    """Shells (NULL) carry nothing and feel nothing; the network sees all atoms, the group feels the field."""
    atoms = quartz()
    lmp.commands_string(commands(atoms, types=(*TYPES, "X")) + no_forces())
    atoms.wrap()
    x, y, z = atoms.positions[0]
    lmp.command(f"create_atoms 4 single {x:.16g} {y:.16g} {z:.16g} units box")
    lmp.commands_string("group oxygen type 2\nvelocity all create 300 1\n")
    lmp.command(f"fix bec oxygen bec {models['dipole']} Si O H NULL tensors 1 {EFIELD}")
    lmp.command("run 0 post no")
    expected = reference(models["dipole"], atoms)
    expected[atoms.numbers == 14] = 0.0
    tensors, velocities = charges(lmp), per_atom(lmp, "v")
    np.testing.assert_array_equal(tensors[-1], 0.0)
    np.testing.assert_allclose(tensors[:-1], expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(vector(lmp)[:3], np.einsum("iab,ib->a", tensors, velocities), atol=1e-4)
    np.testing.assert_allclose(per_atom(lmp, "f"), np.einsum("a,iab->ib", FIELD, tensors), atol=3e-6)


# ---------------------------------------------------------------------- in time
def test_polarization_is_continuous_and_integrates_the_current(lmp: Any, models: dict[str, Path]) -> None:
    """Over faces of the cell, from step to step: P(t) − P(0) = ∫J dt."""
    lmp.commands_string(hot_quartz(6000.0) + bec(models["dipole"]))
    lmp.command("run 0 post no")
    path = [vector(lmp, size=10)]
    for _ in range(150):
        lmp.command("run 1 pre no post no")
        path.append(vector(lmp, size=10))
    records = np.array(path)
    assert (
        np.abs(np.asarray(lmp.numpy.extract_atom("image"))[:36] - lmp.encode_image_flags(0, 0, 0)).max() > 0
    )
    moved = records[-1, 6:9] - records[0, 6:9]
    # the trapezoidal rule of 0.5 fs at 6000 K
    np.testing.assert_allclose(
        records[-1, 3:6], moved, atol=2e-3 * np.abs(records[:, 6:9] - records[0, 6:9]).max()
    )
    steps = np.diff(records[:, 6:9], axis=0)
    middle = 0.0005 * 0.5 * (records[1:, :3] + records[:-1, :3])
    np.testing.assert_allclose(steps, middle, atol=0.03 * np.abs(middle).max())


@pytest.mark.parametrize("field", ["", "efield 0.05 0.0 -0.05", "efield 0.15 -0.1 0.25"])
def test_energy_is_conserved_in_a_constant_field(lmp: Any, models: dict[str, Path], field: str) -> None:
    """−E·P is a potential energy: the total fluctuates by the integrator's error, as without field."""
    lmp.commands_string(
        hot_quartz(600.0) + "thermo_style custom step etotal\n" + bec(models["dipole"], field)
    )
    lmp.command("fix_modify bec energy yes")
    lmp.command("run 0")
    totals, energies = [lmp.get_thermo("etotal")], [lmp.extract_fix("bec", 0, 0)]
    for _ in range(80):
        lmp.command("run 5 pre no post no")
        totals.append(lmp.get_thermo("etotal"))
        energies.append(lmp.extract_fix("bec", 0, 0))
    # seen: 2.5e-4 of what the field takes (4 and 69 eV), a quarter of that with half of the time step
    exchanged = max(1.0, float(np.ptp(energies)))
    assert np.abs(np.array(totals) - totals[0]).max() < 5e-4 * exchanged
    if field:
        assert exchanged > 3.0
        along = np.array(field.split()[1:], dtype=float) @ vector(lmp, size=10)[6:9]
        assert energies[-1] == pytest.approx(-along, rel=1e-6)


@pytest.mark.parametrize("every", [1, 5])
def test_power_theorem(lmp: Any, models: dict[str, Path], every: int) -> None:
    """ΔE_total = ∫E·J dt in a field that changes in time, whatever `every` says of the current."""
    lmp.commands_string(hot_quartz() + "variable e equal 0.2*cos(2*PI*time/0.05)\n")
    lmp.command("thermo_style custom step etotal")
    lmp.commands_string(bec(models["dipole"], f"every {every} efield v_e 0.1 v_e"))
    lmp.command("run 0")
    before = lmp.get_thermo("etotal")
    lmp.command("run 400")
    gained = lmp.get_thermo("etotal") - before
    assert abs(gained) > 0.5  # eV
    assert lmp.extract_fix("bec", 0, 0) == pytest.approx(gained, rel=2e-3, abs=3e-3)
    assert lmp.extract_fix("bec", 0, 0) == vector(lmp, size=10)[9]


def test_a_field_that_changes_takes_its_part_of_the_energy(lmp: Any, models: dict[str, Path]) -> None:
    """With `energy yes`, d(total)/dt = −P·dE/dt."""
    lmp.commands_string(hot_quartz(600.0) + "variable e equal 0.2*sin(2*PI*time/0.1)\n")
    lmp.command("thermo_style custom step etotal")
    lmp.commands_string(bec(models["dipole"], "efield v_e 0.0 0.0") + "fix_modify bec energy yes\n")
    lmp.command("run 0")
    total, fields, p = [lmp.get_thermo("etotal")], [0.0], [vector(lmp, size=10)[6]]
    for _ in range(200):
        lmp.command("run 1 pre no post no")
        total.append(lmp.get_thermo("etotal"))
        fields.append(lmp.extract_variable("e"))
        p.append(vector(lmp, size=10)[6])
    expected = -np.cumsum(0.5 * (np.array(p)[1:] + np.array(p)[:-1]) * np.diff(fields))
    assert np.ptp(expected) > 0.3  # eV
    np.testing.assert_allclose(np.array(total)[1:] - total[0], expected, atol=0.01)


def test_a_field_may_follow_the_polarization(lmp: Any, models: dict[str, Path]) -> None:
    """E = −cP of the same positions (constant D) has the energy cP²/2; a step behind, it would heat."""
    lmp.commands_string(hot_quartz() + "variable e equal -0.02*f_bec[9]\n")
    lmp.commands_string(bec(models["dipole"], "efield 0 0 v_e") + "thermo_style custom step etotal\n")
    total, energy = [], []
    for _ in range(20):
        lmp.command("run 2 pre no post no" if total else "run 0 post no")
        total.append(lmp.get_thermo("etotal"))
        energy.append(0.01 * vector(lmp, size=10)[8] ** 2)
    sums = np.array(total) + energy
    assert np.ptp(energy) > 0.3  # eV
    assert np.ptp(sums) < 0.03 * np.ptp(energy)


def test_a_field_may_follow_the_current(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(hot_quartz() + "variable e equal -0.001*f_bec[3]\n")
    lmp.commands_string(bec(models["dipole"], "efield 0 0 v_e") + "run 2 post no")
    assert np.isfinite(vector(lmp, size=10)).all()


@pytest.mark.parametrize("options", ["tensors 1", "every 7 tensors 7"])
def test_tensors_of_a_minimum(lmp: Any, models: dict[str, Path], options: str) -> None:
    """They were left at zero. The last step, which the tolerance chooses, is no multiple of seven."""
    lmp.commands_string(commands(quartz()) + "pair_style lj/cut 6.0\npair_coeff * * 0.2 1.45\n")
    lmp.commands_string("fix hold all spring/self 5.0\n" + bec(models["dipole"], options))
    lmp.command("minimize 0 0.1 100 1000")
    assert lmp.extract_global("ntimestep") % 7
    found, p = charges(lmp), vector(lmp, size=10)[6:9]
    lmp.command("run 0 post no")
    np.testing.assert_allclose(found, charges(lmp), atol=1e-6)
    np.testing.assert_allclose(p, vector(lmp, size=10)[6:9], atol=1e-6)


def test_minimum_in_a_field(lmp: Any, models: dict[str, Path]) -> None:
    """The minimizer follows the energy with −E·P; forces vanish where it ends."""
    lmp.commands_string(commands(quartz()) + "pair_style lj/cut 6.0\npair_coeff * * 0.2 1.45\n")
    lmp.commands_string("fix hold all spring/self 5.0\nfix_modify hold energy yes\n")
    lmp.commands_string(bec(models["dipole"], "efield 0.05 0.02 -0.05") + "fix_modify bec energy yes\n")
    lmp.command("minimize 0 1e-3 200 1000")
    assert np.abs(per_atom(lmp, "f")).max() < 1e-3  # eV/Å


def test_polarization_of_a_minimum_in_no_field(start: Start, models: dict[str, Path]) -> None:
    """What the polarization in a field is compared with."""
    found = []
    for field in ("", "efield 0 0 0", "efield 0 0 1e-9"):
        lmp = start()
        lmp.commands_string(commands(quartz()) + "pair_style lj/cut 6.0\npair_coeff * * 0.2 1.45\n")
        lmp.commands_string(bec(models["dipole"], field) + "fix hold all spring/self 5.0\n")
        lmp.commands_string("fix_modify bec energy yes\nfix_modify hold energy yes\nminimize 0 1e-4 200 1000")
        found.append(vector(lmp, size=10)[6:9])
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-5)


def test_steps_between_evaluations(lmp: Any, start: Start, models: dict[str, Path]) -> None:
    """At multiples of `every` the current is that of an evaluation at every step, and LAMMPS knows them."""
    dense, sparse = lmp, start()
    for one, every in ((dense, 1), (sparse, 4)):
        one.commands_string(hot_quartz() + bec(models["dipole"], f"every {every} tensors 2"))
        one.command("run 12 post no")
    np.testing.assert_array_equal(
        vector(sparse, size=10)[[0, 1, 2, 6, 7, 8]], vector(dense, size=10)[[0, 1, 2, 6, 7, 8]]
    )
    np.testing.assert_array_equal(charges(sparse), charges(dense))
    with pytest.raises(Exception, match="not computed at compatible time"):
        sparse.command("fix average all ave/time 3 1 3 f_bec[1]")


def test_restart_continues(start: Start, models: dict[str, Path], tmp_path: Path) -> None:
    options = "efield 0.1 0.0 0.2"
    first, second = start(), start()
    first.commands_string(hot_quartz() + bec(models["dipole"], options))
    first.command("run 30 post no")
    first.command(f"write_restart {tmp_path}/half.restart")
    first.command("run 30 post no")
    second.command(f"read_restart {tmp_path}/half.restart")
    second.commands_string(
        soft_forces()
        + "timestep 0.0005\nfix nve all nve\n"
        + bec(models["dipole"], options)
        + "run 30 post no"
    )
    np.testing.assert_allclose(vector(second, size=10), vector(first, size=10), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "style", ["atom/swap 2 10 4321 2000 ke no types 1 3", "gcmc 2 6 6 3 77 5000 -0.5 0.3"]
)
def test_monte_carlo(lmp: Any, models: dict[str, Path], style: str) -> None:
    """Forces of trial states are computed within the step; what is reported belongs to the real one."""
    atoms = quartz((2, 1, 1))
    atoms.numbers[:3] = 1
    lmp.commands_string(
        commands(atoms) + soft_forces() + "velocity all create 500 11 loop geom\ntimestep 0.0005\n"
        "fix nve all nve\n"
        + bec(models["dipole"], "tensors 1 efield 0.1 0 0")
        + "fix_modify bec energy yes\n"
        f"fix mc all {style}\nrun 0 post no"
    )
    before, exchanged = per_atom(lmp, "v"), 0
    for _ in range(6):
        lmp.command("run 1 pre no post no")
        n = lmp.extract_global("nlocal")
        order = np.argsort(np.asarray(lmp.numpy.extract_atom("id"))[:n])
        symbols = [TYPES[t - 1] for t in np.asarray(lmp.numpy.extract_atom("type"))[:n][order]]
        now = Atoms(symbols, positions=per_atom(lmp, "x"), cell=atoms.cell, pbc=True)
        exchanged += n != len(before)
        before = per_atom(lmp, "v")
        z = reference(models["dipole"], now)
        np.testing.assert_allclose(charges(lmp), z, atol=2e-4)
        np.testing.assert_allclose(vector(lmp)[:3], np.einsum("iab,ib->a", z, before), atol=2e-2)
    assert exchanged or "swap" in style


# ---------------------------------------------------------------------- ranks
LAST = (
    "run 0 post no\nwrite_dump all custom final.lammpstrj id f_bec[*] x y z vx vy vz fx fy fz modify sort id "
    "format float %.12g\n"
    'print "LAST $(f_bec:%.12g) $(f_bec[1]:%.12g) $(f_bec[2]:%.12g) $(f_bec[3]:%.12g) $(f_bec[4]:%.12g) '
    "$(f_bec[5]:%.12g) $(f_bec[6]:%.12g) $(f_bec[7]:%.12g) $(f_bec[8]:%.12g) $(f_bec[9]:%.12g) "
    '$(f_bec[3][1]:%.12g) $(f_bec[6][2]:%.12g)"\n'
)


def final(run_lmp: Run, folder: Path, script: str, ranks: int) -> tuple[Array, Array]:
    done = run_lmp(script + LAST, ranks)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    last = re.findall(r"^LAST (.*)$", done.stdout, re.MULTILINE)[-1]
    return read_dump(folder / "final.lammpstrj"), np.array(last.split(), dtype=float)


def test_ranks_agree_on_one_state(run_lmp: Run, tmp_path: Path, models: dict[str, Path]) -> None:
    script = read_data(quartz((2, 2, 2)), tmp_path / "in.data") + no_forces()
    script += "velocity all create 900 7 loop geom\ngroup oxygen type 2\n"
    script += bec(models["dipole"], f"tensors 1 groups oxygen {EFIELD}")
    one = final(run_lmp, tmp_path, script, 1)
    for ranks, tiled in ((2, ""), (4, ""), (4, "comm_style tiled\nbalance 0.9 rcb\n")):
        several = final(run_lmp, tmp_path, script.replace("group", tiled + "group", 1), ranks)
        np.testing.assert_allclose(several[0], one[0], rtol=0, atol=3e-6)  # float32, in another order
        np.testing.assert_allclose(several[1], one[1], rtol=1e-6, atol=1e-6 * np.abs(one[1]).max())


@pytest.mark.parametrize("every", [1, 7])
def test_hot_atoms_that_migrate(run_lmp: Run, tmp_path: Path, models: dict[str, Path], every: int) -> None:
    """4000 K: atoms change rank all the time; as for models with tensors of their own."""
    script = read_data(quartz((3, 3, 1)), tmp_path / "in.data") + soft_forces()
    script += "group oxygen type 2\nvelocity all create 4000 11 loop geom\ntimestep 0.002\nfix nve all nve\n"
    script += bec(models["dipole"], f"every {every} tensors 1 groups oxygen efield 0.1 0.0 -0.05")
    script += "neigh_modify every 1 delay 0 check yes\nrun 35\n"
    atoms, totals = final(run_lmp, tmp_path, script, 1)
    for ranks in (2, 4):
        other_atoms, other_totals = final(run_lmp, tmp_path, script, ranks)
        # a hot fluid amplifies rounding; tensors are of order 3 e, positions 10 Å, velocities 20 Å/ps
        np.testing.assert_allclose(other_atoms[:, :13], atoms[:, :13], rtol=0, atol=3e-5)
        np.testing.assert_allclose(other_atoms[:, 13:], atoms[:, 13:], rtol=0, atol=3e-4)
        np.testing.assert_allclose(other_totals, totals, rtol=1e-5, atol=1e-5 * np.abs(totals).max())


def test_ranks_without_atoms(run_lmp: Run, tmp_path: Path, models: dict[str, Path]) -> None:
    """A drop in the corner of a large box: three of four ranks own nothing, some not even ghosts."""
    drop = quartz((1, 1, 1))
    atoms = Atoms(
        drop.numbers, positions=drop.positions - drop.positions.min(0) + 0.5, cell=[60.0] * 3, pbc=True
    )
    script = read_data(atoms, tmp_path / "in.data") + no_forces() + "velocity all create 300 3 loop geom\n"
    script += "group oxygen type 2\nfix nve all nve\n"
    script += bec(models["dipole"], f"tensors 1 groups oxygen {EFIELD}") + "run 10\n"
    one, four = final(run_lmp, tmp_path, script, 1), final(run_lmp, tmp_path, script, 4)
    np.testing.assert_allclose(four[0], one[0], rtol=0, atol=3e-6)
    np.testing.assert_allclose(four[1], one[1], rtol=0, atol=1e-6 * np.abs(one[1]).max())


# ---------------------------------------------------------------------- what is said and refused
def test_log_tells_the_sum_of_squares(run_lmp: Run, models: dict[str, Path], tmp_path: Path) -> None:
    from bec_md.current import open_current

    script = hot_quartz() + bec(models["dipole"]) + "thermo 1\nthermo_modify format float %.12g\n"
    script = script.replace(
        "thermo 1\n", "thermo 1\nthermo_style custom step temp vol f_bec[1] f_bec[2] f_bec[3]\n"
    )
    found = run_lmp(script + "log log.lammps\nrun 20\n")
    assert found.returncode == 0, found.stdout
    series = open_current(tmp_path / "log.lammps")
    assert series.n_frames == 21
    zz = series.zz_sum()
    assert zz is not None
    atoms = quartz((2, 2, 1), 0.02)
    masses = np.where(atoms.numbers == 14, 28.0855, 15.999)
    z = reference(models["dipole"], atoms)  # at the first step; all atoms move, Σ Z = 0
    np.testing.assert_allclose(zz[0], np.einsum("iac,ibc,i->ab", z, z, 1.0 / masses), rtol=1e-3, atol=1e-3)


def test_tensors_that_nobody_asked_for(lmp: Any, models: dict[str, Path], tmp_path: Path) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + bec(models["dipole"]))
    with pytest.raises(Exception, match="does not compute per-atom info"):
        lmp.command(f"dump d all custom 1 {tmp_path}/z.dump id f_bec[1]")


REFUSED = {
    "groups of direct tensors": ("two_layers", "groups all", "", "predict a polarization"),
    "tensors of direct tensors": ("two_layers", "tensors 5", "", "known at every evaluation"),
    "unknown group": ("dipole", "groups nobody", "", "there is no group nobody"),
    "no group": ("dipole", "groups every 2", "", "name of a group"),
    "no steps": ("dipole", "tensors 0", "", "positive integer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_arguments(lmp: Any, models: dict[str, Path], case: str) -> None:
    shape, options, _, words = REFUSED[case]
    lmp.commands_string(commands(quartz()))
    with pytest.raises(Exception, match="ERROR") as caught:
        lmp.command(bec(models[shape], options))
    assert words in str(caught.value)


def test_groups_that_were_deleted_are_missed(lmp: Any, models: dict[str, Path]) -> None:
    """The bit of a deleted group goes to the next one that is defined."""
    lmp.commands_string(
        commands(quartz()) + no_forces() + "group half id 1:4\n" + bec(models["dipole"], "groups half")
    )
    lmp.commands_string("fix move all nve\nrun 0\ngroup half delete\ngroup other id 5\n")
    with pytest.raises(Exception, match="there is no group half"):
        lmp.command("run 0")
    lmp.commands_string("group more id 3\ngroup half id 1:4\nvelocity other set 1 0 0\nrun 0\n")
    assert lmp.extract_fix("bec", 0, 2, 4, 0) == 0.0  # J of `half`, which rests


def test_energy_of_a_part_is_refused(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + "group oxygen type 2\n")
    lmp.commands_string(bec(models["dipole"], EFIELD, "oxygen") + "fix_modify bec energy yes\n")
    with pytest.raises(Exception, match="3 of them are not in the group"):
        lmp.command("run 0")


def test_minimizing_needs_the_energy(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + bec(models["dipole"], EFIELD))
    with pytest.raises(Exception, match="fix_modify bec energy yes"):
        lmp.command("minimize 0 1e-4 10 10")
