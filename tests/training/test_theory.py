"""Level of theory of collected labels: functionals, Hubbard corrections, names of versions."""

import re

import numpy as np
import pytest

from bec_md.structure.extxyz import read_frames
from bec_md.training import collect
from bec_md.training.collection import read_output
from bec_md.training.theory import VaspTags, qe_functional

from .outputs import OUTCAR, PH_OUTPUT, PW_INPUT, VASPRUN, write_vaspout

SETTINGS = "   GGA     =    PS    GGA type\n"


# ---------------------------------------------------------------------- level of theory
@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"gga": "--", "lexch": "PE"}, "PBE"),
        ({"gga": "PS", "lexch": "PE"}, "PBEsol"),
        ({"gga": "--", "lexch": "CA"}, "LDA"),
        ({"gga": "PE", "metagga": "R2SCAN"}, "r2SCAN"),
        ({"gga": "PE", "metagga": "SCAN", "hubbard": True}, "SCAN+U"),
        ({"gga": "PE", "metagga": "F"}, "PBE"),
        ({"gga": "PE", "hybrid": True, "screening": 0.2}, "HSE06"),
        ({"gga": "PE", "hybrid": True, "screening": 0.3}, "HSE03"),
        ({"gga": "PE", "hybrid": True}, "PBE0"),
        ({"gga": "PS", "hybrid": True, "screening": 0.2}, "HSEsol"),
        ({"gga": "B3", "hybrid": True, "exact": 0.2}, "B3LYP"),
        ({"gga": "PE", "hybrid": True, "screening": 0.2, "exact": 0.32}, "PBE hybrid AEXX=0.32 HFSCREEN=0.2"),
        ({"gga": "PE", "hybrid": True, "exact": 1.0}, "HF"),
        ({"metagga": "LIBXC", "libxc": ("263", "267")}, "SCAN"),
        ({"gga": "MK", "nonlocal_vdw": True}, "optB86b-vdW"),
        ({}, None),
    ],
)
def test_functionals_of_vasp(tags, name):
    assert VaspTags(**tags).name == name


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("Exchange-correlation= PBESOL\n", "PBEsol"),
        ("Exchange-correlation= SLA  PW   PSX  PSC ( 1  4  10  8 0 0)\n", "PBEsol"),
        ("Exchange-correlation= SLA-PW-PBX-PBC\n", "PBE"),
        ("Exchange-correlation= SLA PW PBE PBE (1 4 3 4 0 0)\n", "PBE"),
        ("Exchange-correlation      = PBE ( 1  4  3  4 0 0)\n", "PBE"),
        (
            "Exchange-correlation= PBE\n     Hubbard parameters of DFT+U (Dudarev formulation) in eV:\n",
            "PBE+U",
        ),
        ("Exchange-correlation= PZ\n     Simplified LDA+U calculation (l_max = 2)\n", "LDA+U"),
        ("Exchange-correlation= PBE\n     DFT+U+V calculation, simplified\n", "PBE+U+V"),
        ("nothing", None),
    ],
)
def test_functionals_of_quantum_espresso(printed, name):
    assert qe_functional(printed) == name


@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ("   GGA     =    --    GGA type\n   METAGGA =  --     metaGGA functional\n", "PBE VASP"),
        (
            "   GGA     =    --    GGA type\n   METAGGA= R2SCAN   Kinetic energy density functional\n",
            "r2SCAN VASP",
        ),
        ("   METAGGA=      F    non-selfconsistent MetaGGA calc.\n", "PBE VASP"),
        (
            "   LHFCALC =      T    Hartree Fock\n   HFSCREEN=   0.2000 x\n   AEXX    =    0.2500\n",
            "HSE06 VASP",
        ),
        ("   LHFCALC =      F    Hartree Fock is set to\n   HFSCREEN=   0.2000 x\n", "PBE VASP"),
        (" LDA+U is selected, type is set to LDAUTYPE =  2\n   U (eV) LDAUU =     0.0  4.0\n", "PBE+U VASP"),
    ],
)
def test_level_of_theory_of_an_outcar(folder, lines, level):
    (folder / "OUTCAR").write_text(OUTCAR.replace(SETTINGS, lines))
    collect([folder / "OUTCAR"], folder / "o.xyz")
    info = read_frames(folder / "o.xyz")[0].info
    assert info["level"] == level
    if "+U" in level:
        assert info["hubbard_u_ev"] == "O 4"


@pytest.mark.parametrize(
    ("tags", "level"),
    [
        ('<i type="string" name="GGA    ">PE </i>', "PBE VASP"),
        ('<i type="string" name="GGA">--</i>', "PBE VASP"),  # that of the potential
        ('<i type="string" name="GGA">PE</i><i type="string" name="METAGGA"> R2SCAN </i>', "r2SCAN VASP"),
        (
            '<i type="logical" name="LHFCALC"> T </i><i name="HFSCREEN"> 0.2</i><i name="AEXX"> 0.25</i>'
            '<i type="string" name="GGA">PE</i>',
            "HSE06 VASP",
        ),
        (
            '<i type="logical" name="LDAU"> T </i><v name="LDAUU"> 0.0 4.0</v><i name="GGA">PE</i>',
            "PBE+U VASP",
        ),
    ],
)
def test_level_of_theory_of_a_vasprun(folder, tags, level):
    text = re.sub(r'<i [^>]*name="GGA"[^>]*>[^<]*</i>', tags, VASPRUN)
    assert tags in text
    (folder / "vasprun.xml").write_text(text)
    collect([folder / "vasprun.xml"], folder / "o.xyz")
    assert read_frames(folder / "o.xyz")[0].info["level"] == level


@pytest.mark.parametrize(
    ("incar", "level"),
    [
        ("SYSTEM = MgO", "PBE VASP"),  # that of the potential
        ("GGA = PS; ISMEAR = 0", "PBEsol VASP"),
        ("metagga = R2SCAN # better", "r2SCAN VASP"),
        ("LHFCALC = .TRUE.\nHFSCREEN = 0.2", "HSE06 VASP"),
        ("LDAU = T\nLDAUU = 0.0 4.0\n! GGA = PS", "PBE+U VASP"),
    ],
)
def test_level_of_theory_of_a_vaspout(folder, incar, level):
    write_vaspout(folder / "vaspout.h5", incar)
    collect([folder / "vaspout.h5"], folder / "o.xyz")
    info = read_frames(folder / "o.xyz")[0].info
    assert info["level"] == level
    assert info["code"] == "VASP 6.4.1"
    assert info.get("hubbard_u_ev") == ("O 4" if "+U" in level else None)


def test_names_of_several_versions_of_vasp_mean_the_same(folder):
    (expected,) = read_output(folder / "vaspout.h5")
    write_vaspout(folder / "newer.h5", newer=True)
    (folder / "newer.xml").write_text(VASPRUN.replace('"epsilon"', '"dielectric_dft"'))
    for name in ("newer.h5", "newer.xml"):
        (frame,) = read_output(folder / name)
        np.testing.assert_array_equal(frame.eps_inf, expected.eps_inf)
        np.testing.assert_array_equal(frame.born_effective_charges, expected.born_effective_charges)
        assert frame.info | {"cutoff_ev": 0} == expected.info | {"cutoff_ev": 0}  # the INCAR does not tell it


def test_an_input_of_pw_tells_of_hubbard_corrections_that_ph_does_not_print(folder):
    (folder / "scf.in").write_text(PW_INPUT + "HUBBARD {ortho-atomic}\nU Mg-3d 4.0\n")
    assert read_output(folder / "ph.out")[0].info["functional"] == "PBE+U"


# ---------------------------------------------------------------------- repeated, commented out
@pytest.mark.parametrize(
    ("echo", "level"),
    [
        (" INCAR:\n   #METAGGA = SCAN\n   #LHFCALC = .TRUE.\n   #GGA = RP\n", "PBEsol VASP"),
        (" INCAR:\n   GGA = PE ; ENCUT = 500\n", "PBEsol VASP"),  # the table below is what was used
        (" INCAR:\n   # LUSE_VDW = .TRUE.\n", "PBEsol VASP"),
    ],
)
def test_what_vasp_repeats_of_the_input_decides_nothing(folder, echo, level):
    table = (
        "   METAGGA=  --     metaGGA functional\n   LHFCALC =      F    Hartree Fock\n   LUSE_VDW=      F\n"
    )
    (folder / "OUTCAR").write_text(OUTCAR.replace(SETTINGS, echo + SETTINGS + table))
    collect([folder / "OUTCAR"], folder / "o.xyz")
    assert read_frames(folder / "o.xyz")[0].info["level"] == level


@pytest.mark.parametrize(
    ("lines", "functional"),
    [
        ("   METAGGA=   SCAN    functional\n   LUSE_VDW=      T    is nonlocal\n", "SCAN-vdW"),
        (
            "   METAGGA= LIBXC     functional\n   LIBXC1 = MGGA_X_R2SCAN\n   LIBXC2 = MGGA_C_R2SCAN\n",
            "r2SCAN",
        ),
        (
            "   GGA     =    PE    GGA type\n   LHFCALC =      T    Hartree Fock\n   HFSCREEN=   1.2600 x\n"
            "   AEXX    =    0.2300\n   LMODELHF=      T    model hybrid\n",
            "PBE model hybrid AEXX=0.23 HFSCREEN=1.26",
        ),
        (
            "   GGA     =    PE    GGA type\n   LHFCALC =      T    Hartree Fock\n   AEXX    =    0.1000\n"
            " LDA+U is selected, type is set to LDAUTYPE =  2\n  LDAUU = 3.0  0.0\n  LDAUJ = 1.0 0.0\n",
            "PBE hybrid AEXX=0.1+U",
        ),
    ],
)
def test_functionals_of_an_outcar_of_other_kinds(folder, lines, functional):
    (folder / "OUTCAR").write_text(OUTCAR.replace(SETTINGS, lines))
    (frame,) = read_output(folder / "OUTCAR")
    assert frame.info["functional"] == functional
    assert frame.info.get("hubbard_u_ev") == ("Mg 2" if "+U" in functional else None)  # U − J


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("VDW-DF2-B86R", "vdW-DF2-B86R"), ("SLA+PW+B86R+VDW2", "vdW-DF2-B86R"), ("VDW-DF", "vdW-DF"),
        ("SLA PW RW86 PBC VV10 (1 4 21 4 3 0)", "rVV10"), ("RVV10", "rVV10"), ("PBE0", "PBE0"),
        ("HSE (1 4 12 4 0 0 0)", "HSE06"), ("XC-000I-000I-116L-133L-000I-000I", "PBEsol"),
        ("XC-001L-012L-000I-000I-000I-000I", "LDA"), ("XC-000I-000I-000I-000I-263L-267L", "SCAN"),
    ],
)  # fmt: skip
def test_van_der_waals_hybrids_and_libxc_of_quantum_espresso(printed, name):
    assert qe_functional(f"     Exchange-correlation= {printed}\n     EXX-fraction = 0.25\n") == name


def test_hubbard_u_of_old_quantum_espresso(folder):
    table = (
        "     Simplified LDA+U calculation (l_max = 2) with parameters (eV):\n"
        "     atomic species    L          U    alpha       J0     beta\n"
        "        Mg             2     4.0000   0.0000   0.0000   0.0000\n\n"
    )
    text = PH_OUTPUT.replace("     celldm(1)=    7.93685", table + "     celldm(1)=    7.93685")
    (folder / "ph.out").write_text(text)
    info = read_output(folder / "ph.out")[0].info
    assert (info["functional"], info["hubbard_u_ev"]) == ("PBE+U", "Mg 4")


def test_what_is_commented_out_of_an_input_of_pw_is_not_set(folder):
    inactive = "! tot_charge = 2.0, lda_plus_u = .true.\n"
    (folder / "scf.in").write_text(PW_INPUT.replace("&SYSTEM\n", "&SYSTEM\n" + inactive))
    (frame,) = read_output(folder / "ph.out")
    assert frame.info["structure_from"] == "pw.x (scf.in)"
    assert (frame.total_charge, frame.info["functional"]) == (0.0, "PBE")


def test_one_level_with_several_hubbard_corrections_is_said(folder):
    lines = " LDA+U is selected, type is set to LDAUTYPE =  2\n   U (eV) LDAUU =     {u}  0.0\n"
    for u in ("4.0", "3.0"):
        (folder / f"OUTCAR_{u}").write_text(OUTCAR.replace(SETTINGS, SETTINGS + lines.format(u=u)))
    both = [folder / "OUTCAR_4.0", folder / "OUTCAR_3.0"]
    (said,) = collect(both, folder / "o.xyz").warnings
    assert "Hubbard corrections of Mg: 3 eV (OUTCAR_3.0), 4 eV (OUTCAR_4.0)" in said
    assert collect(both[:1], folder / "o.xyz").warnings == ()
    assert collect([both[0], folder / "OUTCAR"], folder / "o.xyz").warnings == ()  # two levels
