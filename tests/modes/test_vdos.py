"""The density of states of a crystal whose modes are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.modes import compute_vdos
from bec_md.units import wavenumber_from_angular_frequency
from bec_md.validate.crystal import random_crystal
from tests.modes.run import FrameList, frames_of

DT = 5.0


@pytest.fixture(scope="module")
def crystal():
    return random_crystal(seed=4, gamma_cm=15.0)


@pytest.fixture(scope="module")
def run(crystal):
    return crystal.run(8000, DT, np.random.default_rng(2))


def test_it_counts_the_degrees_of_freedom(crystal, run) -> None:
    found = compute_vdos(FrameList(frames_of(crystal, *run, DT), DT), resolution_cm=8.0)
    nu = found.wavenumber_cm
    assert found.degrees_of_freedom == 21
    assert np.trapezoid(found.total, nu) == pytest.approx(21.0, rel=1e-9)
    assert min(values.min() for values in found.species.values()) >= 0.0
    # each species has the degrees of freedom of its share of the eigenvectors, at equipartition
    frequencies, vectors = crystal.modes()
    light = np.array([s == "O" for s in crystal.symbols])
    share = (vectors.reshape(8, 3, 21) ** 2).sum(axis=1)[light].sum(axis=0)
    # 40 ps, γT = 110 independent energies per mode, 21 modes: 3 %
    assert np.trapezoid(found.species["O"], nu) == pytest.approx(share.sum(), rel=0.12)
    # states below the middle of the largest gap
    modes = np.array([wavenumber_from_angular_frequency(w) for w in frequencies])
    gap = int(np.argmax(np.diff(modes)))
    middle = 0.5 * (modes[gap] + modes[gap + 1])
    below = np.trapezoid(np.where(nu < middle, found.total, 0.0), nu)
    assert below == pytest.approx(gap + 1, rel=0.25)


def test_frozen_atoms_have_no_states(crystal, run) -> None:
    """Oxygen moves, magnesium is held: 3 states of each oxygen, and none of magnesium by a moving frame."""
    held = np.array([s == "Mg" for s in crystal.symbols])
    frames = [
        replace(
            f,
            positions_ang=np.where(held[:, None], crystal.positions_ang, f.positions_ang),
            velocities_ang_fs=np.where(held[:, None], 0.0, f.velocities_ang_fs),
        )
        for f in frames_of(crystal, *(part[:2000] for part in run), DT)
    ]
    found = compute_vdos(FrameList(frames, DT), resolution_cm=20.0)
    assert found.degrees_of_freedom == 3 * np.count_nonzero(~held)
    assert np.trapezoid(found.species["O"], found.wavenumber_cm) == pytest.approx(12.0, rel=1e-9)
    assert not found.species["Mg"].any()


def test_error_bars_are_the_scatter(crystal) -> None:
    found = [
        compute_vdos(
            FrameList(frames_of(crystal, *crystal.run(3000, DT, np.random.default_rng(s)), DT), DT),
            resolution_cm=40.0,
            max_cm=900.0,
        )
        for s in range(8)
    ]
    band = (found[0].wavenumber_cm > 200.0) & (found[0].wavenumber_cm < 850.0)
    for name in ("Mg", "O"):
        values = np.array([f.species[name][band] for f in found])
        errors = np.array([f.species_err[name][band] for f in found])
        ratio = np.sqrt(np.mean(values.var(axis=0, ddof=1)) / np.mean(errors**2))
        # scatter of 8 runs: 27 % per point, ~10 independent points
        assert 0.6 < ratio < 1.6


def test_positions_and_velocities_agree(crystal, run) -> None:
    stored = compute_vdos(FrameList(frames_of(crystal, *run, DT), DT), resolution_cm=30.0, max_cm=1000.0)
    frames = frames_of(crystal, run[0], None, DT)
    midpoint = compute_vdos(FrameList(frames, DT, "midpoint"), resolution_cm=30.0, max_cm=1000.0)
    assert midpoint.scheme == "midpoint"
    # the damping by differences is divided out; what aliases is small
    assert np.abs(midpoint.total - stored.total).max() < 0.03 * stored.total.max()


def test_a_drift_is_taken_off(crystal, run) -> None:
    plain = compute_vdos(FrameList(frames_of(crystal, *run, DT), DT), resolution_cm=30.0)
    moving = compute_vdos(FrameList(frames_of(crystal, run[0], run[1] + 0.1, DT), DT), resolution_cm=30.0)
    np.testing.assert_allclose(moving.total, plain.total, atol=1e-10 * plain.total.max())


def test_streaming_equals_one_block(crystal, run, monkeypatch) -> None:
    from bec_md.spectrum.estimators import correlation

    frames = FrameList(frames_of(crystal, *run, DT), DT)
    streamed = compute_vdos(frames, resolution_cm=20.0)
    monkeypatch.setattr(correlation, "block_length", lambda n, *_: n)
    whole = compute_vdos(frames, resolution_cm=20.0)
    np.testing.assert_allclose(streamed.total, whole.total, atol=1e-10 * whole.total.max())
    assert np.isnan(whole.species_err["O"]).all()


def test_it_needs_time_and_frames(crystal, run) -> None:
    frames = frames_of(crystal, run[0][:10], run[1][:10], DT)
    with pytest.raises(DataError, match="at least 16"):
        compute_vdos(FrameList(frames, DT))
    with pytest.raises(UsageError, match="how much time"):
        compute_vdos(FrameList(frames, None))


def test_what_does_not_move_has_no_states(crystal, run) -> None:
    frames = frames_of(crystal, *run, DT)[:100]
    still = [replace(frame, velocities_ang_fs=np.zeros((8, 3))) for frame in frames]
    with pytest.raises(DataError, match="moves against the others"):
        compute_vdos(FrameList(still, DT), resolution_cm=100.0)
