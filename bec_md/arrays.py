"""Types of arrays, once for all rooms, and how objects that hold arrays are written."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

#: Real numbers in double precision.
Array = NDArray[np.float64]
#: Complex numbers in double precision.
Complex = NDArray[np.complex128]

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 80
_BRIEF.maxlist = _BRIEF.maxtuple = 9
_BRIEF.maxdict, _BRIEF.maxlevel = 4, 3


def brief(value: Any) -> str:
    """Return a value in a few words, for messages: an array by its shape and type, the rest shortened."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        if shape == ():
            return f"{value}"
        name = type(value).__name__.replace("ndarray", "array")
        return f"{name} {'×'.join(map(str, shape))} of {getattr(value, 'dtype', '?')}"
    return _BRIEF.repr(value)


def brief_repr(item: Any) -> str:
    """Return the name of a dataclass with its fields in a few words: its ``__repr__``."""
    shown = [f"{f.name}={brief(getattr(item, f.name))}" for f in fields(item) if f.repr]
    return f"{type(item).__name__}({', '.join(shown)})"


class ByFrame:
    """Arrays by name, fields of a dataclass, with frames as their first axis; None where one is not known."""

    __slots__ = ()
    __repr__ = brief_repr

    def map(self, change: Callable[[Array], Array]) -> Self:
        """Return the same with every array that is there changed."""
        return self.combined(lambda values: change(values[0]), [self])

    def __getitem__(self, frames: int | slice) -> Self:
        """Return the arrays of some frames; of a single one as copies, so that the others can be dropped."""
        part = self.map(lambda values: values[frames])
        return part.map(np.array) if isinstance(frames, int) else part

    @classmethod
    def combined(cls, how: Callable[[list[Array]], Array], parts: Sequence[Self]) -> Self:
        """Return one of several, each array made by `how` of those of the same name, where they are."""
        made: dict[str, Any] = {}
        for item in fields(cls):  # type: ignore[arg-type]  # subclasses are dataclasses
            values = [getattr(part, item.name) for part in parts]
            made[item.name] = None if values[0] is None else how(values)
        return cls(**made)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return parts, of consecutive frames, as one."""
        return cls.combined(np.concatenate, parts)


def not_real(array: Any) -> str | None:
    """Why NumPy would make other numbers of an array than it holds: masked or complex ones; None if not."""
    if np.ma.is_masked(array):
        return "has masked entries"
    return "holds complex numbers" if getattr(getattr(array, "dtype", None), "kind", "f") == "c" else None


def spread_rows(array: Any, count: int) -> Array:
    """Return about `count` rows, at most twice as many, spread evenly over a field; all of a shorter one."""
    return np.asarray(array[:: max(len(array) // count, 1)], dtype=np.float64)


def mean_row(array: Any, block: int) -> Array:
    """Return the mean over the rows of a field, which is read in blocks."""
    total = sum(
        np.asarray(array[start : start + block], dtype=np.float64).sum(axis=0)
        for start in range(0, len(array), block)
    )
    return np.asarray(total / len(array))
