"""Fits and integrals recover what was put in, within their own errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bec_md.errors import BecMDWarning, UsageError
from bec_md.spectrum.analysis import fits
from bec_md.spectrum.analysis.fit_table import fit_bands
from bec_md.spectrum.analysis.least_squares import least_squares_fit
from bec_md.spectrum.analysis.smoother import Smoother
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.response import oscillator
from bec_md.units import PLASMA_FREQUENCY2_FS2, SPEED_OF_LIGHT_CM_FS
from tests.spectrum.exact import bare, langevin_oscillator, omega_fs

VOLUME, MASS = 200.0, 10.0


def strength(nu_cm: float) -> float:
    """Δε = Z²/(m V ε₀ ω₀²)."""
    return float(PLASMA_FREQUENCY2_FS2 / MASS / VOLUME / omega_fs(nu_cm) ** 2)


@pytest.fixture(scope="module")
def spectrum():
    _, a = langevin_oscillator(80000, 2.0, 450.0, 30.0, MASS, 1)
    _, b = langevin_oscillator(80000, 2.0, 800.0, 60.0, MASS, 2)
    return compute_spectrum(
        bare(a + b, 2.0, VOLUME), temperature_k=300.0, eps_inf=2.0, resolution_cm=20.0, max_cm=1500.0
    )


def test_lorentz_fit_recovers_bands_without_the_resolution(spectrum) -> None:
    fit = fits.fit_lorentz(spectrum)
    truth = np.array([[450.0, 30.0, strength(450.0)], [800.0, 60.0, strength(800.0)]])
    assert fit.bands.shape == (2, 3)
    z = (fit.bands - truth) / fit.errors
    assert np.abs(z).max() < 4.0
    assert fit.errors[0, 0] < 2.0
    assert (fit.errors[:, 2] / truth[:, 2]).max() < 0.10
    assert 0.3 < fit.chi2_reduced < 2.0  # ~60 independent points
    model = fit.n_alpha(spectrum.wavenumber_cm)
    assert model.max() > 1.05 * spectrum.n_alpha.max()  # the fit is sharper than the smoothed spectrum


def test_integrated_strengths(spectrum) -> None:
    whole = fits.integrate_band(spectrum, 0.0, 1500.0)
    # Σtr ZZᵀ/m = 3 × 2/10; the Lorentzian tail beyond 1500 cm⁻¹ holds (2/π)·Σγ/1500 ~ 4 %
    tail = 1.0 - (30.0 + 60.0) / np.pi / 1500.0 * 1.2
    assert whole.zz_over_mass == pytest.approx(0.6 * tail, abs=4.0 * whole.zz_over_mass_err)
    assert whole.zz_over_mass_err < 0.02
    band = fits.integrate_band(spectrum, 0.0, 620.0)
    assert band.eps_contribution == pytest.approx(strength(450.0), rel=0.15)
    with pytest.raises(UsageError, match="no frequency"):
        fits.integrate_band(spectrum, 2000.0, 3000.0)


@pytest.mark.parametrize("form", ["lorentz", "four-parameter"])
def test_a_misfit_makes_errors_as_large_as_its_residuals(spectrum, form: str) -> None:
    """One oscillator for two bands: what is left is no noise, and the stated noise decides about nothing."""
    found = []
    for scale in (0.01, 0.001):
        errors = {
            name: scale * getattr(spectrum, name)
            for name in ("sigma_real_err", "sigma_imag_err", "iso_real_err", "iso_imag_err")
        }
        sure = replace(spectrum, **errors)
        if form == "lorentz":
            found.append(fits.fit_lorentz(sure, [450.0], max_cm=1200.0))
        else:
            found.append(fits.fit_four_parameter(sure, [(450.0, 700.0)], max_cm=1200.0))
    assert found[0].chi2_reduced > 100.0
    assert found[1].chi2_reduced == pytest.approx(100.0 * found[0].chi2_reduced, rel=0.05)
    np.testing.assert_allclose(found[1].errors, found[0].errors, rtol=0.05)


def test_four_parameter_fit_finds_lo_and_to(spectrum) -> None:
    fit = fits.fit_four_parameter(spectrum, [(440.0, 600.0), (780.0, 900.0)])
    to_true, eps_inf = np.array([450.0, 800.0]), 2.0
    nu = np.linspace(300.0, 2000.0, 100000)
    eps = eps_inf + oscillator.lorentz_susceptibility(
        nu, np.array([[450.0, 1e-3, strength(450.0)], [800.0, 1e-3, strength(800.0)]])
    )
    from bec_md.spectrum.response.optics import longitudinal_frequencies_cm

    lo_true = longitudinal_frequencies_cm(nu, eps)
    assert np.abs((fit.bands[:, 0] - to_true) / fit.errors[:, 0]).max() < 4.0
    assert np.abs((fit.bands[:, 2] - lo_true) / fit.errors[:, 2]).max() < 4.0
    assert fit.errors[:, 2].max() < 15.0
    # Lyddane–Sachs–Teller: the product of (LO/TO)² is ε(0)/ε_∞ of the model by construction
    ratio = np.prod((fit.bands[:, 2] / fit.bands[:, 0]) ** 2)
    assert fit.epsilon(np.array([1e-6]))[0].real / eps_inf == pytest.approx(ratio, rel=1e-9)
    along = fits.fit_four_parameter(spectrum, [(440.0, 600.0), (780.0, 900.0)], direction=(0.0, 0.0, 1.0))
    assert np.abs((along.bands[:, 0] - to_true) / along.errors[:, 0]).max() < 4.0


def test_a_conductivity_that_is_left_out_is_none_of_the_bands() -> None:
    """Beside free charges, whose flat Re σ no oscillator has: with --subtract-dc the band is what it is."""
    _, band = langevin_oscillator(10000, 2.0, 700.0, 30.0, MASS, 3)
    free = 2.0 * band.std() * np.random.default_rng(4).standard_normal(band.shape)
    left = compute_spectrum(
        bare(band + free, 2.0, VOLUME),
        temperature_k=300.0,
        eps_inf=2.0,
        resolution_cm=15.0,
        max_cm=1500.0,
        subtract_dc=True,
    )
    lorentz = fits.fit_lorentz(left, max_cm=1000.0)
    truth = np.array([700.0, 30.0, strength(700.0)])
    assert lorentz.bands.shape == (1, 3)
    assert np.abs((lorentz.bands[0] - truth) / lorentz.errors[0]).max() < 3.0
    assert (lorentz.errors[0] < [6.0, 20.0, 0.3 * truth[2]]).all()
    assert lorentz.chi2_reduced < 3.0
    four = fits.fit_four_parameter(left, max_cm=1000.0)
    assert abs(four.bands[0, 0] - 700.0) < 3.0 * four.errors[0, 0] < 20.0
    certain = fits.fit_lorentz(replace(left, sigma_dc_err=np.zeros((3, 3))), max_cm=1000.0)
    np.testing.assert_array_equal(certain.bands, lorentz.bands)
    assert (certain.errors < lorentz.errors).all()  # that of σ_dc counts
    with pytest.warns(BecMDWarning, match="subtract_dc"):
        fit_bands(replace(left, parameters={**left.parameters, "subtract_dc": False}), "lorentz")


def test_broadening_of_a_model_equals_the_estimator() -> None:
    from bec_md.spectrum.estimators import lag_window, one_sided
    from tests.spectrum.exact import oscillator_correlation

    dt, resolution = 2.0, 40.0
    window = lag_window.lag_window(resolution, dt, 10**6)
    corr = oscillator_correlation(np.arange(len(window)) * dt, 500.0, 30.0, MASS)
    size = 16384
    smooth = one_sided.continuous_response(0.5 * one_sided.two_sided_transform(corr * window, size, dt))
    sharp_lags = oscillator_correlation(np.arange(size // 2) * dt, 500.0, 30.0, MASS)
    sharp = 0.5 * one_sided.two_sided_transform(sharp_lags, size, dt)
    step = one_sided.wavenumber_grid_cm(size, dt)[1]
    again = oscillator.broaden_conductivity(sharp, step, window, dt)
    assert np.abs(again - smooth).max() < 1e-9 * np.abs(smooth).max()


def test_four_parameter_form_of_one_oscillator_is_the_lorentz_form() -> None:
    nu = np.linspace(0.0, 900.0, 50)
    lo = 500.0 * np.sqrt((2.0 + 1.5) / 2.0)
    a = oscillator.four_parameter(nu, np.array([[500.0, 20.0, lo, 20.0]]), 2.0)
    b = 2.0 + oscillator.lorentz_susceptibility(nu, np.array([[500.0, 20.0, 1.5]]))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_fit_computes_no_further_than_it_goes(spectrum) -> None:
    whole = Smoother(spectrum).n_out
    assert Smoother(spectrum, 1000.0).n_out == pytest.approx(1040.0 / 1500.0 * whole, abs=2)
    near, far = (fits.fit_lorentz(spectrum, max_cm=top) for top in (1200.0, None))
    assert np.abs((near.bands - far.bands) / far.errors).max() < 0.5
    np.testing.assert_allclose(near.errors, far.errors, rtol=0.1)


def test_a_quantum_factor_is_no_part_of_oscillators(spectrum) -> None:
    factored = replace(spectrum, parameters={**spectrum.parameters, "quantum": "standard"})
    for fit in (fits.fit_lorentz, fits.fit_four_parameter):
        with pytest.raises(UsageError, match="quantum=standard"):
            fit(factored)
        with pytest.raises(UsageError, match="no spectrum"):
            fit("spectrum.h5")


def test_a_parameter_without_effect_has_a_large_error() -> None:
    """Such are position and width of a band whose strength is 0; they had an error of 0 then."""
    effects = np.array([[1.0, 0.0, 1.0], [0.0, 1e-20, 1e-20]])
    measured = np.array([1.0, 0.0, 1.0])
    _, gain, _ = least_squares_fit(
        lambda p: p @ effects, lambda _: effects, np.ones(2), measured, np.full(3, 0.1), 1.0
    )
    np.testing.assert_allclose(np.linalg.norm(0.1 * gain, axis=1), [0.0816496, 8.16496e18], rtol=1e-5)


def test_nothing_to_fit(spectrum) -> None:
    with pytest.raises(UsageError, match="no band"):
        fits.fit_lorentz(spectrum, [5000.0])
    with pytest.raises(UsageError, match="no band"):
        fits.fit_four_parameter(spectrum, [])
    noise = compute_spectrum(
        bare(np.random.default_rng(0).normal(size=(500, 3))), temperature_k=300.0, resolution_cm=200.0
    )
    with pytest.raises(UsageError, match="ε_∞"):
        fits.fit_four_parameter(noise, [(1.0, 2.0)])


@pytest.mark.parametrize(
    ("width_cm", "resolution_cm"), [(40.0, 40.0), (60.0, 30.0), (20.0, 10.0), (2.0, 10.0)]
)
def test_peaks_have_honest_errors(width_cm: float, resolution_cm: float) -> None:
    found = []
    for seed in range(20):
        _, v = langevin_oscillator(10000, 4.0, 450.0, width_cm, MASS, 100 + seed)
        s = compute_spectrum(
            bare(v, 4.0), temperature_k=300.0, resolution_cm=resolution_cm, max_cm=1000.0, dc=False
        )
        best = max(s.peaks, key=lambda p: p.height)
        found.append((best.wavenumber_cm, best.wavenumber_err_cm, best.height, best.err))
    position, position_err, height, err = np.array(found).T
    assert abs(position.mean() - 450.0) < 3.0
    # 20 runs: 16 % error of a standard deviation; the formula of the position is of first order in the noise
    assert 0.6 < position.std() / position_err.mean() < 1.6
    assert 0.6 < height.std() / err.mean() < 1.5


def test_fit_errors_are_the_scatter_over_runs() -> None:
    # 24 runs of one strong mode: the scatter itself is known to 15 %. Counting the points of Im σ as
    # independent gave errors of the LO frequency 2.5 times too small.
    lo = float(np.sqrt(450.0**2 * (1.0 + strength(450.0) / 2.0)))
    four, lorentz = [], []
    for seed in range(24):
        _, v = langevin_oscillator(16000, 4.0, 450.0, 30.0, MASS, seed)
        s = compute_spectrum(
            bare(v, 4.0, VOLUME),
            temperature_k=300.0,
            eps_inf=2.0,
            resolution_cm=10.0,
            max_cm=1000.0,
            dc=False,
        )
        fit = fits.fit_four_parameter(s, [(450.0, lo)])
        four.append([fit.bands[0, :3], fit.errors[0, :3]])
        fit = fits.fit_lorentz(s, [450.0])
        lorentz.append([fit.bands[0], fit.errors[0]])
    for found, truth in ((four, [450.0, 30.0, lo]), (lorentz, [450.0, 30.0, strength(450.0)])):
        values, errors = np.array(found).swapaxes(0, 1)
        size = np.sqrt(np.mean(errors**2, axis=0))
        # multiplicative noise biases the width of such short runs (1 of 30 cm⁻¹): below one run's error
        assert np.all(np.abs(values.mean(axis=0) - truth) < size)
        ratio = values.std(axis=0, ddof=1) / size
        assert np.all((ratio > 0.6) & (ratio < 1.4)), ratio


def test_a_line_narrower_than_the_resolution_has_its_noise_once() -> None:
    """The strength of a line of width γ has the relative variance 1/(3πcγT) in three axes."""
    runs = [langevin_oscillator(8000, 4.0, 600.0, 8.0, MASS, seed)[1] for seed in range(2)]
    found = compute_spectrum([bare(v, 4.0) for v in runs], temperature_k=300.0, resolution_cm=30.0)
    fit = fits.fit_lorentz(found)
    expected = (3.0 * np.pi * SPEED_OF_LIGHT_CM_FS * fit.bands[0, 1] * 64000.0) ** -0.5
    assert fit.errors[0, 2] / fit.bands[0, 2] == pytest.approx(expected, rel=0.15)


def test_the_length_of_runs_is_not_in_the_widths() -> None:
    """Sixty runs of 4 ps, one period of 8 cm⁻¹."""
    v = langevin_oscillator(1000, 4.0, 600.0, 20.0, MASS, 3, (60, 3))[1]
    series = [bare(run, 4.0) for run in np.moveaxis(v, 1, 0)]
    found = compute_spectrum(series, temperature_k=300.0, resolution_cm=20.0)
    fit = fits.fit_lorentz(found)
    assert fit.bands[0, 1] == pytest.approx(20.0, abs=1.2 * fit.errors[0, 1])
    assert found.peaks[0].natural_width_cm == pytest.approx(20.0, abs=1.5)


@pytest.mark.parametrize("form", ["lorentz", "four-parameter"])
def test_a_line_narrower_than_the_grid_is_fitted(form: str) -> None:
    """Four runs of 24 ps; points 1.4 cm⁻¹ apart. On the real axis a line between them had any strength."""
    runs = [langevin_oscillator(6000, 4.0, 450.0, 0.3, MASS, seed)[1] for seed in range(4)]
    found = compute_spectrum(
        [bare(v, 4.0, VOLUME) for v in runs],
        temperature_k=300.0,
        eps_inf=2.0,
        resolution_cm=10.0,
        max_cm=800.0,
        dc=False,
    )
    lo = float(np.sqrt(450.0**2 * (1.0 + strength(450.0) / 2.0)))
    if form == "lorentz":
        fit, truth = fits.fit_lorentz(found), np.array([450.0, 0.3, strength(450.0)])
    else:
        fit, truth = fits.fit_four_parameter(found), np.array([450.0, 0.3, lo, 0.3])
    assert np.abs((fit.bands[0] - truth) / fit.errors[0]).max() < 3.0
    # 12 energies of hardly damped oscillators: 30 %
    assert (
        fit.errors[0] < [0.2, 0.3, 0.3 * strength(450.0) if form == "lorentz" else 5.0, 0.3][: len(truth)]
    ).all()


def test_a_line_of_no_width_has_the_shape_of_the_window(spectrum) -> None:
    smoother = Smoother(spectrum)
    line = oscillator.lorentz_susceptibility(smoother.grid_cm, np.array([[451.3, 1e-6, 0.1]]))
    seen = smoother(line)
    lags = np.arange(len(spectrum.lag_window))
    kept = spectrum.lag_window * (1.0 - lags / 80000) * np.where(lags == 0, 0.5, 1.0)
    phase = 2.0j * np.pi * SPEED_OF_LIGHT_CM_FS * 2.0 * lags
    truth = np.array(
        [kept * np.cos(omega_fs(451.3) * 2.0 * lags) @ np.exp(phase * nu) for nu in (440.0, 460.0)]
    )
    at = np.array(
        [np.interp([440.0, 460.0], spectrum.wavenumber_cm, part) for part in (seen.real, seen.imag)]
    )
    ratio = at / [truth.real, truth.imag]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=0.02)


def test_runs_of_unequal_length_have_the_widths_of_the_long_ones() -> None:
    """Three sevenths of the samples are in runs of 0.4 ps; the mean length was that of all."""
    lengths = [8000] + [100] * 60
    series = [
        bare(langevin_oscillator(n, 4.0, 450.0, 6.0, MASS, i)[1], 4.0, VOLUME) for i, n in enumerate(lengths)
    ]
    found = compute_spectrum(
        series, temperature_k=300.0, resolution_cm=10.0, max_cm=800.0, dc=False, groups=False
    )
    sure = fits.fit_lorentz(found, [450.0])
    assert sure.bands[0, 1] == pytest.approx(6.0, abs=2.0 * sure.errors[0, 1])
    assert sure.errors[0, 1] < 2.0
