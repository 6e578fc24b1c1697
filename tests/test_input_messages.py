"""The catalogue of what is said about input is complete, and what the guide quotes is really said."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

from _site import input_messages, native_messages  # noqa: E402 (a folder of the documentation)

GUIDE = ROOT / "docs" / "howto" / "input_checks.md"


def test_every_sentence_of_the_source_stands_in_the_catalogue() -> None:
    written = input_messages.PAGE.read_text(encoding="utf-8")
    assert written == input_messages.page(), "run cd docs && python -m _site.input_messages"


def test_a_new_message_is_found() -> None:
    import ast

    tree = ast.parse(
        'def f(x):\n    """No sentence of a docstring is printed."""\n'
        '    warnings.append(f"the cell of {x} is upside down")\n'
        '    raise DataError(f"{x}: no such thing here", "because of that", "do this")\n'
    )
    assert input_messages.notes_of(tree) == ["the cell of … is upside down"]
    assert input_messages.errors_of(tree) == [("…: no such thing here", "because of that", "do this")]


def test_messages_in_cpp_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.cpp").write_text(
        'if (bad) error->all(FLERR, 3, fmt::format("fix x: atom {} is {:.3g} A off: mend it", n, f("m")));\n'
        'throw Error("no cell of " + std::to_string(n) + " atoms", ok ? "this is so" : "that is so",\n'
        '            "do one thing "  // a comment, with "marks"\n            "after the other");\n'
    )
    monkeypatch.setattr(native_messages, "ROOT", tmp_path)
    assert native_messages.sentences(("a.cpp",)) == ["fix x: atom … is … A off: mend it"]
    assert native_messages.errors(("a.cpp",)) == [
        ("no cell of … atoms", "this is so / that is so", "do one thing after the other")
    ]


def test_every_sentence_of_the_plugin_is_in_the_catalogue() -> None:
    """As many calls as the sources have; a new way of saying something would be missed else."""
    found = native_messages.sentences()
    calls = sum(
        len(re.findall(r"error->(?:all|one|warning)\(", path.read_text(encoding="utf-8")))
        for path in (ROOT / "lammps_plugin" / "src").glob("*.cpp")
    )
    own = sum(text.startswith("fix bec") for text in found)
    assert calls >= own > 15
    assert any("velocities do not change from frame to frame of the rerun" in text for text in found)


def test_what_the_guide_quotes_is_said_somewhere() -> None:
    """Three words in a row of the longest piece of each sentence between numbers, names and options."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for folder, kind in (("bec_md", "*.py"), ("lammps_plugin/src", "*.cpp"))
        for path in (ROOT / folder).rglob(kind)
    )
    plain = re.sub(r'"\s*\n\s*f?"', "", source)  # strings that go on in the next line
    plain = re.sub(r"[\s`]+", " ", plain)
    rows = re.findall(r"^\| (.*?) \| ", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) > 90
    missing = []
    for sentence in quoted:
        pieces = re.split(r"…|--[\w-]+|=\S*|[\d.]+|\b[A-Z][A-Za-z]*\b|[,;:()]", sentence.replace("\\|", "|"))
        words = max((piece.split() for piece in pieces), key=lambda found: len(" ".join(found)))
        runs = [" ".join(words[k : k + 3]) for k in range(max(len(words) - 2, 1))]
        if len(" ".join(words)) > 15 and not any(run in plain for run in runs):
            missing.append(sentence)
    assert not missing, missing
