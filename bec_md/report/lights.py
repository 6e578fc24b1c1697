"""The quality block: every self-check with a traffic light, what it means and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bec_md.plot.palette import STATUS
from bec_md.plot.quality import check_title, check_value
from bec_md.report.page import typeset

if TYPE_CHECKING:
    from bec_md.spectrum.errors.quality import QualityCheck, QualityReport

#: Worst first: what needs a decision is read first.
_ORDER = ("fail", "warn", "unknown", "ok")

_SHAPES = {
    "ok": '<circle cx="8" cy="8" r="6"/>',
    "warn": '<path d="M8 1.5 15 14.5H1z"/>',
    "fail": '<path d="M4 1.5 8 5.5 12 1.5 14.5 4 10.5 8 14.5 12 12 14.5 8 10.5 4 14.5 1.5 12 5.5 8 1.5 4z"/>',
    "unknown": '<path d="M8 1.5 14.5 8 8 14.5 1.5 8z"/>',
}

_EXPONENT = re.compile(r"\b1e(-?)0?(\d+)\b")

_VERDICTS = {
    "ok": "All self-checks passed",
    "warn": "Usable, with doubts",
    "fail": "Do not use without looking into the failed checks",
}


def light(status: str) -> str:
    """Return the sign of a status: shape and color, with its word for those who see neither."""
    color, _, word = STATUS[status]
    return (
        f'<svg class="light" viewBox="0 0 16 16" width="16" height="16" role="img" aria-label="{word}" '
        f'fill="{color}">{_SHAPES[status]}</svg>'
    )


def overall(report: QualityReport) -> str:
    """Return the worst status that was found: fail, warn or ok."""
    found = {check.status for check in report}
    return next((status for status in ("fail", "warn") if status in found), "ok")


def verdict(report: QualityReport) -> str:
    """Return the banner: the verdict in words and how many checks have which status (HTML)."""
    status = overall(report)
    counts = {name: sum(check.status == name for check in report) for name in _ORDER}
    text = ", ".join(f"{counts[name]} {STATUS[name][2]}" for name in reversed(_ORDER) if counts[name])
    names = ", ".join(check_title(check) for check in report.warnings)
    more = f": {typeset(names)}" if names else ""
    return (
        f'<p class="verdict {status}">{light(status)} <strong>{_VERDICTS[status]}</strong>{more}. '
        f'<span class="counts">Self-checks: {typeset(text)}.</span></p>'
    )


def f_sum_words(report: QualityReport) -> str:
    """Return the light of the f-sum rule with what it tells (HTML); empty where it was not checked."""
    if "f_sum" not in report or report["f_sum"].value is None:
        return ""
    check = report["f_sum"]
    return (
        f'<p class="f-sum">{light(check.status)} <strong>f-sum {typeset(check_value(check))}</strong> along '
        "x, y, z: the measured area ∫ωε₂dω over the exact one, π/(2ε₀V)·Σ⟨ZZᵀ⟩/m, which holds for "
        "classical motion at any temperature and anharmonicity. It is 1 if temperature, units, masses and "
        "time step are right. A short run is off by tens of percent without any mistake, because its modes "
        "have not yet exchanged their energy: the stated error contains that. Far outside it something is "
        "wrong.</p>"
    )


def quality_table(report: QualityReport) -> str:
    """Return all checks as cards, the worst first (HTML)."""
    checks = sorted(report, key=lambda check: _ORDER.index(check.status))
    return '<div class="checks">\n' + "\n".join(_card(check) for check in checks) + "\n</div>"


def _card(check: QualityCheck) -> str:
    word = STATUS[check.status][2]
    value = "not measured" if check.value is None else check_value(check)
    lines = [
        f'<article class="check {check.status}">',
        f"<h3>{light(check.status)} {typeset(check_title(check))} <span>{typeset(word)}</span></h3>",
        f'<p class="measured"><strong>{typeset(value)}</strong> accepted: {_threshold(check)}</p>',
        f"<p>{typeset(_sentence(check.meaning))}</p>",
    ]
    if check.status != "ok":
        lines.append(f'<p class="advice"><strong>What to do:</strong> {typeset(_sentence(check.advice))}</p>')
    return "\n".join([*lines, "</article>"])


def _threshold(check: QualityCheck) -> str:
    """What is accepted, numbers like 1e-9 as powers of ten (HTML)."""
    return _EXPONENT.sub(r"10<sup>\1\2</sup>", typeset(check.threshold)).replace("<sup>-", "<sup>−")


def _sentence(text: str) -> str:
    """Return the text with a full stop, and a capital where the first word is one."""
    text = text.strip()
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.isascii() and len(first) > 1:
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
