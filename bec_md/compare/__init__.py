"""Compare two spectra, or a spectrum with a measured one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "comparison": "Comparison compare",
        "curve": "Curve",
        "sources": "open_curve",
    },
)

if TYPE_CHECKING:
    from bec_md.compare.comparison import Comparison as Comparison
    from bec_md.compare.comparison import compare as compare
    from bec_md.compare.curve import Curve as Curve
    from bec_md.compare.sources import open_curve as open_curve
