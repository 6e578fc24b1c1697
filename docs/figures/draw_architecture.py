"""Draw docs/figures/architecture.svg: the rooms of the package, and what flows between them.

python docs/figures/draw_architecture.py
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from bec_md.plot.palette import COLORS, GREY, INK
from bec_md.plot.save import write_figure
from bec_md.plot.style import bare_figure, figure_style

HEIGHT = 0.62


@dataclass(frozen=True)
class Room:
    """A folder of the package: place of its center, width, what it is for."""

    name: str
    x: float
    y: float
    width: float
    words: str
    color: str


BLUE, RED, YELLOW, GREEN = COLORS[0], COLORS[1], COLORS[2], COLORS[3]
FLOW = (
    Room("trajectory", 0.95, 3.3, 1.7, "frames, units stated,\nstreamed", BLUE),
    Room("charges", 3.05, 3.3, 1.7, "$Z^*$ of every atom,\nwherever it comes from", BLUE),
    Room("current", 5.15, 3.3, 1.7, "$J(t) = \\Sigma\\,Z^* v$,\nresumable HDF5", BLUE),
    Room("spectrum", 7.25, 3.3, 1.7, "estimators, optics,\nerrors, self-checks", BLUE),
    Room("plot, report", 9.35, 3.3, 1.7, "figures;\none HTML file", BLUE),
)
BELOW = (
    Room("network", 3.05, 2.1, 1.7, "equivariant network,\nbundled models", GREEN),
    Room("native", 3.05, 0.9, 1.7, "the same in C++17,\nno PyTorch", GREEN),
    Room("training", 0.95, 2.1, 1.7, "collect, train;\nevaluation", GREEN),
    Room("structure", 0.95, 0.9, 1.7, "one Frame, one list\nof names", GREEN),
    Room("lammps, ase", 5.15, 0.9, 1.7, "$J$ and a field while\nthe simulation runs", RED),
    Room("dynamics", 7.25, 0.9, 1.7, "from a structure to\na trajectory", RED),
    Room("compare, modes", 7.25, 2.1, 1.7, "two spectra;\nnormal modes", YELLOW),
    Room("validate, bench", 9.35, 2.1, 1.7, "exactly solvable cases;\nspeed", YELLOW),
)
SURFACE = Room(
    "cli", 5.15, 4.5, 10.1, "bec-md spectrum · current · train · plot · …   one table of options", GREY
)


def draw_room(ax: Axes, room: Room) -> None:
    """Draw a box with the name of the folder and what it holds."""
    corner = (room.x - room.width / 2, room.y - HEIGHT / 2)
    ax.add_patch(
        FancyBboxPatch(
            corner,
            room.width,
            HEIGHT,
            boxstyle="round,pad=0.06,rounding_size=0.08",
            facecolor=(*_rgb(room.color), 0.13),
            edgecolor=room.color,
            linewidth=1.0,
        )
    )
    if room is SURFACE:
        ax.text(0.35, room.y, f"{room.name}/", weight="bold", fontsize=9.0, va="center")
        ax.text(room.x + 0.25, room.y, room.words, fontsize=8.0, ha="center", va="center")
        return
    ax.text(
        room.x,
        room.y + 0.19,
        f"{room.name}/".replace(", ", "/  "),
        weight="bold",
        fontsize=9.0,
        ha="center",
        va="center",
    )
    ax.text(room.x, room.y - 0.13, room.words, fontsize=7.2, ha="center", va="center", linespacing=1.15)


def _rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)


def arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], words: str = "", color: str = INK
) -> None:
    """Draw an arrow, and what flows along it above its middle."""
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=8, linewidth=0.9, color=color, shrinkA=0, shrinkB=0
        )
    )
    if words:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        ax.text(
            middle[0] + 0.07, middle[1], words, fontsize=7.0, color="#444444", va="center", style="italic"
        )


def main() -> None:
    """Draw the picture beside this file."""
    with figure_style():
        figure = bare_figure((6.8, 3.5))
        ax = figure.add_subplot()
        ax.set_xlim(-0.1, 10.4)
        ax.set_ylim(0.35, 5.0)
        ax.set_axis_off()
        for room in (*FLOW, *BELOW, SURFACE):
            draw_room(ax, room)
        for left, right in pairwise(FLOW):
            arrow(ax, (left.x + 0.92, 3.3), (right.x - 0.92, 3.3))
        side = HEIGHT / 2 + 0.07
        for room in FLOW:
            arrow(ax, (room.x, 4.5 - side), (room.x, 3.3 + side), color=GREY)
        arrow(ax, (3.05, 2.1 + side), (3.05, 3.3 - side), "tensors", GREEN)
        arrow(ax, (3.05, 0.9 + side), (3.05, 2.1 - side), "evaluates", GREEN)
        arrow(ax, (0.95 + 0.92, 2.1), (3.05 - 0.92, 2.1), color=GREEN)
        arrow(ax, (0.95, 0.9 + side), (0.95, 2.1 - side), "labels", GREEN)
        arrow(ax, (3.05 + 0.92, 0.9), (5.15 - 0.92, 0.9), color=RED)
        arrow(ax, (7.25 - 0.92, 0.9), (5.15 + 0.92, 0.9), color=RED)
        arrow(ax, (5.15, 0.9 + side), (5.15, 3.3 - side), "log with J(t)", RED)
        arrow(ax, (7.25, 3.3 - side), (7.25, 2.1 + side), color=YELLOW)
        arrow(ax, (9.35 - 0.2, 2.1 + side), (7.25 + 0.6, 3.3 - side), color=YELLOW)
        ax.text(8.75, 2.78, "checks", fontsize=7.0, color="#444444", style="italic")
    with Path(__file__).with_name("architecture.svg").open("wb") as stream:
        write_figure(figure, stream, "svg", text_as_paths=True)


if __name__ == "__main__":
    main()
