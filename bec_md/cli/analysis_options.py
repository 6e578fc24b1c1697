"""Options of ``bec-md spectrum`` for further analysis and for what is known about the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_CHARGES, _SPECTRUM, _OUTPUT = "Born effective charges", "Spectrum", "Output"
_OPTICS = "Optics of crystals, surfaces, slabs and powders"

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
        help="Fit the bands along each principal axis (equal ones merged) or each --direction: Lorentz "
        "oscillators to nα, or the four-parameter model (TO, LO, widths) to ε, which needs --eps-inf.",
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

Directions = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        metavar="z|xy|1,1,0",
        help="Also give all functions, TO and LO along this direction: x, y, z, two letters for the mean of "
        "two equal axes, or Cartesian components; repeatable.",
        rich_help_panel=_OPTICS,
        show_default=False,
    ),
]
Angle = Annotated[
    float | None,
    typer.Option(
        "--angle",
        metavar="DEGREES",
        help="Reflectance at this angle of incidence, s and p polarized.",
        rich_help_panel=_OPTICS,
        show_default=False,
    ),
]
Polarization = Annotated[
    Literal["s", "p"] | None,
    typer.Option(
        "--polarization",
        help="Only this polarization.",
        rich_help_panel=_OPTICS,
        show_default="both",
    ),
]
Surface = Annotated[
    str | None,
    typer.Option(
        "--surface",
        metavar="z|1,1,0",
        help="Surface normal of a uniaxial crystal along its axis: ε in the surface and along the normal "
        "differ.",
        rich_help_panel=_OPTICS,
        show_default="isotropic average of ε",
    ),
]
Thickness = Annotated[
    float | None,
    typer.Option(
        "--thickness",
        metavar="UM",
        help="Reflectance and transmittance of a free-standing slab of this thickness in µm.",
        rich_help_panel=_OPTICS,
        show_default=False,
    ),
]
Powder = Annotated[
    bool,
    typer.Option(
        "--powder",
        help="Mean absorption and reflectance of randomly oriented grains larger than the wavelength.",
        rich_help_panel=_OPTICS,
    ),
]
