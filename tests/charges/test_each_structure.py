"""Files of several structures: each gets constant tensors of its own atoms, in its own order and cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from bec_md.charges import make_charge_source
from bec_md.charges.each_structure import EachStructure
from bec_md.errors import DataError
from bec_md.structure.extxyz import read_frames
from tests.cli.conftest import run  # noqa: F401

from .crystals import frame_of

CELL = Atoms("MgO", positions=[[0, 0, 0], [2.1, 2.1, 2.1]], cell=[4.2] * 3, pbc=True)
ORDERS = [CELL, CELL[[1, 0]], CELL.repeat((2, 1, 1))]
CHARGE = {12: 2.0, 8: -2.0}


@pytest.fixture
def born(tmp_path: Path) -> Path:
    write(tmp_path / "POSCAR", CELL, format="vasp")
    rows = [np.diag([3.0, 3.0, 4.0]), 2.0 * np.eye(3), -2.0 * np.eye(3)]
    path = tmp_path / "BORN"
    path.write_text("# epsilon and Z*\n" + "".join(" ".join(map(str, r.ravel())) + "\n" for r in rows))
    return path


@pytest.mark.parametrize("kind", ["fixed", "oxidation", "born"])
def test_predict_binds_the_charges_of_each_structure(
    run: object,  # noqa: F811
    tmp_path: Path,
    born: Path,
    kind: str,
) -> None:
    write(tmp_path / "set.xyz", ORDERS, format="extxyz")
    spec = f"born:{born}" if kind == "born" else f"{kind}:Mg=2,O=-2"
    run("predict", tmp_path / "set.xyz", "--charges", spec, "-o", tmp_path / "z.xyz")
    found = read_frames(tmp_path / "z.xyz")
    assert [len(frame.numbers) for frame in found] == [2, 2, 4]
    for frame in found:
        expected = [CHARGE[z] * np.eye(3) for z in frame.numbers.tolist()]
        np.testing.assert_allclose(frame.born_effective_charges, expected)


def test_tensors_without_their_structure_fit_one_order_of_atoms(born: Path) -> None:
    (born.parent / "POSCAR").unlink()
    first, other = frame_of(CELL), frame_of(ORDERS[1])
    source = EachStructure(make_charge_source(f"born:{born}", info=None), first)
    assert source.evaluate([first, first]).born_effective_charges.shape == (2, 2, 3, 3)
    with pytest.raises(DataError, match="other atoms than frame 0, or in another order"):
        source.evaluate([other])


def test_an_atom_that_left_its_site_keeps_its_tensor_while_the_cell_breathes(born: Path) -> None:
    source = EachStructure(make_charge_source(f"born:{born}", info=None), frame_of(CELL.repeat((2, 2, 2))))
    hopped = CELL.repeat((2, 2, 2))
    hopped.set_cell(hopped.cell * 1.01, scale_atoms=True)
    hopped.positions[0] = hopped.positions[2] + 0.3
    found = source.evaluate([frame_of(hopped)]).born_effective_charges[0]
    np.testing.assert_allclose(found[:2, 0, 0], [2.0, -2.0])
    hopped.set_cell(hopped.cell * 1.1, scale_atoms=True)
    with pytest.raises(DataError, match="do not match a supercell"):
        source.evaluate([frame_of(hopped)])


def test_predict_keeps_the_permittivity_beside_the_tensors_of_the_file(
    run: object,  # noqa: F811
    tmp_path: Path,
    born: Path,
) -> None:
    write(tmp_path / "in.xyz", CELL, format="extxyz")
    run("predict", tmp_path / "in.xyz", "--charges", f"born:{born}", "-o", tmp_path / "z.xyz")
    run("predict", tmp_path / "z.xyz", "--charges", "file", "-o", tmp_path / "again.xyz")
    found = read_frames(tmp_path / "again.xyz")
    np.testing.assert_allclose(found[0].eps_inf, np.diag([3.0, 3.0, 4.0]))


def test_a_model_that_would_not_be_asked_is_refused(run: object, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "in.xyz", CELL, format="extxyz")
    words = "--charges", "fixed:Mg=2,O=-2", "--model", "nosuchmodel"
    said = run("predict", tmp_path / "in.xyz", *words, "-o", tmp_path / "z.xyz", status=2)
    assert "--model 'nosuchmodel' with --charges fixed:Mg=2,O=-2" in said.stderr
    assert not (tmp_path / "z.xyz").exists()
