"""Options of ``bec-md spectrum`` for further analysis and for what is known about the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_CHARGES, _SPECTRUM, _OUTPUT = "Born effective charges", "Spectrum", "Output"

FitName = Literal["lorentz", "four-parameter"]

ChargeTolerance = Annotated[
    float,
    typer.Option(
        "--charge-tolerance",
        metavar="X",
        help="Relative error of J that --charge-stride auto may make between evaluated frames.",
        rich_help_panel=_CHARGES,
    ),
]
CompareCharges = Annotated[
    Path | None,
    typer.Option(
        "--compare-charges",
        metavar="FILE.png|pdf|svg",
        help="Figure and table of what dynamic charges change: against the mean tensor of each atom and one "
        "scalar per element, on the same motion.",
        rich_help_panel=_CHARGES,
        show_default=False,
    ),
]
Oxidation = Annotated[
    str | None,
    typer.Option(
        "--oxidation",
        metavar="Li=1,O=-2",
        help="Add oxidation numbers to --compare-charges.",
        rich_help_panel=_CHARGES,
        show_default=False,
    ),
]
ThermostatFriction = Annotated[
    float | None,
    typer.Option(
        "--thermostat-friction",
        metavar="PS-1",
        help="Friction of a Langevin thermostat in 1/ps (LAMMPS: 1/damp): its share of the line widths is "
        "reported.",
        rich_help_panel=_SPECTRUM,
        show_default=False,
    ),
]
Constraints = Annotated[
    int,
    typer.Option(
        "--constraints",
        metavar="N",
        help="Number of rigid bonds and angles in the cell (3 per SHAKE water): they count in the kinetic "
        "temperature.",
        rich_help_panel=_SPECTRUM,
    ),
]
Fit = Annotated[
    FitName | None,
    typer.Option(
        "--fit",
        help="Fit the bands: Lorentz oscillators to nα, or the four-parameter model (TO, LO and their "
        "widths) to ε, which needs --eps-inf.",
        rich_help_panel=_SPECTRUM,
        show_default=False,
    ),
]
GroupMatrix = Annotated[
    bool,
    typer.Option(
        "--group-matrix",
        help="Also store nα of every pair of groups in the HDF5 file.",
        rich_help_panel=_OUTPUT,
    ),
]
