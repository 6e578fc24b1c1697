"""DC conductivity: cepstral estimate with its error, Einstein–Helfand, subtraction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants as si

from bec_md.errors import DataError
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.cepstral import akaike_cutoff, cepstral_zero_frequency, in_consistent_band
from bec_md.spectrum.estimators.einstein import einstein_helfand, mean_square_displacement
from bec_md.spectrum.estimators.periodogram import periodogram
from bec_md.spectrum.response import conductivity as response
from tests.spectrum.exact import bare, kt_amu, langevin_oscillator, ornstein_uhlenbeck

MASS, GAMMA, VOLUME, N_IONS = 7.0, 0.02, 1000.0, 1.0


def exact_sigma_dc() -> float:
    """n q²/(m γ)."""
    return si.e**2 / (VOLUME * 1e-30) / (MASS * si.atomic_mass) / (GAMMA * 1e15)


def drude(seed: int, n: int = 20000, dt: float = 5.0) -> np.ndarray:
    return ornstein_uhlenbeck(n, dt, GAMMA, kt_amu() / MASS, seed)


def test_cepstral_dc_of_drude_ions_with_honest_errors() -> None:
    z, narrowed = [], []
    for seed in range(40):
        bins = periodogram(open_blocks((bare(drude(seed), 5.0, VOLUME),), "none"))
        found = cepstral_zero_frequency(bins.power.mean(axis=0), 3, bins.wavenumber_cm, 1500.0)
        value = response.conductivity_from_power(np.array(found.value), VOLUME, 300.0)
        z.append(np.log(value / exact_sigma_dc()) / found.log_err)
        assert found.log_err < 0.12
        again = in_consistent_band(bins.power.mean(axis=0), 3, bins.wavenumber_cm, 1500.0)
        narrowed.append(again.band_cm < 1400.0)
    # a Drude peak is as smooth as any band: the widest is kept but by chance
    assert np.mean(narrowed) < 0.2
    # 40 runs: mean of z known to 0.16, its scatter to 11 %
    assert abs(np.mean(z)) < 0.6
    assert 0.7 < np.std(z) < 1.4
    s = compute_spectrum(bare(drude(1), 5.0, VOLUME), temperature_k=300.0, resolution_cm=20.0)
    error = s.parameters["sigma_dc_err_s_per_m"]
    assert s.parameters["sigma_dc_s_per_m"] == pytest.approx(exact_sigma_dc(), abs=4.0 * error)
    slope, slope_error = (s.parameters[f"sigma_dc_einstein{part}_s_per_m"] for part in ("", "_err"))
    assert slope == pytest.approx(exact_sigma_dc(), abs=4.0 * slope_error)
    assert slope_error < 0.3 * slope


def test_cepstral_is_unbiased_for_white_noise() -> None:
    rng = np.random.default_rng(0)
    for components in (1, 3):
        values = []
        for _ in range(300):
            power = (np.abs(np.fft.rfft(rng.normal(size=(components, 512)), axis=1)) ** 2 / 512).mean(axis=0)
            found = cepstral_zero_frequency(power, components, cutoff=3)
            values.append((np.log(found.value), found.log_err))
        logs, errors = np.array(values).T
        # ψ(ℓ) − log ℓ is −0.58 for one component: a missing bias correction would show at once
        assert np.mean(logs) == pytest.approx(0.0, abs=4.0 * errors[0] / np.sqrt(300))
        assert np.std(logs) == pytest.approx(errors[0], rel=0.15)


def test_akaike_finds_the_last_significant_coefficient() -> None:
    rng = np.random.default_rng(0)
    n, variance = 1000, 0.4
    coefficients = rng.normal(size=501) * np.sqrt(variance / n)
    coefficients[1:4] += 0.5
    assert 4 <= akaike_cutoff(coefficients, n, variance) <= 8


def test_cepstral_refuses_too_little_data() -> None:
    with pytest.raises(DataError, match="16 bins"):
        cepstral_zero_frequency(np.ones(10), 3)


def test_einstein_helfand_agrees() -> None:
    value, err = einstein_helfand(drude(3, 200000), 5.0, VOLUME, 300.0, (500.0, 2000.0), blocks=10)
    assert err < 0.06 * value
    # free ions: slope of the MSD between 10/γ and 40/γ is that at infinity
    assert value == pytest.approx(exact_sigma_dc(), abs=4.0 * err)


def test_mean_square_displacement_equals_the_direct_sum() -> None:
    m = np.cumsum(np.random.default_rng(0).normal(size=(60, 2)), axis=0)
    direct = [np.mean((m[k:] - m[: 60 - k]) ** 2, axis=0) for k in range(11)]
    np.testing.assert_allclose(mean_square_displacement(m, 10), direct, atol=1e-10)


def test_subtracting_dc_removes_the_divergence_of_epsilon() -> None:
    options = {"temperature_k": 300.0, "resolution_cm": 20.0, "eps_inf": 2.0, "max_cm": 2000.0}
    series = bare(drude(1, 50000), 5.0, VOLUME)
    kept = compute_spectrum(series, **options)
    removed = compute_spectrum(series, **options, subtract_dc=True)
    np.testing.assert_array_equal(kept.sigma, removed.sigma)
    assert kept.eps_imag[0] > 10.0 * abs(removed.eps_imag[0])
    difference = kept.eps - removed.eps  # type: ignore[operator]
    np.testing.assert_allclose(difference.real, 0.0, atol=1e-12)
    omega = 2 * np.pi * si.c * 100 * kept.wavenumber_cm
    np.testing.assert_allclose(
        difference.imag[:, 0, 0], removed.sigma_dc[0, 0] / (si.epsilon_0 * omega), rtol=1e-9
    )
    assert "static" in kept.quality
    assert kept.quality["static"].status == "unknown"  # no static limit for mobile ions


def test_an_insulator_is_not_given_a_dc_conductivity() -> None:
    _, v = langevin_oscillator(40000, 1.0, 400.0, 30.0, 10.0, 1)
    s = compute_spectrum(bare(v), temperature_k=300.0, resolution_cm=40.0)
    assert s.sigma_dc is None
    assert s.quality["static"].status == "ok"
    assert compute_spectrum(bare(v), temperature_k=300.0, resolution_cm=40.0, dc=True).sigma_dc is not None


def test_anisotropic_dc() -> None:
    current = drude(5, 60000) * np.array([1.0, 2.0, 0.5])
    s = compute_spectrum(bare(current, 5.0, VOLUME), temperature_k=300.0, resolution_cm=20.0)
    ratio = np.diag(s.sigma_dc) / exact_sigma_dc() / np.array([1.0, 4.0, 0.25])
    np.testing.assert_allclose(ratio, 1.0, atol=5.0 * (np.diag(s.sigma_dc_err) / np.diag(s.sigma_dc)).max())


@pytest.mark.parametrize("direction", [(1.0, 1.0, 0.0), (1.0, 1.0, 1.0)])
def test_a_channel_that_is_oblique_to_the_axes(direction: tuple[float, ...]) -> None:
    """σ_dc turns with the channel, also beside a band that is the same along all axes."""
    charge = ornstein_uhlenbeck(12000, 4.0, 0.02, 20.0 * kt_amu() / 23.0, 3, 1)
    _, band = langevin_oscillator(12000, 4.0, 200.0, 25.0, 10.0, 4)
    options = {"temperature_k": 300.0, "resolution_cm": 20.0, "max_cm": 600.0, "subtract_dc": True}
    along = np.array(direction) / np.linalg.norm(direction)
    straight, oblique = (
        compute_spectrum(bare(charge * n + 0.3 * band), **options) for n in (np.eye(3)[0], along)
    )
    found = [s.parameters["sigma_dc_s_per_m"] for s in (straight, oblique)]
    assert found[1] == pytest.approx(found[0], rel=0.1)
    assert oblique.sigma_dc is not None
    assert along @ oblique.sigma_dc @ along == pytest.approx(3.0 * found[1], rel=0.05)
    assert oblique.along(along).sigma_dc_err == pytest.approx(straight.along("x").sigma_dc_err, rel=0.3)
    assert oblique.along().sigma_dc_err == pytest.approx(straight.along().sigma_dc_err, rel=0.3)
    across = (1.0, -1.0, 0.0)  # where nothing conducts, nothing is left out
    assert oblique.along(across).sigma_dc_err < 0.05 * oblique.along(along).sigma_dc_err


def test_an_axis_without_current_conducts_nothing() -> None:
    charge = ornstein_uhlenbeck(12000, 4.0, 0.02, 20.0 * kt_amu() / 23.0, 3, 2)
    found = compute_spectrum(bare(np.hstack([charge, np.zeros((12000, 1))])), temperature_k=300.0, dc=True)
    assert found.sigma_dc is not None
    assert found.sigma_dc[0, 0] > 0.0
    assert found.sigma_dc[2, 2] == 0.0
