from __future__ import annotations

import bz2
import gzip
import lzma
import re
from pathlib import Path

import numpy as np
import pytest

import bec_md
from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.structure.extxyz import iterate_frames
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.readers.text import is_cut_number
from tests.trajectory.readers import binary
from tests.trajectory.readers import motion as text_of
from tests.trajectory.readers.motion import Motion
from tests.trajectory.truth import Truth, assert_helpful


def read_all(path, **options) -> None:
    list(open_trajectory(path, **options).frames())


def replace_row(text: str, frame: int, atom: int, row: str, n_atoms: int = 7) -> str:
    lines = text.split("\n")
    lines[frame * (n_atoms + 2) + 2 + atom] = row
    return "\n".join(lines)


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", "1e+39"])
@pytest.mark.parametrize("column", ["pos", "vel", "becs"])
def test_numbers_of_no_simulation(truth: Truth, write, bad: str, column: str) -> None:
    columns = {"vel": truth.velocities, "becs": truth.charges.reshape(5, -1, 9)}
    place = {"pos": 1, "vel": 4, "becs": 9}[column]
    rows = truth.extxyz(columns).split("\n")[3 * 9 + 2 + 5].split()
    rows[place] = bad
    with pytest.raises(DataError) as caught:
        read_all(write(replace_row(truth.extxyz(columns), 3, 5, " ".join(rows))))
    word = {"pos": "position", "vel": "velocity", "becs": "Born effective charge"}[column]
    assert_helpful(caught.value, "traj.xyz", "frame 3", "atom 5", word, bad)


def test_changing_number_of_atoms(truth: Truth, write) -> None:
    lines = truth.extxyz().split("\n")
    lines[2 * 9] = "6"
    del lines[2 * 9 + 4]
    path = write("\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_all(path)
    assert_helpful(caught.value, "frame 2", "6 atoms", "7 in frame 0")
    opened = open_trajectory(path, stop=2)
    assert not opened.info.warnings  # nothing is cut off
    assert len(list(opened.frames())) == 2


def test_changing_order_of_species(truth: Truth, write) -> None:
    lines = truth.extxyz().split("\n")
    start = 4 * 9 + 2
    lines[start + 1], lines[start + 2] = lines[start + 2], lines[start + 1]
    with pytest.raises(DataError) as caught:
        read_all(write("\n".join(lines)))
    assert_helpful(caught.value, "frame 4", "atom 1", "sorted by their id")


@pytest.mark.parametrize("frame", [1, 3])
def test_changing_periodic_directions(truth: Truth, write, frame: int) -> None:
    lines = truth.extxyz(comment='pbc="T T T"').split("\n")
    lines[frame * 9 + 1] = lines[frame * 9 + 1].replace('pbc="T T T"', 'pbc="T T F"')
    with pytest.raises(DataError) as caught:
        read_all(write("\n".join(lines)))
    assert_helpful(caught.value, f"frame {frame}", "[True, True, False]", "other than frame 0")


def test_no_cell_no_volume_no_periodicity(truth: Truth, write) -> None:
    for text, word in (
        (truth.extxyz(lattice=False), "no Lattice"),
        (truth.extxyz().replace('9.0000000000"', '0.0000000000"'), "no volume"),
        (truth.extxyz(comment='pbc="F F F"'), "no direction is periodic"),
        (truth.extxyz(comment="pbc=maybe"), "pbc"),
        (truth.extxyz().replace('9.0000000000"', 'nine"'), "not nine numbers"),
    ):
        with pytest.raises(DataError) as caught:
            read_all(write(text))
        assert_helpful(caught.value, "traj.xyz, frame 0", word)
    atoms = truth.atoms()
    for image in atoms:
        image.cell[:] = 0.0
    with pytest.raises(DataError) as caught:
        open_trajectory(atoms)
    assert_helpful(caught.value, "no volume")


def test_unknown_element(truth: Truth, write) -> None:
    with pytest.raises(DataError) as caught:
        read_all(write(truth.extxyz(labels=["Mg", "Mg1", "O", "O", "O", "Mg", "O"])))
    assert_helpful(caught.value, "'Mg1'", "atom 1", "did you mean Mg?")
    atoms = truth.atoms()
    atoms[0].numbers[3] = 0
    with pytest.raises(DataError) as caught:
        open_trajectory(atoms)
    assert_helpful(caught.value, "atom 3", "atomic number 0")


def test_truncated_last_frame_is_left_out_and_reported(truth: Truth, write) -> None:
    text = truth.extxyz({"vel": truth.velocities})
    frame = len(text) // 5
    for cut in (2, 5, 12, 100, frame - 40, frame - 3):
        trajectory = open_trajectory(write(text[:-cut]))
        assert trajectory.info.n_frames == 4
        assert any("frame 4 is cut off" in warning for warning in trajectory.info.warnings)
        assert [item.index for item in trajectory.frames()] == [0, 1, 2, 3]
    whole = open_trajectory(write(text[:-1]))  # only the last line end is missing
    assert whole.info.n_frames == 5
    assert whole.info.warnings == ()


def test_a_single_atom_needs_no_line_end(write) -> None:
    """Above its row is the comment, with more words."""
    text = '1\nLattice="0 2 2 2 0 2 2 2 0" Properties=species:S:1:pos:R:3 pbc="T T T"\nMg 0.0 0.0 0.0'
    trajectory = open_trajectory(write(text), time_series=False)
    assert len(list(trajectory.frames())) == trajectory.info.n_frames == 1


def test_a_last_number_without_its_exponent_is_no_number(truth: Truth, write) -> None:
    """5.48644 of 5.48644e-02 would be a burst of velocity, or a jump."""
    text = truth.extxyz({"vel": truth.velocities})
    text = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.8e}", text)
    for cut in range(2, 8):
        assert open_trajectory(write(text[:-cut])).info.n_frames == 4
    assert open_trajectory(write(text[:-1])).info.n_frames == 5
    assert [is_cut_number(token, "-1.20e-03") for token in ("5.48e-02", "5.48e", "5.48e-0", "5.48")] == [
        False,
        True,
        True,
        True,
    ]
    assert not is_cut_number("1.78", "1e-17")  # a zero
    assert not is_cut_number("Fe", "O")


def test_truncated_compressed_file_keeps_what_is_whole(truth: Truth, tmp_path) -> None:
    path = tmp_path / "traj.xyz.gz"
    packed = gzip.compress(truth.extxyz({"vel": truth.velocities}).encode())
    path.write_bytes(packed[:-400])
    trajectory = open_trajectory(path)
    frames = list(trajectory.frames())
    assert 1 <= len(frames) == trajectory.info.n_frames < 5
    assert any("cut off" in warning for warning in trajectory.info.warnings)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_compressed_file_from_which_nothing_can_be_unpacked(truth: Truth, tmp_path, suffix) -> None:
    packed = {"gz": gzip, "bz2": bz2, "xz": lzma}[suffix].compress(truth.extxyz().encode())
    path = tmp_path / f"traj.xyz.{suffix}"
    path.write_bytes(packed[: len(packed) * 3 // 4 if suffix == "bz2" else 12])
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, path.name, "nothing can be unpacked")


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_packed_files_behind_one_another(truth: Truth, tmp_path, suffix) -> None:
    """`cat a.xz b.xz`: padding is allowed, and damage behind the first stream loses no frames in silence."""
    pack = {"gz": gzip, "bz2": bz2, "xz": lzma}[suffix].compress
    lines = truth.extxyz().splitlines(keepends=True)
    first, second = pack("".join(lines[:18]).encode()), pack("".join(lines[18:]).encode())
    path = tmp_path / f"traj.xyz.{suffix}"
    for padding in (b"", bytes(512)):
        path.write_bytes(first + padding + second + padding)
        trajectory = open_trajectory(path)
        assert trajectory.info.n_frames == len(list(trajectory.frames())) == 5
        assert not trajectory.info.warnings
    for damaged in (b"behind it" + second, second[:1] + b"?" + second[2:]):
        path.write_bytes(first + damaged)
        with pytest.raises(DataError, match="cannot be read on"):
            open_trajectory(path)
    path.write_bytes(first + second[:12])
    assert open_trajectory(path).info.n_frames == 2
    assert any("cut off" in warning for warning in open_trajectory(path).info.warnings)


def test_truncated_only_frame_is_an_error(truth: Truth, write) -> None:
    text = truth.extxyz()
    with pytest.raises(BecMDError) as caught:
        read_all(write(text[: len(text) // 7]))
    assert_helpful(caught.value, "traj.xyz")


def test_empty_missing_and_folder(truth: Truth, write, tmp_path) -> None:
    with pytest.raises(DataError) as caught:
        open_trajectory(write("", "empty.xyz"))
    assert_helpful(caught.value, "empty.xyz", "0 bytes")
    write(truth.extxyz(), "trajectory.xyz")
    with pytest.raises(UsageError) as caught:
        open_trajectory(tmp_path / "trajektory.xyz")
    assert_helpful(caught.value, "trajektory.xyz", "did you mean trajectory.xyz")
    with pytest.raises(UsageError) as caught:
        open_trajectory(tmp_path)
    assert_helpful(caught.value, "folder")
    with pytest.raises(UsageError) as caught:
        open_trajectory(tmp_path / "nowhere" / "trajectory.xyz")
    assert_helpful(caught.value, "no folder")


def test_wrong_shape_of_charges(truth: Truth, write) -> None:
    path = write(truth.extxyz({"z": truth.charges[..., 0]}))
    with pytest.raises(DataError) as caught:
        open_trajectory(path, charges_key="z")
    assert_helpful(caught.value, "'z'", "3×3")
    with pytest.raises(DataError) as caught:
        open_trajectory(path, charges_key="zstar")
    assert_helpful(caught.value, "zstar", "z")
    atoms = truth.atoms()
    atoms[0].arrays["becs"] = np.zeros((7, 6))
    with pytest.raises(DataError) as caught:
        open_trajectory(atoms)
    assert_helpful(caught.value, "(7, 6)")


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([0, 2, 4, 4, 6], ("frame 3", "not later")),
        ([0, 2, 4, 3, 6], ("frame 3", "not later")),
        ([0, 2, 4, 8, 10], ("frame 3", "4 fs", "2 fs")),
        ([0, 2, 4, 6, 8.1], ("frame 4", "2.1 fs")),
        ([4, 2, 0, -2, -4], ("frame 1", "not later")),
    ],
)
def test_times_that_are_not_a_grid(truth: Truth, times: list[float], words: tuple[str, ...]) -> None:
    atoms = truth.atoms()
    for image, time_fs in zip(atoms, times, strict=True):
        image.info["time_fs"] = float(time_fs)
    with pytest.raises(DataError) as caught:
        read_all(atoms)
    assert_helpful(caught.value, *words)


def test_a_gap_is_found_even_when_the_time_step_is_given(truth: Truth) -> None:
    atoms = truth.atoms()
    atoms[3].info["time_fs"] = 8.0
    atoms[4].info["time_fs"] = 10.0
    with pytest.raises(DataError, match="frame 3"):
        read_all(atoms, timestep_fs=2.0)


def test_frames_that_lose_an_array(truth: Truth) -> None:
    atoms = truth.atoms()
    del atoms[2].arrays["momenta"]
    with pytest.raises(DataError) as caught:
        read_all(atoms)
    assert_helpful(caught.value, "frame 2", "velocities_ang_fs are missing")


def test_damaged_text(truth: Truth, write) -> None:
    text = truth.extxyz({"vel": truth.velocities})
    cases = {
        "rows cannot be read": replace_row(text, 1, 2, "O 1.0 2.0 what 0 0 0"),
        "8 columns in the first row": replace_row(text, 1, 0, "Mg 1.0 2.0 3.0 0 0 0 9"),
        "expected the number of atoms": text.replace("\n7\nLattice", "\nseven\nLattice", 2),
        "Properties=species": text.replace("vel:R:3", "vel:R:three"),
        "lack species or positions": text.replace("pos:R:3", "place:R:3"),
        "2 components": text.replace("vel:R:3", "vel:R:2:rest:R:1"),
        "time_fs=soon": text.replace("vel:R:3", "vel:R:3 time_fs=soon"),
        "velocity_units=knots": text.replace("vel:R:3", "vel:R:3 velocity_units=knots"),
    }
    for word, damaged in cases.items():
        with pytest.raises(DataError) as caught:
            read_all(write(damaged))
        assert_helpful(caught.value, "traj.xyz", word)


def test_labels_in_another_format(write) -> None:
    with pytest.raises(DataError) as caught:
        list(iterate_frames(write("ITEM: TIMESTEP\n0\n", "labels.dump")))
    assert_helpful(caught.value, "frame 0", "convert the file to extended XYZ")


def test_format_nobody_knows(write) -> None:
    with pytest.raises(DataError) as caught:
        open_trajectory(write("nothing of interest\n", "notes.abc"))
    assert_helpful(caught.value, "notes.abc", "`format")


@pytest.mark.parametrize(
    ("suffix", "word"), [("dcd", "topology"), ("nc", "topology"), ("bin", "binary LAMMPS")]
)
def test_formats_that_need_more(write, suffix: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_trajectory(write("nothing known", f"t.{suffix}"))
    assert_helpful(caught.value, word)


@pytest.mark.parametrize("name", ["run.lammpsbin", "run.dat"])
def test_binary_dumps_are_known_by_name_and_content_whatever_is_told_of_them(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"\xf6" + 7 * b"\xff" + b"DUMPCUSTOM\x01" + bytes(60))
    with pytest.raises(UsageError) as caught:
        open_trajectory(tmp_path / name, elements="Si,O", lammps_units="metal")
    assert_helpful(caught.value, "binary LAMMPS", "binary2txt")


def test_sequences_that_are_no_trajectory(truth: Truth) -> None:
    for source in ([], [1, 2], ["a", "b", "c"]):
        with pytest.raises(UsageError) as caught:
            open_trajectory(source)
        assert_helpful(caught.value, "ase.Atoms")


def test_absurd_temperature_of_assumed_units(truth: Truth, write) -> None:
    """Å/ps read as Å/fs are a million times too hot; the message names the units that fit."""
    path = write(truth.extxyz({"vel": truth.velocities * 1e3}))
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "kinetic temperature", "ang/ps would give", "`velocity_units")
    assert open_trajectory(path, velocity_units="ang/ps").info.has_velocities
    # Å/fs read as ASE units are 104 times too cold, which is not impossible: a warning.
    info = open_trajectory(write(truth.extxyz({"velocities": truth.velocities}))).info
    assert any("ang/fs would give" in warning for warning in info.warnings)
    with pytest.raises(DataError) as caught:
        open_trajectory(write(truth.extxyz({"vel": truth.velocities * 0.0})))
    assert_helpful(caught.value, "velocities are zero")
    resting = truth.velocities * (np.arange(5) > 0)[:, None, None]  # the run begins at rest
    assert open_trajectory(write(truth.extxyz({"vel": resting}))).info.has_velocities
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, velocity_units="knots")
    assert_helpful(caught.value, "knots")


def test_masses_that_cannot_be(truth: Truth, write) -> None:
    with pytest.raises(UsageError) as caught:
        open_trajectory(write(truth.extxyz()), masses={"Si": 28.0})
    assert_helpful(caught.value, "Si", "Mg, O")
    with pytest.raises(DataError) as caught:
        open_trajectory(write(truth.extxyz({"mass": np.zeros((5, 7, 1))})))
    assert_helpful(caught.value, "mass of atom 0")


# ------------------------------------------------------------------ clocks and counters of single formats
def counted(m: Motion, folder: Path, numbers: list[int], *, blank: bool = False) -> Path:
    """XDATCAR whose configurations are numbered like this, from frames 0, 1, 2 …"""
    path = text_of.xdatcar(m, folder)
    head, *frames = path.read_text().split("Direct configuration=")
    frames = [f"Direct configuration={n:6d}" + f[6:] for n, f in zip(numbers, frames, strict=True)]
    if blank:
        frames[15] = "\n" + frames[15]
    path.write_text(head + "".join(frames))
    return path


def test_configurations_of_an_xdatcar_are_counted(tmp_path: Path) -> None:
    path = counted(Motion(n_frames=30), tmp_path, [*range(10, 160, 10), *range(230, 380, 10)])
    assert open_trajectory(path, timestep_fs=1.0).info.n_frames == 30  # none is left out silently
    with pytest.raises(DataError) as caught:
        read_all(path, timestep_fs=1.0)
    assert_helpful(caught.value, "frame 15", "80 steps after", "10 steps between")


def test_an_xdatcar_that_was_appended_after_a_blank_line_is_read_to_its_end(tmp_path: Path) -> None:
    path = counted(Motion(n_frames=30), tmp_path, [*range(1, 16), *range(1, 16)], blank=True)
    trajectory = open_trajectory(path, timestep_fs=1.0)
    assert len(list(trajectory.frames())) == 30
    assert any("frame 15 counts anew" in warning for warning in trajectory.info.warnings)


def test_a_configuration_that_a_restart_repeats_in_the_place_of_another_is_named(tmp_path: Path) -> None:
    motion = Motion(n_frames=30)
    motion.positions[15] = motion.positions[14]  # left out, and the step behind it is two
    with pytest.raises(DataError) as caught:
        read_all(counted(motion, tmp_path, [*range(1, 16), *range(1, 16)]), timestep_fs=1.0)
    assert_helpful(caught.value, "frame 15", "2 times as far", "frames are missing")


@pytest.mark.parametrize("learned", [False, True])
def test_potim_of_a_vasprun_contradicts_another_time_step(tmp_path: Path, learned: bool) -> None:
    """Steps of a learned force field count like the others."""
    path = text_of.vasprun(Motion(timestep_fs=2.0), tmp_path, learned=learned)
    assert open_trajectory(path).info.timestep_fs == 2.0
    assert open_trajectory(path).info.n_frames == Motion().n_frames
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "timestep_fs=1", "2 fs apart")


def test_options_that_a_format_does_not_use_are_refused(tmp_path: Path, truth: Truth, write) -> None:
    path, pdb = write(truth.extxyz({"vel": truth.velocities})), tmp_path / "top.pdb"
    for options, named in (
        ({"lammps_units": "metal", "topology": pdb}, "lammps_units` and `topology"),
        ({"topology": pdb}, "topology"),
        ({"cell_ang": [9.0, 9.0, 9.0]}, "cell_ang"),
    ):
        with pytest.raises(UsageError) as caught:
            open_trajectory(path, timestep_fs=1.0, **options)
        assert_helpful(caught.value, named, "traj.xyz")


def test_a_broken_header_of_a_dcd_is_one_sentence(tmp_path: Path) -> None:
    path, topology = binary.dcd(Motion(), tmp_path), binary.pdb(Motion(), tmp_path)
    data = bytearray(path.read_bytes())
    data[:4] = b"\x12\x34\x56\x78"
    path.write_bytes(bytes(data))
    with pytest.raises(DataError) as caught:
        open_trajectory(path, topology=topology)
    assert_helpful(caught.value, "run.dcd", "does not begin like a DCD")


def test_a_named_site_without_mass_carries_its_charge(tmp_path: Path) -> None:
    """TIP4P of GROMACS or Amber: MW is no element, and has the charge of its name."""
    path = binary.amber(Motion(), tmp_path)
    named = {"names": ("OW", "HW1", "HW2", "MW"), "elements": ("O", "H", "H", "")}
    options = {"topology": binary.pdb(Motion(), tmp_path, **named), "elements": {"MW": "NULL"}}
    current = bec_md.compute_current(path, charges="fixed:O=0,H=0.52,MW=-1.04", **options)
    assert current.groups == ("O", "H", "X")
    expected = -1.04 * Motion().velocities[:, 3]
    np.testing.assert_allclose(current.current[:, 2], expected, atol=1e-7)
