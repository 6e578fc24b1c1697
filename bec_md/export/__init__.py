"""Spectra as files of other programs: JCAMP-DX, refractiveindex.info, PDielec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {"formats": "EXPORTS ExportFormat export_spectrum"},
)

if TYPE_CHECKING:
    from bec_md.export.formats import EXPORTS as EXPORTS
    from bec_md.export.formats import ExportFormat as ExportFormat
    from bec_md.export.formats import export_spectrum as export_spectrum
