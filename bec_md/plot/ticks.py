"""Numbers at the ticks."""

from __future__ import annotations

from matplotlib.ticker import ScalarFormatter


class PlainNumbers(ScalarFormatter):
    """Numbers as text: only the power of ten beside the axis needs mathtext, which is slow to set."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the text at a tick."""
        return super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$")
