"""Logarithmic axes with plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis


def plain_logarithmic(axis: Axis) -> None:
    """Label 1, 2, 5 of each decade of a short logarithmic axis, 1 of a long one, without powers of ten.

    An axis shorter than a factor of four gets more labels.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    digits: tuple[float, ...] = (1.0, 2.0, 5.0) if high / low < 300.0 else (1.0,)
    if high / low < 4.0:
        digits = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
