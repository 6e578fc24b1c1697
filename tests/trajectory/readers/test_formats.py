"""Every format gives the same motion: positions, velocities, cell, times, current."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bec_md
from bec_md.errors import DataError, UsageError
from bec_md.trajectory import open_trajectory
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


def test_frames_of_a_yaml_dump_that_a_restart_wrote_again(motion: Motion, tmp_path: Path) -> None:
    path = text.dump_yaml(motion, tmp_path)
    frames = ["---" + part for part in path.read_text().split("---")[1:]]
    once = list(open_trajectory(path, elements="Na,Cl"))
    path.write_text("".join(frames[:6] + frames[3:]))
    trajectory = open_trajectory(path, elements="Na,Cl")
    assert "restart" in " ".join(trajectory.info.warnings)
    np.testing.assert_array_equal([f.time_fs for f in trajectory], [f.time_fs for f in once])
    np.testing.assert_array_equal([f.positions_ang for f in trajectory], [f.positions_ang for f in once])


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
