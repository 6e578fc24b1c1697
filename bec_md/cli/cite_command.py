"""``bec-md cite``: the works that a result rests on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bec_md.cli.console import Console
from bec_md.files import expanded, require_file

CITE_HELP = "Say what to cite for a result (a spectrum file), a model, or the program itself."


def cite(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|MODEL]", help="Spectrum written with -o, or a network.", show_default=False
        ),
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="As BibTeX.")] = False,
) -> None:
    """List citations."""
    from bec_md.report.citations import citations

    source, card = find_source(file)
    console = Console()
    for number, work in enumerate(citations(source, card), start=1):
        if bibtex:
            console.say(work.bibtex() + "\n")
            continue
        console.item(f"[{number}]", work.text() + (f" {work.link}" if work.link else ""))
        if work.reason:
            console.item("", f"for {work.reason}")


def find_source(file: str | None) -> tuple[Any, Any]:
    """Return the spectrum (or None) and the model card (or None) that a name stands for."""
    if file is None:
        return None, None
    path = expanded(file)
    from bec_md.hdf5 import is_hdf5
    from bec_md.spectrum import load_spectrum

    if is_hdf5(path):
        from bec_md.report.model_card import find_card

        spectrum = load_spectrum(path)
        return spectrum, find_card(spectrum)
    from bec_md.network.model_file import read_header
    from bec_md.network.registry import means_bundled, model_path

    if not means_bundled(file):
        require_file(path, "it is a spectrum, a model, or the name of a bundled one")
    return None, read_header(model_path(file))["card"]
