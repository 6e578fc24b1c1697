"""Errors of static numbers where random forces between samples fold power onto ω = 0."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.spectrum import compute_spectrum
from tests.spectrum.exact import bare, langevin_oscillator, lorentz_chi


@pytest.mark.parametrize("control", ["none", "f-sum"])
def test_a_walk_by_folding_that_is_taken_off_is_known_to_a_tenth(control: str) -> None:
    """Means of twelve times five runs of 20 ps, a tenth of ⟨δM²⟩ of folded power: scatter known to 21 %.

    What is known of ⟨J²⟩ tells nothing of the walk, and the walk nothing of ∫ε₂/ω.
    """
    found: dict[str, list[tuple[float, float]]] = {"fluctuation": [], "kramers_kronig": []}
    for seed in range(12):
        v = langevin_oscillator(5000, 4.0, 300.0, 30.0, 16.0, seed, (5, 3))[1]
        series = [bare(run, 4.0, zz_over_mass=np.eye(3)[None, None] / 16.0) for run in np.moveaxis(v, 1, 0)]
        spectrum = compute_spectrum(
            series, temperature_k=300.0, resolution_cm=20.0, max_cm=700.0, control_variates=control
        )
        for route, numbers in found.items():
            value = float(np.trace(spectrum.static[route])) / 3.0
            numbers.append((value, spectrum.static_average_err(route)))
    for route, numbers in found.items():
        values, errors = np.array(numbers).T
        most = 1.35 if control == "none" or route == "fluctuation" else 2.0
        assert 0.65 < np.median(errors) / np.std(values, ddof=1) < most


@pytest.mark.parametrize(("nu", "step", "slow"), [(60.0, 8.0, True), (300.0, 4.0, False)])
@pytest.mark.parametrize("control", ["none", "f-sum"])
def test_where_m_walks_the_integral_says_what_it_misses(
    nu: float, step: float, slow: bool, control: str
) -> None:
    """A friction of 300 cm⁻¹: M relaxes with 60²/300 = 12 cm⁻¹, less than the resolution, or with 300."""
    v = langevin_oscillator(round(40000 / step), step, nu, 300.0, 1.0, 3)[1]
    spectrum = compute_spectrum(
        bare(v, step, zz_over_mass=np.eye(3)[None, None]),
        temperature_k=300.0,
        resolution_cm=20.0,
        control_variates=control,
    )
    assert spectrum.parameters["static_source"] == "kramers_kronig"
    exact = float(lorentz_chi(np.zeros(1), nu, 300.0, 1.0, 1000.0)[0].real)
    value = float(np.trace(spectrum.static["kramers_kronig"])) / 3.0
    error = spectrum.static_average_err("kramers_kronig")
    assert abs(value - exact) < 3.0 * error
    assert (value < 0.6 * exact) == slow
    assert (error > 0.25 * value) == slow
    assert ("misses motion slower" in str(spectrum.quality["static"].advice)) == slow
