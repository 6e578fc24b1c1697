"""From the current to ε(ω): estimators, response, optics, errors, self-checks, output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "analysis.fits": "fit_four_parameter fit_lorentz integrate_band",
        "analysis.peak": "Peak",
        "analysis.plan": "RunPlan plan_run",
        "analysis.symmetrize": "symmetrized",
        "compute": "compute_spectrum",
        "errors.quality": "QualityReport",
        "estimators.einstein": "einstein_helfand",
        "options": "SpectrumOptions",
        "output": "summary write_csv write_json",
        "spectrum": "Spectrum",
        "store": "is_spectrum_file load_spectrum write_hdf5",
    },
)

if TYPE_CHECKING:
    from bec_md.spectrum.analysis.fits import fit_four_parameter as fit_four_parameter
    from bec_md.spectrum.analysis.fits import fit_lorentz as fit_lorentz
    from bec_md.spectrum.analysis.fits import integrate_band as integrate_band
    from bec_md.spectrum.analysis.peak import Peak as Peak
    from bec_md.spectrum.analysis.plan import RunPlan as RunPlan
    from bec_md.spectrum.analysis.plan import plan_run as plan_run
    from bec_md.spectrum.analysis.symmetrize import symmetrized as symmetrized
    from bec_md.spectrum.compute import compute_spectrum as compute_spectrum
    from bec_md.spectrum.errors.quality import QualityReport as QualityReport
    from bec_md.spectrum.estimators.einstein import einstein_helfand as einstein_helfand
    from bec_md.spectrum.options import SpectrumOptions as SpectrumOptions
    from bec_md.spectrum.output import summary as summary
    from bec_md.spectrum.output import write_csv as write_csv
    from bec_md.spectrum.output import write_json as write_json
    from bec_md.spectrum.spectrum import Spectrum as Spectrum
    from bec_md.spectrum.store import is_spectrum_file as is_spectrum_file
    from bec_md.spectrum.store import load_spectrum as load_spectrum
    from bec_md.spectrum.store import write_hdf5 as write_hdf5
