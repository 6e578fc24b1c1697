"""Signs, factors of two and Kramers–Kronig of the one-sided transform."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants as si

from bec_md import units
from bec_md.spectrum.estimators import one_sided
from bec_md.spectrum.response import conductivity as response
from bec_md.spectrum.response.conductivity import OMEGA_PER_CM
from tests.spectrum.exact import kt_amu, lorentz_chi, omega_fs, oscillator_correlation

VOLUME, TEMPERATURE, MASS = 1000.0, 300.0, 10.0


def exact_estimate(correlation: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumbers and complex σ of an exact, fully decayed correlation function."""
    size = 2 * len(correlation) + 2
    power = one_sided.two_sided_transform(correlation, size, dt)
    sigma = response.conductivity_from_power(power, VOLUME, TEMPERATURE)
    return one_sided.wavenumber_grid_cm(size, dt), one_sided.analytic_response(sigma)


def test_one_charge_gives_the_lorentz_oscillator_both_parts() -> None:
    dt = 0.05
    t = np.arange(60000) * dt
    nu, sigma = exact_estimate(oscillator_correlation(t, 500.0, 80.0, MASS), dt)
    keep = slice(20, 900)
    chi = response.susceptibility(nu[keep], sigma[keep])
    exact = lorentz_chi(nu[keep], 500.0, 80.0, 1.0 / MASS, VOLUME)
    # trapezoidal rule: relative error (ω dt)²/12 and its Kramers–Kronig partner, below 1e-5 at dt = 0.05 fs
    np.testing.assert_allclose(chi, exact, atol=3e-5 * np.abs(exact).max())
    assert np.all(chi.imag > 0.0)  # e^{−iωt}: absorption is positive
    assert chi.real[np.argmin(np.abs(nu[keep] - 300.0))] > 0.0  # below resonance
    assert chi.real[np.argmin(np.abs(nu[keep] - 700.0))] < 0.0  # above


def test_free_ions_give_drude() -> None:
    dt, gamma = 0.05, 0.02
    t = np.arange(60000) * dt
    nu, sigma = exact_estimate(kt_amu() / MASS * np.exp(-gamma * t), dt)
    # n q²/m/(γ − iω) in S/m
    n_q2_m = si.e**2 / (si.atomic_mass * MASS) / (VOLUME * 1e-30)
    exact = n_q2_m / (gamma * 1e15 - 1j * OMEGA_PER_CM * nu)
    # trapezoidal rule: relative errors (γ dt)²/12 = 1e-7 at ω = 0, (ω dt)²/12 = 5e-5 at the end
    np.testing.assert_allclose(sigma[:400], exact[:400], rtol=5e-5)
    assert np.all(sigma.imag[1:400] > 0.0)


def test_overdamped_rotor_gives_debye() -> None:
    # ⟨M(t)M(0)⟩ = M² e^{−t/τ}: ⟨JJ⟩ = −C_M''; sampled with its delta function left to the integral of M
    dt, tau, strength = 0.05, 200.0, 7.3
    t = np.arange(1, 60001) * dt
    corr = np.concatenate([[0.0], -strength / tau**2 * np.exp(-t / tau)])
    # the delta at t = 0 makes the total ∫⟨JJ⟩dt vanish
    corr[0] = -2.0 * corr[1:].sum()
    nu, sigma = exact_estimate(corr, dt)
    chi = response.susceptibility(nu[1:500], sigma[1:500])
    delta_eps = units.SUSCEPTIBILITY * strength / (VOLUME * TEMPERATURE)
    exact = delta_eps / (1.0 - 1j * OMEGA_PER_CM * nu[1:500] * tau * 1e-15)
    np.testing.assert_allclose(chi, exact, rtol=1e-3)  # dt/2τ = 1e-4 from the discrete delta


def test_analytic_response_returns_the_one_sided_transform() -> None:
    rng = np.random.default_rng(0)
    c = rng.normal(size=200) * np.exp(-np.arange(200) / 30.0)
    size = 600
    phase = np.exp(2j * np.pi * np.outer(np.arange(size // 2 + 1), np.arange(200)) / size)
    weights = np.ones(200)
    weights[0] = 0.5
    direct = phase @ (weights * c)
    found = one_sided.analytic_response(0.5 * one_sided.two_sided_transform(c, size, 1.0))
    np.testing.assert_allclose(found, direct, atol=1e-12)  # rounding of two FFTs


def test_continuous_response_takes_off_the_images_of_sampling() -> None:
    # 1000 cm⁻¹ stored every 5 fs: without the correction ε₁ is off by ω_p²Δ²/12 at every frequency
    dt, nu0, gamma = 5.0, 1000.0, 40.0
    t = np.arange(2000) * dt
    corr = oscillator_correlation(t, nu0, gamma, MASS)
    size = 2 * len(corr) + 2
    power = one_sided.two_sided_transform(corr, size, dt)
    real = response.conductivity_from_power(power, VOLUME, TEMPERATURE)
    nu = one_sided.wavenumber_grid_cm(size, dt)
    keep = (nu > 20.0) & (nu < 700.0)
    exact = lorentz_chi(nu[keep], nu0, gamma, 1.0 / MASS, VOLUME).real
    shift = units.PLASMA_FREQUENCY2_FS2 / MASS / VOLUME * dt**2 / 12.0
    errors = []
    for transform in (one_sided.analytic_response, one_sided.continuous_response):
        chi = response.susceptibility(nu[keep], transform(real)[keep])
        errors.append(chi.real - exact)
    np.testing.assert_allclose(errors[0], shift, rtol=0.3)  # the next order is (ω₀Δ)²/20 = 4 %, and γ
    assert np.abs(errors[1]).max() < 0.25 * shift
    assert np.array_equal(one_sided.continuous_response(real).real, one_sided.analytic_response(real).real)


def test_kramers_kronig_against_the_principal_value_integral() -> None:
    dt = 0.25
    nu, sigma = exact_estimate(oscillator_correlation(np.arange(16000) * dt, 500.0, 80.0, MASS), dt)
    step = nu[1]
    for target in (600, 3000, 5001):
        # Maclaurin's rule: every other point, the pole sits between; 2ν/(ν² − ν'²) for even Re σ.
        other = np.arange(1 - target % 2, len(nu), 2)
        kernel = 2.0 * nu[target] / (nu[target] ** 2 - nu[other] ** 2)
        kernel[other == 0] *= 0.5
        integral = 2.0 * step / np.pi * np.sum(kernel * sigma.real[other])
        # the band ends at Nyquist: what is above 66 000 cm⁻¹ is missing from the integral, 1e-3 of max
        assert sigma.imag[target] == pytest.approx(integral, abs=1e-3 * sigma.real.max())


def test_f_sum_and_static_limit_of_the_exact_oscillator() -> None:
    dt = 0.25
    corr = oscillator_correlation(np.arange(16000) * dt, 500.0, 80.0, MASS)
    nu, sigma = exact_estimate(corr, dt)
    omega = omega_fs(nu) * 1e15
    weight = np.full(len(nu), omega[1])
    weight[[0, -1]] *= 0.5
    integral = np.sum(sigma.real / si.epsilon_0 * weight)  # ∫ω ε₂ dω up to Nyquist
    exact = np.pi / (2.0 * si.epsilon_0 * VOLUME * 1e-30) * si.e**2 / (MASS * si.atomic_mass)
    assert integral == pytest.approx(exact, rel=1e-12)  # the discrete identity holds to rounding
    static = response.static_susceptibility_kramers_kronig(corr, dt, VOLUME, TEMPERATURE)
    assert static == pytest.approx(lorentz_chi(np.zeros(1), 500.0, 80.0, 1 / MASS, VOLUME)[0].real, rel=1e-3)


def test_constants_of_the_reference() -> None:
    assert pytest.approx(2.099852e6, rel=1e-6) == units.SUSCEPTIBILITY
    # σ[S/m] = 1.859249e7 ∫⟨JJ⟩[(eÅ/ps)² ps]/(V T); here (eÅ/fs)² fs: 1e-3 of the number per unit
    assert pytest.approx(1.859249e7 * 1e3, rel=1e-6) == units.CONDUCTIVITY_S_M
    assert pytest.approx(3.767303, rel=1e-6) == units.ABSORPTION_CM_PER_S_M
    nu_p = np.sqrt(units.PLASMA_FREQUENCY2_FS2) / (2 * np.pi * units.SPEED_OF_LIGHT_CM_FS)
    assert nu_p == pytest.approx(7014.729, rel=1e-6)
    # two-sided power density S = 2∫₀^∞: half of it enters σ
    assert response.conductivity_from_power(np.ones(1), 1.0, 1.0)[0] == pytest.approx(
        0.5 * 1.859249e10, rel=1e-6
    )


def test_sigma_follows_from_epsilon_as_defined() -> None:
    rng = np.random.default_rng(1)
    nu = np.linspace(1.0, 100.0, 7)
    sigma = rng.normal(size=(7, 3, 3)) + 1j * rng.normal(size=(7, 3, 3))
    eps_inf = np.diag([2.0, 2.5, 3.0])
    eps = response.dielectric_function(nu, sigma, eps_inf)
    np.testing.assert_allclose(
        -1j * response.omega_eps0(nu)[:, None, None] * (eps - eps_inf), sigma, rtol=1e-12
    )


def test_images_of_sampling_are_taken_off_the_real_part() -> None:
    # Z²/(m V ε₀) = 1e-3 rad²/fs² at 5 fs: the images would add ω_p²Δ²/12 = 2e-3 … to ε₁ at every frequency
    dt, strength = 5.0, 200.0
    t = np.arange(4000) * dt
    nu, plain = exact_estimate(strength * oscillator_correlation(t, 500.0, 80.0, MASS), dt)
    sigma = one_sided.continuous_response(plain.real)
    keep = slice(20, 900)
    exact = lorentz_chi(nu[keep], 500.0, 80.0, strength / MASS, VOLUME).real
    images = units.PLASMA_FREQUENCY2_FS2 * strength / MASS / VOLUME * dt**2 / 12.0
    before = response.susceptibility(nu[keep], plain[keep]).real - exact
    after = response.susceptibility(nu[keep], sigma[keep]).real - exact
    assert np.median(before) == pytest.approx(images, rel=0.1)
    # what remains is O(Δ⁴), and the friction's slope of C at t = 0 far from the band
    assert np.abs(after).max() < 0.12 * images
    np.testing.assert_allclose(sigma.real, plain.real, atol=0.0)


@pytest.mark.parametrize("scheme", ["velocity", "midpoint", "central"])
def test_static_limit_by_both_routes_at_a_coarse_time_step(scheme: str) -> None:
    from bec_md.spectrum.compute import compute_spectrum
    from tests.spectrum.exact import bare

    # ωΔ = 0.47: trapezoids alone lose (ωΔ)²/6 = 3.7 % of the fluctuation with velocities, 11 % with
    # central differences; the Kramers–Kronig sum gains (ωΔ)²/12 = 1.9 %
    dt, omega = 5.0, float(omega_fs(500.0))
    phase = omega * dt * np.arange(20000)[:, None] + np.array([0.0, 1.0, 2.0])
    x, v = np.sin(phase), omega * np.cos(phase)
    velocity = {"velocity": v, "midpoint": np.diff(x, axis=0) / dt, "central": (x[2:] - x[:-2]) / (2.0 * dt)}
    s = compute_spectrum(
        bare(velocity[scheme], dt, scheme=scheme), temperature_k=300.0, resolution_cm=10.0, dc=False
    )
    exact = 0.5 * units.SUSCEPTIBILITY / (VOLUME * 300.0)
    # next order: (ωΔ)⁴/240 = 2e-4 with velocities, (ωΔ)⁴/16 = 3e-3 with central differences
    assert np.trace(s.static["fluctuation"]) / 3.0 == pytest.approx(exact, rel=4e-3)
    # the line is smoothed by 10 cm⁻¹, ⟨ν⁻²⟩ = (1 + 3σ²/ν₀²)/ν₀²: 2e-4; next order (ωΔ)⁴/240 again
    assert np.trace(s.static["kramers_kronig"]) / 3.0 == pytest.approx(exact, rel=2e-3)
