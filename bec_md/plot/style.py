"""The look of the figures: a style that is used only while a figure is made, and new axes in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bec_md.errors import UsageError
from bec_md.kinds import require_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Width = Literal["column", "double"]

#: Path of the shipped style sheet, for ``matplotlib.style.use``.
STYLE_FILE = Path(__file__).with_name("bec_md.mplstyle")

#: Widths in inches of one column and of a page of two columns (Physical Review).
WIDTHS_INCH = {"column": 3.37, "double": 6.8}


@contextmanager
def figure_style(given: object = None) -> Iterator[None]:
    """Use the shipped style within the block; the global settings are as before afterwards.

    It stands on matplotlib's own, so that a figure looks the same whatever style is in use; in a figure that
    is `given`, on the style in use.

    All but one: the first figure of a session may choose the backend, and that of a notebook switches
    `interactive` on, which has to outlive the block or no later figure appears.
    """
    import matplotlib.style

    with matplotlib.style.context([STYLE_FILE] if given is not None else ["default", STYLE_FILE]):
        try:
            yield
        finally:
            interactive = matplotlib.is_interactive()
    matplotlib.interactive(interactive)


def as_text(name: str) -> str:
    """Return a name of the user as figures show it: no mathtext, nor hidden for an underscore."""
    return (" " if name.startswith("_") else "") + name.replace("$", r"\$")


def figure_size(width: Width = "column", aspect: float = 0.72) -> tuple[float, float]:
    """Return width and height in inches.

    Parameters
    ----------
    width
        "column" (3.37 in) or "double" (6.8 in).
    aspect
        Height over width of a figure in column width; a double one is flatter, 0.62 of it.

    Raises
    ------
    UsageError
        For another width.
    """
    if width not in WIDTHS_INCH:
        raise UsageError(
            f"figure width {width!r}", "figures fit a journal's columns", "use 'column' or 'double'"
        )
    inches = WIDTHS_INCH[width]
    return inches, inches * (aspect if width == "column" else 0.62 * aspect)


def bare_figure(size: tuple[float, float]) -> Figure:
    """Return a figure that pyplot does not know, for files: nothing stays in memory behind it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    return figure


def new_axes(ax: Axes | None, width: Width = "column", aspect: float = 0.72) -> Axes:
    """Return `ax`, or the axes of a new pyplot figure in the shipped style; call inside `figure_style`."""
    if ax is not None:
        require_kind(ax, "has_data", "axes of matplotlib", "give one of those of plt.subplots(), or none")
        return ax
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=figure_size(width, aspect))
    return pin_ticks(figure.add_subplot())


def pin_ticks(ax: Axes) -> Axes:
    """Write the style's ticks into the axes: matplotlib makes ticks late, with the settings of then."""
    import matplotlib

    from bec_md.plot.ticks import PlainNumbers

    settings: Any = matplotlib.rcParams
    for axis, sides in (("x", ("bottom", "top")), ("y", ("left", "right"))):
        for which in ("major", "minor"):
            options: Any = {
                "axis": axis,
                "which": which,
                "direction": settings[f"{axis}tick.direction"],
                "length": settings[f"{axis}tick.{which}.size"],
                "width": settings[f"{axis}tick.{which}.width"],
                "labelsize": settings[f"{axis}tick.labelsize"],
            }
            ax.tick_params(**options, **{side: settings[f"{axis}tick.{side}"] for side in sides})
        getattr(ax, f"{axis}axis").set_major_formatter(PlainNumbers())
    return ax
