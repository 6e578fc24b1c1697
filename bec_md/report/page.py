"""Pieces of HTML: escaped text, tables, sections and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from bec_md.report.explorer import content_policy, script

STYLE_SHEET = Path(__file__).with_name("report.css")


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of the page.

    Parameters
    ----------
    anchor
        Identifier for links.
    title
        Heading, plain text.
    body
        HTML.
    """

    anchor: str
    title: str
    body: str

    def html(self) -> str:
        """Return the section as HTML."""
        return (
            f'<section id="{self.anchor}" aria-labelledby="{self.anchor}-title">\n'
            f'<h2 id="{self.anchor}-title">{escape(self.title)}</h2>\n{self.body}\n</section>'
        )


_SUBSCRIPT = re.compile(r"(?<=[εσkJCn])_(?:(∞|dc|B|s|a|b|c|r)(?![A-Za-z])|(B)(?=T))")


def typeset(text: str) -> str:
    """Escape plain text for HTML and set ε_∞, σ_dc, k_B and the like with subscripts."""
    return _SUBSCRIPT.sub(_subscript, escape(text))


def _subscript(found: re.Match[str]) -> str:
    return f"<sub>{found[1] or found[2]}</sub>"


def paragraph(text: str, css: str = "") -> str:
    """Return a paragraph of plain text."""
    attribute = f' class="{css}"' if css else ""
    return f"<p{attribute}>{typeset(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """Return a table of plain text.

    Parameters
    ----------
    head
        Column heads.
    rows
        Cells.
    numeric
        Columns that are aligned right.
    """

    def cell(tag: str, column: int, text: str) -> str:
        """Return one cell, aligned right if its column is numeric."""
        css = ' class="number"' if column in numeric else ""
        return f"<{tag}{css}>{typeset(text)}</{tag}>"

    top = "".join(cell("th", i, text) for i, text in enumerate(head))
    body = "\n".join("<tr>" + "".join(cell("td", i, t) for i, t in enumerate(row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def definitions(items: Mapping[str, Any]) -> str:
    """Return names and values as a definition list."""
    rows = "\n".join(
        f"<div><dt>{typeset(name)}</dt><dd>{typeset(value_text(value))}</dd></div>"
        for name, value in items.items()
    )
    return f"<dl>\n{rows}\n</dl>"


def figure(svg: str, caption: str, css: str = "") -> str:
    """Return a drawing with its caption (HTML)."""
    attribute = f' class="{css}"' if css else ""
    return f"<figure{attribute}>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>"


def value_text(value: Any) -> str:
    """Return a value as short text: five figures, lists separated by commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        from bec_md.plot.quality import number_text

        return number_text(value, 5)
    if hasattr(value, "tolist"):
        return value_text(value.tolist())
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {value_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    return str(value)


def page(tab: str, header: str, sections: Sequence[Section], footer: str) -> str:
    """Return the whole document: style sheet and script inside, nothing loaded from elsewhere.

    Parameters
    ----------
    tab
        Title, which tells the tabs of a browser apart.
    header, sections, footer
        Content (HTML).
    """
    links = "\n".join(f'<li><a href="#{s.anchor}">{escape(s.title)}</a></li>' for s in sections)
    body = "\n\n".join(section.html() for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(content_policy(), quote=True)}">
<title>{escape(tab)}</title>
<style>
{STYLE_SHEET.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
{header}
</header>
<nav aria-label="Contents"><ol>
{links}
</ol></nav>
<main>
{body}
</main>
<footer>{footer}</footer>
<script>{script()}</script>
</body>
</html>
"""
