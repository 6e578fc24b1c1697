"""Figures and formulas as SVG inside HTML: letters as shapes, identifiers unique in the page."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PROLOG = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_ROOT = re.compile(r"<svg\b[^>]*>", re.DOTALL)
_PATH = re.compile(r'\bd="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")  # a hundredth of a point is less than any printer resolves
_BOX = re.compile(r'viewBox="([^"]+)"')


def inline_svg(figure: Figure | Axes, name: str, description: str) -> Markup:
    """Return a figure as an SVG element.

    Parameters
    ----------
    figure
        A figure, or axes of it.
    name
        Prefix of the identifiers in it, unique in the page.
    description
        What it shows, for those who do not see it.
    """
    from bec_md.plot.save import write_figure

    stream = BytesIO()
    write_figure(figure, stream, "svg", text_as_paths=True)
    return embed(stream.getvalue().decode("utf-8"), name, description)


def formula_svg(formula: str, name: str, description: str) -> Markup:
    """Return a formula in mathtext (without dollars) as an SVG element of the height of the text."""
    from bec_md.plot.style import bare_figure, figure_style

    with figure_style():
        figure = bare_figure((8.0, 1.0))
        figure.set_layout_engine("none")
        text: Any = figure.text(0.0, 0.5, f"${formula}$", fontsize=13.0, va="center")
        box = text.get_window_extent()
        width, height = (side / figure.dpi + 0.06 for side in (box.width, box.height))
        figure.set_size_inches(width, height)
        text.set_position((0.03 / width, 0.5))
        figure.patch.set_alpha(0.0)
        drawn = inline_svg(figure, name, description)
        return drawn.replace("<svg ", Markup('<svg class="formula" '), 1)


def embed(svg: str, name: str, description: str) -> Markup:
    """Strip what belongs to a file of its own and make the identifiers unique.

    Parameters
    ----------
    svg
        Content of an SVG file that matplotlib wrote.
    name, description
        As in `inline_svg`.
    """
    for pattern in (_PROLOG, _METADATA, _STYLE):
        svg = pattern.sub("", svg)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'(xlink:href|href)="#([^"]+)"', rf'href="#{name}-\2"', svg)
    svg = _PATH.sub(lambda found: _DECIMALS.sub(r"\1", found.group(0)), svg)
    root = _ROOT.search(svg)
    box = _BOX.search(svg)
    if root is None or box is None:
        raise ValueError("not an SVG image")
    width, height = (float(side) for side in box.group(1).split()[2:])
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(description)}" '
        f'viewBox="{box.group(1)}" width="{width:g}pt" height="{height:g}pt" '
        'style="stroke-linejoin:round;stroke-linecap:butt">'
    )
    return Markup((svg[: root.start()] + opening + svg[root.end() :]).strip())
