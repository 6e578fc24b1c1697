"""The application: all commands by name."""

from __future__ import annotations

from typing import Annotated

import typer

from bec_md.cli.failures import CommandGroup
from bec_md.cli.spectrum_command import SPECTRUM_HELP, spectrum

app = typer.Typer(
    name="bec-md",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: bec-md spectrum TRAJECTORY",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from bec_md import __version__

        print(f"bec-md {__version__}")
        raise typer.Exit


@app.callback()
def callback(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and warnings of libraries.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Infrared spectra and dielectric functions from molecular dynamics with Born effective charges."""


SPECTRA = "Spectra"

app.command("spectrum", rich_help_panel=SPECTRA, help=SPECTRUM_HELP)(spectrum)
