"""Replicas that were exchanged, velocities drawn anew, and thermostats that only look like it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms, units
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.errors import BecMDWarning, DataError
from bec_md.trajectory import open_trajectory

N_ATOMS, STEP_FS, FRAMES = 32, 2.0, 200
Act = Callable[[int, np.ndarray, np.random.Generator], np.ndarray]
MASS = 20.0
THERMAL = float(np.sqrt(8.617e-5 * 300.0 / MASS / 103.642695))  # Å/fs


def run(act: Act, *, late: bool = False, seed: int = 0, step_fs: float = STEP_FS) -> list[Atoms]:
    """Independent springs of 50 … 700 cm⁻¹, exact between frames; `act` changes velocities at a frame.

    `late` stores a frame before its velocities change (as `temper` does), else after it (as a fix does).
    """
    random = np.random.default_rng(seed)
    omega = random.uniform(50.0, 700.0, (N_ATOMS, 3)) * 2 * np.pi * 2.99792458e-5
    sites = random.uniform(0.0, 20.0, (N_ATOMS, 3))
    x = THERMAL / omega * random.normal(size=omega.shape)
    v = THERMAL * random.normal(size=omega.shape)
    c, s = np.cos(omega * step_fs), np.sin(omega * step_fs)
    frames = []
    for number in range(FRAMES):
        changed = act(number, v, random)
        stored = v if late else changed
        atoms = Atoms("Ne" * N_ATOMS, sites + x, masses=[MASS] * N_ATOMS, cell=[20.0] * 3, pbc=True)
        atoms.set_velocities(stored / units.fs)
        frames.append(atoms)
        x, v = c * x + s / omega * changed, c * changed - s * omega * x
    return frames


def said(frames: list[Atoms], step_fs: float = STEP_FS) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trajectory = open_trajectory(frames, timestep_fs=step_fs)
        assert sum(1 for _ in trajectory.frames()) == FRAMES
    own = [str(w.message) for w in caught if issubclass(w.category, BecMDWarning)]
    return [text for text in (*trajectory.info.warnings, *own) if "at once" in text]


@settings(max_examples=15, deadline=None, derandomize=True)  # 1 % of them look like a thermostat
@given(
    st.lists(st.integers(4, 19), min_size=1, max_size=8, unique=True),
    st.sampled_from([0.93, 0.96, 1.04, 1.08]),
    st.booleans(),
    st.integers(0, 999),
)
def test_every_exchange_is_seen_at_its_frame(tens: list[int], factor: float, late: bool, seed: int) -> None:
    """T'/T = 0.86 … 1.17, up and down in turns; 17 frames may lie between two exchanges, or 100."""
    places = sorted(10 * ten for ten in tens)
    factors = {place: factor if k % 2 == 0 else 1.0 / factor for k, place in enumerate(places)}
    [text] = said(run(lambda n, v, _: factors.get(n, 1.0) * v, late=late, seed=seed))
    assert "exchanged replicas (temper)" in text
    # the interval that differs begins at this frame, or ends there
    expected = [place + late for place in places]
    assert f"frame {expected[0]}:" in text or f"{len(places)} frames ({expected[0]}" in text


@pytest.mark.parametrize("late", [False, True])
def test_velocities_drawn_anew_are_called_so(late: bool) -> None:
    def draw(number: int, v: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return THERMAL * random.normal(size=v.shape) if number in (60, 150) else v

    [text] = said(run(draw, late=late))
    assert f"at 2 frames ({60 + late}, {150 + late})" in text
    assert "drawn anew" in text


def scaled_to(temperature: float, v: np.ndarray) -> np.ndarray:
    return v * THERMAL * np.sqrt(temperature * v.size / (v * v).sum())


THERMOSTATS: dict[str, Act] = {
    "NVE": lambda n, v, _: v,
    "rescaling every 20 frames": lambda n, v, _: v if n % 20 else scaled_to(1.0, v),
    "rescaling in every frame": lambda n, v, _: scaled_to(1.0, v),
    "Berendsen": lambda n, v, _: v * np.sqrt(1 + 0.01 * (THERMAL**2 * v.size / (v * v).sum() - 1)),
    "stochastic rescaling": lambda n, v, random: v * (1 + 0.004 * random.normal()),
    "Langevin": lambda n, v, random: (
        0.998 * v + THERMAL * np.sqrt(1 - 0.998**2) * random.normal(size=v.shape)
    ),
    "ramp": lambda n, v, _: 1.001 * v,
    "Andersen": lambda n, v, random: np.where(
        random.random((N_ATOMS, 1)) < 0.005, THERMAL * random.normal(size=v.shape), v
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", list(THERMOSTATS))
def test_thermostats_are_no_exchange(name: str, late: bool, seed: int) -> None:
    assert said(run(THERMOSTATS[name], late=late, seed=seed)) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("step_fs", [6.0, 10.0, 14.0, 20.0])
def test_frames_far_apart_are_no_exchange(step_fs: float, seed: int) -> None:
    """Up to 2.6 rad from frame to frame: velocities at four frames do not tell the way between them."""
    assert said(run(lambda n, v, _: v, seed=seed, step_fs=step_fs), step_fs) == []


def test_replicas_sorted_by_temperature_are_refused() -> None:
    """GROMACS writes one file per temperature: positions go on in another run where replicas exchange."""
    one, other = (run(lambda n, v, _: v, seed=seed) for seed in (1, 2))
    apart = 0.15 * np.random.default_rng(3).normal(size=(N_ATOMS, 3))
    shift = one[79].positions - other[79].positions + apart  # the same crystal, another state
    for atoms in other:
        atoms.positions += shift
    trajectory = open_trajectory(one[:80] + other[80:], timestep_fs=STEP_FS)
    with pytest.raises(DataError, match="frame 80: its atoms have jumped") as error:
        list(trajectory.frames())
    assert "replicas were exchanged" in error.value.why


def test_the_same_place_at_another_time_is_no_jump() -> None:
    frames = run(lambda n, v, _: v)
    again = [*frames[:80], frames[79].copy(), *frames[80:]]
    again[80].positions += 1e-9
    with pytest.raises(DataError, match="frame 80: its atoms have hardly moved"):
        list(open_trajectory(again, timestep_fs=STEP_FS).frames())
