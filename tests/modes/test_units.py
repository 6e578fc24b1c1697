"""The unit of force constants: stated, in phonopy.yaml, or contradicted by the motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.modes import mode_velocities, read_modes
from bec_md.modes.units import check_frequencies, parse_force_constant_units
from bec_md.validate.crystal import HarmonicCrystal, random_crystal
from tests.modes.run import FrameList, frames_of
from tests.modes.test_modes import atoms_of, force_constants, modes_of, spread_out, write_text

RYDBERG_PER_BOHR2 = 13.605693122990 / 0.529177210544**2  # CODATA 2022
YAML = """phonopy:
  version: "2.38"

physical_unit:
  atomic_mass: "AMU"
  length: "au"
  force_constants: "Ry/au^2"
"""


@pytest.fixture(scope="module")
def crystal() -> HarmonicCrystal:
    return spread_out(random_crystal(seed=4, gamma_cm=60.0))


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("eV/angstrom^2", 1.0),
        ("eV / Å^2", 1.0),
        ("Ry/au^2", RYDBERG_PER_BOHR2),
        ("Ry/bohr**2", RYDBERG_PER_BOHR2),
        ("mRy/au^2", 1e-3 * RYDBERG_PER_BOHR2),
        ("hartree/au^2", 2.0 * RYDBERG_PER_BOHR2),
        ("eV/angstrom.au", 1.0 / 0.529177210544),
        ("hartree/angstrom.au", 27.211386245981 / 0.529177210544),
    ],
)
def test_units_that_phonopy_writes(text: str, factor: float) -> None:
    assert parse_force_constant_units(text) == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize("text", ["", "THz", "eV", "eV/angstrom", "furlong/au^2"])
def test_unknown_units(text: str) -> None:
    with pytest.raises(UsageError, match="unknown unit of force constants"):
        parse_force_constant_units(text)


@pytest.mark.parametrize("name", ["phonopy.yaml", "phonopy_params.yaml"])
def test_the_unit_is_an_option_or_stands_in_phonopy_yaml(
    crystal: HarmonicCrystal, tmp_path: Path, name: str
) -> None:
    path = write_text(tmp_path / "FORCE_CONSTANTS", force_constants(crystal) / RYDBERG_PER_BOHR2)
    expected = modes_of(crystal).frequencies_cm
    found = read_modes(path, atoms_of(crystal), units="Ry/bohr^2")
    np.testing.assert_allclose(found.frequencies_cm, expected, rtol=1e-6)
    assert not np.allclose(read_modes(path, atoms_of(crystal)).frequencies_cm, expected, rtol=0.5)
    (tmp_path / name).write_text(YAML)
    found = read_modes(path, atoms_of(crystal))
    np.testing.assert_allclose(found.frequencies_cm, expected, rtol=1e-6)
    assert name in found.name
    np.savez(tmp_path / "fc.npz", force_constants=force_constants(crystal))
    with pytest.raises(UsageError, match="npz"):
        read_modes(tmp_path / "fc.npz", atoms_of(crystal), units="Ry/bohr^2")
    same = read_modes(tmp_path / "fc.npz", atoms_of(crystal), units="eV/angstrom^2")  # as it is
    np.testing.assert_allclose(same.frequencies_cm, expected, rtol=1e-6)


def test_isotopes_stand_in_phonopy_yaml(crystal: HarmonicCrystal, tmp_path: Path) -> None:
    """Masses of phonopy's MASS tag; those of the structure's file and of the caller are others' decision."""
    path, atoms = write_text(tmp_path / "FORCE_CONSTANTS", force_constants(crystal)), atoms_of(crystal)
    atoms.set_array("masses", None)
    usual, symbol = atoms.get_masses(), atoms.symbols[0]
    point = "  - symbol: {} # 1\n    coordinates: [ 0.0, 0.0, 0.0 ]\n    mass: {:.6f}\n"
    isotopes = np.where(atoms.numbers == atoms.numbers[0], 2.0, 1.0) * usual
    stated = np.where(isotopes == usual, 1.001, 1.0) * isotopes  # standard weights of another table
    points = [point.format(*row) for row in zip(atoms.symbols, stated, strict=True)]
    (tmp_path / "phonopy.yaml").write_text("unit_cell:\n  points:\n" + "".join(points))
    np.testing.assert_allclose(read_modes(path, atoms).masses_amu, isotopes, rtol=1e-6)
    assert f"FORCE_CONSTANTS, {symbol} {isotopes[0]:g} amu, in eV" in read_modes(path, atoms).name
    np.testing.assert_array_equal(read_modes(path, atoms, {symbol: 3.0}).masses_amu[0], 3.0)
    one = np.where(np.arange(len(atoms)) == 1, 2.0, 1.0) * usual  # two isotopes of an element
    points = [point.format(*row) for row in zip(atoms.symbols, one, strict=True)]
    cells = f"unit_cell:\n  points:\n{points[0]}supercell:\n  points:\n{''.join(points)}displacements:\n"
    (tmp_path / "phonopy.yaml").write_text(cells)
    np.testing.assert_allclose(read_modes(path, atoms).masses_amu, one, rtol=1e-6)
    atoms.set_masses(1.5 * usual)
    np.testing.assert_array_equal(read_modes(path, atoms).masses_amu, 1.5 * usual)


@pytest.mark.parametrize("scheme", ["stored", "midpoint"])
@pytest.mark.parametrize(
    ("factor", "hint"),
    [
        (1.0, None),
        (1.15, None),  # frequencies 7 % apart: softening of a hot crystal
        (1.0 / RYDBERG_PER_BOHR2, r"Ry/bohr\^2 instead of eV"),
        (0.5 / RYDBERG_PER_BOHR2, r"hartree/bohr\^2 instead of eV"),
        (0.529177, r"eV/angstrom.bohr instead of eV"),
        (1e3 / RYDBERG_PER_BOHR2, r"mRy/bohr\^2 instead of eV"),
        (0.4, "wrong masses"),
    ],
)
def test_the_motion_contradicts_a_wrong_unit(
    crystal: HarmonicCrystal, scheme: str, factor: float, hint: str | None
) -> None:
    displacements, velocities = crystal.run(1500, 4.0, np.random.default_rng(3))
    frames = frames_of(crystal, displacements, velocities if scheme == "stored" else None, 4.0)
    modes = modes_of(crystal)
    scaled = replace(modes, frequencies_cm=modes.frequencies_cm * np.sqrt(factor))
    found = mode_velocities(FrameList(frames, 4.0, scheme), scaled)
    if hint is None:
        assert "over harmonic ones" in check_frequencies(found)
        # 6 ps: bins of 5.6 cm⁻¹
        np.testing.assert_allclose(np.median(found.frequencies_cm() / modes.frequencies_cm), 1.0, atol=0.03)
    else:
        with pytest.raises(DataError, match=hint):
            check_frequencies(found)
