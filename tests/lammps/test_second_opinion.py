"""`fix bec` asks the other model that the card names, as the commands on stored trajectories do."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_md import load_model
from bec_md.network.familiarity import PART_FACTOR
from bec_md.network.model_file import load_network, save_model
from bec_md.network.network import Network
from bec_md.network.second_opinion import second_difference
from bec_md.structure.from_ase import as_frame
from tests.lammps.systems import commands, no_forces, per_atom, quartz, soft_forces, vector

Run = Callable[..., subprocess.CompletedProcess[str]]
SAID = re.compile(
    r"the tensors of first are (\S+) e \(r\.m\.s\.\) from those of \S+?( at the 10 atoms[^,]*)?, (\w+)"
)


def bec(path: Path, options: str = "") -> str:
    return f"fix bec all bec {path} Si O H {options}\n"


@pytest.fixture
def doubted(models: dict[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Writes a copy of a model whose card names another one that is to be asked."""

    def write(first: str, second: Path | str, limit_e: float = 1.0) -> Path:
        path = tmp_path / "first.safetensors"
        card = {"name": "first", "second_opinion": {"model": str(second), "difference_e": limit_e}}
        save_model(path, load_network(models[first]), card)
        return path

    return write


@pytest.mark.parametrize(
    ("first", "second", "ranks"),
    [("two_layers", "dipole", 1), ("dipole", "three_layers", 2), ("one_layer", "dipole", 4)],
)
def test_as_on_the_python_side(
    run_lmp: Run, models: dict[str, Path], doubted: Callable[..., Path], first: str, second: str, ranks: int
) -> None:
    """Over the structure, or at the ten atoms where the models differ most; once for the same atoms."""
    atoms = quartz((2, 2, 1))
    atoms.positions[0] += 0.4
    atoms.cell[2, 2] += 40.0  # the last ranks have vacuum alone
    model, frame = load_model(doubted(first, models[second]), level="b"), as_frame(atoms)
    tensors = model.predict_batch([frame], members=False).born_effective_charges[0]
    expected = second_difference(model, frame, np.asarray(tensors))
    assert expected is not None
    whole, part = expected.whole_e, expected.part_e
    script = f"processors 1 1 {ranks}\n" + commands(atoms) + no_forces()
    for limit, words in (
        (1.1 * part, (whole, "", "as")),
        (0.5 * (whole + part / PART_FACTOR), (part, " at the 10 atoms where it is largest", "more")),
        (0.9 * whole, (whole, "", "more")),
    ):
        assert words[1] == "" or whole < limit < part / PART_FACTOR
        path = doubted(first, models[second], limit)
        said = SAID.findall(run_lmp(script + bec(path, "level b") + "run 0\nrun 3\n", ranks).stdout)
        assert [found[1:] for found in said] == [words[1:]]
        assert float(said[0][0]) == pytest.approx(words[0], rel=0.05)  # two digits are printed


@pytest.mark.parametrize("first", ["two_layers", "dipole"])
def test_nothing_else_changes(
    start: Callable[[], Any],
    models: dict[str, Path],
    doubted: Callable[..., Path],
    tmp_path: Path,
    first: str,
) -> None:
    """Currents, their integral and the motion in a field, where the other model looks farther."""
    far = tmp_path / "far.safetensors"
    far_sighted = load_network(models["three_layers"]).config.model_copy(update={"cutoff_ang": 5.5})
    save_model(far, Network(far_sighted), {})
    found = []
    for path in (models[first], doubted(first, far)):
        lmp = start()
        lmp.commands_string(
            commands(quartz((2, 1, 1))) + soft_forces() + "velocity all create 900 5 loop geom\n"
        )
        lmp.commands_string(bec(path, "efield 0.3 -0.2 0.5") + "fix move all nve\nrun 7\n")
        found.append((vector(lmp), per_atom(lmp, "x")))
    for plain, asked in zip(*found, strict=True):
        np.testing.assert_allclose(asked, plain, rtol=1e-5, atol=1e-6 * np.abs(plain).max())


def test_other_atoms_are_asked_about_anew(
    run_lmp: Run, models: dict[str, Path], doubted: Callable[..., Path]
) -> None:
    script = commands(quartz((2, 1, 1))) + no_forces() + bec(doubted("two_layers", models["dipole"]))
    output = run_lmp(script + "run 1\nrun 1\nset atom 3 type 3\nrun 1\nrun 1\n").stdout
    first, second = SAID.findall(output)
    assert first[0] != second[0]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ("nowhere.safetensors", "does not exist"),
        ("no-such-model", "there is no model named"),
        ("water", "does not know the level of theory or an element"),
        ("universal-mean", "is the mean of several networks"),
    ],
)
def test_another_model_that_cannot_be_asked(
    run_lmp: Run, doubted: Callable[..., Path], second: str, why: str
) -> None:
    script = commands(quartz()) + no_forces() + bec(doubted("two_layers", second)) + "run 1\nrun 1\n"
    found = run_lmp(script)
    assert found.returncode == 0, found.stdout
    assert len(re.findall(f"no second opinion of {second}: .*{why}", found.stdout)) == 1
    assert not SAID.search(found.stdout)
