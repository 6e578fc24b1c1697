"""Every exactly solvable case agrees, and the comparison can fail."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum.response import conductivity
from bec_md.validate import CASES, run_validation
from bec_md.validate.crystal import cubic_crystal, random_crystal
from bec_md.validate.expectation import expected_sigma, omega_fs, sigma_of_susceptibility
from bec_md.validate.statistics import mean_square_error, scatter
from bec_md.validate.table import Check, ValidationTable


@cache
def validated(case: str) -> ValidationTable:
    return run_validation([case])


@pytest.mark.parametrize("case", list(CASES))
def test_case_agrees_with_its_exact_result(case: str) -> None:
    table = validated(case)
    # each row within 4 of its own predicted standard errors, or an identity to rounding: fixed seeds
    assert table.passed, table.to_text()
    # few rows, so the mean of z² is known to √(2/n) only; a wrong error bar shows far outside
    mean, error = table.mean_square_z
    if not math.isnan(mean):
        assert mean < 1.0 + 4.0 * error, table.to_text()


def test_unknown_case_is_named() -> None:
    with pytest.raises(UsageError, match="no case 'water'"):
        run_validation(["water"])


def test_a_wrong_factor_or_error_bar_fails() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(1.0, 0.1, size=(20, 30))
    good, error = scatter(values, np.full_like(values, 0.1), np.ones(30))
    # 600 independent squares: √(2/600)
    assert error == pytest.approx((2.0 / 600) ** 0.5, rel=0.3)
    assert abs(good - 1.0) < 4.0 * error
    assert scatter(values, np.full_like(values, 0.08), np.ones(30))[0] > 1.0 + 4.0 * error
    assert scatter(values * 1.05, np.full_like(values, 0.1), np.ones(30))[0] > 1.0 + 3.0 * error


@pytest.mark.parametrize(
    "name", ["static_susceptibility_fluctuation", "static_susceptibility_kramers_kronig"]
)
def test_a_wrong_factor_of_a_static_number_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(conductivity, name)
    monkeypatch.setattr(conductivity, name, lambda *given: 1.1 * right(*given))
    assert not run_validation(["static"]).passed


def test_correlated_frequencies_count_once() -> None:
    rng = np.random.default_rng(1)
    same = np.repeat(rng.normal(size=(200, 1)), 10, axis=1)
    assert mean_square_error(same) == pytest.approx(2.0**0.5, rel=1e-9)
    assert mean_square_error(rng.normal(size=(200, 10))) == pytest.approx(0.2**0.5, rel=0.05)


def test_rows_know_when_they_fail() -> None:
    assert Check("c", "q", 1.0, 1.3, 0.1).passed
    assert not Check("c", "q", 1.0, 1.5, 0.1).passed
    assert not Check("c", "q", 0.0, math.nan, 0.1).passed
    assert not Check("c", "q", 0.0, 1e-9, None, 1e-10).passed
    # what is promised counts, not the statistical error, where both are given
    assert not Check("c", "coverage", 0.68, 0.72, 0.05, 0.03).passed
    table = ValidationTable((Check("c", "q", 0.0, 1.0, 0.1),), (), {}, "0", True)
    assert not table.passed
    assert "DO NOT AGREE" in table.to_text()
    assert table.to_dict()["checks"][0]["standard_errors_off"] == pytest.approx(10.0)


def test_crystal_obeys_its_own_sum_rules() -> None:
    crystal = random_crystal()
    np.testing.assert_allclose(crystal.charges.sum(axis=0), 0.0, atol=1e-12)
    assert np.abs(crystal.charges - crystal.charges.swapaxes(1, 2)).max() > 0.3  # full tensors
    frequencies, vectors = crystal.modes()
    assert len(frequencies) == 21
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(21), atol=1e-12)
    # translations: no force, no current
    translation = np.kron(np.sqrt(crystal.masses_amu)[:, None], np.eye(3))
    np.testing.assert_allclose(crystal.dynamical_matrix @ translation, 0.0, atol=1e-14)
    # completeness: Σ_m Z̃Z̃ᵀ = Σ_i Z_i Z_iᵀ/m_i
    z = crystal.mode_charges()
    whole = np.einsum("iac,ibc,i->ab", crystal.charges, crystal.charges, 1.0 / crystal.masses_amu)
    np.testing.assert_allclose(z.T @ z, whole, rtol=1e-12)


def test_kernel_is_the_transform_of_the_dielectric_function() -> None:
    # the formula of ε against the closed form of ⟨JJ⟩, by a fine one-sided sum: no simulation at all
    crystal = random_crystal()
    dt, n = 0.25, 40000
    nu = 10.0 * np.arange(1, 120)
    times = np.arange(n) * dt
    kernel = crystal.kernel(times)
    weight = np.full(n, dt)
    weight[0] *= 0.5
    sigma = np.einsum("ft,tab->fab", np.exp(1j * np.outer(omega_fs(nu), times)) * weight, kernel)
    exact = sigma_of_susceptibility(nu, crystal.eps(nu) - crystal.eps_inf)
    from bec_md.validate.expectation import SIGMA_PER_KERNEL

    # trapezoidal rule: (ω dt)²/12 = 1e-4 at 1200 cm⁻¹
    np.testing.assert_allclose(SIGMA_PER_KERNEL * sigma, exact, atol=2e-4 * np.abs(exact).max())


def test_expectation_tends_to_the_formula_for_long_runs_and_fine_resolution() -> None:
    crystal = cubic_crystal(gamma_cm=60.0)
    dt, resolution = 2.0, 2.0
    n = 10**6
    size = 2**17
    from bec_md.units import SPEED_OF_LIGHT_CM_FS

    nu = np.arange(1, 2500) / (size * dt * SPEED_OF_LIGHT_CM_FS)
    nu = nu[nu < 900.0]
    found = expected_sigma(nu, crystal.kernel(np.arange(30000) * dt)[:, 0, 0], dt, n, resolution)
    exact = sigma_of_susceptibility(nu, (crystal.eps(nu) - crystal.eps_inf)[:, 0, 0])
    # kernel: 4σ²/γ² = 8e-4 at the peak; sampling: (γ dt)(ω dt)/12 in the tails
    assert np.abs(found - exact).max() < 2e-3 * np.abs(exact).max()


def test_lyddane_sachs_teller_of_a_triclinic_crystal_is_exact() -> None:
    crystal = random_crystal(seed=2)
    q = np.array([1.0, -2.0, 0.5])
    q /= np.linalg.norm(q)
    frequencies, _ = crystal.modes()
    ratio = np.prod((crystal.longitudinal(q) / frequencies) ** 2)
    static = crystal.eps(np.zeros(1))[0].real
    assert q @ static @ q / (q @ crystal.eps_inf @ q) == pytest.approx(ratio, rel=1e-10)


def test_figure_has_a_panel_for_each_curve() -> None:
    from bec_md.validate.figure import figure_of_validation

    table = validated("lorentz")
    figure = figure_of_validation(table)
    assert len(figure.axes) == len(table.curves) + 1
    x, y = figure.axes[0].lines[0].get_data()
    np.testing.assert_array_equal(x, table.curves[0].wavenumber_cm)
    np.testing.assert_array_equal(y, table.curves[0].exact)
