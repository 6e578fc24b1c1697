"""The report: one self-contained HTML file that answers the questions of a referee; and what to cite.

What to cite is returned by `bec_md.report.citations.citations`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "citation": "Citation",
        "document": "report_html write_report",
    },
)

if TYPE_CHECKING:
    from bec_md.report.citation import Citation as Citation
    from bec_md.report.document import report_html as report_html
    from bec_md.report.document import write_report as write_report
