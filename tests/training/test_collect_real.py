"""Collection from a real calculation: MgO in a triclinic cell (Quantum ESPRESSO 6.7, coarse mesh)."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bec_md.evaluation import check_index_order
from bec_md.structure.extxyz import read_frames

DATA = Path(__file__).parent / "data"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ph.out").write_bytes(gzip.decompress((DATA / "mgo_ph.out.gz").read_bytes()))
    (tmp_path / "scf.in").write_text((DATA / "mgo_scf.in").read_text())
    return tmp_path


def collected(folder):
    from bec_md.cli.app import app

    output = folder / "labels.xyz.xz"
    result = CliRunner().invoke(app, ["collect", str(folder / "ph.out"), "-o", str(output)])
    assert result.exit_code == 0, result.output
    (frame,) = read_frames(output)
    return frame


def test_a_real_output_becomes_a_label(folder):
    frame = collected(folder)
    assert frame.formula == "MgO"
    # positions come from the input, with all its digits
    np.testing.assert_allclose(frame.positions_ang[1], [2.093, 2.221, 2.124], atol=1e-8)
    assert frame.info["code"] == "Quantum ESPRESSO 6.7MaX"
    assert frame.info["functional"] == "PBE"
    assert frame.info["cutoff_ry"] == "30.0"
    assert frame.info["n_k_points"] == "4"
    np.testing.assert_allclose(np.diag(frame.eps_inf), [3.424840090, 3.697868127, 3.713944070], atol=1e-8)
    # a 2×2×2 mesh is far from converged here, and the label says so
    assert float(frame.info["sum_rule_residual_e"]) == pytest.approx(0.869, abs=1e-3)


def test_the_first_index_is_the_polarization(folder):
    """ph.x also printed ∂P_a/∂u_b, computed from the displacements: it settles the order of dF_b/dE_a."""
    charges = collected(folder).born_effective_charges
    text = (folder / "ph.out").read_text()
    block = text[text.index("Effective charges (d P / du)") :]
    rows = re.findall(r"P[xyz]\s+\(\s*(\S+)\s+(\S+)\s+(\S+)\s*\)", block)[: 3 * len(charges)]
    direct = np.array(rows, dtype=float).reshape(-1, 3, 3)
    # both responses were converged to 1e-14, which leaves 4e-5 e; the antisymmetric part is a thousandfold
    np.testing.assert_allclose(charges, direct, atol=1e-4)
    antisymmetric = (charges - charges.transpose(0, 2, 1)) / 2
    assert np.abs(antisymmetric).max() > 0.03
    order = check_index_order(direct, charges)
    assert order.antisymmetric_correlation > 0.999
    assert not order.transposed
    assert check_index_order(direct, charges.transpose(0, 2, 1)).transposed


def test_tensors_of_displacements_alone_are_read(folder):
    """ph.x with zue = .true. and zeu = .false. prints no forces in a field."""
    expected = collected(folder).born_effective_charges
    text = (folder / "ph.out").read_text()
    marks = [m.start() for m in re.finditer(r"Effective charges \(d Force / dE\)", text)]
    for start in reversed(marks):
        end = text.index("Effective charges (d P / du)", start)
        text = text[:start] + text[end:] if start == marks[-1] else text[:start] + text[start + 60 :]
    (folder / "ph.out").write_text(text)
    found = collected(folder).born_effective_charges
    np.testing.assert_allclose(found, expected, atol=1e-4)  # both converged to 1e-14
    assert np.abs(found - expected).max() > 0.0
