"""From the current to ε(ω): estimators, response, optics, errors, self-checks, output."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Peak": "bec_md.spectrum.peak",
    "QualityReport": "bec_md.spectrum.quality",
    "Spectrum": "bec_md.spectrum.spectrum",
    "compute_spectrum": "bec_md.spectrum.compute",
    "is_spectrum_file": "bec_md.spectrum.store",
    "load_spectrum": "bec_md.spectrum.store",
    "summary": "bec_md.spectrum.output",
    "write_csv": "bec_md.spectrum.output",
    "write_hdf5": "bec_md.spectrum.store",
    "write_json": "bec_md.spectrum.output",
}

__all__ = [
    "Peak",
    "QualityReport",
    "Spectrum",
    "compute_spectrum",
    "is_spectrum_file",
    "load_spectrum",
    "summary",
    "write_csv",
    "write_hdf5",
    "write_json",
]

if TYPE_CHECKING:
    from bec_md.spectrum.compute import compute_spectrum
    from bec_md.spectrum.output import summary, write_csv, write_json
    from bec_md.spectrum.peak import Peak
    from bec_md.spectrum.quality import QualityReport
    from bec_md.spectrum.spectrum import Spectrum
    from bec_md.spectrum.store import is_spectrum_file, load_spectrum, write_hdf5


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.spectrum' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
