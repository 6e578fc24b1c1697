"""From the current to ε(ω): estimators, response, optics, errors, self-checks, output."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Peak": "bec_md.spectrum.analysis.peak",
    "QualityReport": "bec_md.spectrum.errors.quality",
    "RunPlan": "bec_md.spectrum.analysis.plan",
    "Spectrum": "bec_md.spectrum.spectrum",
    "SpectrumOptions": "bec_md.spectrum.options",
    "compute_spectrum": "bec_md.spectrum.compute",
    "einstein_helfand": "bec_md.spectrum.estimators.einstein",
    "fit_four_parameter": "bec_md.spectrum.analysis.fits",
    "fit_lorentz": "bec_md.spectrum.analysis.fits",
    "integrate_band": "bec_md.spectrum.analysis.fits",
    "is_spectrum_file": "bec_md.spectrum.store",
    "load_spectrum": "bec_md.spectrum.store",
    "plan_run": "bec_md.spectrum.analysis.plan",
    "summary": "bec_md.spectrum.output",
    "symmetrized": "bec_md.spectrum.analysis.symmetrize",
    "write_csv": "bec_md.spectrum.output",
    "write_hdf5": "bec_md.spectrum.store",
    "write_json": "bec_md.spectrum.output",
}

__all__ = [
    "Peak",
    "QualityReport",
    "RunPlan",
    "Spectrum",
    "SpectrumOptions",
    "compute_spectrum",
    "einstein_helfand",
    "fit_four_parameter",
    "fit_lorentz",
    "integrate_band",
    "is_spectrum_file",
    "load_spectrum",
    "plan_run",
    "summary",
    "symmetrized",
    "write_csv",
    "write_hdf5",
    "write_json",
]

if TYPE_CHECKING:
    from bec_md.spectrum.analysis.fits import fit_four_parameter, fit_lorentz, integrate_band
    from bec_md.spectrum.analysis.peak import Peak
    from bec_md.spectrum.analysis.plan import RunPlan, plan_run
    from bec_md.spectrum.analysis.symmetrize import symmetrized
    from bec_md.spectrum.compute import compute_spectrum
    from bec_md.spectrum.errors.quality import QualityReport
    from bec_md.spectrum.estimators.einstein import einstein_helfand
    from bec_md.spectrum.options import SpectrumOptions
    from bec_md.spectrum.output import summary, write_csv, write_json
    from bec_md.spectrum.spectrum import Spectrum
    from bec_md.spectrum.store import is_spectrum_file, load_spectrum, write_hdf5


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.spectrum' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
