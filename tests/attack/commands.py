"""Structures, words and numbers that no command can mean."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attack.case import CELL, FIXED, SPECTRUM, Case, Make, salt

POSCAR = f"""salt
1.0
{CELL} 0 0
0 {CELL} 0
0 0 {CELL}
Na Cl
1 1
Direct
0 0 0
0.5 0.5 0.5
"""
CIF = f"""data_salt
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
_cell_length_a {CELL}
_cell_length_b {CELL}
_cell_length_c {CELL}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na 0 0 0
Cl1 Cl 0.5 0.5 0.5
"""


def structures() -> Iterator[Case]:
    """Structures for born, harmonic and md that cannot be, or hardly."""
    poscar = {
        "scale-0": POSCAR.replace("\n1.0\n", "\n0.0\n", 1),
        "scale-nan": POSCAR.replace("\n1.0\n", "\nnan\n", 1),
        "scale-1e30": POSCAR.replace("\n1.0\n", "\n1e30\n", 1),
        "scale-negative": POSCAR.replace("\n1.0\n", f"\n-{CELL**3}\n", 1),
        "flat": POSCAR.replace(f"0 0 {CELL}", "0 0 0"),
        "singular": POSCAR.replace(f"0 0 {CELL}", f"{CELL} 0 0"),
        "left-handed": POSCAR.replace(f"0 0 {CELL}", f"0 0 -{CELL}"),
        "overlap": POSCAR.replace("0.5 0.5 0.5", "0 0 1e-9"),
        "nan": POSCAR.replace("0.5 0.5 0.5", "nan 0.5 0.5"),
        "count-0": POSCAR.replace("\n1 1\n", "\n0 0\n"),
        "count-negative": POSCAR.replace("\n1 1\n", "\n-1 1\n"),
        "count-1e8": POSCAR.replace("\n1 1\n", "\n300000000 1\n"),
        "count-1e12": POSCAR.replace("\n1 1\n", "\n1000000000000 1\n"),
        "element": POSCAR.replace("Na Cl", "Qq Cl"),
        "no-elements": POSCAR.replace("Na Cl\n", ""),
        "cut": POSCAR[:40],
        "empty": "",
        "coordinates": POSCAR.replace("Direct", "Cartwheel"),
        "latin": POSCAR.replace("salt", "sel marin \u00e9"),
        "cartesian-far": POSCAR.replace("Direct", "Cartesian").replace("0.5 0.5 0.5", "1e9 1e9 1e9"),
    }
    certain = {"scale-0", "scale-nan", "flat", "singular", "overlap", "nan", "cut", "empty", "element"}
    certain |= {"count-1e8", "count-1e12"}
    for name, text in poscar.items():
        wants = "refused" if name in certain else "any"
        data = text.encode("latin-1" if name == "latin" else "utf-8")
        yield Case(f"born-poscar-{name}", ["born", "POSCAR", "-q"], {"POSCAR": data}, wants)
        words = ["harmonic", "POSCAR", "--force-constants", "FORCE_CONSTANTS", "-q", "--csv", "o.csv"]
        yield Case(f"harmonic-poscar-{name}", words, {"POSCAR": data, "FORCE_CONSTANTS": FORCES}, wants)
    cif = {
        "length-0": CIF.replace(f"length_a {CELL}", "length_a 0"),
        "length-nan": CIF.replace(f"length_a {CELL}", "length_a nan"),
        "length-text": CIF.replace(f"length_a {CELL}", "length_a about five"),
        "angle-0": CIF.replace("gamma 90", "gamma 0"),
        "angle-180": CIF.replace("gamma 90", "gamma 180"),
        "angle-sum": CIF.replace("alpha 90", "alpha 170").replace("beta 90", "beta 5"),
        "group-999": CIF.replace("225", "999").replace("'F m -3 m'", "'Z z z'"),
        "no-atoms": CIF[: CIF.index("Na1")],
        "no-loop": CIF[: CIF.index("loop_")],
        "question": CIF.replace("0.5 0.5 0.5", "? ? ?"),
        "uncertain": CIF.replace("0.5 0.5 0.5", "0.500(3) 0.500(3) 0.500(3)"),
        "two-blocks": CIF + CIF.replace("data_salt", "data_other"),
        "unknown": CIF.replace("Cl1 Cl", "X1 X"),
        "deuterium": CIF.replace("Cl1 Cl", "D1 D"),
        "quote": CIF.replace("'F m -3 m'", "'F m -3 m"),
        "occupancy": CIF.replace("_fract_z\n", "_fract_z\n_atom_site_occupancy\n").replace(
            " 0 0 0\n", " 0 0 0 0.5\n"
        ),
        "empty": "",
    }
    for name, text in cif.items():
        files: dict[str, Make] = {"a.cif": text.encode(), "pair.in": LAMMPS.encode()}
        yield Case(f"born-cif-{name}", ["born", "a.cif", "-q"], files)
        words = ["md", "a.cif", "--calculator", "lammps:pair.in", "--time", "0.02", "--replicas", "1"]
        yield Case(f"md-cif-{name}", [*words, "--equilibrate", "0.01", "-q"], files)


FORCES = b"2 2\n" + b"".join(
    b"%d %d\n%s 0 0\n0 %s 0\n0 0 %s\n" % (i, j, f, f, f)
    for i, j, f in ((1, 1, b"2"), (1, 2, b"-2"), (2, 1, b"-2"), (2, 2, b"2"))
)
LAMMPS = """pair_style lj/cut 6.0
pair_coeff * * 0.01 2.5
"""


def commands() -> Iterator[Case]:
    """Options and small files of all commands that cannot be meant."""
    t = {"t.xyz": salt()}
    impossible = ("nan", "inf", "-1", "0", "1e400", "x", "", "1e-320", "--", "1_000", "１０")
    for flag in ("--temperature", "--resolution", "--timestep", "--max", "--constraints", "--thickness"):
        for value in impossible:
            wants = "any" if value in ("0", "1e-320", "1_000", "１０", "inf", "--") else "refused"
            yield Case(f"number{flag}={value}", [*SPECTRUM, flag, value], dict(t), wants)
    for flag, values in {
        "--groups": ("nope", "species,", "x" * 5000, "0-3;4-99", "/dev/zero", "."),
        "--symmetry": ("nope", "Fm-3m", "m-3m", "p1", "t.xyz", "", "\x00".strip("\x00") + "Ⅲ"),
        "--eps-inf": ("1,2", "1,2,3,4,5,6,7", "nan", "-2", "1 0 0 0 1 0 0 0 -1", "model", "1e308"),
        "--charges": (
            "fixed:",
            "fixed:Na",
            "fixed:Na=nan",
            "fixed:Na=1e400,Cl=-1",
            "file:",
            "born:nope",
            "🧂",
        ),
        "--masses": ("Na=", "=3", "Na=1e-300", "Na=1,Na=2", "Xx=3"),
        "--velocities": ("nope", "t.xyz", ".", "/dev/null"),
        "--cell": ("1 2", "1 1 1 0 0 0", "nan nan nan", "1e300 1e300 1e300"),
        "--start": ("1e3", "99999999999999999999999", "٣"),
        "--model": ("nope", "../nope", ".", "/dev/null", "t.xyz", "universal ", "~nobody/x"),
    }.items():
        for value in values:
            yield Case(f"word{flag}={value[:20]}", [*SPECTRUM, flag, value], dict(t))
    for number, words in enumerate(
        (
            ["plan", "--resolution", "1e-9"],
            ["plan", "--error", "0"],
            ["plan", "--error", "-1"],
            ["plan", "--atoms", "999999999999999999999999"],
            ["plan", "--replicas", "0"],
            ["plan", "--components", "7"],
            ["plan", "--highest", "nan"],
            ["models", "--nope"],
            ["cite", "t.xyz"],
            ["cite", ""],
            ["info", ""],
            ["info", "."],
            ["info", "t.xyz/"],
            ["info", "nope/../t.xyz"],
            ["compare", "t.xyz", "t.xyz"],
            ["compare", "/dev/null", "t.xyz"],
            ["plot", "t.xyz"],
            ["plot", "/dev/zero"],
            ["predict", "t.xyz", "-o", ""],
            ["predict", "t.xyz", *FIXED, "-o", "o.csv"],
            ["predict", "t.xyz", *FIXED, "-o", "no/o.xyz"],
            ["evaluate", "t.xyz", "--model", "universal"],
            ["train", "t.xyz"],
            ["train", "/dev/zero"],
            ["collect", "t.xyz", "-o", "o.xyz"],
            ["collect", ".", "-o", "o.xyz"],
            ["modes", "t.xyz", *FIXED, "--force-constants", "t.xyz", "--structure", "t.xyz"],
            ["modes", "t.xyz", *FIXED, "--degeneracy", "nan", "--csv", "o.csv"],
            ["bench", "--atoms", "-5"],
            ["validate", ""],
            ["md", "t.xyz", "--calculator", "nope"],
            ["md", "t.xyz", "--calculator", "os:system"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--time", "0.02"],
            ["md", "t.xyz", "--calculator", "lammps:nope"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--supercell", "0,1,1"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--supercell", "999999,999999,9"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--md-timestep", "nan"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--time", "1e300"],
        )
    ):
        yield Case(f"command-{number}-{' '.join(words)[:40]}", words, dict(t))
