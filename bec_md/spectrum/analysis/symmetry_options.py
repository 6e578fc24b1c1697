"""Whether and how a spectrum is averaged over a point group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bec_md.options import Options, refuse_not_positive


@dataclass(frozen=True)
class SymmetryOptions(Options):
    """Whether a spectrum is averaged over a point group.

    Parameters
    ----------
    symmetry
        "off"; "auto" for the point group of the mean structure of the run; the Hermann–Mauguin symbol of a
        point group in its standard setting (m-3m, 32, 4mm); or a file with the structure.
    symmetry_tolerance_ang
        How far an atom of the structure may be from the image of another, Å. None takes twice the difference
        between the mean structures of both halves of a run, within 0.01 … 0.1 Å.
    """

    of: ClassVar[str] = "a symmetry"

    symmetry: str = "off"
    symmetry_tolerance_ang: float | None = None

    def check(self) -> None:
        """Refuse a tolerance that is none.

        Raises
        ------
        UsageError
            With name and value.
        """
        refuse_not_positive(self, {"symmetry_tolerance_ang": "it is a distance in Å"})
