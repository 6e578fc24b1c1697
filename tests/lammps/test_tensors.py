"""The tensors of `fix bec` are those of the network in Python, whatever the box and the boundary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from bec_md.network.model_file import load_network, save_model
from tests.lammps.systems import (
    TYPES,
    charges,
    cluster,
    commands,
    no_forces,
    pair_of_atoms,
    quartz,
    reference,
    skewed,
    slab,
    soft_forces,
    vector,
    water,
)

SYSTEMS: dict[str, Callable[[], Atoms]] = {
    "quartz": quartz,
    "quartz 2x2x1": lambda: quartz((2, 2, 1)),
    "two atoms": pair_of_atoms,
    "skewed": skewed,
    "slab": slab,
    "cluster": cluster,
    "water": water,
}
#: single precision: tensors of order 3 e, sums over some 50 neighbors and 20 channels
TOLERANCE_E = 1e-6


def evaluate(lmp: Any, atoms: Atoms, path: Path, options: str = "", types: str = " ".join(TYPES)) -> Any:
    lmp.commands_string(commands(atoms) + no_forces())
    lmp.command(f"fix bec all bec {path} {types} {options}")
    lmp.command("run 0 post no")
    return charges(lmp)


@pytest.mark.parametrize("shape", ["two_layers", "one_layer", "three_layers"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_equal_to_python(lmp: Any, models: dict[str, Path], system: str, shape: str) -> None:
    atoms = SYSTEMS[system]()
    z = evaluate(lmp, atoms, models[shape])
    expected = reference(models[shape], atoms)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(z, expected, rtol=0, atol=TOLERANCE_E)


def test_level_of_theory(lmp: Any, models: dict[str, Path]) -> None:
    atoms = quartz()
    z = evaluate(lmp, atoms, models["two_layers"], "level b")
    np.testing.assert_allclose(z, reference(models["two_layers"], atoms, level=1), rtol=0, atol=TOLERANCE_E)
    assert np.abs(z - reference(models["two_layers"], atoms)).max() > 1e-3


def test_default_level_is_that_of_the_card(lmp: Any, models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "named.safetensors"
    save_model(path, load_network(models["two_layers"]), {"name": "named", "default_level": "b"})
    z = evaluate(lmp, quartz(), path)
    np.testing.assert_allclose(z, reference(path, quartz(), level=1), rtol=0, atol=TOLERANCE_E)


@pytest.mark.parametrize("shape", ["two_layers", "dipole"])
def test_cores_of_drude_particles_are_where_they_are(
    lmp: Any, models: dict[str, Path], tmp_path: Path, shape: str
) -> None:
    """In the middle of a step `fix drude/transform` puts them at the center of mass with their particles."""
    data = """Drude

    3 atoms\n1 bonds\n3 atom types\n1 bond types\n0 6 xlo xhi\n0 6 ylo yhi\n0 6 zlo zhi

    Masses\n\n1 28.0855\n2 12.0\n3 4.0

    Atoms # full\n\n1 1 1 0 1.0 1.0 1.0\n2 2 2 0 2.0 2.0 1.5\n3 2 3 0 2.1 2.1 1.6

    Velocities\n\n1 10 4 -3\n2 -9 8 6\n3 2 -20 3

    Bonds\n\n1 1 2 3\n"""
    (tmp_path / "drude.data").write_text(data.replace("    ", ""))
    lmp.commands_string("units metal\natom_style full\natom_modify map yes\ncomm_modify vel yes\n")
    lmp.commands_string("bond_style zero\nspecial_bonds lj/coul 0 0 0\n")
    lmp.command(f"read_data {tmp_path}/drude.data extra/special/per/atom 2")
    lmp.commands_string(f"bond_coeff 1\n{no_forces()}group core type 1 2\ngroup drude type 3\n")
    lmp.command("fix drude all drude N C D")
    bec = f"bec {models[shape]} Si O NULL" + " tensors 1" * (shape == "dipole")
    fixes = [f"before all {bec}", "direct all drude/transform/direct", "cores core nve", f"between all {bec}"]
    fixes += ["particles drude nve", "inverse all drude/transform/inverse", f"behind all {bec}"]
    lmp.commands_string("\n".join(f"fix {one}" for one in fixes) + "\nrun 3\n")
    for name in ("between", "behind"):
        np.testing.assert_allclose(charges(lmp, name), charges(lmp, "before"), atol=TOLERANCE_E)
        np.testing.assert_allclose(vector(lmp, name), vector(lmp, "before"), rtol=1e-5, atol=1e-4)


def test_the_end_of_a_minimization_is_evaluated(lmp: Any, models: dict[str, Path]) -> None:
    """Tensors of an earlier structure stood there where the last step is no multiple of `every`."""
    lmp.commands_string(commands(quartz()) + "pair_style lj/cut 6.0\npair_coeff * * 0.2 1.45\n")
    lmp.commands_string("fix hold all spring/self 5.0\n")
    lmp.command(f"fix bec all bec {models['two_layers']} {' '.join(TYPES)} every 1000")
    lmp.command("minimize 0 0.1 100 1000")
    found = charges(lmp)
    lmp.command("run 0 post no")
    np.testing.assert_allclose(found, charges(lmp), atol=TOLERANCE_E)


def test_net_charge(lmp: Any, models: dict[str, Path]) -> None:
    atoms = quartz()
    z = evaluate(lmp, atoms, models["two_layers"], "charge -2")
    np.testing.assert_allclose(z.sum(0), -2.0 * np.eye(3), atol=1e-12)  # double precision sums
    expected = reference(models["two_layers"], atoms, total_charge=-2.0)
    np.testing.assert_allclose(z, expected, rtol=0, atol=TOLERANCE_E)


def test_without_sum_rule(lmp: Any, models: dict[str, Path]) -> None:
    atoms = quartz()
    z = evaluate(lmp, atoms, models["two_layers"], "sumrule no")
    expected = reference(models["two_layers"], atoms, sum_rule=False)
    assert np.abs(expected.sum(0)).max() > 0.1
    np.testing.assert_allclose(z, expected, rtol=0, atol=TOLERANCE_E)


def test_threads_change_nothing(start: Callable[[], Any], models: dict[str, Path]) -> None:
    atoms = quartz((2, 2, 1))
    one = evaluate(start(), atoms, models["two_layers"])
    two = evaluate(start(), atoms, models["two_layers"], "threads 2")
    np.testing.assert_array_equal(one, two)


def test_hidden_type_is_invisible(lmp: Any, models: dict[str, Path]) -> None:
    """A type with the element NULL (a shell on top of its core, here) changes nothing and carries nothing."""
    atoms = quartz()
    lmp.commands_string(commands(atoms, types=(*TYPES, "X")) + no_forces())
    atoms.wrap()
    x, y, z = atoms.positions[0]
    lmp.command(f"create_atoms 4 single {x:.16g} {y:.16g} {z:.16g} units box")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H NULL")
    lmp.command("run 0 post no")
    tensors = charges(lmp)
    np.testing.assert_array_equal(tensors[-1], 0.0)
    expected = reference(models["two_layers"], atoms)
    np.testing.assert_allclose(tensors[:-1], expected, rtol=0, atol=TOLERANCE_E)


def test_group_selects_but_all_atoms_are_seen(lmp: Any, models: dict[str, Path]) -> None:
    atoms = quartz()
    lmp.commands_string(commands(atoms) + no_forces())
    lmp.command("group oxygen type 2")
    lmp.command("velocity all create 300 1")
    lmp.command(f"fix bec oxygen bec {models['two_layers']} Si O H")
    lmp.command("run 0 post no")
    expected = reference(models["two_layers"], atoms)
    expected[atoms.numbers == 14] = 0.0
    np.testing.assert_allclose(charges(lmp), expected, rtol=0, atol=TOLERANCE_E)


@pytest.mark.parametrize("mover", ["nve", "npt temp 3000 3000 0.05 aniso 0 5e4 0.05"])
def test_kept_neighbors_are_those_of_a_new_search(lmp: Any, models: dict[str, Path], mover: str) -> None:
    """Candidates serve for several steps, while atoms move, ghosts with the box, and types change."""
    lmp.commands_string(commands(quartz((2, 1, 1), 0.02)) + soft_forces() + "timestep 0.001\n")
    lmp.commands_string(f"velocity all create 3000 5 loop geom\nfix move all {mover}\nneigh_modify delay 5")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    lmp.command("run 60 post no")
    moved = charges(lmp)
    lmp.command("run 0 post no")  # everything anew
    np.testing.assert_allclose(moved, charges(lmp), rtol=0, atol=TOLERANCE_E)
    lmp.command("set atom 1*6 type 3")
    lmp.command("run 0 post no")
    assert np.abs(charges(lmp) - moved).max() > 0.1


def test_special_bonds_hide_nothing(
    start: Callable[[], Any], models: dict[str, Path], tmp_path: Path
) -> None:
    """Excluded pairs are missing in the neighbor list of LAMMPS; the tensors need them."""
    atoms = water()
    n = len(atoms) // 3
    bonds = [(1 + 2 * m + k, 3 * m + 1, 3 * m + 2 + k) for m in range(n) for k in range(2)]
    lines = ["water", "", f"{3 * n} atoms", f"{2 * n} bonds", "3 atom types", "1 bond types", ""]
    lines += [f"0 {atoms.cell[a, a]} {axis}lo {axis}hi" for a, axis in enumerate("xyz")]
    lines += ["", "Masses", "", "1 28.0855", "2 15.999", "3 1.008", "", "Atoms # bond", ""]
    for i, (symbol, position) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
        x, y, z = (f"{c:.16g}" for c in position)
        lines.append(f"{i + 1} {i // 3 + 1} {TYPES.index(symbol) + 1} {x} {y} {z}")
    lines += ["", "Bonds", "", *(f"{b} 1 {i} {j}" for b, i, j in bonds)]
    (tmp_path / "water.data").write_text("\n".join(lines) + "\n")
    lmp = start()
    lmp.commands_string(
        f"units real\natom_style bond\nread_data {tmp_path}/water.data\n{no_forces()}"
        "bond_style zero\nbond_coeff 1\nspecial_bonds lj/coul 0 0 0\n"
        f"fix bec all bec {models['two_layers']} Si O H\nrun 0 post no"
    )
    expected = reference(models["two_layers"], atoms)
    np.testing.assert_allclose(charges(lmp), expected, rtol=0, atol=TOLERANCE_E)
