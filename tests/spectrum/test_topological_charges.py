"""Oxidation numbers give the dc conductivity of Born effective charges, but not the spectrum.

References
----------
Grasselli and Baroni, Nature Physics 15, 967 (2019).
"""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.spectrum.analysis.charge_comparison import compare_charges
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.cepstral import cepstral_zero_frequency, in_consistent_band
from bec_md.spectrum.estimators.periodogram import periodogram
from tests.spectrum.exact import bare, kt_amu

PERIOD, MASS, FRICTION, STEP = 3.0, 7.0, 0.05, 4.0  # Å, amu, 1/fs, fs
BARRIER_KT = 1.5
SWING = 0.6


def hopping_ions(n_frames: int = 20000, n_ions: int = 60, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of Langevin ions in a cosine potential, (T, n, 3), Å and Å/fs."""
    rng = np.random.default_rng(seed)
    kt, k = kt_amu(), 2 * np.pi / PERIOD
    x, v = np.zeros((n_ions, 3)), rng.normal(size=(n_ions, 3)) * np.sqrt(kt / MASS)
    keep, kick = np.exp(-FRICTION * STEP), np.sqrt(kt / MASS * (1 - np.exp(-2 * FRICTION * STEP)))
    positions, velocities = np.empty((n_frames, n_ions, 3)), np.empty((n_frames, n_ions, 3))
    noise = rng.normal(size=(n_frames, n_ions, 3)) * kick
    for t in range(n_frames):  # BAOAB
        v = v + 0.5 * STEP * BARRIER_KT * kt * 0.5 * k / MASS * -np.sin(k * x)
        x = x + 0.5 * STEP * v
        v = keep * v + noise[t]
        x = x + 0.5 * STEP * v
        v = v + 0.5 * STEP * BARRIER_KT * kt * 0.5 * k / MASS * -np.sin(k * x)
        positions[t], velocities[t] = x, v
    return positions, velocities


def test_same_conductivity_different_spectrum() -> None:
    x, v = hopping_ions()
    # gapped system: M is q x plus a periodic function of x, so that Z = q + q s cos(2πx/a) averages to q
    charges = 1.0 + SWING * np.cos(2 * np.pi * x / PERIOD)
    # current of all ions; M of one ion stays within q s a/2π of the oxidation number times its path
    dynamic = bare((charges * v).sum(axis=1), STEP, 2000.0)
    oxidation = bare(v.sum(axis=1), STEP, 2000.0)
    difference = STEP * np.cumsum(((charges - 1.0) * v).sum(axis=1), axis=0)
    bound = SWING * PERIOD / (2 * np.pi) * 60
    assert np.abs(difference).max() < bound
    options = {"temperature_k": 300.0, "resolution_cm": 10.0, "max_cm": 600.0, "dc": True}
    first, second = (compute_spectrum(s, **options) for s in (dynamic, oxidation))
    a, b = (s.parameters["sigma_dc_s_per_m"] for s in (first, second))
    error = np.hypot(*(s.parameters["sigma_dc_err_s_per_m"] for s in (first, second)))
    assert a == pytest.approx(b, abs=3.0 * error)
    assert error < 0.25 * b
    # a wide band smooths the dip at ω = 0 away: 30 % too much, with an error that does not tell
    bins = periodogram(open_blocks((dynamic,), "none"))
    wide = cepstral_zero_frequency(bins.power.mean(axis=0), 3, bins.wavenumber_cm, 2400.0)
    narrow = in_consistent_band(bins.power.mean(axis=0), 3, bins.wavenumber_cm, 2400.0)
    assert wide.value > 1.25 * narrow.value
    assert narrow.band_cm < 300.0
    # oscillation in the wells, where Z* is above the oxidation number, absorbs far more
    band = (first.wavenumber_cm > 50) & (first.wavenumber_cm < 150)
    assert first.n_alpha[band].sum() > 1.3 * second.n_alpha[band].sum()
    row = compare_charges({"Z*": [dynamic], "oxidation": [oxidation]}, **options).table[1]
    assert row.intensity_ratio < 0.9
    assert row.significant_share > 0.5
