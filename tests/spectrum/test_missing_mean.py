"""The variance of the mean of M that ⟨δM²⟩ of a run lacks."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.spectrum import compute_spectrum
from bec_md.units import SUSCEPTIBILITY
from tests.spectrum.exact import bare, kt_amu, langevin_oscillator, omega_fs
from tests.spectrum.walking import TEMPERATURE


@pytest.mark.parametrize("slow", [True, False])
def test_the_mean_of_a_slow_dipole_is_missed_by_none_of_several_short_runs(slow: bool) -> None:
    """Runs of five relaxation times each: about its own mean M fluctuates by a third too little.

    Of a mode of 1.3 periods it does not, although its first ordinates look like those of a relaxation.
    """
    frames, step, nu, count = (2000, 20.0, 30.0, 5) if slow else (104, 4.1696, 100.0, 10)
    damping = 8000.0 * omega_fs(nu) ** 2 / omega_fs(1.0) if slow else 3.0
    exact = SUSCEPTIBILITY * kt_amu() / (20.0 * omega_fs(nu) ** 2) / (3000.0 * TEMPERATURE)
    values, errors = [], []
    for seed in range(8):
        runs = [langevin_oscillator(frames, step, nu, damping, 20.0, 50 * seed + r) for r in range(count)]
        series = [bare(v, step, 3000.0, polarization=x) for x, v in runs]
        found = compute_spectrum(series, temperature_k=TEMPERATURE, max_cm=10.0 * nu)
        values.append(np.trace(found.static["fluctuation"]) / 3.0 / exact)
        errors.append(found.static_average_err("fluctuation") / exact)
    # eight results that scatter by 20 %: the mean is known to 7 %
    assert np.mean(values) == pytest.approx(1.0, abs=0.2)
    assert np.mean((np.array(values) - 1.0) ** 2 / np.array(errors) ** 2) < 2.5


def test_a_walk_that_is_not_known_is_not_counted_again_with_the_mean_of_a_dipole() -> None:
    """White noise of J that walks as far as a twentieth of ⟨δM²⟩ adds little more than that to ε(0)."""
    nu, step, frames = 90.0, 8.0, 2500
    rng = np.random.default_rng(4)
    variance = kt_amu() / (20.0 * omega_fs(nu) ** 2)
    noise = np.sqrt(6.0 * 0.05 * variance / frames) / step
    found = {True: 0.0, False: 0.0}
    for seed in range(8):
        _, v = langevin_oscillator(frames, step, nu, 10.0, 20.0, seed)
        kicks = noise * rng.normal(size=v.shape)
        for walks in found:
            series = bare(v + kicks * walks, step, 3000.0)
            one = compute_spectrum(
                series, temperature_k=TEMPERATURE, resolution_cm=8.0, max_cm=300.0, dc=False
            )
            found[walks] += np.trace(one.static["fluctuation"])
            assert one.parameters["dipole"] == "bounded"
    assert found[True] / found[False] == pytest.approx(1.05, abs=0.015)
