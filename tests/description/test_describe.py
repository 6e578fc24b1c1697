"""Every kind of file is described, and what a spectrum from it would need is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from bec_md.current.options import SeriesOptions
from bec_md.description import Description, describe, relation_of
from bec_md.errors import BecMDError, DataError
from bec_md.structure.extxyz import write_frames
from bec_md.structure.from_ase import as_frame
from bec_md.trajectory import ReadOptions, open_trajectory

from ..training.outputs import OUTCAR
from ..trajectory.motion import HarmonicMotion


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def words(found: Description) -> str:
    return "\n".join([found.kind, *(" ".join(row) for row in found.rows), *found.missing, *found.warnings])


def test_a_run_names_its_clock_and_temperature_where_they_are_missing(tmp_path: Path) -> None:
    motion = HarmonicMotion()
    known = describe(put(tmp_path, "a.xyz", motion.extxyz(comment="time_fs={t}")))
    assert "60 frames" in known.kind
    assert known.missing == ()
    lacking = describe(put(tmp_path, "b.xyz", motion.extxyz(velocities=False)))
    assert [text.split(":")[1].strip() for text in lacking.missing] == [
        "give `timestep_fs`",
        "give `temperature_k`",
    ]
    assert known.to_dict()["n_frames"] == lacking.to_dict()["n_frames"] == 60


def test_a_dump_without_units_and_elements_is_described(tmp_path: Path) -> None:
    found = describe(put(tmp_path, "a.lammpstrj", HarmonicMotion().lammps("x y z vx vy vz")))
    assert "lammps-dump" in found.kind
    assert "60 frames" in found.kind
    assert "type 1: 2, type 2: 2" in words(found)
    assert "steps 0 … 59, every 1" in words(found)
    assert [
        next(name for name in ("lammps_units", "elements") if name in text) for text in found.missing
    ] == [
        "lammps_units",
        "elements",
    ]
    given = ReadOptions(lammps_units="real", elements=("Na", "Cl"), timestep_fs=1.0)
    assert describe(tmp_path / "a.lammpstrj", given).missing == ()


def test_what_the_caller_states_wrongly_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "a.xyz", HarmonicMotion().extxyz())
    with pytest.raises(DataError, match="1 fs apart"):
        describe(path, ReadOptions(timestep_fs=10.0))


def test_structures_of_different_atoms_are_no_run(tmp_path: Path) -> None:
    labelled = as_frame(bulk("MgO", "rocksalt", a=4.2)).with_labels(
        born_effective_charges=np.array([2.0, -2.0])[:, None, None] * np.eye(3)
    )
    write_frames(tmp_path / "set.xyz", [labelled, as_frame(bulk("NaCl", "rocksalt", a=5.6, cubic=True))])
    found = describe(tmp_path / "set.xyz")
    assert "2 structures" in found.kind
    assert "2: " in words(found)
    assert "in 1 of 2" in words(found)
    assert "frames of one run" in found.missing[0]
    assert [frame.n_atoms for frame in open_trajectory(tmp_path / "set.xyz", time_series=False).frames()] == [
        2,
        8,
    ]


def test_frames_that_are_no_run_say_why(tmp_path: Path) -> None:
    order = {i: [2, 1, 0, 3] for i in range(1, 60, 2)}
    path = put(tmp_path, "a.xyz", HarmonicMotion().extxyz(velocities=False, order=order))
    found = describe(path)
    assert "60 structures" in found.kind
    assert "not frames of one run" in found.warnings[0]


@pytest.mark.parametrize("name", ["a.cif", "POSCAR", "a.pdb"])
def test_one_structure_needs_motion(tmp_path: Path, name: str) -> None:
    atoms: Atoms = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    atoms.write(tmp_path / name)
    found = describe(tmp_path / name)
    assert "one structure" in found.kind
    assert "8 (Mg 4, O 4)" in words(found)
    assert "molecular dynamics" in found.missing[0]


def test_labels_are_told_from_trajectories(tmp_path: Path) -> None:
    found = describe(put(tmp_path, "OUTCAR", OUTCAR))
    assert "labels" in found.kind
    assert "VASP" in words(found)
    assert "bec-md collect" in found.missing[0]


def test_a_log_of_ase_tells_time_and_temperature(tmp_path: Path) -> None:
    rows = [f"{0.01 * k:.4f}  -1.0  -1.2  0.2  {300 + (-1) ** k}.0" for k in range(6)]
    head = "Time[ps]      Etot[eV]     Epot[eV]     Ekin[eV]    T[K]"
    found = describe(put(tmp_path, "md.log", "\n".join([head, *rows]) + "\n"))
    assert "6 rows" in found.kind
    assert "rows 10 fs apart" in words(found)
    assert found.values["mean_temperature_k"] == pytest.approx(300.0)


def test_energies_of_cp2k_tell_time_and_temperature(tmp_path: Path) -> None:
    """The first rows of a real run."""
    text = (
        "#     Step Nr.          Time[fs]        Kin.[a.u.]          Temp[K]            Pot.[a.u.]"
        "        Cons Qty[a.u.]        UsedTime[s]\n"
        "         0            0.000000         0.081436084       272.121172178        -9.375046818"
        "        -9.293610734         0.000000000\n"
        "         1            2.000000         0.082159260       274.537685655        -9.375772036"
        "        -9.293612777         0.068553632\n"
    )
    found = describe(put(tmp_path, "run-1.ener", text))
    assert found.kind == "log of CP2K's molecular dynamics, 2 rows"
    assert "rows 2 fs apart" in words(found)
    assert found.values["mean_temperature_k"] == pytest.approx(273.33, abs=0.01)


def test_a_measured_table_that_cannot_be_is_no_unknown_file(tmp_path: Path) -> None:
    rows = "\n".join(f"{nu},{nu % 70 + 10}" for nu in range(100, 200, 10))
    with pytest.raises(DataError, match="reflectivities up to"):
        describe(put(tmp_path, "r.csv", f"cm-1,r\n{rows}\n"))


def test_a_log_of_lammps_tells_what_it_holds_and_what_is_lost(tmp_path: Path) -> None:
    rows = "\n".join(f"{4 * k} {0.002 * k:.3f} 300.{k} 904.0 {np.sin(k):.4f} 0.1 0.2" for k in range(20))
    text = (
        "LAMMPS (22 Jul 2025)\nunits metal\ntimestep 0.0005\nfix ir all bec silica Si O every 4\n"
        "Per MPI rank memory allocation (min/avg/max) = 1 | 1 | 1 Mbytes\n"
        f"Step Time Temp Volume f_ir[1] f_ir[2] f_ir[3]\n{rows}\n"
        "Loop time of 1 on 1 procs for STEPS steps with 72 atoms\n"
    )
    whole = describe(put(tmp_path, "log.lammps", text.replace("STEPS", "76")))
    assert "20, 2 fs apart" in words(whole)
    assert whole.warnings == ()
    cut = describe(put(tmp_path, "cut.log", text.replace("STEPS", "1600")))
    assert "the last 1524 steps of the run have no rows in cut.log" in cut.warnings[0]


def test_tables_charges_and_force_constants(tmp_path: Path) -> None:
    moments = put(tmp_path, "dipole.dat", "\n".join(f"{k} {k * 0.1} {k * 0.2}" for k in range(20)) + "\n")
    assert "current or dipole moment" in describe(moments).kind
    assert "units" in describe(moments).missing[0]
    series = describe(moments, series=SeriesOptions(units="e*ang", columns=[1, 2, 3], timestep_fs=1.0))
    assert "M(t)" in series.kind
    assert any("volume" in text for text in series.missing)
    eye = " ".join(["2.0 0 0 0 2.0 0 0 0 2.0"])
    assert "BORN" in describe(put(tmp_path, "BORN", f"14.4\n3.0 0 0 0 3.0 0 0 0 3.0\n{eye}\n{eye}\n")).kind
    block = "1 1\n1.0 0.0 0.0\n0.0 1.0 0.0\n0.0 0.0 1.0\n"
    assert "force constants" in describe(put(tmp_path, "FORCE_CONSTANTS", "1 1\n" + block)).kind
    measured = "\n".join(f"{100 + k},{k}" for k in range(9))
    assert "compare" in describe(put(tmp_path, "n.csv", "wavenumber_cm,n_alpha_cm\n" + measured)).kind


def test_a_binary_without_topology_tells_its_size(tmp_path: Path) -> None:
    import MDAnalysis

    universe = MDAnalysis.Universe.empty(5, trajectory=True)
    universe.dimensions = [10, 10, 10, 90, 90, 90]
    for suffix in ("dcd", "xtc", "trr"):
        with MDAnalysis.Writer(str(tmp_path / f"a.{suffix}"), n_atoms=5) as writer:
            for _ in range(3):
                writer.write(universe.atoms)
        found = describe(tmp_path / f"a.{suffix}")
        assert (found.values["n_frames"], found.values["n_atoms"]) == (3, 5)
        assert "topology" in found.missing[0]


def test_what_nobody_knows_is_said(tmp_path: Path) -> None:
    for name, text in (("a.txt", "hello\n"), ("notes.md", "# hello\n"), ("run.py", "print(1)\n")):
        with pytest.raises(BecMDError) as caught:
            describe(put(tmp_path, name, text))
        assert "NoneType" not in str(caught.value)


def test_several_files_tell_how_they_belong_together(tmp_path: Path) -> None:
    motion = HarmonicMotion(n_atoms=16)
    paths = [
        put(tmp_path, f"{name}.xyz", motion.extxyz(frames=list(frames)))
        for name, frames in (("a", range(30)), ("b", range(30, 60)))
    ]
    other = put(tmp_path, "c.xyz", HarmonicMotion(n_atoms=16, seed=9).extxyz())
    options = ReadOptions(timestep_fs=1.0)
    assert relation_of(paths, options) == "1 independent run(s); a.xyz + b.xyz continue one another"
    assert relation_of([paths[0], other], options) == "2 independent run(s)"
    assert "hold the same frames" in relation_of([other, other], options)
    assert relation_of([other, tmp_path / "missing.xyz"]) == ""
