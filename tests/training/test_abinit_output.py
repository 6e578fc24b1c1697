"""Collection from ABINIT: the triclinic MgO of `mgo_ph.out`, PBEsol, the same coarse mesh (ABINIT 9.6.2)."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError
from bec_md.structure.extxyz import read_frames
from bec_md.training.abinit_output import read_abinit_output
from bec_md.training.collection import collect, read_output

DATA = Path(__file__).parent / "data"


@pytest.fixture
def output(tmp_path):
    path = tmp_path / "label.abo"
    path.write_bytes(gzip.decompress((DATA / "mgo_abinit.abo.gz").read_bytes()))
    return path


def edited(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_real_output_becomes_a_label(output, tmp_path):
    result = collect([output], tmp_path / "labels.xyz.xz")
    (frame,) = read_frames(tmp_path / "labels.xyz.xz")
    assert frame.formula == "MgO"
    np.testing.assert_allclose(frame.positions_ang[1], [2.093, 2.221, 2.124], atol=1e-8)
    # ABINIT's bohr and ours differ by 4e-9 of a length
    np.testing.assert_allclose(frame.cell_ang[0], [0.1, 2.1, 2.2], atol=2e-8)
    assert frame.info["code"] == "ABINIT 9.6.2"
    assert frame.info["functional"] == "PBEsol"
    assert frame.info["level"] == "PBEsol ABINIT"
    assert frame.info["cutoff_ha"] == "30.0"
    assert frame.info["n_k_points"] == "4"
    assert frame.total_charge == 0.0
    np.testing.assert_allclose(np.diag(frame.eps_inf), [3.1946722841, 3.4202590002, 3.4142223228], atol=1e-8)
    # the row "3 1 2 4": atom 1 moved along z, field along y
    assert frame.born_effective_charges[0, 1, 2] == pytest.approx(0.020525, abs=1e-6)
    assert frame.born_effective_charges[0, 2, 1] == pytest.approx(0.042361, abs=1e-6)
    # four points leave 0.81 e, and the label says so
    assert result.labels[0].residual_e == pytest.approx(0.8135, abs=1e-3)


def test_the_order_of_indices_is_that_of_another_program(output, tmp_path):
    """The antisymmetric parts of ABINIT and ph.x point the same way; a transposition would turn one round."""
    other = tmp_path / "ph.out"
    other.write_bytes(gzip.decompress((DATA / "mgo_ph.out.gz").read_bytes()))
    charges, reference = (read_output(path)[0].born_effective_charges for path in (output, other))
    parts = [(z - z.transpose(0, 2, 1)).ravel() for z in (charges, reference)]
    cosine = parts[0] @ parts[1] / np.linalg.norm(parts[0]) / np.linalg.norm(parts[1])
    # another functional, other pseudopotentials, a mesh far from converged: sizes differ by a factor of two
    assert cosine > 0.95


def test_unconverged_outputs_are_refused(output):
    edited(
        output,
        "chkinp: Checking",
        "scprqt:  WARNING -\n  nstep=  100 was not enough SCF cycles to converge;\nchkinp:",
    )
    with pytest.raises(DataError, match="not converged in 100 cycles"):
        read_abinit_output(output)


def test_datasets_of_several_structures_are_refused(output):
    edited(output, "           xangst ", "           xangst1")
    with pytest.raises(DataError, match="xangst differs between the datasets"):
        read_abinit_output(output)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("(from electric field response)", "no effective charges"),
        ("   3    2   3    4 ", "17 of 18 effective charges"),
    ],
)
def test_cut_outputs_are_refused(output, cut, message):
    text = output.read_text()
    output.write_text(text[: text.rindex(cut)])
    with pytest.raises(DataError, match=message):
        read_abinit_output(output)


@pytest.fixture
def relaxed(tmp_path):
    """MgO: a dataset that relaxes the atoms, then the field response at the atoms of its last step."""
    path = tmp_path / "relaxed.abo"
    path.write_bytes(gzip.decompress((DATA / "mgo_relaxed_abinit.abo.gz").read_bytes()))
    return path


def test_charges_of_a_relaxed_structure_belong_to_the_relaxed_atoms(relaxed):
    """What is repeated at the beginning of the output is the structure before the relaxation."""
    (frame,) = read_output(relaxed)
    final = [[-0.012414516834, 0.018718729327, 0.0082604923235], [2.0031791755, 2.0323721312, 2.0227216342]]
    np.testing.assert_allclose(frame.positions_ang, final, atol=1e-8)
    assert frame.info["functional"] == "LDA"  # the default, which is not repeated


def test_a_cut_output_whose_atoms_may_have_moved_is_refused(relaxed, output):
    text = relaxed.read_text()
    relaxed.write_text(text[: text.index("after computation")])
    with pytest.raises(DataError, match="atoms may have moved"):
        read_abinit_output(relaxed)
    whole = output.read_text()  # where nothing moves, the beginning is enough
    output.write_text(whole[: whole.index("after computation")])
    np.testing.assert_allclose(
        read_abinit_output(output)[0].positions_ang[1], [2.093, 2.221, 2.124], atol=1e-8
    )


def test_positions_of_the_dataset_that_has_the_charges(output):
    """Datasets may differ in their atoms; the third one computed the response."""
    head, tail = output.read_text().split("after computation")
    for number, shift in ((1, "0.5"), (2, "0.6"), (3, "0.0")):
        row = f"           xangst{number}     {shift}000000000E+00  0.0000000000E+00  0.0000000000E+00\n"
        row += "                       2.0930000000E+00  2.2210000000E+00  2.1240000000E+00\n"
        tail = tail.replace("            xcart ", row + "            xcart ", 1)
    tail = tail.replace("           xangst      0.0000000000E+00", "           xother      0.0000000000E+00")
    output.write_text(f"{head}after computation{tail}")
    assert read_abinit_output(output)[0].positions_ang[0, 0] == 0.0


@pytest.mark.parametrize(
    ("ixc", "name"),
    [("11", "PBE"), ("-101130", "PBE"), ("-116133", "PBEsol"), ("-1012", "LDA"), ("7", "LDA"),
     ("-117130", "RPBE"), ("-263267", "SCAN"), ("-428", "HSE06"), ("-999", "libxc 999"), ("42", "ixc 42")],
)  # fmt: skip
def test_functionals_by_number(output, ixc, name):
    edited(output, "ixc     -116133", f"ixc     {ixc}")
    assert read_abinit_output(output)[0].info["functional"] == name


def test_hubbard_corrections_are_part_of_the_level(output):
    more = (
        "          usepawu           1\n            upawu      0.0000000000E+00  1.8374663237E-01 Hartree\n"
    )
    edited(output, "            xcart ", more + "            xcart ")
    info = read_abinit_output(output)[0].info
    assert (info["functional"], info["hubbard_u_ev"]) == ("PBEsol+U", "O 5")
