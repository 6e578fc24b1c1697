"""One structure: atoms in a cell with what is known of them, under one list of names, from and to files."""

from __future__ import annotations

from bec_md.structure.frame import Frame, cell_volume, reduced_formula

__all__ = ["Frame", "cell_volume", "reduced_formula"]


def __dir__() -> list[str]:
    return sorted(__all__)
