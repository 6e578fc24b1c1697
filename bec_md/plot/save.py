"""Writing figures so that the same figure gives the same file: no dates, no random identifiers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.errors import UsageError
from bec_md.kinds import require_kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

FORMATS = ("png", "pdf", "svg")

#: Resolution of raster output, dots per inch: what journals ask for line art with half-tones.
DPI = 300


def save_figure(figure: Figure | Axes, path: str | Path, dpi: float = DPI) -> None:
    """Write a figure; the suffix tells the format: png, pdf or svg (text stays text in the last two).

    Parameters
    ----------
    figure
        A figure, or axes of it.
    path
        File to write.
    dpi
        Dots per inch of png, and of rasterized parts of the others.

    Raises
    ------
    UsageError
        For another suffix.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise UsageError(
            f"no figure format {path.suffix!r} ({path})",
            "the format follows from the suffix",
            f"use one of {', '.join('.' + f for f in FORMATS)}",
        )
    from bec_md.atomic import replacing

    with replacing(path) as partial, partial.open("wb") as stream:
        write_figure(figure, stream, kind, dpi=dpi)


def write_figure(
    figure: Figure | Axes, stream: Any, kind: str, *, dpi: float = DPI, text_as_paths: bool = False
) -> None:
    """Write a figure to a binary stream, as `save_figure` does to a file.

    Parameters
    ----------
    figure, dpi
        As in `save_figure`.
    stream
        Where to write.
    kind
        png, pdf or svg.
    text_as_paths
        Draw the letters of an svg as shapes: looks the same without the fonts.
    """
    import matplotlib

    from bec_md.plot.style import figure_style

    options: Any = {"svg.hashsalt": "bec-md", "svg.fonttype": "path" if text_as_paths else "none"}
    with figure_style(figure), matplotlib.rc_context(options):
        _whole(figure).savefig(stream, format=kind, dpi=dpi, metadata=_metadata(kind))


def _whole(figure: Figure | Axes | SubFigure) -> Figure:
    """Return the outermost figure."""
    from matplotlib.figure import Figure

    owner: Any = figure
    while not isinstance(owner, Figure):
        require_kind(owner, "figure", "figure", "give a figure of matplotlib, or one of its axes")
        owner = owner.figure
    return owner


def _metadata(kind: str) -> dict[str, str | None]:
    from bec_md import __version__

    name = f"bec-md {__version__}"
    if kind == "png":
        return {"Software": name}
    if kind == "pdf":
        return {"Creator": name, "Producer": None, "CreationDate": None}
    return {"Creator": name, "Date": None}
