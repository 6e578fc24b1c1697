"""A quartz cell whose atoms are tethered to their places."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.spacegroup import crystal


class Tether(Calculator):  # type: ignore[misc]
    """U = ½ k Σ |r − r₀|²."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, atoms: Atoms, spring_ev_ang2: float) -> None:
        super().__init__()
        self.places, self.spring = atoms.positions.copy(), spring_ev_ang2

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        moved = self.atoms.positions - self.places
        self.results = {"energy": 0.5 * self.spring * (moved**2).sum(), "forces": -self.spring * moved}


@pytest.fixture
def quartz() -> Atoms:
    """α-quartz, 9 atoms, moving at about 300 K."""
    atoms = crystal(
        ["Si", "O"],
        [(0.4697, 0, 1 / 3), (0.4135, 0.2669, 0.7858)],
        spacegroup=152,
        cellpar=[4.916, 4.916, 5.405, 90, 90, 120],
    )
    momenta = np.random.default_rng(1).normal(size=(9, 3)) * np.sqrt(0.02585 * atoms.get_masses())[:, None]
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    atoms.calc = Tether(atoms, 10.0)
    return atoms
