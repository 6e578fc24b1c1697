"""The formats of other programs that a spectrum is written in, one row each; the suffix chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bec_md.atomic import write_text
from bec_md.errors import UsageError
from bec_md.export.jcamp import jcamp_text
from bec_md.export.pdielec import pdielec_text
from bec_md.export.refractive_index import refractive_index_text
from bec_md.export.seen import Seen
from bec_md.kinds import require_spectrum
from bec_md.spectrum.quantities import find_quantity
from bec_md.spectrum.spectrum import Along, Spectrum


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format.

    Parameters
    ----------
    words
        What it is.
    suffixes
        Of file names, lower case.
    text
        From what is exported to the text of the file.
    one_quantity
        Whether a file holds one function of frequency, which is chosen; else the format says which.
    """

    words: str
    suffixes: tuple[str, ...]
    text: Callable[[Seen], str]
    one_quantity: bool = False


#: Every format by its name.
EXPORTS = {
    "jcamp-dx": ExportFormat("JCAMP-DX", (".jdx", ".dx", ".jcamp"), jcamp_text, one_quantity=True),
    "refractiveindex.info": ExportFormat(
        "n and κ as at refractiveindex.info", (".yml", ".yaml"), refractive_index_text
    ),
    "pdielec": ExportFormat("ε for PDielec", (".exp",), pdielec_text),
}


def export_spectrum(
    spectrum: Spectrum,
    path: str | Path,
    quantity: str | None = None,
    along: Along = None,
) -> None:
    """Write a spectrum for another program.

    Parameters
    ----------
    spectrum
        The spectrum.
    path
        File to write; its suffix chooses the format.
    quantity
        Function of frequency for a format that holds one (JCAMP-DX): by default α, without ε_∞ nα.
    along
        Direction, e.g. "z" or (1, 1, 0). By default the average, for PDielec the diagonal of the tensor.

    Raises
    ------
    UsageError
        For an unknown suffix or quantity, one that the format has no place for, or without the ε_∞ that it
        needs.
    """
    require_spectrum(spectrum)
    target = Path(path)
    chosen = next((f for f in EXPORTS.values() if target.suffix.lower() in f.suffixes), None)
    if chosen is None:
        raise UsageError(
            f"{target.name}: no format has the suffix {target.suffix!r}",
            "the format follows from the suffix",
            "use " + ", ".join(f"{'/'.join(f.suffixes)} ({f.words})" for f in EXPORTS.values()),
        )
    if quantity is not None and not chosen.one_quantity:
        raise UsageError(
            f"`quantity={quantity}` in {target.name}",
            f"the format is {chosen.words}",
            "leave it out, or write JCAMP-DX (.jdx)",
        )
    item = None if quantity is None else find_quantity(quantity)
    write_text(target, chosen.text(Seen(spectrum, along, item)))
