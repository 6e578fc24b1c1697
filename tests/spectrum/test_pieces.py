"""One run, pieces with new velocities, replicas: the variance of a mode's energy in exact oscillators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from bec_md.arrays import Array
from bec_md.current.series import CurrentSeries
from bec_md.errors import UsageError
from bec_md.spectrum import compute_spectrum, plan_run
from bec_md.spectrum.analysis.pieces import NEW_VELOCITIES, ONE_RUN, REPLICAS, energy_variance
from bec_md.validate.expectation import omega_fs
from tests.spectrum.exact import TEMPERATURE_K, kt_amu

PERIOD = 16  # samples per period


def velocities(pieces: int, periods: int, exchange: float, kept: float, count: int, seed: int) -> Array:
    """(pieces, samples, count) of damped oscillators with k_BT = 1, propagated exactly; ω = 2π, γ = 1/τ.

    Before each piece velocities (½), or all of the state (0), are drawn anew. Pieces of whole periods would
    be given their velocities at the same phase: up to one period between them is left out.
    """
    rng = np.random.default_rng(seed)
    omega, dt = 2.0 * np.pi, 1.0 / PERIOD
    step = expm(np.array([[0.0, 1.0], [-(omega**2), -1.0 / exchange]]) * dt)
    still = np.diag([omega**-2, 1.0])
    noise = np.linalg.cholesky(still - step @ still @ step.T + 1e-15 * still)
    state = np.sqrt(np.diag(still))[:, None] * rng.normal(size=(2, count))
    out = np.empty((pieces, periods * PERIOD, count))
    for piece in out:
        if kept < 1.0:
            state[1] = rng.normal(size=count)
        if kept == 0.0:
            state[0] = rng.normal(size=count) / omega
        for sample in piece:
            sample[:] = state[1]
            state = step @ state + noise @ rng.normal(size=(2, count))
        for _ in range(rng.integers(PERIOD) if kept < 1.0 else 0):
            state = step @ state + noise @ rng.normal(size=(2, count))
    return out


@pytest.mark.parametrize("kept", [ONE_RUN, NEW_VELOCITIES, REPLICAS])
@pytest.mark.parametrize("exchange", [1e9, 60.0, 20.0])
def test_variance_of_the_mean_energy(kept: float, exchange: float) -> None:
    pieces, periods, count = 6, 20, 2000
    found = (velocities(pieces, periods, exchange, kept, count, 1) ** 2).mean(axis=(0, 1))
    # 2000 oscillators, exponential energies: the variance is known within 6 % where a run keeps its energy,
    # and 3 % of it is ⟨q̇²⟩ against the energy within the period
    expected = energy_variance(pieces, periods, exchange, kept)
    assert found.mean() == pytest.approx(1.0, abs=4.0 * (expected / count) ** 0.5)
    assert found.var() == pytest.approx(expected, rel=0.2)


def test_limits() -> None:
    for exchange in (0.3, 5.0, 400.0):  # pieces that go on are one run
        assert energy_variance(7, 3.0, exchange, 1.0) == pytest.approx(
            energy_variance(1, 21.0, exchange, 0.0), rel=1e-9
        )
    assert energy_variance(1, 1.0, 1e12, 1.0) == pytest.approx(1.0)  # an energy that never changes
    assert energy_variance(1000, 1.0, 1e12, 0.5) == pytest.approx(3.0 / 1000, rel=0.01)  # (1 + ½)/(1 − ½)
    assert energy_variance(1000, 1.0, 1e12, 0.0) == pytest.approx(1.0 / 1000)
    assert energy_variance(1, 1e6, 1.0, 0.0) == pytest.approx(2e-6, rel=1e-3)


def test_height_of_a_line_has_that_variance_and_no_bias() -> None:
    """Undamped oscillators at 400 cm⁻¹: one run keeps its height, pieces with new velocities do not."""
    dt, pieces, resolution = 1e15 / (2.99792458e10 * 400.0 * PERIOD), 6, 20.0
    periods = round(8000.0 / dt / PERIOD)  # ms of 8 ps
    assert float(omega_fs(np.array(400.0))) * dt == pytest.approx(2.0 * np.pi / PERIOD, rel=1e-6)
    variances = {}
    for kept in (ONE_RUN, NEW_VELOCITIES):
        motion = velocities(pieces, periods, 1e9, kept, 240, 2)
        heights: list[float] = []
        for first in range(0, 240, 3):
            series = [
                CurrentSeries(
                    (kt_amu(TEMPERATURE_K) / 10.0) ** 0.5 * piece[:, None, first : first + 3],
                    ("total",),
                    dt,
                    300.0,
                )
                for piece in (motion if kept < 1.0 else [np.concatenate(list(motion))])
            ]
            spectrum = compute_spectrum(
                series, temperature_k=TEMPERATURE_K, resolution_cm=resolution, max_cm=600.0, dc=False
            )
            at = int(np.argmin(np.abs(spectrum.wavenumber_cm - 400.0)))
            heights += np.diagonal(spectrum.sigma.real[at]).tolist()
        mean = float(np.mean(heights))
        variances[kept] = float(np.var(heights)) / mean**2
        # 240 oscillators: the variance of exponential energies is known within 20 %, of six pieces 15 %
        assert variances[kept] == pytest.approx(energy_variance(pieces, 8.0, 1e9, kept), rel=0.45)
    assert variances[NEW_VELOCITIES] < 0.6 * variances[ONE_RUN]


def test_plan_says_which_is_cheapest() -> None:
    slow = plan_run(10.0, 0.1, 1250.0, exchange_ps=5.0)
    by_name = {route.how: route for route in slow.routes}
    assert [route.cost_ps for route in slow.routes] == sorted(route.cost_ps for route in slow.routes)
    assert slow.routes[-1].how == "one run"  # 2τ/T: three times the time of the shape's noise alone
    assert by_name["one run"].cost_ps > 1.3 * by_name["new velocities"].cost_ps
    for route in slow.routes:
        assert 0.09 < route.relative_error <= 0.1
        assert route.piece_ps >= slow.shortest_ps
    # modes that exchange energy within a piece: nothing is gained
    fast = plan_run(10.0, 0.1, 1250.0, exchange_ps=0.01).routes
    assert max(route.cost_ps for route in fast) < 1.1 * fast[0].cost_ps + 10.0
    # modes that hardly do: new velocities keep half of the energy, replicas nothing
    frozen = plan_run(10.0, 0.1, 1250.0, exchange_ps=500.0, equilibration_ps=0.2).routes
    assert [route.how for route in frozen] == ["replicas", "new velocities", "one run"]
    assert plan_run(10.0, 0.1, 1250.0).routes == ()
    for wrong in ({"exchange_ps": 0.0}, {"exchange_ps": 5.0, "equilibration_ps": -1.0}):
        with pytest.raises(UsageError, match="positive"):
            plan_run(10.0, 0.1, 1250.0, **wrong)  # type: ignore[arg-type]
