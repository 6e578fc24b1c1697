"""In workflow managers: Born effective charges and ε∞ as a plain function, and as a maker of jobflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {"charges": "born_charges", "maker": "BornChargesMaker"},
)

if TYPE_CHECKING:
    from bec_md.workflows.charges import born_charges as born_charges
    from bec_md.workflows.maker import BornChargesMaker as BornChargesMaker
