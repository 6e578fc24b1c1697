"""What frames show while a current is computed: kept with its rows, and said whenever they are used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bec_md.errors import BecMDWarning

if TYPE_CHECKING:
    from bec_md.current.rows import Recipe
    from bec_md.trajectory.findings import Findings

#: Entry of the metadata: those of the warnings that came from reading the frames.
FOUND = "found"
#: Of a last frame, which is whole when the file has grown.
_CUT_OFF = "cut off"


def findings_of(recipe: Recipe) -> Findings | None:
    """Return what the trajectory of a recipe has shown so far, where it keeps that."""
    found: Findings | None = getattr(recipe.trajectory, "findings", None)
    return found


def sentences_of(recipe: Recipe) -> tuple[str, ...]:
    """Return what the trajectory of a recipe has shown so far, in words."""
    found = findings_of(recipe)
    return () if found is None else found.sentences()


@contextmanager
def said_later(recipe: Recipe) -> Iterator[None]:
    """Let passes over the trajectory say nothing themselves: who keeps the result says it."""
    found = findings_of(recipe)
    if found is None:
        yield
        return
    before, found.silent = found.silent, True
    try:
        yield
    finally:
        found.silent = before


def with_found(metadata: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return metadata with these sentences among the warnings, in place of those that were found before."""
    known = metadata.get(FOUND) or ()
    own = [text for text in metadata.get("warnings") or () if text not in known]
    new = [text for text in dict.fromkeys(texts) if text not in own]
    return {**metadata, "warnings": [*own, *new], FOUND: new}


def kept(stored: Mapping[str, Any], *, same_files: bool) -> tuple[str, ...]:
    """Return what was found of rows that are stored, and still holds where the files have changed."""
    texts = stored.get("metadata", {}).get(FOUND) or ()
    return tuple(text for text in texts if same_files or _CUT_OFF not in text)


def say(metadata: Mapping[str, Any]) -> None:
    """Warn of what was found while frames were read, now or in an earlier run."""
    for text in metadata.get(FOUND) or ():
        warnings.warn(text, BecMDWarning, stacklevel=3)
