from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bec_md.charges.sum_rule import charge_sum, correct_equal, correct_mass, residual

MASSES = np.array([28.0, 16.0, 16.0, 7.0])
TENSORS = arrays(np.float64, (2, 4, 3, 3), elements=st.floats(-5.0, 5.0))


@settings(deadline=None, max_examples=40)
@given(TENSORS, st.sampled_from([0.0, -2.0]))
def test_both_corrections_restore_the_rule(z: np.ndarray, total: float) -> None:
    for corrected in (correct_equal(z, total), correct_mass(z, MASSES, total)):
        # rounding of sums of four numbers below 10
        assert np.allclose(charge_sum(corrected), total * np.eye(3), atol=1e-14 * 50)
        assert np.all(residual(corrected, total) < 1e-14 * 50)


@settings(deadline=None, max_examples=40)
@given(TENSORS)
def test_corrections_are_projections(z: np.ndarray) -> None:
    once = correct_mass(z, MASSES)
    assert np.allclose(correct_mass(once, MASSES), once, atol=1e-14 * 50)
    once = correct_equal(z)
    assert np.allclose(correct_equal(once), once, atol=1e-14 * 50)


def test_shares() -> None:
    z = np.zeros((4, 3, 3))
    z[0] = np.eye(3)
    assert np.allclose(correct_equal(z)[1], -0.25 * np.eye(3))
    assert np.allclose(correct_mass(z, MASSES)[3], -7.0 / 67.0 * np.eye(3))
    assert np.isclose(residual(z), np.sqrt(3.0 / 9.0) / 4.0)
