from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.io import write
from scipy.spatial.transform import Rotation

from bec_md.charges import make_charge_source
from bec_md.charges.born_file import read_born
from bec_md.charges.constant import ConstantCharges
from bec_md.charges.symmetry import orbits, symmetry_operations
from bec_md.errors import DataError, UsageError

from .crystals import frame_of, quartz, site_tensors, tetragonal_perovskite


def write_born(path: Path, tensors: np.ndarray, header: str = "14.4", eps_inf: float = 2.3) -> Path:
    rows = [eps_inf * np.eye(3), *tensors]
    path.write_text(header + "\n" + "\n".join(" ".join(f"{v:.12f}" for v in r.ravel()) for r in rows) + "\n")
    return path


def supercell(atoms: Atoms, matrix: object, seed: int | None = 1) -> tuple[Atoms, np.ndarray]:
    """A supercell with its atoms shuffled, displaced and strained, and the reference atom of each."""
    labeled = atoms.copy()
    labeled.set_array("site", np.arange(len(atoms)))
    big = make_supercell(labeled, matrix)
    if seed is not None:
        rng = np.random.default_rng(seed)
        big = big[rng.permutation(len(big))]
        big.set_cell(big.cell * np.array([1.01, 1.0, 0.995]), scale_atoms=True)
        big.positions += rng.normal(scale=0.1, size=big.positions.shape)
        big.translate([0.7, -0.3, 0.2])
        big.wrap()
    return big, big.arrays["site"]


def bound_tensors(spec: str, frame: object) -> tuple[np.ndarray, tuple[str, ...]]:
    source = make_charge_source(spec, info=None).prepare(frame)
    return source.evaluate([frame, frame]).born_effective_charges[1], source.notes


@pytest.mark.parametrize(
    "matrix", [np.diag([2, 2, 2]), [[2, 0, 0], [2, 4, 0], [0, 0, 1]], np.diag([1, 1, 1])]
)
@pytest.mark.parametrize("make", [quartz, tetragonal_perovskite])
def test_tensors_follow_the_atoms_of_a_hot_strained_shuffled_supercell(
    tmp_path: Path, make: object, matrix: object
) -> None:
    atoms = make()
    tensors = site_tensors(atoms)
    write(tmp_path / "POSCAR", atoms, format="vasp", sort=False)
    write_born(tmp_path / "BORN", tensors)
    big, site = supercell(atoms, matrix)
    found, notes = bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(big))
    # the strain of 1 % leaves the axes where they are (up to the rotation part, ≤ 2e-3 for skewed cells)
    assert np.allclose(found, tensors[site], atol=0.02)
    assert (
        f"{len(big)} atoms matched by position to {len(big) // len(atoms)} × the reference cell" in notes[-1]
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_turned_supercell_gets_turned_tensors(tmp_path: Path, seed: int) -> None:
    atoms = quartz()
    tensors = site_tensors(atoms)
    reference = atoms.copy()
    reference.set_array("born_effective_charges", tensors.reshape(-1, 9))
    write(tmp_path / "unit.xyz", reference, format="extxyz")
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    turned = Atoms(atoms.numbers, atoms.positions @ turn.T, cell=np.array(atoms.cell) @ turn.T, pbc=True)
    big, site = supercell(turned, np.diag([2, 2, 1]), seed=None)
    found, notes = bound_tensors(f"born:{tmp_path / 'unit.xyz'}", frame_of(big))
    # eight digits in the file
    assert np.allclose(found, turn @ tensors[site] @ turn.T, atol=1e-6)
    assert "axes turned by" in notes[-1]


def test_a_reduced_file_is_expanded_by_symmetry(tmp_path: Path) -> None:
    atoms = quartz()
    tensors = site_tensors(atoms)
    write(tmp_path / "POSCAR", atoms, format="vasp")
    write_born(tmp_path / "BORN", tensors[[0, 3]], "# epsilon and Z* of atoms 1 4")
    big, site = supercell(atoms, np.diag([2, 2, 2]), seed=None)
    found, notes = bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(big))
    assert np.allclose(found, tensors[site], atol=1e-10)  # twelve digits in the file
    assert "2 tensors of BORN expanded to the 9 atoms of POSCAR by 6 symmetry operations" in notes[0]
    source = make_charge_source(f"born:{tmp_path / 'BORN'}", info=None).prepare(frame_of(big))
    assert np.allclose(source.evaluate([frame_of(big)]).eps_inf, 2.3 * np.eye(3), atol=1e-12)
    # the same structure named explicitly, from another place
    (tmp_path / "POSCAR").rename(tmp_path / "cell.vasp")
    named, _ = bound_tensors(f"born:{tmp_path / 'BORN'},{tmp_path / 'cell.vasp'}", frame_of(big))
    assert np.array_equal(named, found)


def test_a_full_listing_without_structure_goes_by_order(tmp_path: Path) -> None:
    atoms = quartz()
    tensors = site_tensors(atoms)
    write_born(tmp_path / "BORN", tensors)
    found, notes = bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(atoms))
    assert np.allclose(found, tensors, atol=1e-11)
    assert "in the order of BORN" in notes[0]
    big, _ = supercell(atoms, np.diag([2, 1, 1]))
    with pytest.raises(DataError, match="BORN lists 9 tensors, the trajectory has 18 atoms") as error:
        bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(big))
    assert "POSCAR" in error.value.fix


def test_a_born_file_has_a_header_and_may_end_with_comments(tmp_path: Path) -> None:
    """phonopy, too, takes the first line for a header whatever it is."""
    tensors = "".join(f"{x} 0 0 0 {x} 0 0 0 {x}\n" for x in (3.1, 2.0, -2.0))
    path = tmp_path / "BORN"
    path.write_text("14.4\n" + tensors + "# made by hand\n")
    born = read_born(path)
    assert (born.eps_inf[0, 0], born.tensors[:, 0, 0].tolist()) == (3.1, [2.0, -2.0])
    path.write_text(tensors)
    with pytest.raises(DataError, match="BORN begins with nine numbers"):
        read_born(path)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    atoms = quartz()
    write(tmp_path / "POSCAR", atoms, format="vasp")
    born = write_born(tmp_path / "BORN", site_tensors(atoms)[:3])
    with pytest.raises(DataError, match="3 tensors; POSCAR has 9 atoms, 2 of them independent"):
        bound_tensors(f"born:{born}", frame_of(atoms))
    write_born(tmp_path / "BORN", site_tensors(atoms)[:2], "# epsilon and Z* of atoms 1 2")
    with pytest.raises(DataError, match="atoms 1, 2 in the header of BORN"):
        bound_tensors(f"born:{born}", frame_of(atoms))
    write_born(born, site_tensors(atoms))
    other = tetragonal_perovskite()
    with pytest.raises(DataError, match="do not match a supercell of POSCAR"):
        bound_tensors(f"born:{born}", frame_of(other))
    molten, _ = supercell(atoms, np.diag([2, 2, 2]))
    molten.positions += np.random.default_rng(0).normal(scale=1.5, size=molten.positions.shape)
    with pytest.raises(DataError, match="do not match a supercell"):
        bound_tensors(f"born:{born}", frame_of(molten))
    born.write_text("14.4\n" + "1 0 0 0 1 0 0 0 1\n" * 2 + "1 2 three\n")
    with pytest.raises(DataError, match="line 4 of BORN is '1 2 three'"):
        bound_tensors(f"born:{born}", frame_of(atoms))
    with pytest.raises(UsageError, match="no such file"):
        bound_tensors("born:absent", frame_of(atoms))
    write(tmp_path / "bare.xyz", atoms, format="extxyz")
    with pytest.raises(DataError, match="carries no Born effective charges as a structure"):
        bound_tensors(f"born:{tmp_path / 'bare.xyz'}", frame_of(atoms))


def cubic_perovskite() -> Atoms:
    return Atoms(
        "SrTiO3",
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
        cell=[3.94] * 3,
        pbc=True,
    )


def test_a_damaged_born_file_is_named_by_its_line(tmp_path: Path) -> None:
    """Also where it no longer looks like one."""
    write(tmp_path / "POSCAR", quartz(), format="vasp")
    for row, match in (("1 0 0 0 1 0 0 0 1 0", "line 3"), ("one two three", "line 3")):
        (tmp_path / "BORN").write_text(f"# made up\n2 0 0 0 2 0 0 0 2\n{row}\n")
        with pytest.raises(DataError, match=match):
            bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(quartz()))


@pytest.mark.parametrize("place", [2, 3, 4])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tensor_of_another_equivalent_atom_is_refused_with_the_one_it_fits(
    tmp_path: Path, place: int, axis: int
) -> None:
    """O is charged by −5.7 e along its Ti–O chain: atoms 3, 4 and 5 have theirs along x, y and z."""
    atoms = cubic_perovskite()
    oxygen = np.diag(np.where(np.arange(3) == axis, -5.69, -2.03))
    rows = [6.3 * np.eye(3), 2.55 * np.eye(3), 7.2 * np.eye(3), oxygen]
    header = f"# epsilon and Z* of atoms 1 2 {place + 1}\n"
    (tmp_path / "BORN").write_text(header + "\n".join(" ".join(f"{v:.6f}" for v in r.ravel()) for r in rows))
    write(tmp_path / "POSCAR", atoms, format="vasp")
    if place != axis + 2:
        with pytest.raises(DataError, match=rf"1\.83 e; it fits atom {axis + 3}") as error:
            bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(atoms))
        assert f"atoms 1 2 {axis + 3})" in error.value.fix
        return
    found, _ = bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(atoms))
    for chain in range(3):
        assert np.allclose(found[2 + chain], np.diag(np.where(np.arange(3) == chain, -5.69, -2.03)))


def test_a_tensor_in_other_axes_fits_no_site(tmp_path: Path) -> None:
    atoms = cubic_perovskite()
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    oxygen = turn @ np.diag([-5.69, -2.03, -2.03]) @ turn.T
    rows = [6.3 * np.eye(3), 2.55 * np.eye(3), 7.2 * np.eye(3), oxygen]
    (tmp_path / "BORN").write_text(
        "default\n" + "\n".join(" ".join(f"{v:.6f}" for v in r.ravel()) for r in rows)
    )
    write(tmp_path / "POSCAR", atoms, format="vasp")
    with pytest.raises(DataError, match="fits no atom of this element"):
        bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(atoms))


def test_rounding_and_noise_of_a_calculation_are_averaged_out(tmp_path: Path) -> None:
    atoms = cubic_perovskite()
    noise = np.random.default_rng(2).normal(scale=0.01, size=(3, 3, 3))
    rows = [6.3 * np.eye(3), 2.55 * np.eye(3), 7.2 * np.eye(3), np.diag([-5.69, -2.03, -2.03])]
    rows[1:] = [row + part for row, part in zip(rows[1:], noise, strict=True)]
    (tmp_path / "BORN").write_text(
        "default\n" + "\n".join(" ".join(f"{v:.6f}" for v in r.ravel()) for r in rows)
    )
    write(tmp_path / "POSCAR", atoms, format="vasp")
    found, _ = bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(atoms))
    assert found[2, 0, 0] == pytest.approx(-5.69, abs=0.05)


def test_a_full_list_in_another_order_is_refused_or_said(tmp_path: Path) -> None:
    atoms = cubic_perovskite()
    chains = [np.diag(np.where(np.arange(3) == axis, -5.69, -2.03)) for axis in range(3)]
    full = np.array([2.55 * np.eye(3), 7.2 * np.eye(3), *chains])
    write(tmp_path / "POSCAR", atoms, format="vasp")
    found, notes = bound_tensors(f"born:{write_born(tmp_path / 'BORN', full)}", frame_of(atoms))
    assert np.allclose(found, full)
    assert not any("symmetry" in note for note in notes)
    swapped = full[[0, 1, 3, 2, 4]]
    with pytest.raises(DataError, match=r"atom 3 in BORN .* fits atom 4|atom 4 in BORN .* fits atom 3"):
        bound_tensors(f"born:{write_born(tmp_path / 'BORN', swapped)}", frame_of(atoms))
    # general positions have no symmetry of their own: what relates them tells
    crystal = quartz()
    tensors = site_tensors(crystal)
    write(tmp_path / "POSCAR", crystal, format="vasp", sort=False)
    _, notes = bound_tensors(f"born:{write_born(tmp_path / 'BORN', tensors)}", frame_of(crystal))
    assert not any("break the symmetry" in note for note in notes)
    mixed = tensors[[0, 1, 2, 4, 3, 5, 6, 7, 8]]
    _, notes = bound_tensors(f"born:{write_born(tmp_path / 'BORN', mixed)}", frame_of(crystal))
    assert any("break the symmetry" in note for note in notes)


@pytest.mark.parametrize("ending", ["", "x"], ids=["number", "no number"])
def test_a_header_of_thousands_of_digits_is_a_sentence_at_once(tmp_path: Path, ending: str) -> None:
    # with a pattern that may share digits among repeats, "x" would take 2^5000 attempts
    path = write_born(tmp_path / "BORN", site_tensors(quartz())[:2], "# of atoms " + 5000 * "9" + ending)
    with pytest.raises(
        DataError, match="damaged, or no BORN file" if not ending else "POSCAR|structure|atoms"
    ):
        bound_tensors(f"born:{path}", frame_of(quartz()))


SALT = Atoms("MgO", positions=[[0, 0, 0], [2.105, 2.105, 2.105]], cell=2.105 * (1 - np.eye(3)), pbc=True)
SALT_CUBE = make_supercell(SALT, [[-1, 1, 1], [1, -1, 1], [1, 1, -1]])


@pytest.mark.parametrize("matrix", [np.eye(3), np.diag([3, 3, 4])], ids=["2 atoms", "72 atoms"])
def test_a_conventional_reference_serves_frames_of_the_primitive_cell(tmp_path: Path, matrix: object) -> None:
    cube = SALT_CUBE[np.argsort(-SALT_CUBE.numbers, kind="stable")]
    write(tmp_path / "POSCAR", cube, format="vasp")
    write_born(
        tmp_path / "BORN", np.array([1.95 * np.eye(3), -1.95 * np.eye(3)]), "# epsilon and Z* of atoms 1 5"
    )
    frame = frame_of(make_supercell(SALT, matrix))
    found, notes = bound_tensors(f"born:{tmp_path / 'BORN'}", frame)
    expected = np.where(frame.numbers == 12, 1.95, -1.95)[:, None, None] * np.eye(3)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert "the primitive cell of POSCAR (2 atoms)" in notes[1]


def test_tensors_that_translations_do_not_make_alike_keep_their_cell(tmp_path: Path) -> None:
    """Magnetic order: two kinds of Mg in a cell that is larger than that of the atoms."""
    cube = SALT_CUBE[np.argsort(-SALT_CUBE.numbers, kind="stable")]
    write(tmp_path / "POSCAR", cube, format="vasp")
    scalars = np.array([1.8, 1.8, 2.2, 2.2, -2.0, -2.0, -2.0, -2.0])
    write_born(tmp_path / "BORN", scalars[:, None, None] * np.eye(3))
    with pytest.raises(DataError, match="do not match a supercell of POSCAR"):
        bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(SALT))


@pytest.mark.parametrize("tolerance_ang", [1e-5, 1e-2])
def test_a_reduced_file_is_read_with_the_tolerance_it_was_written_with(
    tmp_path: Path, tolerance_ang: float
) -> None:
    """Five decimals of a POSCAR break the symmetry of quartz at 1e-5 Å."""
    atoms = quartz()
    tensors = site_tensors(atoms)
    atoms.set_scaled_positions(np.round(atoms.get_scaled_positions(), 5))
    write(tmp_path / "POSCAR", atoms, format="vasp", direct=True)
    cell, numbers = np.array(atoms.cell), atoms.numbers.astype(np.int64)
    lowest = orbits(symmetry_operations(cell, atoms.positions, numbers, tolerance_ang), len(atoms))
    listed = np.unique(lowest)
    assert len(listed) == (2 if tolerance_ang == 1e-2 else 5)
    header = "# epsilon and Z* of atoms " + " ".join(str(atom + 1) for atom in listed)
    write_born(tmp_path / "BORN", tensors[listed], header)
    found, _ = bound_tensors(f"born:{tmp_path / 'BORN'}", frame_of(atoms))
    np.testing.assert_allclose(found, tensors, atol=1e-4)  # axes of a cell with five decimals


@pytest.mark.parametrize("structure", [True, False])
def test_a_full_list_is_in_the_order_of_its_header(tmp_path: Path, structure: bool) -> None:
    if structure:
        write(tmp_path / "POSCAR", SALT, format="vasp")
    path = write_born(
        tmp_path / "BORN", np.array([-2.0 * np.eye(3), 2.0 * np.eye(3)]), "# epsilon and Z* of atoms 2 1"
    )
    found, _ = bound_tensors(f"born:{path}", frame_of(SALT))
    np.testing.assert_allclose(found[:, 0, 0], [2.0, -2.0])


def test_the_permittivity_of_a_structure_file_is_carried(tmp_path: Path) -> None:
    atoms = quartz()
    atoms.set_array("born_effective_charges", site_tensors(atoms).reshape(-1, 9))
    eps_inf = np.diag([2.3, 2.3, 2.4])
    atoms.info["eps_inf"] = eps_inf.ravel()
    write(tmp_path / "unit.xyz", atoms, format="extxyz")
    frame = frame_of(atoms)
    source = make_charge_source(f"born:{tmp_path / 'unit.xyz'}", info=None).prepare(frame)
    np.testing.assert_allclose(source.evaluate([frame]).eps_inf[0], eps_inf, atol=1e-8)


@pytest.mark.parametrize(("eps_inf", "why"), [(0.0, "value 0 is below 1"), (-3.0, "-3"), (np.nan, "finite")])
def test_what_is_no_permittivity_is_left_out(tmp_path: Path, eps_inf: float, why: str) -> None:
    """Zeros stand for a missing one; longitudinal frequencies were divided by it."""
    tensors = np.array([2.0 * np.eye(3), -2.0 * np.eye(3)])
    path = write_born(tmp_path / "BORN", tensors, eps_inf=eps_inf)
    source = make_charge_source(f"born:{path}", info=None).prepare(frame_of(SALT))
    assert source.evaluate([frame_of(SALT)]).eps_inf is None
    assert any("ε_∞ of born:BORN is left out" in note and why in note for note in source.notes)


def test_a_permittivity_is_a_matrix() -> None:
    """A number was spread over all nine elements."""
    tensors = np.zeros((2, 3, 3))
    assert ConstantCharges(tensors, eps_inf=(2.5 * np.eye(3)).tolist()).eps_inf[2].tolist() == [0.0, 0.0, 2.5]
    found = ConstantCharges(tensors, eps_inf=2.5)
    assert found.eps_inf is None
    assert "its shape is ()" in found.notes[0]


def test_another_permittivity_is_another_source(tmp_path: Path) -> None:
    """Stored currents carry it: with a corrected BORN they have to be computed anew."""
    tensors = np.array([2.0 * np.eye(3), -2.0 * np.eye(3)])
    keys = set()
    for eps_inf in (2.0, 3.0):
        path = write_born(tmp_path / "BORN", tensors, eps_inf=eps_inf)
        keys.add(make_charge_source(f"born:{path}", info=None).prepare(frame_of(SALT)).fingerprint)
    assert len(keys) == 2


def test_molecules_without_a_cell_are_matched_by_order(tmp_path: Path) -> None:
    water = Atoms("OH2", [[0.0, 0.0, 0.0], [0.0, 0.76, 0.59], [0.0, -0.76, 0.59]])
    tensors = np.arange(27.0).reshape(3, 3, 3)
    water.set_array("born_effective_charges", tensors.reshape(3, 9))
    write(tmp_path / "water.xyz", water, format="extxyz")
    lists = write_born(tmp_path / "BORN", tensors), write_born(tmp_path / "BORN2", tensors[:2])
    for source in (tmp_path / "water.xyz", f"{lists[0]},{tmp_path / 'water.xyz'}"):
        found, note = bound_tensors(f"born:{source}", frame_of(water))
        np.testing.assert_allclose(found, tensors, atol=1e-6)
        assert "in the order of" in note[0]
        assert "do not follow a molecule that turns" in note[0]
        with pytest.raises(DataError, match="in the same order"):
            bound_tensors(f"born:{source}", frame_of(water[[1, 0, 2]]))
    with pytest.raises(DataError, match="3 atoms and no cell"):
        make_charge_source(f"born:{lists[1]},{tmp_path / 'water.xyz'}", info=None)


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize(("unit", "ang"), [("angstrom", 1.0), ("au", 0.529177210544)])
def test_tensors_that_phonopy_keeps_beside_its_forces(
    tmp_path: Path, nested: bool, unit: str, ang: float
) -> None:
    rows = "".join(f"    - [ {x}, 0.0, 0.0 ]\n    - [ 0.1, {x}, 0.0 ]\n    - [ 0, 0, {x} ]\n" for x in (3.0,))
    tensors = f"  born_effective_charge:\n  - # 1 (Mg)\n{rows}  - # 2 (O)\n{rows.replace('3.0', '-3.0')}"
    found = f"{tensors}  dielectric_constant:\n{rows}"
    points = "".join(
        f"  - symbol: {s} # {k}\n    coordinates: [ {x}, {x}, {x} ]\n    mass: 20.0\n"
        for k, s, x in ((1, "Mg", 0.0), (2, "O", 0.5))
    )
    side = 2.105 / ang
    lattice = "".join(
        f"  - [ {a * side}, {b * side}, {c * side} ]\n" for a, b, c in ((0, 1, 1), (1, 0, 1), (1, 1, 0))
    )
    nac = f"nac:\n{found}" if nested else re.sub("^  ", "", found, flags=re.M)
    path = tmp_path / "phonopy_params.yaml"
    path.write_text(
        f'physical_unit:\n  length: "{unit}"\n\nprimitive_cell:\n  lattice:\n{lattice}  points:\n{points}\n'
        f"{nac}\nforce_constants:\n  shape: [ 2, 2 ]\n"
    )
    frame = frame_of(bulk("MgO", "rocksalt", 4.21) * (2, 1, 1))
    source = make_charge_source(f"born:{path}", info=None).prepare(frame)
    batch = source.evaluate([frame])
    np.testing.assert_allclose(batch.born_effective_charges[0][:, 0, 0], [3.0, -3.0, 3.0, -3.0])
    assert (batch.born_effective_charges[0, 0, 1, 0], batch.eps_inf[0, 2, 2]) == (0.1, 3.0)
    path.write_text("phonopy:\n  version: 3\n")
    with pytest.raises(DataError, match="holds no Born effective charges"):
        make_charge_source(f"born:{path}", info=None)
