"""Property calculators in the released TorchSim: what it stores is what the network gives for its states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import units
from ase.build import bulk

from bec_md import load_model
from bec_md.errors import UsageError
from bec_md.torchsim import property_calculators

# of TorchSim's dependencies
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Six steps of MgO in a Lennard-Jones potential, with J and Z* of every step."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch_sim as ts
        from torch_sim.models.lennard_jones import LennardJonesModel

        path = str(tmp_path_factory.mktemp("torchsim") / "run.h5")
        potential = LennardJonesModel(
            sigma=1.88,
            epsilon=1e-3,  # the ions stay where the network knows them
            cutoff=4.0,
            dtype=torch.float64,
            device=torch.device("cpu"),
            compute_forces=True,
            compute_stress=False,
        )
        names = ("polarization_current", "born_effective_charges", "dielectric_tensor")
        reporter = ts.TrajectoryReporter(
            path,
            state_frequency=1,
            state_kwargs={"save_velocities": True},
            prop_calculators={1: property_calculators("universal", names, threads=1)},
        )
        ts.integrate(
            skew(),
            potential,
            integrator=ts.nve,
            n_steps=6,
            temperature=300.0,
            timestep=0.001,
            trajectory_reporter=reporter,
        )
        with ts.TorchSimTrajectory(path, mode="r") as trajectory:
            found = {name: trajectory.get_array(name) for name in (*names, "positions", "velocities")}
        return {name: np.asarray(values) for name, values in found.items()}


def skew() -> Any:
    """A cell whose rows are not its columns, with ions off their sites."""
    atoms = bulk("MgO", "rocksalt", a=4.21).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    atoms.rattle(0.1, seed=4)
    return atoms


def test_the_stored_properties_are_those_of_the_stored_states(stored: dict[str, np.ndarray]) -> None:
    model, atoms = load_model("universal", threads=1), skew()
    assert len(stored["positions"]) == 6
    for row in range(6):
        atoms.positions = stored["positions"][row]
        found = model.predict_batch([atoms])
        # TorchSim stores positions, and the network calculates, in single precision: 1e-5 of the largest
        z = found.born_effective_charges[0]
        np.testing.assert_allclose(stored["born_effective_charges"][row], z, atol=1e-5 * np.abs(z).max())
        np.testing.assert_allclose(stored["dielectric_tensor"][row], found.eps_inf[0], rtol=0.0, atol=5e-5)
        velocities = stored["velocities"][row] * units.fs  # √(eV/amu) → Å/fs
        current = np.einsum("iab,ib->a", z, velocities)
        scale = np.abs(z).max() * np.abs(velocities).max()
        np.testing.assert_allclose(stored["polarization_current"][row], current, atol=1e-5 * scale)


def test_polarization_and_its_current_belong_together(tmp_path: Path) -> None:
    """V ΔP along a displacement is J times the time that it takes (central difference, h² terms 1e-3)."""
    import torch_sim as ts

    atoms = bulk("SiO2", "fluorite", a=4.6)
    atoms.rattle(0.05, seed=6)
    of = property_calculators("silica", ("polarization", "polarization_current"), threads=1)
    velocities = np.random.default_rng(2).normal(size=(3, 3)) * 0.01  # Å/fs
    states = []
    for sign in (-1.0, 0.0, 1.0):
        moved = atoms.copy()
        moved.positions += sign * velocities
        state = ts.initialize_state(moved, device=torch.device("cpu"), dtype=torch.float64)
        state.velocities = torch.as_tensor(velocities / units.fs)
        states.append(state)
    before, _, after = (of["polarization"](state).numpy() for state in states)
    current = of["polarization_current"](states[1]).numpy()
    change = (after - before) / 2.0 * atoms.cell.volume
    np.testing.assert_allclose(change, current, atol=5e-3 * np.abs(current).max())


def test_what_cannot_be_calculated_is_said() -> None:
    import torch_sim as ts

    two = ts.initialize_state([skew(), skew()], device=torch.device("cpu"), dtype=torch.float64)
    with pytest.raises(UsageError, match="choose from polarization_current"):
        property_calculators("universal", ("dipole",))
    of = property_calculators("universal", ("polarization_current", "polarization"), threads=1)
    with pytest.raises(UsageError, match="2 systems"):
        of["polarization_current"](two)
    with pytest.raises(UsageError, match="without velocities"):
        of["polarization_current"](two[0])
    with pytest.raises(UsageError, match="no polarization"):
        of["polarization"](two[0])
