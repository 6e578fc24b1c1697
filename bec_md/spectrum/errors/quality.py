"""Self-checks of a spectrum: each says its value, its threshold, what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bec_md.errors import QualityError

Status = Literal["ok", "warn", "fail", "unknown"]


@dataclass(frozen=True)
class QualityCheck:
    """One check.

    Parameters
    ----------
    name
        Short identifier, e.g. "f_sum".
    value
        Measured number, numbers, or None if it could not be measured.
    threshold
        In words, what is accepted.
    status
        ok, warn, fail, or unknown (ingredients missing).
    meaning
        What the check says about the result.
    advice
        What to do if it is not ok.
    """

    name: str
    value: float | tuple[float, ...] | None
    threshold: str
    status: Status
    meaning: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class QualityReport:
    """All checks of one spectrum.

    Parameters
    ----------
    checks
        In the order in which they are shown.
    """

    checks: tuple[QualityCheck, ...] = ()

    def _repr_html_(self) -> str:
        from bec_md.notebook import quality_html

        return quality_html(self)

    def __iter__(self) -> Iterator[QualityCheck]:
        return iter(self.checks)

    def __getitem__(self, name: str) -> QualityCheck:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(check.name == name for check in self.checks)

    @property
    def violations(self) -> tuple[QualityCheck, ...]:
        """Checks that failed: a strict run ends with them."""
        return tuple(c for c in self.checks if c.status == "fail")

    @property
    def warnings(self) -> tuple[QualityCheck, ...]:
        """Checks that failed or are doubtful."""
        return tuple(c for c in self.checks if c.status in ("warn", "fail"))

    def raise_on_violation(self) -> None:
        """Raise if any check failed.

        Raises
        ------
        QualityError
            With the name, value and advice of every failed check.
        """
        if not self.violations:
            return
        raise QualityError(
            "failed checks: " + "; ".join(f"{c.name} = {_text(c.value)}" for c in self.violations),
            " ".join(c.meaning for c in self.violations),
            " ".join(c.advice for c in self.violations),
        )

    def to_list(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [c.to_dict() for c in self.checks]

    @classmethod
    def from_list(cls, items: list[dict[str, Any]]) -> QualityReport:
        """Inverse of `to_list`."""
        checks = []
        for item in items:
            value = item["value"]
            checks.append(
                QualityCheck(**{**item, "value": tuple(value) if isinstance(value, list) else value})
            )
        return cls(tuple(checks))


def graded(deviation: float, warn: float, fail: float) -> Status:
    """Return ok below `warn`, warn below `fail`, else fail; NaN fails."""
    if deviation < warn:
        return "ok"
    return "warn" if deviation < fail else "fail"


def _text(value: float | tuple[float, ...] | None) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, tuple):
        return "(" + ", ".join(f"{v:.4g}" for v in value) + ")"
    return f"{value:.4g}"
