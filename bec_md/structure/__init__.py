"""One structure: atoms in a cell with what is known of them, under one list of names, from and to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "frame": "Frame cell_volume reduced_formula",
    },
)

if TYPE_CHECKING:
    from bec_md.structure.frame import Frame as Frame
    from bec_md.structure.frame import cell_volume as cell_volume
    from bec_md.structure.frame import reduced_formula as reduced_formula
