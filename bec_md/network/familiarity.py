"""How well a model knows a material: training structures of each element, and uncertainty that is too large.

Both are blocks of the model card. ``training_structures`` counts, for each element, the structures with it
that the model learned from; ``domain_uncertainty_e`` is the calibrated uncertainty of an element that should
raise doubts. The words here are those of every surface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FEW_STRUCTURES = 20
"""Below so many training structures of an element the stated uncertainty has missed most large errors."""


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What a model card says of the elements of one structure."""

    model: str
    few: Mapping[str, int]  # elements below FEW_STRUCTURES → training structures with them
    limit_e: float | None  # mean uncertainty over the atoms above which a structure is outside the domain

    @classmethod
    def of(cls, card: Mapping[str, Any], symbols: Iterable[str]) -> Familiarity:
        """Look the elements of a structure, one symbol per atom, up in a card."""
        atoms = list(symbols)
        counts = card.get("training_structures") or {}
        few = {s: int(counts.get(s, 0)) for s in sorted(set(atoms)) if counts.get(s, 0) < FEW_STRUCTURES}
        known = card.get("domain_uncertainty_e") or {}
        limit = float(np.mean([known[s] for s in atoms])) if atoms and set(atoms) <= set(known) else None
        return cls(str(card.get("name", "model")), few if counts else {}, limit)

    @property
    def remark(self) -> str | None:
        """Sentence about elements that the model has hardly seen, None if it has seen enough of all."""
        if not self.few:
            return None
        counts = ", ".join(f"{symbol} ({count})" for symbol, count in self.few.items())
        return (
            f"{self.model} has learned from fewer than {FEW_STRUCTURES} structures with {counts}: its "
            "tensors and its uncertainty may be far off; compare with a calculation or train on more"
        )

    def outside_remark(self, count: int, total: int) -> str:
        """Sentence about structures outside the domain."""
        return (
            f"{count} of {total} structures lie outside the domain of {self.model} (mean uncertainty above "
            f"{self.limit_e or 0.0:.2g} e): expect large errors there"
        )

    def outside(self, mean_uncertainty_e: float) -> bool:
        """Whether a structure of this mean uncertainty over its atoms lies outside the domain."""
        return self.limit_e is not None and mean_uncertainty_e > self.limit_e
