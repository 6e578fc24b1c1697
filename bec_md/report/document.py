"""The report of a spectrum as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md import __version__
from bec_md.atomic import write_text
from bec_md.current.provenance import first_source
from bec_md.kinds import require_spectrum
from bec_md.report import figures, lights, numbers
from bec_md.report.citations import citations
from bec_md.report.drawing import formula_svg
from bec_md.report.explorer import content_policy, explorer, script
from bec_md.report.formulas import formulas_used
from bec_md.report.model_card import find_card, model_card_html
from bec_md.report.page import page

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.plot.overlay import Experiment
    from bec_md.spectrum.spectrum import Spectrum


STYLE_SHEET = Path(__file__).with_name("report.css")

#: Headings of the templates in ``templates/sections``, in their order.
SECTIONS = {
    "spectrum": "Spectrum",
    "decomposition": "Decomposition",
    "tensor": "Tensor and optics",
    "quality": "Self-checks",
    "convergence": "Correlation and convergence",
    "method": "Formulas and parameters",
    "model": "Model of the charges",
    "citations": "What to cite",
}


def write_report(
    path: str | Path,
    spectrum: Spectrum,
    current: CurrentSeries | None = None,
    model_card: Mapping[str, Any] | None = None,
    *,
    experiment: Experiment | None = None,
    title: str = "Infrared spectrum",
) -> None:
    """Write a report of a spectrum: figures, numbers, self-checks in words, formulas, parameters, citations.

    Parameters
    ----------
    path
        HTML file to write; it loads nothing from elsewhere.
    spectrum
        Result of `compute_spectrum`.
    current
        Its current: adds the convergence with the length of the run.
    model_card
        Card of the model of the charges (``model.card``); by default what the spectrum tells.
    experiment
        Measured curves for the main figure, as in `plot_spectrum`.
    title
        Heading.
    """
    text = report_html(spectrum, current, model_card, experiment=experiment, title=title)
    write_text(path, text)


def report_html(
    spectrum: Spectrum,
    current: CurrentSeries | None = None,
    model_card: Mapping[str, Any] | None = None,
    *,
    experiment: Experiment | None = None,
    title: str = "Infrared spectrum",
) -> str:
    """Return the report that `write_report` writes.

    Parameters
    ----------
    spectrum, current, model_card, experiment, title
        As in `write_report`.

    Returns
    -------
    str
        One HTML document, complete in itself.
    """
    require_spectrum(spectrum)
    card = find_card(spectrum) if model_card is None else model_card
    shown = figures.for_display(spectrum)
    content: dict[str, dict[str, Any]] = {
        "spectrum": _spectrum(spectrum, shown, experiment),
        "decomposition": _decomposition(spectrum, shown),
        "tensor": _tensor(spectrum, shown),
        "quality": {"checks": lights.quality_table(spectrum.quality)} if spectrum.quality.checks else {},
        "convergence": _convergence(spectrum, current),
        "method": _method(spectrum),
        "model": {} if card is None else {"model_card": model_card_html(card)},
        "citations": {"citations": citations(spectrum, card)},
    }
    around = {
        "tab": _tab(spectrum, title),
        "style": STYLE_SHEET.read_text(encoding="utf-8"),
        "policy": content_policy(),
        "script": script(),
        "sections": {name: heading for name, heading in SECTIONS.items() if content[name]},
        "version": __version__,
    }
    pieces = {name: value for section in content.values() for name, value in section.items()}
    return page("report.html", around | _header(spectrum, title) | pieces)


def _tab(spectrum: Spectrum, title: str) -> str:
    """Return what tells the tabs of a browser apart: input, temperature, and the charges."""
    source, model = first_source(spectrum.metadata), str(spectrum.metadata.get("model") or "")
    words = [Path(source).name.split(".")[0] + _others(spectrum), f"{spectrum.temperature_k:.0f} K", model]
    return f"{', '.join(word for word in words if word)} – {title}" if source else title


def _others(spectrum: Spectrum) -> str:
    """Return words for the replicas beside the first one, whose name stands for all."""
    replicas = int(spectrum.parameters.get("n_replicas") or 1)
    return f" and {replicas - 1} more" if replicas > 1 else ""


def _header(spectrum: Spectrum, title: str) -> dict[str, Any]:
    first = {**spectrum.metadata, "source": first_source(spectrum.metadata)}
    source = numbers.provenance_items(first)
    ends = {"Input": _others(spectrum), "Model": ""}
    return {
        "title": title,
        "subtitle": " · ".join(f"{source[name]}{end}" for name, end in ends.items() if name in source),
        "facts": numbers.key_facts(spectrum),
        "verdict": lights.verdict(spectrum.quality) if spectrum.quality.checks else "",
        "f_sum": lights.f_sum_words(spectrum.quality),
    }


def _spectrum(spectrum: Spectrum, shown: Spectrum, experiment: Experiment | None) -> dict[str, Any]:
    return {
        "spectrum_figure": figures.spectrum_figure(shown, experiment),
        "explorer": explorer(shown),
        "peaks": numbers.peak_rows(spectrum),
        "n_peaks": len(spectrum.peaks),
    }


def _decomposition(spectrum: Spectrum, shown: Spectrum) -> dict[str, Any]:
    if len(spectrum.partial_n_alpha) < 2:
        return {}
    return {
        "decomposition_figure": figures.decomposition_figure(shown),
        "groups": numbers.group_rows(spectrum),
    }


def _tensor(spectrum: Spectrum, shown: Spectrum) -> dict[str, Any]:
    known = spectrum.eps_inf is not None
    return {
        "tensor_figure": figures.tensor_figure(shown),
        "statics": numbers.static_rows(spectrum),
        "optics_figure": figures.optics_figure(shown) if known else None,
        "bands": numbers.band_rows(spectrum),
    }


def _convergence(spectrum: Spectrum, current: CurrentSeries | None) -> dict[str, Any]:
    drawn = []
    if len(spectrum.acf_time_fs) and spectrum.acf.any():
        drawn.append(figures.acf_figure(spectrum))
    if current is not None and (parts := figures.convergence_figure(spectrum, current)) is not None:
        drawn.append(parts)
    return {"convergence": drawn} if drawn else {}


def _method(spectrum: Spectrum) -> dict[str, Any]:
    formulas = enumerate(formulas_used(spectrum), start=1)
    return {
        "formulas": [(formula_svg(f.mathtext, f"formula{n}", f.spoken), f.words) for n, f in formulas],
        "parameters": numbers.parameter_items(spectrum),
        "provenance": numbers.provenance_items(spectrum.metadata),
    }
