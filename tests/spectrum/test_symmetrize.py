"""Averages over a point group: unbiased, equal axes equal, errors that follow, contradictions seen."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum import Spectrum, compute_spectrum
from bec_md.spectrum.analysis.symmetrize import symmetrized
from bec_md.spectrum.response.direction import Direction, to_direction
from tests.spectrum.exact import bare, langevin_oscillator

#: All 48 signed permutations: the point group of a cube; those that keep z: of a tetragonal crystal.
CUBE = np.array([
    np.eye(3)[list(order)] * np.array(signs)[:, None]
    for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)
])  # fmt: skip
TETRAGONAL = CUBE[np.abs(CUBE[:, 2, 2]) == 1.0]
OPTIONS = {"temperature_k": 300.0, "resolution_cm": 40.0, "max_cm": 1000.0, "eps_inf": 2.0}


def run(seed: int, axes: tuple[float, float, float] = (500.0, 500.0, 500.0)) -> Spectrum:
    v = np.concatenate(
        [
            langevin_oscillator(5000, 4.0, nu, 120.0, 10.0, 10 * seed + a, (1,))[1]
            for a, nu in enumerate(axes)
        ],
        axis=1,
    )
    return compute_spectrum(bare(v, 4.0, 300.0), **OPTIONS)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs() -> list[Spectrum]:
    return [run(seed) for seed in range(40)]


def test_the_trace_stays_equal_axes_are_equal_and_forbidden_elements_vanish(runs: list[Spectrum]) -> None:
    found = symmetrized(runs[0], CUBE)
    np.testing.assert_allclose(found.sigma_iso, runs[0].sigma_iso, rtol=1e-12)
    for a in range(3):
        np.testing.assert_allclose(found.sigma[:, a, a], runs[0].sigma_iso, rtol=1e-12)
    assert np.abs(found.sigma[:, 0, 1]).max() < 1e-12 * np.abs(found.sigma).max()
    assert found.parameters["symmetry_operations"] == 48
    repeated = symmetrized(runs[0], np.repeat(CUBE, 3, axis=0))  # as the operations of a supercell come
    scale = float(np.abs(found.sigma).max())
    np.testing.assert_allclose(repeated.sigma, found.sigma, rtol=1e-12, atol=1e-12 * scale)
    assert repeated.parameters["symmetry_operations"] == 48
    np.testing.assert_allclose(
        found.static["fluctuation"], np.eye(3) * np.trace(found.static["fluctuation"]) / 3, atol=1e-12
    )


def test_equal_axes_share_their_noise_in_every_mean_of_them() -> None:
    """x, y and xy of a tetragonal crystal are one number after the average, also with its axis along 111."""
    spectrum = run(3, (500.0, 500.0, 300.0))
    tilt = np.linalg.qr(np.array([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0], [0.0, 2.0, 1.0]]))[0]
    for turn in (np.eye(3), tilt):
        group = np.einsum("ab,nbc,dc->nad", turn, TETRAGONAL, turn)
        turned = replace(spectrum, sigma=np.einsum("ab,fbc,dc->fad", turn, spectrum.sigma, turn))
        found = symmetrized(turned, group)
        weight = 0.5 * (np.eye(3) - np.outer(turn[:, 2], turn[:, 2]))
        for one in (turn[:, 0], (turn[:, 0] + turn[:, 1]) / 2**0.5):
            mean, along = found.errors_along(Direction("mean", weight)), found.errors_along(to_direction(one))
            for a, b in zip(mean, along, strict=True):
                np.testing.assert_allclose(a, b, rtol=0.1, atol=1e-2 * np.abs(b).max())
        real_err = turned.errors_along(Direction("mean", weight))[0]
        band = found.sigma_real > 0.2 * found.sigma_real.max()
        share = found.errors_along(Direction("mean", weight))[0][band] / real_err[band]
        assert np.mean(share) == pytest.approx(1.0, abs=0.15)
        assert found.static_average_err("fluctuation") == spectrum.static_average_err("fluctuation")


def test_static_errors_along_a_polar_axis_oblique_to_the_cell_stay_what_they_are() -> None:
    """One band along 111 obeys its threefold axis by itself: the average takes no noise from it."""
    _, v = langevin_oscillator(4000, 4.0, 200.0, 40.0, 10.0, 3, (1,))
    spectrum = compute_spectrum(bare(np.repeat(v, 3, axis=1), 4.0, 300.0), **OPTIONS)  # type: ignore[arg-type]
    group = [np.roll(np.eye(3), turn, axis=0) for turn in range(3)]
    found = symmetrized(spectrum, np.array(group))
    for name in ("fluctuation_err", "kramers_kronig_err"):
        np.testing.assert_allclose(found.static[name], spectrum.static[name], rtol=1e-3)


def test_errors_of_averaged_axes_are_those_of_the_scatter(runs: list[Spectrum]) -> None:
    cubes = [symmetrized(s, CUBE) for s in runs]
    nu = runs[0].wavenumber_cm
    band = (nu > 350.0) & (nu < 650.0)
    for name in ("n_alpha", "eps_real"):
        values = np.array([s.get(name, along="x") for s in cubes])[:, band]
        errors = np.array([s.error(name, along="x") for s in cubes])[:, band]
        ratio = np.sqrt(np.mean(values.var(axis=0, ddof=1) / np.mean(errors**2, axis=0)))
        # 40 runs × about 5 independent points: 5 %, and the noise in the errors themselves
        assert ratio == pytest.approx(1.0, abs=0.2), name
    # three axes instead of one
    single = np.array([s.error("n_alpha", along="x") for s in runs])[:, band]
    averaged = np.array([s.error("n_alpha", along="x") for s in cubes])[:, band]
    assert np.median(single / averaged) == pytest.approx(3.0**0.5, rel=0.15)
    mean = np.mean([s.get("n_alpha", along="x") for s in cubes], axis=0)[band]
    plain = np.mean([s.n_alpha for s in runs], axis=0)[band]
    np.testing.assert_allclose(mean, plain, rtol=1e-10)  # unbiased: the same expectation


def test_a_uniaxial_crystal_keeps_its_axis() -> None:
    s = run(3, (400.0, 400.0, 700.0))
    found = symmetrized(s, TETRAGONAL)
    np.testing.assert_allclose(found.sigma[:, 2, 2], s.sigma[:, 2, 2], rtol=1e-12)
    np.testing.assert_allclose(found.sigma[:, 0, 0], 0.5 * (s.sigma[:, 0, 0] + s.sigma[:, 1, 1]), rtol=1e-12)
    np.testing.assert_allclose(
        found.error("n_alpha", along="z"), s.error("n_alpha", along="z"), rtol=1e-6, atol=1e-12
    )
    assert found.quality["symmetry"].status == "ok"
    # the group of a cube is contradicted by it
    assert symmetrized(s, CUBE).quality["symmetry"].status == "fail"


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (CUBE, np.diag([1.3 / 3.0] * 3)),  # √(0.3² + 0.4² + 1.2²)/3
        (TETRAGONAL, np.diag([0.25, 0.25, 1.2])),
        (
            np.array([np.eye(3), np.diag([-1.0, -1.0, 1.0])]),
            [[0.3, 0.7, 0.0], [0.7, 0.4, 0.0], [0.0, 0.0, 1.2]],
        ),
    ],
)
def test_errors_of_static_numbers_by_hand(
    group: np.ndarray, expected: np.ndarray, runs: list[Spectrum]
) -> None:
    error = np.array([[0.3, 0.7, 0.5], [0.7, 0.4, 0.6], [0.5, 0.6, 1.2]])
    plain = replace(runs[0], static={"fluctuation": np.eye(3), "fluctuation_err": error}, sigma_dc_err=error)
    found = symmetrized(plain, group)
    np.testing.assert_allclose(found.static["fluctuation_err"], expected, atol=1e-12)
    np.testing.assert_allclose(found.sigma_dc_err, expected, atol=1e-12)


def test_equal_axes_are_no_contradiction(runs: list[Spectrum]) -> None:
    assert all(symmetrized(s, CUBE).quality["symmetry"].status == "ok" for s in runs)


@pytest.mark.parametrize("bad", [np.eye(3), CUBE[:5], 2.0 * CUBE, np.zeros((0, 3, 3))])
def test_what_is_no_group_is_refused(bad: np.ndarray, runs: list[Spectrum]) -> None:
    with pytest.raises(UsageError, match="no point group"):
        symmetrized(runs[0], bad)


def test_electronic_part_is_averaged_with_the_rest() -> None:
    one = run(3)
    predicted = np.array(
        [[2.0, 0.1, 0.0], [0.1, 2.3, 0.2], [0.0, 0.2, 2.9]]
    )  # of a network along a short run
    found = symmetrized(replace(one, eps_inf=predicted), CUBE)
    assert np.allclose(found.eps_inf, 2.4 * np.eye(3), atol=1e-12)
    assert np.allclose(found.get("n", along="x"), found.get("n", along="z"), rtol=1e-9)
