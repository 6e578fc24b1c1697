"""What the option classes of all rooms share: frozen fields, changed by name, beside their defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, ClassVar, Self

from bec_md.errors import UsageError


@dataclass(frozen=True)
class Options:
    """Base of frozen dataclasses whose every field has a default."""

    #: Of what these are options, for messages.
    of: ClassVar[str] = "this call"

    def changed(self, **changes: Any) -> Self:
        """Return these options with some of them replaced.

        Raises
        ------
        UsageError
            For a name that is none of the options.
        """
        names = [item.name for item in fields(self)]
        for name in changes:
            if name not in names:
                raise no_option(name, names, self.of)
        return replace(self, **changes)

    def given(self) -> frozenset[str]:
        """Names of the options that differ from their defaults."""
        default = type(self)()
        pairs = ((item.name, getattr(self, item.name), getattr(default, item.name)) for item in fields(self))
        return frozenset(
            name for name, value, usual in pairs if (value is not None if usual is None else value != usual)
        )


def no_option(name: str, names: Sequence[str], of: str) -> UsageError:
    """Return the error of a name that is none of the options, with the one that is like it."""
    close = get_close_matches(name, names, n=1)
    close = close or [other for other in names if other.startswith(f"{name}_")]
    return UsageError(
        f"{name} is no option of {of}",
        f"these are {', '.join(names)}",
        f"use {close[0]}" if close else "leave it out",
    )


#: The inverse and the square of what is larger are ordinary numbers.
_SMALLEST = 1e-100


def refuse_not_positive(options: Any, meanings: dict[str, str]) -> None:
    """Refuse numbers of an option class that are given and not positive.

    Parameters
    ----------
    options
        The options.
    meanings
        By name of the field: why it has to be positive.

    Raises
    ------
    UsageError
        With name and value.
    """
    for name, why in meanings.items():
        value = getattr(options, name)
        if value is not None and not isinstance(value, Real) and getattr(value, "shape", None) != ():
            raise UsageError(
                f"`{name}={value!r}` is not a number", why, f"give `{name}` as one number above 0"
            )
        if value is not None and not _SMALLEST < value < float("inf"):
            raise UsageError(
                f"`{name}={value:g}` is not a positive number"
                + (f" above {_SMALLEST:g}" if value > 0 else ""),
                why,
                f"give a `{name}` above 0, or leave it",
            )


def refuse_not_whole(options: Any, meanings: dict[str, str]) -> None:
    """Refuse numbers of an option class that are given and not whole.

    Parameters
    ----------
    options
        The options.
    meanings
        By name of the field: what it counts.

    Raises
    ------
    UsageError
        With name and value.
    """
    for name, meaning in meanings.items():
        value = getattr(options, name)
        if value is not None and not isinstance(value, Integral):
            raise UsageError(f"`{name}={value!r}` is no whole number", meaning, "give one, or leave it")
