"""What the run did to the motion: thermostat friction in line widths, rigid bonds in the temperature."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum.analysis.peak import natural_width_cm
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.estimators.blocks import open_blocks
from bec_md.spectrum.estimators.estimate import EstimateOptions, estimate
from bec_md.spectrum.estimators.lag_window import lag_window
from tests.spectrum.exact import atoms_series, bare, kt_amu, langevin_oscillator

PS1_IN_CM = 5.30884  # 1 ps⁻¹/(2πc)


@pytest.mark.parametrize("resolution_cm", [10.0, 20.0])
def test_friction_and_window_come_off_the_width(resolution_cm: float) -> None:
    # a mode of natural width 18 cm⁻¹ in a thermostat of 3 ps⁻¹ = 15.9 cm⁻¹
    friction_per_ps, natural_cm = 3.0, 18.0
    width = natural_cm + friction_per_ps * PS1_IN_CM
    v = langevin_oscillator(100_000, 4.0, 600.0, width, 10.0, 5, (30,))[1]
    # 10 independent modes per axis: add up power by treating them as replicas
    series = [bare(v[:, 3 * i : 3 * i + 3], 4.0) for i in range(10)]
    s = compute_spectrum(
        series, temperature_k=300.0, resolution_cm=resolution_cm, thermostat_friction_per_ps=friction_per_ps
    )
    peak = max(s.peaks, key=lambda p: p.height)
    # width from the half height of a spectrum known to 1–2 %: half of that in the width
    assert peak.natural_width_cm == pytest.approx(natural_cm, abs=2.0)
    assert s.parameters["thermostat_broadening_cm"] == pytest.approx(friction_per_ps * PS1_IN_CM, rel=1e-5)
    assert s.parameters["thermostat_friction_per_ps"] == friction_per_ps


def test_voigt_widths() -> None:
    from scipy.special import voigt_profile

    x = np.linspace(-200, 200, 400_001)
    window = lag_window(10.0, 4.0, 100_000)
    for lorentz in (2.0, 10.0, 30.0):
        profile = voigt_profile(x, 10.0 / 2.3548200450309493, lorentz / 2)
        inside = x[profile > 0.5 * profile.max()]
        assert natural_width_cm(inside[-1] - inside[0], window, 4.0) == pytest.approx(lorentz, abs=0.01)
    assert natural_width_cm(9.0, window, 4.0) == 0.0
    assert natural_width_cm(12.0, window, 4.0, friction_cm=50.0) == 0.0


@pytest.mark.parametrize(
    ("estimator", "window"),
    [("lag", "lorentzian"), ("lag", "bartlett"), ("welch", "gaussian"), ("multitaper", "gaussian")],
)
def test_natural_width_is_without_the_window_that_was_used(estimator: str, window: str) -> None:
    v = langevin_oscillator(100_000, 4.0, 600.0, 8.0, 10.0, 5, (30,))[1]
    series = [bare(v[:, 3 * i : 3 * i + 3], 4.0) for i in range(10)]
    s = compute_spectrum(
        series, temperature_k=300.0, resolution_cm=10.0, estimator=estimator, window=window, max_cm=900.0
    )
    # a Lorentzian window doubles the width, seven tapers add 4 cm⁻¹; heights are known to 1 %
    assert max(s.peaks, key=lambda p: p.height).natural_width_cm == pytest.approx(8.0, abs=1.0)


def test_lines_are_broadened_by_the_lengths_of_all_runs() -> None:
    runs = [np.random.default_rng(n).normal(size=(n, 3)) for n in (4000, 300, 300, 300)]
    blocks = open_blocks(tuple(bare(run, 4.0) for run in runs), "mass")
    power = estimate(blocks, EstimateOptions("lag", 10.0))
    # a correlation of 1 at all lags k: N − k products of each run
    kept = (
        np.array([sum(max(len(run) - k, 0) for run in runs) for k in range(len(power.lag_window))]) / 4900.0
    )
    np.testing.assert_allclose(power.line_window, power.lag_window * kept)


def rigid_dimers(n: int = 4000, pairs: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Maxwell–Boltzmann velocities of rigid dimers: the velocity along the bond is projected out."""
    rng = np.random.default_rng(8)
    masses = np.tile([15.999, 1.008], pairs)
    v = rng.normal(size=(n, 2 * pairs, 3)) * np.sqrt(kt_amu() / masses)[:, None]
    bond = rng.normal(size=(n, pairs, 3))
    bond /= np.linalg.norm(bond, axis=2, keepdims=True)
    reduced = 1.0 / (1.0 / 15.999 + 1.0 / 1.008)
    relative = np.einsum("tpa,tpa->tp", v[:, ::2] - v[:, 1::2], bond)
    v[:, ::2] -= (reduced / 15.999) * relative[..., None] * bond
    v[:, 1::2] += (reduced / 1.008) * relative[..., None] * bond
    return v, masses


def test_rigid_bonds_are_counted_in_the_temperature() -> None:
    v, masses = rigid_dimers()
    charges = np.eye(3) * np.tile([-1.0, 1.0], 20)[:, None, None]
    series = atoms_series(v, charges, masses, ["O", "H"] * 20, 1.0)
    # 97 degrees of freedom in 4000 independent frames know the temperature to 0.2 %
    assert series.kinetic_temperature(20)[0] == pytest.approx(300.0, rel=0.01)
    wrong = compute_spectrum(series, resolution_cm=500.0)
    right = compute_spectrum(series, resolution_cm=500.0, constraints=20)
    assert wrong.temperature_k == pytest.approx(300.0 * 97 / 117, rel=0.01)
    assert right.temperature_k == pytest.approx(300.0, rel=0.01)
    assert right.quality["temperature"].status == "ok"
    assert right.parameters["constraints"] == 20
    # free atoms have more current than rigid dimers: a ratio below one is no error here
    assert right.quality["f_sum"].status == "unknown"
    assert max(right.parameters["f_sum_ratio"]) < 0.9
    with pytest.raises(UsageError, match="degrees of freedom"):
        compute_spectrum(series, resolution_cm=500.0, constraints=117)
    with pytest.raises(UsageError, match="degrees of freedom"):
        compute_spectrum(bare(v[:, 0]), temperature_k=300.0, constraints=3)
