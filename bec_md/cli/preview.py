"""A spectrum in the terminal, drawn with braille characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Bits of the dots of a braille cell, by row (4) and column (2).
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def braille(values: Sequence[float], columns: int = 70, rows: int = 7) -> list[str]:
    """Draw a curve as a filled shape.

    Parameters
    ----------
    values
        Ordinates on a uniform grid; each dot column shows the largest of those it covers.
    columns, rows
        Size in characters; a character has 2 × 4 dots.

    Returns
    -------
    list of str
        One line per row, top first.
    """
    width, height = 2 * columns, 4 * rows
    top = max(max(values, default=0.0), 0.0)
    if top <= 0.0 or not values:
        return [" " * columns for _ in range(rows)]
    cells = [[0] * columns for _ in range(rows)]
    for x in range(width):
        low = x * len(values) // width
        high = max(low + 1, (x + 1) * len(values) // width)
        dots = round(max(max(values[low:high]), 0.0) / top * height)
        for y in range(dots):
            line = height - 1 - y
            cells[line // 4][x // 2] |= _DOTS[line % 4][x % 2]
    return ["".join(chr(0x2800 + bits) for bits in row) for row in cells]


def preview(wavenumber_cm: Sequence[float], n_alpha_cm: Sequence[float], columns: int = 70) -> str:
    """Return a drawing of nα against wavenumber with its axes."""
    lines = braille(n_alpha_cm, columns)
    top, label = max(n_alpha_cm), "nα [cm⁻¹]"
    margin = max(len(label), len(f"{top:.3g}"))
    heads = [f"{top:.3g}", *[""] * (len(lines) - 2), "0"]
    heads[1] = label
    drawn = [f"{head:>{margin}} ┤{line}" for head, line in zip(heads, lines, strict=True)]
    marks, numbers = _axis(wavenumber_cm[0], wavenumber_cm[-1], columns)
    return "\n".join([*drawn, " " * (margin + 1) + "└" + marks, " " * (margin + 2) + numbers])


def _axis(low: float, high: float, columns: int) -> tuple[str, str]:
    """Return a line with marks at round wavenumbers and a line with their numbers below them."""
    span = high - low
    steps = [digit * 10.0**power for power in range(-2, 5) for digit in (1, 2, 5)]
    step = next((step for step in steps if span / step <= 7), span)
    marks, numbers = ["─"] * columns, [" "] * (columns + 12)
    for count in range(math.ceil(low / step), math.floor(high / step) + 1):
        place = min(round((count * step - low) / span * columns), columns - 1)
        text = f"{count * step:g}"
        begin = max(0, place - len(text) // 2)
        marks[place] = "┴"
        numbers[begin : begin + len(text)] = text
    end = len("".join(numbers).rstrip())
    return "".join(marks), "".join(numbers)[:end] + " cm⁻¹"
