"""Control variates: less variance, the same mean, honest errors, nothing where nothing is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bec_md.current.series import CurrentSeries
from bec_md.errors import DataError
from bec_md.spectrum import Spectrum, compute_spectrum, load_spectrum, symmetrized, write_hdf5
from bec_md.spectrum.analysis.point_group import named_group
from bec_md.spectrum.output import columns
from tests.spectrum.exact import TEMPERATURE_K, atoms_series, langevin_oscillator, lorentz_chi, neutral_system

MASS, VOLUME = 10.0, 300.0
OPTIONS = {"temperature_k": TEMPERATURE_K, "resolution_cm": 40.0, "max_cm": 1000.0, "eps_inf": 2.0}


def charge_on_a_spring(seed: int, gamma_cm: float = 60.0, picoseconds: float = 20.0) -> CurrentSeries:
    """Three equal axes at 500 cm⁻¹, with P(t) and ΣZZᵀ/m."""
    x, v = langevin_oscillator(round(picoseconds * 500), 2.0, 500.0, gamma_cm, MASS, seed)
    return CurrentSeries(
        v[:, None, :], ("total",), 2.0, VOLUME,
        zz_over_mass=(np.eye(3) / MASS)[None, None], polarization=x,
    )  # fmt: skip


def both(series: CurrentSeries, **options: object) -> tuple[Spectrum, Spectrum]:
    """Plain and reduced spectrum."""
    chosen = {**OPTIONS, **options}
    return (
        compute_spectrum(series, **chosen),  # type: ignore[arg-type]
        compute_spectrum(series, control_variates="f-sum", **chosen),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Spectrum, Spectrum]]:
    return [both(charge_on_a_spring(100 + seed)) for seed in range(60)]


def test_static_permittivity_of_runs_of_unequal_length() -> None:
    """What the stretches of equal length leave out of the longer run is in its ⟨δM²⟩ and in its ⟨J²⟩."""
    exact = 2.0 + float(lorentz_chi(np.zeros(1), 500.0, 60.0, 1.0 / MASS, VOLUME)[0].real)
    deviations = []
    for seed in range(6):
        series = [charge_on_a_spring(10 * seed + k, picoseconds=t) for k, t in enumerate((10.0, 6.5))]
        found = compute_spectrum(series, control_variates="f-sum", **OPTIONS)
        value = np.trace(found.static["fluctuation"]) / 3.0
        deviations.append((value - exact) / found.static_average_err("fluctuation"))
    assert np.sqrt(np.mean(np.square(deviations))) < 2.0


def test_heights_keep_their_mean_and_lose_their_variance(pairs: list[tuple[Spectrum, Spectrum]]) -> None:
    at = int(np.argmin(np.abs(pairs[0][0].wavenumber_cm - 500.0)))
    plain, less = np.array([[s.n_alpha[at] for s in pair] for pair in pairs]).T
    # a band 60 cm⁻¹ wide behind a window of 40: the area is most of what its height knows
    assert plain.var(ddof=1) / less.var(ddof=1) > 3.0
    # 60 runs: their difference has the scatter of the plain estimate, 3 standard errors of its mean
    assert abs(plain.mean() - less.mean()) < 3.0 * plain.std(ddof=1) / 60**0.5


def test_errors_are_those_of_the_scatter(pairs: list[tuple[Spectrum, Spectrum]]) -> None:
    nu = pairs[0][0].wavenumber_cm
    points = np.flatnonzero((nu > 380.0) & (nu < 620.0))[:: round(60.0 / (nu[1] - nu[0]))]
    for name in ("n_alpha", "eps_real"):
        values = np.array([less.get(name)[points] for _, less in pairs])
        errors = np.array([less.error(name)[points] for _, less in pairs])
        # 60 runs at 5 points fix a scatter within 5 %; short runs know their own error within 15 %
        assert np.sqrt((errors**2).mean() / values.var(axis=0, ddof=1).mean()) == pytest.approx(1.0, abs=0.2)
        inside = np.mean(np.abs(values - values.mean(axis=0)) < errors)
        assert inside == pytest.approx(0.68, abs=0.08)


def test_static_permittivity(pairs: list[tuple[Spectrum, Spectrum]]) -> None:
    exact = 2.0 + float(lorentz_chi(np.zeros(1), 500.0, 60.0, 1.0 / MASS, VOLUME)[0].real)
    for route in ("fluctuation", "kramers_kronig"):
        plain, less = (np.array([np.trace(p[k].static[route]) / 3 for p in pairs]) for k in (0, 1))
        error = np.array([np.sqrt(np.sum(np.diag(p[1].static[f"{route}_err"]) ** 2)) / 3 for p in pairs])
        assert plain.var() / less.var() > 8.0
        assert abs(less.mean() - exact) < 4.0 * less.std() / 60**0.5 + 1e-4
        assert np.mean(error) == pytest.approx(less.std(ddof=1), rel=0.35)


def test_axes_of_a_cube_and_directions(pairs: list[tuple[Spectrum, Spectrum]]) -> None:
    less = pairs[0][1]
    cube = symmetrized(less, named_group("m-3m"))
    at = int(np.argmax(less.n_alpha))
    # three independent equal axes: the error of each averaged one is that of tr/3
    assert cube.sigma_real_err[at, 0, 0] == pytest.approx(less.iso_real_err[at], rel=0.1)
    assert cube.sigma_imag_err[at, 2, 2] == pytest.approx(less.iso_imag_err[at], rel=0.25)
    assert less.along([1.0, 1.0, 0.0]).error("n_alpha")[at] > 0.0


def test_groups_still_sum_and_the_plain_estimate_is_kept(tmp_path: Path) -> None:
    series = neutral_system(20000, seed=4)
    plain, less = both(series, sum_rule="mass", resolution_cm=20.0, max_cm=2000.0)
    np.testing.assert_allclose(sum(less.partial_n_alpha.values()), less.n_alpha, rtol=1e-10)
    assert less.plain_n_alpha is not None
    np.testing.assert_allclose(less.plain_n_alpha.mean(axis=1), plain.n_alpha, rtol=1e-12)
    assert less.parameters["f_sum_ratio"] == plain.parameters["f_sum_ratio"]  # those of the run itself
    assert np.all(np.linalg.eigvalsh(less.sigma.real) > -1e-12 * less.sigma.real.max())
    assert less.parameters["control_variates_plain"]["fluctuation"] == pytest.approx(
        np.diag(plain.static["fluctuation"]).tolist()
    )
    write_hdf5(less, tmp_path / "s.h5")
    again = load_spectrum(tmp_path / "s.h5")
    np.testing.assert_array_equal(again.plain_n_alpha, less.plain_n_alpha)
    np.testing.assert_array_equal(again.error("n_alpha", along="x"), less.error("n_alpha", along="x"))
    assert "n_alpha_plain_cm" in columns(less)
    assert "n_alpha_plain_cm" not in columns(plain)


def test_nothing_is_done_where_nothing_is_known() -> None:
    series = charge_on_a_spring(1)
    plain, bare = both(replace(series, zz_over_mass=None))
    np.testing.assert_array_equal(bare.sigma, plain.sigma)
    assert "bare J(t)" in bare.quality["control_variates"].advice
    # the temperature is wrong: what is off is no noise, and must not be hidden
    hot = both(series, temperature_k=450.0)[1]
    assert hot.plain_n_alpha is None
    assert "f-sum" in hot.quality["control_variates"].advice
    # 5 ps of a line 4 cm⁻¹ wide: not two exchanges of energy
    short = both(charge_on_a_spring(3, 4.0, 5.0))[1]
    assert short.plain_n_alpha is None
    assert "independent samples" in short.quality["control_variates"].advice


def test_replicas_and_differences_of_positions() -> None:
    replicas = [charge_on_a_spring(seed) for seed in (11, 12, 13)]
    less = compute_spectrum(replicas, control_variates="f-sum", **OPTIONS)  # type: ignore[arg-type]
    assert less.quality["control_variates"].status == "ok"
    # midpoint differences damp J: the known mean square is that of the spectrum with the damping undone
    whole = charge_on_a_spring(21)
    dipole = np.asarray(whole.polarization)
    moved = CurrentSeries(
        (np.diff(dipole, axis=0) / 2.0)[:, None, :], ("total",), 2.0, VOLUME, scheme="midpoint",
        zz_over_mass=whole.zz_over_mass,
    )  # fmt: skip
    exact, difference = both(whole)[1], both(moved)[1]
    at = int(np.argmax(exact.n_alpha))
    assert difference.n_alpha[at] == pytest.approx(exact.n_alpha[at], rel=0.02)
    # the Verlet shift moves the band, and what is known of it
    shifted = both(whole, md_timestep_fs=2.0)[1]
    assert shifted.n_alpha.max() == pytest.approx(exact.n_alpha.max(), rel=0.03)


def test_a_long_anharmonic_run_does_not_move() -> None:
    """The exponent only weighs an excess that vanishes: both estimates of a long run agree."""
    from tests.spectrum.anharmonic import double_well

    series = double_well(picoseconds=400.0, seed=5)
    plain, less = both(series, temperature_k=TEMPERATURE_K)
    assert less.plain_n_alpha is not None
    band = plain.n_alpha > 0.1 * plain.n_alpha.max()
    change = np.abs(less.n_alpha - plain.n_alpha)[band] / plain.n_alpha_err[band]
    assert change.max() < 1.5


def rock_salt(seed: int, gamma_cm: float = 8.0) -> CurrentSeries:
    """One threefold polar mode at 400 cm⁻¹: a dozen exchanges of its energy in 20 ps."""
    from bec_md.validate.crystal import cubic_crystal, series_of_atoms

    crystal = cubic_crystal(gamma_cm)
    moved, velocities = crystal.run(10000, 2.0, np.random.default_rng(seed))
    series = series_of_atoms(
        velocities, crystal.charges, crystal.masses_amu, crystal.symbols, 2.0, crystal.volume_ang3
    )
    return replace(series, polarization=np.einsum("iab,tib->ta", crystal.charges, moved))


def test_a_mode_that_keeps_its_energy_for_the_run() -> None:
    from bec_md.validate.crystal import cubic_crystal

    options = {**OPTIONS, "resolution_cm": 12.0, "dc": False}
    runs = [rock_salt(seed) for seed in range(24)]
    plain, less = (
        [compute_spectrum(s, control_variates=k, **options) for s in runs]  # type: ignore[arg-type]
        for k in ("none", "modes")
    )
    exact = cubic_crystal().eps(np.zeros(1))[0, 0, 0].real - 1.0  # ε_∞ is 3, here 2
    before, after = (np.array([np.diag(s.static["fluctuation"]) for s in found]) for found in (plain, less))
    # Δε is the energy of the mode over ω², and that energy is known
    assert before.var() / after.var() > 15.0
    # 72 numbers; what is left of their scatter is 3 %: the mean is known within 0.5 %
    assert after.mean() == pytest.approx(exact, rel=0.015)
    at = int(np.argmin(np.abs(plain[0].wavenumber_cm - 400.0)))
    high = [np.array([s.n_alpha_tensor[at].diagonal() for s in found]) for found in (plain, less)]
    assert high[0].var() / high[1].var() > 4.0
    # the wings have nothing to do with that energy, and stay as they are
    wing = int(np.argmin(np.abs(plain[0].wavenumber_cm - 300.0)))
    both_wings = [np.mean([s.n_alpha[wing] for s in found]) for found in (plain, less)]
    assert both_wings[1] == pytest.approx(both_wings[0], rel=0.15)


def test_errors_of_what_the_energies_of_modes_leave_of_the_static_permittivity() -> None:
    """21 modes whose bands overlap, and one that is known alone: stated against found."""
    from bec_md.validate.crystal import random_crystal, series_of_atoms

    crystal = random_crystal()
    names = tuple(f"{symbol}{i}" for i, symbol in enumerate(crystal.symbols))
    runs = []
    for seed in range(16):
        moved, velocities = crystal.run(5000, 2.0, np.random.default_rng(seed))
        series = series_of_atoms(
            velocities, crystal.charges, crystal.masses_amu, names, 2.0, crystal.volume_ang3
        )
        runs.append(replace(series, polarization=np.einsum("iab,tib->ta", crystal.charges, moved)))
    options = {**OPTIONS, "resolution_cm": 30.0, "dc": False}
    for group in (runs, [rock_salt(seed, 12.0) for seed in range(16)]):
        found = [compute_spectrum(s, control_variates="modes", **options).static for s in group]  # type: ignore[arg-type]
        values, errors = (
            np.array([np.diag(s[name]) for s in found]) for name in ("fluctuation", "fluctuation_err")
        )
        # 16 runs along three axes know the scatter to 10 %
        stated = np.sqrt((errors**2).mean(axis=0) / values.var(axis=0, ddof=1)).mean()
        assert stated == pytest.approx(1.0, abs=0.25)


def test_errors_of_the_static_permittivity_of_several_runs() -> None:
    """The energy of a mode is known of all runs together: two of them know ε(0) √2 times better than one."""
    runs = [rock_salt(seed, 12.0) for seed in range(6)]
    options = {**OPTIONS, "resolution_cm": 30.0, "dc": False}
    one, two = (
        np.mean(
            [
                np.diag(
                    compute_spectrum(group, control_variates="modes", **options).static["fluctuation_err"]
                )
                ** 2  # type: ignore[arg-type]
                for group in groups
            ]
        )
        for groups in (runs, [runs[:2], runs[2:4], runs[4:]])
    )
    assert one / two == pytest.approx(2.0, rel=0.3)  # 18 errors, each within some 10 %


def test_static_permittivity_knows_nothing_of_the_noise_between_samples() -> None:
    """Sampled every 4 fs the integral of velocities walks where a thermostat kicks them; P(t) does not."""
    from bec_md.validate.crystal import cubic_crystal, series_of_atoms

    crystal, found = cubic_crystal(), []
    exact = crystal.eps(np.zeros(1))[0, 0, 0].real - 1.0  # ε_∞ is 3, here 2
    for seed in range(4):
        moved, velocities = crystal.run(32768, 4.0, np.random.default_rng(seed))
        series = series_of_atoms(
            velocities, crystal.charges, crystal.masses_amu, crystal.symbols, 4.0, crystal.volume_ang3
        )
        series = replace(series, polarization=np.einsum("iab,tib->ta", crystal.charges, moved))
        options = {**OPTIONS, "resolution_cm": 12.0, "dc": False}
        found.append(
            np.diag(compute_spectrum(series, control_variates="modes", **options).static["fluctuation"])
        )  # type: ignore[arg-type]
    # one run knows it to 0.25 %, twelve numbers to 0.07 %
    assert np.mean(found) == pytest.approx(exact, rel=0.002)


def test_modes_that_are_close_or_degenerate_are_found_in_a_run() -> None:
    from bec_md.spectrum.estimators.blocks import open_blocks
    from bec_md.spectrum.estimators.mode_basis import mode_basis, motion_of
    from bec_md.validate.crystal import random_crystal, series_of_atoms
    from tests.spectrum.exact import kt_amu

    crystal = random_crystal(gamma_cm=8.0)
    velocities = crystal.run(10000, 2.0, np.random.default_rng(1))[1]
    names = tuple(f"{symbol}{i}" for i, symbol in enumerate(crystal.symbols))
    series = series_of_atoms(velocities, crystal.charges, crystal.masses_amu, names, 2.0, crystal.volume_ang3)
    basis = mode_basis(motion_of(open_blocks((series,), "mass")), kt_amu(), lag=8)
    assert sum(basis.sizes) == 21
    exact = crystal.modes()[1]
    overlap = np.array([((own.T @ exact) ** 2).sum(axis=0) for own in basis.vectors]).max(axis=0)
    assert overlap.min() > 0.9  # each lies within one cluster
    # energies are k_B T up to what 20 ps of lines 8 cm⁻¹ wide know: ±25 % of one
    assert np.average(basis.energies, weights=basis.sizes) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(("kind", "modes"), [("auto", True), ("modes", True), ("f-sum", False)])
def test_sublattices_give_modes_where_axes_are_not_asked_for(kind: str, modes: bool) -> None:
    series = replace(rock_salt(0), metadata={"sublattices": True})
    found = compute_spectrum(series, control_variates=kind, **{**OPTIONS, "resolution_cm": 12.0})  # type: ignore[arg-type]
    assert (found.parameters["control_variates_modes"] is not None) == modes
    assert found.parameters["control_variates_axes"] == ["x", "y", "z"]


def test_modes_need_groups_with_momenta() -> None:
    series = charge_on_a_spring(2)
    with pytest.raises(DataError, match="sublattices"):
        compute_spectrum(series, control_variates="modes", **OPTIONS)  # type: ignore[arg-type]


def test_a_run_of_few_periods_has_no_modes() -> None:
    series = replace(rock_salt(1), metadata={"sublattices": True})
    found = compute_spectrum(series[:90], temperature_k=TEMPERATURE_K, dc=False)
    check = found.quality["control_variates"]
    assert check.status == "unknown"
    assert "fewer than 3 of its periods" in check.advice
    assert found.plain_n_alpha is None


def test_errors_with_replicas_of_any_length_are_there() -> None:
    """A stretch shorter than twice the lag window, a replica of 16 frames, tensors that differ."""
    long = rock_salt(2)
    one = compute_spectrum(long[:6000], control_variates="none", **{**OPTIONS, "dc": False})
    for other in (rock_salt(3)[:16], rock_salt(3)[:800], rock_salt(3)[:2000]):
        for kind in ("none", "f-sum", "modes"):
            found = compute_spectrum([long[:6000], other], control_variates=kind, **{**OPTIONS, "dc": False})  # type: ignore[arg-type]
            for part in (found.sigma_real_err, found.sigma_imag_err):
                assert (part[:-1, range(3), range(3)] > 0.0).all()
            if kind == "none":
                error, whole = (np.diag(s.static["fluctuation_err"]) for s in (found, one))
                assert (error > 0.4 * whole).all()


def test_the_order_of_replicas_with_other_tensors_does_not_matter() -> None:
    first, second = rock_salt(4), rock_salt(5)
    weaker = replace(
        second,
        current=0.75 * np.asarray(second.current),
        charge_sum=0.75 * np.asarray(second.charge_sum),
        zz_over_mass=0.75**2 * np.asarray(second.zz_over_mass),
        polarization=0.75 * np.asarray(second.polarization),
    )
    options = {**OPTIONS, "dc": False}
    one, other = (
        compute_spectrum(runs, control_variates="modes", **options)  # type: ignore[arg-type]
        for runs in ([first, weaker], [weaker, first])
    )
    np.testing.assert_allclose(one.n_alpha, other.n_alpha, rtol=1e-6, atol=1e-9 * one.n_alpha.max())


@pytest.mark.parametrize("choice", [{"resolution_cm": 5.0}, {"resolution_cm": 300.0}, {"estimator": "welch"}])
def test_the_static_permittivity_does_not_know_the_estimator(choice: dict[str, object]) -> None:
    plain, less = both(charge_on_a_spring(7), **choice)
    again = both(charge_on_a_spring(7))[1]
    assert less.plain_n_alpha is not None
    change = np.diag(less.static["fluctuation"]) - np.diag(again.static["fluctuation"])
    assert (np.abs(change) < 1.0 * np.diag(again.static["fluctuation_err"])).all()
    assert not np.allclose(
        np.diag(plain.static["fluctuation"]), np.diag(less.static["fluctuation"]), rtol=1e-4
    )


def test_a_band_along_110_shares_its_noise_and_an_axis_without_charges_obeys_the_f_sum_rule() -> None:
    """Elements xx, yy and xy are one number: along 110 it is twice that of xx, and so is its error."""
    masses, along = np.array([20.0, 16.0]), np.array([1.0, 1.0, 0.0]) / 2**0.5
    velocities = np.stack(
        [langevin_oscillator(12000, 4.0, 200.0 + 80.0 * i, 25.0, m, i)[1] for i, m in enumerate(masses)],
        axis=1,
    )
    tensors = np.array([2.0, -2.0])[:, None, None] * np.outer(along, along)
    series = atoms_series(velocities, tensors, masses, ["Na", "O"], 4.0, volume_ang3=150.0)
    options = {"temperature_k": 300.0, "resolution_cm": 20.0, "max_cm": 500.0, "sum_rule": "none"}
    found = compute_spectrum(series, control_variates="f-sum", **options)
    assert found.plain_n_alpha is not None
    assert found.parameters["f_sum_ratio"][2] == 1.0
    assert found.quality["f_sum"].status == "ok"
    assert found.quality["control_variates"].value[2] == 1.0
    band = (found.wavenumber_cm > 150.0) & (found.wavenumber_cm < 330.0)
    relative = [(found.error("n_alpha", d) / found.get("n_alpha", d))[band] for d in ("x", "1,1,0")]
    np.testing.assert_allclose(relative[1], relative[0], rtol=0.3)  # that of xy is not reduced
