"""Monte Carlo in a run, velocities that are none, the domain of the model, and what a run says at its end."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from bec_md import compute_current, load_model
from bec_md.current import open_current
from bec_md.network.model_file import load_network, save_model
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K
from tests.lammps.systems import (
    MASSES,
    TYPES,
    charges,
    commands,
    no_forces,
    per_atom,
    quartz,
    reference,
    soft_forces,
)


def bec(path: Path, options: str = "", fix_id: str = "bec") -> str:
    return f"fix {fix_id} all bec {path} Si O H {options}\n"


def state(lmp: Any) -> Atoms:
    """The structure of this step, ordered by ID."""
    n = lmp.extract_global("nlocal")
    order = np.argsort(np.asarray(lmp.numpy.extract_atom("id"))[:n])
    types = np.asarray(lmp.numpy.extract_atom("type"))[:n][order]
    low, high, xy, yz, xz, _, _ = lmp.extract_box()
    cell = np.diag(np.array(high) - np.array(low))
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return Atoms([TYPES[t - 1] for t in types], positions=per_atom(lmp, "x") - low, cell=cell, pbc=True)


# ---------------------------------------------------------------------- Monte Carlo
MONTE_CARLO = {
    "atom/swap": "fix mc all atom/swap 2 10 4321 2000 ke no types 1 3\n",
    "gcmc": "fix mc all gcmc 2 6 6 3 77 5000 -0.5 0.3\n",
    "widom": "fix mc all widom 2 10 3 77 300\n",
}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("style", list(MONTE_CARLO))
def test_tensors_are_those_of_the_real_state(
    lmp: Any, models: dict[str, Path], style: str, every: int
) -> None:
    """Forces of trial states are computed within the step; none of them may stay behind in the tensors."""
    atoms = quartz((2, 1, 1))
    atoms.numbers[:3] = 1
    lmp.commands_string(
        commands(atoms) + soft_forces() + "velocity all create 500 11 loop geom\ntimestep 0.0005\n"
        "fix nve all nve\n" + bec(models["two_layers"], f"every {every}") + MONTE_CARLO[style]
    )
    lmp.command("run 0 post no")
    before, exchanged = state(lmp).numbers, 0
    for step in range(1, 7):
        lmp.command("run 1 pre no post no")
        now = state(lmp)
        changed = len(now) != len(before) or bool((now.numbers != before).any())
        exchanged += changed
        before = now.numbers
        if changed or step % every == 0:
            # single precision in the network, tensors of order one
            np.testing.assert_allclose(charges(lmp), reference(models["two_layers"], now), atol=2e-4)
    assert exchanged or style == "widom"  # which puts nothing in


# ---------------------------------------------------------------------- what a run says at its end
HOT = (
    commands(quartz((2, 1, 1)))
    + soft_forces()
    + "velocity all create 900 11 loop geom\ntimestep 0.0005\nthermo 1\n"
)
THERMO = "thermo_style custom step temp vol f_bec[1] f_bec[2] f_bec[3]\nthermo_modify format float %.12g\n"


def expected_means(start: Callable[[], Any], script: str, steps: int) -> tuple[float, np.ndarray, int]:
    """Temperature of what moves, axis by axis, and Σ Z Zᵀ/m, from the atoms themselves."""
    lmp = start()
    lmp.commands_string(script)
    lmp.command("run 0 post no")
    masses = np.array([MASSES[s] for s in state(lmp).symbols])
    temperatures, squares, moving = [], [], np.zeros(0, dtype=bool)
    for _ in range(steps + 1):
        v, z = per_atom(lmp, "v") * 1e-3, charges(lmp)
        axes = v != 0.0
        moving, free = axes.any(axis=1), axes.all(axis=0)
        v = v - np.where(free, masses @ v / masses.sum(), 0.0)
        freedom = axes.sum() - free.sum()
        temperatures.append(AMU_ANG2_FS2_EV * (masses[:, None] * v**2).sum() / freedom / BOLTZMANN_EV_K)
        squares.append(np.einsum("iac,ibc,ic,i->ab", z, z, axes, 1.0 / masses))
        lmp.command("run 1 pre no post no")
    return float(np.mean(temperatures)), np.mean(squares, axis=0), int(moving.sum())


@pytest.mark.parametrize("wall", ["none", "frozen", "held along z"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_log_and_atoms_agree_on_temperature_and_f_sum(
    start: Callable[[], Any],
    run_lmp: Callable[..., Any],
    models: dict[str, Path],
    tmp_path: Path,
    wall: str,
    ranks: int,
) -> None:
    held = {
        "none": "",
        "frozen": "velocity wall set 0 0 0\ngroup mobile subtract all wall\n",
        "held along z": "velocity wall set NULL NULL 0\n",
    }[wall]
    moving = "mobile" if wall == "frozen" else "all"
    heat = f"fix move {moving} nve\nfix heat {moving} langevin 900 900 0.1 5\n"
    heat += "fix hold wall setforce NULL NULL 0\n" if wall == "held along z" else ""
    script = HOT + "group wall id 1:9\n" + held + heat + bec(models["two_layers"]) + THERMO
    found = run_lmp(script + "log log.lammps\nrun 20\n", ranks)
    assert found.returncode == 0, found.stdout + found.stderr
    # on one rank the random numbers of the thermostat are those of the expectation
    series = open_current(tmp_path / "log.lammps")  # which shows no command for units and time step
    assert series.timestep_fs == pytest.approx(0.5)
    assert series.n_frames == 21
    if wall == "frozen":
        assert any("9 of 18 atoms do not move" in text for text in series.metadata["remarks"])
    zz = series.zz_sum()
    assert zz is not None
    assert series.temperature_k is not None
    if ranks > 1:
        assert 300.0 < series.temperature_k < 2000.0
        return
    temperature, square, n_moving = expected_means(start, script, 20)
    assert n_moving == (9 if wall == "frozen" else 18)
    assert series.temperature_k == pytest.approx(temperature, rel=1e-5)
    # with all atoms moving Σ Z = 0 and the center of mass takes no part; printed with eight digits
    np.testing.assert_allclose(zz[0], square, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("momentum", ["yes", "no"])
@pytest.mark.parametrize("group", ["type 2", "id 1:7", "type 1 2 3"])
def test_a_group_takes_its_part_in_the_motion_of_the_whole(
    start: Callable[[], Any],
    run_lmp: Callable[..., Any],
    models: dict[str, Path],
    tmp_path: Path,
    group: str,
    momentum: str,
) -> None:
    """Velocities are drawn, and the mean J Jᵀ of the group compared with what the log says at its end."""
    script = (
        HOT + f"velocity all create 900 11 loop geom mom {momentum}\ngroup part {group}\nfix move all nve\n"
        "timestep 0.00001\n"
        f"fix bec part bec {models['two_layers']} Si O H\n" + THERMO
    )
    found = run_lmp(script + "log log.lammps\nrun 2\n")
    assert found.returncode == 0, found.stdout + found.stderr
    series = open_current(tmp_path / "log.lammps")
    zz = series.zz_sum()
    assert zz is not None

    lmp = start()
    lmp.commands_string(script + "run 1 post no")
    masses, z, v = np.array([MASSES[s] for s in state(lmp).symbols]), charges(lmp), 1e-3 * per_atom(lmp, "v")
    inside = (z != 0.0).any(axis=(1, 2))
    center = masses @ v / masses.sum()
    freedom = 3.0 * (inside.sum() - masses[inside].sum() / masses.sum())
    energy = AMU_ANG2_FS2_EV * (masses[:, None] * (v - center) ** 2)[inside].sum()
    assert series.temperature_k == pytest.approx(energy / freedom / BOLTZMANN_EV_K, rel=1e-3)
    thermal = 3.0 * BOLTZMANN_EV_K * series.temperature_k / AMU_ANG2_FS2_EV
    share = min(1.0, masses.sum() * center @ center / thermal)  # of thermal motion that the center has
    assert share == pytest.approx(0.0, abs=1e-9) if momentum == "yes" else share > 0.05
    drawn = np.random.default_rng(7).normal(size=(40_000, len(masses), 3)) / np.sqrt(masses)[:, None]
    drawn -= (1.0 - np.sqrt(share)) * np.einsum("i,tib->tb", masses / masses.sum(), drawn)[:, None]
    current = np.einsum("iab,tib->ta", z, drawn)
    np.testing.assert_allclose(np.diag(zz[0]), (current**2).mean(axis=0), rtol=0.04)


def test_atoms_that_no_fix_moves_are_told_at_the_beginning(
    run_lmp: Callable[..., Any], models: dict[str, Path]
) -> None:
    """A run that is killed says no more: its Temp is that of all atoms."""
    some = "group some id 1:12\nfix move some nve\n"
    found = run_lmp(HOT + some + bec(models["two_layers"]) + "run 1\n", 2)
    assert "fix bec bec: no fix moves 6 of 18 atoms\n" in found.stdout
    found = run_lmp(HOT + "fix move all nve\n" + bec(models["two_layers"]) + "run 1\n")
    assert "no fix moves" not in found.stdout


def test_rigid_bonds_take_their_degrees_of_freedom(
    run_lmp: Callable[..., Any], models: dict[str, Path]
) -> None:
    script = HOT + (
        "group body id 1:3\nfix body body rigid single\ngroup rest subtract all body\nfix move rest nve\n"
        + bec(models["two_layers"])
    )
    found = run_lmp(script + "run 3\n")
    assert "(48 degrees of freedom, 18 of 18" in found.stdout  # 3·18 − 3 of the whole − 3 of three atoms


def test_rigid_bonds_of_molecules_that_leave(
    run_lmp: Callable[..., Any], models: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "water.txt").write_text(
        "water\n\n3 atoms\n2 bonds\n1 angles\n\nCoords\n\n1 0 0 0\n2 1 0 0\n3 -0.3334 0.9428 0\n\n"
        "Types\n\n1 2\n2 3\n3 3\n\nBonds\n\n1 1 1 2\n2 1 1 3\n\nAngles\n\n1 1 2 1 3\n"
    )
    places = [(x, y, z) for x in (1, 5) for y in (1, 5) for z in (1, 5)]
    script = (
        "units metal\natom_style molecular\natom_modify map yes\nregion box block 0 8 0 8 0 8\n"
        "create_box 3 box bond/types 1 angle/types 1 extra/bond/per/atom 2 extra/angle/per/atom 1 "
        "extra/special/per/atom 2\nmass 1 28.0855\nmass 2 15.999\nmass 3 1.008\nmolecule w water.txt\n"
        + "".join(f"create_atoms 0 single {x} {y} {z} mol w 5\n" for x, y, z in places)
        + "bond_style harmonic\nbond_coeff 1 20 1.0\nangle_style harmonic\nangle_coeff 1 2 109.4712\n"
        + no_forces()
        + "velocity all create 300 7\nfix move all nve\nfix s all shake 1e-6 50 0 b 1 a 1\n"
        + bec(models["one_layer"])
        + "fix out all evaporate 1 1 box 7 molecule yes\ntimestep 1e-4\nrun 4\n"
    )
    found = re.search(r"\((\d+) degrees of freedom, (\d+) of", run_lmp(script).stdout)
    assert found is not None
    assert 2 * int(found[2]) - int(found[1]) in (2, 3, 4)  # 6 of a molecule less 3, means of whole numbers


# ---------------------------------------------------------------------- path integrals
@pytest.mark.parametrize("method", ["nmpimd", "pimd"])
def test_velocities_of_normal_modes_beside_positions_of_beads(
    run_lmp: Callable[..., Any], models: dict[str, Path], tmp_path: Path, method: str
) -> None:
    script = commands(quartz()) + no_forces() + bec(models["one_layer"]) + "variable bead uloop 2\n"
    script += "velocity all create 300 1${bead} loop all\n"
    script += f"fix ring all pimd/langevin method {method} ensemble nve temp 300\ntimestep 0.0005\nrun 3\n"
    found = run_lmp(script, 2, "-partition", "2x1", "-screen", "bead")
    said = (tmp_path / "bead.0").read_text() + (tmp_path / "bead.1").read_text()
    assert ("fix ring (pimd/langevin) keeps velocities of normal modes" in said) == (method == "nmpimd"), said
    assert (found.returncode == 0) == (method == "pimd")


# ---------------------------------------------------------------------- rerun
@pytest.mark.parametrize(
    ("fields", "prepare", "warning"),
    [
        ("x y z", "velocity all set 0 0 0", "do not change from frame to frame"),
        ("x y z", "", "do not change from frame to frame"),
        ("x y z vx vy vz", "", None),
    ],
)
def test_velocities_of_a_rerun(
    run_lmp: Callable[..., Any], models: dict[str, Path], fields: str, prepare: str, warning: str | None
) -> None:
    script = (
        HOT + "fix move all nve\n"
        "dump d all custom 2 t.dump id type x y z vx vy vz\nrun 8\nundump d\nunfix move\n" + prepare + "\n"
        + no_forces() + bec(models["two_layers"]) + f"rerun t.dump dump {fields}\n"
    )  # fmt: skip
    output = run_lmp(script).stdout
    assert ("WARNING: fix bec" in output) is (warning is not None)
    if warning:
        assert warning in output


def test_a_run_without_any_velocity_is_said(run_lmp: Callable[..., Any], models: dict[str, Path]) -> None:
    output = run_lmp(commands(quartz()) + no_forces() + bec(models["two_layers"]) + "run 3\n").stdout
    assert "velocities of all atoms were zero" in output
    nobody = "group nobody empty\nfix move all nve\n" + bec(models["two_layers"]).replace(" all ", " nobody ")
    assert "there are no atoms in its group nobody" in run_lmp(HOT + nobody + "run 3\n").stdout
    # one atom has no temperature beside its center of mass
    alone = commands(Atoms("Si", cell=[9.0] * 3, pbc=True)) + no_forces() + bec(models["two_layers"])
    assert (
        "velocities of all atoms"
        not in run_lmp(alone + "velocity all set 1 2 3\nfix move all nve\nrun 3\n").stdout
    )


@pytest.mark.parametrize(
    ("rule", "told"), [("once yes", True), ("check no every 100", True), ("delay 0", False)]
)
def test_neighbor_lists_that_are_not_renewed_in_time(
    run_lmp: Callable[..., Any], models: dict[str, Path], rule: str, told: bool
) -> None:
    """Atoms fly by more than half of the skin, 0.5 Å; tensors lack neighbors where lists stay as they are."""
    script = commands(quartz()) + f"neighbor 1.0 bin\nneigh_modify {rule}\n" + bec(models["two_layers"])
    output = run_lmp(script + "velocity all set 10 0 0\nfix n all nve\ntimestep 0.001\nrun 60\n").stdout
    assert ("atoms moved by as much as 0.6 A between two buildings" in output) is told


def test_a_minimization_has_lists_of_its_own(run_lmp: Callable[..., Any], models: dict[str, Path]) -> None:
    script = commands(quartz()) + "neighbor 1.0 bin\nneigh_modify once yes\n" + bec(models["two_layers"])
    output = run_lmp(script + "run 0\ndisplace_atoms all move 3 0 0\nminimize 0 1e-4 1 1\n").stdout
    assert "between two buildings" not in output


# ---------------------------------------------------------------------- domain of the model
@pytest.mark.parametrize("ranks", [1, 2])
def test_the_domain_of_the_model_is_watched(
    run_lmp: Callable[..., Any], models: dict[str, Path], tmp_path: Path, ranks: int
) -> None:
    network = load_network(models["two_layers"])
    torch.manual_seed(3)
    atoms = quartz((2, 1, 1))
    for limit, outside in ((1e-3, True), (1e3, False)):
        path = tmp_path / "watched.safetensors"
        limits = dict.fromkeys(("H", "O", "Si"), limit)
        save_model(path, network, {"domain_uncertainty_e": limits, "uncertainty_scale": 1.7})
        output = run_lmp(commands(atoms) + no_forces() + bec(path) + "run 25\n", ranks).stdout
        assert output.count("times the limit of the domain of") == int(outside)
        said = re.search(
            r"mean uncertainty of the tensors (\S+) e, limit .* (\S+) e; (\S+) % .* in 3 struct", output
        )
        assert said is not None
        expected = load_model(path).predict_batch([atoms]).uncertainty_e.mean()
        assert float(said[1]) == pytest.approx(expected, rel=5e-3)  # three digits
        assert (float(said[2]), float(said[3])) == (limit, 100.0 * outside)
    # a card without limits: nothing is known about its domain
    assert (
        "mean uncertainty"
        not in run_lmp(commands(atoms) + no_forces() + bec(models["two_layers"]) + "run 2\n").stdout
    )


LEFT = "times the limit of the domain of"
JUDGED = re.compile(r"mean uncertainty of the tensors (\S+) e, .*; (\S+) % .* in (\d+) structures")


@pytest.fixture
def watched(models: dict[str, Path], tmp_path: Path) -> tuple[Path, float, float]:
    """A model whose domain holds quartz but not squeezed quartz, and its uncertainty of both."""
    network, path = load_network(models["two_layers"]), tmp_path / "watched.safetensors"
    atoms, squeezed = quartz((2, 1, 1)), quartz((2, 1, 1))
    edges = np.diag(np.diag(squeezed.cell.array))
    squeezed.set_cell(squeezed.cell.array - 0.2 * edges, scale_atoms=True)  # change_box leaves the tilts
    scale = {"uncertainty_scale": 1.7}
    save_model(path, network, {"domain_uncertainty_e": dict.fromkeys(("H", "O", "Si"), 1.0), **scale})
    batch = load_model(path).predict_batch([atoms, squeezed]).uncertainty_e
    inside, outside = (float(one.mean()) for one in batch)
    assert inside < 0.9 * outside
    limits = dict.fromkeys(("H", "O", "Si"), 0.5 * (inside + outside))
    save_model(path, network, {"domain_uncertainty_e": limits, **scale})
    return path, inside, outside


SQUEEZE = "change_box all x scale {0} y scale {0} z scale {0} remap units box\n"


@pytest.mark.parametrize("run", ["run 0\n", "run 12\n", "run 2 pre no\n", "minimize 0 0 3 3\n"])
def test_a_domain_that_is_left_and_entered_again(
    run_lmp: Callable[..., Any], watched: tuple[Path, float, float], run: str
) -> None:
    """Each way of running judges its structures; what stays outside is said once, leaving again anew."""
    path, inside, outside = watched
    squeeze, back = SQUEEZE.format(0.8), SQUEEZE.format(1.25)
    stay, begin = ("run 0\n", "run 0\n") if "pre no" in run else (run, "")
    script = commands(quartz((2, 1, 1))) + no_forces() + bec(path)
    output = run_lmp(script + begin + run + squeeze + stay + run + run + back + stay + squeeze + stay).stdout
    found = [(float(mean), float(share), int(n)) for mean, share, n in JUDGED.findall(output)]
    assert len(found) == output.count("evaluations; mean over ranks")
    means = [mean for mean, _, _ in found][1 if begin else 0 :]
    expected = [inside, outside, outside, outside, inside, outside]
    np.testing.assert_allclose(means, expected, rtol=6e-3)
    assert output.count(LEFT) == 2
    assert all(n >= 1 for *_, n in found)


def test_ranks_without_atoms_judge_with_the_others(
    run_lmp: Callable[..., Any], watched: tuple[Path, float, float]
) -> None:
    path, _, _ = watched
    atoms = quartz((2, 1, 1))
    atoms.cell[2, 2] += 40.0  # two of four ranks along z have vacuum alone
    script = "processors 1 1 {}\n" + commands(atoms) + no_forces() + bec(path) + "run 0\n"
    one, four = (JUDGED.findall(run_lmp(script.format(ranks), ranks).stdout) for ranks in (1, 4))
    assert len(one) == 1
    assert four == one


@pytest.mark.parametrize("thermostat", ["", "fix heat all langevin 900 900 0.05 5\n"])
def test_log_and_dump_of_one_run_give_the_same(
    run_lmp: Callable[..., Any], models: dict[str, Path], tmp_path: Path, thermostat: str
) -> None:
    """Current, temperature and Σ Z Zᵀ/m, also where the thermostat moves the center of mass."""
    script = (
        "units metal\n" + HOT + "fix move all nve\n" + thermostat + bec(models["two_layers"]) + THERMO
        + "dump d all custom 1 d.lammpstrj id type element x y z vx vy vz\n"
        "dump_modify d element Si O H sort id units yes time yes format float %.15g\n"
    )  # fmt: skip
    found = run_lmp("log log.lammps\n" + script + "run 40\n")
    assert found.returncode == 0, found.stdout
    log = open_current(tmp_path / "log.lammps")
    dump = compute_current(tmp_path / "d.lammpstrj", models["two_layers"])
    assert log.timestep_fs == pytest.approx(dump.timestep_fs)
    assert log.volume_ang3 == pytest.approx(dump.volume_ang3)
    np.testing.assert_allclose(log.total(), dump.total(), rtol=1e-4, atol=1e-6)  # single precision
    kinetic, log_zz, dump_zz = dump.kinetic_temperature(), log.zz_sum(), dump.zz_sum()
    assert kinetic is not None
    assert log_zz is not None
    assert dump_zz is not None
    # LAMMPS has constants of its own, 6e-6 apart
    assert log.temperature_k == pytest.approx(kinetic[0], rel=2e-5)
    np.testing.assert_allclose(log_zz[0], dump_zz[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("setting", "warned"), [("", True), ("velocity wall set 0 0 0\n", False), ("fix more wall nve\n", False)]
)
def test_velocities_of_atoms_that_nothing_moves(
    run_lmp: Callable[..., Any], models: dict[str, Path], setting: str, warned: bool
) -> None:
    groups = "group wall id 1:9\ngroup mobile subtract all wall\nfix move mobile nve\n"
    output = run_lmp(HOT + groups + setting + bec(models["two_layers"]) + "run 3\n").stdout
    assert ("9 atoms have velocities but no fix moves them" in output) is warned


def test_positions_without_velocities_from_i_pi(run_lmp: Callable[..., Any], models: dict[str, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # it is asked for nothing before the first step
        port = server.getsockname()[1]
        found = run_lmp(HOT + bec(models["two_layers"]) + f"fix move all ipi 127.0.0.1 {port}\nrun 0\n")
    assert found.returncode == 0, found.stdout
    assert "i-PI sends positions without velocities" in found.stdout


def test_elements_that_the_model_hardly_knows(
    run_lmp: Callable[..., Any], models: dict[str, Path], tmp_path: Path
) -> None:
    network, path = load_network(models["two_layers"]), tmp_path / "few.safetensors"
    save_model(path, network, {"training_structures": {"O": 900, "Si": 11}})
    output = run_lmp(commands(quartz()) + no_forces() + bec(path) + "run 1\nrun 1\n").stdout
    assert output.count("has learned from fewer than 20 structures with Si (11), H (0)") == 1
    for counts in ({"O": 900, "Si": 20, "H": 35}, {"O": 8, "Si": 8, "H": 8}):
        save_model(path, network, {"training_structures": counts})
        output = run_lmp(commands(quartz()) + no_forces() + bec(path) + "run 1\n").stdout
        assert "has learned" not in output
