"""TO and LO frequencies with errors, and fits without a first guess."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum import summary
from bec_md.spectrum.analysis.bands import _longitudinal, all_band_frequencies, band_frequencies
from bec_md.spectrum.analysis.fit_table import fit_bands
from bec_md.spectrum.analysis.peak import Peak
from bec_md.spectrum.analysis.smoother import Smoother
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.response import oscillator
from bec_md.spectrum.response.scalar import Response
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import PLASMA_FREQUENCY2_FS2
from tests.spectrum.exact import bare, langevin_oscillator, omega_fs

TO, WIDTH, EPS_INF, MASS, VOLUME = 400.0, 30.0, 2.5, 10.0, 60.0
CHARGES = np.array([1.5, 1.5, 2.0])  # e, along x, y, z


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    v = langevin_oscillator(60000, 4.0, TO, WIDTH, MASS, 2, (3, 4))[1]
    series = [bare(v[..., i] * CHARGES, 4.0, VOLUME) for i in range(4)]
    return compute_spectrum(series, temperature_k=300.0, resolution_cm=8.0, max_cm=1500.0, eps_inf=EPS_INF)


def exact_lo(charge: float) -> float:
    """LO² = TO² + ω_p²/ε_∞."""
    plasma = PLASMA_FREQUENCY2_FS2 * charge**2 / MASS / VOLUME
    return float(np.sqrt(TO**2 + plasma / EPS_INF / float(omega_fs(1.0)) ** 2))


def test_transverse_and_longitudinal_frequencies_along_the_axes(spectrum: Spectrum) -> None:
    found = {b.direction: b for b in all_band_frequencies(spectrum)}
    for axis, charge in (("x", 1.5), ("z", 2.0)):
        band = found[axis]
        # the maximum of ε₂ lies below the undamped frequency by γ²/(4ω₀): 0.6 cm⁻¹
        assert band.to_cm[0] == pytest.approx(TO - WIDTH**2 / (4 * TO), abs=4 * band.to_err_cm[0])
        assert band.lo_cm[-1] == pytest.approx(exact_lo(charge), abs=4 * band.lo_err_cm[-1] + 1.0)
        assert band.lo_err_cm[-1] < 5.0
        # damping moves the zero of ε₁ down by γ²ω²/(LO²−TO²)/2ω: 2 cm⁻¹
        assert band.lo_zero_cm[-1] == pytest.approx(exact_lo(charge), abs=4 * band.lo_err_cm[-1] + 3.0)
        assert band.pairs()[-1][1] == band.lo_cm[-1]
    assert found["z"].lo_cm[-1] > found["x"].lo_cm[-1] + 50.0


@pytest.mark.parametrize("strength", [0.02, 0.05, 0.2])
def test_a_splitting_that_is_not_resolved_has_an_error_that_says_so(
    spectrum: Spectrum, strength: float
) -> None:
    """The maximum of a smoothed loss function, without noise, lies up to twice as far from TO."""
    smoother = Smoother(spectrum)
    chi = oscillator.lorentz_susceptibility(smoother.grid_cm, np.array([[TO, 3.0, strength]]))
    sigma = smoother(chi)
    small = np.full(len(sigma), 1e-4 * float(sigma.real.max()))
    seen = replace(
        spectrum,
        sigma=sigma[:, None, None] * np.eye(3),
        iso_real_err=small,
        iso_imag_err=small,
        iso_covariance=0.0 * small,
    )
    band = band_frequencies(seen)
    shifted = band.lo_cm[-1] - TO * np.sqrt(1.0 + strength / EPS_INF)
    assert 0.4 < shifted < 2.0 * band.lo_err_cm[-1]
    assert band.lo_err_cm[-1] < band.lo_cm[-1] - TO


def test_fits_find_their_own_start(spectrum: Spectrum) -> None:
    lorentz = fit_bands(spectrum, "lorentz")
    assert [one["direction"] for one in lorentz["directions"]] == ["xy", "z"]  # the charges differ
    for band in lorentz["bands"]:
        assert band["position_cm"] == pytest.approx(TO, abs=4 * band["position_cm_err"])
        assert band["width_cm"] == pytest.approx(WIDTH, abs=4 * band["width_cm_err"])
    one_axis = compute_spectrum(
        bare(langevin_oscillator(60000, 4.0, TO, WIDTH, MASS, 7)[1] * 1.5, 4.0, VOLUME),
        temperature_k=300.0, resolution_cm=8.0, max_cm=1500.0, eps_inf=EPS_INF,
    )  # fmt: skip
    four = fit_bands(one_axis, "four-parameter")
    assert four["model"] == "four_parameter"
    first = four["bands"][0]
    assert first["to_cm"] == pytest.approx(TO, abs=5 * first["to_cm_err"])
    assert first["lo_cm"] == pytest.approx(exact_lo(1.5), abs=5 * first["lo_cm_err"])


def test_they_are_in_the_json(spectrum: Spectrum, tmp_path: Path) -> None:
    found = json.loads(json.dumps(summary(spectrum)))
    assert [b["direction"] for b in found["bands"]] == ["isotropic", "x", "y", "z"]
    assert found["bands"][1]["to_cm"]
    assert found["peaks"][0]["natural_width_cm"] == pytest.approx(WIDTH, abs=4.0)


def test_no_longitudinal_frequency_without_eps_inf() -> None:
    v = np.random.default_rng(0).normal(size=(2000, 3))
    s = compute_spectrum(bare(v), temperature_k=300.0, resolution_cm=300.0)
    with pytest.raises(UsageError, match="ε_∞"):
        band_frequencies(s)
    assert summary(s)["bands"] is None
    noise = compute_spectrum(bare(v), temperature_k=300.0, resolution_cm=900.0, eps_inf=2.0)
    with pytest.raises(UsageError, match="stands out"):
        fit_bands(noise, "four-parameter")


def test_a_zero_and_a_maximum_of_the_loss_function_within_their_errors_are_one() -> None:
    nu = np.arange(600.0, 850.0, 1.0)
    seen = SimpleNamespace(
        wavenumber_cm=nu,
        eps_real=0.02 * (nu - 720.4),  # zero at 720.4 ± 3
        eps_real_err=np.full(len(nu), 0.06),
        loss=4.0 / ((nu - 726.0) ** 2 + 4.0),
        loss_err=np.full(len(nu), 0.02),
    )
    (only,) = _longitudinal(cast(Response, seen), 3.3, [])
    assert only == pytest.approx((720.4, 3.0))
    between = [Peak(723.0, 1.0, 0.5, 5.0, 0.1)]  # poles and zeros of ε alternate
    assert [round(value) for value, _ in _longitudinal(cast(Response, seen), 3.3, between)] == [720, 726]
