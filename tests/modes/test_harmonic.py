"""Infrared response of harmonic crystals against closed forms."""

import numpy as np
import pytest
from scipy import constants

from bec_md.errors import DataError
from bec_md.modes.harmonic import HarmonicResponse
from bec_md.modes.reference import ReferenceModes
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
