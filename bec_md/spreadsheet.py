"""Names in tables: spreadsheets run a cell that begins with = + - or @, and names come from anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

#: Where a spreadsheet may cut a line, and what begins a formula behind it.
_FORMULA = re.compile(r'(^|[",;|]\s*)([=+@-])')


def header_row(names: Iterable[str]) -> str:
    """First row of a table: an apostrophe stands before a sign that would begin a formula.

    Parameters
    ----------
    names
        Names of the columns; those with separators, or with ``#``, at which readers of tables with comments
        cut a row, are quoted; control characters become spaces.
    """
    cells = (_FORMULA.sub(r"\1'\2", re.sub(r"[\x00-\x1f\x7f]", " ", name).lstrip()) for name in names)
    return ",".join(_quoted(cell) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if re.search('[,"#]', cell) else cell


def inert_json(value: Any) -> str:
    """JSON for a comment line: in a spreadsheet, a name with ``,=`` would begin a cell with a formula.

    The characters are written as escapes, which JSON readers take back.
    """

    def escape(text: re.Match[str]) -> str:
        """Write a sign that begins a formula as its number."""
        return _FORMULA.sub(lambda cell: f"{cell[1]}\\u{ord(cell[2]):04x}", text[0])

    return re.sub(r'"(?:[^"\\]|\\.)*"', escape, json.dumps(value))
