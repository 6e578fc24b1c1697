"""The polarization current J(t): computed from a trajectory, stored, or read from another code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "CurrentSeries": "bec_md.current.series",
    "concatenate": "bec_md.current.series",
    "compute_current": "bec_md.current.compute",
    "load_current": "bec_md.current.file",
    "is_current_file": "bec_md.current.readers",
    "open_current": "bec_md.current.readers",
}

__all__ = [
    "CurrentSeries",
    "compute_current",
    "concatenate",
    "is_current_file",
    "load_current",
    "open_current",
]

if TYPE_CHECKING:
    from bec_md.current.compute import compute_current
    from bec_md.current.file import load_current
    from bec_md.current.readers import is_current_file, open_current
    from bec_md.current.series import CurrentSeries, concatenate


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.current' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
