"""Small crystals with potentials that need no other package than LAMMPS."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase import Atoms
from ase.spacegroup import crystal

from tests.ase.conftest import quartz as quartz

#: Rigid ions after Lewis and Catlow (1985); a short cutoff keeps the tests quick.
MGO_INPUT = """# rigid ions
pair_style buck/coul/long 6.0
pair_coeff 1 1 0.0 1.0 0.0
pair_coeff 1 2 1428.5 0.2945 0.0
pair_coeff 2 2 22764.3 0.149 27.88
kspace_style ewald 1e-4
set type 1 charge 2.0
set type 2 charge -2.0
"""


@pytest.fixture
def mgo() -> Atoms:
    """Rock salt, 8 atoms."""
    return crystal(["Mg", "O"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[4.21] * 3 + [90] * 3)


@pytest.fixture
def mgo_input(tmp_path: Path) -> Path:
    """Commands of LAMMPS that define a potential of MgO."""
    path = tmp_path / "mgo.lmp"
    path.write_text(MGO_INPUT)
    return path
