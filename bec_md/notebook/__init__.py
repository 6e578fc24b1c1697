"""How results show themselves in a notebook: a few numbers, a small figure, the self-checks, progress."""

from __future__ import annotations

from bec_md.notebook.cards import current_html, model_html, quality_html, spectrum_html
from bec_md.notebook.lines import current_line, model_line, spectrum_line
from bec_md.notebook.progress import NotebookProgress, in_notebook

__all__ = [
    "NotebookProgress",
    "current_html",
    "current_line",
    "in_notebook",
    "model_html",
    "model_line",
    "quality_html",
    "spectrum_html",
    "spectrum_line",
]


def __dir__() -> list[str]:
    return sorted(__all__)
