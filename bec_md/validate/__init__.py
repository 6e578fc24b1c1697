"""Exactly solvable systems, run through the program and compared with their exact results."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "CASES": "bec_md.validate.run",
    "Check": "bec_md.validate.table",
    "ValidationTable": "bec_md.validate.table",
    "run_validation": "bec_md.validate.run",
}

__all__ = ["CASES", "Check", "ValidationTable", "run_validation"]

if TYPE_CHECKING:
    from bec_md.validate.run import CASES, run_validation
    from bec_md.validate.table import Check, ValidationTable


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.validate' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
