"""The quality block: every self-check with a traffic light, what it means and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.plot.palette import STATUS
from bec_md.plot.quality import check_title, check_value
from bec_md.report.page import piece

if TYPE_CHECKING:
    from bec_md.spectrum.errors.quality import QualityReport

#: Worst first: what needs a decision is read first.
_ORDER = ("fail", "warn", "unknown", "ok")

_VERDICTS = {
    "ok": "All self-checks passed",
    "warn": "Usable, with doubts",
    "fail": "Do not use without looking into the failed checks",
}


def overall(report: QualityReport) -> str:
    """Return the worst status that was found: fail, warn or ok."""
    found = {check.status for check in report}
    return next((status for status in ("fail", "warn") if status in found), "ok")


def verdict(report: QualityReport) -> str:
    """Return the banner: the verdict in words and how many checks have which status (HTML)."""
    counts = {name: sum(check.status == name for check in report) for name in _ORDER}
    words = ", ".join(f"{counts[name]} {STATUS[name][2]}" for name in reversed(_ORDER) if counts[name])
    names = ", ".join(check_title(check) for check in report.warnings)
    status = overall(report)
    return piece("verdict", status, _VERDICTS[status], names, words)


def f_sum_words(report: QualityReport) -> str:
    """Return the light of the f-sum rule with what it tells (HTML); empty where it was not checked."""
    if "f_sum" not in report or report["f_sum"].value is None:
        return ""
    return piece("f_sum", report["f_sum"].status, check_value(report["f_sum"]))


def check_items(report: QualityReport) -> list[dict[str, str]]:
    """Return what is shown of each check, in the order of the report."""
    return [
        {
            "status": check.status,
            "title": check_title(check),
            "value": "not measured" if check.value is None else check_value(check),
            "threshold": check.threshold,
            "meaning": check.meaning,
            "advice": check.advice,
        }
        for check in report
    ]


def quality_table(report: QualityReport) -> str:
    """Return all checks as cards, the worst first (HTML)."""
    return piece("checks", sorted(check_items(report), key=lambda item: _ORDER.index(item["status"])))
