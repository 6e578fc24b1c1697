"""Z*, ε∞ and P by the names of ASE."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError

from bec_md import load_model
from bec_md.ase import BornCharges, Field
from bec_md.bench import structures
from bec_md.errors import DataError


def test_the_properties_are_those_of_the_model(quartz: Atoms) -> None:
    quartz.calc = BornCharges("silica")
    tensors = quartz.calc.get_property("born_effective_charges", quartz)
    found = load_model("silica").predict_batch([quartz])
    np.testing.assert_array_equal(tensors, found.born_effective_charges[0])
    np.testing.assert_array_equal(quartz.calc.results["dielectric_tensor"], found.eps_inf[0])
    np.testing.assert_allclose(tensors.sum(axis=0), 0.0, atol=1e-5)


def test_a_displaced_atom_changes_the_polarization_by_its_tensor(quartz: Atoms) -> None:
    quartz.calc = BornCharges("silica")
    tensors, step = quartz.calc.get_property("born_effective_charges", quartz), 0.01
    polarization = []
    for sign in (-1, 1):
        moved = quartz.copy()
        moved.positions[4, 1] += sign * step
        polarization.append(quartz.calc.get_property("polarization", moved))
    slope = (polarization[1] - polarization[0]) * quartz.get_volume() / (2 * step)
    np.testing.assert_allclose(slope, tensors[4, :, 1], atol=2e-4)  # third order in the step, float32


def test_a_changed_net_charge_is_another_structure(quartz: Atoms) -> None:
    """The results kept for equal positions are those of equal ΣZ* = Q, in a field as well."""
    tether, charges = quartz.calc, BornCharges("silica-direct")
    field = Field(tether, (0.0, 0.0, 0.1), "silica-direct")
    quartz.calc = field
    for charge in (0.0, 1.0, 0.0):
        quartz.info["total_charge"] = charge
        tensors = charges.get_property("born_effective_charges", quartz)
        np.testing.assert_allclose(tensors.sum(axis=0), charge * np.eye(3), atol=1e-5)  # float32
        push = quartz.get_forces() - tether.get_forces(quartz)
        np.testing.assert_allclose(push.sum(axis=0), (0.0, 0.0, 0.1 * charge), atol=1e-5)
    assert not charges.calculation_required(quartz, ["born_effective_charges"])


def test_atoms_without_a_cell_have_charges_and_no_polarization(quartz: Atoms) -> None:
    cluster = Atoms(quartz.numbers, quartz.positions, calculator=BornCharges("silica"))
    tensors = cluster.calc.get_property("born_effective_charges", cluster)
    # float32 sums in another order
    np.testing.assert_allclose(tensors, load_model("silica").predict(cluster), atol=1e-6)
    with pytest.raises(PropertyNotImplementedError, match="a cell without volume has no polarization"):
        cluster.calc.get_property("polarization", cluster)


def test_auto_is_decided_for_each_material_and_not_by_the_first() -> None:
    """Quartz, itself pressed out of the domain of `silica`, and MgO, by one calculator."""
    calculator, atoms = BornCharges(), structures.quartz(72)
    pressed = atoms.copy()
    pressed.set_cell(0.85 * atoms.cell.array, scale_atoms=True)
    oxide = bulk("MgO", "rocksalt", 4.2)
    for item, name in ((atoms, "silica"), (pressed, "universal"), (oxide, "universal")):
        tensors = calculator.get_property("born_effective_charges", item)
        expected = load_model(name).predict_batch([item]).born_effective_charges[0]
        np.testing.assert_array_equal(tensors, expected)


def test_what_a_model_lacks_is_refused_by_name(quartz: Atoms) -> None:
    quartz.calc = BornCharges("universal")
    with pytest.raises(PropertyNotImplementedError, match="universal has no polarization"):
        quartz.calc.get_property("polarization", quartz)
    quartz.calc = BornCharges("silica")
    gold = Atoms("Au", cell=[4, 4, 4], pbc=True)
    with pytest.raises(DataError, match="does not know Au"):
        quartz.calc.get_property("born_effective_charges", gold)
