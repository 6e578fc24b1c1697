"""Types of arrays, once for all rooms, and how objects that hold arrays are written."""

from __future__ import annotations

import reprlib
from dataclasses import fields
from typing import Any

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
