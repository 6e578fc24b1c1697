import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.structure.extxyz import read_frames
from bec_md.training import collect
from bec_md.training.collection import read_output

from .outputs import OUTCAR, PH_OUTPUT, PW_INPUT, VASPRUN

MG = np.array([[1.9, 0.1, 0.2], [-0.1, 2.0, 0.3], [-0.2, -0.3, 2.1]])
EPS = np.array([[3.1, 0.01, 0.0], [0.01, 3.2, 0.0], [0.0, 0.0, 3.3]])
OXYGEN_X = 2.1312345

OUTPUTS = {"ph.out": PH_OUTPUT, "OUTCAR": OUTCAR, "vasprun.xml": VASPRUN}


@pytest.fixture
def folder(tmp_path):
    for name, text in OUTPUTS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", OUTPUTS)
def test_tensors_are_read_as_printed_with_the_field_as_first_index(folder, name):
    frame = read_output(folder / name)
    np.testing.assert_array_equal(frame.numbers, [12, 8])
    np.testing.assert_allclose(frame.born_effective_charges[0], MG, atol=1e-12)
    np.testing.assert_allclose(frame.eps_inf, EPS, atol=1e-12)
    # positions are printed with five decimals, by ph.x in units of the lattice parameter 4.2 Å
    assert frame.positions_ang[1, 0] == pytest.approx(OXYGEN_X, abs=5e-5)
    np.testing.assert_allclose(frame.cell_ang.sum(axis=1), 4.2, atol=5e-5)
    assert frame.info["functional"] in {"PBE", "PBEsol"}
    assert frame.info["n_k_points"] in {2, 32}


@pytest.mark.parametrize("name", ["OUTCAR", "vasprun.xml"])
def test_net_charge_of_a_vasp_cell_comes_from_its_electrons(folder, name):
    assert read_output(folder / name).total_charge == 2.0  # 8 valence electrons, 6 present


def test_an_input_of_pw_beside_the_output_gives_exact_positions(folder):
    (folder / "unrelated.in").write_text("this is nothing")
    (folder / "shifted.in").write_text(PW_INPUT.replace("2.1312345", "2.2312345"))
    (folder / "scf.in").write_text(PW_INPUT)
    frame = read_output(folder / "ph.out")
    assert frame.positions_ang[1, 0] == pytest.approx(OXYGEN_X, abs=1e-9)
    assert frame.info["structure_from"] == "pw.x (scf.in)"


def test_another_structure_is_refused(folder):
    wrong = folder / "wrong.pwi"
    wrong.write_text(PW_INPUT.replace("2.1312345", "2.2312345"))
    with pytest.raises(DataError, match="different structures"):
        read_output(folder / "ph.out", structure=wrong)


def test_collected_labels_carry_convention_level_residual_and_provenance(folder):
    result = collect([folder / "ph.out", folder / "OUTCAR"], folder / "train.xyz", total_charge=0.0)
    first, second = read_frames(folder / "train.xyz")
    assert first.info["bec_convention"] == "dM/du"
    assert first.info["level"] == "PBE Quantum ESPRESSO"
    assert second.info["level"] == "PBEsol VASP"
    assert float(first.info["sum_rule_residual_e"]) == pytest.approx(0.06)
    assert first.info["source"].startswith("Quantum ESPRESSO 6.7MaX, ")
    assert str(folder.parent) not in (folder / "train.xyz").read_text()
    np.testing.assert_allclose(first.born_effective_charges[0], MG, atol=1e-9)  # not corrected
    assert "2 structures, 4 tensors" in result.summary()


def test_unconverged_meshes_can_be_left_out(folder):
    with pytest.raises(DataError, match="none of 1 outputs"):
        collect([folder / "ph.out"], folder / "train.xyz", max_residual_e=0.02)
    assert len(collect([folder / "ph.out"], folder / "train.xyz", max_residual_e=0.04).labels) == 1


def test_bad_files_stop_the_collection_unless_skipped(folder):
    bad = folder / "bad.out"
    bad.write_text(PH_OUTPUT.split("Effective charges")[0])
    with pytest.raises(DataError, match="no block"):
        collect([bad, folder / "ph.out"], folder / "train.xyz")
    result = collect([bad, folder / "ph.out"], folder / "train.xyz.gz", skip_bad=True, level="mine")
    assert len(result.rejected) == 1
    assert read_frames(folder / "train.xyz.gz")[0].info["level"] == "mine"
    with pytest.raises(UsageError, match="one structure for 2 outputs"):
        collect([bad, bad], folder / "x.xyz", structure=folder / "scf.in")


@pytest.mark.parametrize(
    ("name", "cut", "words"),
    [
        ("ph.out", "      Ez  (        0.20000", "5 of 6 rows"),
        ("ph.out", "     crystal axes", "no structure"),
        ("OUTCAR", "    3     0.20000", "cut"),
        ("OUTCAR", " BORN EFFECTIVE", "no BORN EFFECTIVE CHARGES"),
        ("vasprun.xml", " <structure name", "cut"),
        ("vasprun.xml", None, "neither an output"),
    ],
)
def test_cut_files_are_recognized(folder, name, cut, words):
    text = OUTPUTS[name]
    (folder / name).write_text(text[: text.index(cut)] if cut else "energy = -1.0")
    with pytest.raises(DataError, match=words):
        read_output(folder / name)


def test_an_unconverged_response_is_refused(folder):
    text = PH_OUTPUT.replace("End of electric fields calculation", "Convergence has not been achieved")
    (folder / "ph.out").write_text(text)
    with pytest.raises(DataError, match="not converged"):
        read_output(folder / "ph.out")
