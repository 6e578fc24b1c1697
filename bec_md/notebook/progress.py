"""A bar below the cell that computes, in every front end that shows HTML."""

from __future__ import annotations

import sys
import time
from typing import Any

#: Seconds between two updates.
EVERY_S = 0.3


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook. Asks IPython only where it runs already."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """Called with (done, total): count, share and time left; one line at the end.

    Parameters
    ----------
    label
        What is being done.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.begin = self.last = time.monotonic()
        self.first: int | None = None
        self.handle: Any = None

    def __call__(self, done: int, total: int | None) -> None:
        """Show the state, at most a few times a second."""
        now = time.monotonic()
        self.first = done if self.first is None else self.first
        finished = total is not None and done >= total
        if not finished and self.handle is not None and now - self.last < EVERY_S:
            return
        self.last = now
        from IPython.display import HTML, display

        shown = HTML(self.html(done, total, now - self.begin))  # type: ignore[no-untyped-call]
        if self.handle is None:
            self.handle = display(shown, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self.handle.update(shown)

    def html(self, done: int, total: int | None, seconds: float) -> str:
        """Return bar and words."""
        rate = (done - (self.first or 0)) / max(seconds, 1e-9)
        if total is None:
            return f"{self.label}: {done} frames, {rate:.3g}/s"
        if done >= total:
            return f"<small>{self.label}: {done} frames in {seconds:.1f} s</small>"
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
        return f"{self.label} <progress max='{total}' value='{done}'></progress> {done} of {total}{left}"
