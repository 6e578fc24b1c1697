"""`predict` and `evaluate` say, in the same words, what the model does not know."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner

from bec_md.cli.app import app
from bec_md.network import load_model
from bec_md.network.familiarity import Familiarity
from bec_md.structure.extxyz import write_frames
from bec_md.structure.from_ase import as_frame

RARE = "universal has learned from fewer than 20 structures with Ce (8)"


@pytest.fixture
def files(tmp_path):
    """Rocksalt CeO, MgO whose ions nearly touch, metallic GaAs: unfamiliar element, structure, tensors."""
    crystals = {"ceo": bulk("CeO", "rocksalt", a=5.09), "mgo": bulk("MgO", "rocksalt", a=4.21)}
    crystals["pressed"] = Atoms("MgO", positions=[[0, 0, 0], [0, 0, 1.1]], cell=[2.2, 2.2, 3.0], pbc=True)
    crystals["gaas"] = bulk("GaAs", "rocksalt", a=5.25)
    for name, atoms in crystals.items():
        charges = np.array([2.0, -2.0])[:, None, None] * np.eye(3)
        write_frames(
            tmp_path / f"{name}.xyz",
            [as_frame(atoms).with_labels(born_effective_charges=charges, eps_inf=None)],
        )
    return tmp_path


def words(command, files, name):
    arguments = [command, str(files / f"{name}.xyz"), "--model", "universal"]
    if command == "predict":
        arguments += ["-o", str(files / "out.xyz")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_rare_elements_and_unsure_structures_are_named(command, files):
    assert RARE in words(command, files, "ceo")
    assert "1 of 1 structures lie outside the domain of universal" in words(command, files, "pressed")
    contradicted = words(command, files, "gaas")
    limit = load_model("universal").card["second_opinion"]["difference_e"]
    assert f"or {limit:.2g} e (r.m.s.) from the tensors of universal-polarization" in contradicted
    quiet = words(command, files, "mgo")
    assert "outside the domain" not in quiet
    assert "fewer than" not in quiet


@pytest.mark.parametrize("lattice_ang", [(6.14, 5.53), (5.53, 6.14)])
def test_each_structure_of_the_same_atoms_gets_a_second_opinion(tmp_path, lattice_ang):
    """AlSb at rest, and pressed to 0.73 of its volume: only there do the networks contradict each other."""
    crystals = [bulk("AlSb", "zincblende", a=a) for a in lattice_ang]
    write_frames(tmp_path / "alsb.xyz", [as_frame(atoms) for atoms in crystals])
    assert "1 of 2 structures lie outside the domain of universal" in words("predict", tmp_path, "alsb")


def test_the_only_material_of_a_model_is_none_that_it_hardly_knows():
    card = {"name": "mine", "training_structures": {"Li": 18, "P": 18, "O": 18, "F": 2}}
    assert Familiarity.of(card, ["Li", "P", "O"]).remark is None
    assert "with F (2), H (0)" in str(Familiarity.of(card, ["Li", "F", "H"]).remark)
