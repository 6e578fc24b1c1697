"""What is cited depends on what was used."""

from __future__ import annotations

from dataclasses import replace

from bec_md.network.registry import bundled_models
from bec_md.report.citation import Citation
from bec_md.report.citations import citations
from bec_md.report.data_sources import of_training_files
from tests.plot.oscillators import oscillator_spectrum


def keys(*arguments: object, **more: object) -> list[str]:
    return [entry.key for entry in citations(*arguments, **more)]  # type: ignore[arg-type]


def test_method_is_always_cited() -> None:
    assert keys()[:4] == ["becmd", "Gonze1997", "Pasquarello1997", "Kubo1957"]


def test_estimator_and_corrections_are_cited() -> None:
    spectrum = oscillator_spectrum(4096)
    assert "Blackman1958" in keys(spectrum)
    assert "Schofield1960" not in keys(spectrum)
    changed = {**spectrum.parameters, "estimator": "welch", "quantum": "schofield", "subtract_dc": True}
    found = keys(replace(spectrum, parameters=changed))
    assert {"Welch1967", "Schofield1960", "Ramirez2004", "Ercole2017"} <= set(found)
    assert "Blackman1958" not in found
    assert len(found) == len(set(found))


def test_data_of_the_model_are_cited() -> None:
    class Model:
        card = {"citations": ["A. Author, data (2020).", {"title": "Phonons", "year": 2018, "doi": "10.1/x"}]}  # noqa: RUF012

    found = citations(Model())
    assert [entry.text() for entry in found[-2:]] == ["A. Author, data (2020).", "Phonons (2018)."]
    assert "Geiger2022" in [entry.key for entry in found]


def test_public_data_of_bundled_models_are_cited() -> None:
    cards = {name: model.card for name, model in bundled_models().items()}
    universal = keys(None, cards["universal"])
    assert {"Togo2018", "Petretto2018", "Jain2013", "Falletta2025", "MonteroDeHijes2024"} <= set(universal)
    li3po4 = keys(None, cards["li3po4"])  # started from the universal model
    assert li3po4.count("Falletta2025") == 1
    assert "Petretto2018" in li3po4
    assert "Lu2026" in keys(None, cards["zirconia"])
    assert "Zhong2025" in keys(None, cards["water"])
    for name, card in cards.items():  # batio3 started from one that was called like it
        assert {work.key for work in of_training_files(card)} <= set(keys(None, card)), name
        again = {"training": {"config": {"finetune": {"model": name}}}}
        assert of_training_files(again) == of_training_files(card)
    assert "Falletta2025" in keys(None, cards["batio3"])


def test_text_and_bibtex() -> None:
    entry = Citation(
        "Key", ("Ercole, Loris", "Baroni, S."), "Title", "Sci. Rep.", 2017, "7", "15835", "10.1038/x"
    )
    assert entry.text() == "L. Ercole and S. Baroni, Title, Sci. Rep. 7, 15835 (2017)."
    assert entry.link == "https://doi.org/10.1038/x"
    bibtex = entry.bibtex()
    assert bibtex.startswith("@article{Key,")
    assert "author       = {Ercole, Loris and Baroni, S.}" in bibtex
    assert bibtex.count("{") == bibtex.count("}")


def test_every_citation_is_complete() -> None:
    spectrum = oscillator_spectrum(4096)
    for estimator in ("lag", "welch", "multitaper"):
        changed = {**spectrum.parameters, "estimator": estimator, "quantum": "schofield", "subtract_dc": True}
        card = bundled_models()["universal"].card
        for entry in citations(replace(spectrum, parameters=changed), card)[1:]:
            assert entry.doi.startswith("10.") or entry.url.startswith("https://")
            assert entry.authors
            assert entry.year is not None
            assert entry.reason
