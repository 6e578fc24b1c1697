"""Molecules packed at random for labels: none overlaps another or is left apart, chains are straight."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.data.vdw_alvarez import vdw_radii

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "labels"))
from packing import BEND, CONTACT, HYDROGEN_BOND, packed


def contacts(crystal: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Distances between a molecule and its 26 neighbors, and the sums of radii."""
    shifts = np.array([n for n in np.ndindex(3, 3, 3) if n != (1, 1, 1)]) - 1
    apart = crystal.positions[:, None] - crystal.positions[None, :]
    distances = np.linalg.norm(apart + (shifts @ crystal.cell.array)[:, None, None], axis=-1)
    numbers = crystal.numbers
    radii = np.add.outer(vdw_radii[numbers], vdw_radii[numbers])
    hydrogen = np.outer(numbers == 1, np.isin(numbers, (7, 8, 9)))
    radii[hydrogen | hydrogen.T] *= HYDROGEN_BOND
    return distances, radii


@pytest.mark.parametrize("name", ["H2O", "HCN", "CH3CN", "CO2", "CH4", "H2CO"])
@pytest.mark.parametrize("chained", [False, True])
def test_packed_molecules_touch_and_do_not_overlap(name, chained):
    if chained and name in ("H2O", "CO2", "CH4"):
        # the other hydrogen of the next water is nearer than the radii of van der Waals allow
        with pytest.raises(RuntimeError, match="no hydrogen-bonded chain"):
            packed(molecule(name), np.random.default_rng(1), chained)
        return
    crystal = packed(molecule(name), np.random.default_rng(1), chained)
    distances, radii = contacts(crystal)
    if chained:  # only the hydrogen between donor and acceptor holds them apart
        distances = distances[:, crystal.numbers == 1]
        radii = radii[crystal.numbers == 1]
    nearest = (distances / radii).min()
    assert CONTACT[0] <= nearest <= 1.02 * CONTACT[1]


def test_a_chain_of_hydrogen_cyanide_is_straight():
    for seed in range(5):
        crystal = packed(molecule("HCN"), np.random.default_rng(seed), chained=True)
        carbon, nitrogen, hydrogen = (crystal.positions[list(crystal.symbols).index(s)] for s in "CNH")
        vectors = [sign * crystal.cell[0] + nitrogen - hydrogen for sign in (1, -1)]
        bond = min(vectors, key=np.linalg.norm)  # to nitrogen of the next molecule
        radii = HYDROGEN_BOND * (vdw_radii[1] + vdw_radii[7])
        assert CONTACT[0] * radii < np.linalg.norm(bond) < 1.002 * CONTACT[1] * radii
        along = (hydrogen - carbon) / np.linalg.norm(hydrogen - carbon)
        assert along @ bond / np.linalg.norm(bond) > np.cos(5 * BEND)
