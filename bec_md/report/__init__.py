"""The report: one self-contained HTML file that answers the questions of a referee; and what to cite.

What to cite is returned by `bec_md.report.citations.citations`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Citation": "bec_md.report.citation",
    "report_html": "bec_md.report.document",
    "write_report": "bec_md.report.document",
}

__all__ = ["Citation", "report_html", "write_report"]

if TYPE_CHECKING:
    from bec_md.report.citation import Citation
    from bec_md.report.document import report_html, write_report


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.report' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
