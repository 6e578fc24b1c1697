"""Overlapping atoms, and a net charge that is shared evenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from bec_md.network.oddities import oddities
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


def test_a_net_charge_is_said_to_be_shared_evenly() -> None:
    line = Atoms("NH4", positions=np.arange(5)[:, None] * [1.0, 0.0, 0.0])
    frame = replace(as_frame(line), total_charge=1.0)
    (said,) = oddities("universal", frame)
    assert said.startswith("net charge +1 e: by the sum rule every one of 5 atoms has +0.2 e of it")
    cell = as_frame(bulk("MgO", "rocksalt", a=4.21, cubic=True) * (3, 3, 3))
    assert not oddities("universal", replace(cell, total_charge=-2.0))
