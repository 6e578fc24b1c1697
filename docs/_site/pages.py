"""Sphinx extension: writes the pages that are made from the program, and the navigation of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
MADE = DOCS / "reference" / "made"

TUTORIALS = ("first_spectrum", "structure", "lammps", "own_network", "notebook")

#: What stands in the margin, in its order; every page of the site is here or below a page that is.
NAVIGATION: dict[str, tuple[str, ...]] = {
    "Start": (
        "/README",
        *(f"tutorials/{page}" for page in TUTORIALS),
        "/examples/README",
    ),
    "How to": (),  # all of docs/howto
    "Explanation": (
        "concepts",
        "control_variates",
        "conventions",
        "quality",
        "validation",
        "accuracy",
        "benchmarks",
        "comparison",
    ),
    "Reference": (
        *(f"reference/{page}" for page in ("commands", "api", "models", "messages", "input_messages")),
        "faq",
    ),
    "Project": ("/CHANGELOG", "/CONTRIBUTING", "architecture", "/SECURITY", "/CODE_OF_CONDUCT"),
}


def setup(app: Any) -> dict[str, bool]:
    """Connect the parts."""
    app.connect("config-inited", write_pages)
    app.connect("source-read", add_navigation)
    app.connect("build-finished", write_entrance)
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("autodoc-process-signature", plain_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def plain_types(*event: Any) -> tuple[str, str | None] | None:
    """Show the types of fields without what is annotated to them; the table of the fields says it."""
    signature, returned = event[-2:]
    if not signature or "Annotated[" not in signature:
        return None
    return re.sub(
        r"Annotated\[([^\[\],]+(?:\[[^\]]*\])?), _stored\((?:[^()]|\([^()]*\))*\)\]", r"\1", signature
    ), returned


def write_pages(*_: Any) -> None:
    """Write commands, messages and rooms; a page that has not changed keeps its time."""
    from _site.api import api_pages
    from _site.commands import command_pages
    from _site.messages import messages_page

    pages = {f"commands/{name}": text for name, text in command_pages().items()}
    pages |= {f"api/{name}": text for name, text in api_pages().items()}
    pages["messages"] = f"All messages\n============\n\n{messages_page()}"
    wanted = {MADE / f"{name}.rst": text for name, text in pages.items()}
    for old in set(MADE.rglob("*.rst")) - set(wanted):
        old.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def add_navigation(app: Any, name: str, source: list[str]) -> None:
    """Append the tables of contents that readers of a checkout do not need."""
    if name == app.config.root_doc:
        for caption, pages in NAVIGATION.items():
            found = pages or tuple(sorted(f"howto/{path.stem}" for path in DOCS.glob("howto/*.md")))
            known = {"/" + page if page.startswith("/") else page for page in found}
            if caption == "Explanation":
                others = {path.stem for path in DOCS.glob("*.md")} - {"README"}
                listed = {page for group in NAVIGATION.values() for page in group}
                found = (*found, *sorted(others - listed - known))
            source[0] += _toctree(found, caption)
    elif name in ("docs/reference/commands", "docs/reference/api"):
        folder = MADE / name.rsplit("/", 1)[1]
        source[0] += _toctree(sorted(f"made/{folder.name}/{path.stem}" for path in folder.glob("*.rst")))
    elif name == "docs/reference/messages":
        source[0] += _toctree(["made/messages"])
    elif name == "docs/reference/models":
        cards = sorted((DOCS.parent / "bec_md/network/bundled").glob("*.md"))
        source[0] += _toctree([f"/bec_md/network/bundled/{path.stem}" for path in cards])
    elif name == "examples/README":
        folders = sorted(path.parent.name for path in DOCS.parent.glob("examples/*/README.md"))
        source[0] += _toctree(f"{folder}/README" for folder in folders)
    elif name == "docs/tutorials/lammps":
        source[0] += _toctree(["/lammps_plugin/README"])


def _toctree(pages: Any, caption: str | None = None) -> str:
    """Return a list of pages: in the margin under a caption, else shown on the page too."""
    head = f":hidden:\n:caption: {caption}\n" if caption else ":maxdepth: 1\n"
    return "\n\n```{toctree}\n" + head + "\n" + "\n".join(pages) + "\n```\n"


def escape_bars(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Keep absolute values in docstrings from being read as substitutions."""
    lines[:] = [re.sub(r"(?<![`\\|])\|(?![`|])", r"\\|", line) if "`" not in line else line for line in lines]


def write_entrance(app: Any, failure: Exception | None) -> None:
    """Write index.html, which leads to the start page."""
    if failure is None and app.builder.format == "html":
        target = f"{app.config.root_doc}.html"
        head = f'<title>bec-md</title><meta http-equiv="refresh" content="0;url={target}">'
        text = f'<!doctype html>{head}<a href="{target}">bec-md</a>\n'
        Path(app.outdir, "index.html").write_text(text, encoding="utf-8")
