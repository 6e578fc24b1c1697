"""Results as HTML for notebooks: facts, a small figure, the self-checks. Nothing is loaded from elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from bec_md.notebook.lines import current_facts, model_facts, spectrum_facts

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.network.predictor import BecModel
    from bec_md.spectrum.errors.quality import QualityReport
    from bec_md.spectrum.spectrum import Spectrum

#: Colors are those of the notebook, dark or light; only the figure keeps its white paper.
_STYLE = (
    "<style>.bec-md-card{max-width:46rem;font-size:13px;line-height:1.45}"
    ".bec-md-card table{border-collapse:collapse;margin:.3em 0}"
    ".bec-md-card td{padding:1px 14px 1px 0;text-align:left;vertical-align:top}"
    ".bec-md-card td:first-child{opacity:.65;white-space:nowrap}"
    ".bec-md-card svg.drawn,.bec-md-card>svg{max-width:100%;height:auto;background:#fff}"
    ".bec-md-card details{margin:.3em 0}.bec-md-card summary{cursor:pointer}"
    ".bec-md-card .verdict{margin:.3em 0}.bec-md-card .light{vertical-align:-2px}</style>"
)
_number = itertools.count()


def spectrum_html(spectrum: Spectrum) -> str:
    """Return a spectrum as HTML: facts, nα with its band, the quality block."""
    facts = {name: text for name, text in spectrum_facts(spectrum).items() if name != "checks"}
    body = [_table(facts), _figure(spectrum), quality_body(spectrum.quality)]
    return _card("Spectrum", body)


def current_html(current: CurrentSeries) -> str:
    """Return a current as HTML."""
    return _card("Polarization current", [_table(current_facts(current))])


def model_html(model: BecModel) -> str:
    """Return a model as HTML: facts and the description of its card."""
    text = str((model.card.get("domain") or {}).get("text") or model.card.get("description", ""))
    return _card(
        f"Model {model.name}", [f"<p>{escape(text)}</p>" if text else "", _table(model_facts(model))]
    )


def quality_html(report: QualityReport) -> str:
    """Return the self-checks as HTML."""
    return _card("Self-checks", [quality_body(report)])


def quality_body(report: QualityReport) -> str:
    """Return verdict and table of the self-checks; what is not well is open."""
    from bec_md.plot.quality import check_title, check_value
    from bec_md.report.lights import light, verdict
    from bec_md.report.page import typeset

    if not report.checks:
        return ""
    rows = "".join(
        f"<tr><td>{light(check.status)} {typeset(check_title(check))}</td>"
        f"<td>{typeset('not measured' if check.value is None else check_value(check))}</td>"
        f"<td>{typeset(check.advice if check in report.warnings else check.threshold)}</td></tr>"
        for check in report
    )
    return f"{verdict(report)}<details><summary>all checks</summary><table>{rows}</table></details>"


def _figure(spectrum: Spectrum) -> str:
    from bec_md.plot.spectrum import plot_spectrum
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks
    from bec_md.report.drawing import inline_svg
    from bec_md.report.figures import for_display

    with figure_style():
        drawn = bare_figure((4.6, 2.2))
        plot_spectrum(for_display(spectrum), "n_alpha", False, pin_ticks(drawn.add_subplot()))
    return inline_svg(drawn, f"bec-md-{next(_number)}", "Infrared spectrum with its confidence band")


def _table(facts: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{escape(n)}</td><td>{escape(str(t))}</td></tr>" for n, t in facts.items())
    return f"<table>{rows}</table>"


def _card(title: str, body: list[str]) -> str:
    return f'{_STYLE}<div class="bec-md-card"><strong>{escape(title)}</strong>{"".join(body)}</div>'
