"""Sphinx extension: equations as MathML, which browsers draw themselves: nothing is loaded."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from docutils.utils.math.unichar2tex import uni2tex_table

#: Commands of the symbols that stand in equations of docstrings.
SYMBOLS = {**uni2tex_table, ord("·"): r"\cdot "}


def setup(app: Any) -> dict[str, bool]:
    """Offer the renderer; ``html_math_renderer`` of the configuration names it."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(writer: Any, node: Any) -> None:
    """Write an equation within a line."""
    writer.body.append(mathml(node))
    raise nodes.SkipNode


def display(writer: Any, node: Any) -> None:
    """Write an equation of its own; what is wider than the page scrolls."""
    writer.body.append(f'<div class="math">{mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def mathml(node: Any, *, as_block: bool = False) -> str:
    """Return an equation that may hold symbols beside the commands of LaTeX."""
    tex = node.astext().replace("ν\u0303", r"\tilde{\nu}").translate(SYMBOLS)
    return tex2mathml(re.sub(r"\\[Bb]ig(?![a-z])", "", tex), as_block=as_block)
