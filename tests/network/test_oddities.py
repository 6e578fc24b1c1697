"""Overlapping atoms, and a net charge that is shared evenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from bec_md.charges.model import ModelCharges
from bec_md.charges.source import ChargeBatch
from bec_md.cli.console import Console
from bec_md.cli.predict_command import Doubts
from bec_md.errors import DataError
from bec_md.network import load_model
from bec_md.network.oddities import oddities
from bec_md.network.second_opinion import remarks_on
from bec_md.network.vacuum import open_remark
from bec_md.structure import Frame
from bec_md.structure.from_ase import as_frame


@pytest.mark.parametrize("name", ["H2O", "C6H6", "CsCl", "H2", "F2"])
def test_molecules_and_crystals_have_nothing_odd(name: str) -> None:
    atoms = bulk("CsCl", "cesiumchloride", a=4.1) if name == "CsCl" else molecule(name)
    assert not oddities("universal", as_frame(atoms))


def test_atoms_that_overlap_are_named() -> None:
    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    atoms.positions[1] = atoms.positions[0] + [0.0, 0.0, 0.9]  # across the cell as well
    atoms.positions[:2] += [0.0, 0.0, -0.4]
    atoms.wrap()
    (said,) = oddities("universal", as_frame(atoms))
    # 0.9 Å over 1.41 + 0.66 Å
    assert "atoms 0 (Mg) and 1 (O) are 0.90 Å apart, 0.43 of" in said or "1 (O) and 0 (Mg)" in said


@pytest.mark.parametrize(("cell", "height"), [(0.0, 0.9), (4.0, np.nan)])
def test_what_is_no_structure_is_left_to_the_model_to_refuse(cell: float, height: float) -> None:
    atoms = Atoms("OH", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, height]], cell=[cell] * 3, pbc=True)
    with pytest.raises(DataError):
        ModelCharges("water").prepare(as_frame(atoms)).evaluate([as_frame(atoms)])


def test_a_net_charge_is_said_to_be_shared_evenly() -> None:
    line = Atoms("NH4", positions=np.arange(5)[:, None] * [1.0, 0.0, 0.0])
    frame = replace(as_frame(line), total_charge=1.0)
    (said,) = oddities("universal", frame)
    assert said.startswith("net charge +1 e: by the sum rule every one of 5 atoms has +0.2 e of it")
    cell = as_frame(bulk("MgO", "rocksalt", a=4.21, cubic=True) * (3, 3, 3))
    assert not oddities("universal", replace(cell, total_charge=-2.0))


def test_a_crystal_that_is_not_marked_as_periodic_is_named_where_one_structure_is_given() -> None:
    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    model = load_model("universal")
    found = [remarks_on(model, f, model.predict_batch([f])) for f in (as_frame(atoms), _open(atoms))]
    assert [any("not periodic along a" in remark for remark in remarks) for remarks in found] == [False, True]


def _open(atoms: Atoms) -> Frame:
    return replace(as_frame(atoms), pbc=np.zeros(3, dtype=bool))


def test_a_molecule_in_a_unit_cell_that_stands_for_none_is_no_piece_of_a_crystal() -> None:
    water = as_frame(molecule("H2O"))
    assert open_remark(replace(water, cell_ang=np.eye(3))) is None  # of 1 Å, as some programs write it


def test_a_box_that_is_shrunk_to_its_atoms_is_no_period() -> None:
    pair = as_frame(Atoms("O2", positions=[[0.0, 0.0, 0.0], [1.4, 0.0, 1.6]]))
    for share, said in ((1.0002, False), (1.1, True)):
        cell = np.diag([8.0, 8.0, 1.6 * share])
        assert bool(open_remark(replace(pair, cell_ang=cell))) == said


def test_many_odd_structures_are_no_flood_of_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    doubts = Doubts(None)
    for index in range(40):
        pair = Atoms("MgO", positions=[[0.0, 0.0, 0.0], [0.0, 0.0, 0.4 + 0.01 * index]])
        doubts.add([replace(as_frame(pair), index=index)], ChargeBatch(np.zeros((1, 2, 3, 3))))
    doubts.show(Console(), 40)
    said = " ".join("".join(capsys.readouterr()).split())
    assert said.count("0 (Mg) and 1 (O)") == 5
    assert "34 more of other frames" in said
