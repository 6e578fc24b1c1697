from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import open_trajectory, write_compact
from tests.trajectory.motion import HarmonicMotion
from tests.trajectory.truth import Truth, assert_helpful


def harmonic(n_frames: int, n_atoms: int = 72, timestep_fs: float = 2.0):
    """Positions and velocities of a random harmonic crystal at 300 K, 50 to 1150 cm⁻¹."""
    random = np.random.default_rng(0)
    n_modes = 3 * n_atoms
    omega = 2 * np.pi * 2.99792458e-5 * random.uniform(50, 1150, n_modes)
    modes = np.linalg.qr(random.normal(size=(n_modes, n_modes)))[0] / np.sqrt(20.0)
    amplitude = np.sqrt(0.02585 / 103.6427) / omega * np.sqrt(2 * random.exponential(size=n_modes))
    phase = np.arange(n_frames)[:, None] * timestep_fs * omega + random.uniform(0, 6.28, n_modes)
    start = random.uniform(0, 10, (n_atoms, 3))
    positions = start + ((amplitude * np.cos(phase)) @ modes).reshape(n_frames, n_atoms, 3)
    velocities = ((-amplitude * omega * np.sin(phase)) @ modes).reshape(n_frames, n_atoms, 3)
    return positions, velocities


def test_round_trip_within_the_stated_resolution(truth: Truth, tmp_path) -> None:
    path = write_compact(tmp_path / "t.npz", open_trajectory(truth.atoms(), stride=2))
    trajectory = open_trajectory(path)
    assert trajectory.info.timestep_fs == 4.0
    assert trajectory.info.format == "compact"
    for index, frame in zip((0, 2, 4), trajectory.frames(), strict=True):
        np.testing.assert_allclose(frame.positions_ang, truth.positions[index], atol=0.51e-3)
        np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[index], atol=0.51e-5)
        np.testing.assert_array_equal(frame.cell_ang, truth.cell)
        assert frame.time_fs == 2.0 * index


def test_rounding_does_not_add_up_in_differences(tmp_path) -> None:
    positions, velocities = harmonic(400)
    path = tmp_path / "t.npz"
    np.savez(
        path, numbers=np.full(72, 14), cell_ang=np.eye(3) * 10, positions_ang=positions,
        velocities_ang_fs=velocities, timestep_fs=2.0,
    )  # fmt: skip
    packed = write_compact(tmp_path / "packed.npz", open_trajectory(path))
    with np.load(packed) as archive:
        assert archive["positions_ang"].dtype == np.int16
        assert int(archive["positions_differences"]) == 2
    last = list(open_trajectory(packed).frames())[-1]
    np.testing.assert_allclose(last.positions_ang, positions[-1], atol=0.51e-3)
    np.testing.assert_allclose(last.velocities_ang_fs, velocities[-1], atol=0.51e-5)


def test_twenty_thousand_frames_of_72_atoms_fit_8_mb(tmp_path) -> None:
    positions, velocities = harmonic(2000)  # a tenth, as size grows linearly
    source = tmp_path / "t.npz"
    np.savez(
        source, numbers=np.full(72, 14), cell_ang=np.eye(3) * 10, positions_ang=positions,
        velocities_ang_fs=velocities, timestep_fs=2.0,
    )  # fmt: skip
    path = write_compact(tmp_path / "packed.npz", open_trajectory(source))
    assert path.stat().st_size < 0.8e6


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_need_no_scale(truth: Truth, tmp_path, kind) -> None:
    path = tmp_path / "t.npz"
    np.savez(
        path, numbers=truth.numbers, cell_ang=np.array([truth.cell] * 5), masses_amu=np.full(7, 20.0),
        positions_ang=truth.positions.astype(kind), velocities_ang_fs=truth.velocities.astype(kind),
        pbc=[True, True, False], timestep_fs=0.5, total_charge=1.0, born_effective_charges=truth.charges,
    )  # fmt: skip
    trajectory = open_trajectory(path)
    frame = list(trajectory.frames())[4]
    precision = float(np.finfo(kind).eps)
    np.testing.assert_allclose(frame.positions_ang, truth.positions[4], rtol=precision)
    np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[4], rtol=precision, atol=1e-7)
    np.testing.assert_array_equal(frame.born_effective_charges, truth.charges[4])
    assert (frame.total_charge, frame.pbc.tolist(), frame.time_fs) == (1.0, [True, True, False], 2.0)
    assert trajectory.info.masses_amu.tolist() == [20.0] * 7


def test_long_paths_take_wider_integers(truth: Truth, tmp_path) -> None:
    images = truth.atoms()
    for index, image in enumerate(images):
        image.positions += 1000.0 + index
    path = write_compact(tmp_path / "t.npz", open_trajectory(images))
    with np.load(path) as archive:
        assert archive["positions_ang"].dtype == np.int32
    frame = list(open_trajectory(path).frames())[4]
    np.testing.assert_allclose(frame.positions_ang, images[4].positions, atol=0.51e-3)


def test_bad_archives(truth: Truth, tmp_path) -> None:
    whole = {"numbers": truth.numbers, "cell_ang": truth.cell, "positions_ang": truth.positions}
    path = tmp_path / "t.npz"
    cases = [
        ({"numbers": truth.numbers}, "no array cell_ang"),
        (whole | {"numbers": truth.numbers[:-1]}, "positions_ang has shape (5, 7, 3)"),
        (whole | {"cell_ang": np.eye(2)}, "cell_ang has shape"),
        (whole | {"positions_ang": truth.positions.astype(np.int16)}, "positions_scale"),
        (whole | {"positions_ang": truth.positions.astype(np.complex128)}, "complex"),
        (whole | {"numbers": np.zeros(7, dtype=int)}, "atomic number 0"),
        (whole | {"numbers": np.array([None] * 7)}, "cannot be read"),
        (whole | {"born_effective_charges": np.zeros((5, 7))}, "born_effective_charges"),
    ]
    for arrays, word in cases:
        np.savez(path, **arrays)
        with pytest.raises(DataError) as caught:
            open_trajectory(path)
        assert_helpful(caught.value, "t.npz", word)
    np.savez(path, **whole)
    with pytest.raises(DataError) as caught:
        open_trajectory(path, charges_key="zstar")
    assert_helpful(caught.value, "zstar")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "t.npz", "cannot be read")


def test_writer_wants_a_time_step_a_suffix_and_frames(truth: Truth, tmp_path) -> None:
    frames = list(open_trajectory(truth.atoms(times=False)).frames())
    for arguments in ((tmp_path / "t.npz", frames), (tmp_path / "t.zip", frames)):
        with pytest.raises(UsageError) as caught:
            write_compact(*arguments)
        assert_helpful(caught.value)
    with pytest.raises(UsageError):
        write_compact(tmp_path / "t.npz", [], timestep_fs=1.0)
    path = write_compact(tmp_path / "t.npz", frames, timestep_fs=1.0, velocities=False)
    assert not open_trajectory(path).info.has_velocities


def _with_fault(motion: HarmonicMotion, fault: str, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities of a run in which something happens at one frame."""
    x, v = motion.positions.copy(), motion.velocities.copy()
    if fault == "gap":
        x, v = np.delete(x, slice(at, at + 4), axis=0), np.delete(v, slice(at, at + 4), axis=0)
    elif fault == "repeat":
        x, v = np.insert(x, at, x[at - 1], axis=0), np.insert(v, at, v[at - 1], axis=0)
    elif fault == "backwards":
        x, v = np.concatenate([x[:at], x[at - 6 :]]), np.concatenate([v[:at], v[at - 6 :]])
    elif fault == "exchange":
        x[at:, [0, 2]] = x[at:, [2, 0]]
    elif fault == "not a number":
        x[at, 1, 2] = np.nan
    elif fault == "huge velocity":
        v[at, 1, 2] = 1e300
    return x, v


@settings(max_examples=60, deadline=None)
@given(
    fault=st.sampled_from(["gap", "repeat", "backwards", "exchange", "not a number", "huge velocity", ""]),
    at=st.integers(10, 380),
    integers=st.booleans(),
    moving=st.booleans(),
    start=st.integers(0, 6),
    seed=st.integers(0, 10**6),
)
def test_arrays_in_memory_are_checked_like_frames(
    tmp_path_factory: pytest.TempPathFactory,
    fault: str, at: int, integers: bool, moving: bool, start: int, seed: int,
) -> None:  # fmt: skip
    """What is wrong with a frame is found at that frame, integers with a scale or floats."""
    if fault == "backwards" and not moving:
        fault = "gap"  # positions alone look the same in both directions of time
    if integers and fault in ("not a number", "huge velocity"):
        fault = ""  # integers are neither
    motion = HarmonicMotion(400, 1.0, 16, 150.0, 500.0, seed=seed)
    x, v = _with_fault(motion, fault if moving or fault != "huge velocity" else "", at)
    arrays = {"positions_ang": x} | ({"velocities_ang_fs": v} if moving else {})
    if integers:
        steps = {"positions_ang": 1e-5, "velocities_ang_fs": 1e-7}
        arrays = {name: np.rint(values / steps[name]).astype(np.int32) for name, values in arrays.items()}
        arrays |= {"positions_scale": np.array(1e-5)} | (
            {"velocities_scale": np.array(1e-7)} if moving else {}
        )
    numbers = np.array([11, 17] * 8)
    path = tmp_path_factory.mktemp("fault") / "t.npz"
    np.savez(path, numbers=numbers, cell_ang=motion.cell, timestep_fs=1.0, **arrays)
    found: list[int] = []
    if fault == "" or (fault == "huge velocity" and not moving):
        assert len(list(open_trajectory(path, start=start).frames())) == len(x) - start
        return
    with pytest.raises(DataError, match=f"frame {at}"):
        found.extend(frame.index for frame in open_trajectory(path, start=start).frames())
    assert found in (list(range(start, at)), [])  # on opening, or when the pass gets there
