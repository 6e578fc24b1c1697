"""Estimators: against direct sums, exact variances, widths and signs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.errors import UsageError
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.estimators import correlation, lag_window, multitaper, one_sided, taper, welch
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.estimate import EstimateOptions, estimate, lag_window_variance
from bec_md.units import SPEED_OF_LIGHT_CM_FS
from tests.spectrum.exact import bare, neutral_system


def direct_correlation(x: np.ndarray, y: np.ndarray, lags: int) -> np.ndarray:
    n = len(x)
    return np.array([np.dot(x[k:], y[: n - k]) / n for k in range(lags + 1)])


def test_fft_correlation_equals_direct_sum() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 137))
    # 1e-14: rounding of an FFT of 256 points
    np.testing.assert_allclose(correlation.cross_correlation(x, y), direct_correlation(x, y, 136), atol=1e-14)
    np.testing.assert_allclose(correlation.autocorrelation(x, 20), direct_correlation(x, x, 20), atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(40, 300), lags=st.integers(1, 60), length=st.integers(5, 200), seed=st.integers(0, 99))
def test_streamed_blocks_give_the_even_correlation(n: int, lags: int, length: int, seed: int) -> None:
    x, y = np.random.default_rng(seed).normal(size=(2, n))
    lags = min(lags, n - 1)
    size = length + 2 * lags
    total = np.zeros(size // 2 + 1)
    for start in range(0, n, length):
        stop = min(start + length, n)
        begin, end = max(start - lags, 0), min(stop + lags, n)
        bx, _ = correlation.block_transforms(x[begin:end], start - begin, stop - start, lags, size)
        _, by = correlation.block_transforms(y[begin:end], start - begin, stop - start, lags, size)
        total += (bx * by.conj()).real
    even = 0.5 * (direct_correlation(x, y, lags) + direct_correlation(y, x, lags))
    # blocks change the order of summation only
    np.testing.assert_allclose(correlation.even_correlation(total, size, lags) / n, even, atol=1e-13)


@pytest.mark.parametrize("name", lag_window.WINDOW_NAMES)
def test_lag_window_width_bandwidth_and_sign(name: str) -> None:
    dt, resolution = 2.0, 12.0
    window = lag_window.lag_window(resolution, dt, 10**6, name)
    size = 2**18
    kernel = one_sided.two_sided_transform(window, size, dt)
    nu = one_sided.wavenumber_grid_cm(size, dt)
    # Gaussian cut at 2e-16 of its height, summed over 10^4 lags: 1e-12 of the maximum
    assert kernel.min() > -1e-12 * kernel.max()
    half = np.interp(-0.5 * kernel[0], -kernel[: size // 8], nu[: size // 8])
    # the grid of 0.06 cm⁻¹ and, for the Lorentzian, the time step limit the comparison
    assert 2.0 * half == pytest.approx(resolution, rel=2e-3)
    # B = ∫K² / K(0)² over both signs = 1/∫w²dt
    measured = 1.0 / (dt * (2.0 * np.sum(window**2) - 1.0)) / SPEED_OF_LIGHT_CM_FS
    assert lag_window.noise_bandwidth_cm(resolution, name) == pytest.approx(measured, rel=5e-3)


def test_gaussian_bandwidth_is_the_one_of_the_reference() -> None:
    sigma_cm = 3.0
    resolution = 2.0 * np.sqrt(2.0 * np.log(2.0)) * sigma_cm
    # B = 2√π σ c; the trapezoidal integral is exact to its end points
    assert lag_window.noise_bandwidth_cm(resolution) == pytest.approx(
        2.0 * np.sqrt(np.pi) * sigma_cm, rel=1e-6
    )
    assert lag_window.resolution_from_bandwidth_cm(10.0) == pytest.approx(
        10.0 / (2 * np.sqrt(np.pi)) * 2.3548200, rel=1e-6
    )


@pytest.mark.parametrize("name", ["hann", "rectangular"])
def test_windows_that_can_go_negative_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="positive-definite"):
        lag_window.lag_window(10.0, 1.0, 1000, name)


def kernel_width(tapers: np.ndarray) -> float:
    """Full width at half maximum of the mean |H(f)|² in cycles per sample, for tapers (K, n)."""
    from scipy import fft

    n = tapers.shape[-1]
    size = 64 * n
    kernel = np.mean(np.abs(fft.rfft(tapers, size, axis=-1)) ** 2, axis=0)
    above = np.flatnonzero(kernel >= 0.5 * kernel.max())
    last = int(above[-1])
    high, low = kernel[last], kernel[last + 1]
    return float(2.0 * (last + (high - 0.5 * kernel.max()) / (high - low)) / size)


@pytest.mark.parametrize("make", [welch.welch_tapers, multitaper.multitaper_tapers])
def test_tapers_have_the_asked_width_and_unit_energy(make) -> None:
    tapers = make(0.01, 10**6)
    np.testing.assert_allclose((tapers**2).sum(axis=1), 1.0, rtol=1e-12)
    # segment lengths are whole numbers: 1/740 relative
    assert kernel_width(tapers) == pytest.approx(0.01, rel=5e-3)
    window = taper.equivalent_lag_window(tapers)
    assert window[0] == 1.0


def test_short_series_lower_the_number_of_tapers_not_the_resolution() -> None:
    tapers = multitaper.multitaper_tapers(0.01, 400)
    assert tapers.shape == (3, 400)
    # fewer tapers have a rounder kernel: its half-width is not exactly the bandwidth
    assert kernel_width(tapers) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_relative_variance_is_exact_on_white_noise(estimator: str) -> None:
    rng = np.random.default_rng(5)
    options = EstimateOptions(estimator, 800.0)
    values = []
    for _ in range(400):
        blocks = open_blocks((bare(rng.normal(size=(600, 3))),), "none")
        power = estimate(blocks, options)
        values.append(power.total)
    sample = np.array(values)  # (400, 6, F)
    measured = sample[:, :3].var(axis=(0,)).mean(axis=0) / sample[:, :3].mean(axis=0).mean(axis=0) ** 2
    ratio = measured / power.relative_variance
    # 1200 draws per point: standard error of a variance √(2/1200) = 4 %; 5 σ at the worst point.
    # At ω = 0 and Nyquist the variance is twice that of the interior: included.
    assert np.abs(ratio - 1.0).max() < 0.20
    assert abs(np.mean(ratio) - 1.0) < 0.03
    assert power.relative_variance[0] / power.relative_variance[len(ratio) // 2] == pytest.approx(
        2.0, rel=0.05
    )
    mean = sample[:, :3].mean(axis=(0, 1))
    # unit variance, dt = 1 fs: S = 1 at every frequency (biased window included: w[0] = 1)
    np.testing.assert_allclose(mean, 1.0, atol=5.0 * np.sqrt(power.relative_variance.max() / 1200))


@pytest.mark.parametrize(
    ("estimator", "window"),
    [("lag", name) for name in lag_window.WINDOW_NAMES] + [("welch", "gaussian"), ("multitaper", "gaussian")],
)
def test_noise_bandwidth_gives_the_error_of_an_area(estimator: str, window: str) -> None:
    rng = np.random.default_rng(3)
    areas, stated = [], []
    for _ in range(200):
        blocks = open_blocks((bare(rng.normal(size=(1000, 3))),), "none")
        power = estimate(blocks, EstimateOptions(estimator, 400.0, window))
        half = slice(1, len(power.wavenumber_cm) // 2)
        areas.append(power.total[:3, half].sum(axis=1))
        points = power.bandwidth_cm / power.wavenumber_cm[1]
        stated.append(points * np.sum(power.relative_variance[half] * power.total[:3, half] ** 2, axis=1))
    # standard error of a variance of 600 draws 6 %; overlapping Hann segments lose 6 % more
    assert np.var(areas, axis=0).mean() / np.mean(stated) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_a_short_replica_widens_no_line(estimator: str) -> None:
    phase = 2.0 * np.pi * 500.0 * SPEED_OF_LIGHT_CM_FS * np.arange(20000.0)
    long, short = (bare(wave[:, None] * np.ones(3)) for wave in (np.cos(phase), np.sin(phase[:500])))
    s = compute_spectrum([long, short], temperature_k=300.0, resolution_cm=20.0, estimator=estimator)
    inside = s.wavenumber_cm[s.n_alpha > 0.5 * s.n_alpha.max()]
    assert inside[-1] - inside[0] == pytest.approx(20.0, abs=7.0)  # two points of the grid
    assert s.quality["resolution"].status == "ok"
    alone = compute_spectrum(short, temperature_k=300.0, resolution_cm=20.0, estimator=estimator)
    assert "wider than asked" in alone.quality["resolution"].meaning


def test_relative_variance_is_one_over_time_times_bandwidth() -> None:
    dt, n, resolution = 1.0, 10**6, 10.0
    window = lag_window.lag_window(resolution, dt, n)
    variance = lag_window_variance(window, (n,), 2**16)
    bandwidth_per_fs = lag_window.noise_bandwidth_cm(resolution) * SPEED_OF_LIGHT_CM_FS
    # the biased window's triangle shortens the lag window by T_corr/T = 0.1 %
    assert variance[2**14] == pytest.approx(1.0 / (n * dt * bandwidth_per_fs), rel=2e-3)


def test_the_published_number_of_a_100_ps_run() -> None:
    from bec_md.spectrum.errors.uncertainty import relative_standard_error

    assert relative_standard_error(10.0 * SPEED_OF_LIGHT_CM_FS, 1e5) == pytest.approx(0.105, abs=5e-4)


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_absorption_is_never_negative(estimator: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        s = compute_spectrum(
            bare(rng.normal(size=(500, 3))), temperature_k=300.0, resolution_cm=150.0, estimator=estimator
        )
        assert s.n_alpha.min() > 0.0
        # two real tapers make a matrix of rank two at the Nyquist frequency: zero to rounding
        eigenvalues = np.linalg.eigvalsh(s.sigma.real)
        assert eigenvalues.min() > -1e-14 * eigenvalues.max()


def test_unbiased_correlation_would_go_negative() -> None:
    # why the package divides by N: the unbiased estimate without window is negative in ~40 % of the bins
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000)
    raw = correlation.autocorrelation(x) * len(x) / (len(x) - np.arange(len(x)))
    power = one_sided.two_sided_transform(raw, 4096, 1.0)
    assert 0.3 < np.mean(power < 0.0) < 0.5


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_streaming_from_hdf5_equals_memory(estimator: str, tmp_path) -> None:
    import h5py

    from bec_md.spectrum.estimators.blocks import CurrentBlocks

    series = neutral_system(n=3000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = type("Stored", (), {})()
        for name in ("current", "charge_sum", "momentum", "velocity_sum"):
            setattr(stored, name, file.create_dataset(name, data=getattr(series, name)))
        for name in (
            "groups",
            "timestep_fs",
            "volume_ang3",
            "total_mass_amu",
            "member_current",
            "total_charge_e",
        ):
            setattr(stored, name, getattr(series, name))
        options = EstimateOptions(estimator, 60.0, matrix=True)
        a = estimate(CurrentBlocks((stored,), ("mass",)), options)  # type: ignore[arg-type]
        b = estimate(CurrentBlocks((series,), ("mass",)), options)
    for name in ("total", "partial", "auto", "matrix"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_estimators_agree_within_their_errors() -> None:
    series = neutral_system(n=20000)
    found = [
        compute_spectrum(series, temperature_k=300.0, resolution_cm=40.0, estimator=e, max_cm=1200.0)
        for e in ("lag", "welch", "multitaper")
    ]
    nu = np.linspace(250.0, 1000.0, 40)
    values = np.array([np.interp(nu, s.wavenumber_cm, s.n_alpha) for s in found])
    errors = np.array([np.interp(nu, s.wavenumber_cm, s.n_alpha_err) for s in found])
    # the same noise seen through kernels of different shape: differences below the errors
    assert np.abs(values[1:] - values[0]).max() < 3.0 * errors.max()
    assert np.mean(((values[1:] - values[0]) / errors[1:]) ** 2) < 1.0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"estimator": "capon"}, "unknown"),
        ({"resolution_cm": 0.0}, "positive"),
        ({"resolution_cm": 1e5}, "Nyquist"),
        ({"max_cm": 0.001}, "no frequency"),
        ({"quantum": "magic"}, "unknown"),
        ({"sum_rule": "charge"}, "sum_rule"),
        ({"eps_inf": [1.0, 2.0]}, "dielectric tensor"),
        ({"eps_inf": [1, 2, 0, 0, 1, 0, 0, 0, 1]}, "symmetric"),
        ({"temperature_k": -1.0}, "temperature"),
        ({"temperature_k": None}, "temperature"),
    ],
)
def test_wrong_options_say_what_to_do(changes: dict[str, object], match: str) -> None:
    series = bare(np.random.default_rng(0).normal(size=(400, 3)))
    with pytest.raises(UsageError, match=match) as caught:
        compute_spectrum(series, **{"temperature_k": 300.0, "resolution_cm": 100.0, **changes})  # type: ignore
    assert caught.value.fix
