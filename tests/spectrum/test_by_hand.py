"""Numbers worked out by hand for formulas that other tests cannot tell from similar ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bec_md.current.series import CurrentSeries
from bec_md.errors import UsageError
from bec_md.spectrum import Spectrum, compute_spectrum
from bec_md.spectrum.analysis import axes, maxima
from bec_md.spectrum.analysis.axes import distinct_directions
from bec_md.spectrum.analysis.measured_optics import optics_columns, with_optics
from bec_md.spectrum.analysis.optics_request import OpticsRequest
from bec_md.spectrum.errors.quality_checks import check_nyquist
from bec_md.spectrum.labelled import variables
from bec_md.spectrum.response import optics
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K
from tests.spectrum.exact import atoms_series, bare, langevin_oscillator


def test_a_uniaxial_surface_by_hand_at_45_degrees() -> None:
    # ε = 4 in the plane, 9 along the normal, θ = 45°: q = 2 √(1 − ½/9) = 1.943651, ε cos θ = 2.828427,
    # r = (2.828427 − 1.943651)/(2.828427 + 1.943651) = 0.185407
    given = optics.oblique_reflectance(np.array([4.0]), 45.0, "p", np.array([9.0]))
    assert given[0] == pytest.approx(0.185407**2, rel=1e-5)
    # isotropic: q = √(4 − ½) = 1.870829, ε cos θ = 2.828427: r = 0.957598/4.699256
    assert optics.oblique_reflectance(np.array([4.0]), 45.0, "p")[0] == pytest.approx(0.203776**2, rel=1e-5)
    # s polarization does not see the normal: (cos θ − √3.5)/(cos θ + √3.5) = −0.451416
    s = optics.oblique_reflectance(np.array([4.0]), 45.0, "s", np.array([9.0]))
    assert s[0] == pytest.approx(0.451416**2, rel=1e-5)


@pytest.mark.parametrize(("plane", "normal"), [(4.0, 4.0), (4.0, 9.0), (2.25, 5.0), (6.0, 1.8)])
def test_nothing_is_reflected_at_brewsters_angle_of_a_uniaxial_crystal(plane: float, normal: float) -> None:
    # tan²θ_B = ε_n (ε − 1)/(ε_n − 1); tan θ_B = n if both are equal
    angle = float(np.degrees(np.arctan(np.sqrt(normal * (plane - 1.0) / (normal - 1.0)))))
    if plane == normal:
        assert np.tan(np.radians(angle)) == pytest.approx(plane**0.5)
    reflected = [
        optics.oblique_reflectance(np.array([plane]), angle + d, "p", np.array([normal]))[0]
        for d in (-5, 0, 5)
    ]
    assert reflected[1] < 1e-20
    assert min(reflected[0], reflected[2]) > 1e-5


@pytest.mark.parametrize("angle", [0.0, 30.0, 70.0])
@pytest.mark.parametrize("eps", [(4.0 + 0.3j, 9.0 + 1.0j), (-5.0 + 0.5j, 3.0 + 0.1j)])
def test_fields_are_continuous_at_a_uniaxial_surface(angle: float, eps: tuple[complex, complex]) -> None:
    # H = (1 + r) outside and t inside; E_x = (k_z/ε) H: cos θ (1 − r) outside, (q/ε) t inside;
    # inside the wave obeys k_x²/ε_n + q²/ε = 1, solved here as the eigenvalue of Maxwell's equations
    kx = np.sin(np.radians(angle))
    # ∂z (H, E_x) = i [[0, ε], [1 − k_x²/ε_n, 0]] (H, E_x) in units of ω/c
    values, vectors = np.linalg.eig(np.array([[0.0, eps[0]], [1.0 - kx**2 / eps[1], 0.0]]))
    inward = vectors[:, int(np.argmax(values.imag))]  # decays inward
    impedance = inward[1] / inward[0]
    cosine = np.cos(np.radians(angle))
    amplitude = (cosine - impedance) / (cosine + impedance)
    found = optics.oblique_reflectance(np.array([eps[0]]), angle, "p", np.array([eps[1]]))
    assert found[0] == pytest.approx(abs(amplitude) ** 2, rel=1e-9)


def test_the_surface_of_a_spectrum_takes_its_normal_from_the_tensor() -> None:
    v = langevin_oscillator(6000, 2.0, 500.0, 80.0, 10.0, 3)[1] * np.array([1.0, 1.0, 3.0])
    s = compute_spectrum(
        bare(v, 2.0, 300.0), temperature_k=300.0, resolution_cm=60.0, eps_inf=(2.0, 2.0, 3.0)
    )
    table = optics_columns(with_optics(s, OpticsRequest(angle_deg=60.0, polarization="p", surface="z")))
    eps = np.asarray(s.eps)
    plane, normal = 0.5 * (eps[:, 0, 0] + eps[:, 1, 1]), eps[:, 2, 2]
    sine2, cosine = 0.75, 0.5
    q = np.sqrt(plane) * np.sqrt(1.0 - sine2 / normal)
    q = np.where(q.imag < 0.0, -q, q)
    by_hand = np.abs((plane * cosine - q) / (plane * cosine + q)) ** 2
    np.testing.assert_allclose(table["reflectance_p"], by_hand, rtol=1e-9)
    assert np.abs(by_hand - optics.oblique_reflectance(plane, 60.0, "p")).max() > 0.01


@pytest.mark.parametrize("thermal", [False, True])
def test_the_f_sum_of_two_like_charges_knows_whether_their_center_moves(thermal: bool) -> None:
    # Z = 1, equal masses m: ΣZ²/m = 2/m, of which the center of mass carries all, (ΣZ)²/M = 4/2m
    rng = np.random.default_rng(0)
    mass = 10.0
    v = rng.normal(size=(4000, 2, 3)) * np.sqrt(BOLTZMANN_EV_K * 300.0 / AMU_ANG2_FS2_EV / mass)
    if not thermal:
        v -= v.mean(axis=1, keepdims=True)
    series = atoms_series(v, np.stack([np.eye(3)] * 2), np.full(2, mass), ["A", "B"], 1.0)
    found = series.zz_sum("none")
    assert found is not None
    np.testing.assert_allclose(found[0], np.eye(3) * (2.0 / mass if thermal else 0.0), atol=1e-6)


def test_errors_of_parts_from_few_degrees_of_freedom() -> None:
    # 200 samples at this resolution: r = 0.4, where the products of the estimates carry the noise of both
    values, errors = [], []
    for seed in range(300):
        x, y = np.random.default_rng(seed).normal(size=(2, 200, 3))
        series = CurrentSeries(np.stack([x + y, y], axis=1), ("A", "B"), 1.0, 1000.0)
        s = compute_spectrum(series, temperature_k=300.0, resolution_cm=300.0, dc=False)
        values.append([s.partial_n_alpha[g] for g in "AB"])
        errors.append([s.partial_n_alpha_err[g] for g in "AB"])
    v, e = np.array(values), np.array(errors)
    # 300 runs × ~50 points: 3 %
    np.testing.assert_allclose(v.var(axis=0).mean(axis=1) / (e**2).mean(axis=(0, 2)), 1.0, atol=0.1)


def test_the_error_of_the_f_sum_of_lines_narrower_than_the_resolution() -> None:
    # one stretch: the square of an ordinate is twice that of its mean; without that the error is √2 too large
    ratios, errors = [], []
    for seed in range(60):
        v = langevin_oscillator(20000, 2.0, 500.0, 6.0, 10.0, seed)[1]
        series = atoms_series(v[:, None], np.eye(3)[None], np.array([10.0]), ["A"], 2.0)
        s = compute_spectrum(series, temperature_k=300.0, resolution_cm=60.0, sum_rule="none", dc=False)
        ratios.append(s.parameters["f_sum_ratio"])
        errors.append(s.parameters["f_sum_error"])
    # 180 values: their scatter is known to 5 %
    assert np.std(ratios) / np.sqrt(np.mean(np.square(errors))) == pytest.approx(1.0, abs=0.2)


@pytest.fixture(scope="module")
def cubic() -> Spectrum:
    v = langevin_oscillator(20000, 2.0, 500.0, 80.0, 10.0, 5)[1]
    return compute_spectrum(bare(v, 2.0, 300.0), temperature_k=300.0, resolution_cm=30.0, max_cm=1200.0)


def scaled(spectrum: Spectrum, deviation: float, noise: float = 0.05) -> Spectrum:
    """Diagonal spectrum, relative errors `noise`; z above x = y by a number of standard errors."""
    shape = spectrum.sigma_real
    factor = np.array([1.0, 1.0, 1.0])
    # with z = (1 + d) x and equal relative errors: d/√(1 + (1+d)²)/noise standard errors
    d = np.linspace(0.0, 2.0, 200001)
    factor[2] += np.interp(deviation, d / np.hypot(1.0, 1.0 + d) / noise, d)
    sigma = np.einsum("f,a,ab->fab", shape, factor, np.eye(3)).astype(complex)
    errors = sigma.real * noise
    return replace(spectrum, sigma=sigma, sigma_real_err=errors + 1e-12 * shape.max())


@pytest.mark.parametrize(("deviation", "labels"), [(2.2, ["isotropic"]), (2.8, ["xy", "z"])])
def test_axes_are_merged_up_to_two_and_a_half_standard_errors(
    cubic: Spectrum, deviation: float, labels: list[str]
) -> None:
    assert axes.SAME == 2.5
    # errors follow from relative variances: r/(1 + r) of the square
    assert [d.label for d in distinct_directions(scaled(cubic, deviation))] == labels


@pytest.mark.parametrize(("noise", "labels"), [(0.5, ["isotropic"]), (0.02, ["xy", "z"])])
def test_axes_that_differ_by_a_third_are_told_apart_only_where_errors_allow(
    cubic: Spectrum, noise: float, labels: list[str]
) -> None:
    third = scaled(cubic, 0.0, noise)
    sigma = third.sigma * np.array([1.0, 1.0, 4.0 / 3.0])
    assert [d.label for d in distinct_directions(replace(third, sigma=sigma))] == labels


@pytest.mark.parametrize(("deviation", "aligned"), [(1.8, True), (2.2, False)])
def test_the_frame_of_the_cell_is_kept_up_to_two_standard_errors(
    cubic: Spectrum, deviation: float, aligned: bool
) -> None:
    s = scaled(cubic, 30.0, 0.05)
    sigma, errors = s.sigma.copy(), s.sigma_real_err.copy()
    errors[:, 0, 1] = errors[:, 1, 0] = 0.05 * s.sigma_real / 2**0.5
    sigma[:, 0, 1] = sigma[:, 1, 0] = deviation * errors[:, 0, 1]
    found = distinct_directions(replace(s, sigma=sigma, sigma_real_err=errors))
    assert (found[-1].label in ("z", "xy")) == aligned


@pytest.mark.parametrize(
    ("falling", "samples"), [([1.0, 0.6, 0.4, 0.1], 1.5), ([1.0, 0.9, 0.8], 2.0), ([0.4, 0.3], 0.0)]
)
def test_where_a_curve_falls_to_half(falling: list[float], samples: float) -> None:
    assert maxima._crossing(np.array(falling), 0.5) == pytest.approx(samples)


@pytest.mark.parametrize(
    ("groups", "timestep_fs", "status"),
    [(("O", "H"), 4.0, "ok"), (("O", "H"), 5.0, "warn"), (("O", "Si"), 8.0, "ok")],
)
def test_hydrogen_wants_frames_every_four_femtoseconds(
    groups: tuple[str, ...], timestep_fs: float, status: str
) -> None:
    check = check_nyquist(0.001, 4000.0, timestep_fs, groups)
    assert check.status == status
    assert "folded modes" in check.meaning
    rounded = check_nyquist(0.05, 4000.0, 4.0, groups, 0.001)
    assert rounded.status == "warn"
    assert "the noise of rounded positions" in rounded.meaning


def test_a_resolution_coarser_than_half_the_band_is_refused() -> None:
    series = bare(np.random.default_rng(0).normal(size=(4000, 3)), 4.0, 300.0)
    with pytest.raises(UsageError, match="over half the Nyquist wavenumber 4170 cm"):  # 1/(2 c · 4 fs)
        compute_spectrum(series, temperature_k=300.0, resolution_cm=2100.0)


@pytest.mark.parametrize("eps_inf", [None, 2.0])
def test_the_tensor_of_the_dielectric_function_is_among_the_variables_where_it_is_known(
    eps_inf: float | None,
) -> None:
    series = bare(np.random.default_rng(0).normal(size=(4000, 3)), 4.0, 300.0)
    spectrum = compute_spectrum(series, temperature_k=300.0, resolution_cm=200.0, eps_inf=eps_inf)
    names = {variable.name for variable in variables(spectrum)}
    assert "eps_imag_tensor" in names
    assert ("eps_real_tensor" in names) == (eps_inf is not None)


def test_chi_square_of_a_fit_counts_independent_points() -> None:
    """A constant through 40 points ±1 off, four of which share their noise: 10 pieces less 1 parameter."""
    from bec_md.spectrum.analysis.least_squares import least_squares_fit

    def fit(points_per_independent: float) -> tuple[float, float]:
        """Constant and χ²."""
        found, _, chi2 = least_squares_fit(
            lambda p: np.full(40, p[0]),
            lambda p: np.ones((1, 40)),
            np.array([4.0]),
            5.0 + np.tile([1.0, -1.0], 20),
            np.ones(40),
            points_per_independent,
        )
        return float(found[0]), chi2

    assert fit(4.0) == pytest.approx((5.0, 10.0 / 9.0))
    assert fit(1.0) == pytest.approx((5.0, 40.0 / 39.0))
    assert fit(40.0) == pytest.approx((5.0, 1.0))  # at least one point is left
