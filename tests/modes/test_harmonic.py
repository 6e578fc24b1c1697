"""Infrared response of harmonic crystals against closed forms."""

import numpy as np
import pytest
from scipy import constants

from bec_md.errors import DataError
from bec_md.modes.harmonic import HarmonicResponse
from bec_md.modes.reference import ReferenceModes, modes_from_force_constants
from bec_md.units import ANGSTROM_M, ATOMIC_MASS_KG, INTENSITY_KM_MOL, PLASMA_FREQUENCY2_FS2

CELL = np.array([[0.0, 2.1, 2.1], [2.1, 0.0, 2.1], [2.1, 2.1, 0.0]])
MASSES = np.array([24.305, 15.999])
REDUCED = MASSES[0] * MASSES[1] / MASSES.sum()
TO_CM, CHARGE, EPS = 400.0, 2.0, 3.0


def diatomic(charge=CHARGE):
    """Rocksalt: three degenerate modes against each other, with isotropic charges ±Z."""
    vectors = np.zeros((3, 2, 3))
    for axis in range(3):
        vectors[axis, :, axis] = np.sqrt(REDUCED) * np.array([1, -1]) / np.sqrt(MASSES)
    modes = ReferenceModes(CELL, np.zeros((2, 3)), np.array([12, 8]), MASSES, np.full(3, TO_CM), vectors)
    charges = np.array([charge, -charge])[:, None, None] * np.eye(3)
    return HarmonicResponse.of(modes, charges, EPS * np.eye(3))


def test_lyddane_sachs_teller():
    """ε(0)/ε∞ = (LO/TO)² for one polar mode, along any direction, and Z²/μ is its charge."""
    response = diatomic()
    ratio = (EPS + response.ionic_eps[0, 0]) / EPS
    for direction in ([0, 0, 1], [1, 1, 0], [1, 2, 3]):
        frequencies = response.along(np.array(direction))
        np.testing.assert_allclose(frequencies[:2], TO_CM, rtol=1e-12)
        assert (frequencies[2] / TO_CM) ** 2 == pytest.approx(ratio, rel=1e-12)
    np.testing.assert_allclose(response.mode_charges, CHARGE / np.sqrt(REDUCED) * np.eye(3), rtol=1e-12)


def test_static_permittivity_in_si_units():
    """Z²/(V ε₀ μ ω²) from the constants themselves."""
    omega = 2 * np.pi * constants.c * 100 * TO_CM
    volume = abs(np.linalg.det(CELL)) * ANGSTROM_M**3
    expected = (CHARGE * constants.e) ** 2 / (
        volume * constants.epsilon_0 * REDUCED * ATOMIC_MASS_KG * omega**2
    )
    assert diatomic().ionic_eps[1, 1] == pytest.approx(expected, rel=1e-12)


def test_f_sum_rule():
    """∫ω ε₂ dω = π/2 Σ Z²/(V ε₀ m); the tail beyond 200 times TO is below 1e-4 for a damping of TO/40."""
    response = diatomic()
    nu = np.linspace(0.5, 80_000.0, 400_001)
    found = np.trapezoid(nu * response.eps(nu, 10.0)[:, 0, 0].imag, nu)
    plasma_cm2 = PLASMA_FREQUENCY2_FS2 / response.volume_ang3 * CHARGE**2 / REDUCED
    plasma_cm2 /= (2 * np.pi * constants.c * 1e2 * 1e-15) ** 2
    assert found == pytest.approx(np.pi / 2 * plasma_cm2, rel=1e-3)


def test_intensity_in_km_per_mol():
    """1 e²/amu is 974.88 km/mol."""
    assert pytest.approx(974.88, abs=0.01) == INTENSITY_KM_MOL
    np.testing.assert_allclose(
        diatomic().intensities_km_mol, INTENSITY_KM_MOL * CHARGE**2 / REDUCED, rtol=1e-12
    )


def test_neutral_crystals_do_not_split():
    response = diatomic(charge=0.0)
    np.testing.assert_allclose(response.along(np.array([0, 0, 1.0])), TO_CM)
    assert not response.ionic_eps.any()


def test_what_is_missing_is_said():
    response = diatomic()
    with pytest.raises(DataError, match="no length"):
        response.along(np.zeros(3))
    bare = HarmonicResponse(response.frequencies_cm, response.mode_charges, response.volume_ang3)
    with pytest.raises(DataError, match="ε∞"):
        bare.along(np.array([0, 0, 1.0]))


def test_sticks_are_areas_of_the_curves():
    """Two bands far apart, of unlike strength along x and y: areas of nα, ε₂ and −Im 1/ε from the curves."""
    charges = np.array([[2.0, 0.3, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]])
    response = HarmonicResponse(np.array([300.0, 700.0, 900.0]), charges, 40.0, np.diag([2.0, 3.0, 4.0]))
    nu = np.linspace(0.01, 3000.0, 600_001)
    eps = response.eps(nu, 0.2)

    def ratio(curve, places):
        """Area of the second band over that of the first, ten widths to each side of each (94 % of both)."""
        return np.divide(
            *(np.trapezoid(curve[abs(nu - x) < 2.0], nu[abs(nu - x) < 2.0]) for x in places[::-1])
        )

    for over_omega, curve in ((True, eps.imag), (False, nu[:, None, None] * eps.imag)):
        for weight in (None, np.diag([1.0, 0.0, 0.0])):
            places, heights = response.transverse_sticks(over_omega=over_omega, weight=weight)
            np.testing.assert_allclose(places, [300.0, 700.0])  # the third mode is not active
            seen = np.einsum("fab,ab->f", curve, np.eye(3) / 3 if weight is None else weight)
            assert heights[1] / heights[0] == pytest.approx(ratio(seen, places), rel=2e-3)
    areas = []
    for axis in np.eye(3)[:2]:
        places, heights = response.longitudinal_sticks(axis)
        loss = -(1.0 / np.einsum("fab,a,b->f", eps, axis, axis)).imag
        peaks = nu[1:-1][(loss[1:-1] > loss[:-2]) & (loss[1:-1] > loss[2:])]
        np.testing.assert_allclose(places, peaks, atol=0.05)
        assert heights[1] / heights[0] == pytest.approx(ratio(loss, places), rel=2e-3)
        near = abs(nu - places[0]) < 2.0
        areas.append(heights[0] / np.trapezoid(loss[near], nu[near]))
    assert areas[0] == pytest.approx(areas[1], rel=2e-3)  # of one unit along all axes


def test_charges_of_any_source(tmp_path):
    """Scalars, a BORN file and a network give the response that their tensors give."""
    from bec_md.charges.born_file import BornFile, born_text
    from bec_md.modes.harmonic import predict_response

    expected = diatomic()
    modes = ReferenceModes(
        CELL,
        np.array([[0.0, 0.0, 0.0], [2.1, 2.1, 2.1]]),
        np.array([12, 8]),
        MASSES,
        expected.frequencies_cm,
        expected.mode_charges.reshape(3, 1, 3)
        * np.sqrt(REDUCED)
        / CHARGE
        * (np.sqrt(REDUCED / MASSES) * [1, -1])[None, :, None],
    )
    found = predict_response(modes, "fixed:Mg=2,O=-2")
    np.testing.assert_allclose(found.response.mode_charges, expected.mode_charges, rtol=1e-12)
    assert found.response.eps_inf is None
    assert found.error(lambda response: response.ionic_eps) is None
    tensors = np.array([CHARGE, -CHARGE])[:, None, None] * np.eye(3)
    (tmp_path / "BORN").write_text(born_text(BornFile(EPS * np.eye(3), tensors, (0, 1))))
    found = predict_response(modes, f"born:{tmp_path / 'BORN'}")
    np.testing.assert_allclose(found.response.along(np.eye(3)[2]), expected.along(np.eye(3)[2]), rtol=1e-7)


def test_a_crystal_of_one_atom_has_no_optical_modes():
    modes = modes_from_force_constants(
        np.zeros((1, 1, 3, 3)), 4.0 * np.eye(3), np.zeros((1, 3)), np.array([11]), np.array([23.0])
    )
    assert modes.frequencies_cm.shape == modes.soft.shape == (0,)
    found = HarmonicResponse.of(modes, np.zeros((1, 3, 3)), 2.0 * np.eye(3))
    assert found.ionic_eps.tolist() == np.zeros((3, 3)).tolist()
