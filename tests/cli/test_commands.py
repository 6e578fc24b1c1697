"""The other commands, by hand as a user would type them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ase.io
import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from bec_md.structure.extxyz import read_frames, write_frames
from bec_md.structure.from_ase import as_frame
from bec_md.trajectory import open_trajectory
from tests.cli import crystal
from tests.cli.conftest import Run
from tests.current.test_rigidity import WATER, rigid_bodies


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network for Mg and O: its tensors mean nothing, but obey the sum rule."""
    import torch

    from bec_md.network.config import NetworkConfig, readouts
    from bec_md.network.model_file import save_model
    from bec_md.network.network import Network

    torch.manual_seed(3)
    config = NetworkConfig(
        elements=(8, 12),
        levels=("test",),
        channels=4,
        radial_width=4,
        scalar_width=4,
        readouts=readouts("charges", 2),
        cutoff_ang=3.0,
    )
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, Network(config), {"name": "tiny", "stated_error_e": 0.5})
    return path


def test_network_from_trajectory_to_spectrum(run: Run, files: dict[str, Path], tiny_model: Path) -> None:
    result = run("spectrum", files["short"], "--model", tiny_model, "--eps-inf", "model", "--json", "-")
    found = json.loads(result.stdout)
    assert "tiny" in found["model"]
    assert "stated error 0.5 e" in result.stderr
    # the network makes ΣZ = 0 in single precision
    assert found["sum_rule_residual_e"] < 1e-5
    assert np.array(found["eps_inf"]).shape == (3, 3)


def test_rare_evaluation_reports_its_error(run: Run, files: dict[str, Path], tiny_model: Path) -> None:
    result = run("spectrum", files["short"], "--model", tiny_model, "--charge-stride", "4", "--csv", "s.csv")
    assert "between evaluated frames the charges are off by" in " ".join(result.stdout.split())


def test_predicted_tensors_come_back_from_the_file(
    run: Run, files: dict[str, Path], tiny_model: Path
) -> None:
    from ase.io import read

    from bec_md.network import load_model

    run("predict", files["short"], "--model", tiny_model, "-o", "z.xyz", "--stop", "3")
    original = list(open_trajectory(files["short"], stop=3).frames())
    written = list(open_trajectory("z.xyz").frames())
    expected = load_model(tiny_model).predict_batch(original).born_effective_charges
    assert len(written) == 3
    for frame, source, tensors in zip(written, original, expected, strict=True):
        assert frame.born_effective_charges is not None
        # six decimals are written
        assert np.allclose(frame.born_effective_charges, tensors, atol=1e-6)
        assert np.allclose(frame.velocities_ang_fs, source.velocities_ang_fs, rtol=1e-6, atol=1e-12)
        assert frame.time_fs == source.time_fs
    atoms = read("z.xyz", index=0)  # ASE reads positions and momenta as well
    assert np.allclose(atoms.get_positions(), original[0].positions_ang, atol=1e-7)


def test_predicted_tensors_are_not_called_those_of_a_calculation(run: Run, tiny_model: Path) -> None:
    """A file of labels says how they were calculated; what a network puts in their place was not."""
    info = {"level": "PBE VASP", "code": "VASP", "functional": "PBE", "k_mesh": "8x8x8", "license": "CC0-1.0"}
    charges = np.array([2.0, -2.0])[:, None, None] * np.eye(3)
    crystal_frame = as_frame(bulk("MgO", "rocksalt", a=4.21))
    frame = replace(crystal_frame, info=info).with_labels(born_effective_charges=charges)
    write_frames("labels.xyz", [frame])
    run("predict", "labels.xyz", "--model", tiny_model, "-o", "z.xyz")
    run("predict", "labels.xyz", "--charges", "file", "-o", "same.xyz")
    found, same = (read_frames(name)[0].info for name in ("z.xyz", "same.xyz"))
    assert info.items() <= same.items()
    assert not {"level", "code", "functional", "k_mesh"} & set(found)
    assert found["license"] == "CC0-1.0"


def test_a_molecule_that_says_so_needs_no_cell(run: Run, tiny_model: Path) -> None:
    from bec_md.network import load_model

    rows = "Properties=species:S:1:pos:R:3{}\nMg 0 0 0\nO 1.6 0.1 0\nO -1.6 0 0.2\n"
    Path("m.xyz").write_text("3\n" + rows.format(' pbc="F F F"'))
    run("predict", "m.xyz", "--model", tiny_model, "-o", "z.xyz")
    (found,) = read_frames("z.xyz")
    assert found.eps_inf is None
    boxed = Atoms(found.numbers, found.positions_ang, cell=[40.0, 40.0, 40.0], pbc=True)
    np.testing.assert_allclose(found.born_effective_charges, load_model(tiny_model).predict(boxed), atol=2e-6)
    Path("m.xyz").write_text("3\n" + rows.format(""))  # as a crystal whose cell was lost
    assert "no Lattice" in run("predict", "m.xyz", "--model", tiny_model, "-o", "z.xyz", status=1).stderr


def test_evaluation_of_a_model_on_its_own_predictions(
    run: Run, files: dict[str, Path], tiny_model: Path
) -> None:
    run("predict", files["short"], "--model", tiny_model, "-o", "z.xyz.gz", "--stop", "4")
    result = run("evaluate", "z.xyz.gz", "--model", tiny_model, "--json", "-")
    found = json.loads(result.stdout)
    for key in ("rmse_e", "mae_e", "r2", "median_frame_rmse_e", "per_element", "antisymmetric_rmse_e",
                "sum_rule_residual_e", "n_tensors", "us_per_atom"):  # fmt: skip
        assert key in found
    assert found["rmse_e"] < 1e-5  # rounding of the file and of single precision
    assert found["n_tensors"] == 32
    assert "RMSE" in result.stderr


def test_training_run(run: Run, tmp_path: Path) -> None:
    positions, _ = crystal.trajectory(12)
    rng = np.random.default_rng(0)
    tensors = rng.normal(scale=0.1, size=(12, 8, 9))
    tensors[:, :4, ::4] += 2.0
    tensors[:, 4:, ::4] -= 2.0
    tensors -= tensors.mean(axis=1, keepdims=True)
    crystal.write(
        tmp_path / "data.xyz",
        crystal.extxyz_text(positions, None, time=False, extra={"born_effective_charges": tensors}),
    )
    crystal.write(
        tmp_path / "tiny.yaml",
        "name: mine\ndata:\n  - {path: data.xyz, level: test, validation: 0.25, split: block}\n"
        "network: {channels: 4, radial_width: 4, scalar_width: 4, members: 2, cutoff_ang: 3.0}\n"
        "schedule: {epochs: 1}\nbatch: {max_edges: 2000}\n",
    )
    result = run("train", "tiny.yaml", "-o", "out")
    assert Path("out/model.safetensors").is_file()
    assert "out/model.safetensors" in result.stdout
    refused = run("train", "tiny.yaml", "-o", "out", status=2)
    assert "--resume" in refused.stderr


def test_collect_says_what_it_cannot_read(run: Run, files: dict[str, Path]) -> None:
    result = run("collect", files["short"], "-o", "labels.xyz", status=1)
    assert "ph.x" in result.stderr
    assert not Path("labels.xyz").exists()


@pytest.mark.parametrize("columns", ["0", "40", "100"])
def test_models_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = run("models").stdout
    assert "auto" in said
    assert "universal-polarization" in said
    assert " 0.00415 e" in said
    assert isinstance(json.loads(run("models", "--json", "-").stdout), dict)


def test_info_knows_every_kind_of_file(run: Run, files: dict[str, Path], tiny_model: Path) -> None:
    run("spectrum", files["short"], "--charges", crystal.CHARGES)
    assert "trajectory" in run("info", files["short"]).stdout
    assert "60 samples" in run("info", "short_current.h5").stdout
    assert "f-sum" in run("info", "short_spectrum.h5").stdout
    assert "O Mg" in run("info", tiny_model).stdout
    assert json.loads(run("info", files["short"], "--json", "-").stdout)["n_frames"] == 60


def test_figures_of_stored_spectra(run: Run, files: dict[str, Path]) -> None:
    run(
        "spectrum",
        files["xyz"],
        "--charges",
        crystal.CHARGES,
        "--eps-inf",
        "3",
        "-o",
        "a.h5",
        "--plot",
        "a.pdf",
    )
    assert Path("a.pdf").read_bytes().startswith(b"%PDF")
    run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--resolution", "60", "-o", "b.h5")
    assert "a_loss.png" in run("plot", "a.h5", "--quantity", "loss").stdout
    crystal.write(Path("measured.csv"), "wavenumber,value\n300,1\n400,5\n500,1\n")
    run("plot", "a.h5", "b.h5", "--experiment", "measured.csv", "--wavelength", "-o", "two.svg")
    text = Path("two.svg").read_text()
    assert all(name in text for name in ("measured", ">a<", ">b<", "Wavelength"))
    for wrong, fact in (
        (["a.h5", "--xlim", "5"], "--xlim"),
        (["b.h5", "--quantity", "loss"], "--eps-inf"),
        (["a.h5", "b.h5", "--quantity", "acf"], "acf"),
        (["a.h5", "-o", "x.gif"], ".gif"),
    ):
        assert fact in run("plot", *wrong, status=2).stderr


def test_report_and_citations_of_a_spectrum(run: Run, files: dict[str, Path]) -> None:
    run("spectrum", files["xyz"], "--charges", crystal.CHARGES, "--report", "r.html", "-o", "s.h5")
    assert "<svg" in Path("r.html").read_text()
    for arguments in (["cite"], ["cite", "s.h5"]):
        assert "Pasquarello" in run(*arguments).stdout
    assert "@article" in run("cite", "s.h5", "--bibtex").stdout
    assert "none.h5" in run("cite", "none.h5", status=2).stderr


def test_validation_against_exact_results(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = run("validate", "--list").stdout.split()
    assert {"harmonic", "drude"} <= set(cases)
    result = run("validate", "boost", "--json", "-")
    assert json.loads(result.stdout)["passed"] is True
    assert "harmonic" in run("validate", "harmonc", status=2).stderr

    from bec_md.validate.table import Check, ValidationTable

    wrong = ValidationTable((Check("case", "number", 1.0, 2.0, 0.1),), (), {"case": 0.1}, "0", True)
    monkeypatch.setattr("bec_md.validate.run.run_validation", lambda *_, **__: wrong)
    failed = run("validate", status=1)
    assert "do not agree" in failed.stderr


def test_plan_inverts_the_formula_of_the_error(run: Run) -> None:
    found = json.loads(run("plan", "--resolution", "10", "--error", "0.1", "--json", "-").stdout)
    # PHYSICS: relative error 1/√(3 T B), B = 2√π σ c with σ = FWHM/√(8 ln 2)
    bandwidth_hz = 2 * np.sqrt(np.pi) * 10 / np.sqrt(8 * np.log(2)) * 2.99792458e10
    assert found["run_time_ps"] == pytest.approx(1e12 / (0.01 * 3 * bandwidth_hz), rel=1e-3)
    shift = run("plan", "--highest", "3400", "--md-timestep", "0.5").stdout
    assert "14.7 cm⁻¹" in shift  # PHYSICS: (2/dt) asin(ω dt/2) − ω


def test_lammps_check_says_what_was_found(run: Run) -> None:
    from bec_md.lammps.installation import installed_headers

    result = run("lammps", "check", status=0 if installed_headers() is not None else 1)
    assert "compiler" in result.stdout
    assert "LAMMPS" in result.stdout


def test_lammps_check_knows_models_of_a_polarization(run: Run) -> None:
    from bec_md.lammps.installation import installed_headers

    status = 0 if installed_headers() is not None else 1
    text = " ".join(run("lammps", "check", "--model", "batio3", status=status).stdout.split())
    assert "3 elements, cutoff 5 Å, predicts a polarization" in text


def test_current_and_info_count_rigid_distances_in_the_temperature_as_spectrum_does(run: Run) -> None:
    positions = rigid_bodies(WATER, 4, seed=1)
    atoms = [Atoms("OHH" * 4, x, cell=[30.0] * 3, pbc=True) for x in positions]
    for one, velocity in zip(atoms, np.gradient(positions, axis=0), strict=True):
        one.set_velocities(velocity / ase.units.fs)
    ase.io.write("w.traj", atoms)
    options = "--charges", "fixed:O=-0.8,H=0.4", "--timestep", "1"
    said = run("current", "w.traj", *options).output + run("info", "w_current.h5").output
    momenta = np.array([one.get_momenta() for one in atoms])
    masses = atoms[0].get_masses()
    momenta -= masses[:, None] * (momenta.sum(axis=1) / masses.sum())[:, None]
    energy = float(np.mean(np.sum(momenta**2 / (2.0 * masses[:, None]), axis=(1, 2))))
    assert said.count(f"{2.0 * energy / (21 * ase.units.kB):.1f} K, kinetic") == 2  # 3·12 − 3 − 12


def test_commands_are_kept_without_folders_but_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from bec_md.cli.inputs import command_line

    words = "spectrum /home/me/T=300/run.xyz --charges born:/home/me/BORN --output=/home/me/a.h5 ../b.xyz"
    monkeypatch.setattr("sys.argv", ["bec-md", *words.split(), "--velocity-units", "ang/fs", "--units=e/s"])
    assert command_line() == (
        "bec-md spectrum run.xyz --charges born:BORN --output=a.h5 b.xyz --velocity-units ang/fs --units=e/s"
    )
