"""``bec-md export``: a stored spectrum as a file of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bec_md.cli.console import Console
from bec_md.cli.options import with_options
from bec_md.cli.outputs import guard

EXPORT_HELP = (
    "Write a stored spectrum for other programs; the suffix chooses the format.\n\n"
    ".jdx: one function as JCAMP-DX. .yml: n and κ like a record of refractiveindex.info (pyElli and other "
    "optical programs). .exp: ε for PDielec. Errors are written beside the values where a format has room."
)


@with_options()
def export(
    file: Annotated[
        Path,
        typer.Argument(metavar="SPECTRUM", help="Written by bec-md spectrum -o.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE.jdx|yml|exp", help="Where to write.", show_default=False
        ),
    ],
    quantity: Annotated[
        str | None,
        typer.Option(
            "--quantity",
            help="Function in JCAMP-DX: alpha, reflectivity, n_alpha, n, kappa, eps1, eps2, loss.",
            show_default="alpha; n_alpha without ε_∞",
        ),
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(
            "--direction",
            metavar="z|xy|1,1,0",
            help="Along a direction instead of the average.",
            show_default=False,
        ),
    ] = None,
    quiet: bool = False,
) -> None:
    """Export one spectrum."""
    from bec_md.export import export_spectrum
    from bec_md.files import require_file
    from bec_md.spectrum import load_spectrum

    guard({"--output": output})
    export_spectrum(load_spectrum(require_file(file)), output, quantity, along)
    Console(quiet).item("written", str(output))
