"""Numeric columns of a text file, with the place of the first line that does not fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
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
            values = [_number(word) for word in words]
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
        _number(word)
    except ValueError:
        return False
    return True


def _number(word: str) -> float:
    """Return a number, also with the exponent of Fortran, 1.5D-03."""
    try:
        return float(word)
    except ValueError:
        return float(word.replace("D", "E").replace("d", "e"))


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


#: Rarer steps than this share are no rounding, which makes both of its two often; rows that tell.
_OFTEN, _TELLING = 0.05, 40
#: Distance from a line of what is rounded to units, and unit over the whole range up to which it is known.
_ROUNDED, _KNOWN = 0.6, 1e-3


def _rounded_step(values: Array) -> float | None:
    """Return the spacing of times that a file has with few digits; None if they are not that.

    Equal steps, rounded to a unit, are two neighboring multiples of it, each of them often; a gap is rare.
    """
    steps = np.diff(values)
    for units in _last_digits(values):
        inside = units[1:] == units[:-1]
        for unit in np.unique(units[1:][inside]):
            found = np.rint(steps[inside & (units[1:] == unit)] / unit)
            share = float(np.mean(found > found.min()))
            rare = len(found) >= _TELLING and 0.0 < min(share, 1.0 - share) < _OFTEN
            if rare or np.ptp(found) > 1.0:
                break
        else:
            weight = 1.0 / np.maximum(units, 1e-9 * units.max())
            slope, begin = np.polyfit(np.arange(len(values)), values, 1, w=weight)
            off = np.abs(values - begin - slope * np.arange(len(values)))
            if (off <= _ROUNDED * units + 1e-9 * slope).all() and units.max() < _KNOWN * np.ptp(values):
                return float(slope)
    return None


def _last_digits(values: Array) -> Iterator[Array]:
    """Yield what the last digit of each number may be worth: of fixed decimals, of six digits (``%g``)."""
    far = 1e-12 * np.abs(values).max()
    for decimals in range(10):
        if (np.abs(values - np.round(values, decimals)) <= far).all():
            yield np.full(len(values), 10.0**-decimals)
            break
    six = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(values), 1e-30))) - 5.0)
    if (np.abs(values - six * np.rint(values / six)) <= 1e-3 * six).all():
        yield six


def uniform_step(values: Array, what: str, where: str, *, rounded: bool = False) -> float:
    """Return the spacing of a uniform column (time or step), refusing gaps and repeats.

    With `rounded` it may be a time that was printed with few digits, so that its steps differ.

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
        if rounded and (found := _rounded_step(values)) is not None:
            return found
        row = int(np.argmax(wrong)) if wrong.any() else 0
        raise DataError(
            f"{what} of {where} goes from {values[row]:g} to {values[row + 1]:g} at row {row + 2}",
            f"a spectrum needs samples at equal distances; the first one is {first:g}",
            "cut the file to one uninterrupted run without restarts that repeat samples",
        )
    return float((values[-1] - values[0]) / (len(values) - 1))
