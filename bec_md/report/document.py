"""The report of a spectrum as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.atomic import write_text
from bec_md.report import figures, lights, numbers
from bec_md.report.citations import citations
from bec_md.report.drawing import formula_svg
from bec_md.report.explorer import explorer
from bec_md.report.formulas import formulas_used
from bec_md.report.model_card import find_card, model_card_html
from bec_md.report.page import Section, definitions, page, paragraph, table, typeset

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.plot.overlay import Experiment
    from bec_md.spectrum.spectrum import Spectrum


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
    card = find_card(spectrum) if model_card is None else model_card
    shown = figures.for_display(spectrum)
    sections = [_spectrum(spectrum, shown, experiment)]
    if len(spectrum.partial_n_alpha) > 1:
        sections.append(_decomposition(spectrum, shown))
    sections += [
        _tensor(spectrum, shown),
        _quality(spectrum),
        _convergence(spectrum, current),
        _method(spectrum),
    ]
    if card is not None:
        sections.append(Section("model", "Model of the charges", model_card_html(card)))
    sections.append(_citations(spectrum, card))
    return page(_tab(spectrum, title), _header(spectrum, title), [s for s in sections if s.body], _footer())


def _tab(spectrum: Spectrum, title: str) -> str:
    """Return what tells the tabs of a browser apart: input, temperature, and the charges."""
    source, model = (str(spectrum.metadata.get(name) or "") for name in ("source", "model"))
    words = [Path(source).name.split(".")[0] + _others(spectrum), f"{spectrum.temperature_k:.0f} K", model]
    return f"{', '.join(word for word in words if word)} – {title}" if source else title


def _others(spectrum: Spectrum) -> str:
    """Return words for the replicas beside the first one, whose name stands for all."""
    replicas = int(spectrum.parameters.get("n_replicas") or 1)
    return f" and {replicas - 1} more" if replicas > 1 else ""


def _header(spectrum: Spectrum, title: str) -> str:
    source = numbers.provenance_items(spectrum.metadata)
    ends = {"Input": _others(spectrum), "Model": ""}
    subtitle = [f"{source[name]}{end}" for name, end in ends.items() if name in source]
    return "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            paragraph(" · ".join(subtitle), "subtitle") if subtitle else "",
            f'<div class="facts">{definitions(numbers.key_facts(spectrum))}</div>',
            lights.verdict(spectrum.quality) if spectrum.quality.checks else "",
            lights.f_sum_words(spectrum.quality),
        ]
    )


def _spectrum(spectrum: Spectrum, shown: Spectrum, experiment: Experiment | None) -> Section:
    body = [figures.spectrum_figure(shown, experiment), explorer(shown)]
    rows = numbers.peak_rows(spectrum)
    if rows:
        head = ("position (cm⁻¹)", "height nα (cm⁻¹)", "width (cm⁻¹)", "natural width (cm⁻¹)")
        body.append("<details open><summary>Peaks of <i>nα</i></summary>")
        body.append(table(head, rows, numeric=(0, 1, 2, 3)))
        if len(spectrum.peaks) > len(rows):
            body.append(paragraph(f"The {len(rows)} strongest of {len(spectrum.peaks)} peaks."))
        body.append(
            paragraph(
                "Errors are statistical, one standard deviation. Widths are at half prominence and contain "
                "the resolution; the natural width is what the spectral window leaves of it."
            )
        )
        body.append("</details>")
    return Section("spectrum", "Spectrum", "\n".join(body))


def _decomposition(spectrum: Spectrum, shown: Spectrum) -> Section:
    head = ("group", "∫nα dν̃ (cm⁻²)", "share", "of which negative")
    body = [
        figures.decomposition_figure(shown),
        table(head, numbers.group_rows(spectrum), numeric=(1, 2, 3)),
        paragraph(
            "The part of a group is the cross-spectrum of its current with the total current. The parts sum "
            "to the total exactly. A negative part is no error: there the group moves against the total."
        ),
    ]
    return Section("decomposition", "Decomposition", "\n".join(body))


def _tensor(spectrum: Spectrum, shown: Spectrum) -> Section:
    body = [figures.tensor_figure(shown)]
    rows = numbers.static_rows(spectrum)
    if rows:
        body.append(table(("", "average", "xx", "yy", "zz"), rows, numeric=(1, 2, 3, 4)))
    if spectrum.eps_inf is not None:
        body.append(figures.optics_figure(shown))
        body.append(table(("direction", "TO (cm⁻¹)", "LO (cm⁻¹)"), numbers.band_rows(spectrum)))
        body.append(
            paragraph(
                "TO: significant maxima of ε₂. LO: significant maxima of −Im(1/ε); a weak band between TO "
                "and LO of a strong one has none of its own."
            )
        )
    else:
        body.append(
            paragraph(
                "ε_∞ was not given: ε₁, refractive index, reflectivity and loss function are not defined."
            )
        )
    return Section("tensor", "Tensor and optics", "\n".join(body))


def _quality(spectrum: Spectrum) -> Section:
    if not spectrum.quality.checks:
        return Section("quality", "Self-checks", "")
    return Section("quality", "Self-checks", lights.quality_table(spectrum.quality))


def _convergence(spectrum: Spectrum, current: CurrentSeries | None) -> Section:
    body = []
    if len(spectrum.acf_time_fs) and spectrum.acf.any():
        body.append(figures.acf_figure(spectrum))
    if current is not None:
        body.append(figures.convergence_figure(spectrum, current))
    return Section("convergence", "Correlation and convergence", "\n".join(part for part in body if part))


def _method(spectrum: Spectrum) -> Section:
    lines = []
    for number, formula in enumerate(formulas_used(spectrum), start=1):
        drawing = formula_svg(formula.mathtext, f"formula{number}", formula.spoken)
        lines.append(f"<li>{drawing}<p>{typeset(formula.words)}</p></li>")
    body = ['<ol class="formulas">', *lines, "</ol>"]
    body.append(definitions(numbers.parameter_items(spectrum)))
    source = numbers.provenance_items(spectrum.metadata)
    if source:
        body.append(definitions(source))
    return Section("method", "Formulas and parameters", "\n".join(body))


def _citations(spectrum: Spectrum, card: Mapping[str, Any] | None) -> Section:
    found = citations(spectrum, card)
    items = []
    for entry in found:
        link = (
            f' <a href="{escape(entry.link, quote=True)}">{escape(entry.doi or entry.url)}</a>'
            if entry.link
            else ""
        )
        items.append(f"<li>{escape(entry.text())}{link} <em>{escape(entry.reason)}</em></li>")
    bibtex = escape("\n\n".join(entry.bibtex() for entry in found))
    body = [
        '<ol class="citations">',
        *items,
        "</ol>",
        f"<details><summary>BibTeX</summary><pre>{bibtex}</pre></details>",
    ]
    return Section("citations", "What to cite", "\n".join(body))


def _footer() -> str:
    from bec_md import __version__

    return f"Written by bec-md {escape(__version__)}. This file is complete: it loads nothing from elsewhere."
