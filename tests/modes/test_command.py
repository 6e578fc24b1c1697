"""``bec-md modes`` on a crystal whose modes are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.io import write
from typer.testing import CliRunner

from bec_md.cli.app import app
from bec_md.validate.crystal import random_crystal
from bec_md.validate.crystal_files import write_extxyz
from tests.modes.test_modes import atoms_of, force_constants, spread_out, write_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("modes")
    crystal = spread_out(random_crystal(seed=4, gamma_cm=40.0))
    write_extxyz(path / "run.xyz", crystal, *crystal.run(2000, 5.0, np.random.default_rng(3)), 5.0)
    write_text(path / "FORCE_CONSTANTS", force_constants(crystal))
    write(path / "reference.xyz", atoms_of(crystal))
    return path


def test_density_of_states_and_modes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--force-constants", folder / "FORCE_CONSTANTS", "--structure", folder / "reference.xyz"]
    arguments += ["--charges", "fixed:Mg=2,O=-2", "--resolution", 25, "--max", 1200, "--json", "m.json"]
    result = CliRunner().invoke(app, ["modes", str(folder / "run.xyz"), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    content = json.loads(Path("m.json").read_text())
    assert content["degrees_of_freedom"] == 21
    assert sum(len(group["modes"]) for group in content["modes"]) == 21
    # 10 ps: temperatures of single modes to 15 %, their mean to 3 %
    assert np.mean([g["temperature_k"] for g in content["modes"]]) == pytest.approx(300.0, rel=0.12)
    table = np.genfromtxt("run_modes.csv", delimiter=",", names=True, skip_header=2, deletechars="")
    assert np.trapezoid(table["dos_per_cm"], table["wavenumber_cm"]) == pytest.approx(21.0, rel=0.05)
    shares = [n for n in table.dtype.names if n.startswith("n_alpha_cm[")]
    total = np.sum([table[n] for n in shares], axis=0)
    np.testing.assert_allclose(total, table["n_alpha_cm"], atol=1e-5 * table["n_alpha_cm"].max())


def test_real_parts_of_shares_know_bands_above_the_table(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--force-constants", folder / "FORCE_CONSTANTS", "--structure", folder / "reference.xyz"]
    arguments += ["--charges", "fixed:Mg=2,O=-2", "--resolution", 25]
    tables = []
    for top in (500, 2000):
        more = map(str, [*arguments, "--max", top, "--csv", f"{top}.csv"])
        assert CliRunner().invoke(app, ["modes", str(folder / "run.xyz"), *more]).exit_code == 0
        tables.append(np.genfromtxt(f"{top}.csv", delimiter=",", names=True, skip_header=2))
    short, long = tables
    assert short.dtype == long.dtype
    assert short["wavenumber_cm"][-1] < 500.0
    for name in short.dtype.names:
        np.testing.assert_array_equal(short[name], long[name][: len(short)])


def test_density_of_states_alone_needs_no_charges(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["modes", str(folder / "run.xyz"), "--csv", "dos.csv"])
    assert result.exit_code == 0, result.output
    assert Path("dos.csv").is_file()
    assert not list(Path().glob("*_current.h5"))
    lonely = ["modes", str(folder / "run.xyz"), "--structure", str(folder / "reference.xyz")]
    assert CliRunner().invoke(app, lonely).exit_code == 2


def test_time_step_of_every_third_frame(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--timestep", "5", "--stride", "3", "--csv", "dos.csv", "--json", "dos.json"]
    result = CliRunner().invoke(app, ["modes", str(folder / "run.xyz"), *options])
    assert result.exit_code == 0, result.output
    assert json.loads(Path("dos.json").read_text())["timestep_fs"] == pytest.approx(15.0)
