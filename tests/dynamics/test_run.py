"""Equilibration, replicas and their files."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms, FixBondLength, FixCom

from bec_md import compute_current, load_current, load_model, open_trajectory
from bec_md.atomic import only_writer
from bec_md.dynamics import DynamicsOptions, run_dynamics
from bec_md.dynamics.calculators import NamedCalculator
from bec_md.dynamics.phases import Phases, at_rest, degrees_of_freedom
from bec_md.dynamics.replica import made
from bec_md.dynamics.run import _constraints_of, lock_of
from bec_md.errors import DataError, UsageError
from tests.ase.conftest import Tether

SHORT = DynamicsOptions(300.0, time_ps=0.1, replicas=2, equilibration_ps=0.2, repeat=(1, 1, 1))
CHARGES = "fixed:Si=3.4,O=-1.7"


def _run(quartz: Atoms, folder: Path, options: DynamicsOptions = SHORT, **more: Any) -> Any:
    return run_dynamics(quartz, quartz.calc, options, folder / "run", charges=CHARGES, **more)


def test_the_current_is_that_of_the_trajectory(quartz: Atoms, tmp_path: Path) -> None:
    found = _run(quartz, tmp_path)
    for replica, path in zip(found.replicas, found.currents, strict=True):
        recorded = load_current(path)
        stored = compute_current(tmp_path / replica.trajectory, charges=CHARGES)
        assert recorded.n_frames == stored.n_frames == 26
        assert recorded.timestep_fs == pytest.approx(4.0, rel=1e-12)
        # the file keeps 8 decimals of momenta of about 1 √(amu eV)
        np.testing.assert_allclose(recorded.current, stored.current, atol=1e-8)


def test_two_runs_do_not_share_a_name(quartz: Atoms, tmp_path: Path) -> None:
    with only_writer(lock_of(tmp_path / "run"), "run"), pytest.raises(UsageError, match="another process"):
        _run(quartz, tmp_path)
    assert not list(tmp_path.iterdir())


def test_masses_and_net_charge_of_the_copies_are_in_the_trajectory(quartz: Atoms, tmp_path: Path) -> None:
    """¹⁸O in a charged cell, repeated twice: what is computed from the trajectory is what was recorded."""
    quartz.set_masses(np.where(quartz.numbers == 8, 17.999, 28.085))
    quartz.info["total_charge"] = 0.5
    options = replace(SHORT, replicas=1, repeat=(2, 1, 1))
    found = run_dynamics(
        quartz, Tether(quartz.repeat((2, 1, 1)), 10.0), options, tmp_path / "run", charges=CHARGES
    )
    recorded = load_current(found.currents[0])
    stored = compute_current(tmp_path / found.replicas[0].trajectory, charges=CHARGES)
    assert recorded.total_charge_e == stored.total_charge_e == 1.0
    np.testing.assert_allclose(recorded.current, stored.current, atol=1e-7)
    frame = next(open_trajectory(tmp_path / "run-1.xyz").frames())
    np.testing.assert_allclose(frame.masses_amu, np.tile(quartz.get_masses(), 2))


def test_frozen_atoms_have_no_temperature(quartz: Atoms, tmp_path: Path) -> None:
    quartz.set_constraint(FixAtoms([0, 1, 2]))
    found = _run(quartz, tmp_path, replace(SHORT, time_ps=1.0, replicas=4))
    frames = [f for r in found.replicas for f in open_trajectory(tmp_path / r.trajectory).frames()]
    kinetic = np.mean([(f.masses_amu[3:, None] * f.velocities_ang_fs[3:] ** 2).sum() for f in frames])
    mean = np.mean([replica.temperature_k for replica in found.replicas])
    assert mean == pytest.approx(103.642697 * kinetic / (18 * 8.617333e-5), rel=1e-4)


def test_more_replicas_are_added_and_a_lost_one_is_run_again(quartz: Atoms, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    options = replace(SHORT, time_ps=0.02, equilibration_ps=0.02)
    whole = _run(quartz, tmp_path / "whole", replace(options, replicas=3))
    _run(quartz, tmp_path, options)
    (tmp_path / "run-1_current.h5").unlink()
    before = (tmp_path / "run-2.xyz").stat().st_mtime_ns
    for count in (3, 1):
        found = _run(quartz, tmp_path, replace(options, replicas=count))
        assert found.replicas == whole.replicas[:count]
        for one, other in zip(found.currents, whole.currents, strict=False):
            np.testing.assert_array_equal(load_current(one).current, load_current(other).current)
    assert (tmp_path / "run-2.xyz").stat().st_mtime_ns == before


def test_replicas_conserve_energy_and_differ(quartz: Atoms, tmp_path: Path) -> None:
    first, second = _run(quartz, tmp_path).replicas
    assert abs(first.drift_mev_atom_ps) < 1.0
    assert first.temperature_k != second.temperature_k


def test_velocities_have_the_temperature_and_no_drift(quartz: Atoms, tmp_path: Path) -> None:
    options = replace(SHORT, time_ps=0.001, replicas=25, equilibration_ps=0.04)
    found = _run(quartz, tmp_path, options)
    frames = [next(open_trajectory(tmp_path / replica.trajectory).frames()) for replica in found.replicas]
    velocities = np.array([frame.velocities_ang_fs for frame in frames])
    masses = frames[0].masses_amu[:, None]
    np.testing.assert_allclose((masses * velocities).sum(axis=1), 0.0, atol=1e-7)
    kinetic = 0.5 * 103.642697 * (masses * velocities**2).sum(axis=(1, 2))  # eV, per amu Å²/fs²
    temperature = kinetic.mean() / (0.5 * 24 * 8.617333e-5)
    assert temperature == pytest.approx(300.0, rel=4 * np.sqrt(2 / (24 * 25)))  # four standard errors


def test_a_stopped_run_goes_on_to_the_same_bytes(quartz: Atoms, tmp_path: Path) -> None:
    whole = _run(quartz, tmp_path)
    state = json.loads((tmp_path / "run_md.json").read_text())
    first, second = ((tmp_path / f"run-{number}.xyz").read_bytes() for number in (1, 2))
    state["replicas"] = state["replicas"][1:]  # the second replica was done before the first one
    (tmp_path / "run_md.json").write_text(json.dumps(state))
    (tmp_path / "run-1.xyz").unlink()
    kept = (tmp_path / "run-2.xyz").stat().st_mtime_ns
    again = _run(quartz, tmp_path)
    assert again.replicas == whole.replicas
    assert (tmp_path / "run-1.xyz").read_bytes() == first
    assert (tmp_path / "run-2.xyz").read_bytes() == second
    assert (tmp_path / "run-2.xyz").stat().st_mtime_ns == kept


def test_replicas_side_by_side_are_those_of_a_serial_run(mgo: Atoms, mgo_input: Path, tmp_path: Path) -> None:
    """Bit by bit: trajectories, currents, and what is said of them."""
    pytest.importorskip("lammps")
    potential = NamedCalculator(f"lammps:{mgo_input}", ("Mg", "O"))
    options = replace(SHORT, time_ps=0.05, replicas=3, equilibration_ps=0.02, relax_cell=True)
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        steps: list[tuple[int, int]] = []
        run_dynamics(
            mgo,
            potential,
            options,
            tmp_path / str(workers) / "run",
            workers=workers,
            progress=lambda done, total, said=steps: said.append((done, total)),  # type: ignore[misc]
            model=load_model("universal", threads=1),
        )
        total = 25 + 3 * 70  # a quarter of the thermostat, the cell, three replicas
        assert steps[-1] == (total, total)
        assert all(one <= two for (one, _), (two, _) in pairwise(steps))
    for path in sorted((tmp_path / "1").iterdir()):
        other = tmp_path / "2" / path.name
        if path.suffix == ".h5":
            for name, values in load_current(path).time_fields():
                np.testing.assert_array_equal(values, getattr(load_current(other), name))
            assert load_current(path).metadata == load_current(other).metadata
        else:
            assert path.read_bytes() == other.read_bytes()
    assert len(sorted((tmp_path / "2").iterdir())) == 7


def test_a_calculator_cannot_be_sent_to_workers_but_a_function_that_makes_it(
    quartz: Atoms, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"(?s)cannot be sent.*a function of a module"):
        _run_with(lambda: quartz.calc, quartz, tmp_path)
    with pytest.raises(UsageError, match="workers=0"):
        _run(quartz, tmp_path, workers=0)


def test_a_replica_that_fails_is_named(mgo: Atoms, mgo_input: Path, tmp_path: Path) -> None:
    """The others end with it; what is complete stays."""
    pytest.importorskip("lammps")
    potential = NamedCalculator(f"lammps:{mgo_input}", ("Mg", "O"))
    with pytest.raises(DataError, match=r"replica [12] has exploded"):
        _run_with(potential, mgo, tmp_path, md_timestep_fs=40.0, equilibration_ps=2.0)
    assert json.loads((tmp_path / "run_md.json").read_text())["replicas"] == []


def _run_with(calculator: Any, atoms: Atoms, folder: Path, **more: Any) -> Any:
    return run_dynamics(
        atoms,
        calculator,
        replace(SHORT, **more),
        folder / "run",
        workers=2,
        model=load_model("universal", threads=1),
    )


def test_other_settings_are_not_mixed(quartz: Atoms, tmp_path: Path) -> None:
    _run(quartz, tmp_path)
    with pytest.raises(UsageError, match="other temperature_k"):
        _run(quartz, tmp_path, replace(SHORT, temperature_k=400.0))
    assert _run(quartz, tmp_path, replace(SHORT, temperature_k=400.0), overwrite=True).replicas


def test_another_structure_or_potential_of_the_same_name_is_another_run(
    mgo: Atoms, mgo_input: Path, tmp_path: Path
) -> None:
    """A file that was edited since: what is complete must not pass for its result."""
    pytest.importorskip("lammps")

    def run(atoms: Atoms) -> Any:
        short = replace(SHORT, time_ps=0.01, equilibration_ps=0.01)
        potential = NamedCalculator(f"lammps:{mgo_input}", ("Mg", "O"))
        return run_dynamics(atoms, potential, short, tmp_path / "run", charges="fixed:Mg=2,O=-2")

    run(mgo)
    wider = mgo.copy()
    wider.set_cell(1.01 * mgo.cell.array, scale_atoms=True)
    with pytest.raises(UsageError, match=r"other structure\n"):
        run(wider)
    mgo_input.write_text(mgo_input.read_text().replace("0.2945", "0.2955"))
    with pytest.raises(UsageError, match=r"other potential\n"):
        run(mgo)


def test_another_potential_of_one_class_is_another_run(quartz: Atoms, tmp_path: Path) -> None:
    """Its name says nothing of its parameters; constraints belong to the structure."""
    short = replace(SHORT, time_ps=0.01, equilibration_ps=0.01, replicas=1)
    _run(quartz, tmp_path, short)
    quartz.calc.spring *= 1.0001  # forces of another machine
    _run(quartz, tmp_path, short)
    quartz.calc.spring *= 1.1
    quartz.calc.reset()
    with pytest.raises(UsageError, match=r"other potential\n"):
        _run(quartz, tmp_path, short)
    quartz.set_constraint(FixAtoms([0]))
    with pytest.raises(UsageError, match=r"other structure\n"):
        _run(quartz, tmp_path, short)


def test_a_trajectory_of_something_else_is_not_written_over(quartz: Atoms, tmp_path: Path) -> None:
    (tmp_path / "run-2.xyz").write_text("mine")
    with pytest.raises(UsageError, match=r"run-2\.xyz exists already"):
        _run(quartz, tmp_path)
    assert (tmp_path / "run-2.xyz").read_text() == "mine"


def test_a_class_makes_calculators() -> None:
    assert isinstance(made(LennardJones), LennardJones)


def test_velocities_of_atoms_beside_frozen_ones_have_the_temperature() -> None:
    """The frozen atom holds the other: nothing is taken off for a center of mass. A rigid bond holds none."""
    pair = Atoms("O2", positions=[(0, 0, 0), (1.2, 0, 0)], cell=[9.0] * 3, pbc=True)
    cases = ((FixAtoms([0]), 3, 0), (FixBondLength(0, 1), 2, 3), ([], 3, 3), (FixCom(), 3, 3))
    for constraint, freedom, held in cases:
        pair.set_constraint(constraint)
        phases = Phases(pair, SHORT.resolved(pair), 1, lambda done: None)
        kinetic = []
        for _ in range(2000):
            phases.draw_velocities()
            kinetic.append(pair.get_kinetic_energy())
        assert at_rest(pair).sum() == held
        assert degrees_of_freedom(pair) == freedom or isinstance(constraint, FixBondLength)
        # four standard errors
        assert np.mean(kinetic) == pytest.approx(freedom / 2 * 0.0258520, rel=4 * np.sqrt(2 / freedom / 2000))


def test_a_constraint_may_be_of_a_class_of_ones_own(quartz: Atoms) -> None:
    class Rail:
        """Says nothing about itself."""

    quartz.constraints = [Rail()]
    assert _constraints_of(quartz) == "['Rail']"


def test_few_atoms_fluctuate_more_and_have_not_exploded() -> None:
    """Two atoms at 2000 K are above four times that in one of 3000 configurations."""
    pair = Atoms("HCl", positions=[(0, 0, 0), (1.3, 0, 0)], cell=[9.0] * 3, pbc=True)
    phases = Phases(pair, replace(SHORT, temperature_k=2000.0).resolved(pair), 1, lambda done: None)
    phases.draw_velocities()
    for share, sane in ((5.0, True), (40.0, False)):
        pair.set_momenta(pair.get_momenta() * np.sqrt(share * 2000.0 / pair.get_temperature()))
        if sane:
            phases._require_sane()
        else:
            with pytest.raises(DataError, match="has exploded"):
                phases._require_sane()


def test_rigid_bonds_are_run_as_they_are_and_cannot_be_repeated(quartz: Atoms) -> None:
    quartz.set_constraint(FixBondLength(0, 3))
    assert len(SHORT.resolved(quartz).supercell(quartz).constraints) == 1
    with pytest.raises(UsageError, match="rigid bonds"):
        replace(SHORT, repeat=(2, 1, 1)).supercell(quartz)


def test_a_cell_without_a_pressure_is_not_relaxed(quartz: Atoms, tmp_path: Path) -> None:
    relaxing = replace(SHORT, relax_cell=True)
    with pytest.raises(UsageError, match="gives no stress"):
        _run(quartz, tmp_path, relaxing)
    layer, held = quartz.copy(), quartz.copy()
    layer.pbc = (True, True, False)
    held.set_constraint(FixAtoms([0]))
    for atoms, what in ((layer, "not periodic"), (held, "constraints")):
        with pytest.raises(UsageError, match=what):
            relaxing.resolved(atoms)


def test_a_run_that_explodes_stops(quartz: Atoms, tmp_path: Path) -> None:
    quartz.calc.spring = -200.0
    with pytest.raises(DataError, match="has exploded"):
        _run(quartz, tmp_path)


def test_defaults_follow_from_the_structure(quartz: Atoms) -> None:
    options = DynamicsOptions(300.0).resolved(quartz)
    assert options.repeat == (2, 2, 2)  # faces 4.26, 4.26 and 5.41 Å apart
    assert (options.md_timestep_fs, options.interval) == (1.0, 4)
    water = Atoms("OH2", positions=[(0, 0, 0), (1, 0, 0), (0, 1, 0)], cell=[9, 9, 9], pbc=True)
    options = DynamicsOptions(300.0).resolved(water)
    assert (options.md_timestep_fs, options.interval, options.repeat) == (0.5, 4, (1, 1, 1))
    quartz.pbc = (True, True, False)  # a layer has no copies above it
    assert DynamicsOptions(300.0).resolved(quartz).repeat == (2, 2, 1)


@pytest.mark.parametrize(
    "change", [{"time_ps": 0.0}, {"temperature_k": -1.0}, {"repeat": (0, 1, 1)}, {"seed": -1}]
)
def test_senseless_options_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        replace(SHORT, **change).check()


def test_the_mean_cell_is_that_of_zero_pressure(tmp_path: Path) -> None:
    """Copper in a Morse potential, begun 2 % too wide: it ends where its energy is least."""
    pytest.importorskip("lammps")
    from ase.build import bulk
    from scipy.optimize import minimize_scalar

    from bec_md.dynamics import make_calculator

    path = tmp_path / "copper.lmp"
    path.write_text("pair_style morse 6.0\npair_coeff 1 1 0.3429 1.3588 2.866\npair_modify shift yes\n")
    calculator = make_calculator(f"lammps:{path}", ["Cu"])

    def energy(edge: float) -> float:
        crystal = bulk("Cu", a=edge, cubic=True).repeat(2)
        crystal.calc = calculator
        return float(crystal.get_potential_energy())

    best = minimize_scalar(energy, bounds=(3.4, 3.9), method="bounded").x
    options = DynamicsOptions(
        20.0,
        time_ps=0.01,
        replicas=1,
        md_timestep_fs=2.0,
        equilibration_ps=2.0,
        relax_cell=True,
        repeat=(2, 2, 2),
    )
    start = bulk("Cu", a=1.02 * best, cubic=True)
    found = run_dynamics(start, calculator, options, tmp_path / "cu", charges="fixed:Cu=0")
    edges = np.linalg.norm(found.cell_ang, axis=1) / 2
    # thermal expansion at 20 K is 3·10⁻⁴; the mean is over one period and a half of the barostat
    np.testing.assert_allclose(edges, best, rtol=0.006)
