"""Arguments of another kind than is needed are refused in words, not by the attribute that they lack."""

from __future__ import annotations

from typing import Any

import numpy as np

from bec_md.errors import UsageError


def require_kind(value: object, attribute: str, kind: str, fix: str) -> None:
    """Refuse an object without an attribute that all of its kind have.

    Raises
    ------
    UsageError
        With what was given instead.
    """
    if hasattr(value, attribute):
        return
    shown = repr(value) if value is None or isinstance(value, str | int | float) else type(value).__name__
    raise UsageError(f"{shown} is no {kind}", f"it is an object of type {type(value).__name__}", fix)


def require_spectrum(value: object) -> None:
    """Refuse what is no `Spectrum`."""
    require_kind(
        value,
        "partial_n_alpha",
        "spectrum",
        "read a stored one with `load_spectrum`, or compute it with `compute_spectrum`; of several draw one "
        "after the other, into the same `ax`",
    )


def require_options(value: object, kind: str) -> None:
    """Refuse what is no object of an option class."""
    require_kind(value, "changed", kind, f"give `{kind}(…)`, or its fields by name")


def limits(value: Any) -> tuple[float, float]:
    """Return the limits of an axis, two finite numbers.

    Raises
    ------
    UsageError
        If it is anything else.
    """
    try:
        low, high = (float(number) for number in value)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high)) or low == high:
        raise UsageError(
            f"`xlim={value!r}` is no range", "an axis has a begin and an end", "give two numbers, (0, 1500)"
        )
    return low, high
