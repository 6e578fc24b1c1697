"""Results whose computation was started elsewhere: on a GPU, or beside the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Pending(Generic[Result]):
    """A result that was asked for; `result` waits for it."""

    def __init__(self, finish: Callable[[], Result]) -> None:
        self._finish = finish

    def result(self) -> Result:
        """Return it; to be called once."""
        return self._finish()
