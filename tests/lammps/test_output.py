"""Current, its integral, restarts, and several fixes or instances at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from tests.lammps.systems import (
    charges,
    commands,
    no_forces,
    per_atom,
    quartz,
    reference,
    soft_forces,
    vector,
)


def hot_quartz() -> str:
    script = commands(quartz((2, 1, 1))) + soft_forces()
    return script + "velocity all create 1500 11 loop geom\ntimestep 0.0005\nfix nve all nve\n"


def bec(path: Path, options: str = "", fix_id: str = "bec") -> str:
    return f"fix {fix_id} all bec {path} Si O H {options}\n"


def current(lmp: Any) -> Any:
    return np.einsum("iab,ib->a", charges(lmp), per_atom(lmp, "v"))


def test_current_belongs_to_one_time(lmp: Any, models: dict[str, Path]) -> None:
    """Positions and velocities of the same full step enter J, in the middle of a run too."""
    lmp.commands_string(hot_quartz() + bec(models["two_layers"]))
    lmp.command("run 0 post no")
    samples = [current(lmp)]
    np.testing.assert_allclose(vector(lmp)[:3], samples[0], rtol=1e-10, atol=1e-9)
    for _ in range(20):
        lmp.command("run 1 pre no post no")
        samples.append(current(lmp))
        np.testing.assert_allclose(vector(lmp)[:3], samples[-1], rtol=1e-10, atol=1e-9)
    j = np.array(samples)
    trapezoid = 0.0005 * (0.5 * (j[0] + j[-1]) + j[1:-1].sum(0))
    np.testing.assert_allclose(vector(lmp)[3:], trapezoid, rtol=1e-9, atol=1e-12)


def test_runs_in_pieces_are_one_run(start: Callable[[], Any], models: dict[str, Path]) -> None:
    whole, pieces = start(), start()
    for lmp in (whole, pieces):
        lmp.commands_string(hot_quartz() + bec(models["two_layers"]))
    whole.command("run 40 post no")
    for _ in range(4):
        pieces.command("run 10 post no")
    # neighbor lists are rebuilt at other steps: sums in another order, float32 in the network
    np.testing.assert_allclose(vector(pieces), vector(whole), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("reset", ["reset_timestep 1000", "reset_timestep 10 time 7.0"])
def test_clock_that_was_moved_starts_anew(lmp: Any, models: dict[str, Path], reset: str) -> None:
    """reset_timestep between runs leaves a gap that the integral must not bridge."""
    lmp.commands_string(hot_quartz() + bec(models["two_layers"]))
    lmp.command("run 10 post no")
    before = vector(lmp)[3:]
    lmp.command(reset)
    lmp.command("run 0 post no")
    np.testing.assert_array_equal(vector(lmp)[3:], before)


@pytest.mark.parametrize("reset", ["", "reset_timestep 100000\n"])
def test_restart_continues_the_integral(
    start: Callable[[], Any], models: dict[str, Path], tmp_path: Path, reset: str
) -> None:
    field = "efield 0.1 0.0 0.2"
    first = start()
    first.commands_string(hot_quartz() + bec(models["two_layers"], field))
    first.command("run 30 post no")
    first.command(f"write_restart {tmp_path}/half.restart")
    half = vector(first)
    first.command("run 30 post no")
    second = start()
    second.command(f"read_restart {tmp_path}/half.restart")
    second.commands_string(
        soft_forces() + reset + "timestep 0.0005\nfix nve all nve\n" + bec(models["two_layers"], field)
    )
    second.command("run 0 post no")
    np.testing.assert_allclose(vector(second)[3:], half[3:], rtol=1e-12)
    second.command("run 30 post no")
    np.testing.assert_allclose(vector(second), vector(first), rtol=1e-5, atol=1e-4)  # as for pieces
    assert second.extract_fix("bec", 0, 0) == pytest.approx(first.extract_fix("bec", 0, 0), rel=1e-5)


def test_every_holds_the_tensors(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(hot_quartz() + bec(models["two_layers"], "every 7"))
    lmp.command("run 14 post no")
    fresh = charges(lmp)
    lmp.command("run 3 pre no post no")
    lmp.command("run 3 pre no post no")
    np.testing.assert_array_equal(charges(lmp), charges(lmp))
    lmp.command("run 1 pre no post no")
    assert np.abs(charges(lmp) - fresh).max() > 1e-4
    np.testing.assert_allclose(vector(lmp)[:3], current(lmp), rtol=1e-9, atol=1e-9)


def test_atoms_that_join_the_group_have_tensors_at_once(lmp: Any, models: dict[str, Path]) -> None:
    """Also between two evaluations, in a run that sets nothing up."""
    lmp.commands_string(hot_quartz() + "group some id 1:5\n")
    lmp.command(f"fix bec some bec {models['two_layers']} Si O H every 50")
    lmp.commands_string("run 3 post no\ngroup some id 6:9\nrun 2 pre no post no")
    sizes = np.abs(charges(lmp)).max(axis=(1, 2))
    assert sizes[:9].min() > 0.1
    assert sizes[9:].max() == 0.0


@pytest.mark.parametrize("model", ["two_layers", "dipole"])
def test_fixes_before_and_behind_it_have_the_same_current(
    run_lmp: Callable[..., Any], models: dict[str, Path], tmp_path: Path, model: str
) -> None:
    """In the first row, before this fix is set up, and in runs that set nothing up."""
    columns = "v_jx v_jy v_jz"
    script = hot_quartz() + "".join(f"variable j{a} equal f_bec[{i + 1}]\n" for i, a in enumerate("xyz"))
    script += f"fix early all ave/time 1 1 1 {columns} format ' %.12g' file early.dat\n" + bec(models[model])
    script += f"fix late all ave/time 1 1 1 {columns} format ' %.12g' file late.dat\n"
    found = run_lmp(script + "run 5\nrun 5 pre no\nrun 5\nrun 0\n")
    assert found.returncode == 0, found.stdout + found.stderr
    early, late = (np.loadtxt(tmp_path / f"{name}.dat") for name in ("early", "late"))
    assert early.shape == (16, 4)
    assert np.abs(early[:, 1:]).min() > 0.0
    np.testing.assert_allclose(early, late, rtol=1e-9)
    assert found.stdout.count("means of the run: temperature") == 3


@pytest.mark.parametrize("model", ["two_layers", "dipole"])
def test_a_fix_before_it_has_the_tensors_of_the_first_step(
    lmp: Any, models: dict[str, Path], tmp_path: Path, model: str
) -> None:
    """Its sample of step 0 was that of tensors that nobody had evaluated."""
    options = "tensors 1" if model == "dipole" else ""
    lmp.commands_string(hot_quartz() + bec(models[model], options) + "compute z all reduce sumsq f_bec[1]\n")
    lmp.commands_string(f"fix early all ave/time 1 1 1 c_z format ' %.12g' file {tmp_path / 'early.dat'}\n")
    lmp.commands_string("unfix bec\n" + bec(models[model], options) + "run 0 post no")
    early = np.loadtxt(tmp_path / "early.dat")[1]
    assert early == pytest.approx((charges(lmp)[:, 0, 0] ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("shape", ["two_layers", "dipole"])
def test_the_first_row_has_the_velocities_of_rigid_bodies_that_are_set_up_later(
    start: Callable[[], Any], models: dict[str, Path], shape: str
) -> None:
    """Rigid bodies change velocities when a run begins: the order of the fixes makes no difference."""
    found = []
    for order in ("bec first", "bec last"):
        lmp = start()
        fixes = [
            bec(models[shape], "tensors 1" if shape == "dipole" else ""),
            "fix move all rigid/nve single\n",
        ]
        lmp.commands_string(
            hot_quartz() + "unfix nve\n" + "".join(fixes[:: 1 if order == "bec first" else -1])
        )
        lmp.command("run 0")
        tensors = per_atom(lmp, "bec").reshape(-1, 3, 3)
        np.testing.assert_allclose(
            vector(lmp)[:3], np.einsum("iab,ib->a", tensors, per_atom(lmp, "v")), rtol=1e-5, atol=1e-4
        )
        lmp.command("run 5")
        found.append(vector(lmp))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


def test_the_first_row_has_the_atoms_where_shake_puts_them(
    lmp: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    """SHAKE moves atoms when a run begins, and not their images."""
    data = tmp_path / "water.data"
    data.write_text(
        "x\n\n3 atoms\n3 atom types\n2 bonds\n1 bond types\n\n0 4 xlo xhi\n0 4 ylo yhi\n0 4 zlo zhi\n\n"
        "Masses\n\n1 28.0855\n2 15.999\n3 1.008\n\n"
        "Atoms # bond\n\n1 1 2 0.1 0.2 0.1\n2 1 3 3.2 0.3 0.2\n3 1 3 0.2 1.0 0.3\n\n"
        "Bonds\n\n1 1 1 2\n2 1 1 3\n"
    )
    lmp.commands_string(
        f"units metal\natom_style bond\natom_modify map yes\nbond_style harmonic\nread_data {data}\n"
        f"bond_coeff 1 1 1.1\nspecial_bonds lj 1 1 1\n{no_forces()}velocity all create 300 11\n"
        + bec(models["two_layers"])
        + "fix move all nve\nfix bonds all shake 1e-8 50 0 b 1\nrun 0\n"
    )
    atoms = Atoms("OHH", positions=per_atom(lmp, "x"), cell=[4.0] * 3, pbc=True)
    assert np.abs(atoms.get_distances(0, [1, 2], mic=True) - 1.1).max() < 1e-6
    np.testing.assert_allclose(charges(lmp), reference(models["two_layers"], atoms), atol=1e-5)
    np.testing.assert_allclose(vector(lmp)[:3], current(lmp), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("model", ["two_layers", "dipole"])
@pytest.mark.parametrize(
    "thermostat", ["temp/rescale 1 300 300 0 1", "momentum 1 linear 1 1 1 angular", "temp/csvr 300 300 0.1 7"]
)
def test_the_current_has_the_velocities_that_are_rescaled_behind_it(
    lmp: Any, models: dict[str, Path], thermostat: str, model: str
) -> None:
    """At the end of a step, by a fix that was defined later: J is that of the velocities that a dump has."""
    lmp.commands_string(hot_quartz() + bec(models[model], "tensors 1" if model == "dipole" else ""))
    lmp.command(f"fix late all {thermostat}")
    for command in ("run 1 post no", "run 3 pre no"):
        lmp.command(command)
        np.testing.assert_allclose(vector(lmp)[:3], current(lmp), rtol=1e-5, atol=1e-4)


def test_velocities_of_the_half_step_are_not_taken(start: Callable[[], Any], models: dict[str, Path]) -> None:
    """`fix gjf … vel vhalf` puts them there at the end of a step, behind this fix."""
    found = []
    for kind in ("vhalf", "vfull"):
        lmp = start()
        lmp.commands_string(hot_quartz() + "unfix nve\n" + bec(models["two_layers"]))
        lmp.commands_string(f"fix late all gjf 300 300 0.1 7 vel {kind}\nthermo_style custom f_bec[1]\nrun 5")
        found.append(vector(lmp)[:3])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_the_clock_moved_before_a_run_that_sets_nothing_up(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(hot_quartz() + bec(models["two_layers"]) + "thermo_style custom step\nrun 10 post no")
    before = vector(lmp)[3:]
    lmp.commands_string("reset_timestep 1000\nrun 1 pre no post no")
    np.testing.assert_array_equal(vector(lmp)[3:], before)


def test_general_triclinic_boxes_have_vectors_along_the_axes_of_lammps(
    lmp: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    """What the fix gives and takes (J, Z, the field) has the axes of its box, not those of the data."""
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    atoms = quartz((2, 1, 1))
    general, positions = atoms.cell.array @ turn.T, atoms.get_positions(wrap=True) @ turn.T
    lines = ["general", "", f"{len(atoms)} atoms", "3 atom types"]
    lines += [" ".join(f"{x:.15g}" for x in row) + f" {n}vec" for n, row in zip("abc", general, strict=True)]
    lines += ["0 0 0 abc origin", "", "Masses", "", "1 28.0855", "2 15.999", "3 1.008", "", "Atoms", ""]
    lines += [
        f"{i + 1} {2 - (symbol == 'Si')} {x:.15g} {y:.15g} {z:.15g}"
        for i, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, positions, strict=True))
    ]
    (tmp_path / "general.data").write_text("\n".join(lines) + "\n")
    lmp.commands_string(
        f"units metal\natom_style atomic\natom_modify map yes\nread_data {tmp_path}/general.data\n"
        + no_forces()
        + "velocity all create 900 5 loop all\nfix nve all nve\n"
        + bec(models["two_layers"], "efield 0.3 0 0")
        + "thermo_style custom step f_bec[1] f_bec[2] f_bec[3]\nthermo_modify triclinic/general yes\n"
        "run 0 post no"
    )
    np.testing.assert_allclose(charges(lmp), reference(models["two_layers"], atoms), atol=2e-4)
    printed = [lmp.last_thermo()[f"f_bec[{a}]"] for a in (1, 2, 3)]
    np.testing.assert_allclose(printed, current(lmp), rtol=1e-9)
    np.testing.assert_allclose(per_atom(lmp, "f"), 0.3 * charges(lmp)[:, 0], rtol=1e-9, atol=1e-12)


def test_usual_output_commands_take_it(lmp: Any, models: dict[str, Path], tmp_path: Path) -> None:
    lmp.commands_string(hot_quartz() + bec(models["two_layers"]))
    lmp.commands_string(
        f"fix average all ave/time 1 1 1 f_bec[*] file {tmp_path}/j.dat\n"
        f"fix correlate all ave/correlate 1 5 10 f_bec[1] f_bec[2] f_bec[3] type auto file {tmp_path}/c.dat\n"
        "variable density equal f_bec[1]/vol\n"
        "thermo_style custom step f_bec f_bec[1] f_bec[4] v_density\n"
        "compute trace all reduce sum f_bec[1] f_bec[5] f_bec[9]\n"
        f"dump d all custom 10 {tmp_path}/z.dump id f_bec[*]\nrun 20"
    )
    rows = np.loadtxt(tmp_path / "j.dat")
    assert rows.shape == (21, 7)
    np.testing.assert_allclose(rows[-1, 1:], vector(lmp), rtol=1e-4)  # written with six digits
    trapezoid = 0.0005 * (0.5 * (rows[0, 1:4] + rows[-1, 1:4]) + rows[1:-1, 1:4].sum(0))
    np.testing.assert_allclose(rows[-1, 4:], trapezoid, rtol=1e-4, atol=1e-6)
    assert "ITEM: ATOMS id f_bec[1]" in (tmp_path / "z.dump").read_text()


def test_two_fixes_with_two_models(lmp: Any, start: Callable[[], Any], models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces())
    lmp.commands_string(bec(models["two_layers"], fix_id="a") + bec(models["three_layers"], fix_id="b"))
    lmp.command("run 0 post no")
    for fix_id, shape in (("a", "two_layers"), ("b", "three_layers")):
        alone = start()
        alone.commands_string(commands(quartz()) + no_forces() + bec(models[shape]))
        alone.command("run 0 post no")
        np.testing.assert_array_equal(charges(lmp, fix_id), charges(alone))


def test_two_instances_and_clear(start: Callable[[], Any], models: dict[str, Path]) -> None:
    first, second = start(), start()
    script = commands(quartz()) + no_forces() + bec(models["two_layers"])
    for lmp in (first, second):
        lmp.commands_string(script)
    first.command("run 0 post no")
    expected = charges(first)
    second.command("run 0 post no")
    np.testing.assert_array_equal(charges(second), expected)
    first.command("clear")
    first.commands_string(script + "run 0 post no")
    np.testing.assert_array_equal(charges(first), expected)
    first.close()
    second.command("run 0 post no")
    np.testing.assert_array_equal(charges(second), expected)


def test_rerun_of_a_dump(start: Callable[[], Any], models: dict[str, Path], tmp_path: Path) -> None:
    """`rerun` gives the same J(t) afterwards as the fix gave on the fly."""
    written = f"fix j all ave/time 1 1 1 f_bec[*] format ' %.10g' file {tmp_path}/"
    live = start()
    live.commands_string(hot_quartz() + bec(models["two_layers"]) + written + "live.dat\n")
    live.commands_string(
        f"dump d all custom 1 {tmp_path}/t.dump id type x y z vx vy vz\n"
        "dump_modify d format float %.15g\nrun 20 post no\nundump d"
    )
    again = start()
    again.commands_string(hot_quartz() + bec(models["two_layers"]) + written + "again.dat\n")
    again.command(f"rerun {tmp_path}/t.dump post no dump x y z vx vy vz")
    live.command("unfix j")
    again.command("unfix j")
    on_the_fly, afterwards = np.loadtxt(tmp_path / "live.dat"), np.loadtxt(tmp_path / "again.dat")
    np.testing.assert_allclose(afterwards, on_the_fly, rtol=1e-5, atol=1e-4)  # float32 in the network


def test_added_and_deleted_atoms(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz((2, 1, 1))) + no_forces() + bec(models["two_layers"], "every 100"))
    lmp.commands_string("fix nve all nve\nvelocity all create 10 2\nrun 3 post no")
    lmp.command("group gone id 1 4 5")
    lmp.command("delete_atoms group gone compress no")
    lmp.command("run 2 post no")
    z = charges(lmp)
    assert len(z) == 15
    np.testing.assert_allclose(z.sum(0), 0.0, atol=1e-12)


@pytest.mark.slow
def test_memory_does_not_grow(lmp: Any, models: dict[str, Path]) -> None:
    import resource

    lmp.commands_string(hot_quartz() + bec(models["two_layers"]) + "run 500 post no")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lmp.command("run 10000 post no")
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 3000  # a leak of one tensor array per evaluation would be 13,000 kB
