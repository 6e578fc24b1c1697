"""Exactly solvable systems, run through the program and compared with their exact results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "run": "CASES run_validation",
        "table": "Check ValidationTable",
    },
)

if TYPE_CHECKING:
    from bec_md.validate.run import CASES as CASES
    from bec_md.validate.run import run_validation as run_validation
    from bec_md.validate.table import Check as Check
    from bec_md.validate.table import ValidationTable as ValidationTable
