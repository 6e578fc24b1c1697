"""Numeric columns of a text file, with the place of the first line that does not fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.files import read_text


def whole_lines(path: Path, strict: bool = True) -> tuple[list[str], str]:
    """Return the lines of a text file, and apart from them a last one that has no end.

    A run that goes on writes in pieces: what stands there may be the first digits of a number, whose exponent
    is to come.
    """
    text = read_text(path, strict)
    whole, _, last = text.rpartition("\n")
    if not whole.strip() or last.lstrip()[:1] in ("", "#", "@"):
        return text.splitlines(), ""
    return whole.splitlines(), last.strip()


def read_columns(path: Path) -> tuple[Array, tuple[str, ...]]:
    """Read rows of numbers below a row of names, or comments: lines that start with ``#`` or ``@``.

    An incomplete last line (of a run that is still going) is left out with a warning.

    Returns
    -------
    (T, C) numbers and the names of the columns in the last comment or row of as many words, if any.
    """
    rows: list[list[float]] = []
    names: tuple[str, ...] = ()
    comment = ""
    lines, cut = whole_lines(path)
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if text[0] in "#@":
            if not rows:
                comment = text.lstrip("#@ ")
            continue
        words = text.replace(",", " ").split()
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if not rows and is_heading(words):
            comment = " ".join(words)
            continue
        if not values or (rows and len(values) != len(rows[0])):
            if number == len(lines) and rows and not cut:
                cut = text
                break
            raise DataError(
                f"line {number} of {path.name} is {text[:60]!r}",
                f"{len(rows[0])} numbers are expected there" if rows else "rows of numbers are expected",
                "remove the line, or mark it as a comment with #",
            )
        rows.append(values)
    if not rows:
        raise DataError(
            f"{path.name} holds no rows of numbers",
            "there is nothing to read",
            "check that the run has written its output",
        )
    if cut:
        said = f"the last line of {path.name}, {cut[:60]!r}, lacks its line end or numbers: it is left out"
        warnings.warn(said, BecMDWarning, stacklevel=2)
    words = comment.replace(",", " ").split()
    if len(words) == len(rows[0]):
        names = tuple(words)
    return np.array(rows), names


def is_heading(words: Sequence[str]) -> bool:
    """Whether a row above numbers names their columns: no number is among its words."""
    return len(words) > 1 and not any(word[0] in "+-.0123456789" or is_number(word) for word in words)


def is_number(word: str) -> bool:
    """Whether a word is a number, ``nan`` and ``inf`` included."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def pick_columns(
    columns: Sequence[str | int] | None, names: Sequence[str], count: int, default: Sequence[int], where: str
) -> list[int]:
    """Return the indices of the x, y and z columns.

    Parameters
    ----------
    columns
        Names, or numbers counted from 1; None takes `default` (counted from 0).
    names
        Names of the columns, possibly none.
    count
        Number of columns.
    default
        Indices to use when nothing is given.
    where
        The file, for messages.
    """
    if columns is None:
        return list(default)
    known = ", ".join(names) if names else f"1 … {count}"
    chosen = []
    for column in columns:
        text = str(column)
        if text in names:
            chosen.append(list(names).index(text))
        elif text.isdigit() and 1 <= int(text) <= count:
            chosen.append(int(text) - 1)
        else:
            raise UsageError(
                f"{where} has no column {text!r}",
                f"its columns are {known}",
                "name three of them, or give their numbers counted from 1",
            )
    if len(chosen) != 3:
        raise UsageError(
            f"{len(chosen)} columns were given for {where}",
            "a current has three components",
            "give the columns of x, y and z",
        )
    return chosen


def uniform_step(values: Array, what: str, where: str) -> float:
    """Return the spacing of a uniform column (time or step), refusing gaps and repeats.

    Raises
    ------
    DataError
        With the row where the spacing changes.
    """
    steps = np.diff(values)
    if len(steps) == 0:
        return 0.0
    first = float(steps[0])
    # a printed time has at best some 1e-6 of rounding per step
    wrong = np.abs(steps - first) > 1e-3 * abs(first) + 1e-12
    if first <= 0.0 or wrong.any():
        row = int(np.argmax(wrong)) if wrong.any() else 0
        raise DataError(
            f"{what} of {where} goes from {values[row]:g} to {values[row + 1]:g} at row {row + 2}",
            f"a spectrum needs samples at equal distances; the first one is {first:g}",
            "cut the file to one uninterrupted run without restarts that repeat samples",
        )
    return float((values[-1] - values[0]) / (len(values) - 1))
