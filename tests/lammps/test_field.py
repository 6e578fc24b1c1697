"""The force of the field, its work, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_md.units import ELEMENTARY_CHARGE_C
from tests.lammps.systems import charges, commands, no_forces, per_atom, quartz, soft_forces, vector

CALORIE_J = 4.184
AVOGADRO = 6.02214076e23
KCAL_MOL_EV = 1000 * CALORIE_J / AVOGADRO / ELEMENTARY_CHARGE_C

DRIVEN = "variable e equal 0.2*cos(2*PI*time/0.05)\n"


def hot_quartz(units: str = "metal") -> str:
    return (
        commands(quartz((2, 2, 1), 0.02), units=units)
        + soft_forces()
        + "velocity all create 1500 11 loop geom\n"
    )


def test_force_is_field_times_tensor(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces())
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield 0.3 -0.2 0.5")
    lmp.command("run 0 post no")
    expected = np.einsum("a,iab->ib", [0.3, -0.2, 0.5], charges(lmp))
    np.testing.assert_allclose(per_atom(lmp, "f"), expected, atol=1e-12)  # double precision
    np.testing.assert_allclose(per_atom(lmp, "f").sum(0), 0.0, atol=1e-12)  # neutral: no net force


@pytest.mark.parametrize("every", [1, 5])
def test_power_theorem(lmp: Any, models: dict[str, Path], every: int) -> None:
    """ΔE_total = ∫E·J dt: sign, units and timing of the force and of the current at once."""
    lmp.commands_string(hot_quartz() + DRIVEN)
    lmp.commands_string("timestep 0.0005\nfix nve all nve\nthermo_style custom step etotal")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H every {every} efield v_e 0.1 v_e")
    lmp.command("run 0")
    before = lmp.get_thermo("etotal")
    lmp.command("run 400")
    gained = lmp.get_thermo("etotal") - before
    work = lmp.extract_fix("bec", 0, 0)
    assert abs(gained) > 1.0  # eV
    assert work == pytest.approx(gained, rel=1e-3)  # the drift without field is 3e-4 of it


def test_fix_modify_energy_conserves_the_total(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(hot_quartz() + DRIVEN)
    lmp.commands_string("timestep 0.0005\nfix nve all nve\nthermo_style custom step etotal")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield v_e 0.1 v_e")
    lmp.command("fix_modify bec energy yes")
    lmp.command("run 0")
    before = lmp.get_thermo("etotal")
    lmp.command("run 200")
    field_energy = lmp.extract_fix("bec", 0, 0)
    assert abs(field_energy) > 1.0
    drift = lmp.get_thermo("etotal") - before
    assert drift == pytest.approx(0.0, abs=2e-3 * abs(field_energy))  # as above, in half of the time


def test_zero_field_changes_no_bit(start: Callable[[], Any], models: dict[str, Path]) -> None:
    def final(extra: str) -> Any:
        lmp = start()
        # the same halo in all three runs, or neighbor lists would be summed in another order
        lmp.commands_string(hot_quartz() + "comm_modify cutoff 7.0\ntimestep 0.0005\nfix nve all nve\n")
        if extra:
            lmp.command(f"fix bec all bec {models['two_layers']} Si O H {extra}")
        lmp.command("run 100 post no")
        return per_atom(lmp, "x"), per_atom(lmp, "v")

    alone, watched, zero = final(""), final("every 1"), final("efield 0 0 0")
    np.testing.assert_array_equal(watched, alone)
    np.testing.assert_array_equal(zero, alone)


def test_units_metal_and_real_give_the_same_physics(
    start: Callable[[], Any], models: dict[str, Path]
) -> None:
    def trajectory(units: str) -> tuple[Any, Any, Any, float]:
        lmp = start()
        lmp.commands_string(commands(quartz(), units=units))
        energy = 0.2 / (KCAL_MOL_EV if units == "real" else 1.0)
        step = 0.5 * (1.0 if units == "real" else 1e-3)
        lmp.commands_string(f"pair_style lj/cut 6.0\npair_coeff * * {energy!r} 1.45")
        lmp.commands_string(f"timestep {step}\nfix nve all nve")
        lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield 0.3 -0.2 0.5")
        lmp.command("run 200 post no")
        scale = 1.0 if units == "real" else 1e-3
        work = lmp.extract_fix("bec", 0, 0) * (KCAL_MOL_EV if units == "real" else 1.0)
        return per_atom(lmp, "x"), vector(lmp)[:3] * scale, vector(lmp)[3:], work

    x_metal, j_metal, m_metal, w_metal = trajectory("metal")
    x_real, j_real, m_real, w_real = trajectory("real")
    # the constants of `real` and `metal` in LAMMPS agree to six digits
    assert np.abs(m_metal).max() > 0.1
    np.testing.assert_allclose(x_real, x_metal, atol=1e-4)
    np.testing.assert_allclose(j_real, j_metal, rtol=1e-3)
    np.testing.assert_allclose(m_real, m_metal, rtol=1e-3)
    assert w_real == pytest.approx(w_metal, rel=1e-3)


def test_field_on_a_group(lmp: Any, models: dict[str, Path]) -> None:
    lmp.commands_string(commands(quartz()) + no_forces() + "group oxygen type 2")
    lmp.command(f"fix bec oxygen bec {models['two_layers']} Si O H efield 0.3 -0.2 0.5")
    lmp.command("run 0 post no")
    forces = per_atom(lmp, "f")
    silicon = quartz().numbers == 14
    np.testing.assert_array_equal(forces[silicon], 0.0)
    assert np.abs(forces[~silicon]).min(0).max() > 0.0


def test_response_of_oscillators_is_exact(lmp: Any, models: dict[str, Path]) -> None:
    """Atoms on springs in an oscillating field: the current is that of driven, damped oscillators.

    J_a = Re Σ_i (Z_i Z_iᵀ)_ab E_b / m_i × (−iω)/(ω_i² − ω² − iγω) e^{−iωt}: what the fluctuations of the
    same oscillators give by linear response (Z is constant for displacements of some 10⁻⁴ Å).
    """
    spring, gamma, frequency, field = 20.0, 12.0, 11.0, 1e-3  # eV/Å², 1/ps, 1/ps, V/Å
    atoms = quartz(rattle_ang=0.02)
    lmp.commands_string(commands(atoms) + no_forces() + "timestep 0.0005")
    lmp.commands_string(f"variable e equal {field}*cos(2*PI*{frequency}*time)")
    lmp.command(f"fix bec all bec {models['two_layers']} Si O H efield v_e 0.0 v_e")
    lmp.command(f"fix springs all spring/self {spring}")
    masses = np.where(atoms.numbers == 14, 28.0855, 15.999)
    ev = 1.602176634e-19 / 1.66053906892e-27 * 1e-4  # eV/amu in Å²/ps²
    for symbol, mass in (("1", 28.0855), ("2", 15.999)):
        lmp.command(f"group g{symbol} type {symbol}")
        lmp.command(f"fix drag{symbol} g{symbol} viscous {gamma * mass / ev!r}")
    lmp.commands_string("fix nve all nve\nrun 2000 post no")  # transients: e^{−γt/2} = 2.5e-3
    z = charges(lmp)
    times, samples = [], []
    for sample in range(1, 251):  # 250 fs: 2.7 periods
        lmp.command("run 2 pre no post no")
        times.append(1.0 + sample * 1e-3)
        samples.append(vector(lmp)[:3])
    omega = 2 * np.pi * frequency
    weight = -1j * omega / (spring * ev / masses - omega**2 - 1j * gamma * omega) * ev / masses
    amplitude = np.einsum("iab,icb,i,c->a", z, z, weight, [field, 0.0, field])
    expected = np.real(amplitude * np.exp(-1j * omega * np.array(times))[:, None])
    # drag of the half step (γΔt/2 = 3e-3), the remaining transient
    np.testing.assert_allclose(samples, expected, atol=0.01 * np.abs(expected).max())


def test_the_screen_tells_the_field(run_lmp: Callable[..., Any], models: dict[str, Path]) -> None:
    """It shows no commands, and a run that is driven has to be known by it."""
    script = commands(quartz()) + no_forces() + "variable e equal 0.2\n"
    found = run_lmp(script + f"fix bec all bec {models['one_layer']} Si O H efield 0.1 v_e 0\nrun 0\n")
    assert "fix bec bec: efield 0.1 v_e 0 V/A" in found.stdout
