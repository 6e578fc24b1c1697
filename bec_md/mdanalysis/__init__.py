"""At home in MDAnalysis: the polarization current of a Universe as an analysis, serial or parallel."""

from bec_md.mdanalysis.analysis import PolarizationCurrent

__all__ = ["PolarizationCurrent"]


def __dir__() -> list[str]:
    return sorted(__all__)
