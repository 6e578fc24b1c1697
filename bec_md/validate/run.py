"""Run the cases."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module

from bec_md import __version__
from bec_md.errors import UsageError
from bec_md.validate.table import CaseResult, ValidationTable

#: Name on the command line: module and function.
CASES: dict[str, tuple[str, str]] = {
    "harmonic": ("bec_md.validate.harmonic", "harmonic_crystal"),
    "files": ("bec_md.validate.harmonic", "harmonic_files"),
    "static": ("bec_md.validate.harmonic", "static_limit"),
    "lo-to": ("bec_md.validate.oscillators", "longitudinal"),
    "lorentz": ("bec_md.validate.oscillators", "lorentz"),
    "drude": ("bec_md.validate.oscillators", "drude"),
    "debye": ("bec_md.validate.rotors", "debye"),
    "rotors": ("bec_md.validate.rotors", "free_rotors"),
    "boost": ("bec_md.validate.noise", "boost"),
    "white-noise": ("bec_md.validate.noise", "white_noise"),
    "shared-noise": ("bec_md.validate.noise", "shared_noise"),
}

Progress = Callable[[int, int | None], None]


def run_validation(
    cases: Sequence[str] | None = None, quick: bool = True, progress: Progress | None = None
) -> ValidationTable:
    """Run exactly solvable cases through the program and compare.

    Every case makes its own data with a fixed seed, so that the table is the same on every machine up to
    rounding.

    Parameters
    ----------
    cases
        Names from `CASES`; all by default.
    quick
        Short runs (about half a minute in all); False takes about four times as many, with half the errors.
    progress
        Called with (cases done, number of cases).

    Returns
    -------
    ValidationTable
        Measured and exact values of every case.

    Raises
    ------
    UsageError
        For a name that is not known.
    """
    names = list(CASES) if cases is None else list(dict.fromkeys(cases))
    for name in names:
        if name not in CASES:
            raise UsageError(
                f"there is no case {name!r}",
                "each case is a system whose spectrum is known exactly",
                f"choose from {', '.join(CASES)}",
            )
    results: list[CaseResult] = []
    seconds: dict[str, float] = {}
    for number, name in enumerate(names):
        if progress is not None:
            progress(number, len(names))
        start = time.perf_counter()
        result = run_case(name, full=not quick)
        seconds[result.checks[0].case] = time.perf_counter() - start
        results.append(result)
    return ValidationTable(
        tuple(check for result in results for check in result.checks),
        tuple(curve for result in results for curve in result.curves),
        seconds,
        __version__,
        quick,
    )


def run_case(name: str, *, full: bool = False) -> CaseResult:
    """Run one case of `CASES`."""
    module, function = CASES[name]
    result: CaseResult = getattr(import_module(module), function)(full)
    return result
