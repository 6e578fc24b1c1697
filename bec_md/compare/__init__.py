"""Compare two spectra, or a spectrum with a measured one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Comparison": "bec_md.compare.comparison",
    "Curve": "bec_md.compare.curve",
    "compare": "bec_md.compare.comparison",
    "open_curve": "bec_md.compare.sources",
}

__all__ = ["Comparison", "Curve", "compare", "open_curve"]

if TYPE_CHECKING:
    from bec_md.compare.comparison import Comparison, compare
    from bec_md.compare.curve import Curve
    from bec_md.compare.sources import open_curve


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.compare' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
