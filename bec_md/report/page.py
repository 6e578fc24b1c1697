"""Pages and their pieces from the templates of this room; every text in them is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bec_md.plot.palette import STATUS
from bec_md.plot.quality import number_text

_SUBSCRIPT = re.compile(r"(?<=[εσkJCn])_(?:(∞|dc|B|s|a|b|c|r)(?![A-Za-z])|(B)(?=T))")
_EXPONENT = re.compile(r"\b1e([-−]?)0?(\d+)\b")


@cache
def templates() -> Environment:
    """Return the templates, with what they are written in: filters, colors of the lights."""
    made = Environment(
        loader=PackageLoader("bec_md.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(typeset=typeset, value_text=value_text, sentence=sentence, powers=powers)
    made.globals["STATUS"] = STATUS
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return made


def page(template: str, content: Mapping[str, Any]) -> str:
    """Return a document of a template and what it names."""
    return templates().get_template(template).render(content)


def piece(name: str, *values: Any) -> Markup:
    """Return one piece of a page (HTML), a macro of ``pieces.html``."""
    return Markup(getattr(templates().get_template("pieces.html").module, name)(*values).strip())


def typeset(text: str) -> Markup:
    """Escape plain text for HTML and set ε_∞, σ_dc, k_B and the like with subscripts."""
    return Markup(_SUBSCRIPT.sub(_subscript, escape(text)))


def _subscript(found: re.Match[str]) -> str:
    return f"<sub>{found[1] or found[2]}</sub>"


def powers(text: Markup) -> Markup:
    """Set numbers like 1e-9 as powers of ten."""
    return Markup(_EXPONENT.sub(r"10<sup>\1\2</sup>", str(text)).replace("<sup>-", "<sup>−"))


def sentence(text: str) -> str:
    """Return the text with a full stop, and a capital where the first word is one."""
    text = text.strip()
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.isascii() and len(first) > 1:
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def value_text(value: Any) -> str:
    """Return a value as short text: five figures, lists separated by commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number_text(value, 5)
    if hasattr(value, "tolist"):
        return value_text(value.tolist())
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {value_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    return str(value)
