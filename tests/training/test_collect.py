import gzip
import re

import h5py
import numpy as np
import pytest

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.structure.extxyz import read_frames
from bec_md.training import collect
from bec_md.training.collection import read_output
from bec_md.training.vasp_output import atomic_numbers_of

from .outputs import OUTCAR, OUTPUTS, PH_OUTPUT, PW_INPUT, VASPRUN

MG = np.array([[1.9, 0.1, 0.2], [-0.1, 2.0, 0.3], [-0.2, -0.3, 2.1]])
EPS = np.array([[3.1, 0.01, 0.0], [0.01, 3.2, 0.0], [0.0, 0.0, 3.3]])
OXYGEN_X = 2.1312345


@pytest.mark.parametrize("name", [*OUTPUTS, "vaspout.h5"])
def test_tensors_are_read_as_printed_with_the_field_as_first_index(folder, name):
    (frame,) = read_output(folder / name)
    np.testing.assert_array_equal(frame.numbers, [12, 8])
    np.testing.assert_allclose(frame.born_effective_charges[0], MG, atol=1e-12)
    np.testing.assert_allclose(frame.eps_inf, EPS, atol=1e-12)
    # positions are printed with five decimals, by ph.x in units of the lattice parameter 4.2 Å
    assert frame.positions_ang[1, 0] == pytest.approx(OXYGEN_X, abs=5e-5)
    np.testing.assert_allclose(frame.cell_ang.sum(axis=1), 4.2, atol=5e-5)
    assert frame.info["functional"] in {"PBE", "PBEsol"}
    assert frame.info["n_k_points"] in {2, 32}


@pytest.mark.parametrize("name", ["OUTCAR", "vasprun.xml", "vaspout.h5"])
def test_net_charge_of_a_vasp_cell_comes_from_its_electrons(folder, name):
    outcar = folder / "OUTCAR"
    outcar.write_text(outcar.read_text().replace("NELECT =       8.0000", "NELECT =       6.0000"))
    assert read_output(folder / name)[0].total_charge == 2.0  # 8 valence electrons, 6 present


def test_an_input_of_pw_beside_the_output_gives_exact_positions(folder):
    (folder / "unrelated.in").write_text("this is nothing")
    (folder / "shifted.in").write_text(PW_INPUT.replace("2.1312345", "2.2312345"))
    (folder / "scf.in").write_text(PW_INPUT)
    (frame,) = read_output(folder / "ph.out")
    assert frame.positions_ang[1, 0] == pytest.approx(OXYGEN_X, abs=1e-9)
    assert frame.info["structure_from"] == "pw.x (scf.in)"


def test_another_structure_is_refused(folder):
    wrong = folder / "wrong.pwi"
    wrong.write_text(PW_INPUT.replace("2.1312345", "2.2312345"))
    with pytest.raises(DataError, match="different structures"):
        read_output(folder / "ph.out", structure=wrong)


def test_collected_labels_carry_convention_level_residual_and_provenance(folder):
    result = collect([folder / "ph.out", folder / "OUTCAR"], folder / "train.xyz", total_charge=0.0)
    with pytest.warns(BecMDWarning, match="mixes labels of 2 levels of theory"):
        first, second = read_frames(folder / "train.xyz")
    assert first.info["bec_convention"] == "dM/du"
    assert first.info["level"] == "PBE Quantum ESPRESSO"
    assert second.info["level"] == "PBEsol VASP"
    assert float(first.info["sum_rule_residual_e"]) == pytest.approx(0.06)
    assert first.info["source"].startswith("Quantum ESPRESSO 6.7MaX, ")
    assert str(folder.parent) not in (folder / "train.xyz").read_text()
    np.testing.assert_allclose(first.born_effective_charges[0], MG, atol=1e-9)  # not corrected
    assert "2 structures, 4 tensors" in result.summary()


def test_unconverged_meshes_can_be_left_out(folder):
    with pytest.raises(DataError, match="none of 1 outputs"):
        collect([folder / "ph.out"], folder / "train.xyz", max_residual_e=0.02)
    assert len(collect([folder / "ph.out"], folder / "train.xyz", max_residual_e=0.04).labels) == 1


def test_bad_files_stop_the_collection_unless_skipped(folder):
    bad = folder / "bad.out"
    bad.write_text(PH_OUTPUT.split("Effective charges")[0])
    with pytest.raises(DataError, match="no block"):
        collect([bad, folder / "ph.out"], folder / "train.xyz")
    result = collect([bad, folder / "ph.out"], folder / "train.xyz.gz", skip_bad=True, level="mine")
    assert len(result.rejected) == 1
    assert read_frames(folder / "train.xyz.gz")[0].info["level"] == "mine"
    with pytest.raises(UsageError, match="one structure for 2 outputs"):
        collect([bad, bad], folder / "x.xyz", structure=folder / "scf.in")


@pytest.mark.parametrize(
    ("name", "cut", "words"),
    [
        ("ph.out", "      Ez  (        0.20000", "5 of 6 rows"),
        ("ph.out", "     crystal axes", "no structure"),
        ("OUTCAR", "    3     0.20000", "cut"),
        ("OUTCAR", " BORN EFFECTIVE", "no BORN EFFECTIVE CHARGES"),
        ("vasprun.xml", " <structure name", "cut"),
        ("vasprun.xml", None, "neither an output"),
    ],
)
def test_cut_files_are_recognized(folder, name, cut, words):
    text = OUTPUTS[name]
    (folder / name).write_text(text[: text.index(cut)] if cut else "energy = -1.0")
    with pytest.raises(DataError, match=words):
        read_output(folder / name)


def test_an_unconverged_response_is_refused(folder):
    text = PH_OUTPUT.replace("End of electric fields calculation", "Convergence has not been achieved")
    (folder / "ph.out").write_text(text)
    with pytest.raises(DataError, match="not converged"):
        read_output(folder / "ph.out")


def test_a_vaspout_holds_the_tensors_of_its_vasprun_transposed(folder):
    """[ion, displacement, field], as phonopy reads it too."""
    with h5py.File(folder / "vaspout.h5") as file:
        stored = file["results/linear_response/born_charges"][0]
    (frame,) = read_output(folder / "vaspout.h5")
    np.testing.assert_array_equal(frame.born_effective_charges[0], stored.T)
    phonopy = pytest.importorskip("phonopy.interface.vasp")
    if hasattr(phonopy, "get_born_vaspout"):  # since 4.5
        with h5py.File(folder / "vaspout.h5", "r+") as file:
            file.copy("results/positions", "input/poscar")
        born, *_ = phonopy.get_born_vaspout(folder / "vaspout.h5", is_symmetry=False)
        np.testing.assert_allclose(frame.born_effective_charges, born)


def test_a_compressed_vasprun_is_read_and_touching_numbers_of_an_outcar(folder):
    (folder / "vasprun.xml.gz").write_bytes(gzip.compress(VASPRUN.encode()))
    assert len(read_output(folder / "vasprun.xml.gz")) == 1
    (expected,) = read_output(folder / "OUTCAR")
    vector = "     2.100000000  2.100000000  0.000000000    "
    assert vector in OUTCAR
    (folder / "OUTCAR").write_text(OUTCAR.replace(vector, "    -2.100000000 -2.100000000-10.500000000    "))
    (frame,) = read_output(folder / "OUTCAR")
    np.testing.assert_array_equal(frame.cell_ang[2], [-2.1, -2.1, -10.5])
    np.testing.assert_array_equal(frame.cell_ang[:2], expected.cell_ang[:2])


def test_a_vaspout_may_name_its_potentials(folder):
    with h5py.File(folder / "vaspout.h5", "r+") as file:
        del file["results/positions/ion_types"]
        file["results/positions/ion_types"] = np.array([b"Mg_pv/0f1e", b"O_s"])
    (output,) = read_output(folder / "vaspout.h5")
    assert output.numbers.tolist() == [12, 8]


def test_a_vaspout_without_tensors_or_with_others_is_refused(folder):
    with h5py.File(folder / "vaspout.h5", "r+") as file:
        file["results/positions/number_ion_types"][()] = [1, 2]
    with pytest.raises(DataError, match="belong together"):
        read_output(folder / "vaspout.h5")
    with h5py.File(folder / "vaspout.h5", "r+") as file:
        del file["results/linear_response/born_charges"]
    with pytest.raises(DataError, match="no born_charges"):
        read_output(folder / "vaspout.h5")
    (folder / "vaspout.h5").write_bytes((folder / "vaspout.h5").read_bytes()[:3000])
    with pytest.raises(DataError, match="cut off"):
        read_output(folder / "vaspout.h5")


# ---------------------------------------------------------------------- steps and atoms
def outcar_steps(oxygen_x, labelled):
    """An OUTCAR of several steps, with tensors 1.9 + 0.01 n at the steps that have them."""
    head, rest = OUTCAR.split(" POSITION  ")
    body, tail = (" POSITION  " + rest).split(" MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC")
    position, labels = body.split(" MACROSCOPIC", 1)
    out = head
    for n, x in enumerate(oxygen_x):
        out += position.replace("2.13123", f"{x:.5f}")
        if n in labelled:
            out += " MACROSCOPIC" + labels.replace("1     1.90000", f"1     {1.9 + 0.01 * n:.5f}")
    return out + " MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC" + tail


@pytest.mark.parametrize("labelled", [(0,), (0, 1, 2, 3), (1, 3)])
def test_each_block_of_tensors_belongs_to_the_structure_before_it(folder, labelled):
    """Finite displacements print structures after the tensors; dynamics prints both at each step."""
    places = [2.10, 2.12, 2.14, 2.085]
    (folder / "OUTCAR").write_text(outcar_steps(places, labelled))
    result = collect([folder / "OUTCAR"], folder / "o.xyz")
    frames = read_frames(folder / "o.xyz")
    assert len(result.labels) == len(frames) == len(labelled)
    for frame, n in zip(frames, labelled, strict=True):
        assert frame.positions_ang[1, 0] == pytest.approx(places[n])
        assert frame.born_effective_charges[0, 0, 0] == pytest.approx(1.9 + 0.01 * n)
        np.testing.assert_allclose(frame.eps_inf, EPS)


def test_zirconium_is_known_as_vasprun_spells_it(folder):
    (folder / "vasprun.xml").write_text(VASPRUN.replace("<c>Mg</c>", "<c>r </c>"))
    assert read_output(folder / "vasprun.xml")[0].numbers.tolist() == [40, 8]


def test_every_calculation_of_a_vasprun_has_its_own_structure(folder):
    start, end = VASPRUN.index("<calculation>"), VASPRUN.index("</calculation>") + len("</calculation>")
    one = VASPRUN[start:end]
    steps = [
        one.replace("<v>1.9 0.1", f"<v>1.9{n} 0.1").replace("<v>0 0 0</v>", f"<v>0.0{n} 0 0</v>")
        for n in range(3)
    ]
    (folder / "vasprun.xml").write_text(VASPRUN[:start] + "".join(steps) + VASPRUN[end:])
    frames = read_output(folder / "vasprun.xml")
    assert [frame.born_effective_charges[0, 0, 0] for frame in frames] == pytest.approx([1.90, 1.91, 1.92])
    assert [frame.positions_ang[0, 1] for frame in frames] == pytest.approx([0.0, 0.021, 0.042])
    # without structures of their own it is not known where the tensors belong, unless there is one
    bare = re.sub(r"<structure>.*?</structure>", "", one, flags=re.S)
    (folder / "vasprun.xml").write_text(VASPRUN[:start] + bare + bare + VASPRUN[end:])
    with pytest.raises(DataError, match="incomplete structure"):
        read_output(folder / "vasprun.xml")
    (folder / "vasprun.xml").write_text(VASPRUN[:start] + bare + VASPRUN[end:])
    assert len(read_output(folder / "vasprun.xml")) == 1


@pytest.mark.parametrize(
    ("label", "mass", "number"),
    [
        ("o", 15.999, 8), ("O-s", 15.999, 8), ("O_s", 15.999, 8), ("O1", 15.999, 8), ("Ow", 15.999, 8),
        ("OS", 15.999, 8), ("Os", 190.23, 76), ("CO", 12.011, 6), ("co", 58.933, 27), ("H", 2.014, 1),
    ],
)  # fmt: skip
def test_labels_of_quantum_espresso(folder, label, mass, number):
    site = "        2     O   15.9990   tau(    2)"
    assert site in PH_OUTPUT
    text = PH_OUTPUT.replace(site, f"        2     {label:3s} {mass:8.4f}  tau(    2)")
    (folder / "ph.out").write_text(text)
    np.testing.assert_array_equal(read_output(folder / "ph.out")[0].numbers, [12, number])


def test_equal_masses_of_unlike_atoms_do_not_decide(folder):
    """Tensors do not depend on the masses, and inputs often say 1.0 for all: Hf is no hydrogen then."""
    text = PH_OUTPUT.replace("Mg  24.3050", "Hf   1.0000").replace("O   15.9990", "O    1.0000")
    assert text != PH_OUTPUT
    (folder / "ph.out").write_text(text)
    np.testing.assert_array_equal(read_output(folder / "ph.out")[0].numbers, [72, 8])
    (folder / "ph.out").write_text(text.replace("O    1.0000", "O   15.9990").replace("1.0000", "1.0080"))
    np.testing.assert_array_equal(read_output(folder / "ph.out")[0].numbers, [1, 8])
    (folder / "scf.in").write_text(PW_INPUT)
    with pytest.raises(DataError, match="other elements"):
        read_output(folder / "ph.out", structure=folder / "scf.in")


@pytest.mark.parametrize("label", ["D ", "d1", "T_"])
def test_isotopes_of_hydrogen_are_hydrogen(tmp_path, label):
    text = PH_OUTPUT.replace("Mg  24.3050", f"{label}   2.0140")
    (tmp_path / "ph.out").write_text(text)
    assert read_output(tmp_path / "ph.out")[0].numbers.tolist() == [1, 8]
    assert atomic_numbers_of(["D", "Ti_sv", "T.x"], "vaspout.h5").tolist() == [1, 22, 1]


def test_atoms_are_never_dropped(folder):
    text = PH_OUTPUT.replace("        2     O   15.9990", "        2     ?   15.9990")
    (folder / "ph.out").write_text(text)
    with pytest.raises(DataError, match="'\\?' names no element"):
        read_output(folder / "ph.out")
    (folder / "ph.out").write_text(
        PH_OUTPUT.replace("number of atoms/cell      =            2", "number of atoms/cell = 3")
    )
    with pytest.raises(DataError, match="2 sites are listed, number of atoms/cell is 3"):
        read_output(folder / "ph.out")
    (folder / "OUTCAR").write_text(OUTCAR.replace("   VRHFIN =O: s2p4\n", ""))
    with pytest.raises(DataError, match="elements of 1 atoms, of 2"):
        read_output(folder / "OUTCAR")


def test_tensors_that_are_zero_are_no_labels(folder):
    zero = re.sub(r"^(    [123]) +[-\d.]+ +[-\d.]+ +[-\d.]+$", r"\1 0.0 0.0 0.0", OUTCAR, flags=re.M)
    (folder / "zero").write_text(zero)
    result = collect([folder / "OUTCAR", folder / "zero"], folder / "o.xyz")
    assert len(result.labels) == 1
    assert "exactly zero" in result.rejected[0]
    with pytest.raises(DataError, match="exactly zero"):
        collect([folder / "zero"], folder / "o.xyz")


# ---------------------------------------------------------------------- the same step, all atoms
def test_blocks_of_tensors_in_front_of_their_structures(folder):
    """Where the first block stands before any structure, each belongs to the structure that follows."""
    places = [2.10, 2.12, 2.14]
    steps = outcar_steps(places, (0, 1, 2))
    head, *rest = re.split(r"(?= POSITION  )", steps)
    turned = head
    for step in rest:
        position, labels = step.split(" MACROSCOPIC STATIC DIELECTRIC TENSOR (", 1)
        labels = labels.split(" MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC")[0]
        turned += " MACROSCOPIC STATIC DIELECTRIC TENSOR (" + labels + position
    (folder / "OUTCAR").write_text(turned)
    frames = read_output(folder / "OUTCAR")
    assert [frame.positions_ang[1, 0] for frame in frames] == pytest.approx(places)
    assert [frame.born_effective_charges[0, 0, 0] for frame in frames] == pytest.approx([1.9, 1.91, 1.92])


def test_the_cell_of_each_step_of_a_relaxation(folder):
    """Cells are printed before the atoms of each step; the first one is that of the input."""
    lattice = re.search(r"      direct lattice vectors.*?\n\n", OUTCAR, re.DOTALL)[0]
    step = OUTCAR[OUTCAR.index(" POSITION  ") : OUTCAR.index(" MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC")]
    wider = lattice.replace("2.100000000", "2.200000000")
    (folder / "OUTCAR").write_text(OUTCAR[: OUTCAR.index(" POSITION  ")] + step + wider + step)
    frames = read_output(folder / "OUTCAR")
    assert [frame.cell_ang.max() for frame in frames] == pytest.approx([2.1, 2.2])


def test_many_types_on_several_lines(folder):
    text = OUTCAR.replace("ions per type =               1   1", "ions per type =               1\n   1")
    assert text != OUTCAR
    (folder / "OUTCAR").write_text(text)
    assert read_output(folder / "OUTCAR")[0].formula == "MgO"


def test_a_pw_input_of_another_volume_is_another_structure(folder):
    """The same atoms in another cell: its lattice must not come with the labels."""
    wider = PW_INPUT.replace("0.0 2.1 2.1\n2.1 0.0 2.1\n2.1 2.1 0.0", "0.0 2.2 2.2\n2.2 0.0 2.2\n2.2 2.2 0.0")
    assert wider != PW_INPUT
    (folder / "scf.in").write_text(wider)
    (frame,) = read_output(folder / "ph.out")
    assert frame.cell_ang.max() == pytest.approx(2.1, abs=5e-5)
    assert "ph.x" in frame.info["structure_from"]
    with pytest.raises(DataError, match="different structures"):
        read_output(folder / "ph.out", structure=folder / "scf.in")


@pytest.mark.parametrize(
    "head",
    [
        " DBCSR| CPU Multiplication driver\n\n **** **** ******  **  PROGRAM STARTED AT 1 Jan\n CP2K|\n",
        "------------\n          Invoking FHI-aims ...\n          Version 210716\n",
        "  |  DFTB+ release 22.2\n",
    ],
    ids=["CP2K", "FHI-aims", "DFTB+"],
)
def test_outputs_of_other_programs_are_refused_with_a_way(folder, head):
    (folder / "other.out").write_text(head + " BORN EFFECTIVE CHARGES\n")
    with pytest.raises(DataError, match="convert other outputs to extended XYZ"):
        read_output(folder / "other.out")
