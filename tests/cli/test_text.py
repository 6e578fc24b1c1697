"""Small pieces of the surface: option values, the preview, words for numbers, progress lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bec_md
from bec_md.cli import console, failures, options, preview, values
from bec_md.cli.plot_command import parse_range
from bec_md.cli.summary import _band_words
from bec_md.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.4", [2.4]),
        ("2,2.5,3", [2.0, 2.5, 3.0]),
        ("2 2.5 3", [2.0, 2.5, 3.0]),
        ("model", "model"),
        (None, None),
        ("3,0,0,0,3,0,0,0,3", [3.0, 0, 0, 0, 3.0, 0, 0, 0, 3.0]),
    ],
)
def test_eps_inf(text: str | None, expected: object) -> None:
    assert values.parse_eps_inf(text) == expected


@pytest.mark.parametrize("text", ["", "1,2", "x", "nan", "inf"])
def test_eps_inf_that_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        values.parse_eps_inf(text)


def test_elements_and_masses() -> None:
    assert values.parse_elements("Si,O") == ["Si", "O"]
    assert values.parse_elements("1=Si, 2=O") == {1: "Si", 2: "O"}
    assert values.parse_elements("OW=O,HW=H") == {"OW": "O", "HW": "H"}
    assert values.parse_masses("H=2.014,O=18") == {"H": 2.014, "O": 18.0}
    for wrong in ("H", "H=x", "H=-1", "=2", "H=1,H=2"):
        with pytest.raises(UsageError):
            values.parse_masses(wrong)
    for wrong in ("1=Si,2=O,1=O", "OW=O,OW=H"):
        with pytest.raises(UsageError):
            values.parse_elements(wrong)


def test_cell_and_columns() -> None:
    assert values.parse_cell("3,4,5") == [[3, 0, 0], [0, 4, 0], [0, 0, 5]]
    assert values.parse_columns("2,3,f_J[3]") == [2, 3, "f_J[3]"]
    with pytest.raises(UsageError):
        values.parse_cell("3,4")
    with pytest.raises(UsageError):
        values.parse_columns("1,2")


@pytest.mark.parametrize("text", ["5,1", "0,inf", "nan,5", "1"])
def test_ranges_of_an_axis_that_are_none(text: str) -> None:
    assert parse_range("0,1500") == (0.0, 1500.0)
    with pytest.raises(UsageError, match="is no range"):
        parse_range(text)


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("traj.xyz", "traj"),
        ("a/b/quartz.xyz.gz", "quartz"),
        ("dump.lammpstrj", "dump"),
        ("run.300K.xyz", "run.300K"),
        ("quartz_current.h5", "quartz"),
        (".hidden", ".hidden"),
        ("XDATCAR", "XDATCAR"),
    ],
)
def test_stems(source: str, stem: str) -> None:
    assert values.stem_of(source) == stem


def test_equal_names_get_different_stems() -> None:
    assert values.stems_of(["a/t.xyz", "b/t.xyz"]) == ["a_t", "b_t"]
    assert values.stems_of(["a/t.xyz", "a/t.xyz"]) == ["t_1", "t_2"]


def test_preview_shows_the_maximum_where_it_is() -> None:
    curve = [0.0] * 100
    curve[75] = 5.0
    lines = preview.braille(curve, columns=50, rows=4)
    assert all(len(line) == 50 for line in lines)
    for line in lines:  # a full column of dots three quarters along
        assert [i for i, char in enumerate(line) if char != chr(0x2800)] == [37]
    assert preview.braille([0.0] * 10, columns=5, rows=2) == [" " * 5] * 2
    drawn = preview.preview([10.0 * i for i in range(100)], curve)
    assert "nα" in drawn
    numbers = drawn.splitlines()[-1].split()
    assert numbers == ["0", "200", "400", "600", "800", "cm⁻¹"]


def test_words_for_numbers() -> None:
    assert console.times(500.0) == "500 fs"
    assert console.times(2.5e6) == "2.5 ns"
    assert console.duration(200.0) == "3 min 20 s"
    assert console.duration(7500.0) == "2 h 5 min"
    assert console.memory(3e9) == "3.0 GB"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [(1035.81, 0.52, "1035.8(5)"), (489.1, 5.8, "489(6)"), (12.344, 0.12, "12.34(12)"),
     (770.9, 12.0, "771(12)"),
     (411.2, 0.0, "411.2")],
)  # fmt: skip
def test_errors_of_last_digits(value: float, error: float, text: str) -> None:
    assert console.concise(value, error) == text


def test_widths_that_are_not_resolved_are_zero_within_their_error() -> None:
    band = {"position_cm": 450.0, "position_cm_err": 0.5, "width_cm": 1e-25, "width_cm_err": 26.0}
    assert _band_words(band) == "at 450 ± 0.5   width 0 ± 26"
    assert "width 3 ± 0.2" in _band_words(band | {"width_cm": 3.0, "width_cm_err": 0.2})


def test_results_of_replicas_have_the_name_that_they_share() -> None:
    assert values.common_stem(["a/quartz_300K_01.npz", "a/quartz_300K_02.npz"]) == "quartz_300K"
    assert values.common_stem(["run1.xyz", "run2.xyz"]) == "run1"  # no word in common: that of the first
    assert values.common_stem(["a/traj.xyz", "b/traj.xyz"]) == "traj"


def test_progress_lines_say_rate_and_time_left() -> None:
    lines = console._Lines("J(t)", 100, "frames")
    text = lines.describe(600, 1100, lines.begin + 10.0)
    assert text == "600 of 1100 frames, 50/s, 10 s left"


def test_messages_name_options() -> None:
    text = "give `timestep_fs=2.0` or `charges_key`; `start`/`stop`, `unwrap=False`; see `bec-md`"
    said = "give --timestep 2.0 or --charges file:KEY; --start/--stop, --no-unwrap; see `bec-md`"
    assert options.in_terms_of_options(text) == said


def test_messages_name_the_options_of_the_command_that_was_called() -> None:
    """--data-root is an option of one command only, of which the room of the error knows nothing."""
    from typer.main import get_command

    from bec_md.cli.app import app

    error = UsageError("no data", "they are needed", "give `data_root=DIR`")
    train = get_command(app).commands["train"]  # type: ignore[attr-defined]
    assert "fix: give --data-root DIR" in failures.describe(error, called=train)[0]
    assert "fix: give `data_root=DIR`" in failures.describe(error)[0]


#: Where these are names of arrays in files.
OWN_NAMES = ("files.py", "columns.py")
ROOMS = sorted(Path(bec_md.__file__).parent.rglob("*.py"))


def spoken(node: ast.AST) -> Iterator[str]:
    """Texts below a node but docstrings: f-strings with {} for their values."""
    inner = [v for n in ast.walk(node) if isinstance(n, ast.JoinedStr) for v in n.values]
    inner += [n.value for n in ast.walk(node) if isinstance(n, ast.Expr)]
    for child in ast.walk(node):
        if isinstance(child, ast.JoinedStr):
            yield "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in child.values)
        elif isinstance(child, ast.Constant) and isinstance(child.value, str) and child not in inner:
            yield child.value


def test_no_option_of_the_command_line_is_named_below_it() -> None:
    """The rooms name arguments; only the command line knows how they are typed there."""
    of_others = {"phonopy --writefc", "cmake --install", "-Wl,--version-script"}
    own_programs = ("training/publish.py", "training/publish_mean.py")  # python -m …
    found = [
        (path.name, text)
        for path in ROOMS
        if "cli" not in path.parts and not path.as_posix().endswith(own_programs)
        for text in spoken(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"(?<![\w-])--[a-z]", text) and not any(other in text for other in of_others)
    ]
    assert not found


def test_arguments_stand_in_backticks_in_messages() -> None:
    """Else they would reach the user of the command line under a name that cannot be typed there."""
    names = "|".join(name for name in options.FLAGS if "_" in name)
    bare = re.compile(rf"(?<![`\w.])(?:{names})\b(?!`)(?!=[^`]*`)")
    found = [
        (path.name, text)
        for path in ROOMS
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and re.search(r"(Error|warn)$", ast.unparse(call.func))
        for text in spoken(call)
        if bare.search(text) and " " in text and path.name not in OWN_NAMES
    ]
    assert not found


def test_descriptions_of_failures(tmp_path: Path) -> None:
    assert failures.describe(DataError("a", "b", "c")) == ("error: a\n  why: b\n  fix: c", 1)
    assert failures.describe(UsageError("a", "b", "c"))[1] == 2
    assert failures.describe(KeyboardInterrupt())[1] == 130
    text, status = failures.describe(PermissionError(13, "Permission denied", "x.csv"))
    assert status == 1
    assert "x.csv cannot be opened" in text  # to read it or to write it: the system does not say


def test_names_of_models_are_completed() -> None:
    assert options.bundled_names("") == sorted(options.bundled_names(""))
    assert options.bundled_names("wat") == [
        name for name in options.bundled_names("") if name.startswith("wat")
    ]
    assert "water" in options.bundled_names("wat")
