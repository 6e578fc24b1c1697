"""What a validation says: one row per quantity, curves for the figure, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bec_md.arrays import Array

#: A row fails beyond this many standard errors. With ~100 rows one in 150 validations would by chance.
LIMIT_Z = 4.0


@dataclass(frozen=True)
class Check:
    """One compared number.

    Parameters
    ----------
    case, quantity
        What was compared.
    exact, measured
        The two numbers.
    error
        Predicted standard error of `measured`; None for identities, which hold to `tolerance`.
    tolerance
        Allowed |measured − exact| where there is no statistical error, or beside it: what the program
        promises.
    note
        What the reader should know.
    """

    case: str
    quantity: str
    exact: float
    measured: float
    error: float | None = None
    tolerance: float | None = None
    note: str = ""

    @property
    def z(self) -> float | None:
        """Standard errors off."""
        if self.error is None or not self.error > 0.0:
            return None
        return (self.measured - self.exact) / self.error

    @property
    def passed(self) -> bool:
        """Whether it agrees; NaN does not."""
        if not math.isfinite(self.measured):
            return False
        if self.tolerance is not None:
            return abs(self.measured - self.exact) <= self.tolerance
        return self.z is not None and abs(self.z) <= LIMIT_Z

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "case": self.case,
            "quantity": self.quantity,
            "exact": self.exact,
            "measured": self.measured,
            "standard_error": self.error,
            "tolerance": self.tolerance,
            "standard_errors_off": self.z,
            "passed": self.passed,
            "note": self.note,
        }


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum beside its exact result, for the figure.

    Parameters
    ----------
    label, unit
        What is drawn.
    wavenumber_cm, measured, error, exact
        (F,) each.
    """

    label: str
    unit: str
    wavenumber_cm: Array
    measured: Array
    error: Array
    exact: Array


@dataclass(frozen=True)
class CaseResult:
    """What one case found."""

    checks: tuple[Check, ...]
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class ValidationTable:
    """All rows.

    Parameters
    ----------
    checks
        Rows in order.
    curves
        For the figure.
    seconds
        Run time of each case.
    version
        Of the program.
    quick
        Whether the short runs were used.
    """

    checks: tuple[Check, ...]
    curves: tuple[Curve, ...]
    seconds: dict[str, float]
    version: str
    quick: bool

    @property
    def passed(self) -> bool:
        """Whether every row agrees."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """Rows that do not agree."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def mean_square_z(self) -> tuple[float, float]:
        """Mean z² of all statistical rows, which is 1 if all errors are right, and its standard error."""
        z = np.array([check.z for check in self.checks if check.z is not None])
        return (float(np.mean(z**2)), math.sqrt(2.0 / len(z))) if len(z) else (math.nan, math.nan)

    def of_case(self, case: str) -> tuple[Check, ...]:
        """Rows of one case."""
        return tuple(check for check in self.checks if check.case == case)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        mean, error = self.mean_square_z
        return {
            "version": self.version,
            "quick": self.quick,
            "passed": self.passed,
            "n_checks": len(self.checks),
            "n_failed": len(self.failures),
            "mean_square_z": mean,
            "mean_square_z_error": error,
            "seconds": self.seconds,
            "checks": [check.to_dict() for check in self.checks],
        }

    def to_text(self) -> str:
        """Return the table as text."""
        lines: list[str] = []
        for case in dict.fromkeys(check.case for check in self.checks):
            lines += [f"{case}  ({self.seconds.get(case, 0.0):.1f} s)", *_rows(self.of_case(case)), ""]
        mean, error = self.mean_square_z
        failed = len(self.failures)
        text = f"{len(self.checks)} quantities, {'all agree' if not failed else f'{failed} DO NOT AGREE'}"
        if not math.isnan(mean):  # there are rows with a standard error
            text += (
                f"; mean z² of all statistical rows {mean:.2f} ± {error:.2f} (1 if the error bars are right)"
            )
        lines.append(text)
        return "\n".join(lines)


def _rows(checks: Iterable[Check]) -> list[str]:
    checks = list(checks)
    width = max(len(check.quantity) for check in checks)
    head = f"  {'quantity':<{width}}  {'exact':>11}  {'measured':>11}  {'std. error':>10}  {'off':>6}"
    rows = [head]
    for check in checks:
        error = "identity" if check.error is None else f"{check.error:.2g}"
        off = "" if check.z is None else f"{check.z:+.2f}"
        verdict = "ok" if check.passed else "FAILED"
        rows.append(
            f"  {check.quantity:<{width}}  {check.exact:>11.5g}  {check.measured:>11.5g}  {error:>10}  "
            f"{off:>6}  {verdict}{'  ' + check.note if check.note else ''}"
        )
    return rows
