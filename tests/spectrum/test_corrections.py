"""Time-grid corrections and quantum factors."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.errors import BecMDWarning, UsageError
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.estimators import corrections
from bec_md.spectrum.response import quantum
from bec_md.units import SPEED_OF_LIGHT_CM_FS
from tests.spectrum.exact import bare, langevin_oscillator


def test_transfer_functions_at_a_stretch_vibration() -> None:
    nu = np.array([3400.0])
    # the reference: 2 fs and central differences keep 56 % at 3400 cm⁻¹
    assert corrections.transfer_function(nu, 2.0, "central")[0] == pytest.approx(0.56, abs=0.005)
    assert corrections.transfer_function(nu, 2.0, "midpoint")[0] == pytest.approx(0.871, abs=0.002)
    assert corrections.transfer_function(nu, 2.0, "velocity")[0] == 1.0
    with pytest.raises(UsageError, match="scheme"):
        corrections.transfer_function(nu, 2.0, "forward")


@pytest.mark.parametrize(("scheme", "reach"), [("midpoint", 1), ("central", 2)])
def test_finite_difference_current_is_restored(scheme: str, reach: int) -> None:
    dt = 4.0
    x, v = langevin_oscillator(60000, dt, 1200.0, 200.0, 10.0, 5)
    differences = (x[reach:] - x[:-reach]) / (reach * dt)
    options = {"temperature_k": 300.0, "resolution_cm": 60.0, "max_cm": 2000.0, "dc": False}
    exact = compute_spectrum(bare(v, dt), **options)
    fixed = compute_spectrum(bare(differences, dt, scheme=scheme), **options)
    damped = compute_spectrum(bare(differences, dt, scheme=scheme), **options, undo_damping=False)
    band = (exact.wavenumber_cm > 900) & (exact.wavenumber_cm < 1500)
    gain = corrections.transfer_function(exact.wavenumber_cm, dt, scheme)
    np.testing.assert_allclose(damped.n_alpha, fixed.n_alpha * gain, rtol=1e-9)
    # same trajectory, so noise cancels; folding of the broad tail and the ends of the run remain
    ratio = fixed.n_alpha[band] / exact.n_alpha[band]
    assert abs(np.mean(ratio) - 1.0) < 0.03
    assert abs(np.mean(damped.n_alpha[band] / exact.n_alpha[band]) - 1.0) > 0.06
    assert fixed.parameters["transfer_function_divided_out"]
    assert not damped.parameters["transfer_function_divided_out"]


def test_corrected_spectrum_stays_kramers_kronig_consistent() -> None:
    from bec_md.spectrum.estimators import one_sided

    x, _ = langevin_oscillator(4000, 4.0, 900.0, 200.0, 10.0, 5)
    s = compute_spectrum(
        bare(np.diff(x, axis=0) / 4.0, 4.0, scheme="midpoint"), temperature_k=300.0, resolution_cm=100.0
    )
    # ω = 0 is not stored: extrapolate the even function
    real = s.sigma_real
    start = (15 * real[0] - 6 * real[1] + real[2]) / 10
    again = one_sided.continuous_response(np.concatenate([[start], real]))[1:]
    scale = np.abs(real).max()
    assert np.abs(again.imag - s.sigma_iso.imag).max() < 2e-3 * scale


def test_verlet_shift_numbers_of_the_reference() -> None:
    # +14.7 cm⁻¹ at 0.5 fs and +61 at 1 fs for 3400 cm⁻¹
    assert corrections.verlet_shown_wavenumber(3400.0, 0.5) - 3400.0 == pytest.approx(14.7, abs=0.1)
    assert corrections.verlet_shown_wavenumber(3400.0, 1.0) - 3400.0 == pytest.approx(61.0, abs=0.5)
    nu = np.linspace(0.0, 5000.0, 50)
    half = np.pi * SPEED_OF_LIGHT_CM_FS * 1.0  # ω₀ = (2/dt) sin(ω_MD dt/2)
    back = np.sin(half * corrections.verlet_shown_wavenumber(nu, 1.0)) / half
    np.testing.assert_allclose(back, nu, rtol=1e-12, atol=1e-9)


def test_verlet_oscillator_comes_back_to_its_true_frequency() -> None:
    # undamped velocity Verlet of one mode, damped only by the lag window
    nu, dt, n = 3400.0, 1.0, 20000
    shown = float(corrections.verlet_shown_wavenumber(nu, dt))
    t = np.arange(n) * dt
    v = 0.01 * np.cos(2 * np.pi * 2.99792458e-5 * shown * t)
    series = bare(np.repeat(v[:, None], 3, axis=1), dt)
    raw = compute_spectrum(series, temperature_k=300.0, resolution_cm=10.0, max_cm=4500.0)
    fixed = compute_spectrum(
        series, temperature_k=300.0, resolution_cm=10.0, max_cm=4500.0, md_timestep_fs=dt
    )
    assert raw.wavenumber_cm[raw.n_alpha.argmax()] == pytest.approx(shown, abs=1.0)
    center = np.average(fixed.wavenumber_cm, weights=fixed.n_alpha)
    assert center == pytest.approx(nu, abs=0.3)
    # the integral, and with it the f-sum, is conserved; interpolation of 6 points per width: 1e-3
    assert fixed.n_alpha.sum() == pytest.approx(raw.n_alpha.sum(), rel=2e-3)
    assert fixed.n_alpha.min() >= -1e-12 * fixed.n_alpha.max()
    with pytest.raises(UsageError, match="longer"):
        compute_spectrum(series, temperature_k=300.0, resolution_cm=10.0, md_timestep_fs=3.0)


def test_parts_of_a_spectrum_add_up_without_the_verlet_shift() -> None:
    nu, rng = np.linspace(0.0, 8339.0, 600), np.random.default_rng(2)
    parts = rng.normal(size=(3, 600)) + 0.5
    total = parts.sum(axis=0)
    back = [corrections.remap_verlet(nu, part, 1.0) for part in (*parts, total)]
    np.testing.assert_allclose(sum(back[:3]), back[3], atol=1e-12 * np.abs(back[3]).max())
    assert corrections.remap_verlet(nu, total**2, 1.0).min() >= 0.0


def test_quantum_factors_by_hand() -> None:
    nu, temperature = np.array([0.0, 208.5, 3400.0]), 300.0
    x = 1.438776877 * nu[1:] / temperature
    for kind, formula in {
        "harmonic": np.ones(2),
        "none": (1 - np.exp(-x)) / x,
        "standard": 2 / x * np.tanh(x / 2),
        "schofield": 2 / x * np.sinh(x / 2),
    }.items():
        found = quantum.quantum_factor(nu, temperature, kind)
        assert found[0] == 1.0
        np.testing.assert_allclose(found[1:], formula, rtol=1e-8)  # digits of hc/k_B typed above
        assert kind in quantum.REASONS
    # the trap: x/(1 − e^−x) on top of the harmonic result is a factor 16 at 3400 cm⁻¹
    assert 1.0 / quantum.quantum_factor(nu, temperature, "none")[2] == pytest.approx(16.3, abs=0.1)


def test_quantum_factor_multiplies_the_absorption_and_its_partner() -> None:
    _, v = langevin_oscillator(8000, 1.0, 900.0, 150.0, 10.0, 5)
    options = {"temperature_k": 300.0, "resolution_cm": 60.0, "max_cm": 3000.0, "eps_inf": 2.0}
    base = compute_spectrum(bare(v), **options)
    for kind in ("none", "standard", "schofield"):
        s = compute_spectrum(bare(v), **options, quantum=kind)
        factor = quantum.quantum_factor(s.wavenumber_cm, 300.0, kind)
        np.testing.assert_allclose(s.n_alpha, base.n_alpha * factor, rtol=1e-12)
        np.testing.assert_allclose(s.n_alpha_err, base.n_alpha_err * factor, rtol=1e-9)
        # less absorption, smaller static ε: Kramers–Kronig carries the factor to the real part
        assert np.sign(s.eps_real[5] - base.eps_real[5]) == np.sign(factor[60] - 1.0)
        assert s.parameters["quantum_reason"] == quantum.REASONS[kind]


def test_schofield_ends_behind_the_last_band_where_it_would_raise_noise_above_all() -> None:
    _, low = langevin_oscillator(8000, 1.0, 300.0, 60.0, 10.0, 5)
    _, high = langevin_oscillator(8000, 1.0, 2000.0, 60.0, 10.0, 6)
    series, options = bare(low + high), {"temperature_k": 300.0, "resolution_cm": 30.0, "eps_inf": 2.0}
    with pytest.warns(BecMDWarning, match="the spectrum ends at"):
        ended = compute_spectrum(series, **options, quantum="schofield")
    assert 2100.0 < ended.wavenumber_cm[-1] < 3500.0
    assert [round(p.wavenumber_cm, -2) for p in ended.peaks] == [300.0, 2000.0]
    plain = compute_spectrum(series, **options)
    inside = slice(len(ended.wavenumber_cm))
    factor = quantum.quantum_factor(ended.wavenumber_cm, 300.0, "schofield")
    np.testing.assert_allclose(ended.n_alpha, factor * plain.n_alpha[inside], rtol=1e-9)
    assert ended.eps_real.max() < 10.0
    # hot, the factor raises nothing; with an end of one's own nothing is said
    hot = compute_spectrum(series, **{**options, "temperature_k": 6000.0}, quantum="schofield")
    assert len(hot.wavenumber_cm) == len(plain.wavenumber_cm)
    own = compute_spectrum(series, **options, quantum="schofield", max_cm=5000.0)
    assert own.wavenumber_cm[-1] > 4990.0
