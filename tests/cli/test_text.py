"""Small pieces of the surface: option values, the preview, words for numbers, progress lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bec_md.cli import console, failures, options, preview, values
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


@pytest.mark.parametrize("text", ["", "1,2", "x", "nan", "inf", "3,0,0,0,3,0,0,0,0.5"])
def test_eps_inf_that_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        values.parse_eps_inf(text)


def test_elements_and_masses() -> None:
    assert values.parse_elements("Si,O") == ["Si", "O"]
    assert values.parse_elements("1=Si, 2=O") == {1: "Si", 2: "O"}
    assert values.parse_elements("OW=O,HW=H") == {"OW": "O", "HW": "H"}
    assert values.parse_masses("H=2.014,O=18") == {"H": 2.014, "O": 18.0}
    for wrong in ("H", "H=x", "H=-1", "=2"):
        with pytest.raises(UsageError):
            values.parse_masses(wrong)


def test_cell_and_columns() -> None:
    assert values.parse_cell("3,4,5") == [[3, 0, 0], [0, 4, 0], [0, 0, 5]]
    assert values.parse_columns("2,3,f_J[3]") == [2, 3, "f_J[3]"]
    with pytest.raises(UsageError):
        values.parse_cell("3,4")
    with pytest.raises(UsageError):
        values.parse_columns("1,2")


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


def test_progress_lines_say_rate_and_time_left() -> None:
    lines = console._Lines("J(t)", 100, "frames")
    text = lines.describe(600, 1100, lines.begin + 10.0)
    assert text == "600 of 1100 frames, 50/s, 10 s left"


def test_messages_name_options() -> None:
    text = failures.in_terms_of_options("give timestep_fs=2.0 or charges_key=; start=3\n  fix: elements=")
    assert text == "give --timestep 2.0 or --charges file:KEY; --start 3\n  fix: --elements"


def test_descriptions_of_failures(tmp_path: Path) -> None:
    assert failures.describe(DataError("a", "b", "c")) == ("error: a\n  why: b\n  fix: c", 1)
    assert failures.describe(UsageError("a", "b", "c"))[1] == 2
    assert failures.describe(KeyboardInterrupt())[1] == 130
    text, status = failures.describe(PermissionError(13, "Permission denied", "x.csv"))
    assert status == 1
    assert "x.csv" in text


def test_names_of_models_are_completed() -> None:
    assert options.bundled_names("") == sorted(options.bundled_names(""))
    assert options.bundled_names("wat") == ["water"]
