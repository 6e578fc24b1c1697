from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bec_md.spectrum.estimators.corrections import transfer_function
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.velocities import (
    midpoint_displacement,
    minimum_image,
    reduce_lattice,
    unwrap,
)
from tests.trajectory.truth import Truth

COMPONENT = st.floats(-6.0, 6.0, allow_nan=False, width=32)
VECTOR = st.tuples(COMPONENT, COMPONENT, COMPONENT)


def shortest_by_search(vectors: np.ndarray, cell: np.ndarray, pbc: np.ndarray, reach: int) -> np.ndarray:
    """Lengths of the shortest images among all with |n_k| ≤ reach."""
    ranges = [range(-reach, reach + 1) if periodic else (0,) for periodic in pbc]
    shifts = np.array(list(product(*ranges)), dtype=float) @ cell
    return np.linalg.norm(vectors[:, None, :] + shifts, axis=2).min(axis=1)


@settings(max_examples=150, deadline=None)
@given(cell=st.tuples(VECTOR, VECTOR, VECTOR), vectors=st.lists(VECTOR, min_size=1, max_size=5),
       pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()))  # fmt: skip
def test_minimum_image_is_the_shortest_image_in_any_cell(cell, vectors, pbc) -> None:
    cell, vectors, pbc = np.array(cell), np.array(vectors), np.array(pbc)
    # A flatter cell would need more images than the search below tries.
    assume(abs(np.linalg.det(cell)) > 8.0)
    found = minimum_image(vectors, cell, pbc)
    # Images differ from the vectors by whole lattice vectors along the periodic directions.
    counts = (vectors - found) @ np.linalg.inv(cell)
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-6)
    assert np.all(np.abs(counts[:, ~pbc]) < 1e-6)
    best = shortest_by_search(found, cell, pbc, reach=4)
    # Nothing within ±4 cells of the result is shorter (rounding of lengths around 10 Å).
    assert np.all(np.linalg.norm(found, axis=1) <= best + 1e-9)


def test_strongly_skewed_cell_where_rounding_fails() -> None:
    cell = np.array([[4.0, 0.0, 0.0], [11.0, 3.0, 0.0], [-17.0, 8.0, 5.0]])
    vectors = np.random.default_rng(0).uniform(-30.0, 30.0, (200, 3))
    found = minimum_image(vectors, cell)
    rounded = vectors - np.rint(vectors @ np.linalg.inv(cell)) @ cell
    reduced = reduce_lattice(cell)
    best = shortest_by_search(
        vectors - np.rint(vectors @ np.linalg.inv(reduced)) @ reduced, reduced, [1, 1, 1], 3
    )
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), best, atol=1e-12)
    assert (np.linalg.norm(rounded, axis=1) > best + 0.1).mean() > 0.5


def test_reduced_basis_spans_the_same_lattice() -> None:
    random = np.random.default_rng(1)
    for _ in range(50):
        cell = random.normal(size=(3, 3))
        skew = np.eye(3) + np.triu(random.integers(-9, 10, (3, 3)), 1)
        reduced = reduce_lattice(skew @ cell)
        change = reduced @ np.linalg.inv(cell)
        np.testing.assert_allclose(change, np.rint(change), atol=1e-9)
        assert abs(np.linalg.det(change)) == pytest.approx(1.0)
        # Minkowski: no vector gets shorter by adding the others.
        for i, j, k in product((-1, 0, 1), repeat=3):
            combination = np.array([i, j, k]) @ reduced
            if (i, j, k) != (0, 0, 0):
                largest = max(index for index, count in enumerate((i, j, k)) if count)
                assert np.linalg.norm(combination) >= np.linalg.norm(reduced[largest]) - 1e-12


def test_agrees_with_ase_in_ordinary_cells() -> None:
    from ase.geometry import find_mic

    random = np.random.default_rng(2)
    for pbc in ([True] * 3, [True, True, False], [False, True, False]):
        cell = np.diag([5.0, 6.0, 7.0]) + random.normal(size=(3, 3))
        vectors = random.uniform(-20, 20, (50, 3))
        lengths = np.linalg.norm(minimum_image(vectors, cell, pbc), axis=1)
        reference = find_mic(vectors, cell, pbc)[1]
        # With a tilted direction that is not periodic, ASE misses some of the shortest images.
        assert np.all(lengths <= reference + 1e-9)
        if all(pbc):
            np.testing.assert_allclose(lengths, reference, atol=1e-9)


def test_shape_is_kept_and_input_untouched() -> None:
    vectors = np.full((2, 3, 3), 4.0)
    found = minimum_image(vectors, np.eye(3) * 5.0)
    assert found.shape == (2, 3, 3)
    np.testing.assert_allclose(found, -1.0)
    np.testing.assert_array_equal(vectors, 4.0)
    np.testing.assert_array_equal(minimum_image(vectors, np.eye(3) * 5.0, False), vectors)


def test_wrapped_and_unwrapped_trajectories_give_the_same_displacements(truth: Truth) -> None:
    images = truth.atoms(momenta=False)
    wrapped = [image.copy() for image in images]
    for index, image in enumerate(wrapped):
        image.positions = truth.wrapped(index)[0]
    plain = list(open_trajectory(images).frames())
    folded = list(open_trajectory(wrapped).frames())
    for index in range(4):
        expected = truth.positions[index + 1] - truth.positions[index]
        for frames in (plain, folded):
            found = midpoint_displacement(frames[index], frames[index + 1])
            np.testing.assert_allclose(found, expected, atol=1e-12)
            back = midpoint_displacement(frames[index + 1], frames[index])
            np.testing.assert_allclose(back, -found, atol=1e-12)
    shift = folded[0].positions_ang - plain[0].positions_ang
    for continuous, frame in zip(unwrap(folded), plain, strict=True):
        np.testing.assert_allclose(continuous.positions_ang - shift, frame.positions_ang, atol=1e-12)


@pytest.mark.parametrize(("wavenumber_cm", "interval_fs"), [(3400.0, 2.0), (1000.0, 4.0), (100.0, 10.0)])
def test_transfer_functions_are_those_of_finite_differences(wavenumber_cm: float, interval_fs: float) -> None:
    omega = 2 * np.pi * 2.99792458e-5 * wavenumber_cm
    time_fs = np.linspace(0, 500, 2001)
    velocity = omega * np.cos(omega * time_fs)
    half, full = interval_fs / 2, interval_fs
    midpoint = (np.sin(omega * (time_fs + half)) - np.sin(omega * (time_fs - half))) / interval_fs
    central = (np.sin(omega * (time_fs + full)) - np.sin(omega * (time_fs - full))) / (2 * interval_fs)
    # A difference of sines is the velocity times one number, whose square is the transfer function.
    for scheme, difference in (("midpoint", midpoint), ("central", central)):
        left = transfer_function(np.array(wavenumber_cm), interval_fs, scheme)
        np.testing.assert_allclose(difference, velocity * np.sqrt(left), atol=1e-12)


def test_central_difference_halves_the_oh_stretch() -> None:
    at = np.array([0.0, 3400.0])
    assert transfer_function(at, 2.0, "central") == pytest.approx([1.0, 0.56], abs=0.005)
    assert transfer_function(at, 2.0, "midpoint")[0] == 1.0
