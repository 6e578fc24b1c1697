"""The catalogue of what is said about input is complete, and what the guide quotes is really said."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

from _site import input_messages  # noqa: E402 (a folder of the documentation)

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
