"""What a file is, what it holds, and what a spectrum from it would still need."""

from __future__ import annotations

from bec_md.description.describe import describe, relation_of
from bec_md.description.description import Description

__all__ = ["Description", "describe", "relation_of"]


def __dir__() -> list[str]:
    return sorted(__all__)
