"""HDF5, DCD, NetCDF and other binary files: units, times, byte orders, groups, topologies."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.joined import Parts
from bec_md.trajectory.runs import find_runs
from tests.trajectory.readers import binary
from tests.trajectory.readers import motion as text
from tests.trajectory.readers.motion import Motion
from tests.trajectory.truth import assert_helpful


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


def test_h5md_without_a_box_takes_the_cell_beside_a_topology(motion: Motion, tmp_path: Path) -> None:
    path, topology = text.h5md(motion, tmp_path), binary.pdb(motion, tmp_path)
    with h5py.File(path, "r+") as file:
        del file["particles/all/box/edges"]
    for pair in ((topology, path), iter([topology, path])):
        frame = next(iter(open_trajectory(pair, cell_ang=motion.cell).frames()))
        np.testing.assert_array_equal(frame.cell_ang, motion.cell)


@pytest.mark.parametrize("write", [text.xdatcar, text.dlpoly])
def test_a_cell_beside_that_of_the_file_is_refused(motion: Motion, tmp_path: Path, write: Any) -> None:
    with pytest.raises(UsageError, match="states its cell itself"):
        open_trajectory(write(motion, tmp_path), timestep_fs=1.0, cell_ang=(20.0, 20.0, 20.0))


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


def test_a_run_behind_another_interval_is_read_from_its_start(tmp_path: Path) -> None:
    """Frames 0, 1, 3, 5, …: the error for all of them says `start=1`."""
    import MDAnalysis
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    motion = Motion(n_frames=60)
    topology = binary.pdb(motion, tmp_path)
    path = tmp_path / "run.trr"
    with TRRFile(str(path), "w") as file:
        for k in (0, *range(1, motion.n_frames, 2)):
            x, box = (array.astype(np.float32) / 10 for array in (motion.positions[k], motion.cell))
            file.write(x, None, None, box, k, k * motion.timestep_fs / 1e3, 0.0, 4)
    for source in (path, MDAnalysis.Universe(str(topology), str(path), to_guess=())):
        options = {} if source is not path else {"topology": topology}
        with pytest.raises(DataError, match="`start=1`"):
            list(open_trajectory(source, **options))
        trajectory = open_trajectory(source, start=1, **options)
        assert trajectory.info.timestep_fs == pytest.approx(2.0 * motion.timestep_fs)
        assert len(list(trajectory)) == 30


def test_parts_late_in_a_run_are_joined_whatever_their_times_lack_of_digits(tmp_path: Path) -> None:
    paths, step_fs = [], 2.0
    for begin in (0, 219):
        motion = Motion(n_frames=400, timestep_fs=step_fs)
        part = slice(begin, begin + 220)
        motion.positions, motion.velocities = motion.positions[part], motion.velocities[part]
        motion.n_frames = len(motion.positions)
        name, since_ps = f"{begin}.trr", 301.0 + begin * step_fs / 1e3
        paths.append(binary.trr(motion, tmp_path, name=name, since_ps=since_ps))
    topology = binary.pdb(motion, tmp_path)
    (run,) = find_runs([open_trajectory(path, topology=topology) for path in paths])
    whole = open_trajectory(Parts(tuple(paths), run.repeated), topology=topology)
    assert len(list(whole)) == 400


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
