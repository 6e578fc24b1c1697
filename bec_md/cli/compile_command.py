"""``bec-md compile``: a model as an AOTInductor package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

COMPILE_HELP = (
    "Compile a model into an AOTInductor package for programs with libtorch.\n\n"
    "Not needed for fix bec or for this program: both evaluate the model file itself."
)


def compile_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Bundled name or model file.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.pt2", help="Package to write.")],
    native: Annotated[
        bool,
        typer.Option("--native", help="Use this machine's own instruction set.", show_default="x86-64-v3"),
    ] = False,
) -> None:
    """Compile a model."""
    from bec_md.cli.console import Console
    from bec_md.network.compiled import compile_model as run
    from bec_md.network.registry import model_path

    console = Console(False)
    console.item("compiling", "about a minute")
    metadata = run(model_path(model), output, portable=not native)
    for key, value in metadata.items():
        if key != "elements":
            console.item(key, str(value))
    console.item("package", str(output))
