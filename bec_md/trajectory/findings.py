"""What frames show while they are read: known only after the pass, and needed by whoever keeps its result."""

from __future__ import annotations

from collections.abc import Iterable

from bec_md.trajectory.scaled_velocities import Changes


class Findings:
    """What all passes over one trajectory have shown so far, in whatever order frames were read.

    Parameters
    ----------
    source
        Name of the trajectory.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.changes = Changes()
        #: Whether somebody else says it: a pass then warns of nothing at its end.
        self.silent = False
        self._texts: dict[str, None] = {}

    def say(self, texts: Iterable[str]) -> None:
        """Take sentences of the reader."""
        self._texts |= dict.fromkeys(texts)

    def merge(self, other: Findings) -> None:
        """Take what another process has found."""
        self.say(other._texts)
        for change in other.changes.in_order():
            self.changes.add(change)

    def news(self) -> Findings:
        """Return what was found since this was asked last, to be sent to another process."""
        found = Findings(self.source)
        found.say(self._texts)
        for change in self.changes.news():
            found.changes.add(change)
        return found

    def sentences(self) -> tuple[str, ...]:
        """Return what there is to say, the latest of it last."""
        changed = self.changes.warning()
        return (*self._texts, *([f"{self.source}: {changed}"] if changed else []))
