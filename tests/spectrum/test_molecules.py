"""Known mean squares of stretching, of bending and of the rest: less noise in each band, the same mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bec_md.current.series import CurrentSeries
from bec_md.errors import DataError
from bec_md.spectrum import Spectrum, compute_spectrum
from tests.spectrum.exact import TEMPERATURE_K, langevin_oscillator, lorentz_chi

VOLUME, TIMESTEP_FS, PICOSECONDS = 1000.0, 1.0, 5.0
OPTIONS = {
    "temperature_k": TEMPERATURE_K,
    "resolution_cm": 60.0,
    "max_cm": 4500.0,
    "eps_inf": 2.0,
    "dc": False,
}
#: Position, width (cm⁻¹) and mass of unit charges: stretching, bending, libration of a liquid.
BANDS = ((3400.0, 300.0, 20.0), (1650.0, 100.0, 80.0), (600.0, 300.0, 15.0))
RUNS = 60


def liquid(seed: int) -> CurrentSeries:
    """Three independent bands, two of which are known to be internal motion."""
    parts = [
        langevin_oscillator(round(PICOSECONDS * 1000 / TIMESTEP_FS), TIMESTEP_FS, *band, 10 * seed + number)
        for number, band in enumerate(BANDS)
    ]
    zz = np.array([np.eye(3) / band[2] for band in BANDS])
    current = np.array([v for _, v in parts])
    return CurrentSeries(
        current.sum(axis=0)[:, None, :], ("total",), TIMESTEP_FS, VOLUME,
        zz_over_mass=zz.sum(axis=0)[None, None],
        polarization=np.sum([x for x, _ in parts], axis=0),
        internal_current=np.ascontiguousarray(current[:2].swapaxes(0, 1)),
        internal_zz_over_mass=np.broadcast_to(zz[:2], (current.shape[1], 2, 3, 3)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Spectrum]]:
    """Sixty runs, plain and with what is known of each kind of motion."""
    series = [liquid(seed) for seed in range(RUNS)]
    return {
        kind: [compute_spectrum(one, control_variates=kind, **OPTIONS) for one in series]  # type: ignore[arg-type]
        for kind in ("none", "molecules")
    }


def heights(spectra: list[Spectrum], name: str = "n_alpha") -> np.ndarray:
    """At the maxima of the three bands, (runs, 3)."""
    at = [int(np.argmin(np.abs(spectra[0].wavenumber_cm - position))) for position, _, _ in BANDS]
    return np.array([s.get(name)[at] for s in spectra])


def test_every_band_loses_noise(runs: dict[str, list[Spectrum]]) -> None:
    variance = {kind: heights(spectra).var(axis=0, ddof=1) for kind, spectra in runs.items()}
    # √(2/60) of a variance: the ratio of correlated ones is known within 15 %
    assert (variance["none"] / variance["molecules"]).min() > 1.2
    static = {
        kind: np.var([np.trace(s.static["fluctuation"]) for s in spectra]) for kind, spectra in runs.items()
    }
    assert static["none"] / static["molecules"] > 2.0


def test_means_and_errors_stay_right(runs: dict[str, list[Spectrum]]) -> None:
    nu = runs["none"][0].wavenumber_cm
    exact = 2.0 + sum(lorentz_chi(np.zeros(1), *band[:2], 1.0 / band[2], VOLUME)[0].real for band in BANDS)
    found = np.array([np.trace(s.static["fluctuation"]) / 3.0 for s in runs["molecules"]])
    assert abs(found.mean() - exact) < 3.5 * found.std(ddof=1) / RUNS**0.5
    points = np.flatnonzero((nu > 300.0) & (nu < 3800.0))[:: round(90.0 / (nu[1] - nu[0]))]
    for name in ("n_alpha", "eps_real"):
        plain, less = (np.array([s.get(name)[points] for s in runs[kind]]) for kind in ("none", "molecules"))
        error = np.array([s.error(name)[points] for s in runs["molecules"]])
        assert np.sqrt((error**2).mean(axis=0) / less.var(axis=0, ddof=1)).mean() == pytest.approx(
            1.0, abs=0.15
        )
        assert np.mean(np.abs(less - less.mean(axis=0)) < error) == pytest.approx(0.68, abs=0.06)
        shift = (less - plain).mean(axis=0) / (plain.std(axis=0, ddof=1) / RUNS**0.5)
        assert np.sqrt(np.mean(shift**2)) < 1.0  # less than what the plain means are off by chance


def test_what_the_current_carries_decides() -> None:
    series = liquid(99)
    known = compute_spectrum(series, control_variates="molecules", **OPTIONS)  # type: ignore[arg-type]
    chosen = compute_spectrum(series, control_variates="auto", **OPTIONS)  # type: ignore[arg-type]
    np.testing.assert_array_equal(chosen.sigma, known.sigma)
    assert "kind of motion" in chosen.quality["control_variates"].meaning
    bare = replace(series, internal_current=None, internal_zz_over_mass=None)
    with pytest.raises(DataError, match="motions=molecules"):
        compute_spectrum(bare, control_variates="molecules", **OPTIONS)  # type: ignore[arg-type]
    # tensors were evaluated at some frames only: the mean over these is what is known
    some = np.full((len(np.asarray(series.current)), 2, 3, 3), np.nan)
    some[::8] = np.asarray(series.internal_zz_over_mass)[::8]
    again = compute_spectrum(
        replace(series, internal_zz_over_mass=some), control_variates="molecules", **OPTIONS  # type: ignore[arg-type]
    )  # fmt: skip
    np.testing.assert_allclose(again.sigma, known.sigma, rtol=1e-9)


def test_slow_motion_that_nothing_is_known_of_stays_as_it_is() -> None:
    """⟨δM²⟩ of what M does more slowly than the run resolves does not follow the bands."""
    series = liquid(98)
    dipole = np.asarray(series.polarization)
    phase = 2.0 * np.pi * np.arange(len(dipole) + 1) / 7000.0 + np.arange(3)[:, None]  # a period of 7 ps
    slow = (4.0 * dipole.std() * np.sin(phase)).T
    moved = replace(
        series,
        current=np.asarray(series.current) + (np.diff(slow, axis=0) / TIMESTEP_FS)[:, None],
        polarization=dipole + slow[:-1],
    )
    plain, less = (
        compute_spectrum(moved, control_variates=kind, **OPTIONS)  # type: ignore[arg-type]
        for kind in ("none", "molecules")
    )
    assert less.plain_n_alpha is not None
    changes, whole = {}, {}
    for route in ("fluctuation", "kramers_kronig"):
        whole[route], after = (np.diag(found.static[route]) - 2.0 for found in (plain, less))
        changes[route] = np.abs(after - whole[route])
    assert (whole["fluctuation"] > 2.0 * whole["kramers_kronig"]).all()
    # a common factor would change the larger one by more than twice as much
    assert (changes["fluctuation"] < 1.5 * changes["kramers_kronig"]).all()
    assert changes["kramers_kronig"].max() > 0.0


@pytest.mark.parametrize("kind", ["axis", "molecules"])
def test_no_error_is_larger_than_the_spectrum_where_a_short_run_is_dark(kind: str) -> None:
    """Squares at the top of a band leak where a run is not much longer than the lag window."""
    short = liquid(97)[:1600]
    options = {**OPTIONS, "max_cm": 9000.0}
    found = compute_spectrum(short, control_variates=kind, **options)  # type: ignore[arg-type]
    assert found.plain_n_alpha is not None
    dark = found.wavenumber_cm > 6000.0
    assert found.n_alpha[dark].max() < 0.02 * found.n_alpha.max()
    assert (found.n_alpha_err[dark] < 2.0 * found.n_alpha[dark]).all()
    low, high = found.n_alpha_interval(0.95)
    assert (np.isfinite(high) & (low < found.n_alpha)).all()
