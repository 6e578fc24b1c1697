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
