"""Stretching, bending and whole molecules: what each kind of motion is, and what is known of its current."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from bec_md.arrays import Array
from bec_md.current import compute_current, load_current
from bec_md.current.internal import InternalMotion
from bec_md.errors import BecMDError, DataError
from bec_md.structure import Frame
from bec_md.structure.extxyz import frame_text

CELL = np.eye(3) * 12.0


def frame_of(*names: str, seed: int = 0, shake: float = 0.05, **more: object) -> Frame:
    """Molecules of ASE's collection, turned, shaken, 4 Å apart in a box whose sides they cross."""
    rng = np.random.default_rng(seed)
    whole = Atoms()
    for number, name in enumerate(names):
        part = molecule(name) if len(name) > 1 else Atoms(name)
        part.rotate(360.0 * rng.random(), rng.normal(size=3), center="COM")
        part.translate(4.0 * np.array([number % 3, number // 3 % 3, number // 9]) - part.get_center_of_mass())
        whole += part
    positions = whole.positions + rng.normal(scale=shake, size=(len(whole), 3))
    return Frame(positions % 12.0, CELL, np.ones(3, dtype=bool), whole.numbers, **more)  # type: ignore[arg-type]


def thermal(frame: Frame, count: int, seed: int = 1) -> Array:
    """Velocities (count, N, 3) at k_BT = 1 amu Å²/fs²."""
    normal = np.random.default_rng(seed).normal(size=(count, frame.n_atoms, 3))
    return np.asarray(normal / np.sqrt(frame.masses_amu)[:, None])


def test_mean_squares_are_exact_for_any_tensors() -> None:
    frame = frame_of("H2O", "CO2", "NH3", "C2H2", "Na", "H2O", "CH3OH")  # linear ones and an ion among them
    motion = InternalMotion.of(frame, frame.masses_amu)
    charges = np.random.default_rng(2).normal(size=(frame.n_atoms, 3, 3))
    velocities = thermal(frame, 20_000)
    parts = np.concatenate([motion.velocities([frame] * 500, v) for v in np.split(velocities, 40)], axis=1)
    currents = np.einsum("iab,kfib->kaf", charges, [*parts, velocities - parts.sum(axis=0)])
    found = np.einsum("kaf,lbf->klab", currents, currents) / len(velocities)
    squares = motion.squares([frame], charges[None])[0]
    whole = np.einsum("iab,icb,i->ac", charges, charges, 1.0 / frame.masses_amu)
    exact = [*squares, whole - squares.sum(axis=0)]
    for kind in range(3):
        scale = np.sqrt(np.outer(np.diag(exact[kind]), np.diag(exact[kind])))
        # 20,000 independent samples: variances within 1 %, covariances within 0.7 % of the scale
        assert np.abs((found[kind, kind] - exact[kind]) / scale).max() < 0.04
        for other in range(kind):
            cross = np.sqrt(np.outer(np.diag(exact[kind]), np.diag(exact[other])))
            assert np.abs(found[kind, other] / cross).max() < 0.03


def test_what_each_kind_is() -> None:
    frame = frame_of("H2O", "H2O", "C6H6", seed=3)
    motion = InternalMotion.of(frame, frame.masses_amu)
    rng = np.random.default_rng(4)
    positions, velocities = frame.positions_ang, np.empty((1, frame.n_atoms, 3))
    for atoms in (slice(0, 3), slice(3, 6), slice(6, 18)):
        apart = positions[atoms] - positions[atoms][0]
        apart -= 12.0 * np.rint(apart / 12.0)
        velocities[0, atoms] = rng.normal(size=3) + np.cross(rng.normal(size=3), apart)
    # a rigid body neither stretches nor bends, wherever the box is cut
    assert np.abs(motion.velocities([frame], velocities)).max() < 1e-12 * np.abs(velocities).max()
    any_of_it = thermal(frame, 1)
    stretch, bend = motion.velocities([frame], any_of_it)
    for first, second in motion.kinds[0].atoms[:, motion.kinds[0].bonds].reshape(-1, 2):
        along = positions[second] - positions[first]
        along -= 12.0 * np.rint(along / 12.0)
        # bending leaves the lengths of bonds as they are; stretching changes them as the whole motion does
        assert abs(along @ (bend[0, second] - bend[0, first])) < 1e-12
        change = any_of_it[0, second] - any_of_it[0, first]
        assert along @ (stretch[0, second] - stretch[0, first]) == pytest.approx(along @ change, rel=1e-9)
    energy = [np.einsum("i,ia->", frame.masses_amu, v**2) for v in (stretch[0], bend[0])]
    rest = np.einsum("i,ia->", frame.masses_amu, (any_of_it[0] - stretch[0] - bend[0]) ** 2)
    # orthogonal by mass: energies add up
    assert sum(energy) + rest == pytest.approx(np.einsum("i,ia->", frame.masses_amu, any_of_it[0] ** 2))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of("Na", "Cl"), "no atoms are bonded"),
        (frame_of("H2O", masses_amu=np.array([16.0, 1.0, 0.0])), "without mass"),
        (
            Frame(
                np.arange(8)[:, None] * [1.5, 0.0, 0.0], CELL, np.ones(3, dtype=bool), np.full(8, 6)
            ),  # a chain through the cell
            "go through the cell",
        ),
        (
            Frame(
                np.array(list(np.ndindex(4, 4, 4))) * 1.5, CELL, np.ones(3, dtype=bool), np.full(64, 6)
            ),
            "64 atoms hang together",
        ),
    ],
)  # fmt: skip
def test_what_has_no_molecules_is_refused(frame: Frame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        InternalMotion.of(frame, frame.masses_amu)


@pytest.fixture(scope="module")
def liquid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames of three molecules that vibrate, with velocities."""
    path = tmp_path_factory.mktemp("liquid") / "water.xyz"
    start = frame_of("H2O", "H2O", "H2O", seed=5, shake=0.0)
    rng = np.random.default_rng(6)
    omega = rng.uniform(0.05, 0.3, size=(9, 3))
    phase = rng.uniform(0.0, 2.0 * np.pi, size=(9, 3))
    with path.open("w") as file:
        for step in range(20):
            angle = omega * 0.5 * step + phase
            moved, velocity = 0.03 * np.sin(angle), 0.03 * omega * np.cos(angle)
            frame = Frame(
                start.positions_ang + moved, CELL, start.pbc, start.numbers,
                velocities_ang_fs=velocity, time_fs=0.5 * step, index=step,
            )  # fmt: skip
            file.write(frame_text(frame))
    return path


def test_currents_of_both_kinds_are_kept(liquid: Path, tmp_path: Path) -> None:
    tensors = np.random.default_rng(7).normal(size=(9, 3, 3))
    found = compute_current(liquid, charges=tensors, motions="molecules", output=tmp_path / "run.h5")
    assert found.internal_current is not None
    assert found.internal_zz_over_mass is not None
    from bec_md.trajectory import open_trajectory

    frames = list(open_trajectory(liquid).frames())
    motion = InternalMotion.of(frames[0], frames[0].masses_amu)
    velocities = np.array([frame.velocities_ang_fs for frame in frames])
    expected = np.einsum("iab,kfib->fka", tensors, motion.velocities(frames, velocities))
    np.testing.assert_allclose(found.internal_current, expected, rtol=1e-9, atol=1e-15)
    known = np.isfinite(np.asarray(found.internal_zz_over_mass)).all(axis=(1, 2, 3))
    assert known.tolist() == [step % 8 == 0 for step in range(20)]
    exact = motion.squares([frames[8]], tensors[None])[0]
    np.testing.assert_allclose(found.internal_zz_over_mass[8], exact, rtol=1e-5)
    again = load_current(tmp_path / "run.h5")
    np.testing.assert_array_equal(again.internal_current, found.internal_current)
    for stored in (
        again,
        load_current(tmp_path / "run.h5", lazy=True),
    ):  # frames 8 and 16, between those kept
        thinned = stored[1::2].internal_zz_over_mass
        np.testing.assert_array_equal(thinned[[3, 7]], np.float32(found.internal_zz_over_mass[[8, 16]]))
        assert np.isnan(thinned[:, 0, 0, 0]).sum() == 8
    plain = compute_current(liquid, charges=tensors)
    assert plain.internal_current is None
    np.testing.assert_array_equal(plain.current, found.current)


def test_a_polarization_gives_them_as_derivatives(liquid: Path) -> None:
    tensors = compute_current(liquid, model="water", motions="molecules", stop=3, charge_stride=2)
    along = compute_current(liquid, model="water", motions="molecules", stop=3)
    assert tensors.internal_current is not None
    assert along.internal_current is not None
    scale = float(np.abs(tensors.internal_current[::2]).max())
    # frames 0 and 2 have tensors of their own in both: single precision
    np.testing.assert_allclose(along.internal_current[::2], tensors.internal_current[::2], atol=2e-5 * scale)
    np.testing.assert_allclose(
        along.internal_zz_over_mass[0], tensors.internal_zz_over_mass[0], rtol=1e-4, atol=1e-6
    )


def test_positions_alone_and_atoms_at_rest_are_refused(liquid: Path, tmp_path: Path) -> None:
    from ase.io import read, write

    images = read(liquid, ":")
    for image in images:
        image.set_velocities(np.zeros((9, 3)))
        del image.arrays["momenta"]
    write(tmp_path / "positions.xyz", images)
    with pytest.raises(BecMDError, match="no velocities"):
        compute_current(
            tmp_path / "positions.xyz", charges="fixed:O=-0.8,H=0.4", motions="molecules", timestep_fs=0.5
        )
    with pytest.raises(BecMDError, match="motions=atoms"):
        compute_current(liquid, charges="fixed:O=-0.8,H=0.4", motions="atoms")
