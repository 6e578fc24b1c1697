"""Figures of spectra, currents, charges and models; matplotlib is imported when one is drawn.

Every function takes ``ax=None`` and returns the axes; none shows a window or changes global settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "STYLE_FILE": "bec_md.plot.style",
    "figure_of_errors": "bec_md.plot.model_errors",
    "figure_of_spectrum": "bec_md.plot.figure",
    "plot_acf": "bec_md.plot.acf",
    "plot_charges": "bec_md.plot.charges",
    "plot_compare_charges": "bec_md.plot.charge_comparison",
    "plot_convergence": "bec_md.plot.convergence",
    "plot_loss_curve": "bec_md.plot.loss_curve",
    "plot_parity": "bec_md.plot.parity",
    "plot_quality": "bec_md.plot.quality",
    "plot_reliability": "bec_md.plot.reliability",
    "plot_spectrum": "bec_md.plot.spectrum",
    "save_figure": "bec_md.plot.save",
    "figure_style": "bec_md.plot.style",
}

__all__ = [
    "STYLE_FILE",
    "figure_of_errors",
    "figure_of_spectrum",
    "figure_style",
    "plot_acf",
    "plot_charges",
    "plot_compare_charges",
    "plot_convergence",
    "plot_loss_curve",
    "plot_parity",
    "plot_quality",
    "plot_reliability",
    "plot_spectrum",
    "save_figure",
]

if TYPE_CHECKING:
    from bec_md.plot.acf import plot_acf
    from bec_md.plot.charge_comparison import plot_compare_charges
    from bec_md.plot.charges import plot_charges
    from bec_md.plot.convergence import plot_convergence
    from bec_md.plot.figure import figure_of_spectrum
    from bec_md.plot.loss_curve import plot_loss_curve
    from bec_md.plot.model_errors import figure_of_errors
    from bec_md.plot.parity import plot_parity
    from bec_md.plot.quality import plot_quality
    from bec_md.plot.reliability import plot_reliability
    from bec_md.plot.save import save_figure
    from bec_md.plot.spectrum import plot_spectrum
    from bec_md.plot.style import STYLE_FILE, figure_style


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.plot' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
