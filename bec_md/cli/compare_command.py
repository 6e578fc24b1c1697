"""``bec-md compare A B``: two spectra, or a spectrum and a measured one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from bec_md.cli.console import Console
from bec_md.cli.options import with_options
from bec_md.cli.outputs import STDOUT, emit_json, guard
from bec_md.cli.values import require_positive
from bec_md.errors import UsageError

COMPARE_HELP = (
    "Compare two spectra, or a spectrum with a measured one.\n\n"
    "Significance (reduced χ² with both error bars), ratio of the integrals, and fits of intensity and "
    "frequency. Reads HDF5 and CSV of bec-md spectrum, CSV tables with a header that names the units, and "
    "n and k of refractiveindex.info (YAML). The sharper curve is smoothed to the other's resolution."
)

QuantityName = Literal[
    "n_alpha", "n_alpha_cm", "eps_imag", "eps_real", "n", "kappa", "alpha", "alpha_cm", "reflectivity",
    "loss",
]  # fmt: skip


@with_options()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Spectrum.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Spectrum or experiment.", show_default=False)],
    quantity: Annotated[QuantityName, typer.Option("--quantity", help="What to compare.")] = "n_alpha",
    min_cm: Annotated[
        float | None, typer.Option("--min", metavar="CM-1", help="Lower end.", show_default=False)
    ] = None,
    max_cm: Annotated[
        float | None, typer.Option("--max", metavar="CM-1", help="Upper end.", show_default=False)
    ] = None,
    factor: Annotated[
        float, typer.Option("--factor", help="Multiply B by this first: units of its own.")
    ] = 1.0,
    plot: Path | None = None,
    json: str | None = None,
    quiet: bool = False,
) -> None:
    """Compare two curves."""
    from bec_md.compare import compare as compare_curves
    from bec_md.compare import open_curve
    from bec_md.compare.text import to_text

    require_positive(factor=factor, max=max_cm)
    if min_cm is not None and max_cm is not None and min_cm >= max_cm:
        raise UsageError(f"--min {min_cm:g} --max {max_cm:g}", "the range is empty", "give --min below --max")
    guard({"--json": json, "--plot": plot}, figures=("--plot",))
    console = Console(quiet, json == STDOUT)
    first, second = open_curve(a, quantity), open_curve(b, quantity)
    if factor != 1.0:
        errors = None if second.errors is None else factor * second.errors
        second = replace(second, values=factor * second.values, errors=errors)
    found = compare_curves(first, second, min_cm=min_cm, max_cm=max_cm)
    console.say(to_text(found))
    if plot is not None:
        from bec_md.compare.figure import write_figure

        write_figure(found, plot)
        console.item("figure", str(plot))
    if json is not None:
        emit_json(json, found.to_dict())
