"""Optical functions against textbook identities; LO, TO and Lyddane–Sachs–Teller."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.electronic import check_eps_inf
from bec_md.spectrum.response import optics
from tests.spectrum.exact import bare

NU = np.linspace(1.0, 1500.0, 6000)


def polar(strength: float = 3.0, to: float = 500.0, width: float = 5.0, eps_inf: float = 2.4) -> np.ndarray:
    return eps_inf + strength * to**2 / (to**2 - NU**2 - 1j * width * NU)


def test_index_squares_to_epsilon_and_absorbs() -> None:
    eps = polar()
    index = optics.refractive_index(eps)
    np.testing.assert_allclose(index**2, eps, rtol=1e-13)
    assert np.all(index.imag > 0.0)
    assert np.all(index.real > 0.0)
    # nα = ωε₂/c exactly
    np.testing.assert_allclose(
        index.real * optics.absorption_cm(NU, eps), 2 * np.pi * NU * eps.imag, rtol=1e-12
    )


def test_what_is_below_zero_by_rounding_absorbs_nothing() -> None:
    """A transparent medium with ε₂ = −1e-16 keeps n > 0 (not −1.5, with R = 25), a mirror stays one."""
    eps = np.array([2.25 - 1e-16j, -4.0 - 1e-16j])
    np.testing.assert_allclose(optics.refractive_index(eps), [1.5, 2.0j], atol=1e-15)
    np.testing.assert_allclose(optics.reflectivity(eps), [0.04, 1.0], rtol=1e-12)
    for polarization in ("s", "p"):
        exact = optics.oblique_reflectance(eps.real + 0j, 30.0, polarization)
        np.testing.assert_allclose(optics.oblique_reflectance(eps, 30.0, polarization), exact, rtol=1e-12)
    reflected, transmitted = optics.slab(np.full(2, 500.0), eps, 10.0)
    np.testing.assert_allclose(reflected + transmitted, 1.0, rtol=1e-12)


def test_a_wave_that_runs_backward_without_loss_is_the_limit_of_small_loss() -> None:
    """ε < 0 in the plane and 0 < ε < sin²θ across: energy flows inward, not R = 6.2."""
    plane, normal = np.array([-2.0 + 0j]), np.array([0.2 + 0j])
    exact = optics.oblique_reflectance(plane + 1e-12j, 60.0, "p", normal + 1e-12j)
    np.testing.assert_allclose(optics.oblique_reflectance(plane, 60.0, "p", normal), exact, rtol=1e-9)
    assert exact[0] == pytest.approx(0.1617, abs=1e-4)


def test_normal_reflectivity_of_glass() -> None:
    assert optics.reflectivity(np.array([2.25 + 0j]))[0] == pytest.approx(0.04, rel=1e-12)  # ((1.5−1)/2.5)²
    assert optics.reflectivity(np.array([-1e9 + 0j]))[0] == pytest.approx(1.0, abs=1e-4)  # ideal metal


def test_fresnel_limits() -> None:
    eps = polar()
    for polarization in ("s", "p"):
        np.testing.assert_allclose(
            optics.oblique_reflectance(eps, 0.0, polarization), optics.reflectivity(eps), rtol=1e-10
        )
    brewster = np.degrees(np.arctan(1.5))
    assert optics.oblique_reflectance(np.array([2.25 + 0j]), brewster, "p")[0] < 1e-25
    # Snell and Fresnel by hand at 60° for n = 1.5
    inside = np.arcsin(np.sin(np.pi / 3) / 1.5)
    rs = (0.5 - 1.5 * np.cos(inside)) / (0.5 + 1.5 * np.cos(inside))
    rp = (1.5 * 0.5 - np.cos(inside)) / (1.5 * 0.5 + np.cos(inside))
    glass = np.array([2.25 + 0j])
    assert optics.oblique_reflectance(glass, 60.0, "s")[0] == pytest.approx(rs**2, rel=1e-12)
    assert optics.oblique_reflectance(glass, 60.0, "p")[0] == pytest.approx(rp**2, rel=1e-12)
    # uniaxial with the axis along the normal: isotropic limit
    np.testing.assert_allclose(
        optics.oblique_reflectance(eps, 40.0, "p", eps), optics.oblique_reflectance(eps, 40.0, "p")
    )
    for bad in ((95.0, "s"), (10.0, "q")):
        with pytest.raises(UsageError, match="oblique"):
            optics.oblique_reflectance(glass, *bad)


def test_slab_conserves_energy_and_thickens_to_a_half_space() -> None:
    glass = np.full(NU.shape, 2.25 + 0j)
    reflected, transmitted = optics.slab(NU, glass, 5.0)
    np.testing.assert_allclose(reflected + transmitted, 1.0, rtol=1e-12)
    lossy = np.full(NU.shape, 2.25 + 0.5j)
    reflected, transmitted = optics.slab(NU[3000:], lossy[3000:], 500.0)
    np.testing.assert_allclose(reflected, optics.reflectivity(lossy[3000:]), rtol=1e-6)
    assert transmitted.max() < 1e-6
    _, thin = optics.slab(NU, lossy, 0.0)
    np.testing.assert_allclose(thin, 1.0)


def test_lo_to_and_lyddane_sachs_teller() -> None:
    eps_inf, strength, to = 2.4, 3.0, 500.0
    eps = polar(strength, to, 0.5, eps_inf)
    lo = to * np.sqrt((eps_inf + strength) / eps_inf)
    assert optics.vertex(NU, eps.imag, int(np.argmax(eps.imag)))[0] == pytest.approx(to, abs=0.02)
    # grid of 0.25 cm⁻¹, damping shifts by γ²/8ω
    assert optics.longitudinal_frequencies_cm(NU, eps)[0] == pytest.approx(lo, abs=0.02)
    loss = optics.energy_loss(eps)
    assert optics.vertex(NU, loss, int(np.argmax(loss)))[0] == pytest.approx(lo, abs=0.05)


def test_directions_and_powder() -> None:
    eps = polar()
    tensor = np.zeros((len(NU), 3, 3), dtype=complex)
    tensor[:, 0, 0] = tensor[:, 1, 1] = eps
    tensor[:, 2, 2] = 2.0
    np.testing.assert_allclose(optics.along(tensor, (0, 0, 2)), 2.0)
    np.testing.assert_allclose(optics.along(tensor, (1, 1, 0)), eps)
    np.testing.assert_allclose(
        optics.powder_reflectivity(tensor), (2 * optics.reflectivity(eps) + optics.reflectivity(2.0)) / 3
    )
    np.testing.assert_allclose(
        optics.powder_absorption_cm(NU, tensor), 2 / 3 * optics.absorption_cm(NU, eps), atol=1e-12
    )


@pytest.mark.parametrize(
    "name", ["eps_real", "n", "kappa", "alpha_cm", "reflectivity", "loss", "eps_iso", "n_err"]
)
def test_everything_that_needs_eps_inf_refuses_without_it(name: str) -> None:
    s = compute_spectrum(
        bare(np.random.default_rng(0).normal(size=(400, 3))), temperature_k=300.0, resolution_cm=200.0
    )
    assert s.eps is None
    with pytest.raises(UsageError, match="ε_∞"):
        getattr(s, name)
    with pytest.raises(UsageError, match="ε_∞"):
        s.along((1.0, 0.0, 0.0)).epsilon()


@pytest.mark.parametrize(
    ("given", "tensor"),
    [
        (2.4, np.eye(3) * 2.4),
        ([2.0, 2.5, 3.0], np.diag([2.0, 2.5, 3.0])),
        ([2, 3, 4, 0.4, 0.5, 0.6], [[2, 0.6, 0.5], [0.6, 3, 0.4], [0.5, 0.4, 4]]),
        ([2, 0.6, 0.5, 0.6, 3, 0.4, 0.5, 0.4, 4], [[2, 0.6, 0.5], [0.6, 3, 0.4], [0.5, 0.4, 4]]),
    ],
)
def test_eps_inf_in_all_forms(given: object, tensor: object) -> None:
    series = bare(np.random.default_rng(0).normal(size=(400, 3)))
    found, one = (
        compute_spectrum(series, temperature_k=300.0, resolution_cm=200.0, eps_inf=value)  # type: ignore[arg-type]
        for value in (given, 1.0)
    )
    np.testing.assert_allclose(found.eps_inf, tensor)
    difference = found.eps - one.eps + np.eye(3)  # type: ignore[operator]
    np.testing.assert_allclose(difference, np.broadcast_to(tensor, difference.shape), atol=1e-9)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (0.9, "0.9, below 1"),
        ([2.3, 2.3, 2.3, 0.0, 0.0, 2.0], "0.3, below 1"),  # a tensor whose element xy is an axis
        ([2.0, "a", 3.0], "not a dielectric tensor"),
        ([2.0, 3.0, 1j], "not a dielectric tensor"),
    ],
)
def test_no_medium_has_such_an_eps_inf(given: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_eps_inf(given)
