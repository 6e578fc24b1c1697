"""Point groups of runs: of the mean structure, in any setting, none for liquids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.spectrum.analysis.point_group import named_group, point_group
from bec_md.spectrum.analysis.symmetrize import symmetrized
from bec_md.structure import Frame
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.mean_structure import LEAST_ANG, MOST_ANG, MeanStructure, mean_structure
from tests.spectrum.test_symmetrize import run

QUARTZ = Path(__file__).parents[2] / "examples/quartz/quartz_300K.npz"
#: Rock salt, a cube of 4.2 Å.
SALT = (
    np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2], [2, 2, 2]]) * 1.05
)
SPECIES = np.array([12] * 4 + [8] * 4)


def group_of(mean: MeanStructure) -> str:
    return point_group(mean.cell_ang, mean.positions_ang, mean.numbers, mean.tolerance_ang).symbol


def salt_run(
    amplitude_ang: float, frames: int, *, walk: bool = False, drift_ang: float = 0.0
) -> Iterator[Frame]:
    """Rock salt with white thermal noise (or its sum, a walk), wrapped into its cell, drifting along x."""
    rng = np.random.default_rng(7)
    steps = amplitude_ang * rng.normal(size=(frames, 8, 3))
    moved = np.cumsum(steps, axis=0) if walk else steps
    for index, displacement in enumerate(moved):
        positions = SALT + displacement + np.array([drift_ang * index, 0.0, 0.0])
        yield Frame(
            positions_ang=positions % 4.2,
            velocities_ang_fs=None,
            cell_ang=4.2 * np.eye(3),
            pbc=np.array([True] * 3),
            numbers=SPECIES,
            index=index,
        )


def test_the_mean_structure_of_quartz_has_its_point_group() -> None:
    mean = mean_structure(open_trajectory(QUARTZ, stop=2000).frames())
    assert mean.is_crystal
    assert LEAST_ANG < mean.tolerance_ang < MOST_ANG
    found = point_group(mean.cell_ang, mean.positions_ang, mean.numbers, mean.tolerance_ang)
    assert (found.symbol, len(found.rotations)) == ("32", 6)
    # a single frame has none: it is the mean that is symmetric
    first = next(iter(open_trajectory(QUARTZ, stop=1).frames()))
    assert point_group(first.cell_ang, first.positions_ang, first.numbers, mean.tolerance_ang).trivial


def test_the_mean_does_not_depend_on_wrapping_drift_or_the_number_of_frames() -> None:
    for frames in (63, 64, 65, 300):
        mean = mean_structure(salt_run(0.1, frames, drift_ang=0.05))
        assert mean.frames == frames
        between = mean.positions_ang[None] - mean.positions_ang[:, None] - (SALT[None] - SALT[:, None])
        between -= 4.2 * np.round(between / 4.2)
        # the largest of 168 differences of two means: 4.5 standard errors of √2 · 0.1/√frames
        assert np.abs(between).max() < 4.5 * 2.0**0.5 * 0.1 / frames**0.5
        # halves differ by |three normal numbers| · 0.2/√frames, the largest of eight atoms
        assert 0.2 < mean.halves_ang * frames**0.5 / 0.2 < 4.5
    assert group_of(mean) == "m-3m"


def test_atoms_that_leave_their_places_are_no_crystal() -> None:
    assert mean_structure(salt_run(0.1, 200)).is_crystal
    assert not mean_structure(salt_run(0.2, 200, walk=True)).is_crystal


def test_rotations_of_a_cell_that_is_strained_by_noise_are_rotations() -> None:
    strain = np.eye(3) + 1e-3 * np.random.default_rng(1).normal(size=(3, 3))
    found = point_group(4.2 * strain, SALT @ strain, SPECIES, 0.05)
    assert found.symbol == "m-3m"
    products = np.einsum("nab,ncb->nac", found.rotations, found.rotations)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-12)
    assert symmetrized(run(1), found).parameters["symmetry"] == "m-3m"  # which refuses what is no group


def test_a_supercell_keeps_what_its_shape_allows() -> None:
    doubled = np.concatenate([SALT, SALT + np.array([0.0, 0.0, 4.2])])
    found = point_group(np.diag([4.2, 4.2, 8.4]), doubled, np.tile(SPECIES, 2))
    assert (found.symbol, len(found.rotations)) == ("4/mmm", 16)


def test_a_named_group_is_that_of_the_structure_in_the_standard_setting() -> None:
    mean = mean_structure(open_trajectory(QUARTZ, stop=2000).frames())
    found = point_group(mean.cell_ang, mean.positions_ang, mean.numbers, mean.tolerance_ang)
    spectrum = run(2, (400.0, 500.0, 700.0))
    one, other = symmetrized(spectrum, found), symmetrized(spectrum, named_group("32"))
    scale = float(np.abs(one.sigma).max())
    # rotations of the mean cell, whose axes are where the run put them to four digits of a
    np.testing.assert_allclose(one.sigma, other.sigma, atol=1e-6 * scale)
    plain = one.parameters["symmetry_plain"]["n_alpha_integral_cm2"]
    step = spectrum.wavenumber_cm[1] - spectrum.wavenumber_cm[0]
    assert plain[2] == pytest.approx(step * spectrum.get("n_alpha", along="z").sum(), rel=1e-12)
    assert plain[0] != pytest.approx(plain[1], rel=1e-3)


@pytest.mark.parametrize(
    ("symbol", "operations"), [("1", 1), ("-1", 2), ("4mm", 8), ("6/mmm", 24), ("m-3m", 48)]
)
def test_named_groups_have_their_order(symbol: str, operations: int) -> None:
    assert len(named_group(symbol).rotations) == operations
    assert named_group(symbol).trivial == (operations < 3)


def test_what_is_no_crystal_or_no_group_is_said() -> None:
    with pytest.raises(UsageError, match="neither a file nor a point group"):
        named_group("m3m")
    with pytest.raises(DataError, match="no crystal"):
        mean_structure(iter(()))
    with pytest.raises(DataError, match="no symmetry can be found"):
        point_group(np.eye(3), np.zeros((2, 3)), [8, 8])
