"""Where currents that are put together come from: what is said of each of them is said of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Sentences, of which the whole has all, each once.
_SENTENCES = ("notes", "warnings", "remarks", "found")
#: What names each of them, and what says how each was made.
_NAMES, _TEXTS = ("source", "input_hash"), ("format", "command", "charges_hash", "version")
#: What a list of the single ones leaves out: long, or of one current alone.
_OWN = frozenset({"mean_structure", "key", *_SENTENCES})


def merged_metadata(
    several: Sequence[Mapping[str, Any]], kind: str, *, between: str = ", ", warnings: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the metadata of currents that are put together.

    Names and hashes of all are listed in one text, their warnings, remarks and notes united; everything else
    is that of the first, and what differs is kept one by one.

    Parameters
    ----------
    several
        Metadata of each.
    kind
        What they are, ``"replicas"`` or ``"parts"``: name of the list of what differs.
    between
        What stands between their names.
    warnings
        What is to be said of the whole besides.
    """
    merged = dict(several[0])
    known = [warning for warning in warnings if warning not in merged.get("warnings", ())]
    if known:
        merged["warnings"] = [*merged.get("warnings", ()), *known]
    if len(several) == 1:
        return merged
    for name in _SENTENCES:
        union = list(dict.fromkeys(text for one in several for text in one.get(name) or ()))
        if union or name in merged:
            merged[name] = union + (known if name == "warnings" else [])
    for name in (*_NAMES, *_TEXTS):
        texts = [str(one[name]) for one in several if one.get(name)]
        if texts:
            merged[name] = (between if name in _NAMES else "; ").join(
                texts if name in _NAMES else dict.fromkeys(texts)
            )
    merged["complete"] = all(one.get("complete", True) for one in several)
    names = dict.fromkeys(name for one in several for name in one if name not in _OWN)
    differing = [
        name
        for name in names
        if name == "source" or any(one.get(name) != several[0].get(name) for one in several)
    ]
    merged[kind] = [{name: one.get(name) for name in differing} for one in several]
    return merged


def first_source(metadata: Mapping[str, Any]) -> str:
    """Return the name of the input, of several replicas that of the first."""
    replicas = metadata.get("replicas") or [{}]
    return str(replicas[0].get("source") or metadata.get("source") or "")
