"""Outputs of several runs, damaged tables, and what a run does not say of itself."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.training.collection import collect, read_output

from .outputs import OUTCAR, PH_OUTPUT, PW_INPUT, PW_OUTPUT, VASPRUN

DATA = Path(__file__).parent / "data"
#: The same run with a wider cell and another tensor of the first atom.
OTHER_PH = PH_OUTPUT.replace("7.93685", "8.10000").replace("1.90000        0.1", "1.70000        0.1")
CAO = OUTCAR.replace("Mg", "Ca").replace("2.100000000", "2.400000000").replace("1.90000", "2.30000")


def written(path, text):
    path.write_text(text)
    return path


# ---------------------------------------------------------------------- several runs in one file
def test_each_run_of_ph_has_its_own_structure_and_tensors(tmp_path):
    frames = read_output(written(tmp_path / "all.out", PH_OUTPUT + OTHER_PH))
    assert [frame.born_effective_charges[0, 0, 0] for frame in frames] == [1.9, 1.7]
    assert [frame.cell_ang.max() for frame in frames] == pytest.approx([2.1, 2.14317], abs=1e-4)
    assert [frame.index for frame in frames] == [0, 1]


def test_a_run_of_ph_takes_the_structure_of_the_run_of_pw_before_it(tmp_path):
    """A relaxation and the response in one file: positions with all digits are those behind it."""
    unrelaxed = PW_OUTPUT.replace("0.5074368", "0.4900000").replace("7.936849", "8.000000")
    written(tmp_path / "charged.in", PW_INPUT.replace("tot_charge = 0.0", "tot_charge = 1.0"))
    (frame,) = read_output(written(tmp_path / "all.out", unrelaxed + PW_OUTPUT + PH_OUTPUT))
    assert frame.positions_ang[1, 0] == pytest.approx(0.5074368 * 4.2, abs=1e-6)
    assert frame.info["structure_from"] == "pw.x (all.out)"
    assert frame.total_charge == 0.0  # 8 valence electrons, 8 present


def test_an_error_of_ph_is_named(tmp_path):
    head = PH_OUTPUT[: PH_OUTPUT.index("Effective charges")]
    stop = " %%%%%%\n     Error in routine phq_readin (1):\n     trans must be .t. for Zue calc.\n %%%%%%\n"
    with pytest.raises(DataError, match=r"phq_readin: trans must be \.t\. for Zue calc"):
        read_output(written(tmp_path / "ph.out", head + stop))
    assert len(read_output(written(tmp_path / "ph.out", PH_OUTPUT + stop))) == 1  # in what follows


def test_a_run_of_ph_far_behind_that_of_pw_is_found(tmp_path):
    """A long relaxation, and a dispersion between: the electrons are still those of the run of pw."""
    long = PW_OUTPUT + "     iteration\n" * 20_000
    other_q = PH_OUTPUT[: PH_OUTPUT.index("     Electric Fields")]
    (frame,) = read_output(written(tmp_path / "all.out", long + other_q + PH_OUTPUT))
    assert frame.info["structure_from"] == "pw.x (all.out)"


def test_a_run_that_cannot_be_read_is_said_if_another_can(tmp_path):
    cut = OTHER_PH[: OTHER_PH.index("      Ez  (        0.20000")]
    result = collect([written(tmp_path / "all.out", PH_OUTPUT + cut)], tmp_path / "o.xyz")
    assert len(result.labels) == 1
    assert "all.out, run 2: 5 of 6 rows of effective charges" in result.rejected[0]


def test_an_outcar_appended_to_another_has_its_own_elements(tmp_path):
    first, second = read_output(written(tmp_path / "OUTCAR", OUTCAR + CAO))
    assert (first.formula, second.formula) == ("MgO", "CaO")
    assert second.cell_ang.max() == pytest.approx(2.4)
    assert second.born_effective_charges[0, 0, 0] == 2.3


def test_the_same_run_given_twice_counts_once(tmp_path):
    run = written(tmp_path / "ph.out", PH_OUTPUT)
    packed = tmp_path / "ph.out.gz"
    packed.write_bytes(gzip.compress(run.read_bytes()))
    result = collect([run, run, packed], tmp_path / "o.xyz")
    assert len(result.labels) == 1
    assert all("the same structure and tensors as in" in sentence for sentence in result.rejected)
    assert len(result.rejected) == 2


def test_limits_that_are_no_numbers_are_refused(tmp_path):
    run = written(tmp_path / "ph.out", PH_OUTPUT)
    for name in ("total_charge", "max_residual_e"):  # NaN passed every limit, and was written as the charge
        with pytest.raises(UsageError, match=f"`{name}=nan`"):
            collect([run], tmp_path / "o.xyz", **{name: float("nan")})


# ---------------------------------------------------------------------- damaged tables
@pytest.mark.parametrize(
    ("row", "damage"),
    [
        ("      Ey  (       -0.10000        2.00000        0.30000 )", "      Ey  (  NaN  NaN  NaN )"),
        ("      Ey  (       -0.10000        2.00000        0.30000 )", "      Ey  ( ******* 2.0 0.3 )"),
        ("      Ey  (       -0.10000        2.00000        0.30000 )\n", ""),
        ("          (       0.010000000       3.200000000       0.000000000 )", "          ( *** *** *** )"),
        ("               a(2) = (  0.5000  0.0000  0.5000 )", "               a(2) = ( *** *** *** )"),
    ],
)
def test_a_row_of_ph_that_is_no_number_moves_no_other_one_up(tmp_path, row, damage):
    assert row in PH_OUTPUT
    more = "\n      Ez  (        9.00000        9.00000        9.00000 )\n"  # enough rows all the same
    text = PH_OUTPUT.replace(row, damage).replace("\n\n\n", f"{more}\n\n", 1)
    with pytest.raises(DataError, match="are missing, or are no numbers"):
        read_output(written(tmp_path / "ph.out", text))


def test_an_unreadable_site_is_not_replaced_by_the_next_list(tmp_path):
    first, second = (line for line in PH_OUTPUT.splitlines() if "tau(" in line)
    text = PH_OUTPUT.replace(first, first.replace("0.00000", "*******")) + f"{first}\n{second}\n"
    with pytest.raises(DataError, match="sites are listed"):
        read_output(written(tmp_path / "ph.out", text))


@pytest.mark.parametrize("old", ["    1     1.90000", "           3.100000", "      2.13123"])
def test_what_is_no_finite_number_is_no_label(tmp_path, old):
    damaged = OUTCAR.replace(old, old[: len(old) - 7] + "    NaN")
    assert damaged != OUTCAR
    bad, good = written(tmp_path / "OUTCAR_bad", damaged), written(tmp_path / "OUTCAR", OUTCAR)
    result = collect([bad, good], tmp_path / "o.xyz", max_residual_e=10.0)
    assert len(result.labels) == 1
    assert result.rejected == ("OUTCAR_bad: some of its tensors or atoms are no finite numbers",)


def test_an_atom_without_a_nucleus_is_no_element(tmp_path):
    with pytest.raises(DataError, match="'Q' is no chemical element"):
        read_output(written(tmp_path / "vasprun.xml", VASPRUN.replace("<rc><c>Mg</c>", "<rc><c>Q </c>")))
    text = PH_OUTPUT.replace("     Mg  24.3050", "     X   24.3050")
    with pytest.raises(DataError, match="'X' names no element"):
        read_output(written(tmp_path / "ph.out", text))


# ---------------------------------------------------------------------- VASP
def test_tensors_without_local_fields_are_none(tmp_path):
    """VASP prints the response of electrons that do not feel their own field as well, before or after."""
    start, end = (OUTCAR.index(f" MACROSCOPIC STATIC DIELECTRIC TENSOR {s}") for s in ("(", "IONIC"))
    both = OUTCAR[start:end]
    without = both.replace("including", "excluding").replace("1.90000", "1.50000").replace("3.100", "4.400")
    alone = OUTCAR.replace(both, without)
    for text in (without + both, both + without):
        (frame,) = read_output(written(tmp_path / "OUTCAR", OUTCAR.replace(both, text)))
        assert (frame.born_effective_charges[0, 0, 0], frame.eps_inf[0, 0]) == (1.9, 3.1)
    with pytest.raises(DataError, match="the only BORN EFFECTIVE CHARGES are those excluding"):
        read_output(written(tmp_path / "OUTCAR", alone))


def test_a_last_step_that_is_cut_is_said(tmp_path):
    step = OUTCAR[OUTCAR.index(" POSITION  ") : OUTCAR.index(" MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC")]
    text = OUTCAR[: OUTCAR.index(" POSITION  ")] + step + step[: step.index("    3     0.20000")]
    result = collect([written(tmp_path / "OUTCAR", text)], tmp_path / "o.xyz")
    assert len(result.labels) == 1
    assert "(tensors of structure 2 of 2)" in result.rejected[0]


def test_steps_of_vasp_that_did_not_converge_are_left_out(tmp_path):
    """Said by VASP in front of the structure of each step; steps without labels may be unconverged."""
    at = OUTCAR.index(" POSITION  "), OUTCAR.index(" MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC")
    step, end = OUTCAR[slice(*at)], "-------- aborting loop EDIFF was not reached (unconverged)  --------\n"
    other = step.replace("2.13123", "2.14123")
    moving = step[: step.index(" MACROSCOPIC")].replace("2.13123", "2.15123")
    for text in (OUTCAR[: at[0]] + step + end + other, OUTCAR[: at[0]] + end + moving + step):
        result = collect([written(tmp_path / "OUTCAR", text)], tmp_path / "o.xyz")
        assert [label.frame.positions_ang[1, 0] for label in result.labels] == [2.13123]
        assert list(result.rejected) == (
            ["OUTCAR: the electrons of 1 of 2 structures did not converge"] if other in text else []
        )
    with pytest.raises(DataError, match="1 of 1 structures did not converge"):
        read_output(written(tmp_path / "OUTCAR", OUTCAR[: at[0]] + end + step))


def test_tensors_that_break_off_within_the_last_number_are_cut(tmp_path):
    end = OUTCAR.index(" MACROSCOPIC STATIC DIELECTRIC TENSOR IONIC")
    text = OUTCAR[:end].rstrip()
    before = read_output(written(tmp_path / "OUTCAR", text))  # only the end of the line is missing
    assert np.array_equal(
        before[0].born_effective_charges,
        read_output(written(tmp_path / "OUTCAR", OUTCAR))[0].born_effective_charges,
    )
    for cut in range(1, 7):  # -1.9 of -1.95000
        with pytest.raises(DataError, match="the file is cut"):
            read_output(written(tmp_path / "OUTCAR", text[:-cut]))


@pytest.mark.parametrize(("name", "text"), [("OUTCAR", OUTCAR), ("vasprun.xml", VASPRUN)])
def test_a_structure_for_another_program_than_ph_is_refused(tmp_path, name, text):
    with pytest.raises(UsageError, match="`structure`"):
        collect([written(tmp_path / name, text)], tmp_path / "o.xyz", structure=tmp_path / "scf.in")


# ---------------------------------------------------------------------- net charge of Quantum ESPRESSO
def test_net_charge_comes_from_the_electrons_of_an_output_of_pw(tmp_path):
    text = PW_OUTPUT.replace("electrons       =         8.00", "electrons       =         7.00")
    written(tmp_path / "pw.out", text)
    run = written(tmp_path / "ph.out", PH_OUTPUT)
    assert read_output(run)[0].total_charge == 1.0
    # an output in front of it that does not print its electrons says nothing about them
    written(tmp_path / "a.out", PW_OUTPUT.replace("number of electrons", "number of something"))
    assert read_output(run)[0].total_charge == 1.0
    written(tmp_path / "pw.out", text + PW_OUTPUT)  # two runs in one file, with and without the charge
    with pytest.raises(DataError, match=r"\+1 e in pw\.out, \+0 e in pw\.out"):
        read_output(run)


def test_net_charge_of_an_input_with_a_bravais_lattice(tmp_path):
    """ASE reads no lattice from its index; ph.x printed the vectors of the same index and length."""
    cell = "CELL_PARAMETERS angstrom\n0.0 2.1 2.1\n2.1 0.0 2.1\n2.1 2.1 0.0\n"
    assert cell in PW_INPUT
    text = PW_INPUT.replace(cell, "").replace("ibrav = 0,", "ibrav = 2, celldm(1) = 7.93685,")
    text = text.replace("tot_charge = 0.0", "tot_charge=+1")
    inside = written(tmp_path / "pw.in", text)
    output = PH_OUTPUT.replace("bravais-lattice index     =            0", "bravais-lattice index     = 2")
    run = written(tmp_path / "ph.out", output)
    for structure in (None, inside):
        (frame,) = read_output(run, structure=structure)
        assert frame.total_charge == 1.0
        assert frame.positions_ang[1, 0] == pytest.approx(2.1312345, abs=1e-9)
    for other in (text.replace("7.93685", "7.90000"), text.replace("ibrav = 2", "ibrav = 3")):
        with pytest.raises(DataError, match=r"cannot read pw\.in as an input or output of pw\.x"):
            read_output(run, structure=written(inside, other))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n/\n", "\n&end\n"),
        lambda text: text.replace("\n/\n", " /\n").replace("&SYSTEM\n", "&SYSTEM "),
        lambda text: text.replace(",", " "),
        lambda text: text.upper().replace("O.UPF", "O.upf"),
        lambda text: text.lower(),
        lambda text: text.replace("celldm(1) = 7.93685", f"A = {7.93685 * 0.529177210544:.9f}"),
        lambda text: text.replace("tot_charge=+1", "tot_charge = .1D+1"),
    ],
    ids=["&end", "one line", "blanks", "upper", "lower", "A", "point"],
)
def test_net_charge_of_inputs_as_fortran_reads_them(tmp_path, change):
    """What ASE alone does not read was passed over, and its net charge with it."""
    cell = "CELL_PARAMETERS angstrom\n0.0 2.1 2.1\n2.1 0.0 2.1\n2.1 2.1 0.0\n"
    text = PW_INPUT.replace(cell, "").replace("ibrav = 0,", "ibrav = 2, celldm(1) = 7.93685,")
    written(tmp_path / "pw.in", change(text.replace("tot_charge = 0.0", "tot_charge=+1")))
    output = PH_OUTPUT.replace("bravais-lattice index     =            0", "bravais-lattice index     = 2")
    (frame,) = read_output(written(tmp_path / "ph.out", output))
    assert (frame.total_charge, frame.info["structure_from"]) == (1.0, "pw.x (pw.in)")
    assert frame.positions_ang[1, 0] == pytest.approx(2.1312345, abs=1e-9)


def test_files_of_one_structure_with_two_net_charges_are_refused(tmp_path):
    charged = PW_INPUT.replace("tot_charge = 0.0", "tot_charge = 1.0")
    named = written(tmp_path / "a_charged.in", charged)
    written(tmp_path / "neutral.in", PW_INPUT)
    run = written(tmp_path / "ph.out", PH_OUTPUT)
    with pytest.raises(DataError, match=r"\+1 e in a_charged\.in, \+0 e in neutral\.in"):
        read_output(run)
    assert read_output(run, structure=named)[0].total_charge == 1.0


def test_a_file_of_other_elements_is_passed_over(tmp_path):
    written(tmp_path / "other.in", PW_INPUT.replace("O  2.13", "S  2.13").replace("O 15.999", "S 15.999"))
    run = written(tmp_path / "ph.out", PH_OUTPUT)
    assert "ph.x" in read_output(run)[0].info["structure_from"]


# ---------------------------------------------------------------------- ABINIT
@pytest.fixture
def abinit(tmp_path):
    text = gzip.decompress((DATA / "mgo_abinit.abo.gz").read_bytes()).decode()
    return written(tmp_path / "label.abo", text)


def test_a_cell_repeated_at_the_end_that_was_not_computed_in_is_refused(abinit):
    """With getcell ABINIT may compute in the cell of the input and repeat that of the relaxation."""
    head, tail = abinit.read_text().split("after computation")
    assert "1.8897261329E+00  1.8897261329E+00  1.8897261329E+00 Bohr" in tail
    written(
        abinit, f"{head}after computation{tail.replace('1.8897261329E+00 Bohr', '1.8930000000E+00 Bohr')}"
    )
    with pytest.raises(DataError, match="dataset 3 computed in a cell"):
        read_output(abinit)


@pytest.mark.parametrize("name", ["charge", "cellcharge"])
def test_the_net_charge_of_an_abinit_before_version_9(abinit, name):
    """It prints no line of electrons, but repeats the variable where it is not zero."""
    text = re.sub("(?m)^electrons:.*$", "", abinit.read_text())
    assert read_output(written(abinit, text))[0].total_charge == 0.0
    head, tail = text.split("variables after computation")
    tail = re.sub(r"(?m)^( +chksymbreak)", rf"           {name}      2.00000000E+00\n\1", tail, count=1)
    (frame,) = read_output(written(abinit, f"{head}variables after computation{tail}"))
    assert frame.total_charge == 2.0


def test_every_response_of_an_abinit_run_is_collected(abinit):
    """Two datasets with charges at two structures: each has its own cell, atoms and tensors."""
    head, tail = abinit.read_text().split(" -outvars: echo values of variables after computation")
    section = head[head.index("== DATASET  3 ==") :]
    fourth = section.replace("DATASET  3", "DATASET  4").replace("1.9908791062", "1.7000000000")
    two = tail
    for number, shift in ((3, "0.0"), (4, "0.5")):
        row = f"           xangst{number}     {shift}000000000E+00  0.0000000000E+00  0.0000000000E+00\n"
        row += "                       2.0930000000E+00  2.2210000000E+00  2.1240000000E+00\n"
        two = two.replace("            xcart ", row + "            xcart ", 1)
    two = two.replace("           xangst      0.0000000000E+00", "           xother      0.0000000000E+00")
    end = " -outvars: echo values of variables after computation"
    frames = read_output(written(abinit, f"{head}{fourth}{end}{two}"))
    assert [frame.positions_ang[0, 0] for frame in frames] == [0.0, 0.5]
    charges = [frame.born_effective_charges[0, 0, 0] for frame in frames]
    np.testing.assert_allclose(charges, [1.9908791062, 1.7])
    said: list[str] = []
    moved = fourth.replace(" R(1)=  0.1889726", " R(1)=  0.2889726")
    assert len(read_output(written(abinit, f"{head}{moved}{end}{two}"), left_out=said)) == 1
    assert "dataset 4 computed in a cell" in said[0]


def test_mixtures_of_elements_are_refused(abinit):
    text = abinit.read_text()
    assert "znucl       12.00000" in text
    with pytest.raises(DataError, match="names no elements"):
        read_output(written(abinit, text.replace("znucl       12.00000", "znucl       12.50000")))
