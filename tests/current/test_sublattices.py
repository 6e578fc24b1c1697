"""Sublattices of a crystal as groups: found in the mean structure of a run, kept with the current."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bec_md import compute_current, compute_spectrum, load_current
from bec_md.current.sublattices import sublattices
from bec_md.errors import DataError
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.mean_structure import MeanStructure, mean_structure

QUARTZ = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"


@pytest.fixture(scope="module")
def mean() -> MeanStructure:
    return mean_structure(islice(open_trajectory(QUARTZ).frames(), 2000))


def test_quartz_has_three_silicon_and_six_oxygen_sublattices(mean: MeanStructure) -> None:
    found = sublattices(mean)
    assert sorted(found.names) == ["O1", "O2", "O3", "O4", "O5", "O6", "Si1", "Si2", "Si3"]
    assert np.bincount(found.index).tolist() == [8] * 9  # 2 × 2 × 2 cells
    cell = mean.cell_ang / 2.0
    for group in range(9):  # atoms of one differ by vectors of the lattice
        own = mean.positions_ang[found.index == group]
        apart = (own - own[0]) @ np.linalg.inv(cell)
        assert np.abs(apart - np.round(apart)).max() < 0.05


def test_a_liquid_has_none(mean: MeanStructure) -> None:
    moving = MeanStructure(**{**vars(mean), "spread": 0.5})
    with pytest.raises(DataError, match="no sublattices"):
        sublattices(moving)


def test_a_current_keeps_them_with_the_structure(tmp_path: Path, mean: MeanStructure) -> None:
    charges = {"Si": 3.4, "O": -1.7}
    compute_current(
        QUARTZ, charges=f"fixed:Si={charges['Si']},O={charges['O']}", groups="sublattices", stop=2000,
        output=tmp_path / "q.h5",
    )  # fmt: skip
    series = load_current(tmp_path / "q.h5")
    assert series.metadata["sublattices"] is True
    kept = MeanStructure.from_dict(series.metadata["mean_structure"])
    np.testing.assert_allclose(kept.positions_ang, mean.positions_ang, atol=1e-9)
    found = compute_spectrum(series, resolution_cm=10.0, max_cm=1300.0)
    modes = found.parameters["control_variates_modes"]
    assert sum(mode["coordinates"] for mode in modes) == 24  # 27 less the center of mass
    # the E and A2 bands of the phonon calculation in examples/quartz/README.md, within anharmonic shifts
    at = np.array([mode["wavenumber_cm"] for mode in modes])
    for wavenumber in (261.3, 431.8, 678.9, 1042.3, 1126.1):
        assert np.abs(at - wavenumber).min() < 25.0
    plain = compute_spectrum(series, control_variates="none", resolution_cm=10.0, max_cm=1300.0)
    # three directions of one Δε: what differs between them in 10 ps is mode energies
    spread = [np.ptp(np.diag(s.static["fluctuation"])[:2]) for s in (plain, found)]
    assert spread[1] < 0.5 * spread[0]
