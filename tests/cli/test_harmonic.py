"""`bec-md born` and `bec-md harmonic` on MgO with springs, beside what phonopy makes of them."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.io import write
from typer.testing import CliRunner

from bec_md.charges.born_file import read_born
from bec_md.cli.app import app
from bec_md.network import load_model
from bec_md.network.model_file import save_model
from tests.network.conftest import make_network

SPRING = 4.0  # eV/Å² between nearest neighbors, along the bond; a tenth of it across


def run(*arguments, status=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result.output


def spring_constants(cell, positions):
    """Force constants of springs between neighbors closer than 2.5 Å, with the acoustic sum rule."""
    n = len(positions)
    phi = np.zeros((n, n, 3, 3))
    shifts = np.array(list(np.ndindex(5, 5, 5))) - 2
    for i in range(n):
        for j in range(n):
            for vector in positions[j] - positions[i] + shifts @ cell:
                length = np.linalg.norm(vector)
                if 0.1 < length < 2.5:
                    bond = np.outer(vector, vector) / length**2
                    block = SPRING * (bond + 0.1 * (np.eye(3) - bond))
                    phi[i, j] -= block
                    phi[i, i] += block
    return phi


@pytest.fixture
def crystal(tmp_path):
    atoms = bulk("MgO", "rocksalt", a=4.21)
    atoms.write(tmp_path / "POSCAR", format="vasp")
    phi = spring_constants(atoms.cell.array, atoms.positions)
    np.savez(tmp_path / "fc.npz", force_constants=phi)
    return tmp_path


def test_a_molecule_without_a_cell_has_no_eps_inf_and_no_born_file(tmp_path):
    """Whichever engine: a permittivity is that of a volume."""
    water = molecule("H2O")
    for engine in ("native", "torch"):
        assert np.isnan(load_model("universal", engine=engine).predict_batch([water]).eps_inf).all()
    write(tmp_path / "h2o.xyz", water, format="extxyz")
    assert "has no cell" in run("born", tmp_path / "h2o.xyz", "-o", tmp_path / "BORN", status=2)
    assert not (tmp_path / "BORN").exists()


def test_forces_are_those_beside_the_file_and_not_of_the_working_folder(crystal, monkeypatch):
    """phonopy.load takes what lies in the working folder: FORCE_CONSTANTS of twice the frequency."""
    phonopy = pytest.importorskip("phonopy")
    from phonopy.file_IO import write_FORCE_CONSTANTS, write_force_constants_to_hdf5
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("MgO", "rocksalt", a=4.21)
    unit = PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(), cell=atoms.cell.array, positions=atoms.positions
    )
    phonon = phonopy.Phonopy(unit, np.eye(3), primitive_matrix=np.eye(3))
    phi = spring_constants(atoms.cell.array, atoms.positions)
    calculation, elsewhere = crystal / "calculation", crystal / "elsewhere"
    calculation.mkdir(), elsewhere.mkdir()
    phonon.save(calculation / "phonopy.yaml")
    write_FORCE_CONSTANTS(4.0 * phi, filename=str(elsewhere / "FORCE_CONSTANTS"))
    monkeypatch.chdir(elsewhere)
    command = "harmonic", "../calculation/phonopy.yaml", "--charges", "fixed:Mg=2,O=-2", "--json", "p.json"
    assert "no force constants" in " ".join(run(*command, status=1).split())
    write_force_constants_to_hdf5(
        phi, filename=str(calculation / "force_constants.hdf5"), physical_unit="eV/angstrom^2"
    )
    run(*command)
    found = json.loads((elsewhere / "p.json").read_text())["modes"][-1]["wavenumber_cm"]
    reduced = 24.305 * 15.999 / (24.305 + 15.999)
    assert found == pytest.approx(521.471 * np.sqrt(SPRING * 2.4 / reduced), rel=1e-4)
    # the same file beside a structure, and packed
    packed = gzip.compress((calculation / "phonopy.yaml").read_bytes())
    (calculation / "phonopy.yaml.gz").write_bytes(packed)
    hdf5 = "--force-constants", calculation / "force_constants.hdf5"
    for source in ([calculation / "phonopy.yaml.gz"], [crystal / "POSCAR", *hdf5]):
        run("harmonic", *source, *command[2:])
        again = json.loads((elsewhere / "p.json").read_text())["modes"][-1]["wavenumber_cm"]
        assert again == pytest.approx(found, rel=1e-4)  # phonopy has masses of its own


@pytest.mark.filterwarnings(
    "ignore:.*Point group symmetries"
)  # of a supercell that is long along x, by phonopy
def test_compact_force_constants_of_the_unit_cell_fit_it(tmp_path, monkeypatch):
    """As phonopy below version 4 writes them: it took the unit cell for primitive and did not say so."""
    phonopy = pytest.importorskip("phonopy")
    from phonopy.file_IO import write_FORCE_CONSTANTS
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    cell, positions = atoms.cell.array, atoms.positions
    unit = PhonopyAtoms(symbols=atoms.get_chemical_symbols(), cell=cell, positions=positions)
    phonon = phonopy.Phonopy(unit, np.diag([2, 1, 1]), primitive_matrix="P")
    phi = spring_constants(phonon.supercell.cell, phonon.supercell.positions)
    rows = phonon.primitive.p2s_map
    monkeypatch.chdir(tmp_path)
    write_FORCE_CONSTANTS(phi[rows], filename="FORCE_CONSTANTS", p2s_map=rows)
    phonon.save("phonopy.yaml", settings={"force_sets": False, "displacements": False})
    stated = (tmp_path / "phonopy.yaml").read_text()
    (tmp_path / "phonopy.yaml").write_text(re.sub(r"primitive_matrix:\n(- .*\n)+", "", stated))
    run("harmonic", "phonopy.yaml", "--charges", "fixed:Mg=2,O=-2", "--json", "p.json")
    found = json.loads((tmp_path / "p.json").read_text())
    reduced = 24.305 * 15.999 / (24.305 + 15.999)
    (active,) = [row["wavenumber_cm"] for row in found["modes"] if row["intensity_km_mol"] > 1.0]
    assert active == pytest.approx(521.471 * np.sqrt(SPRING * 2.4 / reduced), rel=1e-4)


def test_harmonic_agrees_with_the_closed_form(crystal):
    """Six bonds make K = Σ over bonds of each axis; TO = √(K/μ), and LST gives LO."""
    run("harmonic", crystal / "POSCAR", "--force-constants", crystal / "fc.npz", "--json", crystal / "h.json",
        "--csv", crystal / "h.csv")  # fmt: skip
    found = json.loads((crystal / "h.json").read_text())
    (mode,) = found["modes"]
    assert mode["degeneracy"] == 3
    reduced = 24.305 * 15.999 / (24.305 + 15.999)
    stiffness = SPRING * (2 + 4 * 0.1)
    assert mode["wavenumber_cm"] == pytest.approx(521.471 * np.sqrt(stiffness / reduced), rel=1e-4)
    assert 0 < mode["intensity_km_mol_err"] < mode["intensity_km_mol"]
    ionic, eps = found["ionic_eps"][0][0], found["eps_inf"][0][0]
    for entry in found["along"]:
        top = max(entry["wavenumber_cm"])
        assert top == pytest.approx(mode["wavenumber_cm"] * np.sqrt(1 + ionic / eps), rel=1e-3)
        assert entry["wavenumber_cm_err"][-1] > 0
    assert len((crystal / "h.csv").read_text().splitlines()) == 2


def test_longitudinal_frequencies_are_those_of_phonopy(crystal):
    """The file of `born`, read by phonopy, gives the LO frequency of `harmonic` from one phonopy.yaml."""
    phonopy = pytest.importorskip("phonopy")
    from phonopy.file_IO import write_FORCE_CONSTANTS
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("MgO", "rocksalt", a=4.21)
    unit = PhonopyAtoms(symbols=["Mg", "O"], cell=atoms.cell.array, positions=atoms.positions)
    phonon = phonopy.Phonopy(unit, np.diag([3, 3, 3]), primitive_matrix=np.eye(3))
    supercell = phonon.supercell
    phonon.force_constants = spring_constants(np.asarray(supercell.cell), np.asarray(supercell.positions))
    phonon.save(crystal / "phonopy.yaml")
    write_FORCE_CONSTANTS(phonon.force_constants, filename=str(crystal / "FORCE_CONSTANTS"))
    run("harmonic", crystal / "phonopy.yaml", "--direction", "0,0,1", "--json", crystal / "p.json")
    found = json.loads((crystal / "p.json").read_text())

    run("born", crystal / "POSCAR", "-o", crystal / "BORN")
    phonon = phonopy.load(
        crystal / "phonopy.yaml",
        force_constants_filename=crystal / "FORCE_CONSTANTS",
        born_filename=crystal / "BORN",
        log_level=0,
    )
    phonon.run_qpoints([[0, 0, 0]], nac_q_direction=phonon.primitive.cell @ np.array([0, 0, 1.0]))
    expected = np.sort(phonon.qpoints.frequencies[0])[3:] * 33.35641  # THz → cm⁻¹
    np.testing.assert_allclose(found["along"][0]["wavenumber_cm"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("calculator", "length", "stiffness"),
    [
        ("vasp", 1.0, 1.0),
        ("qe", 0.529177211, 13.605693 / 0.529177211**2),
        ("abinit", 0.529177211, 1.0 / 0.529177211),
        ("cp2k", 1.0, 27.211386 / 0.529177211),
        ("wien2k", 0.529177211, 0.013605693 / 0.529177211**2),
    ],
)
def test_units_of_phonopy_are_those_of_its_calculator(crystal, calculator, length, stiffness):
    """One crystal in the units of five codes: its frequency, and ε, which the volume enters."""
    phonopy = pytest.importorskip("phonopy")
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("MgO", "rocksalt", a=4.21)
    unit = PhonopyAtoms(
        symbols=["Mg", "O"], cell=atoms.cell.array / length, positions=atoms.positions / length
    )
    phonon = phonopy.Phonopy(unit, np.eye(3), primitive_matrix=np.eye(3), calculator=calculator)
    phonon.force_constants = spring_constants(atoms.cell.array, atoms.positions) / stiffness
    phonon.save(crystal / "phonopy.yaml", settings={"force_constants": True})
    run("harmonic", crystal / "phonopy.yaml", "--charges", "fixed:Mg=2,O=-2", "--json", crystal / "p.json")
    found = json.loads((crystal / "p.json").read_text())
    source = (crystal / "POSCAR", "--force-constants", crystal / "fc.npz")
    run("harmonic", *source, "--charges", "fixed:Mg=2,O=-2", "--json", crystal / "h.json")
    expected = json.loads((crystal / "h.json").read_text())
    for key in ("wavenumber_cm", "intensity_km_mol", "ionic_eps"):
        np.testing.assert_allclose(found["modes"][0][key], expected["modes"][0][key], rtol=2e-4)

    (crystal / "phonopy.yaml").write_text(
        (crystal / "phonopy.yaml").read_text().replace("physical_unit:", "units:")
    )
    status = 0 if calculator == "vasp" else 1
    output = run("harmonic", crystal / "phonopy.yaml", "--charges", "fixed:Mg=2,O=-2", status=status)
    assert ("states no units" in output) is (calculator != "vasp")


def test_a_unit_that_nothing_states_is_asked_for(crystal):
    from tests.modes.test_modes import write_text

    atoms = bulk("MgO", "rocksalt", a=4.21)
    ry_bohr2 = 13.605693 / 0.529177211**2
    path = write_text(
        crystal / "FORCE_CONSTANTS", spring_constants(atoms.cell.array, atoms.positions) / ry_bohr2
    )
    source = ("harmonic", crystal / "POSCAR", "--force-constants", path, "--charges", "fixed:Mg=2,O=-2")
    assert "nothing states the unit" in run(*source)
    output = run(*source, "--force-constants-unit", "Ry/bohr^2", "--json", crystal / "h.json")
    assert "nothing states" not in output
    (mode,) = json.loads((crystal / "h.json").read_text())["modes"]
    reduced = 24.305 * 15.999 / (24.305 + 15.999)
    assert mode["wavenumber_cm"] == pytest.approx(521.471 * np.sqrt(SPRING * 2.4 / reduced), rel=1e-4)
    output = run("harmonic", crystal / "none.yaml", "--force-constants-unit", "Ry/bohr^2", status=2)
    assert "without --force-constants" in output


def test_soft_modes_charges_that_do_not_add_up_and_vacuum_are_named(crystal):
    """A mode of 8 cm⁻¹ would give half of thousands to ε; a slab is not a crystal."""
    atoms = bulk("MgO", "rocksalt", a=4.21)
    phi = spring_constants(atoms.cell.array, atoms.positions)
    phi[:, :, 0, 0] *= 2e-4
    np.savez(crystal / "soft.npz", force_constants=phi)
    atoms.pbc = (True, True, False)
    atoms.write(crystal / "slab.xyz")
    output = run(
        "harmonic", crystal / "slab.xyz", "--force-constants", crystal / "soft.npz",
        "--charges", "fixed:Mg=2,O=-1", "--json", crystal / "h.json",
    )  # fmt: skip
    (soft,) = json.loads((crystal / "h.json").read_text())["soft_cm"]
    assert f"modes at {soft:.1f} cm⁻¹" in output
    assert 5.0 < soft < 10.0
    assert "not periodic in all directions" in output
    assert "sum to" in output


def test_born_holds_the_independent_atoms(crystal):
    """Eight atoms of the conventional cell, two of them independent, as the network predicts them."""
    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    atoms.write(crystal / "cubic.cif")
    output = run("born", crystal / "cubic.cif", "-o", crystal / "BORN", "--model", "universal")
    born = read_born(crystal / "BORN")
    assert len(born.tensors) == 2
    assert born.atoms is not None
    model = load_model("universal", threads=1)
    prediction = model.predict_batch([atoms])
    expected = prediction.born_effective_charges[0][list(born.atoms)]
    np.testing.assert_allclose(born.tensors, expected, atol=2e-5)  # coordinates of the CIF are rounded
    np.testing.assert_allclose(born.eps_inf, prediction.eps_inf[0], atol=2e-5)
    assert "2 of 8 atoms" in output


def test_a_model_that_is_no_ensemble_states_no_uncertainty(tmp_path):
    """It does not say that its tensors are exact: neither here nor in calculators and workflows."""
    from bec_md.ase import BornCharges
    from bec_md.evaluation import evaluate_model
    from bec_md.structure.from_ase import as_frame
    from bec_md.workflows import born_charges

    model = tmp_path / "one.safetensors"
    save_model(model, make_network(members=1), {"training": {}})
    atoms = bulk("SiO", "rocksalt", a=4.2)
    atoms.write(tmp_path / "POSCAR", format="vasp")
    output = run("born", tmp_path / "POSCAR", "-o", tmp_path / "BORN", "--model", model)
    assert "atom 1" in output
    assert "±" not in output
    assert "states no error, and its uncertainty is not calibrated" in " ".join(output.split())
    assert born_charges(atoms, model=model)["born_uncertainty_e"] is None
    calculator = BornCharges(model)
    calculator.calculate(atoms)
    assert np.isnan(calculator.results["uncertainty_e"]).all()
    tensors = calculator.results["born_effective_charges"]
    found = evaluate_model(model, [as_frame(atoms).with_labels(born_effective_charges=tensors + 0.1)])
    assert found.uncertainty_e is None
    assert "calibration" not in found.metrics


def test_sticks_lie_over_a_spectrum(crystal, monkeypatch):
    """TO of the springs in nα, √(1 + Δε/ε∞) above it in the loss, at the heights of the panel."""
    from bec_md.cli import plot_command
    from bec_md.spectrum import write_hdf5
    from tests.plot.oscillators import oscillator_spectrum

    monkeypatch.chdir(crystal)
    write_hdf5(oscillator_spectrum(), "s.h5")
    run("born", "POSCAR", "-o", "BORN")
    axes = []
    monkeypatch.setattr("bec_md.plot.save_figure", lambda figure, path: axes.append(figure))
    source = ("--harmonic", "POSCAR", "--force-constants", "fc.npz", "--charges", "born:BORN,POSCAR")
    places = {}
    for quantity in ("n_alpha", "loss", "reflectivity"):
        output = run("plot", "s.h5", "--quantity", quantity, *source)
        (sticks,) = (c for c in axes[-1].collections if str(c.get_label()).startswith("harmonic"))
        places[quantity] = sticks.get_segments()[0][0, 0]
        assert sticks.get_segments()[0][1, 1] == pytest.approx(0.6)
        assert f"{places[quantity]:.1f} cm⁻¹" in output
    reduced = 24.305 * 15.999 / (24.305 + 15.999)
    assert places["n_alpha"] == pytest.approx(521.471 * np.sqrt(SPRING * 2.4 / reduced), rel=1e-4)
    assert places["loss"] > 1.2 * places["n_alpha"]
    assert places["reflectivity"] == places["n_alpha"]
    assert plot_command.PLOT_HELP.count("--harmonic") == 1
    output = " ".join(run("plot", "s.h5", "--quantity", "acf", *source, status=2).split())
    assert "with --harmonic" in output


def test_sticks_of_force_constants_in_another_unit(crystal, monkeypatch):
    """The warning names an option that `plot` has as well."""
    from bec_md.spectrum import write_hdf5
    from tests.plot.oscillators import oscillator_spectrum

    monkeypatch.chdir(crystal)
    write_hdf5(oscillator_spectrum(), "s.h5")
    phi = np.load("fc.npz")["force_constants"]
    pairs = [
        f"{i + 1} {j + 1}\n{' '.join(map(str, phi[i, j].ravel()))}" for i, j in np.ndindex(phi.shape[:2])
    ]
    Path("FORCE_CONSTANTS").write_text(f"{len(phi)}\n" + "\n".join(pairs) + "\n")
    source = ("--harmonic", "POSCAR", "--force-constants", "FORCE_CONSTANTS", "--charges", "fixed:Mg=2,O=-2")
    assert "give --force-constants-unit" in " ".join(run("plot", "s.h5", *source).split())
    usual, other = (
        float(re.search(r"TO ([\d.]+)", run("plot", "s.h5", *source, "--force-constants-unit", unit))[1])
        for unit in ("eV/angstrom^2", "Ry/bohr^2")
    )
    assert other / usual == pytest.approx(np.sqrt(13.605693 / 0.529177**2), rel=1e-3)


def test_sticks_over_one_element_are_those_along_its_axis(crystal, monkeypatch):
    """Springs of half the stiffness along z: one mode in zz, another one in xx."""
    from bec_md.spectrum import write_hdf5
    from tests.plot.oscillators import oscillator_spectrum

    monkeypatch.chdir(crystal)
    write_hdf5(oscillator_spectrum(), "s.h5")
    phi = np.load("fc.npz")["force_constants"]
    phi[:, :, 2, 2] *= 0.5
    np.savez("fc.npz", force_constants=phi)
    axes = []
    monkeypatch.setattr("bec_md.plot.save_figure", lambda figure, path: axes.append(figure))
    source = ("--harmonic", "POSCAR", "--force-constants", "fc.npz", "--charges", "fixed:Mg=2,O=-2")
    places = {}
    for elements in ("", "xx", "zz", "xx,zz"):
        run("plot", "s.h5", *source, *(("--components", elements) if elements else ()))
        (sticks,) = (c for c in axes[-1].collections if str(c.get_label()).startswith("harmonic"))
        places[elements] = sorted(segment[0, 0] for segment in sticks.get_segments())
    assert places["xx,zz"] == places[""] == [*places["zz"], *places["xx"]]
    assert places["zz"] == pytest.approx([np.sqrt(0.5) * places["xx"][0]], rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("harmonic", "POSCAR"), 2, "without force constants"),
        (("harmonic", "POSCAR", "--force-constants", "none"), 2, "no such file"),
        (("harmonic", "POSCAR", "--force-constants", "fc.npz", "--direction", "0,0,0"), 2, "not all zero"),
        (
            ("harmonic", "POSCAR", "--force-constants", "fc.npz", "--direction", "nan,0,1"),
            2,
            "finite numbers",
        ),
        (
            ("harmonic", "POSCAR", "--force-constants", "fc.npz", "--direction", "inf,0,0"),
            2,
            "finite numbers",
        ),
        (("born", "POSCAR", "--symmetry-tolerance", "-1"), 2, "--symmetry-tolerance -1 is not a positive"),
        (("born", "POSCAR", "--symmetry-tolerance", "nan"), 2, "--symmetry-tolerance nan is not a positive"),
        (("harmonic", "broken.yaml"), 1, "phonopy cannot use"),
        (
            (
                "harmonic",
                "POSCAR",
                "--force-constants",
                "fc.npz",
                "--charges",
                "fixed:Mg=2,O=-2",
                "--model",
                "x",
            ),
            2,
            "leave out one of the two",
        ),
        (
            ("harmonic", "POSCAR", "--force-constants", "fc.npz", "--charges", "file:bec"),
            2,
            "--charges born:FILE",
        ),
        (("born", "none.cif"), 2, "no such file"),
        (("born", "POSCAR", "--model", "water"), 2, "trained without"),
    ],
)
def test_bad_inputs_are_refused_in_words(crystal, monkeypatch, arguments, status, message):
    pytest.importorskip("phonopy")
    monkeypatch.chdir(crystal)
    (crystal / "broken.yaml").write_text("nothing: here\n")
    output = " ".join(run(*arguments, status=status).split())
    assert message in output


@pytest.mark.parametrize(
    "words", [("born", "-o"), ("harmonic", "--csv"), ("harmonic", "--json"), ("harmonic", "--csv", "fc.npz")]
)
def test_no_output_replaces_the_structure(crystal, words):
    before = [(crystal / name).read_bytes() for name in ("POSCAR", "fc.npz")]
    command, flag, *other = words
    constants = ["--force-constants", crystal / "fc.npz"] if command == "harmonic" else []
    target = crystal / (other[0] if other else "POSCAR")
    assert "is the input" in run(command, crystal / "POSCAR", *constants, flag, target, status=2)
    assert [(crystal / name).read_bytes() for name in ("POSCAR", "fc.npz")] == before


def test_a_born_file_is_replaced_only_if_it_is_named(crystal, monkeypatch):
    """The folder of a calculation with phonopy holds that of its DFPT."""
    monkeypatch.chdir(crystal)
    run("born", "POSCAR")
    run("born", "POSCAR")  # the same once more
    Path("BORN").write_text("of a calculation")
    assert "write -o BORN to replace it" in " ".join(run("born", "POSCAR", status=2).split())
    assert Path("BORN").read_text() == "of a calculation"
    run("born", "POSCAR", "-o", "BORN")
    assert Path("BORN").read_text().startswith("# epsilon")
