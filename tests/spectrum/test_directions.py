"""Directions, the axes that a spectrum shows, fits along them, and what an instrument would measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bec_md.errors import BecMDWarning, UsageError
from bec_md.spectrum import compute_spectrum, load_spectrum, summary, write_hdf5
from bec_md.spectrum.analysis import fits
from bec_md.spectrum.analysis.axes import (
    distinct_directions,
    principal_directions,
    principal_frame,
    symmetry_directions,
    with_axes_of,
)
from bec_md.spectrum.analysis.bands import band_frequencies
from bec_md.spectrum.analysis.fit_table import fit_bands
from bec_md.spectrum.analysis.measured_optics import optics_columns, with_optics
from bec_md.spectrum.analysis.optics_request import OpticsRequest
from bec_md.spectrum.analysis.point_group import named_group
from bec_md.spectrum.response import optics, oscillator
from bec_md.spectrum.response.direction import to_direction
from bec_md.spectrum.spectrum import Spectrum
from bec_md.units import PLASMA_FREQUENCY2_FS2
from tests.spectrum.exact import bare, langevin_oscillator, omega_fs

MASS, VOLUME, EPS_INF = 10.0, 60.0, (2.4, 2.4, 2.6)
#: TO of two bands along x and y, and of two along z, cm⁻¹; charges in e.
ORDINARY, EXTRAORDINARY, CHARGES, WIDTH = (400.0, 800.0), (500.0, 1000.0), (1.0, 2.0), 8.0


def current(rotation: np.ndarray) -> np.ndarray:
    """Current of a uniaxial crystal whose axis is the rotated z."""
    parts = []
    for number, (a, c) in enumerate(zip(ORDINARY, EXTRAORDINARY, strict=True)):
        plane = langevin_oscillator(20000, 4.0, a, WIDTH, MASS, 10 + number, (2,))[1]
        axis = langevin_oscillator(20000, 4.0, c, WIDTH, MASS, 20 + number, (1,))[1]
        parts.append(CHARGES[number] * np.concatenate([plane, axis], axis=1))
    return np.asarray(sum(parts) @ rotation.T)


def spectrum_of(data: np.ndarray, eps_inf: object = EPS_INF) -> Spectrum:
    return compute_spectrum(
        bare(data, 4.0, VOLUME),
        temperature_k=300.0,
        eps_inf=eps_inf,  # type: ignore[arg-type]
        resolution_cm=8.0,
        max_cm=1600.0,
    )


@pytest.fixture(scope="module")
def uniaxial() -> Spectrum:
    return spectrum_of(current(np.eye(3)))


def strengths(positions: tuple[float, ...]) -> np.ndarray:
    squares = np.array(CHARGES) ** 2 * PLASMA_FREQUENCY2_FS2 / MASS / VOLUME
    return np.asarray(squares / np.asarray(omega_fs(np.array(positions))) ** 2)


def exact_lo(positions: tuple[float, ...], eps_inf: float) -> np.ndarray:
    """Zeros of the undamped ε."""
    nu = np.linspace(1.0, 3000.0, 600001)
    bands = np.stack([positions, np.full(2, 1e-6), strengths(positions)], axis=1)
    eps = eps_inf + oscillator.lorentz_susceptibility(nu, bands)
    return optics.longitudinal_frequencies_cm(nu, eps)


def test_equal_axes_are_merged(uniaxial: Spectrum) -> None:
    assert [d.label for d in distinct_directions(uniaxial)] == ["xy", "z"]
    one = langevin_oscillator(10000, 4.0, 400.0, 30.0, MASS, 3, (3,))[1]
    assert [d.label for d in distinct_directions(spectrum_of(one, 2.0))] == ["isotropic"]


def test_axes_are_merged_by_the_group_and_not_by_noise(uniaxial: Spectrum) -> None:
    """Whatever the spectrum looks like: a cubic group gives one spectrum, an orthorhombic one three."""
    labels = {
        symbol: [d.label for d in symmetry_directions(uniaxial, named_group(symbol).rotations)]
        for symbol in ("m-3m", "-42m", "32", "6/mmm", "mmm", "2/m", "-1")
    }
    assert labels.pop("m-3m") == ["isotropic"]
    assert all(labels.pop(symbol) == ["xy", "z"] for symbol in ("-42m", "32", "6/mmm"))
    # also where the group leaves the axes free: off-diagonal elements vanish within errors
    assert all(found == ["x", "y", "z"] for found in labels.values())
    turn = Rotation.from_euler("zyx", [20, 50, 70], degrees=True).as_matrix()
    plane, axis = symmetry_directions(uniaxial, turn @ named_group("32").rotations @ turn.T)
    np.testing.assert_allclose(axis.weight, np.outer(turn[:, 2], turn[:, 2]), atol=1e-6)
    np.testing.assert_allclose(plane.weight, 0.5 * (np.eye(3) - axis.weight), atol=1e-6)
    known = with_axes_of(uniaxial, named_group("m-3m"))
    assert [d.label for d in principal_directions(known)] == ["isotropic"]
    assert [d.label for d in principal_directions(uniaxial)] == ["xy", "z"]


def test_axes_of_a_tilted_crystal_are_found() -> None:
    turn = Rotation.from_euler("zyx", [20, 50, 70], degrees=True).as_matrix()
    tilted = spectrum_of(current(turn), turn @ np.diag(EPS_INF) @ turn.T)
    found = distinct_directions(tilted)
    assert len(found) == 2
    # the optic axis within the noise of 80 ps: a few degrees
    assert turn[:, 2] @ found[1].weight @ turn[:, 2] > 0.99
    exact = np.diag([1.0, 1.0, 3.0])[None] * np.ones((5, 1, 1))
    frame = principal_frame(turn @ exact @ turn.T)
    assert abs(frame[:, np.argmax(np.abs(turn[:, 2] @ frame))] @ turn[:, 2]) == pytest.approx(1.0)


def test_errors_along_directions_are_those_of_the_axes(uniaxial: Spectrum) -> None:
    # x and z are stored; the general formula must give the same for a direction close to x
    nearly = uniaxial.along((1.0, 1e-6, 0.0))
    stored = uniaxial.along("x")
    for name in ("n_alpha_err", "eps_real_err", "loss_err"):
        np.testing.assert_allclose(getattr(nearly, name), getattr(stored, name), rtol=2e-3)
    # two equal independent axes: half of both errors in quadrature, 1/√2 of the error of one; by chance
    # S_xy of a run is not zero, whose square adds its tenth or so
    peak = int(np.argmax(uniaxial.along("xy").n_alpha))
    errors = [uniaxial.along(axis).n_alpha_err[peak] for axis in ("xy", "x", "y")]
    assert errors[0] == pytest.approx(0.5 * np.hypot(*errors[1:]), rel=0.1)
    assert np.abs(uniaxial.along(None).loss - uniaxial.loss).max() == 0.0


@pytest.mark.parametrize("bad", ["w", "xx", "1,2", "0,0,0", "", (1.0, 2.0)])
def test_what_is_no_direction_is_refused(bad: object) -> None:
    with pytest.raises(UsageError, match="direction"):
        to_direction(bad)  # type: ignore[arg-type]


def test_factorized_oscillators_are_the_same_function() -> None:
    bands = np.array([[390.0, 5.0, 0.4], [450.0, 8.0, 0.8], [1065.0, 10.0, 0.7], [1158.0, 12.0, 0.01]])
    bands = np.vstack([bands, [150.0, 500.0, 1.0]])  # overdamped
    four = oscillator.factorize(bands, 2.4)
    nu = np.linspace(1.0, 1500.0, 700)
    np.testing.assert_allclose(
        oscillator.four_parameter(nu, four, 2.4),
        2.4 + oscillator.lorentz_susceptibility(nu, bands),
        rtol=1e-9,
    )
    # the weak band inside the reststrahlen band of the strong one has its LO just below its TO
    assert 0.0 < four[-1, 0] - four[-1, 2] < 10.0
    assert four[-2, 2] > 1158.0


def test_derivatives_of_the_models() -> None:
    nu = np.linspace(10.0, 1500.0, 50)
    lorentz = np.array([[400.0, 20.0, 1.0], [900.0, 40.0, 0.5]])
    four = oscillator.factorize(lorentz, 2.4)
    cases = (
        (
            lorentz,
            lambda p: oscillator.lorentz_susceptibility(nu, p),
            oscillator.lorentz_derivatives(nu, lorentz),
        ),
        (
            four,
            lambda p: oscillator.four_parameter(nu, p, 2.4),
            oscillator.four_parameter_derivatives(nu, four, 2.4),
        ),
    )
    for bands, function, derivatives in cases:
        for number in range(bands.size):
            step = np.zeros(bands.size)
            step[number] = 1e-5 * bands.ravel()[number]
            up, down = (function((bands.ravel() + s * step).reshape(bands.shape)) for s in (1, -1))
            numeric = (up - down) / (2.0 * step[number])
            np.testing.assert_allclose(derivatives[number], numeric, rtol=1e-5, atol=1e-9)


def test_four_parameter_fits_of_a_uniaxial_crystal(uniaxial: Spectrum) -> None:
    found = fit_bands(uniaxial, "four-parameter")
    assert [one["direction"] for one in found["directions"]] == ["xy", "z"]
    assert all(one["chi2_reduced"] < 3.0 for one in found["directions"])
    for label, to, eps_inf in (("xy", ORDINARY, 2.4), ("z", EXTRAORDINARY, 2.6)):
        bands = [b for b in found["bands"] if b["direction"] == label]
        assert len(bands) == 2
        for band, to_cm, lo_cm in zip(bands, to, exact_lo(to, eps_inf), strict=True):
            assert band["to_cm"] == pytest.approx(to_cm, abs=4 * band["to_cm_err"])
            assert band["lo_cm"] == pytest.approx(lo_cm, abs=4 * band["lo_cm_err"])
            assert band["to_width_cm"] == pytest.approx(WIDTH, abs=4 * band["to_width_cm_err"])
            assert band["lo_cm_err"] < 0.05 * lo_cm
    only = fit_bands(uniaxial, "lorentz", ["z"])
    assert {band["direction"] for band in only["bands"]} == {"z"}


def test_lines_narrower_than_the_resolution_have_honest_errors() -> None:
    # 24 runs of 40 ps of a line of 4 cm⁻¹ seen at 12: counting the noise of the smoothed spectrum alone made
    # the error of the strength half of the scatter
    rows = []
    for seed in range(24):
        v = langevin_oscillator(10000, 4.0, 450.0, 4.0, MASS, seed)[1]
        s = compute_spectrum(
            bare(v, 4.0, VOLUME), temperature_k=300.0, resolution_cm=12.0, max_cm=900.0, dc=False
        )
        fit = fits.fit_lorentz(s, [450.0])
        rows.append([fit.bands[0, [0, 2]], fit.errors[0, [0, 2]]])
    values, errors = np.array(rows).swapaxes(0, 1)
    ratio = values.std(axis=0, ddof=1) / np.sqrt(np.mean(errors**2, axis=0))
    assert np.all((ratio > 0.6) & (ratio < 1.5)), ratio  # the scatter of 24 runs is known to 15 %


def test_longitudinal_frequencies_of_narrow_bands(uniaxial: Spectrum) -> None:
    for axis, to, eps_inf in (("xy", ORDINARY, 2.4), ("z", EXTRAORDINARY, 2.6)):
        band = band_frequencies(uniaxial, axis)
        for lo in exact_lo(to, eps_inf):
            at = int(np.argmin(np.abs(np.array(band.lo_cm) - lo)))
            assert band.lo_cm[at] == pytest.approx(lo, abs=4 * band.lo_err_cm[at] + 1.0)


def test_a_powder_has_the_same_errors_however_its_crystal_is_turned(uniaxial: Spectrum) -> None:
    rotation = Rotation.from_euler("xyz", [50.0, 35.0, 20.0], degrees=True).as_matrix()
    turned = spectrum_of(current(rotation), eps_inf=rotation @ np.diag(EPS_INF) @ rotation.T)
    straight, tilted = (
        optics_columns(with_optics(s, OpticsRequest(powder=True))) for s in (uniaxial, turned)
    )
    for name in ("powder_alpha_cm", "powder_reflectivity"):
        np.testing.assert_allclose(tilted[name], straight[name], rtol=1e-6, atol=1e-9)
        ratio = tilted[f"{name}_err"] / straight[f"{name}_err"]
        # the axes are found from the spectrum itself; 0.22 where x, y and z were taken for them
        assert np.mean(np.abs(np.log(ratio))) < 0.05
    assert np.array_equal(uniaxial.get("n", along=np.array([0.0, 0.0, 2.0])), uniaxial.get("n", along="z"))


def test_columns_of_an_instrument(uniaxial: Spectrum, tmp_path: Path) -> None:
    request = OpticsRequest(("z", "1,0,1"), 60.0, None, "z", 2.0, True)
    asked = with_optics(uniaxial, request)
    table = optics_columns(asked)
    nu = asked.wavenumber_cm
    plane, axis = uniaxial.along("xy").epsilon(), uniaxial.along("z").epsilon()
    np.testing.assert_allclose(table["n_alpha_cm[along z]"], uniaxial.n_alpha_tensor[:, 2, 2])
    np.testing.assert_allclose(
        table["reflectance_p"], optics.oblique_reflectance(plane, 60.0, "p", axis), rtol=1e-12
    )
    np.testing.assert_allclose(table["reflectance_s"], optics.oblique_reflectance(plane, 60.0, "s"))
    thick = optics.slab(nu, plane, 2.0, 60.0, "p", axis)
    np.testing.assert_allclose(table["slab_transmittance_p"], thick[1])
    assert np.all(table["slab_transmittance_p"] + table["slab_reflectance_p"] <= 1.0 + 1e-9)
    np.testing.assert_allclose(
        table["powder_reflectivity"], optics.powder_reflectivity(np.asarray(uniaxial.eps))
    )
    assert all(np.all(np.isfinite(values)) for values in table.values())
    # normal incidence: the numerical propagation of errors is the analytic one
    normal = optics_columns(with_optics(uniaxial, OpticsRequest(angle_deg=0.0)))
    np.testing.assert_allclose(normal["reflectance"], uniaxial.reflectivity)
    # numerical slopes lose their digits where R is stationary, next to nothing of its error
    np.testing.assert_allclose(normal["reflectance_err"], uniaxial.reflectivity_err, rtol=1e-3, atol=1e-6)
    write_hdf5(asked, tmp_path / "a.h5")
    again = optics_columns(load_spectrum(tmp_path / "a.h5"))
    np.testing.assert_allclose(again["slab_reflectance_s_err"], table["slab_reflectance_s_err"])
    told = summary(asked)["optics"]
    assert told["angle_deg"] == 60.0
    assert told["extremes"]["reflectance_s"]["value"] == pytest.approx(table["reflectance_s"].max())
    assert summary(uniaxial)["optics"] is None


def test_a_surface_that_is_not_one_of_a_uniaxial_crystal_is_said(uniaxial: Spectrum) -> None:
    rotation = Rotation.from_euler("xyz", [50.0, 35.0, 20.0], degrees=True).as_matrix()
    turned = spectrum_of(current(rotation), eps_inf=rotation @ np.diag(EPS_INF) @ rotation.T)
    along, across = (" ".join(map(str, rotation[:, a])) for a in (2, 0))
    for spectrum, surface in ((uniaxial, "x"), (uniaxial, "1,0,1"), (turned, across), (turned, "z")):
        with pytest.warns(BecMDWarning, match="not uniaxial about the surface normal"):
            with_optics(spectrum, OpticsRequest(angle_deg=45.0, surface=surface))
    for spectrum, surface in ((uniaxial, "z"), (turned, along)):  # warnings are errors here
        with_optics(spectrum, OpticsRequest(angle_deg=45.0, surface=surface))


def test_oblique_slab_is_the_half_space_when_thick_and_conserves_energy() -> None:
    nu = np.linspace(100.0, 2000.0, 300)
    for polarization in "sp":
        clear = optics.slab(nu, np.full(300, 2.25 + 0j), 3.0, 50.0, polarization, np.full(300, 3.0 + 0j))
        np.testing.assert_allclose(clear[0] + clear[1], 1.0, rtol=1e-12)
        dark = np.full(300, 2.25 + 1.0j)
        np.testing.assert_allclose(
            optics.slab(nu, dark, 1e4, 50.0, polarization)[0],
            optics.oblique_reflectance(dark, 50.0, polarization),
            rtol=1e-9,
        )


@pytest.mark.parametrize(
    "bad",
    [
        OpticsRequest(angle_deg=90.0),
        OpticsRequest(thickness_um=0.0),
        OpticsRequest(thickness_um=np.inf),
        OpticsRequest(polarization="s"),
        OpticsRequest(surface="z"),
        OpticsRequest(angle_deg=10.0, surface="xy"),
        OpticsRequest(directions=("north",)),
    ],
)
def test_requests_that_make_no_sense(bad: OpticsRequest, uniaxial: Spectrum) -> None:
    with pytest.raises(UsageError):
        with_optics(uniaxial, bad)


def test_reflectance_needs_eps_inf(uniaxial: Spectrum) -> None:
    with pytest.raises(UsageError, match="ε_∞"):
        with_optics(replace(uniaxial, eps_inf=None), OpticsRequest(angle_deg=45.0))
