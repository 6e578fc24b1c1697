"""The report is one file that tells everything and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup

from bec_md.network.registry import bundled_models
from bec_md.report import report_html, write_report
from bec_md.report.explorer import explorer
from bec_md.report.figures import Drawn, for_display, spectrum_figure
from bec_md.report.formulas import formulas_used
from bec_md.report.lights import f_sum_words, overall, quality_table, verdict
from bec_md.report.model_card import find_card, model_card_html
from bec_md.report.numbers import (
    band_rows,
    group_rows,
    peak_rows,
    provenance_items,
    with_error,
    without_folders,
)
from bec_md.report.page import typeset, value_text
from bec_md.spectrum import QualityReport, Spectrum
from bec_md.spectrum.errors.quality import QualityCheck
from tests.plot.oscillators import oscillator_series, oscillator_spectrum

CARD = {
    "name": "universal",
    "description": "all <elements>",
    "stated_error_e": 0.08,
    "validation": {"unseen": {"rmse_e": 0.08, "mae_e": 0.04, "r2": 0.99, "n_tensors": 120}},
}
VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects identifiers, tags and addresses, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.stack.append(tag)
        self._collect(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._collect(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def _collect(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.links.append((tag, name, value or ""))


@cache
def report() -> str:
    spectrum = oscillator_spectrum(4096)
    return report_html(spectrum, oscillator_series(4096), CARD)


@cache
def parsed() -> Page:
    page = Page()
    page.feed(report())
    return page


def test_tags_close_and_identifiers_are_unique() -> None:
    assert not parsed().stack
    assert len(parsed().ids) == len(set(parsed().ids))


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert not parsed().tags & {"link", "iframe", "img", "object", "embed", "image"}
    assert not any(name in ("src", "xlink:href") for _, name, _ in parsed().links)
    assert "@import" not in report()
    assert "@font-face" not in report()
    for tag, _, address in parsed().links:
        # only links for the reader leave the page; drawings refer to themselves
        inside = address.startswith(("#", "data:text/csv;base64,"))
        assert inside or (tag == "a" and address.startswith("https://doi.org/"))
    targets = {address[1:] for _, _, address in parsed().links if address.startswith("#")}
    assert targets <= set(parsed().ids)
    assert set(re.findall(r"url\(#([^)]+)\)", report())) <= set(parsed().ids)


def test_the_page_allows_its_own_script_and_no_other() -> None:
    """The hash in the policy is that of the one script that runs; the other holds numbers."""
    kinds = re.findall(r"<script([^>]*)>(.*?)</script>", report(), re.DOTALL)
    run = [text for attributes, text in kinds if "application/json" not in attributes]
    assert len(run) == 1
    digest = base64.b64encode(hashlib.sha256(run[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in unescape(report())
    assert not re.search(r"\son[a-z]+=", re.sub(r"<script.*?</script>", "", report(), flags=re.DOTALL))
    assert "eval" not in run[0]
    assert "innerHTML" not in run[0]


def test_numbers_can_be_taken_away() -> None:
    """The curves of the chart and the table in the link are those of the figures."""
    shown = for_display(oscillator_spectrum(4096))
    found = re.search(r'id="explorer-data">(.*?)</script>', report(), re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    names = [curve["name"] for curve in data["curves"]]
    assert names[:4] == ["nα", "ε₁", "ε₂", "n"]
    assert {"nα along z", *(f"nα of {group}" for group in shown.partial_n_alpha)} <= set(names)
    np.testing.assert_allclose(data["x"], shown.wavenumber_cm, rtol=1e-4)  # five digits
    np.testing.assert_allclose(data["curves"][0]["y"], shown.n_alpha, rtol=1e-4)
    np.testing.assert_allclose(data["curves"][0]["e"], shown.n_alpha_err, rtol=5e-3)
    address = next(link for _, _, link in parsed().links if link.startswith("data:text/csv"))
    lines = base64.b64decode(address.partition(",")[2]).decode().splitlines()
    rows = [line for line in lines if not line.startswith("#")]
    assert rows[0].startswith("wavenumber_cm,n_alpha_cm")
    assert len(rows) == len(shown.wavenumber_cm) + 1


def test_a_name_cannot_end_the_numbers() -> None:
    plain = oscillator_spectrum(4096)
    parts = {"</script><b>": plain.n_alpha}
    html = explorer(for_display(replace(plain, partial_n_alpha=parts, partial_n_alpha_err=parts)))
    assert "<b>" not in html


def test_no_text_of_a_file_becomes_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    plain = oscillator_spectrum(4096)
    checks = QualityReport((replace(check("fail"), advice=evil, meaning=evil, threshold=evil),))
    spectrum = replace(
        plain,
        metadata={"source": evil, "model": evil, "command": evil, "charges": evil},
        quality=checks,
        partial_n_alpha={evil: plain.n_alpha, "O": plain.n_alpha},
        partial_n_alpha_err={},
    )
    card = CARD | {"name": evil, "errors": {evil: {"rmse_e": 0.1}}, "training": {"torch": evil}}
    page = Page()
    page.feed(html := report_html(spectrum, None, card, title=evil))
    assert "img" not in page.tags
    assert html.count("&lt;img src=x onerror") > 8


def test_tabs_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Drawn(Markup(), Markup(), Markup())
    monkeypatch.setattr("bec_md.report.figures._wide_and_narrow", lambda *_: nothing)
    spectrum = replace(oscillator_spectrum(4096), metadata={"source": "run7.xyz", "model": "silica"})
    assert "<title>run7, 300 K, silica – Infrared spectrum</title>" in report_html(spectrum)
    several = replace(spectrum, parameters=spectrum.parameters | {"n_replicas": 20})
    assert "<title>run7 and 19 more, 300 K, silica – Infrared spectrum</title>" in report_html(several)


def test_the_f_sum_is_explained_beside_its_light() -> None:
    words = f_sum_words(oscillator_spectrum(4096).quality)
    assert words.startswith('<p class="f-sum"><svg class="light"')
    assert "short run" in words
    assert f_sum_words(QualityReport((check("ok", "nyquist"),))) == ""


def test_every_figure_is_drawn_for_narrow_windows_too() -> None:
    assert report().count('class="wide-window"') == report().count('class="narrow-window"') >= 5


def test_all_sections_are_there() -> None:
    sections = "spectrum decomposition tensor quality convergence method model citations"
    assert set(sections.split()) <= set(parsed().ids)


def test_numbers_of_the_spectrum_are_there() -> None:
    spectrum = oscillator_spectrum(4096)
    assert "300 K" in report()
    p = spectrum.parameters
    for value, error in zip(p["f_sum_ratio"], p["f_sum_error"], strict=True):
        assert with_error(value, error).replace(" ", "\N{NO-BREAK SPACE}") in report()
    for check in spectrum.quality:
        assert report().count('<article class="check') == len(spectrum.quality.checks)
        if check.status != "ok":
            assert typeset(check.advice[1:]) in report()


def test_report_without_eps_model_and_current(tmp_path: Path) -> None:
    spectrum = replace(oscillator_spectrum(4096, eps_inf=None), metadata={})
    write_report(tmp_path / "a.html", spectrum, title="Quartz & co")
    content = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<title>Quartz &amp; co</title>" in content
    assert "was not given" in content  # says why the optical functions are missing
    for absent in ('id="model"', 'id="optics', 'id="convergence-figure'):
        assert absent not in content


def check(status: str, name: str = "f_sum") -> QualityCheck:
    return QualityCheck(name, 1.0, "within 2 %", status, "ratio of things", "do this")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statuses", "worst", "words"),
    [
        (("ok", "ok"), "ok", "All self-checks passed"),
        (("ok", "unknown"), "ok", "All self-checks passed"),
        (("ok", "warn"), "warn", "with doubts"),
        (("fail", "warn", "ok"), "fail", "Do not use"),
    ],
)
def test_verdict_is_the_worst(statuses: tuple[str, ...], worst: str, words: str) -> None:
    found = QualityReport(tuple(check(status) for status in statuses))
    assert overall(found) == worst
    assert words in verdict(found)


def test_checks_that_are_not_ok_say_what_to_do_and_come_first() -> None:
    html = quality_table(QualityReport((check("ok", "nyquist"), check("fail", "temperature"))))
    assert html.count("What to do") == 1
    assert html.index("temperature") < html.index("sampling")


def test_formulas_follow_the_parameters() -> None:
    spectrum = oscillator_spectrum(4096)
    words = " ".join(f.words for f in formulas_used(spectrum))
    assert "Schofield" not in words
    assert "without its DC part" not in words
    changed = {
        **spectrum.parameters,
        "sum_rule": "mass",
        "quantum": "schofield",
        "subtract_dc": True,
        "velocity_scheme": "midpoint",
        "transfer_function_divided_out": True,
    }
    words = " ".join(f.words for f in formulas_used(replace(spectrum, parameters=changed)))
    for part in ("by mass", "Schofield", "without its DC part", "differences of positions"):
        assert part in words


def test_shares_of_groups_sum_to_one() -> None:
    rows = group_rows(oscillator_spectrum(4096))
    shares = [float(row[2].rstrip(" %").replace("−", "-")) for row in rows]
    assert sum(shares[:-1]) == pytest.approx(shares[-1], abs=0.2)  # rounded to 0.1 each
    assert shares[-1] == 100.0


def test_bands_and_hashes_are_there() -> None:
    spectrum = oscillator_spectrum(4096)
    rows = band_rows(spectrum)
    assert [row[0] for row in rows] == ["average", "x", "y", "z"]
    assert rows[0][1].split("\N{NO-BREAK SPACE}")[0] in report()  # the first TO
    assert band_rows(oscillator_spectrum(4096, eps_inf=None)) == []
    found = provenance_items({"input_hash": "abc", "model_hash": "def", "source": "a.xyz"})
    assert found == {"Input": "a.xyz", "Hash of the model": "def", "Hash of the input": "abc"}


def test_every_check_has_a_title() -> None:
    from bec_md.plot.quality import TITLES

    assert {c.name for c in oscillator_spectrum(4096).quality} <= set(TITLES)


def test_card_is_that_of_the_model_that_was_used() -> None:
    spectrum = oscillator_spectrum(4096)
    models = bundled_models()
    weights = [
        models[name].path.read_bytes() for name in ("universal-mean", "universal", "universal-polarization")
    ]
    for name, used, known in (
        ("silica", hashlib.sha256(models["silica"].path.read_bytes()).hexdigest()[:16], True),
        ("silica", "0123456789abcdef", False),
        ("universal-mean", hashlib.sha256(b"".join(weights)).hexdigest()[:16], True),
    ):
        named = replace(spectrum, metadata={"model": name, "model_hash": f"{used}:pbe"})
        assert (find_card(named) is not None) == known


def test_card_is_escaped_and_has_its_errors() -> None:
    html = model_card_html(CARD)
    assert "all &lt;elements&gt;" in html
    assert "unseen" in html
    assert "0.99" in html


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (455.93, 1.34, "455.9 ± 1.3"),
        (0.12345, 0.00678, "0.1235 ± 0.0068"),
        (265612.0, 28711.0, "266000 ± 29000"),
        (-1.0, 0.0, "−1"),
        (2.5, float("nan"), "2.5"),
    ],
)
def test_errors_have_two_figures(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text


def test_peaks_tell_sampling_and_model_error() -> None:
    spectrum = oscillator_spectrum(4096)
    row = peak_rows(spectrum)[-1]
    assert row[1].count("±") == 1
    known = replace(spectrum, model_err=np.full(len(spectrum.wavenumber_cm), 1234.0))
    assert peak_rows(known)[-1] == (row[0], row[1] + " ± 1200 (model)", *row[2:])


def test_symbols_and_powers_are_typeset() -> None:
    assert typeset("√(3k_BT/M), ε_∞ < 1") == "√(3k<sub>B</sub>T/M), ε<sub>∞</sub> &lt; 1"
    assert value_text(3.07e-7) == "3.07·10⁻⁷"
    passed = QualityCheck("positivity", 0.0, "above −1e-9", "ok", "eigenvalue", "")
    assert "above −10<sup>−9</sup>" in quality_table(QualityReport((passed,)))


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("/home/someone/run/traj.xyz", "traj.xyz"),
        ("bec-md spectrum ~/run/traj.xyz -o out/s.h5", "bec-md spectrum traj.xyz -o out/s.h5"),
        (r"'C:\Users\someone\traj.xyz'", "traj.xyz"),
        (["/a/one.xyz", "two.xyz"], ["one.xyz", "two.xyz"]),
    ],
)
def test_folders_of_the_author_are_left_out(command: object, text: object) -> None:
    assert without_folders(command) == text


def test_display_keeps_what_can_be_seen() -> None:
    plain = oscillator_spectrum(4096)
    members = plain.sigma_iso * np.array([[0.9], [1.1]])  # (2, F): an ensemble of two models
    spectrum = replace(plain, model_err=0.1 * plain.n_alpha, member_sigma=members)
    shown: Spectrum = for_display(spectrum)
    assert len(shown.wavenumber_cm) < len(spectrum.wavenumber_cm)
    assert shown.wavenumber_cm[-1] > 1210.0
    coarsest = max(spectrum.wavenumber_cm[0], spectrum.parameters["resolution_cm"] / 8.0)
    assert np.diff(shown.wavenumber_cm).max() <= coarsest + 1e-9
    assert shown.n_alpha.max() == pytest.approx(spectrum.n_alpha.max(), rel=0.02)  # ≥ 8 points per line width
    assert len(spectrum_figure(shown, None).wide) > 1000  # draws: all arrays have the same grid
    assert set(shown.partial_n_alpha) == set(spectrum.partial_n_alpha)
    assert shown.eps_inf is spectrum.eps_inf
    assert shown.acf is spectrum.acf


def test_convergence_ends_with_the_spectrum_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    from bec_md.report import figures
    from bec_md.spectrum import compute_spectrum

    drawn: list[Spectrum] = []
    monkeypatch.setattr(figures, "plot_convergence", lambda spectra, *_, **__: drawn.extend(spectra))
    series = oscillator_series(2048)
    shown = compute_spectrum(
        series,
        temperature_k=300.0,
        resolution_cm=30.0,
        max_cm=1500.0,
        quantum="standard",
        md_timestep_fs=2.0,
        window="parzen",
    )
    figures.convergence_figure(shown, series)
    np.testing.assert_allclose(drawn[3].n_alpha, shown.n_alpha, rtol=1e-9)
