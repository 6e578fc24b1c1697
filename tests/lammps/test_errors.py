"""Every wrong input ends in a LAMMPS error that names the cause and the way out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.lammps.systems import commands, no_forces, quartz, read_data

#: arguments behind `fix bec all bec`, with MODEL for a good model, and words that the message must have
WRONG = {
    "nothing": ("", ["model and elements are missing", "syntax"]),
    "too few types": ("MODEL Si O", ["3 atom types", "2 elements"]),
    "too many types": ("MODEL Si O H H", ["3 atom types", "4 elements"]),
    "no element": ("MODEL Si O Xx", ["Xx", "neither a chemical element"]),
    "not in the model": ("MODEL Si O Ti", ["Ti"]),
    "nothing visible": ("MODEL NULL NULL NULL", ["NULL"]),
    "missing model": ("no_such_model Si O H", ["no_such_model", "BEC_MD_MODELS"]),
    "missing file": ("nowhere/model.safetensors Si O H", ["nowhere/model.safetensors", "does not exist"]),
    "not a model": ("NOTAMODEL Si O H", ["NOTAMODEL"]),
    "unknown level": ("MODEL Si O H level ccsd", ["ccsd"]),
    "unknown keyword": ("MODEL Si O H evry 3", ["evry"]),
    "keyword without value": ("MODEL Si O H every", ["every needs 1 value"]),
    "every zero": ("MODEL Si O H every 0", ["positive integer", "'0'"]),
    "short field": ("MODEL Si O H efield 0.1 0.2", ["efield needs 3 values"]),
    "field not a number": ("MODEL Si O H efield 0.1 x 0.2", ["'x'", "v_NAME"]),
    "sumrule maybe": ("MODEL Si O H sumrule maybe", ["yes or no"]),
    "threads minus": ("MODEL Si O H threads -2", ["positive integer"]),
    "compiled package": ("model.bec.pt2 Si O H", ["model.bec.pt2", ".safetensors"]),
    "charge without sum rule": ("MODEL Si O H charge 1 sumrule no", ["sumrule no"]),
    "charge": ("MODEL Si O H charge one", ["'one'"]),
}


def message_of(lmp: Any, line: str) -> str:
    with pytest.raises(Exception, match="ERROR") as caught:
        lmp.command(line)
    return str(caught.value)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(lmp: Any, models: dict[str, Path], tmp_path: Path, case: str) -> None:
    arguments, words = WRONG[case]
    bad = tmp_path / "bad.safetensors"
    bad.write_text("this is not a model")
    arguments = arguments.replace("NOTAMODEL", str(bad)).replace("MODEL", str(models["two_layers"]))
    lmp.commands_string(commands(quartz()))
    message = message_of(lmp, f"fix bec all bec {arguments}")
    for word in words:
        assert word.replace("NOTAMODEL", str(bad)) in message


@pytest.mark.parametrize("units", ["lj", "si", "electron"])
def test_wrong_units(lmp: Any, models: dict[str, Path], units: str) -> None:
    lmp.commands_string(commands(quartz(), units=units))
    message = message_of(lmp, f"fix bec all bec {models['two_layers']} Si O H")
    assert "units metal or real" in message


def test_field_variable_must_exist(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces())
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield v_e 0 0")
    assert "variable e named by efield does not exist" in message_of(lmp, "run 0")


def test_field_variable_must_be_uniform(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + "variable e atom x")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield v_e 0 0")
    assert "must be of style equal" in message_of(lmp, "run 0")


@pytest.mark.parametrize(("named", "mass"), [("O Si H", 15.999), ("Si O Si", 15.999), ("Si O H", 14.007)])
def test_elements_that_their_masses_contradict(
    lmp: Any, models: dict[str, Path], named: str, mass: float
) -> None:
    """Each atom would have Z* of another element: the mass is exactly that of one."""
    lmp.commands_string(commands(quartz()) + no_forces() + f"mass 2 {mass}")
    lmp.command(f"fix bec all bec {models['two_layers']} {named}")
    message = message_of(lmp, "run 0")
    assert re.search(r"type \d is named \w+ \([\d.]+ amu\), but its mass is [\d.]+, that of \w+", message)
    assert "in the order of the types" in message


@pytest.mark.parametrize(
    ("named", "masses"),
    [
        ("D", "30 18 2.014"),
        ("D", "28.0855 11.967 3.024"),
        ("D", "28.1 15.979 1"),
        ("D", "1 1.0 1"),  # masses that do not matter
        ("H H", "28.0855 14.007 3.0 1.008"),  # hydrogens of the solvent keep their mass
        ("NULL", "28.0855 14.007 1.992"),  # shells
    ],
)
def test_isotopes_and_moved_masses_are_fine(
    lmp: Any, models: dict[str, Path], named: str, masses: str
) -> None:
    types = ("Si", "O", *named.split())
    lmp.commands_string(commands(quartz(), types) + no_forces())
    for number, mass in enumerate(masses.split()):
        lmp.command(f"mass {number + 1} {mass}")
    lmp.command(f"fix bec all bec {models['two_layers']} {' '.join(types)}")
    lmp.command("run 0 post no")


def test_minimize_with_a_field_is_refused(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces())
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield 0.1 0 0")
    assert "without efield" in message_of(lmp, "minimize 0 1e-4 10 10")


def test_minimize_without_a_field_works(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + "pair_style lj/cut 2.5\npair_coeff * * 0.05 2.0\n")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    lmp.command("minimize 0 1e-4 10 20")
    np.testing.assert_array_equal([lmp.extract_fix("bec", 0, 1, i) for i in range(3, 6)], 0.0)


def test_respa_is_refused(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + "run_style respa 2 2")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    assert "run_style verlet" in message_of(lmp, "run 0")


def test_ghost_cutoff_per_type_is_refused(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + "neighbor 1.0 multi\ncomm_modify mode multi")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    assert "mode single" in message_of(lmp, "run 0")


@pytest.mark.parametrize("command", ["run 0", "minimize 0 1e-4 1 1"])
def test_ghosts_of_a_part_of_the_atoms_are_refused(lmp: Any, models: dict[str, Path], command: str) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + "group o type 2\natom_modify first o")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    lmp.command("run 0")
    lmp.command("comm_modify group o")
    assert "comm_modify group" in message_of(lmp, command)


def test_virial_is_refused(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()))
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    assert "virial" in message_of(lmp, "fix_modify bec virial yes")


def test_two_atoms_in_one_place(lmp: Any, models: dict[str, Path]) -> None:
    atoms = quartz()
    lmp.commands_string(commands(atoms) + no_forces())
    x, y, z = atoms.positions[4]
    lmp.command(f"create_atoms 1 single {x:.16g} {y:.16g} {z:.16g} units box")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    assert "same place" in message_of(lmp, "run 0")


def test_two_atoms_that_are_too_close(lmp: Any, models: dict[str, Path]) -> None:
    atoms = quartz()
    lmp.commands_string(commands(atoms) + no_forces())
    x, y, z = atoms.positions[4]
    lmp.command(f"create_atoms 1 single {x + 0.05:.16g} {y:.16g} {z + 0.06:.16g} units box")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H")
    assert "closer than 0.1 A" in message_of(lmp, "run 0")


def test_error_on_one_rank_stops_all(
    run_lmp: Callable[..., subprocess.CompletedProcess[str]], models: dict[str, Path], tmp_path: Path
) -> None:
    """The rank that fails must not leave the other one waiting in a communication for ever."""
    atoms = quartz((2, 2, 2))
    script = read_data(atoms, tmp_path / "in.data") + no_forces()
    x, y, z = atoms.positions[4]
    script += f"create_atoms 1 single {x:.16g} {y:.16g} {z:.16g} units box\n"
    done = run_lmp(script + f"fix bec all bec {models['two_layers']} Si O H\nrun 0\n", 2)
    assert done.returncode != 0
    assert "same place" in done.stdout + done.stderr
