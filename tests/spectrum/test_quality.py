"""Every self-check stays quiet on good data and speaks up on the mistake it is there for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bec_md.current import CurrentSeries
from bec_md.errors import QualityError, UsageError
from bec_md.spectrum.analysis.plan import plan_run
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.errors.quality import QualityReport
from bec_md.spectrum.errors.quality_checks import check_temperature_spread
from bec_md.spectrum.errors.temperature_spread import temperature_spread
from bec_md.units import SPEED_OF_LIGHT_CM_FS
from tests.spectrum.exact import atoms_series, bare, kt_amu, langevin_oscillator, neutral_system

OPTIONS = {"temperature_k": 300.0, "resolution_cm": 40.0, "max_cm": 3000.0}


@pytest.fixture(scope="module")
def good():
    return neutral_system(n=40000, n_atoms=9, seed=4)


def test_good_data_pass(good) -> None:
    s = compute_spectrum(good, **OPTIONS, eps_inf=2.0)
    report = s.quality
    # the atoms have ΣZ ≠ 0 by construction, and the report says so
    assert [c.name for c in report.violations] == ["sum_rule"]
    for name in ("f_sum", "f_sum_groups", "static", "temperature", "stationarity", "nyquist", "positivity"):
        assert report[name].status == "ok", report[name]
    QualityReport(tuple(c for c in report if c.status == "ok")).raise_on_violation()
    assert QualityReport.from_list(report.to_list()) == report
    assert "f_sum" in report
    assert "nothing" not in report
    with pytest.raises(KeyError):
        report["nothing"]


def test_f_sum_is_one_within_its_error_with_full_tensors(good) -> None:
    ratio = np.array(compute_spectrum(good, **OPTIONS).parameters["f_sum_ratio"])
    # 40 ps, 9 oscillators of 60 cm⁻¹ per axis: 5 % per axis
    np.testing.assert_allclose(ratio, 1.0, atol=0.15)


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"temperature_k": 600.0}, 0.5),
        ({"temperature_k": 150.0}, 2.0),
    ],
)
def test_f_sum_catches_a_wrong_temperature(good, change, factor: float) -> None:
    right = np.array(compute_spectrum(good, **OPTIONS).parameters["f_sum_ratio"])
    s = compute_spectrum(good, **{**OPTIONS, **change})
    np.testing.assert_allclose(np.array(s.parameters["f_sum_ratio"]) / right, factor, rtol=1e-9)
    assert s.quality["f_sum"].status == "fail"
    assert s.quality["temperature"].status == "fail"
    with pytest.raises(QualityError, match="f_sum"):
        s.quality.raise_on_violation()


def test_f_sum_catches_wrong_velocity_units_and_masses(good) -> None:
    # velocities in Å/ps read as Å/fs
    fast = replace(good, current=good.current * 1.2, momentum=good.momentum * 1.2)
    assert compute_spectrum(fast, **OPTIONS).quality["f_sum"].status in ("warn", "fail")
    heavy = replace(good, zz_over_mass=good.zz_over_mass * 2.0)
    assert compute_spectrum(heavy, **OPTIONS).quality["f_sum"].status == "fail"


def test_f_sum_catches_a_wrong_time_step_of_differences() -> None:
    x, _ = langevin_oscillator(20000, 2.0, 400.0, 60.0, 10.0, 1)
    zz = np.eye(3)[None, None] / 10.0
    right = bare(np.diff(x, axis=0) / 2.0, 2.0, scheme="midpoint", zz_over_mass=zz)
    wrong = bare(np.diff(x, axis=0) / 1.0, 1.0, scheme="midpoint", zz_over_mass=zz)
    ok = compute_spectrum(right, **OPTIONS)
    assert ok.quality["f_sum"].status == "ok"
    assert np.mean(ok.parameters["f_sum_ratio"]) == pytest.approx(1.0, abs=0.1)
    bad = compute_spectrum(wrong, **OPTIONS)
    assert np.mean(bad.parameters["f_sum_ratio"]) == pytest.approx(4.0, rel=0.15)
    assert bad.quality["f_sum"].status == "fail"


def test_one_hot_species_is_found(good) -> None:
    rng = np.random.default_rng(0)
    masses = np.array([28.085] * 10 + [15.999] * 20)
    species = ["Si"] * 10 + ["O"] * 20
    speed = np.sqrt(kt_amu() / masses) * np.where(masses > 20, 1.4, 1.0)
    velocities = rng.normal(size=(3000, 30, 3)) * speed[:, None]
    charges = np.eye(3) * np.where(masses > 20, 4.0, -2.0)[:, None, None]
    s = compute_spectrum(
        atoms_series(velocities, charges, masses, species, 1.0), **{**OPTIONS, "resolution_cm": 300}
    )
    assert s.quality["temperature"].status != "ok"
    assert s.quality["f_sum_groups"].status != "ok"
    assert "Si" in s.quality["f_sum_groups"].meaning


def test_sum_rule_net_charge_and_drift() -> None:
    rng = np.random.default_rng(0)
    masses = np.full(4, 10.0)
    velocities = rng.normal(size=(2000, 4, 3)) * np.sqrt(kt_amu() / 10.0)
    charges = np.eye(3) * np.array([1.0, 1.0, -1.0, 0.0])[:, None, None]
    series = atoms_series(velocities, charges, masses, ["A", "A", "B", "B"], 1.0)
    s = compute_spectrum(series, **{**OPTIONS, "resolution_cm": 300.0})
    assert s.quality["sum_rule"].status == "fail"
    assert s.parameters["sum_rule_residual_e"] == pytest.approx(np.sqrt(1 / 3) / 4)
    charged = compute_spectrum(replace(series, total_charge_e=1.0), **{**OPTIONS, "resolution_cm": 300.0})
    assert charged.quality["sum_rule"].status == "ok"
    assert charged.quality["net_charge"].status == "warn"
    drifting = replace(series, momentum=series.momentum + 1.0)
    loose = compute_spectrum(drifting, **{**OPTIONS, "resolution_cm": 300.0, "sum_rule": "none"})
    assert loose.quality["com_drift"].status == "warn"
    assert (
        compute_spectrum(drifting, **{**OPTIONS, "resolution_cm": 300.0}).quality["com_drift"].status == "ok"
    )


def test_heating_run_is_not_stationary() -> None:
    v = np.random.default_rng(0).normal(size=(4000, 3)) * np.linspace(0.5, 1.5, 4000)[:, None]
    s = compute_spectrum(bare(v), **{**OPTIONS, "resolution_cm": 300.0})
    assert s.quality["stationarity"].status == "fail"


def thermal(seed: int, levels: list[float], rows: int = 6000, atoms: int = 32) -> CurrentSeries:
    """Velocities of a run whose temperature goes through some levels, 50 frames each."""
    rng = np.random.default_rng(seed)
    kelvin = np.repeat(rng.choice(levels, rows // 50), 50)
    masses = np.full(atoms, 10.0)
    v = rng.normal(size=(rows, atoms, 3)) * np.sqrt(kt_amu() * kelvin / 300.0 / 10.0)[:, None, None]
    v -= v.mean(axis=1, keepdims=True)
    charges = np.eye(3) * np.where(np.arange(atoms) % 2, 1.0, -1.0)[:, None, None]
    return atoms_series(v, charges, masses, ["A", "B"] * (atoms // 2), 1.0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), atoms=st.sampled_from([8, 32, 100]))
def test_one_temperature_scatters_as_statistics_say(seed: int, atoms: int) -> None:
    found = temperature_spread(thermal(seed, [300.0], atoms=atoms))
    assert found is not None
    # the variance of 6000 independent values has an error of √(2/6000), few degrees of freedom are skewed
    assert found.ratio == pytest.approx(1.0, abs=0.1 + 5 * found.error)
    assert check_temperature_spread([found]).status == "ok"


@pytest.mark.parametrize(
    ("levels", "status"),
    [([300.0, 345.0, 395.0, 450.0], "warn"), ([300.0, 400.0, 530.0, 700.0], "fail"), ([300.0], "ok")],
)
def test_exchanged_temperatures_are_no_single_one(levels: list[float], status: str) -> None:
    s = compute_spectrum(thermal(1, levels), **{**OPTIONS, "resolution_cm": 300.0})
    assert s.quality["temperature_spread"].status == status
    hot = thermal(2, [300.0])
    start = np.ones(6000)
    start[:400] = 2.0  # an equilibration at the beginning is a question of length, not of exchange
    assert hot.kinetic_energy_ev is not None
    hot = replace(hot, kinetic_energy_ev=hot.kinetic_energy_ev * start[:, None], known_averages=None)
    found = temperature_spread(hot)
    assert found is not None
    assert check_temperature_spread([found]).status == "ok"


@pytest.mark.parametrize("width_cm", [0.0, 4.0, 20.0])
@pytest.mark.parametrize("replicas", [1, 6])
def test_beating_lines_are_no_change_of_the_run(width_cm: float, replicas: int) -> None:
    """Harmonic crystals at constant energy: every replica has its own energies in its modes, for ever."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        series = []
        for _ in range(replicas):
            wavenumbers = 400.0 + width_cm * rng.uniform(-0.5, 0.5, (12, 1, 3))
            size = np.sqrt(rng.exponential(1.0, wavenumbers.shape))
            angle = 2 * np.pi * 2.99792458e-5 * 2.0 * wavenumbers * np.arange(5000)[:, None]
            angle = angle + rng.uniform(0, 2 * np.pi, wavenumbers.shape)
            series.append(bare((size * np.cos(angle)).sum(axis=0), 2.0))
        s = compute_spectrum(series, **{**OPTIONS, "resolution_cm": 20.0})
        assert s.quality["stationarity"].status == "ok", s.quality["stationarity"].value


def test_coarse_sampling_is_noticed() -> None:
    _, v = langevin_oscillator(4000, 8.0, 2400.0, 60.0, 10.0, 0)  # Nyquist at 2085 cm⁻¹: folded
    s = compute_spectrum(bare(v, 8.0), **{**OPTIONS, "max_cm": None})
    assert s.quality["nyquist"].status in ("warn", "fail")
    hydrogen = replace(bare(v[:, :1].repeat(3, axis=1), 5.0), groups=("H",))
    assert compute_spectrum(hydrogen, **OPTIONS).quality["nyquist"].status == "warn"


def test_finite_difference_damping_is_reported() -> None:
    x, _ = langevin_oscillator(8000, 4.0, 2500.0, 60.0, 10.0, 0)
    s = compute_spectrum(bare(np.diff(x, axis=0) / 4.0, 4.0, scheme="midpoint"), **OPTIONS)
    check = s.quality["finite_difference"]
    assert check.status == "warn"
    assert check.value == pytest.approx(0.68, abs=0.06)


def test_run_too_short_for_the_resolution() -> None:
    v = np.random.default_rng(0).normal(size=(300, 3))
    s = compute_spectrum(bare(v), **{**OPTIONS, "resolution_cm": 20.0})
    assert s.quality["resolution"].status == "warn"
    assert "shorter" in s.quality["resolution"].meaning


def test_band_share() -> None:
    v = np.random.default_rng(0).normal(size=(3000, 3))
    s = compute_spectrum(bare(v), **{**OPTIONS, "resolution_cm": 300.0, "max_cm": 4169.0})
    assert s.quality["f_sum_band"].value == pytest.approx(0.25, abs=0.02)  # white: a quarter of the band
    assert s.quality["f_sum_band"].status == "warn"


def test_static_by_two_routes_for_an_oscillator() -> None:
    _, v = langevin_oscillator(100000, 0.5, 400.0, 60.0, 10.0, 1)
    # 0.5 fs: the integral of a sampled Langevin velocity wanders with (γ dt)² per step
    s = compute_spectrum(bare(v, 0.5), temperature_k=300.0, resolution_cm=10.0, eps_inf=2.0)
    from tests.spectrum.exact import lorentz_chi

    exact = 2.0 + lorentz_chi(np.zeros(1), 400.0, 60.0, 0.1, 1000.0)[0].real
    for axis in range(3):
        value, err = s.static["fluctuation"][axis, axis], s.static["fluctuation_err"][axis, axis]
        assert value == pytest.approx(exact, abs=4.0 * err)
        assert s.static["kramers_kronig"][axis, axis] == pytest.approx(exact, abs=5.0 * err)
    assert s.quality["static"].status == "ok"


def test_default_resolution_gives_ten_percent() -> None:
    _, v = langevin_oscillator(50000, 2.0, 400.0, 60.0, 10.0, 1)  # 100 ps
    s = compute_spectrum(bare(v, 2.0), temperature_k=300.0)
    assert s.parameters["resolution_cm"] == pytest.approx(7.4, abs=0.2)
    assert s.quality["resolution"].value == pytest.approx(0.1, abs=0.005)


def test_plan_inverts_the_error_formula() -> None:
    plan = plan_run(10.0, 0.05, 3700.0, md_timestep_fs=0.5, replicas=2)
    b = plan.bandwidth_cm * SPEED_OF_LIGHT_CM_FS
    assert (3 * 2 * plan.run_time_ps * 1000 * b) ** -0.5 == pytest.approx(0.05, rel=1e-12)
    assert plan.store_every_fs == 3.5  # ≤ 3.755 fs, a multiple of 0.5 fs
    assert plan.verlet_shift_cm == pytest.approx(18.9, abs=0.3)
    assert plan.n_frames == int(plan.run_time_ps * 1000 / 3.5) + 1
    # many replicas cannot replace the length that the resolution needs
    short = plan_run(1.0, 0.5, 1000.0, replicas=1000)
    assert short.run_time_ps == short.shortest_ps
    assert short.relative_error < 0.5
    with pytest.raises(Exception, match="positive"):
        plan_run(0.0)
    with pytest.raises(UsageError, match="components 9"):  # elements of a tensor
        plan_run(components=9)


@pytest.mark.parametrize("step", [-1.0, 0.0, float("nan"), 3.6])
def test_no_run_is_planned_with_a_step_that_no_integrator_takes(step: float) -> None:
    """3000 cm⁻¹ explodes from 2/ω = 3.54 fs on."""
    with pytest.raises(UsageError, match="integration step"):
        plan_run(10.0, 0.1, 3000.0, md_timestep_fs=step)


def test_plan_keeps_its_promise() -> None:
    plan = plan_run(50.0, 0.1, 1000.0)
    n = round(plan.run_time_ps * 1000 / 4.0)
    v = np.random.default_rng(0).normal(size=(n, 3))
    s = compute_spectrum(bare(v, 4.0), temperature_k=300.0, resolution_cm=50.0)
    assert np.median(s.n_alpha_err / s.n_alpha) == pytest.approx(0.1, rel=0.1)


def test_every_check_and_threshold_is_documented() -> None:
    rng = np.random.default_rng(1)
    v = rng.normal(size=(4000, 3))
    full = replace(
        bare(v, member_current=v[:, None, :] * np.array([1.0, 1.1])[:, None], scheme="midpoint"),
        interpolation_check=np.tile([1e-4, 1e-4, 1.0], (4000, 1)),
        charge_uncertainty_e=np.full(4000, 0.01),
        metadata={"domain_uncertainty_e": 0.02},
    )
    options = {**OPTIONS, "resolution_cm": 300.0}
    checks = {c.name: c for s in (neutral_system(), full) for c in compute_spectrum(s, **options).quality}
    page = Path(__file__).parents[2].joinpath("docs", "quality.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    documented = {row[0].strip("| `"): row[2].removesuffix(" |").replace("\\|", "|") for row in rows}
    assert documented == {name: check.threshold for name, check in checks.items()}
