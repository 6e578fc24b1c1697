"""What ASE files in `atoms.info`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from bec_md.errors import DataError
from bec_md.structure.from_ase import as_frame


@pytest.mark.parametrize(("stated", "charge"), [(None, 0.0), ("1", 1.0), (np.array(-1.0), -1.0)])
def test_a_net_charge_of_none_is_not_stated(stated: Any, charge: float) -> None:
    assert as_frame(Atoms("H", info={"charge": stated})).total_charge == charge
    assert as_frame(Atoms("H", info={"total_charge": None, "charge": stated})).total_charge == charge


@pytest.mark.parametrize("stated", ["none", float("nan"), np.ones(2)])
def test_a_net_charge_that_is_no_number_is_refused_in_words(stated: Any) -> None:
    with pytest.raises(DataError, match=r"atoms.info\['charge'\] is .* no finite number"):
        as_frame(Atoms("H", info={"charge": stated}))
