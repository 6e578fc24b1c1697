"""The error of the f-sum ratio knows how few energies carry it."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.errors.mean_square import limits, relative_error
from bec_md.spectrum.errors.quality_checks import check_f_sum
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.periodogram import periodogram
from tests.benchmarks.f_sum_errors import CASES, Array, conserved, series
from tests.spectrum.exact import bare


def errors_of(currents: list[Array], step_fs: float = 4.0) -> tuple[Array, Array]:
    """Ratios ⟨J²⟩ and stated errors of replicas taken one by one, (S, 3)."""
    found = [periodogram(open_blocks((bare(v, step_fs),), "mass"), correlated=True) for v in currents]
    error = np.array([relative_error(b, b.length * b.timestep_fs) for b in found])
    return np.array([(v**2).mean(axis=0) for v in currents]), error


@pytest.mark.parametrize("modes", [1, 2, 3, 8, 30])
def test_two_standard_errors_hold_the_ratio_of_conserved_modes(modes: int) -> None:
    squares, error = errors_of([conserved(modes, seed) for seed in range(300)])
    ratio = squares / squares.mean()
    # 900 ratios: 5 % ± 0.7 %; the scatter of a χ² of 2n degrees of freedom is 1/√n
    assert (np.abs(ratio - 1.0) > 2.0 * error).mean() < 0.07
    assert 0.9 / np.sqrt(modes) < np.sqrt((error**2).mean()) < 1.35 / np.sqrt(modes)


def test_the_error_of_white_noise_is_that_of_its_samples() -> None:
    rng = np.random.default_rng(0)
    error = errors_of([rng.normal(size=(5000, 3)) for _ in range(20)])[1]
    assert np.sqrt((error**2).mean()) == pytest.approx(np.sqrt(2.0 / 5000), rel=0.05)  # 60 of 2 % each


@pytest.mark.parametrize("replicas", [2, 5])
def test_replicas_of_one_mode_are_as_many_energies(replicas: int) -> None:
    rng, phase = np.random.default_rng(4), 0.2 * np.arange(1000)[:, None]
    currents = tuple(
        bare(a * np.cos(phase) + b * np.sin(phase), 4.0) for a, b in rng.normal(size=(replicas, 2, 3))
    )
    found = periodogram(open_blocks(currents, "mass"), correlated=True)
    error = relative_error(found, replicas * found.length * found.timestep_fs)
    np.testing.assert_allclose(error, 1.0 / np.sqrt(replicas), rtol=0.01)


def test_the_mean_of_a_current_is_one_degree_of_freedom() -> None:
    drift = np.ones((1000, 3)) + 0.01 * np.random.default_rng(0).normal(size=(1000, 3))
    assert errors_of([drift])[1] == pytest.approx(np.sqrt(2.0), rel=0.02)


def test_limits_are_those_of_a_normal_distribution_for_many_and_of_one_energy_for_one() -> None:
    low, high = limits(np.array([1e-4, 1.0]), 3.0)
    assert low[0] == pytest.approx(1.0 - 3e-4, abs=2e-6)
    assert high[0] == pytest.approx(1.0 + 3e-4, abs=2e-6)
    assert high[1] == pytest.approx(-np.log(0.00135), rel=1e-3)  # exp(-r)
    assert low[1] < 0.00135


@pytest.mark.parametrize("case", ["NVE, 1 modes along each axis", "NVE, 3 modes along each axis"])
def test_short_runs_of_few_modes_pass_and_what_no_energy_explains_does_not(case: str) -> None:
    make, count = CASES[case]
    status = []
    for seed in range(30):
        found = compute_spectrum(series(make(seed), count), temperature_k=300.0, resolution_cm=60.0, dc=False)
        status.append(found.quality["f_sum"].status)
    assert status.count("ok") >= 29
    error = np.array(found.parameters["f_sum_error"])
    assert check_f_sum(np.full(3, 100.0), error).status == "fail"  # J in other units
    assert check_f_sum(np.full(3, 1e-6), error).status == "fail"  # Å/ps taken for Å/fs


@pytest.mark.parametrize("factor", [1.15, 1 / 1.15])
def test_many_modes_still_show_a_wrong_volume(factor: float) -> None:
    velocities = 1e-3 * np.random.default_rng(1).normal(size=(20000, 3))
    current = bare(velocities, 4.0, zz_over_mass=np.eye(3)[None, None] / 10.0)
    from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

    right_k = 1e-6 * 10.0 * AMU_ANG2_FS2_EV / BOLTZMANN_EV_K
    for wrong, passes in ((1.0, True), (factor, False)):
        found = compute_spectrum(current, temperature_k=right_k * wrong, resolution_cm=60.0, dc=False)
        assert (found.quality["f_sum"].status == "ok") is passes
