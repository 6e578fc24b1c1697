"""The main command on a crystal whose spectrum is known, through the file readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.cli import crystal
from tests.cli.conftest import Run

COLUMNS = ["wavenumber_cm", "n_alpha_cm", "n_alpha_cm_err", "sigma_real_s_per_m", "eps_imag", "eps_imag_err"]
WITH_EPS_INF = ["eps_real", "n", "kappa", "alpha_cm", "reflectivity", "loss"]
JSON_KEYS = {
    "temperature_k", "volume_ang3", "n_atoms", "n_frames", "timestep_fs", "resolution_cm", "nyquist_cm",
    "f_sum_ratio", "sum_rule_residual_e", "com_drift_ang_per_fs", "static_eps", "model", "warnings", "peaks",
}  # fmt: skip


def table(path: Path) -> dict[str, Any]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    values = np.array([[float(word) for word in line.split(",")] for line in lines[1:]])
    return dict(zip(lines[0].split(","), values.T, strict=True))


def test_one_command_gives_table_data_and_a_resumable_current(run: Run, files: dict[str, Path]) -> None:
    result = run("spectrum", files["xyz"], "--charges", crystal.CHARGES)
    for name in ("mgo_spectrum.csv", "mgo_spectrum.h5", "mgo_current.h5"):
        assert Path(name).is_file()
        assert name in result.stdout
    columns = table(Path("mgo_spectrum.csv"))
    assert list(columns)[:6] == COLUMNS
    assert not set(WITH_EPS_INF) & set(columns)  # they need ε_∞
    assert {"n_alpha_cm[Mg]", "n_alpha_cm[O]"} <= set(columns)
    # the partials are exactly additive; the table has 8 digits
    total = columns["n_alpha_cm[Mg]"] + columns["n_alpha_cm[O]"]
    assert np.allclose(total, columns["n_alpha_cm"], rtol=1e-6, atol=1e-6 * total.max())
    # 8 ps at 20 cm⁻¹: the damped mode (γ = 20 cm⁻¹) is 28 cm⁻¹ wide, its maximum is known to a third of that
    assert columns["wavenumber_cm"][np.argmax(columns["n_alpha_cm"])] == pytest.approx(400, abs=10)


def test_it_says_before_and_after_what_matters(run: Run, files: dict[str, Path]) -> None:
    text = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "-v").stdout
    before, after = text.split("temperature", 1)
    for fact in ("2000 frames 4 fs apart", "8 ps", "Mg 4, O 4", "Å", "Nyquist 4170 cm⁻¹", "resolution", "MB",
                 "CPU", "fixed:Mg=2,O=-2", "|ΣZ − Q|/N"):  # fmt: skip
        assert fact in " ".join(before.split()), fact
    after = " ".join(after.split())  # lines are folded where the numbers end
    for fact in ("kinetic ", "(Mg ", "f-sum", "|ΣZ − Q|/N", "center of mass", "peaks", "± ", "⣿"):
        assert fact in after, fact


def test_the_summary_fits_one_screen(
    run: Run, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--eps-inf", "3").stdout.splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80
    labels = [line[:12].strip() for line in lines if line[:1].strip()]
    wanted = "input charges spectrum current temperature ε∞ static peaks TO LO f-sum checks written"
    assert labels == wanted.split()  # one TO and one LO: the mean structure is cubic, whatever the noise says
    again = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--eps-inf", "3", "-v").stdout
    assert len(again.splitlines()) > 24
    stored = run("spectrum", "mgo_current.h5", "--eps-inf", "3").stdout  # as from the trajectory
    of_modes = [line for line in stored.splitlines() if line.startswith(("TO", "LO"))]
    assert of_modes == [line for line in lines if line.startswith(("TO", "LO"))]
    assert "--eps-inf takes numbers" in run("spectrum", "mgo_current.h5").stdout  # nothing is predicted


def test_replicas_take_the_lines_of_one_run(run: Run, tmp_path: Path) -> None:
    paths = [
        crystal.write(tmp_path / f"mgo_{seed}.xyz", crystal.extxyz_text(*crystal.trajectory(300, seed=seed)))
        for seed in (1, 2, 3)
    ]
    text = run("spectrum", *paths, "--charges", crystal.CHARGES).stdout
    assert "3 runs, mgo_1.xyz … mgo_3.xyz (extxyz): each 300 frames" in " ".join(text.split())
    assert text.count("\ninput") + text.startswith("input") == 1
    assert Path("mgo_spectrum.csv").is_file()  # the name that they share
    again = run("spectrum", *(f"mgo_{seed}_current.h5" for seed in (1, 2, 3)), "-o", "again.h5").stdout
    assert "3 runs, mgo_1_current.h5 … mgo_3_current.h5 (current): 300 samples" in " ".join(again.split())
    assert again.count("\ninput") + again.startswith("input") == 1


def test_json_on_stdout_is_alone_there(run: Run, files: dict[str, Path]) -> None:
    result = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--json", "-", "--resolution", "20")
    found = json.loads(result.stdout)
    assert set(found) >= JSON_KEYS
    assert "f-sum" in result.stderr
    assert found["n_atoms"] == 8
    assert found["resolution_cm"] == 20
    assert found["timestep_fs"] == 4
    assert found["nyquist_cm"] == pytest.approx(4169.55, abs=0.01)  # 1/(2·4 fs·c)
    # 24 coordinates over 8 ps with 0.27 ps of memory: a few per cent
    assert found["temperature_k"] == pytest.approx(300, abs=25)
    assert {"wavenumber_cm", "height", "err"} <= set(found["peaks"][0])
    assert not Path("mgo_spectrum.csv").exists()  # only what was asked for


def test_second_analysis_computes_nothing(run: Run, files: dict[str, Path]) -> None:
    run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--csv", "a.csv")
    before = Path("mgo_current.h5").stat().st_mtime_ns
    again = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--resolution", "40",
                "--groups", "none", "--eps-inf", "3", "--tensor", "--csv", "b.csv")  # fmt: skip
    assert "nothing to compute" in again.stdout
    assert Path("mgo_current.h5").stat().st_mtime_ns == before
    columns = table(Path("b.csv"))
    assert list(columns)[: len(COLUMNS) + len(WITH_EPS_INF)] == COLUMNS + WITH_EPS_INF
    assert not any("[" in name for name in columns)
    assert {f"eps_imag_{a}{b}" for a in "xyz" for b in "xyz"} <= set(columns)


def test_other_charges_never_overwrite_a_stored_current(run: Run, files: dict[str, Path]) -> None:
    run("spectrum", files["short"], "--charges", crystal.CHARGES, "--csv", "a.csv")
    run("spectrum", files["short"], "--charges", "fixed:Mg=1,O=-1", "--csv", "b.csv")
    assert Path("short_current.h5").is_file()
    assert Path("short_current-2.h5").is_file()
    # nα goes with the square of the charges; both runs are the same motion
    assert np.allclose(
        table(Path("a.csv"))["n_alpha_cm"], 4 * table(Path("b.csv"))["n_alpha_cm"], rtol=1e-6, atol=1e-3
    )


def test_overwrite_begins_the_own_current_anew(run: Run, files: dict[str, Path]) -> None:
    for charges in (crystal.CHARGES, "fixed:Mg=1,O=-1"):
        run("current", files["short"], "--charges", charges, "-q")
    before = Path("short_current.h5").read_bytes()
    run("current", files["short"], "--charges", "fixed:Mg=1,O=-1", "--overwrite", "-q")
    assert Path("short_current.h5").read_bytes() == before  # of the other charges


def test_lammps_dump_and_extxyz_agree(run: Run, files: dict[str, Path]) -> None:
    reading = ("--charges", crystal.CHARGES, "--resolution", "30", "--groups", "none")
    run("spectrum", files["same"], *reading, "--csv", "xyz.csv")
    run("spectrum", files["dump"], *reading, "--csv", "dump.csv", "--units", "metal", "--elements", "Mg,O",
        "--timestep", "4")  # fmt: skip
    one, other = table(Path("xyz.csv")), table(Path("dump.csv"))
    # both files carry nine digits
    assert np.allclose(one["n_alpha_cm"], other["n_alpha_cm"], rtol=1e-5, atol=1e-5 * one["n_alpha_cm"].max())


def test_constant_tensors_of_a_file(run: Run, files: dict[str, Path], tmp_path: Path) -> None:
    tensors = np.zeros((1, 8, 9))
    tensors[0, :4, ::4], tensors[0, 4:, ::4] = 2.0, -2.0
    born = crystal.write(
        tmp_path / "born.xyz",
        crystal.extxyz_text(crystal.SITES[None], None, extra={"born_effective_charges": tensors}),
    )
    run("spectrum", files["short"], "--charges", f"born:{born}", "--csv", "born.csv", "--quiet")
    run("spectrum", files["short"], "--charges", crystal.CHARGES, "--csv", "fixed.csv", "--quiet")
    # the mapping may restore the sum rule, which these tensors obey already
    assert np.allclose(
        table(Path("born.csv"))["n_alpha_cm"], table(Path("fixed.csv"))["n_alpha_cm"], rtol=1e-6, atol=1e-3
    )


def test_replicas_are_averaged_and_kept_apart(run: Run, tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        folder = tmp_path / f"run{seed}"
        folder.mkdir()
        text = crystal.extxyz_text(*crystal.trajectory(300, seed=seed))
        paths.append(crystal.write(folder / "traj.xyz", text))
    result = run("spectrum", *paths, "--charges", crystal.CHARGES, "--json", "-")
    found = json.loads(result.stdout)
    assert found["n_frames"] == 600
    assert found["n_replicas"] == 2
    assert {path.name for path in Path().glob("*_current.h5")} == {
        "run1_traj_current.h5",
        "run2_traj_current.h5",
    }


def test_current_first_spectrum_later(run: Run, files: dict[str, Path]) -> None:
    said = run("current", files["short"], "--charges", crystal.CHARGES, "-o", "j.h5").stdout
    assert "bec-md spectrum j.h5\n" in said
    part = run("current", files["short"], "--charges", crystal.CHARGES, "-o", "j.h5", "--stop", "40").stdout
    assert "40 samples of the 60" in part  # rows are kept, and not all of them were asked for
    assert "--stop 40\n" in part
    assert json.loads(run("spectrum", "j.h5", "--stop", "40", "--json", "-").stdout)["n_frames"] == 40
    run("spectrum", "j.h5", "--csv", "stored.csv")
    run("spectrum", files["short"], "--charges", crystal.CHARGES, "--csv", "direct.csv")
    assert (
        Path("stored.csv").read_text().splitlines()[50:] == Path("direct.csv").read_text().splitlines()[50:]
    )
    refused = run("spectrum", "j.h5", "--charges", crystal.CHARGES, status=2)
    assert "--charges" in refused.stderr


def test_strict_fails_after_writing_everything(run: Run, files: dict[str, Path]) -> None:
    # twice the temperature: the f-sum ratio is 0.5
    result = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--temperature", "600", "--strict",
                 "--csv", "s.csv", "-o", "s.h5", status=1)  # fmt: skip
    assert "f_sum" in result.stderr
    assert table(Path("s.csv"))["wavenumber_cm"].size > 10
    with h5py.File("s.h5") as file:
        assert file.attrs["temperature_k"] == 600
    assert "f-sum" in result.stdout
    assert "bec-md plot s.h5" in run("spectrum", "s.h5", status=2).stderr
    run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--temperature", "600", "--csv", "s.csv")


def test_quiet_prints_nothing_on_stdout(run: Run, files: dict[str, Path]) -> None:
    result = run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--quiet")
    assert result.stdout == ""
    assert Path("mgo_spectrum.csv").is_file()


def test_results_carry_the_command_but_no_folder_of_this_machine(run: Run, files: dict[str, Path]) -> None:
    run("spectrum", files["short"], "--charges", crystal.CHARGES)
    with h5py.File("short_spectrum.h5") as file:
        text = "".join(str(value) for value in file.attrs.values())
    assert "short.xyz" in text
    assert str(files["short"].parent) not in text


def test_series_of_another_code(run: Run, tmp_path: Path) -> None:
    _, velocities = crystal.trajectory(2000)
    charges = np.array([2.0] * 4 + [-2.0] * 4)
    current = np.einsum("i,tia->ta", charges, velocities)
    np.savetxt(tmp_path / "j.dat", current)
    result = run("spectrum", "j.dat", "--units", "e*ang/fs", "--timestep", "4", "--cell", "4.21,4.21,4.21",
                 "--temperature", "300", "--json", "-")  # fmt: skip
    found = json.loads(result.stdout)
    assert found["volume_ang3"] == pytest.approx(4.21**3)
    assert found["peaks"][0]["wavenumber_cm"] == pytest.approx(400, abs=10)  # as above
    missing = run("spectrum", "j.dat", "--units", "e*ang/fs", "--timestep", "4", status=2)
    assert "--volume" in missing.stderr


def test_inputs_of_two_systems_are_refused_before_the_work(run: Run, tmp_path: Path) -> None:
    positions, velocities = crystal.trajectory(60)
    one = crystal.write(tmp_path / "a.xyz", crystal.extxyz_text(positions, velocities))
    second = positions + np.array([crystal.LATTICE_ANG, 0, 0])
    text = crystal.extxyz_text(
        np.concatenate([positions, second], axis=1),
        np.concatenate([velocities, velocities], axis=1),
        symbols=crystal.SYMBOLS * 2,
        lattice="8.42 0 0 0 4.21 0 0 0 4.21",
    )
    two = crystal.write(tmp_path / "b.xyz", text)
    refused = run("spectrum", one, two, "--charges", crystal.CHARGES, status=2)
    assert "b.xyz has 16 atoms (8 Mg, 8 O), a.xyz 8 atoms (4 Mg, 4 O)" in refused.stderr
    assert not list(tmp_path.glob("*_current.h5*"))


def test_stored_currents_with_other_charges_are_refused(run: Run, tmp_path: Path) -> None:
    for seed in (1, 2):
        text = crystal.extxyz_text(*crystal.trajectory(60, seed=seed))
        path = crystal.write(tmp_path / f"run{seed}.xyz", text)
        run("current", path, "--charges", f"fixed:Mg={seed},O=-{seed}", "-o", f"{seed}.h5")
    refused = run("spectrum", "1.h5", "2.h5", status=2)
    assert "fixed:Mg=2,O=-2" in refused.stderr
    assert "fixed:Mg=1,O=-1" in refused.stderr


def test_the_json_of_replicas_says_what_any_of_them_warns_of(run: Run, tmp_path: Path) -> None:
    whole, cut = (crystal.extxyz_text(*crystal.trajectory(120, seed=seed)) for seed in (1, 2))
    paths = [
        crystal.write(tmp_path / "a.xyz", whole),
        crystal.write(tmp_path / "b.xyz", cut[:-300]),
    ]
    for order in (paths, paths[::-1]):
        run("spectrum", *order, "--charges", crystal.CHARGES, "-q", "--json", "j.json")
        found = json.loads(Path("j.json").read_text())
        assert sum("b.xyz" in text and "cut off" in text for text in found["warnings"]) == 1
        assert found["metadata"]["source"] == ", ".join(path.name for path in order)


def test_a_new_replica_joins_a_stored_current(run: Run, tmp_path: Path) -> None:
    for seed in (1, 2):
        crystal.write(tmp_path / f"mgo_{seed}.xyz", crystal.extxyz_text(*crystal.trajectory(200, seed=seed)))
    how = ("--resolution", "100", "--json", "o.json")
    run("current", "mgo_1.xyz", "--charges", crystal.CHARGES)
    run("spectrum", "mgo_1_current.h5", "mgo_2.xyz", "--charges", crystal.CHARGES, *how)
    mixed = json.loads(Path("o.json").read_text())
    run("spectrum", "mgo_1.xyz", "mgo_2.xyz", "--charges", crystal.CHARGES, *how)
    both = json.loads(Path("o.json").read_text())
    assert mixed["n_replicas"] == 2
    assert mixed["static_susceptibility"] == both["static_susceptibility"]
    wrong = run("spectrum", "mgo_1_current.h5", "mgo_2.xyz", "--charges", "fixed:Mg=1,O=-1", *how, status=2)
    assert "has charges fixed:Mg=1,O=-1" in wrong.stderr
