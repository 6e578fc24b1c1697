"""Whether and how a spectrum is averaged over a point group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from bec_md.errors import UsageError
from bec_md.options import Options, refuse_not_positive


@dataclass(frozen=True)
class SymmetryOptions(Options):
    """Whether a spectrum is averaged over a point group.

    Parameters
    ----------
    symmetry
        "none"; "auto" for the point group of the mean structure of the run; the Hermann–Mauguin symbol of a
        point group in its standard setting (m-3m, 32, 4mm); or a file with the structure. A number with a
        decimal point is "auto" with this tolerance.
    symmetry_tolerance_ang
        How far an atom of the structure may be from the image of another, Å. None takes twice the difference
        between the mean structures of both halves of a run, within 0.01 … 0.1 Å.
    """

    of: ClassVar[str] = "a symmetry"

    symmetry: str = "none"
    symmetry_tolerance_ang: float | None = None

    def __post_init__(self) -> None:
        if self.symmetry == "off":
            object.__setattr__(self, "symmetry", "none")
        elif re.fullmatch(r"\d*\.\d*(e[+-]?\d+)?|\d+e[+-]?\d+", self.symmetry):
            if self.symmetry_tolerance_ang not in (None, float(self.symmetry)):
                raise UsageError(
                    f"`symmetry={self.symmetry}`, `symmetry_tolerance_ang={self.symmetry_tolerance_ang:g}`",
                    "these are two tolerances",
                    "give one of them",
                )
            object.__setattr__(self, "symmetry_tolerance_ang", float(self.symmetry))
            object.__setattr__(self, "symmetry", "auto")

    def check(self) -> None:
        """Refuse a tolerance that is none.

        Raises
        ------
        UsageError
            With name and value.
        """
        refuse_not_positive(self, {"symmetry_tolerance_ang": "it is a distance in Å"})
        if self.symmetry == "none" and self.symmetry_tolerance_ang is not None:
            raise UsageError(
                f"`symmetry_tolerance_ang={self.symmetry_tolerance_ang:g}` without `symmetry`",
                "nothing is averaged",
                "give `symmetry=auto`, or leave it out",
            )
