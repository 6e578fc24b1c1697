"""How well a model knows a material: training structures of each element, uncertainty, and a second opinion.

All are blocks of the model card. ``training_structures`` counts, for each element, the structures with it
that the model learned from; ``domain_uncertainty_e`` is the calibrated uncertainty of an element that should
raise doubts; ``second_opinion`` names another model and the difference from it that should. The words here
are those of every surface.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

FEW_STRUCTURES = 20
"""Below so many training structures of an element, others having more, the stated uncertainty has missed
most large errors."""
PART_ATOMS, PART_FACTOR = 10, 1.25
"""So many atoms, where the second opinion differs by the limit times this factor, put a structure outside.
Without one the uncertainty is judged so, if its limit is the same for all elements: a mean of networks has
the second opinion in it; that of one network is larger for some elements than for others."""
#: Elements whose crystals and alloys conduct, with hardly an exception (CsAu; Sn, Pb and Bi have many).
_METALS = frozenset(
    re.findall(
        "[A-Z][a-z]?",
        "LiNaKRbCsFrBeMgCaSrBaRaScYLaCePrNdPmSmEuGdTbDyHoErTmYbLuAcThPaUNpPuTiZrHfVNbTaCrMoWMnTcReFeRuOsCoRhIr"
        "NiPdPtCuAgAuZnCdHgAlGaInTl",
    )
)


def hardly_seen(counts: Mapping[str, int], symbols: Iterable[str]) -> dict[str, int]:
    """Training structures of those of `symbols` that have few of them, in this order.

    An element that no other surpasses is never among them: a model of one material has seen all of its
    elements in each of its structures.
    """
    limit = min(FEW_STRUCTURES, max(counts.values(), default=0))
    return {symbol: int(counts.get(symbol, 0)) for symbol in symbols if counts.get(symbol, 0) < limit}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Uncertainty of a structure or a difference in its tensors, e."""

    whole_e: float  # mean over its atoms
    part_e: float  # mean over the few atoms where it is largest; of a small structure the same

    @classmethod
    def of(cls, values_e: ArrayLike, power: int = 1) -> Doubt:
        """Take the means of one value per atom: for `power` 2 the root of the mean square."""
        powers = np.sort(np.abs(np.ravel(values_e)).astype(float) ** power)
        whole, part = (float(x.mean() ** (1 / power)) for x in (powers, powers[-PART_ATOMS:]))
        return cls(whole, part)

    def over(self, limit_e: float, parts: bool = True) -> float:
        """Ratio to a limit, that of a part if it is larger; outside above 1."""
        return max(self.whole_e, self.part_e / PART_FACTOR if parts else 0.0) / limit_e

    def where(self, limit_e: float) -> str:
        """Words for the part that exceeds the limit, where the whole does not."""
        return "" if self.whole_e > limit_e else f" at the {PART_ATOMS} atoms where it is largest"


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What a model card says of the elements of one structure."""

    model: str
    few: Mapping[str, int]  # elements that it has hardly seen → training structures with them
    limit_e: float | None  # mean uncertainty above which a structure is outside the domain
    second: str | None = None  # model whose tensors should be alike
    difference_limit_e: float | None = None  # r.m.s. difference from them that puts a structure outside
    metals: str = ""  # the elements, where all are metals
    parts: bool = False  # whether the uncertainty of a part is judged

    @classmethod
    def of(cls, card: Mapping[str, Any], symbols: Iterable[str]) -> Familiarity:
        """Look the elements of a structure, one symbol per atom, up in a card."""
        atoms = list(symbols)
        counts = card.get("training_structures") or {}
        few = hardly_seen(counts, sorted(set(atoms)))
        known = card.get("domain_uncertainty_e") or {}
        limit = float(np.mean([known[s] for s in atoms])) if atoms and set(atoms) <= set(known) else None
        second = card.get("second_opinion") or {}
        return cls(
            str(card.get("name", "model")),
            few,
            limit,
            second.get("model"),
            second.get("difference_e"),
            ", ".join(sorted(set(atoms))) if atoms and set(atoms) <= _METALS else "",
            not second and len(set(known.values())) == 1,
        )

    @property
    def remark(self) -> str | None:
        """Sentences about a structure of metals and about rare elements, None if there is nothing to say."""
        conducting = (
            f"a structure of metals alone ({self.metals}) conducts, with few exceptions: then it has neither "
            f"Born effective charges nor ε∞, and what {self.model} says of it means nothing"
            if self.metals
            else None
        )
        return "; ".join(filter(None, (conducting, self.rare))) or None

    @property
    def rare(self) -> str | None:
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
        differing = (
            ""
            if self.difference_limit_e is None
            else f", or {self.difference_limit_e:.2g} e (r.m.s.) from the tensors of {self.second}"
        )
        limit = self.difference_limit_e or (self.limit_e if self.parts else None)
        if limit:
            differing += f", or {PART_FACTOR * limit:.2g} e at the {PART_ATOMS} atoms where it is largest"
        return (
            f"{count} of {total} structures lie outside the domain of {self.model} (mean uncertainty above "
            f"{self.limit_e or 0.0:.2g} e{differing}): expect large errors there"
        )

    def outside(self, uncertainty: Doubt, difference: Doubt | None = None) -> bool:
        """Whether a structure, or a part of it, lies outside the domain."""
        return self.excess(uncertainty, difference) > 1.0

    def excess(self, uncertainty: Doubt, difference: Doubt | None = None) -> float:
        """How far uncertainty and second opinion exceed their limits: the larger ratio, 0 without limits."""
        first = uncertainty.over(self.limit_e, self.parts) if self.limit_e else 0.0
        limit = self.difference_limit_e
        return max(first, difference.over(limit) if limit and difference else 0.0)

    def unsure(self, uncertainty: Doubt) -> str | None:
        """Sentence about one structure with a part that the model is unsure of, None if there is none."""
        limit = self.limit_e
        if not (limit and self.parts) or uncertainty.whole_e > limit or uncertainty.over(limit) <= 1.0:
            return None
        return (
            f"{self.model} is unsure of a part of this structure: {uncertainty.part_e:.2g} e on average"
            f"{uncertainty.where(limit)}, {uncertainty.whole_e:.2g} e over all: expect large errors there"
        )

    def contradiction(self, difference: Doubt | None) -> str | None:
        """Sentence about one structure that the second model contradicts, None if it does not."""
        limit = self.difference_limit_e
        if not limit or difference is None or difference.over(limit) <= 1.0:
            return None
        where = difference.where(limit)
        found = difference.part_e if where else difference.whole_e
        return (
            f"the tensors of {self.model} are {found:.2g} e (r.m.s.) from those of {self.second}{where}, "
            f"more than for most compositions that neither has seen ({limit:.2g} e): expect large errors"
        )
