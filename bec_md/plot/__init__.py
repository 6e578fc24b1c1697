"""Figures of spectra, currents, charges and models; matplotlib is imported when one is drawn.

Every function takes ``ax=None`` and returns the axes; none shows a window or changes global settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "acf": "plot_acf",
        "charge_comparison": "plot_compare_charges",
        "charges": "plot_charges",
        "convergence": "plot_convergence",
        "figure": "figure_of_spectrum",
        "loss_curve": "plot_loss_curve",
        "model_errors": "figure_of_errors",
        "parity": "plot_parity",
        "quality": "plot_quality",
        "reliability": "plot_reliability",
        "save": "save_figure",
        "spectrum": "plot_spectrum",
        "style": "STYLE_FILE figure_style",
    },
)

if TYPE_CHECKING:
    from bec_md.plot.acf import plot_acf as plot_acf
    from bec_md.plot.charge_comparison import plot_compare_charges as plot_compare_charges
    from bec_md.plot.charges import plot_charges as plot_charges
    from bec_md.plot.convergence import plot_convergence as plot_convergence
    from bec_md.plot.figure import figure_of_spectrum as figure_of_spectrum
    from bec_md.plot.loss_curve import plot_loss_curve as plot_loss_curve
    from bec_md.plot.model_errors import figure_of_errors as figure_of_errors
    from bec_md.plot.parity import plot_parity as plot_parity
    from bec_md.plot.quality import plot_quality as plot_quality
    from bec_md.plot.reliability import plot_reliability as plot_reliability
    from bec_md.plot.save import save_figure as save_figure
    from bec_md.plot.spectrum import plot_spectrum as plot_spectrum
    from bec_md.plot.style import STYLE_FILE as STYLE_FILE
    from bec_md.plot.style import figure_style as figure_style
