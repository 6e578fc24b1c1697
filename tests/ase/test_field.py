"""The force of a field, its energy and its work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

from bec_md.ase import Field
from bec_md.errors import UsageError


def _wave(time_fs: float) -> tuple[float, float, float]:
    return 0.0, 0.0, 0.05 * float(np.sin(0.1 * time_fs))


def _run(quartz: Atoms, field: Any, model: str, steps: int = 200) -> tuple[Any, Any, Any, Field]:
    """T + U, the work and −E·P after every step of 0.5 fs."""
    quartz.calc = calculator = Field(quartz.calc, field, model)
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    calculator.follow(dynamics)
    found: list[tuple[float, float, float]] = []

    def note() -> None:
        bare = quartz.get_kinetic_energy() + calculator.calculator.results["energy"]
        found.append((bare, calculator.work_ev, calculator.results["field_energy"]))

    dynamics.attach(note)
    dynamics.run(steps)
    return *np.array(found).T, calculator


@pytest.mark.parametrize("model", ["silica", "silica-direct"])
@pytest.mark.parametrize("field", [(0.0, 0.0, 0.05), _wave])
def test_the_energy_less_the_work_is_kept_as_without_a_field(quartz: Atoms, field: Any, model: str) -> None:
    same = quartz.copy()
    same.calc = quartz.calc
    bare, _, _, _ = _run(same, (0.0, 0.0, 0.0), model)
    energy, work, _, _ = _run(quartz, field, model)
    assert np.ptp(energy) > 100 * np.ptp(bare)  # the field does something
    assert np.ptp(energy - work) < 2 * np.ptp(bare)


@pytest.mark.parametrize("field", [(0.0, 0.0, 0.5), lambda time: (0.0, 0.0, 0.5 + 0.1 * time)])
def test_a_field_that_comes_in_the_middle_of_a_dynamics(quartz: Atoms, field: Any) -> None:
    """The work of its first step counts, and the clock is right from there on."""
    dynamics = VelocityVerlet(quartz, 0.5 * units.fs)
    dynamics.run(10)
    bare = quartz.calc
    quartz.calc = calculator = Field(bare, field, "silica-direct")
    calculator.follow(dynamics)
    start = quartz.get_kinetic_energy() + bare.results["energy"]
    dynamics.run(1)
    pushed = calculator.results["field_forces"]
    np.testing.assert_allclose(
        pushed, calculator.field_at(5.5) @ calculator.results["born_effective_charges"], atol=1e-9
    )
    gained = quartz.get_kinetic_energy() + bare.results["energy"] - start
    assert abs(gained) > 1e-3
    assert calculator.work_ev == pytest.approx(gained, rel=0.02)  # one finite step of Verlet: 1.2 %


def test_a_constant_field_has_an_energy_where_a_polarization_is(quartz: Atoms) -> None:
    _, work, stored, calculator = _run(quartz, (0.0, 0.0, 0.05), "silica")
    np.testing.assert_allclose(stored - stored[0], -work, atol=1e-5)
    assert calculator.results["energy"] == pytest.approx(
        calculator.calculator.results["energy"] + stored[-1], abs=1e-12
    )


def test_the_force_is_the_tensor_times_the_field_by_its_first_index(quartz: Atoms) -> None:
    field = np.array([0.02, -0.01, 0.05])
    bare = quartz.get_forces()
    quartz.calc = Field(quartz.calc, field, "silica")
    pushed = quartz.get_forces() - bare
    tensors = quartz.calc.results["born_effective_charges"]
    assert np.abs(tensors - tensors.swapaxes(1, 2)).max() > 0.1  # else the order of indices would not show
    np.testing.assert_allclose(pushed, field @ tensors, atol=1e-12)
    np.testing.assert_allclose(pushed.sum(axis=0), 0.0, atol=1e-6)


def test_a_field_of_the_time_needs_a_clock(quartz: Atoms) -> None:
    quartz.calc = field = Field(quartz.calc, _wave, "silica")
    with pytest.raises(UsageError, match="follow"):
        quartz.get_forces()
    field.time_fs = 5.0
    np.testing.assert_allclose(
        quartz.get_forces()[0, 2],
        0.05 * np.sin(0.5) * field.results["born_effective_charges"][0, 2, 2],
        atol=1e-9,
    )


@pytest.mark.parametrize("field", [(0.0, 0.1), (0.0, 0.0, float("nan")), lambda _: 0.1])
def test_no_vector_is_no_field(quartz: Atoms, field: Any) -> None:
    with pytest.raises(UsageError, match="three finite components"):
        Field(quartz.calc, field, "silica")
