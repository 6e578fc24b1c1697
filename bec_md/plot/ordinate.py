"""The ordinate: its label, with a power of a thousand in the unit instead of above the panel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bec_md.plot.quantity import axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.spectrum.quantities import Quantity


def label_values(ax: Axes, wanted: tuple[Quantity, ...]) -> None:
    """Label the ordinate; large or small numbers are written in powers of a thousand of the unit.

    The data keep their unit: only the numbers at the marks are divided.
    """
    power = power_of_thousand(max(abs(value) for value in ax.get_ylim()))
    ax.set_ylabel(", ".join(axis_label(q, power, alone=len(wanted) == 1) for q in wanted))
    if power:
        ax.yaxis.set_major_formatter(
            lambda value, _: f"{value / 10.0**power:.{_decimals(ax, power)}f}".replace("-", "\N{MINUS SIGN}")
        )


def power_of_thousand(largest: float) -> int:
    """Return the power of ten, a multiple of three, to divide by; 0 from 0.001 up to 9999.

    Parameters
    ----------
    largest
        Largest absolute value on the axis.
    """
    if not 0.0 < largest < math.inf or 1e-3 <= largest < 1e4:
        return 0
    return 3 * math.floor(math.log10(largest) / 3.0)


def _decimals(ax: Axes, power: int) -> int:
    """Return how many decimals the marks need after division by a power of ten: the same for all."""
    marks = [float(mark) / 10.0**power for mark in ax.get_yticks()]
    for decimals in range(4):
        if all(abs(mark - round(mark, decimals)) < 1e-6 * max(1.0, abs(mark)) for mark in marks):
            return decimals
    return 4
