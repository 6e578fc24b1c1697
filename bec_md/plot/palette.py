"""Colors and dashes of curves: told apart by the color-blind, and in grey by luminance and dashes."""

from __future__ import annotations

from dataclasses import dataclass

#: The total, and everything that is measured against.
INK = "#000000"
#: Experiment: points and lines that are not ours.
GREY = "#6E6E6E"

#: Colors of groups, components and series. Lightness L* is 35, 50, 73, 60, 24, 79: neighbors in a legend
#: differ in grey, and all pairs differ for deuteranopes, protanopes and tritanopes.
COLORS = ("#1B4FA8", "#CF4A2C", "#E9A820", "#25A387", "#561C6E", "#8FCBF0")

#: Dash patterns in units of the line width; the first is solid.
DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (4.0, 1.4),
    (1.2, 1.2),
    (6.0, 1.4, 1.2, 1.4),
    (2.4, 1.2),
    (8.0, 1.6),
    (6.0, 1.2, 1.2, 1.2, 1.2, 1.2),
)

#: Traffic lights: color, marker and word, so that color is never alone.
STATUS = {
    "ok": ("#25A387", "o", "ok"),
    "warn": ("#E9A820", "^", "doubtful"),
    "fail": ("#C02A1D", "X", "failed"),
    "unknown": ("#9A9A9A", "D", "unknown"),
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """How one curve of several is drawn."""

    color: str
    dashes: tuple[float, ...]

    @property
    def linestyle(self) -> str | tuple[float, tuple[float, ...]]:
        """Line style for matplotlib."""
        return (0.0, self.dashes) if self.dashes else "-"


def stroke(index: int) -> Stroke:
    """Return color and dashes of the curve with this index; both repeat with different periods.

    The first curve is dashed already: solid is the total's.
    """
    dashes = DASHES[1:]
    return Stroke(COLORS[index % len(COLORS)], dashes[(index + index // len(COLORS)) % len(dashes)])


def ramp(count: int) -> list[str]:
    """Return colors from light to dark for an ordered series, the last one black.

    Parameters
    ----------
    count
        Number of curves.
    """
    start, end = (0x9C, 0xC4, 0xE4), (0x00, 0x00, 0x00)
    colors = []
    for i in range(count):
        part = 1.0 if count == 1 else i / (count - 1)
        mixed = (round(a + (b - a) * part) for a, b in zip(start, end, strict=True))
        colors.append("#" + "".join(f"{c:02X}" for c in mixed))
    return colors
