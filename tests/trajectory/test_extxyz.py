from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import units
from ase.calculators.singlepoint import SinglePointCalculator

from bec_md.trajectory import Trajectory, open_trajectory
from tests.trajectory.truth import Truth

# Files hold ten decimals.
ROUNDING = 1e-9


def test_every_column_comes_back_with_its_units(truth: Truth, write) -> None:
    columns = {"vel": truth.velocities, "becs": truth.charges.reshape(5, -1, 9)}
    trajectory = open_trajectory(write(truth.extxyz(columns, "time_fs={i}.0 total_charge=-2 pbc=[T,T,F]")))
    assert isinstance(trajectory, Trajectory)
    info = trajectory.info
    assert (info.n_frames, info.n_atoms, info.timestep_fs) == (5, 7, 1.0)
    assert info.has_velocities
    assert info.has_charges
    assert info.velocity_scheme == "stored"
    frames = list(trajectory.frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.positions_ang, truth.positions[index], atol=ROUNDING)
        np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[index], atol=ROUNDING)
        np.testing.assert_allclose(frame.born_effective_charges, truth.charges[index], atol=ROUNDING)
        np.testing.assert_allclose(frame.cell_ang, truth.cell, atol=ROUNDING)
        np.testing.assert_array_equal(frame.numbers, truth.numbers)
        assert frame.pbc.tolist() == [True, True, False]
        assert frame.total_charge == -2.0
        assert frame.time_fs == index
    assert any("2 of 3 directions" in warning for warning in info.warnings)


def test_rows_of_the_lattice_are_lattice_vectors(truth: Truth, write) -> None:
    frame = next(open_trajectory(write(truth.extxyz())).frames())
    assert frame.cell_ang[1].tolist() == [1.5, 8.0, 0.0]
    assert frame.volume_ang3 == pytest.approx(7 * 8 * 9)


@pytest.mark.parametrize("suffix", [".xyz", ".xyz.gz", ".extxyz"])
def test_files_of_ase_agree_with_ase(truth: Truth, tmp_path, suffix: str) -> None:
    path = tmp_path / f"traj{suffix}"
    images = truth.atoms(charges=True)
    ase.io.write(path, images, format="extxyz")
    trajectory = open_trajectory(path)
    assert trajectory.info.timestep_fs == pytest.approx(truth.timestep_fs)
    for frame, atoms in zip(trajectory.frames(), ase.io.iread(path, format="extxyz"), strict=True):
        np.testing.assert_allclose(frame.positions_ang, atoms.positions, atol=1e-12)
        # ASE writes 8 decimals of momenta; its unit of time is from CODATA 2014, ours from 2022 (1e-8 apart).
        np.testing.assert_allclose(frame.velocities_ang_fs, atoms.get_velocities() * units.fs, atol=1e-9)
        np.testing.assert_allclose(frame.cell_ang, atoms.cell.array, atol=1e-12)
        np.testing.assert_allclose(frame.masses_amu, atoms.get_masses(), rtol=1e-12)
        np.testing.assert_allclose(
            frame.born_effective_charges.reshape(-1, 9), atoms.arrays["becs"], atol=1e-12
        )


def test_charges_that_ase_hides_in_a_calculator_are_found(truth: Truth, tmp_path) -> None:
    atoms = truth.atoms()[0]
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    atoms.calc.results["born_effective_charges"] = truth.charges[0].reshape(-1, 9)
    path = tmp_path / "one.xyz"
    ase.io.write(path, atoms)
    assert "born_effective_charges" not in ase.io.read(path).arrays  # the trap
    for source in (path, [atoms], [ase.io.read(path)]):
        frame = next(open_trajectory(source).frames())
        np.testing.assert_allclose(frame.born_effective_charges, truth.charges[0], atol=1e-7)


@pytest.mark.parametrize("name", ["born_effective_charges", "becs", "bec", "born_charge", "REF_becs"])
def test_known_charge_names(truth: Truth, write, name: str) -> None:
    path = write(truth.extxyz({name: truth.charges.reshape(5, -1, 9)}))
    frame = next(open_trajectory(path).frames())
    np.testing.assert_allclose(frame.born_effective_charges, truth.charges[0], atol=ROUNDING)


def test_own_charge_name_and_transposed_order(truth: Truth, write) -> None:
    path = write(truth.extxyz({"zstar": truth.charges.reshape(5, -1, 9)}))
    assert not open_trajectory(path).info.has_charges
    frame = next(open_trajectory(path, charges_key="zstar", charges_transposed=True).frames())
    expected = truth.charges[0].swapaxes(1, 2)
    np.testing.assert_allclose(frame.born_effective_charges, expected, atol=ROUNDING)


def test_scalar_column_with_a_charge_name_is_not_read_but_mentioned(truth: Truth, write) -> None:
    info = open_trajectory(write(truth.extxyz({"born_charge": truth.charges[..., 0, :1]}))).info
    assert not info.has_charges
    assert any("born_charge has 1 components" in warning for warning in info.warnings)


@pytest.mark.parametrize(
    ("column", "factor"),
    [("vel", 1.0), ("velo", 1.0), ("velocities", 1.0 / units.fs), ("velocity", 1.0 / units.fs)],
)
def test_velocity_columns_follow_their_writers(truth: Truth, write, column: str, factor: float) -> None:
    trajectory = open_trajectory(write(truth.extxyz({column: truth.velocities * factor})))
    frame = next(trajectory.frames())
    np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[0], rtol=1e-6, atol=ROUNDING)
    assert "assumed" in trajectory.info.units_note


@pytest.mark.parametrize(("name", "factor"), [("ase", 1 / units.fs), ("ang/fs", 1.0), ("ang/ps", 1e3)])
def test_stated_velocity_units_win(truth: Truth, write, name: str, factor: float) -> None:
    text = truth.extxyz({"vel": truth.velocities * factor})
    by_option = open_trajectory(write(text), velocity_units=name)
    by_file = open_trajectory(
        write(truth.extxyz({"vel": truth.velocities * factor}, f"velocity_units={name}"))
    )
    for trajectory in (by_option, by_file):
        frame = next(trajectory.frames())
        np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[0], rtol=1e-6, atol=ROUNDING)
        assert "(stated)" in trajectory.info.units_note


def test_momenta_are_divided_by_the_masses_of_the_file(truth: Truth, write) -> None:
    heavy = np.full((5, 7, 1), 100.0)
    momenta = truth.velocities / units.fs * heavy
    path = write(truth.extxyz({"momenta": momenta, "masses": heavy}))
    frame = next(open_trajectory(path, masses={"O": 18.0}).frames())
    np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[0], rtol=1e-6, atol=ROUNDING)
    np.testing.assert_allclose(frame.masses_amu, np.where(truth.numbers == 8, 18.0, 100.0))


def test_masses_default_to_standard_weights_and_can_be_isotopes(truth: Truth, write) -> None:
    path = write(truth.extxyz(labels=["D", "H", "O", "O", "O", "Mg", "O"]))
    info = open_trajectory(path).info
    assert info.numbers.tolist() == [1, 1, 8, 8, 8, 12, 8]
    assert info.masses_amu[:3] == pytest.approx([2.014102, 1.008, 15.999], abs=1e-6)
    info = open_trajectory(path, masses={"H": 3.016}).info
    assert info.masses_amu[:2] == pytest.approx([2.014102, 3.016], abs=1e-6)


def test_atomic_numbers_instead_of_symbols(truth: Truth, write) -> None:
    text = truth.extxyz(labels=[str(number) for number in truth.numbers]).replace("species:S:1", "Z:I:1")
    assert open_trajectory(write(text)).info.numbers.tolist() == truth.numbers.tolist()


@pytest.mark.parametrize(("opener", "suffix"), [(gzip, ".gz"), (bz2, ".bz2"), (lzma, ".xz")])
def test_compressed_files_by_content(truth: Truth, tmp_path, opener, suffix: str) -> None:
    for name in (f"traj.xyz{suffix}", "traj.xyz"):  # the second has lost its suffix
        path = tmp_path / name
        path.write_bytes(opener.compress(truth.extxyz({"vel": truth.velocities}).encode()))
        trajectory = open_trajectory(path)
        assert trajectory.info.n_frames == 5
        np.testing.assert_allclose(
            list(trajectory.frames())[4].positions_ang, truth.positions[4], atol=ROUNDING
        )


def test_time_keys_without_unit_are_not_trusted(truth: Truth, write) -> None:
    info = open_trajectory(write(truth.extxyz(comment="Time={i} dt=0.5"))).info
    assert info.timestep_fs is None
    assert "states no unit" in info.units_note
    assert open_trajectory(write(truth.extxyz(comment="time_ps=0.00{i}"))).info.timestep_fs == pytest.approx(
        1.0
    )
    assert open_trajectory(write(truth.extxyz(comment="timestep_fs=4"))).info.timestep_fs == 4.0


def test_without_velocities_the_scheme_is_midpoint(truth: Truth, write) -> None:
    info = open_trajectory(write(truth.extxyz())).info
    assert (info.has_velocities, info.velocity_scheme) == (False, "midpoint")
    path = write(truth.extxyz({"vel": truth.velocities}))
    assert next(open_trajectory(path, need_velocities=False).frames()).velocities_ang_fs is None


@pytest.mark.parametrize(
    "columns",
    ["Velocity:R:3", "v:R:3", "vx:R:1:vy:R:1:vz:R:1", "forces:R:3:virial:R:9:valence:R:1"],
)
def test_columns_called_like_velocities_are_mentioned(truth: Truth, write, columns: str) -> None:
    numbers = columns.split(":")[2::3]
    lines = truth.extxyz().splitlines()
    wide = [line + " 0.001" * sum(map(int, numbers)) if line[:2] in ("Mg", "O ") else line for line in lines]
    text = "\n".join(wide).replace("pos:R:3", f"pos:R:3:{columns}") + "\n"
    warned = [said for said in open_trajectory(write(text)).info.warnings if "not read as velocities" in said]
    assert len(warned) == (columns[0] in "Vv")
    assert all(columns.split(":")[0] in said and "vel:R:3 (Å/fs)" in said for said in warned)


def test_large_variable_cells_and_blank_lines_at_the_end(truth: Truth, write) -> None:
    text = truth.extxyz()
    second = text.index("7.0000000000", text.index("\n7\n"))
    text = text[:second] + "7.2000000000" + text[second + 12 :] + "\n  \n"
    trajectory = open_trajectory(write(text))
    assert trajectory.info.n_frames == 5
    lengths = [frame.cell_ang[0, 0] for frame in trajectory.frames()]
    assert lengths == [7.0, 7.2, 7.0, 7.0, 7.0]


def test_cells_that_frames_share_cannot_be_changed_through_one_of_them(tmp_path: Path) -> None:
    head = '1\nLattice="5 0 0 0 5 0 0 0 {}" Properties=species:S:1:pos:R:3 pbc="T T F"\nH 0 0 {}\n'
    text = "".join(head.format(5 if n < 3 else 6, 0.1 * n) for n in range(6))
    (tmp_path / "a.xyz").write_text(text)
    frames = list(open_trajectory(tmp_path / "a.xyz", timestep_fs=1.0))
    assert [frame.cell_ang[2, 2] for frame in frames] == [5.0] * 3 + [6.0] * 3
    assert frames[0].cell_ang is frames[1].cell_ang
    with pytest.raises(ValueError, match="read-only"):
        frames[0].cell_ang[0, 0] = 7.0
    with pytest.raises(ValueError, match="read-only"):
        frames[0].pbc[2] = True
