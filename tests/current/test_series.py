from __future__ import annotations

import numpy as np
import pytest

from bec_md.charges.sum_rule import correct_equal, correct_mass
from bec_md.current import CurrentSeries, concatenate, rules
from bec_md.current.sums import GroupSums
from bec_md.errors import DataError, UsageError
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

GROUPS = np.array([0, 1, 1, 2, 1, 0, 2, 1])
MASSES = np.array([28.0, 16.0, 17.0, 7.0, 16.0, 28.0, 7.0, 16.0])  # one O is heavier: mixed masses


def series(charges: np.ndarray, velocities: np.ndarray, total_charge: float = 0.0) -> CurrentSeries:
    sums = GroupSums(GROUPS, MASSES)
    charges = np.broadcast_to(charges, (len(velocities), *charges.shape[-3:]))
    return CurrentSeries(
        groups=("Si", "O", "Li"),
        timestep_fs=1.0,
        volume_ang3=100.0,
        group_mass_amu=sums.group_mass_amu,
        group_count=sums.group_count,
        group_inverse_mass=sums.group_inverse_mass,
        total_charge_e=total_charge,
        **sums.frame_sums(charges, velocities),
    )


def charges(seed: int, total: float | None = None) -> np.ndarray:
    z = np.random.default_rng(seed).normal(size=(8, 3, 3))
    return z if total is None else correct_equal(z, total)


def test_mass_rule_is_removing_the_center_of_mass_velocity() -> None:
    z, v = charges(1), np.random.default_rng(2).normal(size=(20, 8, 3))
    relative = v - (v * MASSES[:, None]).sum(axis=1, keepdims=True) / MASSES.sum()
    expected = np.einsum("nab,tnb->ta", z, relative)
    found = series(z, v)
    # the three are the same sums in another order: rounding of 8 terms of order 1
    assert np.allclose(found.total("mass"), expected, atol=1e-13)
    assert np.allclose(found.total("mass"), np.einsum("nab,tnb->ta", correct_mass(z, MASSES), v), atol=1e-13)
    assert np.allclose(found.partial("mass").sum(axis=1), found.total("mass"), atol=1e-13)


@pytest.mark.parametrize("total", [0.0, -2.0])
def test_equal_rule_is_the_current_of_corrected_tensors(total: float) -> None:
    z, v = charges(3), np.random.default_rng(4).normal(size=(20, 8, 3))
    relative = v - (v * MASSES[:, None]).sum(axis=1, keepdims=True) / MASSES.sum()
    expected = np.einsum("nab,tnb->ta", correct_equal(z, total), relative)
    assert np.allclose(series(z, v, total).total("equal"), expected, atol=1e-13)


@pytest.mark.parametrize("rule", ["mass", "equal"])
@pytest.mark.parametrize("total", [0.0, 1.0])
def test_a_uniform_boost_changes_no_partial_current(rule: str, total: float) -> None:
    z, v = charges(5), np.random.default_rng(6).normal(size=(50, 8, 3))
    still, moving = series(z, v, total), series(z, v + np.array([3.0, -2.0, 1.0]), total)
    # boost of the order of the velocities: agreement to rounding, far below the promised 1e-10
    assert np.allclose(still.partial(rule), moving.partial(rule), atol=1e-12)
    assert not np.allclose(still.total("none"), moving.total("none"), atol=0.1)


@pytest.mark.parametrize("rule", ["mass", "equal", "none"])
@pytest.mark.parametrize("at_rest", [True, False])
@pytest.mark.parametrize("total", [0.0, 2.0])
def test_f_sum_identity_in_the_canonical_ensemble(rule: str, at_rest: bool, total: float) -> None:
    """⟨J_g Jᵀ⟩ = k_B T × zz_sum for thermal velocities, per group and in total, for every rule."""
    rng = np.random.default_rng(7)
    temperature, frames = 300.0, 20_000
    spread = np.sqrt(BOLTZMANN_EV_K * temperature / AMU_ANG2_FS2_EV / MASSES)
    v = rng.normal(size=(frames, 8, 3)) * spread[:, None]
    if at_rest:
        v -= (v * MASSES[:, None]).sum(axis=1, keepdims=True) / MASSES.sum()
    found = series(charges(8), v, total)
    j, parts = found.total(rule), found.partial(rule)
    zz, zz_groups = found.zz_sum(rule)
    thermal = BOLTZMANN_EV_K * temperature / AMU_ANG2_FS2_EV
    scale = thermal * np.trace(zz) / 3.0
    # standard error of a covariance of Gaussians is √(2/frames) = 1 %; five of them
    tolerance = 0.05 * scale
    assert np.allclose(j.T @ j / frames, thermal * zz, atol=tolerance)
    for group in range(3):
        cross = parts[:, group].T @ j / frames
        assert np.allclose(0.5 * (cross + cross.T), thermal * zz_groups[group], atol=tolerance)


def test_temperature_of_each_group_leaves_out_the_center_of_mass() -> None:
    rng = np.random.default_rng(9)
    spread = np.sqrt(BOLTZMANN_EV_K * 500.0 / AMU_ANG2_FS2_EV / MASSES)
    v = rng.normal(size=(40_000, 8, 3)) * spread[:, None]
    v += np.array([0.1, 0.0, 0.0]) - (v * MASSES[:, None]).sum(axis=1, keepdims=True) / MASSES.sum()
    total, groups = series(charges(1), v).kinetic_temperature()
    # relative standard error √(2/(dof·frames)) ≤ 0.3 % for the six degrees of freedom of Li; four of them
    assert total == pytest.approx(500.0, rel=0.005)
    assert groups == pytest.approx([500.0] * 3, rel=0.012)


def test_residual_and_drift() -> None:
    z = charges(10, total=0.0) + 0.01 * np.eye(3)
    found = series(z, np.broadcast_to([0.0, 0.003, 0.004], (5, 8, 3)))
    # every atom violates by 0.01 on three of nine components
    assert found.sum_rule_residual_e() == pytest.approx(0.01 / np.sqrt(3.0), rel=1e-12)
    assert found.com_drift_ang_per_fs() == pytest.approx(0.005, rel=1e-12)


def test_a_series_of_j_alone_says_that_no_rule_applies() -> None:
    bare = CurrentSeries(np.ones((4, 1, 3)), ("total",), 1.0, 10.0)
    assert bare.effective_sum_rule("mass") == "none"
    assert np.array_equal(bare.total("mass"), np.ones((4, 3)))
    assert bare.zz_sum() is None
    assert bare.kinetic_temperature() is None
    with pytest.raises(UsageError, match="unknown sum rule"):
        bare.total("heavy")  # type: ignore[arg-type]


def test_slices_and_joining_are_inverse() -> None:
    whole = series(charges(1), np.random.default_rng(2).normal(size=(30, 8, 3)))
    joined = concatenate([whole[:7], whole[7:19], whole[19:]])
    for name, values in whole.time_fields():
        assert np.array_equal(values, getattr(joined, name)), name
    assert whole[10:].start_time_fs == 10.0
    assert whole[::3].timestep_fs == 3.0
    assert whole[::3].n_frames == 10


def test_joining_pieces_of_different_kind_is_refused() -> None:
    whole = series(charges(1), np.ones((4, 8, 3)))
    bare = CurrentSeries(whole.current, whole.groups, 1.0, 100.0)
    with pytest.raises(DataError, match="piece 2 and piece 1 do not both carry"):
        concatenate([whole, bare])
    other = CurrentSeries(np.ones((4, 1, 3)), ("total",), 1.0, 100.0)
    with pytest.raises(DataError, match="piece 2 has groups"):
        concatenate([whole, other])


def test_differences_are_not_strided() -> None:
    series_ = CurrentSeries(np.ones((9, 1, 3)), ("total",), 1.0, 10.0, scheme="midpoint")
    with pytest.raises(UsageError, match=r"step 2 of a current with scheme 'midpoint'"):
        series_[::2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timestep_fs": 0.0}, "timestep_fs of the current is 0.0 fs"),
        ({"volume_ang3": np.nan}, "volume_ang3 of the current is nan"),
        ({"groups": ("a", "a")}, "group names repeat"),
        ({"scheme": "leap"}, "unknown scheme 'leap'"),
        ({"current": np.ones((5, 3))}, r"shape \(5, 3\)"),
        (
            {"current": np.where(np.arange(30).reshape(5, 2, 3) == 13, np.nan, 1.0)},
            "not finite, or above 1e\\+100, in frame 2",
        ),
        ({"charge_sum": np.ones((4, 2, 3, 3))}, r"charge_sum has shape \(4, 2, 3, 3\)"),
        ({"group_count": np.array([1, 0])}, "group_count"),
    ],
)
def test_malformed_series_are_refused(change: dict, message: str) -> None:
    good = {"current": np.ones((5, 2, 3)), "groups": ("a", "b"), "timestep_fs": 1.0, "volume_ang3": 10.0}
    CurrentSeries(**good)
    with pytest.raises(DataError, match=message) as error:
        CurrentSeries(**(good | change))
    assert error.value.fix


def test_mass_terms_are_what_the_barycentric_frame_takes_from_the_f_sum() -> None:
    rng = np.random.default_rng(5)
    charge_sum = rng.normal(size=(50, 3, 3, 3))
    whole, mass = charge_sum.sum(axis=1), 40.0
    terms = rules.summed_mass_terms(charge_sum, whole, mass)
    # all groups together: Σ_t S Sᵀ/M
    exact = np.einsum("tac,tbc->ab", whole, whole) / mass
    assert np.allclose(terms.sum(axis=0), exact, rtol=1e-12)  # rounding of 50 products
    # v_com of a thermal center of mass carries k_B T S_g Sᵀ/M
    velocity = rng.normal(size=(50, 3))
    rest = rules.current_mass(np.zeros((50, 3, 3)), charge_sum, velocity)
    assert np.allclose(rest.sum(axis=1), -np.einsum("tab,tb->ta", whole, velocity), rtol=1e-12)


def test_arrays_of_any_kind_are_taken_and_what_is_no_real_number_is_refused() -> None:
    about = {"groups": "total", "timestep_fs": 2.0, "volume_ang3": 900.0, "temperature_k": 300.0}
    values = np.random.default_rng(3).normal(size=(30, 1, 3))
    for given in (values.tolist(), values.astype(object), np.asfortranarray(values), values.astype(">f8")):
        found = CurrentSeries(current=given, group_count=[3], **about)
        assert np.array_equal(found.total("none"), values[:, 0])
        assert (found.groups, found.n_atoms) == (("total",), 3)
    hidden = np.ma.masked_greater(values, 1.0)
    for given, message in ((hidden, "masked"), (values + 1j, "complex128"), ([[[1.0]], None], "no array")):
        with pytest.raises(DataError, match=message):
            CurrentSeries(current=given, **about)
    for name, value in (("temperature_k", np.nan), ("timestep_fs", "2"), ("volume_ang3", None)):
        with pytest.raises(DataError, match=f"{name} of the current is"):
            CurrentSeries(current=values, **about | {name: value})
