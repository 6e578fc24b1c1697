"""ε(0) and σ_dc: each given only where the run shows it, with errors that the scatter over seeds confirms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bec_md.spectrum import Spectrum, compute_spectrum, symmetrized
from bec_md.spectrum.analysis.point_group import named_group
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.conduction import conduction, folded, folding_walk
from bec_md.spectrum.estimators.periodogram import periodogram
from bec_md.spectrum.estimators.relaxation import Relaxation, relaxation, sine_coefficients, variances
from bec_md.spectrum.statics import rounding_walk
from bec_md.structure import Frame
from bec_md.trajectory.mean_structure import MeanStructure
from bec_md.trajectory.plausibility import velocity_rounding_ang_fs
from bec_md.units import SUSCEPTIBILITY
from tests.spectrum.exact import (
    atoms_series,
    bare,
    kt_amu,
    langevin_oscillator,
    omega_fs,
    ornstein_uhlenbeck,
)
from tests.spectrum.walking import (
    STEP,
    TEMPERATURE,
    VOLUME,
    crystal,
    hopping,
    ions,
    rotors,
    sigma_of_hopping,
    sigma_of_ions,
)

FRAMES = 25000  # 100 ps
SEEDS = range(12)


def spectra(make: Callable[[int], np.ndarray], frames: int = FRAMES) -> list[Spectrum]:
    options = {"temperature_k": 300.0, "resolution_cm": 40.0, "max_cm": 400.0}
    return [compute_spectrum(bare(make(seed)[:frames], STEP, VOLUME), **options) for seed in SEEDS]


def static(spectrum: Spectrum, route: str = "fluctuation") -> tuple[float, float]:
    """tr/3 and its standard error."""
    value = float(np.trace(spectrum.static[route])) / 3.0
    return value, float(np.sqrt(np.sum(np.diag(spectrum.static[f"{route}_err"]) ** 2))) / 3.0


def test_mobile_ions_conduct_and_have_no_static_limit() -> None:
    found = spectra(lambda seed: ions(seed, FRAMES))
    shown = [s for s in found if s.sigma_dc is not None]
    # one in a hundred is missed by the growth of ⟨ΔM²⟩; a few more if M happens to stay near
    assert len(shown) >= len(found) - 2
    z = [
        (s.parameters["sigma_dc_s_per_m"] - sigma_of_ions()) / s.parameters["sigma_dc_err_s_per_m"]
        for s in shown
    ]
    assert abs(np.mean(z)) < 1.2  # 12 runs: 0.3, and the bias of the cepstral estimate below one
    assert all(
        s.parameters["static_source"] is None and s.quality["static"].status == "unknown" for s in shown
    )


@pytest.mark.parametrize("tau_ps", [0.5, 2.0, 8.0, 30.0, 200.0])
def test_relaxing_dipoles_never_conduct(tau_ps: float) -> None:
    # above 1/τ a Debye band is as flat as a conductivity: 66 S/m at 8 ps, as in liquid water
    for s in spectra(lambda seed: rotors(seed, FRAMES, 60.0, 1000.0 * tau_ps)):
        assert s.sigma_dc is None
        assert s.parameters["static_source"] == "fluctuation"
        if tau_ps >= 8.0:
            assert s.parameters["dipole"] in ("relaxes", "wanders")
            assert s.quality["static"].status == "warn"


def test_a_liquid_of_high_permittivity_is_told_from_ions_by_its_slowest_motion() -> None:
    """Δε = 200 that relaxes in a twentieth of the run: ⟨ΔM²⟩ sees it in one of two."""
    for s in spectra(lambda seed: rotors(seed, FRAMES, 200.0, 5000.0)):
        assert s.sigma_dc is None
    said = [s.quality["static"].meaning for s in spectra(lambda seed: rotors(seed, FRAMES, 400.0, 9000.0))]
    assert sum("M moves like a dipole that relaxes in about" in text for text in said) >= len(said) // 2


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_sine_coefficients_of_a_relaxing_dipole_are_those_of_the_formula(share: float) -> None:
    frames, runs = 5000, 200
    squares = np.mean(
        [
            sine_coefficients(
                open_blocks((bare(rotors(seed, frames, 60.0, share * frames * STEP), STEP, VOLUME),), "none"),
                0,
                16,
            )
            for seed in range(runs)
        ],
        axis=0,
    )
    expected = variances(np.array([share]), 16)[0]
    # 600 squares each: ± 6 %; the 16 are independent
    scale = (squares / expected).mean()
    np.testing.assert_allclose(squares / expected / scale, 1.0, atol=4.0 * (2.0 / 600.0) ** 0.5)


def test_diffusing_charges_are_seldom_taken_for_a_dipole() -> None:
    random = np.random.default_rng(0)
    runs = [open_blocks((bare(random.normal(size=(4000, 3)), STEP, VOLUME),), "none") for _ in range(300)]
    found = [relaxation(blocks, 3.0, 4000.0) for blocks in runs]
    assert sum(one is not None and one.likely for one in found) <= 18  # 9 ± 3 expected
    assert relaxation(runs[0], 3.0, 4.0) is None  # not one bin in the band


def test_ions_among_rotors_still_conduct() -> None:
    found = spectra(lambda seed: ions(seed, FRAMES) + rotors(seed + 100, FRAMES, 40.0, 500.0))
    shown = [s for s in found if s.sigma_dc is not None]
    assert len(shown) >= len(found) - 2
    for s in shown:
        assert s.parameters["dipole"] == "conducts"


@pytest.mark.parametrize("axes", [(0, 1, 2), (2,), (0, 1)], ids=["all axes", "channel", "layer"])
def test_jumping_ions_conduct_along_the_axes_that_they_have(axes: tuple[int, ...]) -> None:
    """The logarithm of the mean of axes, one of which is empty, is that of none of them."""
    found = spectra(lambda seed: hopping(seed, FRAMES, 1e-3, axes))
    assert all(s.sigma_dc is not None for s in found)
    expected = sigma_of_hopping(1e-3) * np.isin(np.arange(3), axes)
    mean, error = np.array(
        [(s.parameters["sigma_dc_s_per_m"], s.parameters["sigma_dc_err_s_per_m"]) for s in found]
    ).T
    assert abs(mean.mean() - expected.mean()) < 0.15 * expected.mean()  # 12 runs of ± 10 to 20 %
    assert np.mean(np.abs(mean - expected.mean()) / error) < 2.0
    tensors = np.mean([np.diag(s.sigma_dc) for s in found if s.sigma_dc is not None], axis=0)
    np.testing.assert_allclose(tensors, expected, atol=0.2 * expected.max())


def test_jumps_that_are_seldom_conduct_little() -> None:
    found = spectra(lambda seed: hopping(seed, FRAMES, 2e-5))
    shown = [s.parameters["sigma_dc_s_per_m"] for s in found if s.sigma_dc is not None]
    assert len(shown) >= len(found) - 2
    # 50 jumps along an axis: ± 12 %, on top of the error of each spectrum
    assert np.mean(shown) == pytest.approx(sigma_of_hopping(2e-5), rel=0.25)


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_a_crystal_whose_atoms_stay_in_their_places_does_not_conduct(spread: float) -> None:
    """Δε = 250 that relaxes in 10 of 100 ps, as in a polar crystal: J alone looks as if ions moved."""
    where = MeanStructure(10.0 * np.eye(3), np.zeros((2, 3)), np.array([56, 8]), 0.01, spread, 100)
    for seed in range(4):
        series = bare(rotors(seed, FRAMES, 250.0, 10_000.0), STEP, VOLUME)
        series = replace(series, metadata={**series.metadata, "mean_structure": where.to_dict()})
        s = compute_spectrum(series, temperature_k=300.0, resolution_cm=40.0, max_cm=400.0)
        if spread < 0.3:
            assert s.sigma_dc is None
            assert s.parameters["dipole"] == "relaxes"
            assert "every atom stays about its site" in s.quality["static"].meaning
    forced = compute_spectrum(series, temperature_k=300.0, resolution_cm=40.0, subtract_dc=True)
    assert forced.sigma_dc is not None


def test_a_run_too_short_to_tell_gives_no_conductivity_and_says_when_ions_would_show() -> None:
    for s in spectra(lambda seed: ions(seed, FRAMES), 2500):
        assert s.sigma_dc is None
        assert s.parameters["dipole"] in ("wanders", "relaxes")
    assert "ions would show after about" in " ".join(
        s.quality["static"].meaning for s in spectra(lambda seed: ions(seed, FRAMES), 2500)
    )
    forced = compute_spectrum(
        bare(ions(0, 2500), STEP, VOLUME), temperature_k=300.0, resolution_cm=40.0, subtract_dc=True
    )
    assert forced.sigma_dc is not None


@pytest.mark.parametrize(("tau_ps", "bias"), [(0.5, 0.02), (2.0, 0.08)])
def test_errors_of_a_relaxing_dipole_are_those_of_the_scatter(tau_ps: float, bias: float) -> None:
    values, errors = np.array(
        [static(s) for s in spectra(lambda seed: rotors(seed, FRAMES, 60.0, 1000.0 * tau_ps))]
    ).T
    # 12 runs: the scatter is known to 20 %; removing the mean costs 2τ/T of the fluctuation
    assert values.std(ddof=1) / np.sqrt(np.mean(errors**2)) == pytest.approx(1.0, abs=0.45)
    expected = np.sqrt(2.0 * tau_ps / 100.0 / 3.0)
    assert np.mean(errors) / 60.0 == pytest.approx(expected, rel=0.3)
    assert np.mean(values) / 60.0 == pytest.approx(1.0, abs=bias + 3.0 * expected / np.sqrt(len(values)))


def test_what_is_left_without_sigma_dc_has_its_error() -> None:
    values, errors = [], []
    for seed in range(16):
        j = langevin_oscillator(6000, 4.0, 400.0, 60.0, 10.0, seed, (3,))[1]
        j = j + ornstein_uhlenbeck(6000, 4.0, 0.02, 1e-5, seed + 99)
        s = compute_spectrum(
            bare(j, 4.0), temperature_k=300.0, max_cm=900.0, resolution_cm=20.0, subtract_dc=True
        )
        values.append(s.eps_imag)
        errors.append(s.eps_imag_err)
    # every frequency has the noise of σ_dc, most of all where the spectrum itself is small
    scatter = np.var(values, axis=0, ddof=1) / np.mean(np.square(errors), axis=0)
    assert np.sqrt(scatter[s.wavenumber_cm > 600.0].mean()) == pytest.approx(1.0, abs=0.35)
    low, high = s.along().interval("eps_imag")
    np.testing.assert_allclose(high - s.eps_imag, s.eps_imag_err, rtol=0.02)
    assert np.all(low <= s.eps_imag)
    tensor = s.eps_imag_tensor_err[:, 0, 0]
    np.testing.assert_allclose(tensor, s.error("eps_imag", along="x"))
    cubic = symmetrized(s, named_group("m-3m"))
    assert cubic.along().sigma_dc_err == pytest.approx(s.along().sigma_dc_err)


@pytest.mark.parametrize(("tau_fs", "step_fs", "damping_cm"), [(2000.0, 4.0, 30.0), (0.0, 8.0, 100.0)])
def test_errors_of_the_integral_know_what_lies_within_the_resolution(
    tau_fs: float, step_fs: float, damping_cm: float
) -> None:
    # a dipole that relaxes slowly, and the tail of random forces that folds onto zero
    values, errors = [], []
    for seed in range(20):
        j = langevin_oscillator(8000, step_fs, 400.0, damping_cm, 1.0, seed, (3,))[1]
        if tau_fs:
            slow = ornstein_uhlenbeck(8001, step_fs, 1.0 / tau_fs, 4.0, seed + 99)
            j = j + np.diff(slow, axis=0) / step_fs
        s = compute_spectrum(bare(j, step_fs), temperature_k=300.0, max_cm=900.0, resolution_cm=15.0)
        values.append(np.diag(s.static["kramers_kronig"]))
        errors.append(np.diag(s.static["kramers_kronig_err"]))
    # 60 numbers: their scatter is known to 9 %
    scatter = np.var(values, axis=0, ddof=1).mean()
    assert np.sqrt(np.mean(np.square(errors)) / scatter) == pytest.approx(1.0, abs=0.27)


def test_two_picoseconds_do_not_know_a_slow_dipole_to_five_percent() -> None:
    for s in spectra(lambda seed: rotors(seed, FRAMES, 60.0, 8000.0), 500):
        value, error = static(s)
        assert error > 0.2 * value


def test_a_walking_dipole_is_recognized_and_the_integral_taken() -> None:
    for frames in (2500, 5000, 10000):
        for seed in range(4):
            series, exact = crystal(seed, frames, 0.15)
            s = compute_spectrum(
                series, temperature_k=300.0, resolution_cm=20.0, sum_rule="none", max_cm=800.0
            )
            value, error = static(s, "kramers_kronig")
            assert s.parameters["dipole"] == "walks"
            assert s.parameters["static_source"] == "kramers_kronig"
            assert s.quality["static"].status == "warn"
            assert "no polarization" in s.quality["static"].meaning
            # independent of the length of the run, within its error; 1 % for the flat noise under the band
            assert abs(value - exact) < 3.5 * error + 0.01 * exact
            assert s.sigma_dc is None
    grown, grown_error = static(s)
    assert grown > exact + 2.0 * grown_error  # what would have been printed


def test_the_same_crystal_with_tensors_of_a_polarization_does_not_walk() -> None:
    values = []
    for seed in range(10):
        series, exact = crystal(seed, 5000, 0.0)
        s = compute_spectrum(series, temperature_k=300.0, resolution_cm=20.0, sum_rule="none", max_cm=800.0)
        assert s.parameters["dipole"] == "bounded"
        assert s.parameters["static_source"] == "fluctuation"
        values.append((static(s)[0] - exact, static(s)[1]))
    difference, errors = np.array(values).T
    assert abs(np.mean(difference)) < 3.5 * np.mean(errors) / np.sqrt(10)
    assert 0.5 < np.std(difference) / np.mean(errors) < 1.6  # 10 runs: 22 %


def test_groups_of_several_species_say_nothing_of_a_walk() -> None:
    masses, signs = np.tile([24.3, 16.0], 4), np.tile([1.0, -1.0], 4)
    slow = rotors(3, FRAMES // 2, 60.0, 20000.0)
    velocities = slow[:, None, :] * signs[:, None] / 8.0
    tensors = signs[:, None, None] * np.eye(3)
    for species in (["Mg", "O"] * 4, ["left"] * 4 + ["right"] * 4):
        inverse = [
            sum(1.0 / m for m, s in zip(masses, species, strict=True) if s == g)
            for g in dict.fromkeys(species)
        ]
        series = atoms_series(
            velocities,
            tensors,
            masses,
            species,
            STEP,
            volume_ang3=VOLUME,
            group_inverse_mass=np.array(inverse),
        )
        s = compute_spectrum(series, temperature_k=300.0, resolution_cm=40.0, max_cm=400.0)
        assert s.parameters["dipole"] != "walks"
        assert s.parameters["static_source"] == "fluctuation"


def test_the_verdict_by_hand() -> None:
    sigma = np.full(3, 100.0)
    brownian = 100.0 * 1e5 * 1e-15 / 3.0 / 8.8541878e-12  # 376 in 100 ps
    assert conduction(sigma, 1.0, 3.0, brownian, 1e5, 1).shown
    assert conduction(sigma, 1.0, 3.0, brownian, 1e5, 1).growth == pytest.approx(1.0, rel=1e-6)
    bounded = conduction(sigma, 1.0, 3.0, 0.1 * brownian, 1e5, 1)
    assert bounded.bounded
    assert not bounded.shown
    falling = conduction(sigma, 0.05, 3.0, brownian, 1e5, 1)
    assert "falls towards" in falling.reason
    small = conduction(np.full(3, 10.0), 1.0, 3.0, 0.1 * brownian, 1e5, 1)
    assert not small.shown
    assert not small.bounded
    assert "266 ps" in small.reason or "2.7e+02 ps" in small.reason  # 300 ε₀/σ
    slow = conduction(sigma, 1.0, 3.0, brownian, 1e5, 1).unless(Relaxation(3.0, 9e3))
    assert not slow.shown
    assert not slow.bounded
    assert "relaxes in about 9 ps" in slow.reason
    # one axis of three that conducts scatters more than three
    one = np.array([300.0, 0.0, 0.0])
    assert conduction(one, 1.0, 3.0, 0.15 * brownian, 1e6, 1).growth == pytest.approx(0.015, rel=1e-6)
    assert conduction(one, 1.0, 3.0, 0.3 * 3 * brownian, 3e5, 1).shown


def test_a_stored_polarization_is_taken_for_the_dipole() -> None:
    # sampled velocities of Langevin atoms integrate to a drift; P(t) of the same motion has none
    frames, volume = 10000, 150.0
    differences, drifting = [], []
    for seed in range(6):
        path, v = langevin_oscillator(frames, STEP, 400.0, 40.0, 16.0, seed)
        exact = SUSCEPTIBILITY / volume / TEMPERATURE * 4.0 * kt_amu() / 16.0 / omega_fs(400.0) ** 2
        with_p = bare(2.0 * v, STEP, volume, polarization=2.0 * path + np.array([5.0, -3.0, 90.0]))
        without = bare(2.0 * v, STEP, volume)
        options = {"temperature_k": TEMPERATURE, "resolution_cm": 20.0, "max_cm": 800.0}
        value, error = static(compute_spectrum(with_p, **options))
        assert abs(value - exact) < 4.0 * error
        assert error < 0.1 * exact
        differences.append(value / exact - 1.0)
        walking = compute_spectrum(without, **options)
        drifting.append(static(walking)[0] / exact - 1.0)
        assert walking.parameters["static_source"] == "kramers_kronig"
        assert "between the samples" in walking.quality["static"].meaning
        value, error = static(walking, "kramers_kronig")
        assert abs(value - exact) < 4.0 * error + 0.02 * exact
    assert abs(np.mean(differences)) < 0.05
    assert abs(np.mean(drifting)) < 0.15  # what the walk adds, 30 %, is taken off


@pytest.mark.parametrize(("damping_cm", "step"), [(20.0, 4.0), (50.0, 4.0), (50.0, 8.0)])
def test_what_is_folded_onto_zero_is_known_and_is_no_conductivity(damping_cm: float, step: float) -> None:
    """S(0) of sampled Langevin velocities is γ⟨J²⟩Δ²/6; ions that diffuse beside them still conduct."""
    frames = 50000
    _, v = langevin_oscillator(frames, step, 300.0, damping_cm, 16.0, 3)
    exact = omega_fs(damping_cm) * float((v**2).mean()) * step**2 / 6.0
    series = bare(v, step, VOLUME)
    bins = periodogram(open_blocks((series,), "none"))
    assert np.trace(folded(bins)) / 3.0 == pytest.approx(exact, rel=0.1)
    assert bins.power[:, 1:30].mean() == pytest.approx(exact, rel=0.35)  # 87 ordinates: 11 %
    options = {"temperature_k": TEMPERATURE, "resolution_cm": 40.0, "max_cm": 800.0}
    alone = compute_spectrum(series, **options)
    assert alone.parameters["dipole"] == "walks"
    assert alone.sigma_dc is None
    if step == STEP:
        moving = compute_spectrum(bare(v + ions(7, frames), step, VOLUME), **options)
        assert moving.parameters["dipole"] == "conducts"


def test_what_leaks_from_the_bands_of_short_runs_is_no_tail() -> None:
    """Undamped oscillators, 4 ps at steps of 8 fs: the wings of their lines fall as 1/ω² without a taper."""
    time, frequencies = 8.0 * np.arange(500), omega_fs(np.linspace(500.0, 800.0, 12))
    phases = 2.0 * np.pi * np.random.default_rng(4).random((12, 1, 3))
    current = np.cos(frequencies[:, None, None] * time[:, None] + phases).sum(axis=0)
    bins = periodogram(open_blocks((bare(current, 8.0, VOLUME),), "none"))
    leaked = bins.power[:, int(0.95 * bins.power.shape[1]) :].mean(axis=1)
    assert (np.diag(bins.tail[-1]) < 1e-4 * leaked).all()


@pytest.mark.parametrize(
    ("tail", "walks"),
    [
        ((2.0, 1.17, 1.06, 1.0), True),  # ∝ 1/ω²
        ((7.8, 1.34, 1.08, 1.0), True),  # with bands at a third of the Nyquist frequency: quartz, 4 fs
        ((1.0, 1.0, 1.0, 1.0), False),  # an overdamped dipole
        ((48.0, 1.99, 1.90, 1.0), False),  # bands and overtones of SrTiO3, 16 fs, at constant energy
    ],
)
def test_the_shape_of_the_tail_tells_random_forces(tail: tuple[float, ...], walks: bool) -> None:
    _, v = langevin_oscillator(20000, STEP, 300.0, 50.0, 16.0, 3)
    bins = periodogram(open_blocks((bare(v, STEP, VOLUME),), "none"))
    shaped = replace(bins, tail=bins.tail[-1:] * np.array(tail)[:, None, None])
    expected = folded(bins) * 8e4 / 6.0 if walks else np.zeros((3, 3))
    np.testing.assert_allclose(folding_walk(shaped, 8e4), expected, atol=1e-12)


def test_an_axis_that_walks_by_folding_is_seen_beside_a_stronger_one() -> None:
    """A soft band along x has nearly all of ⟨δM²⟩; that along z would be 40 % too large."""
    bands = ((100.0, 10.0), (250.0, 20.0), (500.0, 20.0))
    columns = [
        np.sqrt(square) * langevin_oscillator(10000, 4.0, nu, 20.0, 1.0, 5 + axis, (1,))[1]
        for axis, (nu, square) in enumerate(bands)
    ]
    options = {"temperature_k": TEMPERATURE, "resolution_cm": 10.0, "max_cm": 900.0}
    found = compute_spectrum(bare(np.hstack(columns), 4.0, VOLUME), **options)
    assert found.parameters["static_source"] == "kramers_kronig"


@pytest.mark.parametrize(
    ("lengths", "nu_cm", "damping_cm"),
    [((4000,) * 8, 300.0, 30.0), ((6000, 4000, 1500) * 3, 300.0, 20.0), ((2500,) * 6, 150.0, 100.0)],
)
def test_a_walk_by_folding_is_found_beside_bands(
    lengths: tuple[int, ...], nu_cm: float, damping_cm: float
) -> None:
    """The ends of runs leak thrice what is folded onto zero, an eighth of ⟨δM²⟩; short ones see flanks."""
    runs = [langevin_oscillator(n, 4.0, nu_cm, damping_cm, 16.0, seed) for seed, n in enumerate(lengths)]
    exact = np.average([x.var(axis=0).mean() for x, _ in runs], weights=lengths)
    series = [bare(v, 4.0, VOLUME) for _, v in runs]
    found = compute_spectrum(series, temperature_k=TEMPERATURE, resolution_cm=20.0, max_cm=700.0)
    assert found.parameters["dipole"] == "bounded"
    assert static(found)[0] / exact * VOLUME * TEMPERATURE / SUSCEPTIBILITY == pytest.approx(1.0, abs=0.05)


def test_axes_that_share_their_noise_have_a_mean_as_noisy_as_they_are() -> None:
    """One band along 111, as in a rhombohedral crystal: six elements and their mean are one number."""
    _, v = langevin_oscillator(4000, 4.0, 200.0, 20.0, 16.0, 3, (1,))
    options = {"temperature_k": TEMPERATURE, "resolution_cm": 20.0, "dc": False}
    found = compute_spectrum(bare(np.repeat(v, 3, axis=1), 4.0, VOLUME), **options)
    for route in ("fluctuation", "kramers_kronig"):
        errors = found.static[f"{route}_err"]
        np.testing.assert_allclose(errors, errors[0, 0], rtol=1e-5)
        assert found.static_average_err(route) == pytest.approx(errors[0, 0], rel=1e-5)


def test_the_walk_of_rounded_velocities_is_taken_off() -> None:
    """Two atoms of one mass with opposite charges, velocities in steps of a thirtieth of theirs."""
    frames, mass, grid = 20_000, 16.0, 1.2e-4
    values: dict[str, list[float]] = {"exact": [], "unknown": [], "known": [], "coarse": []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        times, tones = 8.0 * np.arange(frames), omega_fs(rng.uniform(350.0, 450.0, (8, 2, 3)))
        turns = times[:, None, None, None] * tones + rng.uniform(0.0, 2.0 * np.pi, tones.shape)
        velocities = (kt_amu() / mass / 4.0) ** 0.5 * np.cos(turns).sum(axis=1)
        for name, step in (("exact", 0.0), ("unknown", grid), ("known", grid), ("coarse", 4.0 * grid)):
            seen = np.rint(velocities / step) * step if step else velocities
            series = atoms_series(
                seen,
                np.array([1.5, -1.5])[:, None, None] * np.eye(3),
                np.full(2, mass),
                ["A", "B"],
                8.0,
                metadata={"velocity_rounding_ang_fs": step if name in ("known", "coarse") else None},
            )
            found = compute_spectrum(
                series, temperature_k=300.0, resolution_cm=40.0, dc=False, sum_rule="none", max_cm=1000.0
            )
            values[name].append(static(found)[0])
            assert (found.parameters["static_source"] == "kramers_kronig") == (name == "coarse")
    exact, unknown, known = (np.mean(values[name]) for name in ("exact", "unknown", "known"))
    assert unknown > 1.05 * exact
    assert known == pytest.approx(
        exact, rel=0.04
    )  # a walk is known to 80 %, that of four and three axes to 23 %


def test_the_walk_of_rounding_goes_by_the_charges_of_each_species() -> None:
    frames, grid, charges = 2000, 4e-4, np.array([2.0, 2.0, -4.0])
    series = atoms_series(
        np.random.default_rng(5).normal(scale=5e-3, size=(frames, 3, 3)),
        charges[:, None, None] * np.eye(3),
        np.array([1.0, 1.0, 31.0]),
        ["H", "H", "X"],
        8.0,
        metadata={"velocity_rounding_ang_fs": grid},
    )
    found = rounding_walk(open_blocks((series,), "none"))
    by_hand = frames * 8.0 / 6.0 * grid**2 / 12.0 * 8.0 * np.sum(charges**2)
    np.testing.assert_allclose(found, by_hand * np.eye(3), rtol=1e-9, atol=1e-12)


def test_rounded_velocities_are_noticed() -> None:
    rng = np.random.default_rng(3)
    numbers, cell = np.array([8] * 40), 9.0 * np.eye(3)

    def frames(grid: float) -> list[Frame]:
        drawn = rng.normal(scale=5e-3, size=(8, 40, 3))
        return [
            Frame(
                positions_ang=np.zeros((40, 3)),
                velocities_ang_fs=np.rint(v / grid) * grid,
                cell_ang=cell,
                pbc=np.array([True] * 3),
                numbers=numbers,
            )
            for v in drawn
        ]

    assert velocity_rounding_ang_fs(frames(4e-4)) == pytest.approx(4e-4, rel=1e-3)
    assert velocity_rounding_ang_fs(frames(1e-6)) is None
    assert velocity_rounding_ang_fs([replace(one, velocities_ang_fs=None) for one in frames(4e-4)]) is None
