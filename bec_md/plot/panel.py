"""One panel of a spectrum: draws curves, bands and partial spectra, and remembers what must fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from bec_md.arrays import Array
from bec_md.plot.frequency import FrequencyUnit, label_frequency_axis
from bec_md.plot.limits import value_limits, visible_range_cm
from bec_md.plot.ordinate import label_values
from bec_md.plot.palette import INK, Stroke, stroke
from bec_md.plot.quantity import partial_curves
from bec_md.plot.style import as_text
from bec_md.spectrum.errors.uncertainty import normal_quantile
from bec_md.spectrum.quantities import Quantity
from bec_md.spectrum.response.scalar import Response

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum.spectrum import Spectrum


#: What the bands are called in a legend.
SAMPLING_BAND, MODEL_BAND = "sampling error", "with model error"

#: A model error is drawn where it widens the band by this part of the height of the curve: less is not seen.
VISIBLE = 0.004

#: Layer of the curves.
CURVE = 3.0

#: Opacity of the narrowest band, and of wider ones.
BAND_ALPHA = (0.28, 0.14)


class _Margins(TypedDict):
    skip_below_cm: float
    floor: float | None


@dataclass(frozen=True)
class Panel:
    """Axes with a spectrum and a frequency unit.

    Parameters
    ----------
    ax
        Where to draw.
    spectrum
        What to draw.
    unit
        Of the frequency axis.
    drawn
        (F,) ordinates drawn so far, on the grid of the spectrum.
    """

    ax: Axes
    spectrum: Spectrum
    unit: FrequencyUnit
    drawn: list[Array] = field(default_factory=list)

    @property
    def x(self) -> Array:
        """Abscissas of the spectrum in the unit of the axis."""
        return self.unit.from_cm(self.spectrum.wavenumber_cm)

    def curve(
        self, data: Response, quantity: Quantity, look: Stroke, label: str | None, levels: tuple[float, ...]
    ) -> None:
        """Draw a curve above its confidence bands, the widest first."""
        x = self.x
        for number, level in enumerate(levels):
            low, high = data.interval(quantity, level)
            alpha = BAND_ALPHA[0 if number == len(levels) - 1 else 1]
            self.ax.fill_between(x, low, high, color=look.color, alpha=alpha, linewidth=0.0, zorder=1.9)
            self.drawn.extend((low, high))
        values = data.get(quantity)
        self.ax.plot(x, values, color=look.color, linestyle=look.linestyle, label=label, zorder=CURVE)
        self.drawn.append(values)

    def model_band(self, data: Response, quantity: Quantity, look: Stroke, level: float) -> None:
        """Hatch the band of statistical and model error in quadrature, if the second is known and seen."""
        extra = data.model_error(quantity)
        if extra is None:
            return
        values = data.get(quantity)
        low, high = data.interval(quantity, level)
        wide = normal_quantile(level) * extra
        outer = (
            values - np.hypot(values - low, wide),
            values + np.hypot(high - values, wide),
        )
        lower, upper = outer if quantity.linear else data.within_limits(quantity, *outer)
        wider = np.maximum(upper - high, low - lower)
        low_cm, high_cm = self._shown_cm()
        seen = (self.spectrum.wavenumber_cm >= low_cm) & (self.spectrum.wavenumber_cm <= high_cm)
        if not np.any(wider[seen] > VISIBLE * np.abs(values[seen]).max(initial=0.0)):
            return
        names = self.ax.get_legend_handles_labels()[1]
        if SAMPLING_BAND not in names:
            self.ax.fill_between([], [], [], color=look.color, alpha=BAND_ALPHA[0], label=SAMPLING_BAND)
        self.ax.fill_between(
            self.x,
            lower,
            upper,
            facecolor="none",
            edgecolor=look.color,
            alpha=0.4,
            hatch="//////",
            linewidth=0.0,
            zorder=1.8,
            label=None if MODEL_BAND in names else MODEL_BAND,
        )
        self.drawn.extend((lower, upper))

    def _shown_cm(self) -> tuple[float, float]:
        """Where values count: from one resolution width above zero to the end of the bands."""
        resolution = float(self.spectrum.parameters.get("resolution_cm", 0.0))
        return resolution, visible_range_cm(self.spectrum)[1]

    def group_lines(self, quantity: Quantity) -> None:
        """Draw the additive parts as dashed lines above a light fill down to zero."""
        for number, (name, part) in enumerate(partial_curves(self.spectrum, quantity).items()):
            look = stroke(number)
            self.ax.fill_between(self.x, 0.0, part, color=look.color, alpha=0.07, linewidth=0.0, zorder=1.2)
            self.ax.plot(
                self.x,
                part,
                color=look.color,
                linestyle=look.linestyle,
                linewidth=1.0,
                label=as_text(name),
                zorder=2.6,
            )
            self.drawn.append(part)

    def group_stack(self, quantity: Quantity) -> None:
        """Draw the additive parts as areas: positive ones pile up from zero, negative ones down from it."""
        above, below = np.zeros_like(self.x), np.zeros_like(self.x)
        for number, (name, part) in enumerate(partial_curves(self.spectrum, quantity).items()):
            color = stroke(number).color
            top = above + np.clip(part, 0.0, None)
            bottom = below + np.clip(part, None, 0.0)
            for inner, outer, label in ((above, top, as_text(name)), (below, bottom, None)):
                self.ax.fill_between(  # a higher area is higher in the legend
                    self.x,
                    inner,
                    outer,
                    color=color,
                    alpha=0.8,
                    linewidth=0.0,
                    zorder=1.2 + 0.01 * number,
                    label=label,
                )
            above, below = top, bottom
        self.drawn.extend((above, below))

    def extend(self, wanted: tuple[Quantity, ...]) -> None:
        """Widen the limits of the ordinate of a panel that already shows something."""
        low, high = self.ax.get_ylim()
        left, right = (value / self.unit.per_cm for value in self.ax.get_xlim())
        bounds = self._bounds((left, right), wanted)
        if bounds[0] < low or bounds[1] > high:
            self.ax.set_ylim(min(low, bounds[0]), max(high, bounds[1]))
            label_values(self.ax, wanted)

    def _bounds(self, shown_cm: tuple[float, float], wanted: tuple[Quantity, ...]) -> tuple[float, float]:
        """Limits that hold what this panel has drawn."""
        grid = self.spectrum.wavenumber_cm
        return value_limits(grid, self.drawn, shown_cm, **self._margins(wanted))

    def _margins(self, wanted: tuple[Quantity, ...]) -> _Margins:
        over_omega = any(q.over_omega for q in wanted)
        skip = float(self.spectrum.parameters.get("resolution_cm", 0.0)) if over_omega else 0.0
        return {"skip_below_cm": skip, "floor": None if any(q.floor is None for q in wanted) else 0.0}

    def frame(
        self,
        wanted: tuple[Quantity, ...],
        measured: list[tuple[Array, Array]],
        xlim: tuple[float, float] | None,
    ) -> None:
        """Set limits, labels and the zero line.

        Parameters
        ----------
        wanted
            Quantities on the ordinate.
        measured
            Other curves, abscissas in cm⁻¹ and ordinates.
        xlim
            Limits of the abscissa in its unit, or None.
        """
        if xlim is None:
            shown = visible_range_cm(self.spectrum)
        else:
            shown = (xlim[0] / self.unit.per_cm, xlim[1] / self.unit.per_cm)
        low, high = self._bounds(shown, wanted)
        for x, y in measured:
            bounds = value_limits(x, [y], shown, **self._margins(wanted))
            low, high = min(low, bounds[0]), max(high, bounds[1])
        if low < 0.0:
            self.ax.axhline(0.0, color=INK, linewidth=0.4, zorder=1.0)
        self.ax.set_xlim(*self.unit.from_cm(np.array(shown)).tolist())
        self.ax.set_ylim(low, high)
        label_values(self.ax, wanted)
        label_frequency_axis(self.ax, self.unit)
