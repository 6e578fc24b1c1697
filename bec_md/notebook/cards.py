"""Results as HTML for notebooks: facts, a small figure, the self-checks. Nothing is loaded from elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bec_md.notebook.lines import current_facts, model_facts, spectrum_facts

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.network.predictor import BecModel
    from bec_md.spectrum.errors.quality import QualityReport
    from bec_md.spectrum.spectrum import Spectrum

_number = itertools.count()


def spectrum_html(spectrum: Spectrum) -> str:
    """Return a spectrum as HTML: facts, nα with its band, the quality block."""
    facts = {name: text for name, text in spectrum_facts(spectrum).items() if name != "checks"}
    return _card("Spectrum", facts=facts, figure=_figure(spectrum), quality=spectrum.quality)


def current_html(current: CurrentSeries) -> str:
    """Return a current as HTML."""
    return _card("Polarization current", facts=current_facts(current))


def model_html(model: BecModel) -> str:
    """Return a model as HTML: facts and the description of its card."""
    text = str((model.card.get("domain") or {}).get("text") or model.card.get("description", ""))
    return _card(f"Model {model.name}", text=text, facts=model_facts(model))


def quality_html(report: QualityReport) -> str:
    """Return the self-checks as HTML."""
    return _card("Self-checks", quality=report)


def _figure(spectrum: Spectrum) -> str:
    from bec_md.plot.spectrum import plot_spectrum
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks
    from bec_md.report.drawing import inline_svg
    from bec_md.report.figures import for_display

    with figure_style():
        drawn = bare_figure((4.6, 2.2))
        plot_spectrum(for_display(spectrum), "n_alpha", False, pin_ticks(drawn.add_subplot()))
    return inline_svg(drawn, f"bec-md-{next(_number)}", "Infrared spectrum with its confidence band")


def _card(
    title: str,
    *,
    text: str = "",
    facts: Mapping[str, Any] | None = None,
    figure: str = "",
    quality: QualityReport | None = None,
) -> str:
    """Return what is there, the self-checks folded below their verdict."""
    from bec_md.report.lights import check_items, verdict
    from bec_md.report.page import page

    checks = check_items(quality) if quality is not None else []
    content = {"title": title, "text": text, "facts": facts, "figure": figure, "checks": checks}
    return page("card.html", content | {"verdict": verdict(quality) if quality and checks else ""})
