"""What ASE files in `atoms.info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms

from bec_md.errors import DataError
from bec_md.structure.from_ase import as_frame
from bec_md.training.config import Source
from bec_md.training.teacher import read_geometries


@pytest.mark.parametrize(("stated", "charge"), [(None, 0.0), ("1", 1.0), (np.array(-1.0), -1.0)])
def test_a_net_charge_of_none_is_not_stated(stated: Any, charge: float) -> None:
    assert as_frame(Atoms("H", info={"charge": stated})).total_charge == charge
    assert as_frame(Atoms("H", info={"total_charge": None, "charge": stated})).total_charge == charge


def test_a_charge_of_none_that_ase_has_stored_is_not_one_e(tmp_path: Path) -> None:
    """ASE writes the key alone, and reads it as True."""
    ase.io.write(tmp_path / "a.xyz", Atoms("H", info={"charge": None}))
    atoms = ase.io.read(tmp_path / "a.xyz")
    assert atoms.info["charge"] is True
    assert as_frame(atoms).total_charge == 0.0
    (frame,) = read_geometries(tmp_path / "a.xyz", Source(path="a.xyz", level="pbe", total_charge=2.0))
    assert frame.total_charge == 2.0


@pytest.mark.parametrize("stated", ["none", float("nan"), np.ones(2)])
def test_a_net_charge_that_is_no_number_is_refused_in_words(stated: Any) -> None:
    with pytest.raises(DataError, match=r"atoms.info\['charge'\] is .* no finite number"):
        as_frame(Atoms("H", info={"charge": stated}))
