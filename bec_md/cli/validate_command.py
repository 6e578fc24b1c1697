"""``bec-md validate``: the program against exactly solvable systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bec_md.cli.console import Console
from bec_md.cli.options import with_options
from bec_md.cli.outputs import STDOUT, emit_json, guard
from bec_md.errors import QualityError

VALIDATE_HELP = (
    "Run exactly solvable systems through the program and compare: harmonic crystal, Lorentz, Drude, Debye, "
    "rotors, noise. Exit status 1 if anything does not agree."
)


@with_options()
def validate(
    cases: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CASE...]", help="Only these cases.", show_default="all"),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", metavar="NAME", help="Only this case; may be repeated.", show_default=False),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Four times as much data: half the errors.")] = False,
    list_cases: Annotated[bool, typer.Option("--list", help="Name the cases.")] = False,
    plot: Path | None = None,
    json: str | None = None,
    quiet: bool = False,
) -> None:
    """Compare with exact results."""
    from bec_md.validate import CASES, run_validation

    console = Console(quiet, json == STDOUT)
    if list_cases:
        console.say("\n".join(CASES))
        return
    guard({"--json": json, "--plot": plot}, figures=("--plot",))
    with console.progress("cases", unit="cases") as progress:
        table = run_validation([*(cases or []), *(case or [])] or None, quick=not full, progress=progress)
    console.say(table.to_text())
    if plot is not None:
        from bec_md.validate.figure import write_figure

        write_figure(table, plot)
        console.item("figure", str(plot))
    if json is not None:
        emit_json(json, table.to_dict())
    if not table.passed:
        raise QualityError(
            f"{len(table.failures)} of {len(table.checks)} quantities do not agree with their exact values",
            "this installation computes something wrong: first "
            f"{table.failures[0].case}, {table.failures[0].quantity}",
            "report it with the table above and the versions of numpy and scipy",
        )
