import re
from dataclasses import replace

import ase.io
import numpy as np
import pytest

from bec_md.errors import BecMDWarning, DataError
from bec_md.structure import reduced_formula
from bec_md.structure.extxyz import read_frames, write_frames
from bec_md.structure.names import CHARGE_COLUMNS

from .toy import toy_frames, write_toy


@pytest.mark.parametrize("suffix", [".xyz", ".xyz.gz", ".xyz.xz"])
def test_what_is_written_is_read_back(tmp_path, suffix):
    frames = toy_frames(3)
    words = {"smiles": "[C-]#[N+]O", "set": "{1, 2}", "formula": "a = b/c", "name": "toy_01"}
    frames[1] = replace(frames[1], total_charge=2.0, info=words).with_labels(eps_inf=None)
    file = tmp_path / f"toy{suffix}"
    write_frames(file, frames)
    for old, new in zip(frames, read_frames(file), strict=True):
        # eight decimals for positions, six for tensors
        np.testing.assert_allclose(new.positions_ang, old.positions_ang, atol=5.1e-9)
        np.testing.assert_allclose(new.born_effective_charges, old.born_effective_charges, atol=5.1e-7)
        np.testing.assert_array_equal(new.numbers, old.numbers)
        assert (new.eps_inf is None) == (old.eps_inf is None)
        assert new.total_charge == old.total_charge
        assert new.index == old.index
        assert words.items() <= new.info.items() or new.index != 1


def test_agrees_with_ase_on_geometry_and_tensors(tmp_path):
    file = write_toy(tmp_path / "toy.xyz", 2)
    for mine, atoms in zip(read_frames(file), ase.io.read(file, ":"), strict=True):
        np.testing.assert_array_equal(mine.positions_ang, atoms.positions)
        np.testing.assert_array_equal(mine.cell_ang, atoms.cell.array)
        np.testing.assert_array_equal(mine.pbc, atoms.pbc)
        stored = atoms.calc.results["born_effective_charges"].reshape(-1, 3, 3)
        np.testing.assert_array_equal(mine.born_effective_charges, stored)


def test_a_matrix_in_the_comment_as_ase_writes_it(tmp_path):
    file, eps = write_toy(tmp_path / "toy.xyz", 1), np.diag([2.0, 2.5, 3.0]) + 0.1
    atoms = ase.io.read(file)
    atoms.info["eps_inf"] = eps
    ase.io.write(file, atoms)
    assert "_JSON" in file.read_text()
    np.testing.assert_array_equal(read_frames(file)[0].eps_inf, eps)


@pytest.mark.parametrize("key", CHARGE_COLUMNS)
def test_every_usual_name_of_the_tensors_is_found(tmp_path, key):
    file = write_toy(tmp_path / "toy.xyz", 1)
    expected = read_frames(file)[0].born_effective_charges
    file.write_text(file.read_text().replace("born_effective_charges:R:9", f"{key}:R:9"))
    np.testing.assert_array_equal(read_frames(file)[0].born_effective_charges, expected)


def test_index_order_stated_in_the_file_or_by_the_caller_transposes(tmp_path):
    file = write_toy(tmp_path / "toy.xyz", 1)
    straight = read_frames(file)[0].born_effective_charges
    assert np.abs(straight - straight.transpose(0, 2, 1)).max() > 0.01  # not symmetric
    swapped = straight.transpose(0, 2, 1)
    with pytest.warns(BecMDWarning, match="states bec_convention=dM/du"):
        np.testing.assert_array_equal(read_frames(file, transposed=True)[0].born_effective_charges, swapped)
    file.write_text(file.read_text().replace('bec_convention="dM/du"', 'bec_convention="du/dM"'))
    np.testing.assert_array_equal(read_frames(file)[0].born_effective_charges, swapped)
    with pytest.warns(BecMDWarning, match="one of both is wrong"):
        np.testing.assert_array_equal(read_frames(file, transposed=False)[0].born_effective_charges, straight)
    file.write_text(file.read_text().replace('"du/dM"', '"Z/2"'))
    with pytest.raises(DataError, match="bec_convention='Z/2'"):
        read_frames(file)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda t: t.replace(":R:9", ":R:3"), "no 9-column"),
        (lambda t: t.replace("Mg", "Xx"), "element 'Xx' of atom 0"),
        (lambda t: t.rsplit(" ", 3)[0], "frame 1, atom 7"),
        (lambda t: t.replace("8\n", "many\n", 1), "number of atoms"),
        (lambda t: "Program PHONON v.7.2 starts\n" + t, "bec-md collect"),
        (lambda t: t.rsplit(" ", 1)[0] + " nan\n", "not a finite number"),
        (lambda t: "", "empty"),
    ],
)
def test_damage_is_reported_with_its_place(tmp_path, damage, words):
    file = write_toy(tmp_path / "toy.xyz", 2)
    file.write_text(damage(file.read_text()))
    with pytest.raises(DataError, match=words):
        read_frames(file)


def test_reduced_formula_is_independent_of_order_and_multiplicity():
    assert reduced_formula(np.array([8, 14, 8])) == "O2Si"
    assert reduced_formula(np.array([14, 8, 8, 8, 8, 14])) == "O2Si"
    assert reduced_formula(np.array([3, 3])) == "Li"


def test_frames_without_labels_are_left_out_with_their_numbers(tmp_path):
    """Files for energies and forces hold tensors in some frames only; zeros stand for a missing label."""
    first = read_frames(write_toy(tmp_path / "toy.xyz", 1))[0]
    zero = first.with_labels(born_effective_charges=np.zeros((first.n_atoms, 3, 3)))
    bare = first.with_labels(born_effective_charges=None)
    nan = first.with_labels(born_effective_charges=np.full((first.n_atoms, 3, 3), np.nan))
    write_frames(tmp_path / "mixed.xyz", [first, bare, first, zero, bare, nan])
    with pytest.warns(
        BecMDWarning, match=r"2 frame\(s\) have no tensors \(1, 4\); 2 .* all zero or NaN \(3, 5\); .* of 6"
    ):
        frames = read_frames(tmp_path / "mixed.xyz")
    assert [frame.index for frame in frames] == [0, 2]
    levels = ["PBE VASP", "PBE VASP", "PBEsol VASP"]
    write_frames(tmp_path / "two.xyz", [replace(first, info={"level": level}) for level in levels])
    with pytest.warns(BecMDWarning, match=r"two.xyz mixes labels of 2 levels of theory \(PBE VASP, PBEsol"):
        read_frames(tmp_path / "two.xyz")
    write_frames(tmp_path / "one.xyz", [replace(first, info={"level": level}) for level in levels[:2]])
    read_frames(tmp_path / "one.xyz")
    write_frames(tmp_path / "zero.xyz", [zero, zero])
    with pytest.raises(DataError, match="all 2 frames have tensors that are all zero or NaN"):
        read_frames(tmp_path / "zero.xyz")
    write_frames(tmp_path / "bare.xyz", [bare, bare])
    with pytest.raises(DataError, match="frame 0: no 9-column"):
        read_frames(tmp_path / "bare.xyz")


def test_a_tensor_that_is_no_number_is_called_so(tmp_path):
    file = write_toy(tmp_path / "toy.xyz", 1)
    file.write_text(re.sub(r'eps_inf="[^"]*"', "eps_inf=None", file.read_text()))
    with pytest.raises(DataError, match="frame 0: eps_inf=None is no tensor"):
        read_frames(file)
