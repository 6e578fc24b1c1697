"""Results do not depend on batches, threads or the order of atoms; empty input is no special case."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from bec_md.errors import DataError
from bec_md.network.native import NativeEngine, NativeModel
from tests.native.conftest import ELEMENTS, Reference, random_frame


@pytest.fixture(scope="module")
def model(reference: Reference) -> NativeModel:
    return NativeModel(reference.path, "PBE", ELEMENTS)


def test_threads_give_identical_bits(model: NativeModel) -> None:
    frames = [random_frame(seed, n_atoms=40, length=8.0) for seed in range(16)]
    one = model.predict_frames(frames, threads=1, members=True)
    large = frames[0].repeat((4, 3, 3))  # one frame: threads share its atoms
    for threads in (2, 3):
        several = model.predict_frames(frames, threads=threads, members=True)
        np.testing.assert_array_equal(several.charges, one.charges)
        np.testing.assert_array_equal(several.members, one.members)
        np.testing.assert_array_equal(several.eps_inf, one.eps_inf)
        np.testing.assert_array_equal(
            model.predict_frames([large], threads=threads).charges, model.predict_frames([large]).charges
        )


def test_batches_give_identical_bits(model: NativeModel) -> None:
    frames = [random_frame(seed, n_atoms=10 + seed) for seed in range(7)]
    together = model.predict_frames(frames)
    for index, frame in enumerate(frames):
        atoms = slice(together.first_atom[index], together.first_atom[index + 1])
        np.testing.assert_array_equal(model.predict_frames([frame]).charges, together.charges[atoms])


def test_order_of_atoms(model: NativeModel) -> None:
    frame = random_frame(21, n_atoms=50, length=8.5)
    order = np.random.default_rng(1).permutation(50)
    # sums over neighbors in another order: float32 rounding
    np.testing.assert_allclose(
        model.predict_frames([frame[order]]).charges, model.predict_frames([frame]).charges[order], atol=1e-6
    )


def test_supercell_has_the_same_tensors(model: NativeModel) -> None:
    frame = random_frame(22, n_atoms=12, length=5.0)
    unit = model.predict_frames([frame], sum_rule=False).charges
    large = model.predict_frames([frame.repeat((5, 4, 5))], sum_rule=False).charges  # sorted in space as well
    np.testing.assert_allclose(large.reshape(-1, 12, 3, 3), np.broadcast_to(unit, (100, 12, 3, 3)), atol=1e-6)


def test_rotation_rotates_the_tensors(model: NativeModel) -> None:
    frame = random_frame(23)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[
        0
    ]  # a reflection as well, by chance
    turned = frame.copy()
    turned.set_cell(np.asarray(frame.cell) @ rotation.T)
    turned.positions = frame.positions @ rotation.T
    expected = rotation @ model.predict_frames([frame]).charges @ rotation.T
    np.testing.assert_allclose(model.predict_frames([turned]).charges, expected, atol=2e-6)


def test_nothing(model: NativeModel) -> None:
    empty = Atoms(cell=np.eye(3) * 5, pbc=True)
    result = model.predict_frames([empty, random_frame(24), empty], members=True)
    assert result.charges.shape == (24, 3, 3)
    assert np.isfinite(result.charges).all()
    np.testing.assert_array_equal(result.eps_inf[0], np.eye(3))
    assert model.predict_frames([]).charges.shape == (0, 3, 3)


def test_smooth_at_the_cutoff(model: NativeModel) -> None:
    def charge(distance: float) -> float:
        pair = Atoms("SiO", positions=[(0, 0, 0), (distance, 0, 0)])
        return float(model.predict_frames([pair], sum_rule=False).charges[0, 0, 0])

    cutoff = model.cutoff_ang
    alone = charge(cutoff + 1.0)
    # the envelope falls as the third power of the distance to the cutoff: (0.02/5)³ × 56 = 4e-6
    assert charge(cutoff - 0.02) == pytest.approx(alone, abs=2e-5)
    assert charge(cutoff - 1e-6) == pytest.approx(alone, abs=1e-7)


def test_engine(reference: Reference) -> None:
    engine = NativeEngine(reference.path, "PBE", threads=1)
    assert engine.name.startswith("native")
    silicon = Atoms("Si2", positions=[(0, 0, 0), (2.3, 0, 0)], cell=np.eye(3) * 8, pbc=True)
    mixed = random_frame(25)
    answers = engine.evaluate([silicon, silicon])
    members, eps_inf = answers["charges"], answers["eps_inf"]
    assert members.shape == (2, 4, 2, 3, 3)
    assert eps_inf.shape == (2, 3, 3)
    members = engine.evaluate([mixed])["charges"]
    expected = reference.predict([mixed])["charges"].numpy()
    np.testing.assert_allclose(members[0].swapaxes(0, 1), expected, atol=5e-6)  # members are several e large
    again = engine.evaluate([silicon, silicon])["charges"]
    np.testing.assert_array_equal(again[0], again[1])


def test_positions_that_are_not_numbers(model: NativeModel) -> None:
    broken = random_frame(26)
    broken.positions[3, 1] = np.nan
    with pytest.raises(DataError, match="position of atom 3 in frame 1 of the batch is not a finite"):
        model.predict_frames([random_frame(27), broken])
    flat = random_frame(28)
    flat.cell[2] = flat.cell[0] + flat.cell[1]
    with pytest.raises(DataError, match="lie in a plane"):
        model.predict_frames([flat])
