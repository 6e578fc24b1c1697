r"""The frequency axis: cm⁻¹, THz or meV, and the wavelength λ = 1/ν̃ on the opposite side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.units import CM_PER_THZ, MEV_PER_CM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axes._secondary_axes import SecondaryAxis


#: Micrometers times this over a wavenumber in cm⁻¹.
MICROMETER_CM = 1e4

#: Leading digits of the marks of the wavelength axis: the first are preferred, the others fill gaps.
_DIGITS = ((1.0, 2.0, 5.0), (1.5, 3.0), (7.0, 4.0, 1.2), (2.5, 6.0, 8.0))


@dataclass(frozen=True, slots=True)
class FrequencyUnit:
    """A unit of the frequency axis.

    Parameters
    ----------
    name
        How it is called in the API.
    per_cm
        Value of 1 cm⁻¹ in this unit.
    label
        Axis label.
    """

    name: str
    per_cm: float
    label: str

    def from_cm(self, wavenumber_cm: ArrayLike) -> Array:
        """Convert wavenumbers in cm⁻¹."""
        return np.asarray(wavenumber_cm, dtype=np.float64) * self.per_cm


UNITS = {
    "cm": FrequencyUnit("cm", 1.0, r"Wavenumber $\tilde\nu$ (cm$^{-1}$)"),
    "thz": FrequencyUnit("thz", 1.0 / CM_PER_THZ, r"Frequency $\omega/2\pi$ (THz)"),
    "mev": FrequencyUnit("mev", MEV_PER_CM, r"Photon energy $\hbar\omega$ (meV)"),
}


def frequency_unit(name: str) -> FrequencyUnit:
    """Return the unit of this name: cm, thz or mev.

    Raises
    ------
    UsageError
        For another name.
    """
    try:
        return UNITS[str(name).lower()]
    except KeyError:
        raise UsageError(
            f"no frequency unit {name!r}", "the axis must mean something", f"use one of {', '.join(UNITS)}"
        ) from None


def label_frequency_axis(ax: Axes, unit: FrequencyUnit) -> None:
    """Write the label of the frequency axis, unless the panel shares it with one below."""
    if ax.get_subplotspec() is None or _is_lowest(ax):
        ax.set_xlabel(unit.label)


def _is_lowest(ax: Axes) -> bool:
    shared = ax.get_shared_x_axes().get_siblings(ax)
    if len(shared) < 2:
        return True
    return min(shared, key=lambda other: other.get_position().y0) is ax


def add_wavelength_axis(ax: Axes, unit: FrequencyUnit) -> SecondaryAxis:
    """Add λ in µm on top of the panel; its marks follow the limits of the panel."""
    from matplotlib.ticker import FuncFormatter, Locator, NullLocator

    class WavelengthLocator(Locator):
        """Marks at round wavelengths within the limits of the panel."""

        def __call__(self) -> Any:
            low, high = sorted(ax.get_xlim())
            return self.tick_values(low, high)

        def tick_values(self, vmin: float, vmax: float) -> Any:
            """Return the places of round wavelengths between two abscissas."""
            marks = wavelength_marks(vmin / unit.per_cm, vmax / unit.per_cm)
            return MICROMETER_CM / marks * unit.per_cm

    ax.tick_params(axis="x", which="both", top=False)
    secondary = ax.secondary_xaxis("top")  # same scale as below: only the marks and their labels differ
    secondary.xaxis.set_major_locator(WavelengthLocator())
    secondary.xaxis.set_minor_locator(NullLocator())
    secondary.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{MICROMETER_CM * unit.per_cm / value:.3g}")
    )
    secondary.set_xlabel(r"Wavelength $\lambda$ ($\mathrm{\mu}$m)")
    return secondary


def wavelength_marks(low_cm: float, high_cm: float, distance: float = 0.08) -> Array:
    """Return round wavelengths in µm that lie apart by this part of the panel's width.

    Parameters
    ----------
    low_cm, high_cm
        Limits of the panel in cm⁻¹.
    distance
        Smallest distance of neighbors over the width.
    """
    low_cm, high_cm = min(low_cm, high_cm), max(low_cm, high_cm)
    kept: dict[float, float] = {}
    for digits in _DIGITS:
        for decade in range(4, -2, -1):
            for digit in digits:
                micrometer = digit * 10.0**decade
                place = (MICROMETER_CM / micrometer - low_cm) / (high_cm - low_cm)
                near = any(abs(place - other) < distance for other in kept.values())
                if 0.03 <= place <= 1.0 and not near:
                    kept[micrometer] = place
    return np.array(sorted(kept, reverse=True))
