"""The options that several commands share, each with its help in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_INPUT, _CHARGES, _COMPUTE = "Trajectory", "Born effective charges", "Computing"
_SERIES = "J(t) or M(t) written by another code"
_SPECTRUM, _OUTPUT = "Spectrum", "Output"

EstimatorName = Literal["lag", "welch", "multitaper"]
SumRuleName = Literal["mass", "equal", "none"]
QuantumName = Literal["harmonic", "none", "standard", "schofield"]
WindowName = Literal["gaussian", "parzen", "bartlett", "lorentzian"]
VelocityUnitsName = Literal["ase", "ang/fs", "ang/ps", "atomic"]


def bundled_names(incomplete: str) -> list[str]:
    """Return the bundled models whose names begin like this: for the shell's completion."""
    from bec_md.network.registry import BUNDLED

    names = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
    return [name for name in names if name.startswith(incomplete)]


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Trajectory in any supported format, current file, or J(t) of another code; several are "
        "parts of one run and joined, or replicas of one system and averaged.",
        show_default=False,
    ),
]

# ------------------------------------------------------------------ trajectory
Timestep = Annotated[
    float | None,
    typer.Option(
        "--timestep",
        metavar="FS",
        help="Time between stored frames in fs; required unless the file states it.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
Start = Annotated[int, typer.Option("--start", help="First frame, counted from 0.", rich_help_panel=_INPUT)]
Stop = Annotated[
    int | None,
    typer.Option(
        "--stop", help="End before this frame.", rich_help_panel=_INPUT, show_default="the last frame"
    ),
]
Stride = Annotated[int, typer.Option("--stride", help="Take every n-th frame.", rich_help_panel=_INPUT)]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Format of the trajectory.",
        rich_help_panel=_INPUT,
        show_default="recognized by content",
    ),
]
Topology = Annotated[
    Path | None,
    typer.Option(
        "--topology",
        metavar="FILE",
        help="Topology for TRR, DCD, NetCDF … (read by MDAnalysis).",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
Units = Annotated[
    str | None,
    typer.Option(
        "--units",
        "--lammps-units",
        metavar="NAME",
        help="Units of a file that does not state them: real, metal, … of a LAMMPS dump or log, e*ang/fs, "
        "debye, … of a J(t) or M(t).",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
VelocityUnits = Annotated[
    VelocityUnitsName | None,
    typer.Option(
        "--velocity-units",
        help="Units of the velocities of a file that does not state them.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
Elements = Annotated[
    str | None,
    typer.Option(
        "--elements",
        metavar="Si,O",
        help="Elements of the atom types 1, 2, …, or by type or atom name: 1=Si,2=O; NULL leaves a site out.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]
Masses = Annotated[
    str | None,
    typer.Option(
        "--masses",
        metavar="H=2.014",
        help="Masses in amu that replace those of the file or the standard atomic weights.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]

Velocities = Annotated[
    str | None,
    typer.Option(
        "--velocities",
        metavar="FILE|none",
        help="File with the velocities of a trajectory that holds positions alone; none leaves stored ones "
        "unread.",
        rich_help_panel=_INPUT,
        show_default="found beside the trajectory",
    ),
]
Cell = Annotated[
    str | None,
    typer.Option(
        "--cell",
        metavar="NUMBERS",
        help="Cell of a file that states none, in Å: 3 or 9 numbers separated by commas, lattice vectors one "
        "after the other.",
        rich_help_panel=_INPUT,
        show_default=False,
    ),
]

# ------------------------------------------------------------------ J(t) or M(t) of other codes
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="X,Y,Z",
        help="Names or numbers (from 1) of the three columns.",
        rich_help_panel=_SERIES,
        show_default="found by name, or the last three",
    ),
]
Volume = Annotated[
    float | None,
    typer.Option(
        "--volume",
        metavar="ANG3",
        help="Volume of the cell in Å³.",
        rich_help_panel=_SERIES,
        show_default=False,
    ),
]
Unwrap = Annotated[
    bool | None,
    typer.Option(
        "--unwrap/--no-unwrap",
        help="Follow the branch of a dipole moment that is known modulo the polarization quantum.",
        rich_help_panel=_SERIES,
        show_default="where the file is known to jump",
    ),
]

# ------------------------------------------------------------------ charges
Charges = Annotated[
    str,
    typer.Option(
        "--charges",
        metavar="SOURCE",
        help="model; file[:KEY] for tensors in the trajectory; born:PATH for constant tensors; "
        "fixed:Si=3.4,O=-1.7; oxidation:Li=1,P=5,O=-2.",
        rich_help_panel=_CHARGES,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        autocompletion=bundled_names,
        help="Network: a bundled name (bec-md models) or a file; auto takes the one that suits the elements; "
        "NAME@LEVEL chooses its level of theory.",
        rich_help_panel=_CHARGES,
    ),
]
ChargeStride = Annotated[
    str,
    typer.Option(
        "--charge-stride",
        metavar="N|auto",
        help="Evaluate the charges of every n-th frame and interpolate; the error made is reported. auto "
        "takes the largest n that keeps J within --charge-tolerance.",
        rich_help_panel=_CHARGES,
    ),
]
Transposed = Annotated[
    bool,
    typer.Option(
        "--transposed",
        help="The first index of the tensors in the file is the displacement.",
        rich_help_panel=_CHARGES,
    ),
]
Groups = Annotated[
    str,
    typer.Option(
        "--groups",
        metavar="HOW",
        help="Partial spectra by species, molecules, layers:z:8, a file with one label per atom, or none.",
        rich_help_panel=_SPECTRUM,
    ),
]

# ------------------------------------------------------------------ computing
Device = Annotated[
    str, typer.Option("--device", metavar="cpu|cuda", help="Where to run.", rich_help_panel=_COMPUTE)
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch", help="Frames evaluated at once.", rich_help_panel=_COMPUTE, show_default="by memory"
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", help="CPU threads of the network.", rich_help_panel=_COMPUTE, show_default="all"
    ),
]
Workers = Annotated[
    int, typer.Option("--workers", help="Processes that share the frames.", rich_help_panel=_COMPUTE)
]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Scheduler of a dask cluster to run on.",
        rich_help_panel=_COMPUTE,
        show_default=False,
    ),
]

# ------------------------------------------------------------------ spectrum
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="K",
        help="Temperature in K.",
        rich_help_panel=_SPECTRUM,
        show_default="mean kinetic temperature of the velocities",
    ),
]
EpsInf = Annotated[
    str | None,
    typer.Option(
        "--eps-inf",
        metavar="NUMBERS|model",
        help="ε_∞: 1, 3, 6 (xx yy zz yz xz xy) or 9 numbers separated by commas, or model for the "
        "prediction of the network. Without it nα, σ and ε₂ are given.",
        rich_help_panel=_SPECTRUM,
        show_default=False,
    ),
]
Resolution = Annotated[
    float | None,
    typer.Option(
        "--resolution",
        metavar="CM-1",
        help="Full width at half maximum of the smoothing in cm⁻¹.",
        rich_help_panel=_SPECTRUM,
        show_default="what gives 10 % error per point, within 2 … 20",
    ),
]
Estimator = Annotated[
    EstimatorName, typer.Option("--estimator", help="How S_J is estimated.", rich_help_panel=_SPECTRUM)
]
Window = Annotated[
    WindowName,
    typer.Option("--window", help="Lag window of the estimator lag.", rich_help_panel=_SPECTRUM),
]
SumRule = Annotated[
    SumRuleName,
    typer.Option(
        "--sum-rule",
        help="How ΣZ = Q is restored: by mass (barycentric frame), equal shares, or not.",
        rich_help_panel=_SPECTRUM,
    ),
]
Quantum = Annotated[
    QuantumName,
    typer.Option(
        "--quantum",
        help="Detailed-balance factor relative to the harmonic one, which is exact for harmonic systems.",
        rich_help_panel=_SPECTRUM,
    ),
]
MaxCm = Annotated[
    float | None,
    typer.Option(
        "--max",
        metavar="CM-1",
        help="Highest wavenumber.",
        rich_help_panel=_SPECTRUM,
        show_default="Nyquist",
    ),
]
MdTimestep = Annotated[
    float | None,
    typer.Option(
        "--md-timestep",
        metavar="FS",
        help="Time step of the velocity-Verlet integration: undoes its shift of frequencies.",
        rich_help_panel=_SPECTRUM,
        show_default=False,
    ),
]
SubtractDc = Annotated[
    bool,
    typer.Option(
        "--subtract-dc",
        help="Leave the DC conductivity of an ionic conductor out of ε.",
        rich_help_panel=_SPECTRUM,
    ),
]

# ------------------------------------------------------------------ output
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.h5",
        help="All results with tensors, errors and parameters (opens with xarray).",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE.csv",
        help="One row per wavenumber.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|pdf|svg",
        help="Figure of nα with errors and partials.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.html",
        help="Self-contained report.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Json = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE.json|-",
        help="Numbers and self-checks; - writes them to stdout and everything else to stderr.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
CurrentFile = Annotated[
    Path | None,
    typer.Option(
        "--current",
        metavar="FILE.h5",
        help="Where J(t) is kept, so that a second analysis takes seconds and an interrupted one goes on.",
        rich_help_panel=_OUTPUT,
        show_default="NAME_current.h5",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Compute the current anew even if it is stored.", rich_help_panel=_OUTPUT
    ),
]
Tensor = Annotated[
    bool,
    typer.Option("--tensor", help="CSV with all nine elements of the tensors too.", rich_help_panel=_OUTPUT),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Exit status 1 if a self-check fails (outputs are written all the same).",
        rich_help_panel=_OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print warnings and errors only.", rich_help_panel=_OUTPUT),
]

CurrentOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.h5",
        help="Where J(t) is kept.",
        rich_help_panel=_OUTPUT,
        show_default="NAME_current.h5",
    ),
]
