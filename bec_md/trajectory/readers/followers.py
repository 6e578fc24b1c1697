"""Files beside a trajectory (velocities, cells) that are read along with it, matched by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from bec_md.errors import DataError
from bec_md.trajectory.readers.text import CutFrameError

_WITHOUT = "a constant cell can be given as `cell_ang`, velocities be left out with `velocities=none`"
Item = TypeVar("Item")


class Follower(Generic[Item]):
    """Items with their steps, in the order of the file.

    Parameters
    ----------
    items
        Pairs of step and item.
    name
        Name of the file and what it holds, for messages.
    """

    def __init__(self, items: Iterator[tuple[int, Item]], name: str) -> None:
        self._items = items
        self._name = name
        self._served = 0

    def at(self, step: int, where: str) -> Item:
        """Item of a step that is not before the last one asked for.

        Raises
        ------
        CutFrameError
            If the file ends before it.
        DataError
            If the file leaves this step out, or holds the first one alone.
        """
        for found, item in self._items:
            if found == step:
                self._served += 1
                return item
            if found > step:
                raise DataError(
                    f"{where}: {self._name} has step {found} where the positions have step {step}",
                    "every frame needs both, of the same time",
                    "write both at the same interval, or read the frames that have both with `start` "
                    f"and `stride`; {_WITHOUT}",
                )
        if self._served == 1:
            raise DataError(
                f"{where}: {self._name} ends after the first step",
                "every frame needs both, of the same time",
                f"write both at the same interval; {_WITHOUT}",
            )
        raise CutFrameError(f"{self._name} ends before it")
