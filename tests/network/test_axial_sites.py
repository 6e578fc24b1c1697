"""The antisymmetric part of Z* on sites with an axis and no mirror through it.

It is a pseudovector along the axis. Read out of an atom's own state it is identically zero on sites such as
that of Nb in LiNbO3, whatever the weights. The derivative of a polarization has it at no further cost: the
dipoles of the neighbors change with the position of the atom.
"""

from __future__ import annotations

import numpy as np
import pytest
import spglib
import torch
from ase import Atoms
from ase.data import atomic_numbers
from ase.spacegroup import crystal

from bec_md.network.config import NetworkConfig, readouts
from bec_md.network.graph import build_graph
from bec_md.network.network import Network

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # of spglib

# element on the site, its symbol, and the crystal: elements, places, space group, cell
SITES = {
    "LiNbO3, paraelectric": (
        "Nb",
        "-3.",
        ["Li", "Nb", "O"],
        [(0, 0, 0.25), (0, 0, 0), (0.38, 0, 0.25)],
        167,
        "13.9h",
    ),
    "ilmenite": (
        "Ti",
        "3.",
        ["Mg", "Ti", "O"],
        [(0, 0, 0.355), (0, 0, 0.146), (0.317, 0.023, 0.246)],
        148,
        "13.9h",
    ),
    "scheelite": (
        "W",
        "-4..",
        ["Ca", "W", "O"],
        [(0, 0.25, 0.625), (0, 0.25, 0.125), (0.15, 0.009, 0.211)],
        88,
        "11.4",
    ),
    "I4/m": ("Ti", "4/m..", ["Ba", "Ti", "O"], [(0, 0, 0), (0, 0, 0.5), (0.3, 0.17, 0)], 87, "5.4"),
    "I4": ("Ti", "4..", ["Ba", "Ti", "O"], [(0, 0, 0.1), (0, 0, 0.6), (0.3, 0.17, 0.05)], 79, "5.4"),
    "P6/m": (
        "Ba",
        "6/m..",
        ["Ba", "Si", "O"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.5), (0.3, 0.1, 0.5)],
        175,
        "4.2h",
    ),
    "P63/m": (
        "Si",
        "-6..",
        ["Ca", "Si", "O"],
        [(1 / 3, 2 / 3, 0.25), (0, 0, 0.25), (0.35, 0.07, 0.25)],
        176,
        "5.0h",
    ),
}


def axial_crystal(name: str) -> tuple[Atoms, np.ndarray]:
    """The crystal, and which atoms sit on the axis."""
    element, symbol, elements, places, group, shape = SITES[name]
    c = float(shape.rstrip("h"))
    cell = [5.3, 5.3, c, 90, 90, 120 if shape.endswith("h") else 90]
    atoms = crystal(elements, places, spacegroup=group, setting=2 if group == 88 else 1, cellpar=cell)
    found = spglib.get_symmetry_dataset((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers), 1e-4)
    sites = np.flatnonzero(atoms.numbers == atomic_numbers[element])
    assert {found.site_symmetry_symbols[site] for site in sites} == {symbol}
    return atoms, sites


def antisymmetric(charges: str, atoms: Atoms, l_max: int = 2) -> np.ndarray:
    torch.manual_seed(0)
    config = NetworkConfig(
        elements=sorted({int(z) for z in atoms.numbers}),
        levels=("a",),
        channels=8,
        sent_tensor_channels=4,
        l_max=l_max,
        readouts=readouts(charges, 1),
    )
    graph = build_graph([atoms], config.cutoff_ang, dtype=torch.float64)
    with torch.no_grad():
        tensors = Network(config).double()(graph)["charges"][:, 0].numpy()
    return (tensors - tensors.transpose(0, 2, 1)) / 2


@pytest.mark.parametrize("name", SITES)
def test_a_polarization_gives_the_antisymmetric_part(name: str) -> None:
    atoms, sites = axial_crystal(name)
    part = antisymmetric("dipole", atoms)[sites]
    assert np.abs(part[:, 0, 1]).min() > 3e-3  # about the axis; random weights make tensors of 0.2 to 3 e
    np.testing.assert_allclose(part[:, [0, 1], 2], 0.0, atol=1e-12)  # about no other


@pytest.mark.parametrize("l_max", [2, 3])
def test_the_direct_readout_has_none_on_the_site_of_niobium(l_max: int) -> None:
    atoms, sites = axial_crystal("LiNbO3, paraelectric")
    np.testing.assert_allclose(antisymmetric("charges", atoms, l_max)[sites], 0.0, atol=1e-14)
