"""Every format gives the same motion: positions, velocities, cell, times, current."""

from __future__ import annotations

import dataclasses
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bec_md
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.structure.ase_files import read_structure
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.readers.outcar import Head
from tests.trajectory.readers import binary
from tests.trajectory.readers import motion as text
from tests.trajectory.readers.motion import Motion
from tests.trajectory.truth import assert_helpful

NACL = {"elements": "Na2,Cl2"}
#: Writer, name of the format, options, what positions (Å) and velocities (Å/fs) may lose by their digits.
FORMATS: list[tuple[Callable[[Motion, Path], Path], str, dict[str, Any], float, float | None]] = [
    (text.cp2k, "cp2k", {}, 1e-9, 1e-9),
    (text.ipi, "i-pi", {"timestep_fs": 1.0}, 1e-6, 1e-9),  # angles with 7 digits
    (text.dftb, "dftb+", {"timestep_fs": 1.0, "cell_ang": "cell"}, 1e-9, 1e-9),
    (text.cpx, "cp.x", NACL, 1e-9, 1e-9),
    (text.pwx, "pw.x", {}, 2e-7, None),  # axes with 8 digits
    (text.aims, "fhi-aims", {}, 6e-9, 6e-12),  # eight decimals
    (text.castep, "castep-md", {}, 1e-9, 1e-9),
    (text.dlpoly, "dlpoly-history", {}, 1e-9, 1e-9),
    (text.xdatcar, "xdatcar", {"timestep_fs": 1.0}, 1e-7, None),  # fractions with 8 digits
    (text.vasprun, "vasprun", {}, 2e-9, None),
    (text.outcar, "outcar", {}, 6e-6, None),  # five decimals
    (text.vaspout, "vaspout", {}, 1e-9, 1e-12),
    (text.h5md, "h5md", {}, 1e-9, 1e-12),
    (text.abinit, "abinit-hist", {}, 1e-9, 1e-9),
    (lambda m, folder: text.abinit(m, folder, classic=False), "abinit-hist", {}, 1e-9, 1e-9),
    (lambda m, folder: text.abinit(m, folder, counted=True), "abinit-hist", {}, 1e-9, 1e-9),
    (text.gro, "gro", {"elements": {"NA": "Na", "CL": "Cl"}}, 6e-6, 6e-10),  # six and seven decimals of nm
    (text.dump_yaml, "lammps-yaml", {"elements": "Na,Cl"}, 1e-9, 1e-9),
    (text.dump_cfg, "lammps-cfg", {"lammps_units": "metal", "timestep_fs": 1.0}, 1e-9, 1e-9),
    (binary.trr, "trr", {"topology": "pdb"}, 2e-6, 1e-8),  # single precision
    (binary.xtc, "xtc", {"topology": "pdb"}, 6e-5, None),
    (binary.dcd, "dcd", {"topology": "pdb"}, 2e-6, None),
    (binary.amber, "amber-netcdf", {"topology": "pdb"}, 2e-6, 1e-8),
    (binary.traj, "ase:traj", {}, 1e-9, 1e-9),
]


def options_for(m: Motion, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Options with the files and arrays that their placeholders stand for."""
    found = dict(options)
    if found.get("cell_ang") == "cell":
        found["cell_ang"] = m.cell
    if found.get("topology") == "pdb":
        found["topology"] = binary.pdb(m, folder)
    return found


@pytest.mark.parametrize(("write", "name", "options", "close", "fast"), FORMATS)
def test_the_same_motion(
    motion: Motion,
    tmp_path: Path,
    write: Any,
    name: str,
    options: dict[str, Any],
    close: float,
    fast: float | None,
) -> None:
    trajectory = open_trajectory(write(motion, tmp_path), **options_for(motion, tmp_path, options))
    info = trajectory.info
    frames = list(trajectory.frames())
    assert info.format == name
    assert info.n_frames == len(frames) == motion.n_frames
    assert info.numbers.tolist() == [11, 11, 17, 17]
    assert info.timestep_fs == pytest.approx(motion.timestep_fs, rel=1e-5)
    assert info.has_velocities == (fast is not None)
    for k, frame in enumerate(frames):
        assert frame.volume_ang3 == pytest.approx(abs(np.linalg.det(motion.cell)), rel=1e-5)
        # Cells given as lengths and angles come back in the same orientation: a along x, b in the plane xy.
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=close)
        if fast is not None:
            np.testing.assert_allclose(frame.velocities_ang_fs, motion.velocities[k], atol=fast)
    assert not info.warnings or name == "lammps-cfg"


@pytest.mark.parametrize(("write", "name", "options", "close", "fast"), FORMATS)
def test_start_and_stride(
    motion: Motion,
    tmp_path: Path,
    write: Any,
    name: str,
    options: dict[str, Any],
    close: float,
    fast: float | None,
) -> None:
    path = write(motion, tmp_path)
    trajectory = open_trajectory(path, start=4, stop=20, stride=3, **options_for(motion, tmp_path, options))
    frames = list(trajectory.frames(skip=1))
    assert [frame.index for frame in frames] == [7, 10, 13, 16, 19]
    np.testing.assert_allclose(frames[0].positions_ang, motion.positions[7], atol=close)
    assert trajectory.info.timestep_fs == pytest.approx(3 * motion.timestep_fs, rel=1e-5)


@pytest.mark.parametrize(("write", "name", "options", "close", "fast"), FORMATS)
@pytest.mark.filterwarnings("ignore:.*has no velocities:bec_md.errors.BecMDWarning")
def test_the_same_current(
    motion: Motion,
    tmp_path: Path,
    write: Any,
    name: str,
    options: dict[str, Any],
    close: float,
    fast: float | None,
) -> None:
    """J = Σ q v of each element, from stored velocities or from differences at half steps."""
    current = bec_md.compute_current(
        str(write(motion, tmp_path)), charges="fixed:Na=1,Cl=-1", **options_for(motion, tmp_path, options)
    )
    assert current.groups == ("Na", "Cl")
    speeds, accuracy = motion.velocities, 2 * (fast or 0.0)
    if fast is None:
        # Two positions with errors `close` for each of two atoms.
        speeds, accuracy = np.diff(motion.positions, axis=0) / motion.timestep_fs, 4 * close
    expected = np.stack([speeds[:, :2].sum(axis=1), -speeds[:, 2:].sum(axis=1)], axis=1)
    np.testing.assert_allclose(current.current, expected, atol=accuracy + 1e-9)


#: How much of a file is left, so that some whole frames and a piece of one remain.
CUT = [
    (write, name, options)
    for write, name, options, *_ in FORMATS
    if name not in ("lammps-cfg", "abinit-hist", "vaspout", "h5md")
] + [(text.abinit, "abinit-hist", {})]


@pytest.mark.parametrize(("write", "name", "options"), CUT)
@pytest.mark.parametrize("share", [0.52, 0.83])
def test_a_killed_run_keeps_its_whole_frames(
    motion: Motion, tmp_path: Path, write: Any, name: str, options: dict[str, Any], share: float
) -> None:
    path = write(motion, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    trajectory = open_trajectory(path, **options_for(motion, tmp_path, options))
    frames = list(trajectory.frames())
    assert 5 <= len(frames) < motion.n_frames
    assert trajectory.info.n_frames == len(frames)
    assert any("cut off" in warning for warning in trajectory.info.warnings)
    np.testing.assert_allclose(frames[-1].positions_ang, motion.positions[len(frames) - 1], atol=6e-5)


@pytest.mark.parametrize("style", ["vasp6", "vasp5.2", "npt", "pymatgen"])
@pytest.mark.parametrize("elements", ["Na Cl", "Na_pv/1a2b3c4d Cl/6f5e", "Na_sv_GW Cl_h"])
@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_dialects_of_xdatcar(motion: Motion, tmp_path: Path, style: str, elements: str, shift: float) -> None:
    path = text.xdatcar(motion, tmp_path, style=style, elements=elements, shift=shift, scale=2.5)
    frames = list(open_trajectory(path, timestep_fs=1.0).frames())
    assert len(frames) == motion.n_frames
    for k, frame in enumerate(frames):
        expected = motion.positions[k] + shift * motion.cell.sum(axis=0)
        np.testing.assert_allclose(frame.positions_ang, expected, atol=1e-7)


def test_xdatcar_without_elements_needs_them(motion: Motion, tmp_path: Path) -> None:
    path = text.xdatcar(motion, tmp_path, elements="")
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "`elements")
    assert open_trajectory(path, timestep_fs=1.0, elements="Na,Cl").info.numbers.tolist() == [11, 11, 17, 17]


def test_xdatcar_of_version_4(motion: Motion, tmp_path: Path) -> None:
    lines = ["   4   4   1", "  0.2E+02  0.9E-09  0.9E-09  0.9E-09  0.1E-14", "  300.0", "  CAR ", " made up"]
    for frame in motion.scaled:
        lines += ["", *(" ".join(f"{x:12.8f}" for x in row) for row in frame)]
    path = tmp_path / "XDATCAR"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "`cell_ang")
    trajectory = open_trajectory(
        path, timestep_fs=1.0, elements="Na2Cl2".replace("2C", "2,C"), cell_ang=motion.cell
    )
    np.testing.assert_allclose(
        [frame.positions_ang for frame in trajectory.frames()], motion.positions, atol=1e-7
    )
    assert "POTIM = 1 fs" in trajectory.info.units_note


def test_md_car_of_siesta_has_the_order_of_its_input(motion: Motion, tmp_path: Path) -> None:
    order = [0, 2, 1, 3]  # Na Cl Na Cl, though its header says 2 2
    lines = []
    for frame in motion.scaled:
        lines += ["---made up---", "       1.0", *("".join(f"{x:16.9f}" for x in row) for row in motion.cell)]
        lines += ["     2     2", "Direct", *("".join(f"{x:16.9f}" for x in frame[i]) for i in order)]
    path = tmp_path / "made_up.MD_CAR"
    path.write_text("\n".join(lines) + "\n")
    for elements, word in ((None, "no labels"), ("Na3,Cl", "1, 3 atoms")):
        with pytest.raises(UsageError) as caught:
            open_trajectory(path, timestep_fs=1.0, elements=elements)
        assert_helpful(caught.value, word, "`elements")
    trajectory = open_trajectory(path, timestep_fs=1.0, elements="Na,Cl,Na,Cl")
    assert trajectory.info.numbers.tolist() == [11, 17, 11, 17]
    for k, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k, order], atol=2e-8)


def test_pwx_with_a_changing_cell_has_its_times_alone(motion: Motion, tmp_path: Path) -> None:
    trajectory = open_trajectory(text.pwx(motion, tmp_path, cells=True))
    assert trajectory.info.timestep_fs == pytest.approx(1.0, abs=2 * 0.005 / motion.n_frames)  # digits
    for k, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=1e-7)
    short = text.pwx(dataclasses.replace(motion, n_frames=4), tmp_path, cells=True)
    assert open_trajectory(short).info.timestep_fs is None


def test_many_kinds_of_atoms_take_several_lines_of_an_xdatcar(tmp_path: Path) -> None:
    """VASP writes twenty kinds in a line: a POSCAR that is not sorted by element has as many as atoms."""
    kinds = ["Na", "Cl"] * 12
    lines = ["made up", "1.0", "20 0 0", "0 20 0", "0 0 20"]
    lines += [" ".join(kinds[:20]), " ".join(kinds[20:]), " ".join("1" * 20), " ".join("1" * 4)]
    for k in range(4):
        lines.append(f"Direct configuration= {k + 1:5d}")
        lines += [f"{i / 24 + 1e-4 * k:.8f} {(i % 5) / 5:.8f} {(i % 3) / 3:.8f}" for i in range(24)]
    path = tmp_path / "XDATCAR"
    path.write_text("\n".join(lines) + "\n")
    trajectory = open_trajectory(path, timestep_fs=1.0)
    assert trajectory.info.numbers.tolist() == [11, 17] * 12
    assert [frame.positions_ang[1, 0] for frame in trajectory.frames()] == pytest.approx(
        [20 / 24 + 2e-3 * k for k in range(4)], abs=1e-6
    )


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        (["               2   2"], [2, 2]),
        (["            16003200"], [1600, 3200]),
        (["             8001600"], [800, 1600]),
        (["               1   1   1   1   1   1   1   1   1   1", "   1   2"], [1] * 11 + [2]),
    ],
)
def test_numbers_of_atoms_in_an_outcar(lines: list[str], counts: list[int]) -> None:
    head = Head()
    head.take(f"   number of dos      NEDOS =    301   number of ions     NIONS = {sum(counts):6d}")
    for number, line in enumerate(lines):
        head.take(f"   ions per type = {line}" if number == 0 else line)
    head.take("   1")
    assert head.counts == counts


def test_appended_xdatcars_are_one_run_where_they_continue(motion: Motion, tmp_path: Path) -> None:
    lines = text.xdatcar(motion, tmp_path).read_text().splitlines(keepends=True)
    path = tmp_path / "XDATCAR_all"

    def part(first: int, last: int) -> str:
        rows = "".join(lines[7 + 5 * first : 7 + 5 * last])
        for k in range(first, last):
            rows = rows.replace(f"configuration= {k + 1:5d}", f"configuration= {k + 1 - first:5d}")
        return "".join(lines[:7]) + rows

    path.write_text(part(0, 12) + part(12, 20) + part(20, 30))
    trajectory = open_trajectory(path, timestep_fs=1.0)
    assert [frame.step for frame in trajectory.frames()] == list(range(1, 31))
    assert sum("counts anew" in warning for warning in trajectory.info.warnings) == 2
    path.write_text(part(0, 12) + part(15, 30))
    with pytest.raises(DataError) as caught:
        list(open_trajectory(path, timestep_fs=1.0).frames())
    assert_helpful(caught.value, "frame 12", "appended files")


def test_a_title_may_begin_like_a_marker(motion: Motion, tmp_path: Path) -> None:
    path = text.xdatcar(motion, tmp_path, style="npt")
    path.write_text(path.read_text().replace("made up", "direct gap"))
    assert len(list(open_trajectory(path, timestep_fs=1.0).frames())) == motion.n_frames


def test_number_of_configurations_tells_nblock(motion: Motion, tmp_path: Path) -> None:
    path = text.xdatcar(motion, tmp_path)
    lines = path.read_text().splitlines()
    counted = [
        f"Direct configuration= {10 * int(line.split('=')[1]):5d}" if line.startswith("Direct") else line
        for line in lines
    ]
    path.write_text("\n".join(counted) + "\n")
    assert "NBLOCK = 10" in open_trajectory(path, timestep_fs=1.0).info.units_note


def test_cell_may_stand_in_for_the_file_of_cells(motion: Motion, tmp_path: Path) -> None:
    path = text.cp2k(motion, tmp_path)
    (tmp_path / "run-1.cell").unlink()
    with pytest.raises(UsageError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "no cell", "`cell_ang")
    frame = next(open_trajectory(path, cell_ang=motion.cell.ravel().tolist()).frames())
    np.testing.assert_array_equal(frame.cell_ang, motion.cell)


@pytest.mark.parametrize("write", [binary.trr, binary.xtc, binary.dcd, binary.amber, binary.traj])
def test_any_file_without_a_cell_takes_the_one_given(motion: Motion, tmp_path: Path, write: Any) -> None:
    options = {"timestep_fs": 1.0, "topology": None if write is binary.traj else binary.pdb(motion, tmp_path)}
    with pytest.raises(UsageError, match="states its cell itself"):
        open_trajectory(write(motion, tmp_path), cell_ang=motion.cell, **options)
    with np.errstate(invalid="ignore", divide="ignore"):
        bare = Motion()
        bare.cell = np.zeros((3, 3))
        path = write(bare, tmp_path)
    with pytest.raises(DataError) as caught:
        open_trajectory(path, **options)
    assert_helpful(caught.value, "no volume", "`cell_ang")
    trajectory = open_trajectory(path, cell_ang=motion.cell, **options)
    for k, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=1e-4)
        np.testing.assert_array_equal(frame.cell_ang, motion.cell)


@pytest.mark.parametrize("write", [text.xdatcar, text.dlpoly])
def test_a_cell_beside_that_of_the_file_is_refused(motion: Motion, tmp_path: Path, write: Any) -> None:
    with pytest.raises(UsageError, match="states its cell itself"):
        open_trajectory(write(motion, tmp_path), timestep_fs=1.0, cell_ang=(20.0, 20.0, 20.0))


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


@pytest.mark.parametrize(
    "write", [text.vaspout, text.h5md, text.abinit, binary.trr, binary.dcd, binary.amber]
)
def test_binary_files_have_to_be_unpacked(motion: Motion, tmp_path: Path, write: Any) -> None:
    path = write(motion, tmp_path)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UsageError) as caught:
        open_trajectory(packed)
    assert_helpful(caught.value, f"{packed.name} is compressed", "unpack it")


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


def test_the_largest_group_of_h5md_is_read_and_mdtraj_is_told_apart(motion: Motion, tmp_path: Path) -> None:
    import h5py

    path = text.h5md(motion, tmp_path)
    with h5py.File(path, "a") as file:
        file["particles/a/position/value"] = motion.positions[:, :2]
    info = open_trajectory(path).info
    assert info.n_atoms == 4
    assert any("only all, the largest, is read" in warning for warning in info.warnings)
    with h5py.File(tmp_path / "openmm.h5", "w") as file:
        file["coordinates"] = motion.positions / 10
    with pytest.raises(DataError, match="MDTraj"):
        open_trajectory(tmp_path / "openmm.h5")


def test_species_of_h5md(motion: Motion, tmp_path: Path) -> None:
    path = text.h5md(motion, tmp_path, enum=False)
    with pytest.raises(UsageError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "types 1, 2", "`elements")
    assert open_trajectory(path, elements="Na,Cl").info.numbers.tolist() == [11, 11, 17, 17]
    info = open_trajectory(path, topology=binary.pdb(motion, tmp_path)).info
    assert info.numbers.tolist() == [11, 11, 17, 17]


def test_times_of_a_dcd_are_believed_only_of_programs_that_keep_them(motion: Motion, tmp_path: Path) -> None:
    topology = binary.pdb(motion, tmp_path)
    for remarks in ("Written by LAMMPS", "Created by DCD plugin", ""):
        info = open_trajectory(
            binary.dcd(motion, tmp_path, remarks=remarks, delta=1.0), topology=topology
        ).info
        assert info.timestep_fs is None
        assert "is not used" in info.units_note


def test_other_byte_order_and_a_fourth_coordinate_of_a_dcd(motion: Motion, tmp_path: Path) -> None:
    pdb, path = binary.pdb(motion, tmp_path), tmp_path / "run.dcd"
    for order, four in ((">", 0), ("<", 1)):

        def record(form: str, *values: Any, order: str = order) -> bytes:
            data = struct.pack(order + form, *values)
            return struct.pack(order + "i", len(data)) + data + struct.pack(order + "i", len(data))

        head = record("4s9if10i", b"CORD", motion.n_frames, 0, 1, *[0] * 6, 0.03, 1, four, *[0] * 7, 24)
        text = head + record("i80s", 1, b"CREATED BY NAMD".ljust(80)) + record("i", 4)
        for frame in motion.positions:
            rows = [*frame.T, *[np.zeros(4)] * four]
            text += record("6d", 9.0, 90.0, 9.0, 90.0, 90.0, 9.0)
            text += b"".join(record("4f", *row) for row in rows)
        path.write_bytes(text)
        trajectory = open_trajectory(path, topology=pdb)
        assert (trajectory.info.timestep_fs is None) == (order == ">")
        for k, frame in enumerate(trajectory.frames()):
            np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=2e-6)


def test_times_that_stand_still(motion: Motion, tmp_path: Path) -> None:
    path, topology = binary.amber(motion, tmp_path, times=False), binary.pdb(motion, tmp_path)
    assert open_trajectory(path, topology=topology).info.timestep_fs is None
    assert open_trajectory(path, topology=topology, timestep_fs=1.0).info.timestep_fs == 1.0


@pytest.mark.parametrize(
    ("units", "length", "time"),
    [(("angstrom", "femtosecond"), 1.0, 1.0), (("Angstrom", "picosecond"), 1.0, 1e3),
     (("nanometer", "picosecond"), 10.0, 1e3), (("bohr", "femtoseconds"), text.BOHR, 1.0)],
)  # fmt: skip
def test_netcdf_in_units_that_it_states(
    motion: Motion, tmp_path: Path, units: tuple[str, str], length: float, time: float
) -> None:
    """LAMMPS' dump netcdf writes the units of its run."""
    path = binary.amber(motion, tmp_path, units=units, length=length, time=time)
    trajectory = open_trajectory(path, topology=binary.pdb(motion, tmp_path))
    assert trajectory.info.timestep_fs == pytest.approx(motion.timestep_fs, rel=1e-5)
    frame = list(trajectory.frames())[7]
    np.testing.assert_allclose(frame.positions_ang, motion.positions[7], atol=4e-6)
    np.testing.assert_allclose(frame.velocities_ang_fs, motion.velocities[7], atol=1e-8)
    assert frame.volume_ang3 == pytest.approx(abs(np.linalg.det(motion.cell)), rel=1e-5)
    path = binary.amber(motion, tmp_path, units=("lj", "lj"))
    with pytest.raises(DataError) as caught:
        open_trajectory(path, topology=binary.pdb(motion, tmp_path))
    assert_helpful(caught.value, "'lj'")


def test_netcdf_of_ase_has_its_velocities_and_times_in_no_stated_unit(motion: Motion, tmp_path: Path) -> None:
    from scipy.io import netcdf_file

    values = {"coordinates": motion.positions, "velocities": motion.velocities * text.ASE_TIME}
    with netcdf_file(tmp_path / "run.nc", "w") as file:
        file.Conventions, file.program = "AMBER", "ASE"
        for name, size in (("frame", None), ("spatial", 3), ("atom", 4)):
            file.createDimension(name, size)
        file.createVariable("time", "d", ("frame",))[:] = np.arange(motion.n_frames) / text.ASE_TIME
        for name, value in values.items():
            file.createVariable(name, "f", ("frame", "atom", "spatial"))[:] = value
        file.variables["coordinates"].units = "Angstrom/Femtosecond"  # as ASE has it
    options = {"topology": binary.pdb(motion, tmp_path), "cell_ang": motion.cell}
    trajectory = open_trajectory(tmp_path / "run.nc", **options)
    assert trajectory.info.timestep_fs is None
    for k, frame in enumerate(trajectory.frames()):
        assert frame.velocities_ang_fs == pytest.approx(motion.velocities[k], abs=1e-8)
        assert frame.positions_ang == pytest.approx(motion.positions[k], abs=2e-6)
    with pytest.raises(DataError, match=r"98\.2"):
        open_trajectory(tmp_path / "run.nc", velocity_units="ang/ps", timestep_fs=1.0, **options)


def test_velocities_stored_less_often(motion: Motion, tmp_path: Path) -> None:
    path, topology = binary.trr(motion, tmp_path, every=5), binary.pdb(motion, tmp_path)
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, topology=topology)
    assert_helpful(caught.value, "every 5th frame", "stride=5", "velocities=none")
    assert open_trajectory(path, topology=topology, stride=5).info.has_velocities
    assert not open_trajectory(path, topology=topology, velocities="none").info.has_velocities


def test_no_hidden_files_beside_the_data(motion: Motion, tmp_path: Path) -> None:
    for write in (binary.trr, binary.xtc, binary.dcd, binary.amber):
        list(open_trajectory(write(motion, tmp_path), topology=binary.pdb(motion, tmp_path)).frames())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run.dcd",
        "run.nc",
        "run.trr",
        "run.xtc",
        "top.pdb",
    ]


def test_sites_that_are_no_atoms(motion: Motion, tmp_path: Path) -> None:
    """A site without element and mass, as TIP4P's MW: said, left out on request, and the others stay."""
    path = binary.amber(motion, tmp_path)
    topology = binary.pdb(motion, tmp_path, names=("OW", "HW1", "HW2", "MW"), elements=("O", "H", "H", ""))
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, topology=topology)
    assert_helpful(caught.value, "atom 3 (MW)", "elements=MW=NULL")
    assert "{" not in str(caught.value)
    trajectory = open_trajectory(path, topology=topology, elements={"MW": "NULL"})
    assert trajectory.info.numbers.tolist() == [8, 1, 1]
    assert "1 of 4 sites left out" in trajectory.info.units_note
    frame = next(trajectory.frames())
    np.testing.assert_allclose(frame.positions_ang, motion.positions[0, :3], atol=2e-6)
    np.testing.assert_allclose(frame.velocities_ang_fs, motion.velocities[0, :3], atol=1e-8)


def test_sites_of_a_dump(motion: Motion, tmp_path: Path) -> None:
    path = text.dump_yaml(motion, tmp_path)
    trajectory = open_trajectory(path, elements="Na,NULL")
    assert trajectory.info.numbers.tolist() == [11, 11]
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, elements="NULL,NULL")
    assert_helpful(caught.value, "all its atoms")


@pytest.mark.parametrize("interval", [1, 5])
def test_clock_of_ase(motion: Motion, tmp_path: Path, interval: int) -> None:
    assert open_trajectory(
        binary.traj(motion, tmp_path, interval=interval)
    ).info.timestep_fs == pytest.approx(1.0)
    assert open_trajectory(binary.traj(motion, tmp_path, interval=None)).info.timestep_fs is None


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_compressed(motion: Motion, tmp_path: Path, suffix: str) -> None:
    import bz2
    import gzip
    import lzma

    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    for write in (binary.traj, text.xdatcar, text.vasprun):
        path = write(motion, tmp_path)
        packed = path.with_name(path.name + suffix)
        packed.write_bytes(pack(path.read_bytes()))
        trajectory = open_trajectory(packed, timestep_fs=1.0)
        np.testing.assert_allclose(
            [frame.positions_ang for frame in trajectory.frames()], motion.positions, atol=1e-7
        )


def test_an_outcar_has_a_clock_and_masses_of_its_own(motion: Motion, tmp_path: Path) -> None:
    path = text.outcar(motion, tmp_path)
    info = open_trajectory(path).info
    assert info.timestep_fs == motion.timestep_fs
    np.testing.assert_allclose(info.masses_amu, [22.99, 22.99, 35.453, 35.453])
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=2.0)
    assert_helpful(caught.value, "timestep_fs=2", "1 fs apart")
    every = open_trajectory(text.outcar(motion, tmp_path, every=5, learned=False)).info
    assert every.timestep_fs == 5.0  # written at every fifth step of the force field
    assert "every 5 steps" in every.units_note
    lines = path.read_text().replace("Iteration     21(", "Iteration     26(")
    path.write_text(lines)
    with pytest.raises(DataError, match="steps after the frame before it"):
        list(open_trajectory(path).frames())
    text.outcar(motion, tmp_path, mass="22.99 36.97")
    assert open_trajectory(path).info.masses_amu[3] == 36.97  # an isotope that the input asks for
    path.write_text(path.read_text().replace("IBRION =      0", "IBRION =      2"))
    info = open_trajectory(path, timestep_fs=1.0).info
    assert any("IBRION = 2" in warning for warning in info.warnings)
    assert open_trajectory(path).info.timestep_fs is None


@pytest.mark.parametrize(("write", "name", "options"), [row[:3] for row in FORMATS])
def test_units_of_velocities_are_taken_or_refused(
    motion: Motion, tmp_path: Path, write: Any, name: str, options: dict[str, Any]
) -> None:
    """No format leaves the option unused: the motion contradicts it, files without velocities refuse it."""
    path, given = write(motion, tmp_path), options_for(motion, tmp_path, options)
    given |= {"timestep_fs": motion.timestep_fs}
    units = "ang/ps" if name not in ("dftb+", "amber-netcdf") else "ang/fs"
    with pytest.raises((DataError, UsageError)) as caught:
        open_trajectory(path, velocity_units=units, **given)
    assert_helpful(caught.value)


def test_kinds_of_a_vaspout_may_be_potentials(motion: Motion, tmp_path: Path) -> None:
    import h5py

    path = text.vaspout(motion, tmp_path)
    for names, numbers in (((b"Na_sv_GW/ab12", b"Cl.3"), [11, 17]), ((b"H1.25", b"H.5"), [1, 1])):
        with h5py.File(path, "a") as file:
            del file["results/positions/ion_types"]
            file["results/positions/ion_types"] = np.array(names)
        assert open_trajectory(path).info.numbers.tolist() == list(np.repeat(numbers, 2))


def test_options_and_input_of_a_vaspout(motion: Motion, tmp_path: Path) -> None:
    import h5py

    path = text.vaspout(motion, tmp_path)
    with pytest.raises(DataError, match="1 fs"):
        open_trajectory(path, velocity_units="ang/ps")  # a thousand times too slow
    with h5py.File(path, "a") as file:
        file["input/incar/POMASS"] = [22.99, 36.97]
    assert open_trajectory(path).info.masses_amu.tolist() == [22.99, 22.99, 36.97, 36.97]


@pytest.mark.parametrize("write", [text.vasprun, text.pwx, text.outcar, text.aims])
def test_masses_of_the_run_are_used_and_compared(motion: Motion, tmp_path: Path, write: Any) -> None:
    """Isotopes are masses that the input changed; those of another element are a mistake."""
    path = write(motion, tmp_path)
    plain = path.read_text()
    table = {
        "vasprun": "<rc><c>2</c><c>Cl</c><c>{}</c><c>7.0</c><c>PAW</c></rc>",
        "pw": "        Cl             7.00    {}     Cl( 1.00)",
        "OUTCAR": "   POMASS = 22.99 {}",
        "aims": "  | Found atomic mass :     {}000000      amu",
    }[path.stem]
    assert table.format("35.45") in plain
    path.write_text(plain.replace(table.format("35.45"), table.format("36.97")))
    assert open_trajectory(path).info.masses_amu[2:].tolist() == [36.97, 36.97]
    assert open_trajectory(path, masses={"Cl": 35.0}).info.masses_amu[3] == 35.0
    path.write_text(plain.replace(table.format("35.45"), table.format("22.99")))
    with pytest.raises(DataError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "atom 2 is Cl", "that of Na")


def test_relaxations_have_no_times(motion: Motion, tmp_path: Path) -> None:
    path = text.vasprun(motion, tmp_path)
    path.write_text(path.read_text().replace('name="IBRION">0<', 'name="IBRION">2<'))
    info = open_trajectory(path, timestep_fs=1.0).info
    assert any("IBRION = 2" in warning for warning in info.warnings)
    assert open_trajectory(path).info.timestep_fs is None


def test_entities_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vasprun.xml"
    path.write_text('<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaa">]><modeling>&a;</modeling>')
    with pytest.raises(DataError) as caught:
        open_trajectory(path, format="vasprun")
    assert_helpful(caught.value, "entities")


def test_truncated_hdf5_is_said(motion: Motion, tmp_path: Path) -> None:
    for write in (text.vaspout, text.h5md):
        path = write(motion, tmp_path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 3])
        with pytest.raises(DataError) as caught:
            list(open_trajectory(path).frames())
        assert_helpful(caught.value, path.name, "cut off")


def test_unsorted_rows_follow_their_ids(motion: Motion, tmp_path: Path) -> None:
    """An export with a column `id`, rows in another order in every frame."""
    random = np.random.default_rng(2)
    lines = []
    for k in range(motion.n_frames):
        cell = " ".join(f"{x:.10f}" for x in motion.cell.ravel())
        lines += ["4", f'Lattice="{cell}" Properties=id:I:1:species:S:1:pos:R:3:vel:R:3']
        for i in random.permutation(4):
            values = [*motion.positions[k, i], *motion.velocities[k, i]]
            lines.append(f"{i + 10} {motion.symbols[i]} " + " ".join(f"{x:.12f}" for x in values))
    path = tmp_path / "ovito.xyz"
    path.write_text("\n".join(lines) + "\n")
    trajectory = open_trajectory(path, timestep_fs=1.0)
    np.testing.assert_allclose(
        [frame.positions_ang for frame in trajectory.frames()], motion.positions, atol=1e-9
    )
    assert "sorted by their id" in trajectory.info.units_note
    path.write_text("\n".join(lines).replace("\n13 ", "\n12 ", 1) + "\n")
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "id", "repeats")


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


def test_unwrapped_positions_of_a_cfg_dump(motion: Motion, tmp_path: Path) -> None:
    """LAMMPS writes (s − 0.5)/10 + 0.5 with the length scale 10, and the vectors of the cell itself."""
    text.dump_cfg(motion, tmp_path)
    for path in tmp_path.glob("*.cfg"):
        lines = path.read_text().replace("A = 1 ", "A = 10 ").splitlines()
        for number, line in enumerate(lines):
            if len(words := line.split()) == 7 and "." in words[0]:
                near = [f"{(float(word) - 0.5) / 10 + 0.5:.14f}" for word in words[:3]]
                lines[number] = " ".join([*near, *words[3:]])
        path.write_text("\n".join(lines) + "\n")
    options: dict[str, Any] = {"lammps_units": "metal", "timestep_fs": 1.0}
    for k, frame in enumerate(open_trajectory(tmp_path / "run.0.cfg", **options).frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.scaled[k] @ motion.cell, atol=1e-9)


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


def test_steps_of_abinit_are_a_clock_only_where_atoms_move(motion: Motion, tmp_path: Path) -> None:
    """A relaxation counts its steps too, with a dtion that nothing used."""
    found = open_trajectory(text.abinit(motion, tmp_path, counted=True)).info
    assert found.timestep_fs == pytest.approx(motion.timestep_fs)
    still = Motion()
    still.velocities = np.zeros_like(still.velocities)
    assert open_trajectory(text.abinit(still, tmp_path, counted=True)).info.timestep_fs is None


@pytest.mark.parametrize("write", [binary.trr, binary.amber])
def test_times_late_in_a_run_repeat_in_single_precision(write, tmp_path: Path) -> None:
    """At 100 ns numbers in ps are 7.8 fs apart; frames every 2 fs are counted by steps, or by the caller."""
    motion = Motion(timestep_fs=2.0)
    options = {"topology": binary.pdb(motion, tmp_path)}
    path = write(motion, tmp_path, since_ps=1e5)
    trajectory = open_trajectory(path, timestep_fs=2.0, **options)
    assert "single precision, in steps of 7.8 fs" in trajectory.info.units_note
    np.testing.assert_allclose([f.time_fs for f in trajectory.frames()], 2.0 * np.arange(30))
    assert open_trajectory(path, **options).info.timestep_fs is None
    early = open_trajectory(write(motion, tmp_path, since_ps=1e3), **options)
    assert early.info.timestep_fs == pytest.approx(2.0, rel=2e-3)
    assert "single precision" not in early.info.units_note


def test_infinite_times_are_refused(motion: Motion, tmp_path: Path) -> None:
    path, topology = binary.trr(motion, tmp_path, since_ps=np.inf), binary.pdb(motion, tmp_path)
    with pytest.raises(DataError):
        list(open_trajectory(path, topology=topology).frames())


def test_a_box_of_other_steps_is_that_of_its_steps(motion: Motion, tmp_path: Path) -> None:
    import h5py

    def stored(cells: np.ndarray, steps: np.ndarray) -> Path:
        path = text.h5md(motion, tmp_path)
        with h5py.File(path, "a") as file:
            edges = file["particles/all/box/edges"]
            for name in ("value", "step", "time"):
                del edges[name]
            edges["value"], edges["step"] = cells / 10, steps
            edges["value"].attrs["unit"] = b"nm"
        return path

    n = motion.n_frames
    changing = motion.cell * (1.0 + 1e-4 * np.arange(2 * n))[:, None, None]
    rare = open_trajectory(stored(np.broadcast_to(motion.cell, (3, 3, 3)), 10 * np.arange(3)))
    assert len(rare) == n
    assert f"stored for 3 of {n} frames" in rare.info.units_note
    often = open_trajectory(stored(changing, np.arange(2 * n) - 4))
    for frame in often.frames():
        np.testing.assert_allclose(frame.cell_ang, changing[frame.index + 4], atol=1e-12)
    with pytest.raises(UsageError) as caught:
        open_trajectory(stored(changing[:3], 10 * np.arange(3)))
    assert_helpful(caught.value, f"3 of {n} frames", "cell_ang")
    killed = open_trajectory(stored(changing[: n - 4], np.arange(n - 4)))
    assert len(killed) == n - 4
    assert any(f"only {n - 4} of {n} frames" in said for said in killed.info.warnings)
