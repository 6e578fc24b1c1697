"""Errors that say what happened, why, and what to do about it."""

from __future__ import annotations

#: Characters of one part of a message; compilers may fill it, arrays must not.
LONGEST = 2000


class BecMDError(Exception):
    """Base of every error that bec-md raises on purpose.

    Parameters
    ----------
    what
        What is wrong, with the value and the place (file, frame, atom).
    why
        Why it is a problem.
    fix
        What the reader can do. Mandatory: an error without a way out is a dead end.
    """

    exit_status = 1

    def __init__(self, what: str, why: str, fix: str) -> None:
        what, why, fix = (shortened(text) for text in (what, why, fix))
        super().__init__(what, why, fix)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  fix: {self.fix}"


def shortened(text: str) -> str:
    """Return a text that a screen can hold: the middle of a longer one is left out."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} … ({len(text) - LONGEST} more characters) … {text[-half:]}"


class DataError(BecMDError):
    """The input data are wrong or incomplete (exit status 1)."""

    exit_status = 1


class UsageError(BecMDError):
    """The call is wrong: an option, a name or a combination (exit status 2)."""

    exit_status = 2


class QualityError(BecMDError):
    """A self-check failed where all must hold (exit status 1)."""

    exit_status = 1


class BecMDWarning(UserWarning):
    """Something that the reader of a result should know."""
