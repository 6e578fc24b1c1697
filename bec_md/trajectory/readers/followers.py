"""Files beside a trajectory (velocities, cells) that are read along with it, matched by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from bec_md.errors import DataError
from bec_md.trajectory.readers.text import CutFrameError, TextReader

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
        self._ahead: tuple[int, Item] | None = None  # read, and of a later step than was asked for
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
        while (ahead := self._ahead or next(self._items, None)) is not None:
            found, item = ahead
            self._ahead = ahead if found > step else None
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


def beside(
    followers: Sequence[Follower[Item] | None], step: int, where: str
) -> tuple[list[Item | None], DataError | None]:
    """Items of a step, None for all of them with the error if a file leaves it out."""
    try:
        return [None if file is None else file.at(step, where) for file in followers], None
    except DataError as missing:
        return [None for _ in followers], missing


class Followed(Protocol):
    """A frame with items of files beside it, or with the error to raise where one of them is missing."""

    @property
    def missing(self) -> DataError | None:
        """What to raise where the frame is wanted."""
        ...


FollowedBlock = TypeVar("FollowedBlock", bound=Followed)


class FollowedReader(TextReader[FollowedBlock]):
    """A `TextReader` of positions whose files beside it may leave out frames that are not wanted."""

    def first(self) -> FollowedBlock:
        """First block of the file of which nothing is missing.

        Raises
        ------
        DataError
            If there is none.
        """
        whole = next((block for block in self._whole_blocks() if block.missing is None), super().first())
        if whole.missing is not None:
            raise whole.missing
        return whole
