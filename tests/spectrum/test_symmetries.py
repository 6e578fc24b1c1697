"""What must not change, what must add up, and how the response transforms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bec_md.errors import UsageError
from bec_md.spectrum.compute import compute_spectrum
from tests.spectrum.exact import atoms_series, bare, langevin_oscillator, neutral_system

OPTIONS = {"temperature_k": 300.0, "resolution_cm": 80.0, "eps_inf": 2.0, "max_cm": 2000.0}


def boosted(seed: int, boost: np.ndarray, total_charge: float = 0.0) -> object:
    rng = np.random.default_rng(seed)
    species = ["Si", "O", "O", "Si", "O"]
    masses = np.array([28.085 if s == "Si" else 15.999 for s in species])
    charges = rng.normal(size=(5, 3, 3))
    if total_charge == 0.0:
        charges -= charges.mean(axis=0)
    velocities = rng.normal(size=(2000, 5, 3)) * 0.01 + boost
    return atoms_series(velocities, charges, masses, species, 1.0, total_charge_e=total_charge)


@pytest.mark.parametrize("rule", ["mass", "equal"])
@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_uniform_boost_changes_nothing(rule: str, estimator: str) -> None:
    options = {**OPTIONS, "sum_rule": rule, "estimator": estimator}
    rest = compute_spectrum(boosted(1, np.zeros(3)), **options)
    moved = compute_spectrum(boosted(1, np.array([0.3, -1.0, 2.0])), **options)
    # 2 Å/fs is 200 times the thermal velocity: cancellation of 1e-14 relative to the boost
    scale = np.abs(rest.sigma).max()
    assert np.abs(moved.sigma - rest.sigma).max() < 1e-10 * scale
    for group in rest.partial_n_alpha:
        np.testing.assert_allclose(
            moved.partial_n_alpha[group], rest.partial_n_alpha[group], atol=1e-10 * rest.n_alpha.max()
        )


def test_boost_of_a_cell_that_violates_the_sum_rule_is_removed_by_mass_only() -> None:
    boost = np.array([0.5, 0.0, 0.0])
    rest = compute_spectrum(boosted(2, 0 * boost, 1.0), **OPTIONS)
    moved = compute_spectrum(boosted(2, boost, 1.0), **OPTIONS)
    assert np.abs(moved.sigma - rest.sigma).max() < 1e-10 * np.abs(rest.sigma).max()
    raw = compute_spectrum(boosted(2, boost, 1.0), **{**OPTIONS, "sum_rule": "none"})
    assert np.abs(raw.sigma - rest.sigma).max() > 10.0 * np.abs(rest.sigma).max()


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_partials_and_matrix_sum_to_the_total(estimator: str) -> None:
    s = compute_spectrum(neutral_system(), **{**OPTIONS, "estimator": estimator, "group_matrix": True})
    total = sum(s.partial_n_alpha.values())
    assert np.abs(total - s.n_alpha).max() < 1e-12 * s.n_alpha.max()
    matrix = s.group_matrix_n_alpha
    assert matrix is not None
    np.testing.assert_allclose(matrix, np.swapaxes(matrix, 0, 1), rtol=0, atol=0)
    for g, values in enumerate(s.partial_n_alpha.values()):
        assert np.abs(matrix[g].sum(axis=0) - values).max() < 1e-12 * s.n_alpha.max()
    assert np.all(matrix[0, 0] >= 0.0)  # an auto-spectrum
    assert min(v.min() for v in s.partial_n_alpha.values()) < s.n_alpha.min()  # a partial may be negative


def test_groups_off_gives_the_same_total() -> None:
    a = compute_spectrum(neutral_system(), **OPTIONS)
    b = compute_spectrum(neutral_system(), **OPTIONS, groups=False)
    assert not b.partial_n_alpha
    np.testing.assert_array_equal(a.sigma, b.sigma)


def test_rotation_covariance() -> None:
    rotation = Rotation.from_euler("xyz", [0.3, -1.1, 0.7]).as_matrix()
    series = neutral_system()
    turned = replace(
        series,
        current=series.current @ rotation.T,
        momentum=series.momentum @ rotation.T,
        velocity_sum=series.velocity_sum @ rotation.T,
        charge_sum=rotation @ series.charge_sum @ rotation.T,
        zz_over_mass=rotation @ series.zz_over_mass @ rotation.T,
    )
    a, b = compute_spectrum(series, **OPTIONS), compute_spectrum(turned, **OPTIONS)
    scale = np.abs(a.eps).max()
    assert np.abs(rotation @ a.eps @ rotation.T - b.eps).max() < 1e-11 * scale
    np.testing.assert_allclose(a.n_alpha, b.n_alpha, rtol=1e-10)
    for name in ("fluctuation", "kramers_kronig"):
        np.testing.assert_allclose(rotation @ a.static[name] @ rotation.T, b.static[name], atol=1e-9)


def test_time_reversal() -> None:
    series = neutral_system()
    back = replace(
        series,
        current=-series.current[::-1],
        momentum=-series.momentum[::-1],
        velocity_sum=-series.velocity_sum[::-1],
    )
    a, b = compute_spectrum(series, **OPTIONS), compute_spectrum(back, **OPTIONS)
    # only the grouping into blocks differs: rounding
    assert np.abs(a.sigma - b.sigma).max() < 1e-12 * np.abs(a.sigma).max()


def test_conductivity_is_symmetric() -> None:
    s = compute_spectrum(neutral_system(), **OPTIONS)
    np.testing.assert_array_equal(s.sigma, np.swapaxes(s.sigma, 1, 2))


def test_supercell_and_units_scaling() -> None:
    series = neutral_system()
    a = compute_spectrum(series, **OPTIONS)
    # twice the current in four times the volume; half the temperature doubles the response
    b = compute_spectrum(
        replace(series, current=2.0 * series.current, charge_sum=2.0 * series.charge_sum, volume_ang3=4000.0),
        **{**OPTIONS, "temperature_k": 150.0},
    )
    np.testing.assert_allclose(b.sigma, 2.0 * a.sigma, rtol=1e-12)
    # time twice as slow: half the frequency, integral of σ over ω fixed
    c = compute_spectrum(
        replace(series, timestep_fs=2.0), **{**OPTIONS, "resolution_cm": 40.0, "max_cm": 1000.0}
    )
    np.testing.assert_allclose(c.wavenumber_cm, 0.5 * a.wavenumber_cm, rtol=1e-12)
    np.testing.assert_allclose(c.sigma, 2.0 * a.sigma, rtol=1e-9)


def test_replicas_are_weighted_with_their_lengths() -> None:
    rng = np.random.default_rng(0)
    v = rng.normal(size=(6000, 3))
    options = {"temperature_k": 300.0, "resolution_cm": 300.0, "dc": False}
    long, short = compute_spectrum(bare(v[:4500]), **options), compute_spectrum(bare(v[4500:]), **options)
    both = compute_spectrum([bare(v[:4500]), bare(v[4500:])], **options)
    np.testing.assert_allclose(both.n_alpha, 0.75 * long.n_alpha + 0.25 * short.n_alpha, rtol=1e-10)
    # error of the mean as of one run of the joint length
    whole = compute_spectrum(bare(v), **options)
    assert np.median(both.n_alpha_err / both.n_alpha) == pytest.approx(
        np.median(whole.n_alpha_err / whole.n_alpha), rel=0.03
    )
    assert both.parameters["n_replicas"] == 2
    assert both.parameters["n_frames"] == 6000


def test_replicas_of_different_volume_average_their_conductivities() -> None:
    v, w = np.random.default_rng(0).normal(size=(2, 2000, 3))
    options = {"temperature_k": 300.0, "resolution_cm": 300.0, "dc": False}
    a = compute_spectrum(bare(v, volume_ang3=900.0), **options)
    b = compute_spectrum(bare(w, volume_ang3=1100.0), **options)
    both = compute_spectrum([bare(v, volume_ang3=900.0), bare(w, volume_ang3=1100.0)], **options)
    np.testing.assert_allclose(both.n_alpha, 0.5 * (a.n_alpha + b.n_alpha), rtol=1e-10)


def test_replicas_that_do_not_match_are_refused() -> None:
    v = np.random.default_rng(0).normal(size=(500, 3))
    with pytest.raises(UsageError, match="time step"):
        compute_spectrum([bare(v), bare(v, 2.0)], temperature_k=300.0)
    with pytest.raises(UsageError, match="groups"):
        compute_spectrum([bare(v), replace(bare(v), groups=("other",))], temperature_k=300.0)
    with pytest.raises(UsageError, match="velocities"):
        compute_spectrum([bare(v), bare(v, scheme="midpoint")], temperature_k=300.0)
    with pytest.raises(UsageError, match="no current"):
        compute_spectrum([], temperature_k=300.0)


def test_temperature_comes_from_the_velocities_if_not_given() -> None:
    series = neutral_system(n=8000, n_atoms=12)
    s = compute_spectrum(series, resolution_cm=80.0)
    assert s.temperature_k == pytest.approx(series.kinetic_temperature()[0], rel=1e-12)
    assert "kinetic" in s.parameters["temperature_source"]
    with pytest.raises(UsageError, match="temperature"):
        compute_spectrum(replace(series, scheme="midpoint"), resolution_cm=80.0)


def test_decimated_run_gives_the_same_spectrum_below_its_nyquist() -> None:
    _, v = langevin_oscillator(40000, 1.0, 400.0, 80.0, 10.0, 1)
    a = compute_spectrum(bare(v), temperature_k=300.0, resolution_cm=40.0, max_cm=700.0)
    b = compute_spectrum(bare(v[::4], 4.0), temperature_k=300.0, resolution_cm=40.0, max_cm=700.0)
    values = np.interp(a.wavenumber_cm, b.wavenumber_cm, b.n_alpha)
    # folding of the Lorentzian tail above 4170 cm⁻¹: (γ/ω)² ~ 1 % of the maximum
    assert np.abs(values - a.n_alpha).max() < 0.02 * a.n_alpha.max()
