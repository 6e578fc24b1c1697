"""The self-checks of a spectrum as a table of lights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bec_md.errors import DataError
from bec_md.kinds import require_kind
from bec_md.plot.palette import INK, STATUS
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum.errors.quality import QualityCheck, QualityReport
    from bec_md.spectrum.spectrum import Spectrum

#: What the checks are called for people.
TITLES = {
    "f_sum": "f-sum rule",
    "f_sum_groups": "f-sum rule of groups",
    "f_sum_band": "absorption in the band",
    "static": "static permittivity",
    "sum_rule": "acoustic sum rule",
    "net_charge": "net charge",
    "com_drift": "center-of-mass drift",
    "temperature": "temperature",
    "temperature_spread": "one temperature",
    "stationarity": "stationarity",
    "nyquist": "sampling",
    "finite_difference": "finite differences",
    "resolution": "resolution and length",
    "closed_loop": "closed loops",
    "interpolation": "interpolated charges",
    "model_error": "error of the model",
    "model_domain": "training domain of the model",
    "jackknife": "scatter over analytic error",
    "positivity": "positivity",
}


def check_title(check: QualityCheck) -> str:
    """Return the name of a check for people."""
    return TITLES.get(check.name, check.name.replace("_", " "))


def check_value(check: QualityCheck) -> str:
    """Return the measured value of a check as text."""
    if check.value is None:
        return "–"
    values = check.value if isinstance(check.value, tuple) else (check.value,)
    shown = ", ".join(number_text(v) for v in values[:4])
    return shown + (", …" if len(values) > 4 else "")


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float, figures: int = 3) -> str:
    """Write a number with a few figures and, if need be, a power of ten."""
    mantissa, _, exponent = f"{value:.{figures}g}".partition("e")
    mantissa = mantissa.replace("-", "−")
    return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPT)}" if exponent else mantissa


def _cells(title: str, value: str, verdict: str) -> tuple[tuple[float, str, Any], ...]:
    """Place, text and alignment of the cells of one line."""
    return (0.075, title, "left"), (0.66, value, "right"), (0.70, verdict, "left")


def plot_quality(
    source: Spectrum | QualityReport, ax: Axes | None = None, *, width: Width = "column"
) -> Axes:
    """Plot one line per self-check: a light (shape and color), its name, value and what is accepted.

    Parameters
    ----------
    source
        A spectrum, or its quality report.
    ax
        Where to draw; a new figure if None.
    width
        Of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    DataError
        If there are no checks.
    """
    report = cast("QualityReport", getattr(source, "quality", source))
    require_kind(report, "violations", "spectrum or quality report", "give the result of `compute_spectrum`")
    checks = list(report)
    if not checks:
        raise DataError("no self-checks", "the spectrum carries none", "compute it anew from the current")
    with figure_style(ax):
        axes = new_axes(ax, width, aspect=0.075 * (len(checks) + 1.5))
        for row, check in enumerate(checks):
            color, marker, word = STATUS[check.status]
            weight = "bold" if check.status in ("warn", "fail") else "normal"
            axes.plot([0.03], [row], marker=marker, color=color, markersize=5.0, linestyle="none")
            for place, text, side in _cells(check_title(check), check_value(check), word):
                axes.text(place, row, text, va="center", ha=side, fontsize=8.0, weight=weight)
        for place, text, side in _cells("check", "value", "verdict"):
            axes.text(place, -1.0, text, va="center", ha=side, fontsize=7.5, color="#555555", style="italic")
        axes.axhline(-0.5, color=INK, linewidth=0.5)
        axes.set_xlim(0.0, 0.9)
        axes.set_ylim(len(checks) - 0.4, -1.6)
        axes.set_axis_off()
    return axes
