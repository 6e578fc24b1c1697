"""Inputs at the edge: silent axes, very short runs, bounded memory, cost N log N."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bec_md.current.series import CurrentSeries
from bec_md.errors import DataError, UsageError
from bec_md.spectrum import summary
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.response.conductivity import conductivity_from_power
from tests.spectrum.exact import atoms_series, bare

OPTIONS: dict[str, Any] = {"temperature_k": 300.0, "resolution_cm": 100.0, "eps_inf": 2.0}


class Endless:
    """Per-frame data of any length without memory: a stored stretch, read with a moving offset."""

    def __init__(self, n: int, tail: tuple[int, ...], seed: int) -> None:
        self.shape = (n, *tail)
        self.data = np.random.default_rng(seed).normal(size=(70001, *tail)).astype(np.float32)
        self.largest = 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(self.shape[0])
        self.largest = max(self.largest, stop - start)
        return self.data[np.arange(start, stop) % 70001]


def endless(n: int, n_groups: int) -> CurrentSeries:
    return CurrentSeries(
        current=Endless(n, (n_groups, 3), 0),  # type: ignore[arg-type]
        groups=tuple(f"g{i}" for i in range(n_groups)),
        timestep_fs=1.0,
        volume_ang3=1000.0,
    )


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_silent_axes(estimator: str) -> None:
    v = np.random.default_rng(0).normal(size=(2000, 3)) * np.array([1.0, 0.0, 0.0])
    s = compute_spectrum(bare(v), **OPTIONS, estimator=estimator)
    assert np.all(s.sigma[:, 1, 1] == 0.0)
    assert s.n_alpha.min() > 0.0
    # J of white noise along x conducts there, σ = ⟨J²⟩Δ/2VkT, and nowhere else
    exact = float(conductivity_from_power(np.array([(v[:, 0] ** 2).mean()]), 1000.0, 300.0)[0])
    assert s.sigma_dc is not None
    assert s.sigma_dc[0, 0] == pytest.approx(exact, rel=0.1)
    assert not np.delete(s.sigma_dc.ravel(), 0).any()
    assert np.isfinite(compute_spectrum(bare(v), **OPTIONS, estimator=estimator, subtract_dc=True).eps).all()
    assert summary(s)["sigma_dc_s_per_m"] == pytest.approx(np.trace(s.sigma_dc) / 3.0)


def gas(first_charge_e: float, second_charge_e: float) -> CurrentSeries:
    """Atoms of one mass, half of them with either charge."""
    velocities = 0.01 * np.random.default_rng(0).normal(size=(200, 6, 3))
    charges = np.array([first_charge_e, second_charge_e] * 3)[:, None, None] * np.eye(3)
    return atoms_series(velocities, charges, np.full(6, 39.95), ["Ar"] * 6, 1.0)


@pytest.mark.parametrize(
    ("series", "kind", "reason"),
    [
        (bare(np.zeros((200, 3))), DataError, "rows were lost, or no atom moves"),
        (gas(0.0, 0.0), UsageError, "charges of all atoms are zero"),
        (gas(1.0, 1.0), UsageError, "all atoms carry the same charge for their mass"),
        (replace(gas(1.0, -1.0), current=np.zeros((200, 1, 3))), DataError, "rows were lost"),
    ],
)
def test_silence_is_refused_and_explained(series: CurrentSeries, kind: type, reason: str) -> None:
    with pytest.raises(kind, match="the current is zero in all 200 frames") as error:
        compute_spectrum(series, **OPTIONS)
    assert reason in error.value.why


def test_a_current_far_below_the_thermal_one_is_still_a_current() -> None:
    series = gas(1.0, -1.0)
    assert np.all(compute_spectrum(replace(series, current=1e-6 * series.current), **OPTIONS).n_alpha > 0.0)


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_shortest_run(estimator: str) -> None:
    v = np.random.default_rng(0).normal(size=(16, 3))
    s = compute_spectrum(bare(v), **{**OPTIONS, "resolution_cm": 5000.0}, estimator=estimator)
    assert np.all(np.isfinite(s.n_alpha_err))
    with pytest.raises(DataError, match="at least 16"):
        compute_spectrum(bare(v[:15]), **OPTIONS)


def test_finer_resolution_than_the_run_allows_uses_the_whole_run() -> None:
    v = np.random.default_rng(0).normal(size=(500, 3))
    s = compute_spectrum(bare(v), **{**OPTIONS, "resolution_cm": 1.0})
    assert len(s.lag_window) == 500
    assert s.n_alpha.min() >= 0.0
    assert s.quality["resolution"].status == "warn"


@pytest.mark.parametrize("estimator", ["lag", "welch", "multitaper"])
def test_memory_does_not_grow_with_the_number_of_frames(estimator: str) -> None:
    peaks = []
    for n in (40_000, 160_000):
        series = endless(n, 4)
        tracemalloc.start()
        compute_spectrum(series, **{**OPTIONS, "resolution_cm": 30.0, "dc": False}, estimator=estimator)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
        assert series.current.largest <= 100_000  # type: ignore[attr-defined]
    # kept is the total current and its periodogram: about 100 bytes per frame, up to 2²² and 2²⁰ frames
    assert peaks[1] - peaks[0] < 0.12 * 120.0 + 10.0
    assert peaks[1] < 120.0
