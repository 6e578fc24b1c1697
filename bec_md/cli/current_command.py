"""``bec-md current``: the slow part, once."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bec_md.cli.console import Console
from bec_md.cli.inputs import INPUT_OPTIONS, SERIES_FIELDS, InputOptions, open_sources
from bec_md.cli.options import Inputs, with_options
from bec_md.cli.outputs import OutputOptions
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries

CURRENT_HELP = (
    "Compute the polarization current J(t) of a trajectory, once.\n\n"
    "The file is written while it is computed: the same command goes on after an interruption or when the "
    "trajectory has grown. `bec-md spectrum` takes it as INPUT."
)


@with_options(*INPUT_OPTIONS, without=("temperature_k", *SERIES_FIELDS))
def current(
    inputs: Inputs,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.h5",
            help="Where J(t) is kept.",
            rich_help_panel="Output",
            show_default="NAME_current.h5",
        ),
    ] = None,
    overwrite: bool = False,
    quiet: bool = False,
    **given: Any,
) -> None:
    """Compute and store the current of trajectories."""
    run_current(
        inputs, InputOptions.of(given), OutputOptions(current=output, overwrite=overwrite, quiet=quiet)
    )


def run_current(inputs: list[str], options: InputOptions, outputs: OutputOptions) -> None:
    """Announce, compute, check."""
    from bec_md.cli.announce import announce_source
    from bec_md.cli.currents import compute_currents
    from bec_md.cli.inputs import current_path

    outputs.check("--output")
    console = Console(outputs.quiet)
    sources = open_sources(inputs, options)
    for source in sources:
        if source.job is None:
            raise UsageError(
                f"{source.path} is a current already",
                "there is nothing to compute",
                f"analyze it with bec-md spectrum {quote(source.path)}",
            )
        announce_source(console, source)
    paths = [current_path(source, outputs.folder, outputs.current) for source in sources]
    series = compute_currents(console, sources, options, outputs)
    for path, item in zip(paths, series, strict=True):
        check_current(console, path, item)


def check_current(console: Console, path: Path, series: CurrentSeries) -> None:
    """Say what the stored current tells about the run."""
    from bec_md.cli.announce import show_volume
    from bec_md.current.file import stored_rows
    from bec_md.current.replicas import common_constraints

    constraints = common_constraints([series])
    kinetic = series.kinetic_temperature(constraints)
    if kinetic is not None and series.scheme == "velocity":
        each = ", ".join(
            f"{name} {value:.1f}" for name, value in zip(series.groups[:8], kinetic[1], strict=False)
        )
        of = f"{constraints} constraints" if constraints else each
        console.item("temperature", f"{kinetic[0]:.1f} K, kinetic ({of})")
    show_volume(console, series)
    residual, drift = series.sum_rule_residual_e(), series.com_drift_ang_per_fs()
    if residual is not None:
        console.item("sum rule", f"|ΣZ − Q|/N = {residual:.2e} e (r.m.s.), corrected when it is analyzed")
    if drift is not None:
        console.item("drift", f"center of mass {drift:.2e} Å/fs (r.m.s.)")
    held, asked = stored_rows(path), series.n_frames
    longer = f" of the {held} that an earlier run has stored" if held > asked else ""
    only = f" --stop {asked}" if held > asked else ""
    console.item(
        "current", f"{path}: {asked} samples{longer}; next: bec-md spectrum {quote(str(path))}{only}"
    )
