"""Files for ASE whose headers announce more than they hold, and what ASE raises in words."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

from bec_md.compare import open_curve
from bec_md.current import compute_current, load_current, open_current
from bec_md.description import describe
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.files import in_words, read_text
from bec_md.modes.files import read_modes
from bec_md.network import load_model
from bec_md.network.model_file import read_header
from bec_md.structure.ase_files import images, read_structure
from bec_md.structure.names import CHARGES
from bec_md.training.collection import read_output
from bec_md.training.config import load_config
from bec_md.trajectory import open_trajectory
from tests.training.outputs import OUTCAR

SALT = Atoms("NaCl", cell=[5.6] * 3, positions=[[0.0, 0, 0], [2.8, 2.8, 2.8]], pbc=True)
MANY = 10**12
#: Format → a number of its header, and what it is replaced by.
COUNTS = {
    "vasp": (r"\n +1 +1\n", f"\n {MANY} 1\n"),
    "vasp-xdatcar": (r"\n +1 +1\n", f"\n {MANY} 1\n"),
    "extxyz": (r"\A2", str(MANY)),
    "xyz": (r"\A2", str(MANY)),
    "lammps-data": (r"2 atoms", f"{MANY} atoms"),
    "cfg": (r"particles = 2", f"particles = {MANY}"),
    "cube": (r"\n +2 ", f"\n {MANY} "),
    "jsv": (r"\[nbond\]  0", f"[nbond]  {MANY}"),
}


@pytest.fixture
def written(tmp_path: Path):
    def write(kind: str, old: str = "", new: str = "") -> Path:
        path = tmp_path / ("POSCAR" if kind == "vasp" else f"s.{kind}")
        ase.io.write(path, SALT, format=kind)
        changed = re.sub(old, new, path.read_text(), count=1)
        assert not old or changed != path.read_text()
        path.write_text(changed)
        return path

    return write


@pytest.mark.parametrize("kind", COUNTS)
def test_counts_beyond_the_bytes_are_refused(kind: str, written) -> None:
    with pytest.raises(DataError, match=f"announces {MANY} .* has|ends before what it announces"):
        read_structure(written(kind, *COUNTS[kind]))


def test_columns_beyond_the_bytes_are_refused(written) -> None:
    path = written("extxyz", "pos:R:3", f"pos:R:{MANY}")
    with pytest.raises(DataError, match=f"announces {MANY} atoms or columns, but has {path.stat().st_size}"):
        read_structure(path)


def test_a_trajectory_by_ase_is_compared_too(written) -> None:
    with pytest.raises(DataError, match=f"announces {MANY}"):
        open_trajectory(written("vasp", *COUNTS["vasp"]), time_series=False)


def test_arrays_beyond_memory_are_a_sentence(written) -> None:
    path = written("json", re.escape("[[3, 3]"), "[[3, 1000000000000000]")
    with pytest.raises(
        DataError, match=f"its {path.stat().st_size} bytes announce more than fits into memory"
    ):
        read_structure(path)


@pytest.mark.parametrize("kind", ["vasp", "extxyz", "lammps-data", "cube", "cif", "traj", "json"])
def test_healthy_files_are_read_as_ase_reads_them(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"s.{kind}"
    ase.io.write(path, SALT, format=kind)
    found, expected = read_structure(path), ase.io.read(path, format=kind)
    assert found.get_chemical_formula() == expected.get_chemical_formula()
    np.testing.assert_array_equal(found.positions, expected.positions)
    np.testing.assert_array_equal(found.cell.array, expected.cell.array)


def test_compressed_and_latin_files_are_read(written, tmp_path: Path) -> None:
    path = written("vasp")
    path.write_bytes(b"sel \xe9" + path.read_bytes())
    packed = tmp_path / "POSCAR.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_structure(path).positions, SALT.positions)
    np.testing.assert_array_equal(read_structure(packed).positions, SALT.positions)


def test_a_large_cell_of_one_atom_announces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    path.write_text("x\n1\n1000 0 0\n0 1000 0\n0 0 1000\n1\nDirect\n0 0 0\n".replace("x", "H"))
    assert len(read_structure(path)) == 1


def test_frames_are_chosen(tmp_path: Path) -> None:
    path = tmp_path / "t.extxyz"
    ase.io.write(path, [SALT[:1], SALT], format="extxyz")
    assert [len(atoms) for atoms in images(path, slice(1, None))] == [2]
    assert [len(atoms) for atoms in images(path, slice(None))] == [1, 2]


def test_of_several_structures_the_last_one_is_taken_and_said(tmp_path: Path) -> None:
    path = tmp_path / "relaxation.extxyz"
    ase.io.write(path, [SALT, SALT[:1], SALT[:1]], format="extxyz")
    with pytest.warns(BecMDWarning, match=r"relaxation\.extxyz holds 3 structures: the last one is taken"):
        assert len(read_structure(path)) == 1


def test_types_of_lammps_are_no_elements(tmp_path: Path) -> None:
    """ASE takes type 1 for hydrogen: silicon got the charges of H₂."""
    head = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
    path = tmp_path / "a.lammpstrj"
    path.write_text(head + "ITEM: ATOMS id type x y z\n1 1 0 0 0\n2 1 2 2 2\n")
    with pytest.raises(DataError, match="atom types have no elements"):
        read_structure(path)
    path.write_text(head + "ITEM: ATOMS id type element x y z\n1 1 Si 0 0 0\n2 1 Si 2 2 2\n")
    assert read_structure(path).symbols.get_chemical_formula() == "Si2"


@pytest.mark.parametrize("kind", ["extxyz", "xyz"])
def test_heavy_hydrogen_keeps_its_mass(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"water.{kind}"
    comment = 'Properties=species:S:1:pos:R:3 pbc="F F F"' if kind == "extxyz" else "D of water"
    path.write_text(f"4\n{comment}\nO 0 0 0\nD 0.96 0 0\n  T -0.24 0.93 0\nH 5 0 0\n")
    atoms = read_structure(path)
    assert atoms.numbers.tolist() == [8, 1, 1, 1]
    np.testing.assert_allclose(atoms.get_masses(), [15.999, 2.0141018, 3.0160493, 1.008])
    np.testing.assert_allclose(atoms.positions[:, 0], [0, 0.96, -0.24, 5])


def test_errors_without_words_have_a_name() -> None:
    assert in_words(KeyError()) == "KeyError"
    assert in_words(ValueError("a\n  b")) == "a b"
    assert in_words(MemoryError()) == "it announces more than fits into memory"


COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@pytest.mark.parametrize("suffix", COMPRESSED)
@pytest.mark.parametrize("door", [read_structure, read_output, read_text, lambda path: open_trajectory(path)])
def test_what_unpacks_to_more_than_memory_holds_is_refused(door, suffix, tmp_path: Path, monkeypatch) -> None:
    """11 MB of empty lines in some kB, with 30 MB of free memory: 3 MB may be read."""
    monkeypatch.setattr("bec_md.files.available_bytes", lambda: 30 << 20)
    path = tmp_path / f"s.cif{suffix}"
    with COMPRESSED[suffix](path, "wb") as out:
        out.write(b"data_s\n_cell_length_a 5\n vasp. BORN EFFECTIVE CHARGES\n")
        for _ in range(10):
            out.write(b"\n" * 1_100_000)
    with pytest.raises(DataError, match=r"[34] MiB or more of content(.|\n)*a 10th of the free memory"):
        door(path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    with path.open("wb") as out:
        out.truncate(2 << 30)  # zeros that take no room
    with pytest.raises(DataError, match="2048 MiB or more of content"):
        read_structure(path)


def test_compressed_structures_and_outputs_are_read(tmp_path: Path, written) -> None:
    plain = written("cif")
    packed = tmp_path / "s.cif.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_structure(packed) == read_structure(plain)
    output = tmp_path / "OUTCAR"
    output.write_text(OUTCAR)
    (tmp_path / "OUTCAR.gz").write_bytes(gzip.compress(OUTCAR.encode()))
    before, after = (read_output(tmp_path / name)[0] for name in ("OUTCAR", "OUTCAR.gz"))
    np.testing.assert_array_equal(before.labels[CHARGES], after.labels[CHARGES])


@pytest.mark.parametrize("direct", [True, False])
def test_deuterium_of_a_poscar_is_hydrogen_of_its_mass(tmp_path: Path, direct: bool) -> None:
    heavy = Atoms("H2OHO", np.arange(15).reshape(5, 3) / 4, cell=[4, 4, 4], pbc=True)
    ase.io.write(tmp_path / "POSCAR", heavy, format="vasp", direct=direct, sort=False)
    lines = (tmp_path / "POSCAR").read_text().splitlines(keepends=True)
    (tmp_path / "POSCAR").write_text("".join([*lines[:5], " D O H O \n", *lines[6:]]))
    atoms = read_structure(tmp_path / "POSCAR")
    np.testing.assert_allclose(atoms.positions, heavy.positions)
    assert str(atoms.symbols) == "H2OHO"
    np.testing.assert_allclose(atoms.get_masses(), [2.0141, 2.0141, 15.999, 1.008, 15.999], atol=1e-4)


def test_sites_of_one_element_in_a_poscar(tmp_path: Path) -> None:
    salt = Atoms("Fe2O2", np.arange(12).reshape(4, 3) / 4, cell=[4, 4, 4], pbc=True)
    ase.io.write(tmp_path / "POSCAR", salt, format="vasp", sort=False)
    lines = (tmp_path / "POSCAR").read_text().splitlines(keepends=True)
    (tmp_path / "POSCAR").write_text("".join([*lines[:5], " Fe1 Fe2 O_s \n 1 1 2\n", *lines[7:]]))
    assert str(read_structure(tmp_path / "POSCAR").symbols) == "Fe2O2"


@pytest.mark.parametrize(
    "door",
    [
        read_structure, read_output, open_trajectory, load_current, load_config, load_model, open_current,
        lambda path: open_curve(path, "n"), lambda path: read_modes(path, SALT), describe, read_header,
        lambda path: compute_current(SALT, charges=f"born:{path}", timestep_fs=1.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_called_that(door, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "p"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="is a pipe or a device"):
        door(path)


def cif(rows: int, operations: tuple[str, ...]) -> str:
    places = [(i % 20 / 20, i // 20 % 20 / 20, i // 400 / 200) for i in range(rows)]
    atoms = "".join(f"{('Mg', 'O')[i % 2]} {x} {y} {z}\n" for i, (x, y, z) in enumerate(places))
    lengths = "".join(f"_cell_length_{axis} 60\n_cell_angle_{angle} 90\n" for axis, angle in AXES)
    symmetry = "".join(f"'{operation}'\n" for operation in operations)
    sites = "".join(f"_atom_site_{name}\n" for name in ("type_symbol", "fract_x", "fract_y", "fract_z"))
    group = "P 1" if len(operations) == 1 else "P 2"
    lengths += f"_symmetry_space_group_name_H-M '{group}'\n"
    return f"data_x\n{lengths}loop_\n_symmetry_equiv_pos_as_xyz\n{symmetry}loop_\n{sites}{atoms}"


AXES = (("a", "alpha"), ("b", "beta"), ("c", "gamma"))


def test_a_large_cif_without_symmetry_is_read_as_a_small_one(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "t.cif").write_text(cif(40_000, ("x,y,z",)))
    assert len(read_structure(tmp_path / "t.cif")) == 40_000
    (tmp_path / "s.cif").write_text(cif(150, ("x,y,z",)))
    expected = read_structure(tmp_path / "s.cif")
    monkeypatch.setattr("bec_md.structure.ase_files._COMPARED_ATOMS", 100)
    found = read_structure(tmp_path / "s.cif")
    assert found.get_chemical_symbols() == expected.get_chemical_symbols()
    np.testing.assert_allclose(found.positions, expected.positions, atol=1e-12)
    assert (found.pbc == expected.pbc).all()
    assert (found.cell == expected.cell).all()


def test_symmetry_that_makes_too_many_atoms_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.cif").write_text(cif(3000, ("x,y,z", "-x,y,-z")))
    with pytest.raises(DataError, match="symmetry makes up to 6000 atoms"):
        read_structure(tmp_path / "t.cif")


def test_a_site_that_is_occupied_in_part_is_refused(tmp_path: Path) -> None:
    """ASE fills it without a word, and the tensors would be those of another crystal."""
    text = cif(2, ("x,y,z",))
    lines = text.splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("_atom_site_"))
    for share, refused in (("1.0", False), ("0.5(1)", True), (".", False)):
        rows = [f"{line} {share if row == 1 else '1.0'}" for row, line in enumerate(lines[last + 1 :])]
        content = [*lines[: last + 1], "_atom_site_occupancy", *rows]
        (tmp_path / "t.cif").write_text("\n".join(content) + "\n")
        if refused:
            with pytest.raises(DataError, match=r"is occupied to 0\.5"):
                read_structure(tmp_path / "t.cif")
        else:
            assert len(read_structure(tmp_path / "t.cif")) == 2


def test_a_g96_has_the_elements_of_its_names_and_one_frame(tmp_path: Path) -> None:
    """ASE takes NA for nitrogen, Cl- for carbon, and the atoms of all frames for those of one."""

    def text(*names: str) -> str:
        rows = [
            f"    1 X     {name:<5s}{row:7d}    0.1    0.2    0.{row}" for row, name in enumerate(names, 1)
        ]
        return "\n".join(["POSITION", *rows, "END", "BOX", " 0.9 0.8 0.7 0 0 0.2 0 -0.1 0.1", "END", ""])

    path = tmp_path / "a.g96"
    path.write_text("TITLE\nsalt\nEND\n" + text("Na", "Cl-", "OW", "HW1"))
    (atoms,) = images(path)
    assert atoms.get_chemical_symbols() == ["Na", "Cl", "O", "H"]
    np.testing.assert_allclose(atoms.cell.array, [[9, 0, 0], [2, 8, 0], [-1, 1, 7]])
    path.write_text(text("NA", "CL"))
    with pytest.raises(DataError, match="which element is NA"):
        next(images(path))
    path.write_text(2 * text("O"))
    with pytest.raises(DataError, match="several frames"):
        next(images(path))
