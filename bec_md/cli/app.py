"""The application: all commands by name."""

from __future__ import annotations

from typing import Annotated

import typer

from bec_md.cli.bench_command import BENCH_HELP, bench
from bec_md.cli.born_command import BORN_HELP, born
from bec_md.cli.cite_command import CITE_HELP, cite
from bec_md.cli.compare_command import COMPARE_HELP, compare
from bec_md.cli.compile_command import compile_model
from bec_md.cli.current_command import CURRENT_HELP, current
from bec_md.cli.export_command import EXPORT_HELP, export
from bec_md.cli.failures import CommandGroup
from bec_md.cli.harmonic_command import HARMONIC_HELP, harmonic
from bec_md.cli.lammps_command import lammps_app
from bec_md.cli.md_command import MD_HELP, md
from bec_md.cli.models_command import INFO_HELP, MODELS_HELP, info, models
from bec_md.cli.modes_command import MODES_HELP, modes
from bec_md.cli.plan_command import PLAN_HELP, plan
from bec_md.cli.plot_command import PLOT_HELP, plot
from bec_md.cli.predict_command import PREDICT_HELP, predict
from bec_md.cli.spectrum_command import SPECTRUM_HELP, spectrum
from bec_md.cli.training_commands import (
    COLLECT_HELP,
    EVALUATE_HELP,
    TRAIN_HELP,
    collect,
    evaluate,
    train,
)
from bec_md.cli.validate_command import VALIDATE_HELP, validate

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
        from bec_md.cli.version import version_text

        print(version_text())
        raise typer.Exit


@app.callback()
def callback(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and warnings of libraries.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and what is installed with it: for a report of a fault.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Infrared spectra and dielectric functions from molecular dynamics with Born effective charges."""


SPECTRA, NETWORKS, OTHER = "Spectra", "Networks", "Planning and tools"

app.command("spectrum", rich_help_panel=SPECTRA, help=SPECTRUM_HELP)(spectrum)
app.command("current", rich_help_panel=SPECTRA, help=CURRENT_HELP)(current)
app.command("md", rich_help_panel=SPECTRA, help=MD_HELP)(md)
app.command("plot", rich_help_panel=SPECTRA, help=PLOT_HELP)(plot)
app.command("export", rich_help_panel=SPECTRA, help=EXPORT_HELP)(export)
app.command("compare", rich_help_panel=SPECTRA, help=COMPARE_HELP)(compare)
app.command("modes", rich_help_panel=SPECTRA, help=MODES_HELP)(modes)
app.command("harmonic", rich_help_panel=SPECTRA, help=HARMONIC_HELP)(harmonic)
app.command("born", rich_help_panel=NETWORKS, help=BORN_HELP)(born)
app.command("predict", rich_help_panel=NETWORKS, help=PREDICT_HELP)(predict)
app.command("models", rich_help_panel=NETWORKS, help=MODELS_HELP)(models)
app.command("evaluate", rich_help_panel=NETWORKS, help=EVALUATE_HELP)(evaluate)
app.command("train", rich_help_panel=NETWORKS, help=TRAIN_HELP)(train)
app.command("collect", rich_help_panel=NETWORKS, help=COLLECT_HELP)(collect)
app.command("plan", rich_help_panel=OTHER, help=PLAN_HELP)(plan)
RETIRED = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command("compile", hidden=True, context_settings=RETIRED)(compile_model)
app.command("bench", rich_help_panel=OTHER, help=BENCH_HELP)(bench)
app.command("validate", rich_help_panel=OTHER, help=VALIDATE_HELP)(validate)
app.command("cite", rich_help_panel=OTHER, help=CITE_HELP)(cite)
app.command("info", rich_help_panel=OTHER, help=INFO_HELP)(info)
app.add_typer(lammps_app, name="lammps", rich_help_panel=OTHER)
