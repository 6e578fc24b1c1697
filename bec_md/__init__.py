"""Infrared spectra and dielectric functions from molecular dynamics with Born effective charges.

trajectory → charges → current → spectrum → figure: each step is a subpackage of that name. The names
below are the public surface; they are imported on first use, so that ``import bec_md`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_model": "bec_md.network",
    "open_trajectory": "bec_md.trajectory",
    "compute_current": "bec_md.current",
    "load_current": "bec_md.current",
    "Spectrum": "bec_md.spectrum",
    "SpectrumOptions": "bec_md.spectrum",
    "compute_spectrum": "bec_md.spectrum",
    "load_spectrum": "bec_md.spectrum",
    "plot": "bec_md.plot",
}

__all__ = [
    "Spectrum",
    "SpectrumOptions",
    "__version__",
    "compute_current",
    "compute_spectrum",
    "load_current",
    "load_model",
    "load_spectrum",
    "open_trajectory",
    "plot",
]

if TYPE_CHECKING:
    from bec_md import plot
    from bec_md.current import compute_current, load_current
    from bec_md.network import load_model
    from bec_md.spectrum import Spectrum, SpectrumOptions, compute_spectrum, load_spectrum
    from bec_md.trajectory import open_trajectory


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md' has no attribute {name!r}")
    module = import_module(_PUBLIC[name])
    return module if _PUBLIC[name].endswith("." + name) else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
