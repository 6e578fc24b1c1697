"""XYZ files of several programs, files beside the positions, and other text in its variants."""

from __future__ import annotations

import dataclasses
import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.structure.ase_files import read_structure
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.runs import find_runs
from tests.trajectory.readers import motion as text
from tests.trajectory.readers.motion import Motion
from tests.trajectory.truth import assert_helpful

NACL = {"elements": "Na2,Cl2"}


def test_pwx_with_a_changing_cell_has_its_times_alone(motion: Motion, tmp_path: Path) -> None:
    trajectory = open_trajectory(text.pwx(motion, tmp_path, cells=True))
    assert trajectory.info.timestep_fs == pytest.approx(1.0, abs=2 * 0.005 / motion.n_frames)  # digits
    for k, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=1e-7)
    short = text.pwx(dataclasses.replace(motion, n_frames=4), tmp_path, cells=True)
    assert open_trajectory(short).info.timestep_fs is None


@pytest.mark.parametrize("labels", [("na", "CL"), ("NA1", "Cl_s"), ("Naw", "Cl-")])
@pytest.mark.parametrize("write", [text.pwx, text.aims])
def test_labels_of_any_case_with_a_suffix(
    motion: Motion, tmp_path: Path, labels: tuple[str, str], write: Callable[[Motion, Path], Path]
) -> None:
    """The mass tells Na from N, as both programs print it."""
    path = write(motion, tmp_path)
    words = path.read_text()
    for old, new in zip(("Na", "Cl"), labels, strict=True):
        words = re.sub(rf"(?<=\s){old}(_tight|1)?(?=\s)", new, words)
    path.write_text(words)
    assert open_trajectory(path).info.numbers.tolist() == [11, 11, 17, 17]
    path.write_text(re.sub(rf"(?<=\s){labels[0]}(?=\s)", "D1", words))
    assert open_trajectory(path, masses={"D": 2.014}).info.masses_amu[:2].tolist() == [2.014, 2.014]


def test_cell_may_stand_in_for_the_file_of_cells(motion: Motion, tmp_path: Path) -> None:
    path = text.cp2k(motion, tmp_path)
    (tmp_path / "run-1.cell").unlink()
    with pytest.raises(UsageError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "no cell", "`cell_ang")
    frame = next(open_trajectory(path, cell_ang=motion.cell.ravel().tolist()).frames())
    np.testing.assert_array_equal(frame.cell_ang, motion.cell)


@pytest.mark.parametrize(
    ("write", "options"), [(text.cp2k, {}), (text.ipi, {"timestep_fs": 1.0}), (text.cpx, NACL)]
)
@pytest.mark.parametrize("which", ["all", "beside"])
def test_compressed_files_are_found_beside_each_other(
    motion: Motion, tmp_path: Path, write: Any, options: dict[str, Any], which: str
) -> None:
    path = write(motion, tmp_path)
    plain = list(open_trajectory(path, **options).frames())
    for file in list(tmp_path.iterdir()):
        if which == "all" or file != path:
            file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    frames = list(open_trajectory(path if path.exists() else f"{path}.gz", **options).frames())
    for one, other in zip(frames, plain, strict=True):
        for name in ("positions_ang", "velocities_ang_fs", "cell_ang"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_velocities_of_another_file(motion: Motion, tmp_path: Path) -> None:
    path = text.cp2k(motion, tmp_path)
    (tmp_path / "run-vel-1.xyz").rename(tmp_path / "speeds.xyz")
    assert not open_trajectory(path).info.has_velocities
    trajectory = open_trajectory(path, velocities=tmp_path / "speeds.xyz")
    np.testing.assert_allclose(next(trajectory.frames()).velocities_ang_fs, motion.velocities[0], atol=1e-9)
    assert not open_trajectory(path, velocities="none").info.has_velocities


def test_velocities_at_other_steps_are_refused(motion: Motion, tmp_path: Path) -> None:
    path = text.cp2k(motion, tmp_path)
    other = tmp_path / "run-vel-1.xyz"
    lines = other.read_text().splitlines()
    other.write_text("\n".join(lines[6 * 3 :]) + "\n")  # the first three frames are missing
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "run-vel-1.xyz", "step 3", "step 0")


def test_plain_xyz(motion: Motion, tmp_path: Path) -> None:
    """LAMMPS' dump xyz has type numbers; the cell, elements and velocities come from elsewhere."""
    kinds = {"Na": "1", "Cl": "2"}
    rows = [[row.replace(row.split()[0], kinds[row.split()[0]], 1) for row in frame]
            for frame in text.rows_of(motion, motion.positions)]  # fmt: skip
    comments = [f"Atoms. Timestep: {10 * k}" for k in range(motion.n_frames)]
    path = text.xyz(rows, comments, "dump.xyz", tmp_path)
    options: dict[str, Any] = {"timestep_fs": 1.0, "cell_ang": motion.cell}
    siesta = text.xyz(text.rows_of(motion, motion.positions), [""] * motion.n_frames, "run.ANI", tmp_path)
    assert open_trajectory(siesta, **options).info.format == "plain-xyz"
    xtb = text.xyz(
        text.rows_of(motion, motion.positions), ["energy: -1"] * motion.n_frames, "xtb.trj", tmp_path
    )
    assert open_trajectory(xtb, **options).info.format == "plain-xyz"
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, **options)
    assert_helpful(caught.value, "types 1, 2", "`elements")
    trajectory = open_trajectory(path, **options, elements="Na,Cl")
    np.testing.assert_allclose(
        [frame.positions_ang for frame in trajectory.frames()], motion.positions, atol=1e-9
    )
    speeds = [[row.replace(row.split()[0], kinds[row.split()[0]], 1) for row in frame]
              for frame in text.rows_of(motion, motion.velocities)]  # fmt: skip
    other = text.xyz(speeds, comments, "speeds.xyz", tmp_path)
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, **options, elements="Na,Cl", velocities=other)
    assert_helpful(caught.value, "`velocity_units")
    trajectory = open_trajectory(path, **options, elements="Na,Cl", velocities=other, velocity_units="ang/fs")
    np.testing.assert_allclose(next(trajectory.frames()).velocities_ang_fs, motion.velocities[0], atol=1e-9)


@pytest.mark.parametrize("step_fs", [0.5, 20 * text.AUT, 1.0 / 3.0])
@pytest.mark.parametrize(
    "comment", [" i = {k:8d}, time = {t:12.3f}, E = -1.0", "Step {k}, t={t:.2f} fs, Unit is Angstrom"]
)
def test_times_of_few_digits_are_those_of_the_steps(tmp_path: Path, comment: str, step_fs: float) -> None:
    m = Motion(n_frames=150, timestep_fs=step_fs)
    comments = [comment.format(k=k, t=k * step_fs) for k in range(m.n_frames)]
    path = text.xyz(text.rows_of(m, m.positions), comments, "run-pos-1.xyz", tmp_path)
    cell = m.cell.ravel().tolist()
    info = open_trajectory(path, cell_ang=cell).info
    assert info.timestep_fs == pytest.approx(step_fs, rel=2e-4)
    assert len(list(open_trajectory(path, cell_ang=cell))) == 150
    assert open_trajectory(path, cell_ang=cell, timestep_fs=step_fs).info.timestep_fs == step_fs
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: 6 * 50] + lines[6 * 51 :]))  # one frame is missing
    with pytest.raises(DataError, match="frame 50"):
        list(open_trajectory(path, cell_ang=cell))
    if "time =" in comment:  # parts of a run, whose means are not the same to all digits
        parts = []
        for number, part in enumerate((slice(0, 80), slice(79, 150))):
            rows = text.rows_of(m, m.positions)[part]
            parts.append(text.xyz(rows, comments[part], f"{number}-pos-1.xyz", tmp_path))
        opened = [open_trajectory(path, cell_ang=cell) for path in parts]
        assert next(iter(opened[1])).time_fs == pytest.approx(79 * step_fs, abs=2e-3)
        assert [run.repeated for run in find_runs(opened)] == [(0, 1)]
    chosen = [0, *range(1, m.n_frames, 3)]  # the first interval is another one
    rows = [text.rows_of(m, m.positions)[k] for k in chosen]
    path = text.xyz(rows, [comments[k] for k in chosen], "run-pos-1.xyz", tmp_path)
    trajectory = open_trajectory(path, cell_ang=cell, start=1)
    assert trajectory.info.timestep_fs == pytest.approx(3.0 * step_fs, rel=3e-4)
    assert len(list(trajectory)) == 50


@pytest.mark.parametrize("comment", ["Step {k}, t={t:.2f} fs, Unit is {u}", "time = {p:.6f} ps ({u})"])
def test_times_in_comments_count_where_they_have_a_unit(motion: Motion, tmp_path: Path, comment: str) -> None:
    """As ORCA and others write them: the time is used, or contradicted aloud; units of velocities, too."""

    def comments(unit: str) -> list[str]:
        """Comments of all frames."""
        return [comment.format(k=k, t=2.0 * k, p=2e-3 * k, u=unit) for k in range(slow.n_frames)]

    slow = Motion(timestep_fs=2.0)
    path = text.xyz(text.rows_of(slow, slow.positions), comments("Angstrom"), "trajectory.xyz", tmp_path)
    speeds = text.rows_of(slow, slow.velocities)
    other = text.xyz(speeds, comments("Angstrom/fs"), "velocity.xyz", tmp_path)
    info = open_trajectory(path, cell_ang=motion.cell, velocities=other).info
    assert info.timestep_fs == pytest.approx(2.0)
    assert "the motion says 2" in info.units_note
    assert open_trajectory(path, cell_ang=motion.cell).info.timestep_fs == pytest.approx(2.0)
    with pytest.raises(DataError) as caught:
        open_trajectory(path, cell_ang=motion.cell, timestep_fs=5.0)
    assert_helpful(caught.value, "timestep_fs=5", "2 fs apart")
    with pytest.raises(UsageError) as caught:
        open_trajectory(other, cell_ang=motion.cell)
    assert_helpful(caught.value, "velocities of a run")


@pytest.mark.parametrize(
    "comment", ["timestep = 0.5 fs, frame {k}", "time step: 1 (fs)", "unit: Bohr, step {k}"]
)
def test_comments_may_state_the_time_step_or_bohr(motion: Motion, tmp_path: Path, comment: str) -> None:
    length = text.BOHR if "Bohr" in comment else 1.0
    comments = [comment.format(k=k) for k in range(motion.n_frames)]
    path = text.xyz(text.rows_of(motion, motion.positions / length), comments, "run.xyz", tmp_path)
    trajectory = open_trajectory(path, cell_ang=motion.cell, timestep_fs=1.0)
    for k, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=1e-8)


def test_a_file_of_torch_sim_is_called_one(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "run.h5md", "w") as file:
        file.create_group("header").attrs["program"] = np.bytes_("TorchSim")
    with pytest.raises(DataError) as caught:
        open_trajectory(tmp_path / "run.h5md")
    assert_helpful(caught.value, "TorchSim", "write_ase_trajectory")


@pytest.mark.parametrize(
    "text_of_md", ["4\ntime=    0.000 (fs) Energy= -1.0 (Hartree)\n  Na 0.4 0.4 0.4\n", "# Notes\n"]
)
def test_md_of_other_programs_is_not_castep(tmp_path: Path, text_of_md: str) -> None:
    path = tmp_path / "run.md"
    path.write_text(text_of_md)
    with pytest.raises(UsageError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "not recognized", "CASTEP")


def test_castep_names_isotopes_and_states_the_kinetic_energy(motion: Motion, tmp_path: Path) -> None:
    path = text.castep(motion, tmp_path)
    heavy = path.read_text().replace(" Na ", " H:D ").replace(" Cl ", " Cl:1 ")
    path.write_text(heavy)
    trajectory = open_trajectory(path)
    assert any("give those of SPECIES_MASS" in text for text in trajectory.info.warnings)
    assert trajectory.info.masses_amu.tolist() == pytest.approx([2.014, 2.014, 35.45, 35.45], abs=1e-2)
    assert not open_trajectory(path, masses={"D": float(motion.masses[0])}).info.warnings


def test_the_last_box_of_gro_may_have_other_digits_and_no_line_end(tmp_path: Path) -> None:
    rows = [f"    1X       O1    1   0.100   0.200{0.3 + 0.001 * k:8.3f}\n" for k in range(4)]
    text = "".join(f"t= {k}\n 1\n{row}  10.00000   9.00000   3.00000\n" for k, row in enumerate(rows))
    (tmp_path / "a.gro").write_text(text[:-1])
    assert open_trajectory(tmp_path / "a.gro").info.n_frames == 4
    (tmp_path / "a.gro").write_text(text[:-2])
    assert open_trajectory(tmp_path / "a.gro").info.n_frames == 3


def test_names_of_gro_may_be_no_elements(tmp_path: Path) -> None:
    one = "t= {}\n1\n    1NA   {:>5}    1   0.100   0.100   0.100\n   0.9   0.9   0.9\n"
    path = tmp_path / "run.gro"
    path.write_text(one.format(0, "NA") + one.format(1, "NA"))
    with pytest.raises(DataError) as caught:
        read_structure(path)
    assert_helpful(caught.value, "several frames", "file of its own")
    for name in ("NA", "CL", "CA", "MW", "HO"):  # ASE: nitrogen, carbon, carbon, tungsten
        path.write_text(one.format(0, name))
        with pytest.raises(DataError, match=f"which element is {name}"):
            open_trajectory(path)
    for name, number in (("OW", 8), ("HW1", 1), ("Na", 11), ("C", 6), ("H12", 1), ("O5'", 8)):
        path.write_text(one.format(0, name))
        assert open_trajectory(path).info.numbers.tolist() == [number]
    path.write_text(one.format(0, "NA"))
    assert open_trajectory(path, elements={"NA": "Na"}).info.numbers.tolist() == [11]


@pytest.mark.parametrize("write", [text.cp2k, text.cpx])
def test_frames_that_have_all_are_read_where_files_beside_them_leave_some_out(
    motion: Motion, tmp_path: Path, write: Any
) -> None:
    path = write(motion, tmp_path)
    options = NACL if write is text.cpx else {}
    beside = path.with_name("cp.vel") if write is text.cpx else path.with_name("run-vel-1.xyz")
    lines = beside.read_text().splitlines(keepends=True)
    size = len(lines) // motion.n_frames
    frames = ["".join(lines[size * k : size * (k + 1)]) for k in range(motion.n_frames)]
    beside.write_text("".join(frames[2::3]))  # of frames 2, 5, …
    with pytest.raises(DataError, match="`start`"):
        open_trajectory(path, **options)
    trajectory = open_trajectory(path, start=2, stride=3, **options)
    read = list(trajectory.frames())
    assert trajectory.info.timestep_fs == pytest.approx(3.0)
    assert [frame.index for frame in read] == list(range(2, motion.n_frames, 3))
    for frame in read:
        assert frame.velocities_ang_fs == pytest.approx(motion.velocities[frame.index], abs=1e-9)


def test_velocities_may_be_shorter_than_positions(motion: Motion, tmp_path: Path) -> None:
    """A run that was killed between writing the two files."""
    path = text.cp2k(motion, tmp_path)
    other = tmp_path / "run-vel-1.xyz"
    other.write_text("\n".join(other.read_text().splitlines()[: 6 * 20]) + "\n")
    trajectory = open_trajectory(path)
    assert trajectory.info.n_frames == len(list(trajectory.frames())) == 20
    left = "frame 20 and all behind it are left out: run-vel-1.xyz ends before it"
    assert any(left in warning for warning in trajectory.info.warnings)


def test_positions_in_bohr_beside_velocities_are_called_so(motion: Motion, tmp_path: Path) -> None:
    text.cp2k(motion, tmp_path)
    comments = [
        f" i = {k:8d}, time = {k * motion.timestep_fs:12.3f}, E = -1.0" for k in range(motion.n_frames)
    ]
    path = text.xyz(text.rows_of(motion, motion.positions / text.BOHR), comments, "run-pos-1.xyz", tmp_path)
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "1.89 fs apart", "probably in bohr")


def test_steps_that_a_restart_of_cp2k_wrote_again_are_read_once(motion: Motion, tmp_path: Path) -> None:
    path = text.cp2k(motion, tmp_path)
    for file, lines in ((path, 6), (tmp_path / "run-vel-1.xyz", 6), (tmp_path / "run-1.cell", 1)):
        rows, head = file.read_text().splitlines(keepends=True), 1 if lines == 1 else 0
        frames = [rows[k : k + lines] for k in range(head, len(rows), lines)]
        again = [*frames[:20], *frames[12:]]
        file.write_text("".join(rows[:head]) + "".join("".join(frame) for frame in again))
    trajectory = open_trajectory(path)
    assert "8 frames from frame 12 on are left out" in " ".join(trajectory.info.warnings)
    frames = list(trajectory)
    np.testing.assert_allclose([f.positions_ang for f in frames], motion.positions, atol=1e-9)
    np.testing.assert_allclose([f.velocities_ang_fs for f in frames], motion.velocities, atol=1e-9)


def test_a_cell_that_is_stored_once_is_no_cut_frame(motion: Motion, tmp_path: Path) -> None:
    path = text.cp2k(motion, tmp_path)
    cells = tmp_path / "run-1.cell"
    lines = cells.read_text().splitlines(keepends=True)
    at = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    cells.write_text("".join(lines[: at + 1]))
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "run-1.cell ends after the first step", "`cell_ang`")
    assert open_trajectory(path, cell_ang=motion.cell).info.n_frames == motion.n_frames


def test_growing_files_warn_while_reading(motion: Motion, tmp_path: Path) -> None:
    """A file that is cut while it is read ends with a warning, not with an exception of a library."""
    path = text.castep(motion, tmp_path)
    trajectory = open_trajectory(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(BecMDWarning, match="cut off"):
        assert 5 < len(list(trajectory.frames())) < motion.n_frames


def test_velocities_named_as_positions_are_refused(motion: Motion, tmp_path: Path) -> None:
    text.cp2k(motion, tmp_path)
    text.ipi(motion, tmp_path)
    for name, word in (("run-vel-1.xyz", "run-pos-1.xyz"), ("run.vel_0.xyz", "pos_0.xyz")):
        with pytest.raises(UsageError) as caught:
            open_trajectory(tmp_path / name, timestep_fs=1.0)
        assert_helpful(caught.value, "velocities of a run", word)


def test_boundary_conditions_of_dl_poly(motion: Motion, tmp_path: Path) -> None:
    path = text.dlpoly(motion, tmp_path)
    content = path.read_text()
    path.write_text(content.replace(" 4 1 3 ", " 4 1 6 "))
    assert next(iter(open_trajectory(path).frames())).pbc.tolist() == [True, True, False]
    path.write_text(content.replace(" 4 1 3 ", " 4 1 4 "))
    with pytest.raises(DataError, match="truncated octahedron"):
        open_trajectory(path)


def test_a_bead_of_i_pi_is_called_one(motion: Motion, tmp_path: Path) -> None:
    alone = text.ipi(motion, tmp_path)
    assert open_trajectory(alone, timestep_fs=1.0).info.warnings == ()
    content = alone.read_text()
    for bead in (1, 2):
        (tmp_path / f"run.pos_{bead}.xyz").write_text(content.replace("Bead: 0", f"Bead: {bead}"))
    assert "one of 3 beads" in open_trajectory(alone, timestep_fs=1.0).info.warnings[0]
    for bead in (0, 1):  # <trajectory filename='r'>
        (tmp_path / f"run.r_{bead}.xyz").write_text(content.replace("Bead: 0", f"Bead: {bead}"))
    assert "one of 2 beads" in open_trajectory(tmp_path / "run.r_0.xyz", timestep_fs=1.0).info.warnings[0]
    for replica in (0, 1):  # of one bead each
        (tmp_path / f"replica_{replica}.xyz").write_text(content)
    assert open_trajectory(tmp_path / "replica_0.xyz", timestep_fs=1.0).info.warnings == ()
    moved = tmp_path / "x.xyz"
    moved.write_text(content.replace("Bead: 0", "Bead: 7"))
    assert "one of 8 beads" in open_trajectory(moved, timestep_fs=1.0).info.warnings[0]
    head = 'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3{} ipi_comment="Step: 0 Bead: {}"'
    named = tmp_path / "x.extxyz"
    named.write_text(f"2\n{head.format('', 3)}\nO 0 0 0\nH 1 0 0\n")  # format='ase'
    assert "one of 4 beads" in open_trajectory(named, timestep_fs=1.0).info.warnings[0]
    named.write_text(f"2\n{head.format(':x_centroid:R:3', 0)}\nO 0 0 0 0 0 0\nH 0 0 0 1 0 0\n")
    centroid = open_trajectory(named, timestep_fs=1.0)
    assert centroid.info.warnings == ()
    assert next(iter(centroid.frames())).positions_ang[1].tolist() == [1.0, 0.0, 0.0]
