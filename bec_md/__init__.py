"""Infrared spectra and dielectric functions from molecular dynamics with Born effective charges.

trajectory → charges → current → spectrum → figure: each step is a subpackage of that name. The names
below are the public surface; they are imported on first use, so that ``import bec_md`` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "current": "compute_current load_current",
        "network": "load_model",
        "plot": "plot",
        "spectrum": "Spectrum SpectrumOptions compute_spectrum load_spectrum",
        "trajectory": "open_trajectory",
    },
)

if TYPE_CHECKING:
    from bec_md import plot as plot
    from bec_md.current import compute_current as compute_current
    from bec_md.current import load_current as load_current
    from bec_md.network import load_model as load_model
    from bec_md.spectrum import Spectrum as Spectrum
    from bec_md.spectrum import SpectrumOptions as SpectrumOptions
    from bec_md.spectrum import compute_spectrum as compute_spectrum
    from bec_md.spectrum import load_spectrum as load_spectrum
    from bec_md.trajectory import open_trajectory as open_trajectory
