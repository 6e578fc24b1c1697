"""Rigid distances are found in the motion, and only where there are any."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from bec_md.current.mobility import PROBED
from bec_md.current.rigidity import count_constraints
from bec_md.errors import UsageError
from bec_md.structure import Frame

WATER = np.array([[0.0, 0.0, 0.0], [0.8165, 0.5774, 0.0], [-0.8165, 0.5774, 0.0]])
CHLOROMETHANE = np.array(
    [[0, 0, 0], [0, 0, 1.78], [1.03, 0, -0.36], [-0.515, 0.892, -0.36], [-0.515, -0.892, -0.36]]
)


def frames_of(symbols: str, positions: np.ndarray, cell: float) -> list[Frame]:
    atoms = Atoms(symbols)
    return [
        Frame(x % cell, cell * np.eye(3), np.ones(3, dtype=bool), atoms.numbers, atoms.get_masses())
        for x in positions
    ]


def places(count: int) -> np.ndarray:
    """Centers of molecules 5 Å apart."""
    return 5.0 * np.array(list(np.ndindex(6, 6, 6)))[:count]


def rigid_bodies(shape: np.ndarray, count: int, seed: int, digits: int = 8, step: float = 0.02) -> np.ndarray:
    """Molecules that turn and drift without changing their shape, (T, count × n, 3)."""
    rng = np.random.default_rng(seed)
    centers, turns = places(count), Rotation.random(count, rng=rng)
    speeds, spins = rng.normal(scale=0.01, size=(count, 3)), rng.normal(scale=step, size=(count, 3))
    out = []
    for frame in range(PROBED):
        now = Rotation.from_rotvec(spins * frame) * turns
        out.append(
            np.concatenate(
                [c + v * frame + r.apply(shape) for c, v, r in zip(centers, speeds, now, strict=True)]
            )
        )
    return np.round(np.array(out), digits)


@pytest.mark.parametrize("digits", [4, 8])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_rigid_water_has_three_constraints(count: int, digits: int) -> None:
    positions = rigid_bodies(WATER, count, seed=count, digits=digits)
    found = count_constraints(frames_of("OHH" * count, positions, 30.0), np.ones(3 * count, dtype=bool))
    assert found == 3 * count


@pytest.mark.parametrize(
    ("symbols", "along"), [("OCO", [-1.16, 0, 1.16]), ("HCCH", [-1.66, -0.6, 0.6, 1.66])]
)
@pytest.mark.parametrize("count", [1, 20])
def test_rigid_molecules_on_a_line_do_not_turn_about_it(symbols: str, along: list[float], count: int) -> None:
    shape = np.outer(along, [0.0, 0.0, 1.0])
    positions = rigid_bodies(shape, count, seed=count, digits=5)
    frames = frames_of(symbols * count, positions, 30.0)
    atoms = len(symbols)
    assert count_constraints(frames, np.ones(atoms * count, dtype=bool)) == (3 * atoms - 5) * count


@pytest.mark.parametrize("digits", [5, 8])
def test_rigid_bodies_that_differ(digits: int) -> None:
    """`fix rigid` freezes each molecule as it finds it, by heat a little different from the others."""
    rng, count = np.random.default_rng(8), 20
    each = [
        rigid_bodies(WATER + rng.normal(scale=0.02, size=(3, 3)), count, seed=5, digits=digits)[
            :, 3 * k : 3 * k + 3
        ]
        for k in range(count)
    ]
    positions = np.concatenate(each, axis=1)
    found = count_constraints(frames_of("OHH" * count, positions, 30.0), np.ones(3 * count, dtype=bool))
    assert found == 3 * count


def test_a_rigid_body_has_no_more_than_its_degrees_of_freedom() -> None:
    """Ten distances between five atoms are rigid; nine of them fix the body."""
    positions = rigid_bodies(CHLOROMETHANE, 6, seed=1)
    assert count_constraints(frames_of("CClHHH" * 6, positions, 30.0), np.ones(30, dtype=bool)) == 6 * 9


def test_only_the_bonds_that_are_held() -> None:
    """Molecules with rigid O–H bonds and a free angle have two each; a vibrating solvent adds none."""
    count = 30
    positions = rigid_bodies(WATER, count, seed=3).reshape(PROBED, count, 3, 3)
    angle = 0.05 * np.sin(0.5 * np.arange(PROBED))[:, None] * np.arange(1, count + 1) / count
    oxygen, hydrogen = positions[:, :, 0], positions[:, :, 2]
    axis = np.cross(positions[:, :, 1] - oxygen, hydrogen - oxygen)
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    turned = Rotation.from_rotvec((axis * angle[..., None]).reshape(-1, 3))
    positions[:, :, 2] = oxygen + turned.apply((hydrogen - oxygen).reshape(-1, 3)).reshape(hydrogen.shape)
    frames = frames_of("OHH" * count, positions.reshape(PROBED, 3 * count, 3), 30.0)
    assert count_constraints(frames, np.ones(3 * count, dtype=bool)) == 2 * count


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31), st.floats(10.0, 1000.0), st.sampled_from([0.25, 1.0, 4.0]), st.sampled_from([4, 8])
)
def test_vibrating_molecules_have_none(seed: int, kelvin: float, dt_fs: float, digits: int) -> None:
    """Flexible water of any temperature and sampling, also where bonds go their way for a moment only."""
    rng = np.random.default_rng(seed)
    count = 24
    turns = Rotation.random(count, rng=rng)
    rest = np.concatenate([c + turn.apply(WATER) for c, turn in zip(places(count), turns, strict=True)])
    masses = np.tile([16.0, 1.0, 1.0], count)[:, None]
    wavenumber = rng.uniform(1000.0, 3700.0, (3 * count, 3))  # amplitudes that leave 0.6 Å of every bond
    omega = 2.0 * np.pi * 2.998e-5 * wavenumber
    amplitude = np.sqrt(8.31446e-7 * kelvin / masses) / omega
    phase = rng.uniform(0, 2 * np.pi, omega.shape)
    positions = [rest + amplitude * np.sin(omega * dt_fs * t + phase) for t in range(PROBED)]
    frames = frames_of("OHH" * count, np.round(np.array(positions), digits), 30.0)
    assert count_constraints(frames, np.ones(3 * count, dtype=bool)) == 0


def test_crystals_and_frozen_atoms_have_none() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 1.6
    positions = grid + rng.normal(scale=0.03, size=(PROBED, 64, 3)).cumsum(axis=0) * 0.2
    frames = frames_of("SiO" * 32, positions, 6.4)
    assert count_constraints(frames, np.ones(64, dtype=bool)) == 0
    still = frames_of("OHH", np.repeat(WATER[None], PROBED, axis=0), 30.0)
    assert count_constraints(still, np.zeros(3, dtype=bool)) == 0


def test_shells_are_named() -> None:
    positions = np.repeat(np.array([[[1.0, 1.0, 1.0], [1.1, 1.05, 1.0], [3.0, 3.0, 3.0]]]), 4, axis=0)
    with pytest.raises(UsageError, match=r"atoms 0 and 1 of frame 0 are 0\.11 Å apart"):
        count_constraints(frames_of("OOMg", positions, 8.0), np.ones(3, dtype=bool))
    massless = np.array([True, False, True])
    assert count_constraints(frames_of("OOMg", positions, 8.0), massless) == 0
