"""The answer to "what is this file?"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bec_md.errors import BecMDError


@dataclass(frozen=True)
class Description:
    """A file in words and numbers.

    Parameters
    ----------
    kind
        What it is.
    rows
        What it holds: a label and a text for each line of a terminal.
    values
        The same for programs, by name.
    missing
        What a spectrum from it would need beside it, with the argument that gives it.
    warnings
        What the reader should know before using it.
    """

    kind: str
    rows: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything for JSON."""
        told = {"missing": list(self.missing), "warnings": list(self.warnings)}
        return {"kind": self.kind, **self.values, **told}


def in_one_line(error: BecMDError) -> str:
    """What is wrong and what to do, for a list."""
    return f"{error.what}: {error.fix}"
