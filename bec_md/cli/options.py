"""The options of the commands: each argument of the program once, with its flag and its help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from bec_md.cli import flags
from bec_md.cli.flags import Command, Flag
from bec_md.cli.values import (
    parse_cell,
    parse_columns,
    parse_elements,
    parse_eps_inf,
    parse_masses,
    parse_stride,
)
from bec_md.current.options import Motions
from bec_md.spectrum.options import EstimatorName, QuantumName, SumRuleName, WindowName

Chosen = TypeVar("Chosen")

_INPUT, _CHARGES, _COMPUTE = "Trajectory", "Born effective charges", "Computing"
_SERIES = "J(t) or M(t) written by another code"
_SPECTRUM, _OUTPUT = "Spectrum", "Output"
_OPTICS = "Optics of crystals, surfaces, slabs and powders"

VelocityUnitsName = Literal["ase", "ang/fs", "ang/ps", "atomic"]
FitName = Literal["lorentz", "four-parameter"]


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

_UNITS = Flag(
    "--units --lammps-units",
    str | None,
    "Units of a file that does not state them: real, metal, … of a LAMMPS dump or log, e*ang/fs, debye, … "
    "of a J(t) or M(t).",
    _INPUT,
    "NAME",
)

_TRAJECTORY = {
    "timestep_fs": Flag(
        "--timestep",
        float | None,
        "Time between stored frames in fs; required unless the file states it.",
        _INPUT,
        "FS",
    ),
    "start": Flag("--start", int, "First frame, counted from 0; negative: from the end.", _INPUT),
    "stop": Flag(
        "--stop", int | None, "End before this frame; negative: from the end.", _INPUT, shown="the last frame"
    ),
    "stride": Flag("--stride", int, "Take every n-th frame.", _INPUT),
    "format": Flag(
        "--format", str | None, "Format of the trajectory.", _INPUT, "NAME", "recognized by content"
    ),
    "topology": Flag(
        "--topology",
        Path | None,
        "Topology for TRR, DCD, NetCDF … (read by MDAnalysis).",
        _INPUT,
        "FILE",
    ),
    "lammps_units": _UNITS,
    "velocity_units": Flag(
        "--velocity-units",
        VelocityUnitsName | None,
        "Units of the velocities of a file that does not state them.",
        _INPUT,
    ),
    "elements": Flag(
        "--elements",
        str | None,
        "Elements of the atom types 1, 2, …, or by type or atom name: 1=Si,2=O; NULL leaves a site out.",
        _INPUT,
        "Si,O",
        read=parse_elements,
    ),
    "masses": Flag(
        "--masses",
        str | None,
        "Masses in amu that replace those of the file or the standard atomic weights.",
        _INPUT,
        "H=2.014",
        read=parse_masses,
    ),
    "velocities": Flag(
        "--velocities",
        str | None,
        "File with the velocities of a trajectory that holds positions alone; none leaves stored ones "
        "unread.",
        _INPUT,
        "FILE|none",
        "found beside the trajectory",
    ),
    "cell_ang": Flag(
        "--cell",
        str | None,
        "Cell of a file that states none, in Å: 3 or 9 numbers separated by commas, lattice vectors one "
        "after the other.",
        _INPUT,
        "NUMBERS",
        read=parse_cell,
    ),
    "charges_transposed": Flag(
        "--transposed", bool, "The first index of the tensors in the file is the displacement.", _CHARGES
    ),
}
_OTHER_CODES = {
    "units": _UNITS,
    "columns": Flag(
        "--columns",
        str | None,
        "Names or numbers (from 1) of the three columns.",
        _SERIES,
        "X,Y,Z",
        "found by name, or the last three",
        parse_columns,
    ),
    "volume_ang3": Flag("--volume", float | None, "Volume of the cell in Å³.", _SERIES, "ANG3"),
    "unwrap": Flag(
        "--unwrap/--no-unwrap",
        bool | None,
        "Follow the branch of a dipole moment that is known modulo the polarization quantum.",
        _SERIES,
        shown="where the file is known to jump",
    ),
}
_CURRENT = {
    "charges": Flag(
        "--charges",
        str,
        "model; file[:KEY] for tensors in the trajectory; born:PATH for constant tensors; "
        "fixed:Si=3.4,O=-1.7; oxidation:Li=1,P=5,O=-2.",
        _CHARGES,
        "SOURCE",
    ),
    "model": Flag(
        "--model",
        str,
        "Network: a bundled name (bec-md models) or a file; auto takes the one that suits the elements; "
        "NAME@LEVEL chooses its level of theory.",
        _CHARGES,
        "NAME|FILE",
        completion=bundled_names,
    ),
    "charge_stride": Flag(
        "--charge-stride",
        str,
        "Evaluate the charges of every n-th frame and interpolate; the error made is reported. auto takes "
        "the largest n that keeps J within --charge-tolerance.",
        _CHARGES,
        "N|auto",
        read=parse_stride,
        default="1",
    ),
    "charge_tolerance": Flag(
        "--charge-tolerance",
        float,
        "Relative error of J that --charge-stride auto may make between evaluated frames.",
        _CHARGES,
        "X",
    ),
    "groups": Flag(
        "--groups",
        str,
        "Partial spectra by species, molecules, sublattices of a crystal, layers:z:8, a file with one label "
        "per atom, or none.",
        _SPECTRUM,
        "HOW",
    ),
    "motions": Flag(
        "--motions",
        Motions | None,
        "Keep the currents of stretching and bending apart, which --control molecules needs.",
        _SPECTRUM,
        shown="none",
    ),
    "device": Flag("--device", str, "Where to run.", _COMPUTE, "cpu|cuda"),
    "batch": Flag("--batch", int | None, "Frames evaluated at once.", _COMPUTE, shown="by memory"),
    "threads": Flag("--threads", int | None, "CPU threads of the network.", _COMPUTE, shown="all"),
    "workers": Flag("--workers", int, "Processes that share the frames.", _COMPUTE),
    "dask_address": Flag("--dask", str | None, "Scheduler of a dask cluster to run on.", _COMPUTE, "ADDRESS"),
}
_ANALYSIS = {
    "temperature_k": Flag(
        "--temperature",
        float | None,
        "Temperature in K.",
        _SPECTRUM,
        "K",
        "mean kinetic temperature of the velocities",
    ),
    "eps_inf": Flag(
        "--eps-inf",
        str | None,
        "ε_∞: 1, 3, 6 (xx yy zz yz xz xy) or 9 numbers separated by commas, or model for the prediction of "
        "the network. Without it nα, σ and ε₂ are given.",
        _SPECTRUM,
        "NUMBERS|model",
        read=parse_eps_inf,
    ),
    "resolution_cm": Flag(
        "--resolution",
        float | None,
        "Full width at half maximum of the smoothing in cm⁻¹.",
        _SPECTRUM,
        "CM-1",
        "what gives 10 % error per point, 2 … 20, and no finer than the run resolves",
    ),
    "estimator": Flag("--estimator", EstimatorName, "How S_J is estimated.", _SPECTRUM),
    "window": Flag("--window", WindowName, "Lag window of the estimator lag.", _SPECTRUM),
    "sum_rule": Flag(
        "--sum-rule",
        SumRuleName,
        "How ΣZ = Q is restored: by mass (barycentric frame), equal shares, or not.",
        _SPECTRUM,
    ),
    "quantum": Flag(
        "--quantum",
        QuantumName,
        "Detailed-balance factor relative to the harmonic one, which is exact for harmonic systems.",
        _SPECTRUM,
    ),
    "max_cm": Flag("--max", float | None, "Highest wavenumber.", _SPECTRUM, "CM-1", "Nyquist"),
    "md_timestep_fs": Flag(
        "--md-timestep",
        float | None,
        "Time step of the velocity-Verlet integration: undoes its shift of frequencies.",
        _SPECTRUM,
        "FS",
    ),
    "subtract_dc": Flag(
        "--subtract-dc", bool, "Leave the DC conductivity of an ionic conductor out of ε.", _SPECTRUM
    ),
    "thermostat_friction_per_ps": Flag(
        "--thermostat-friction",
        float | None,
        "Friction of a Langevin thermostat in 1/ps (LAMMPS: 1/damp): its share of the line widths is "
        "reported.",
        _SPECTRUM,
        "PS-1",
    ),
    "constraints": Flag(
        "--constraints",
        int,
        "Number of rigid bonds and angles in the cell (3 per SHAKE water): they count in the kinetic "
        "temperature.",
        _SPECTRUM,
        "N",
    ),
    "control_variates": Flag(
        "--control --control-variates",
        str,
        "Take off the noise that goes with what is known exactly: f-sum for ⟨J²⟩ along each axis (f-sum "
        "rule), modes for the energy of every mode of a crystal whose sublattices are the groups, molecules "
        "for that of stretching, of bending and of molecules as a whole, auto for modes or molecules where "
        "the current has been prepared for them. The plain estimate is kept beside it.",
        _SPECTRUM,
        "auto|none|f-sum|modes|molecules",
    ),
    "symmetry": Flag(
        "--symmetry",
        str,
        "Average over a point group: auto for that of the mean structure, or its tolerance in Å (0.1), a "
        "symbol (standard setting), or a file with the structure.",
        _SPECTRUM,
        "none|auto|TOLERANCE|m-3m|FILE",
    ),
    "symmetry_tolerance_ang": Flag(
        "--symmetry-tolerance",
        float | None,
        "How far an atom of the mean structure may be from the image of another, in Å.",
        _SPECTRUM,
        "ANG",
        "from the noise of the mean, 0.01 … 0.1",
    ),
    "fit": Flag(
        "--fit",
        FitName | None,
        "Fit the bands along each principal axis (equal ones merged) or each --direction: Lorentz "
        "oscillators to nα, or the four-parameter model (TO, LO, widths) to ε, which needs --eps-inf.",
        _SPECTRUM,
    ),
    "group_matrix": Flag(
        "--group-matrix", bool, "Also store nα of every pair of groups in the HDF5 file.", _OUTPUT
    ),
    "compare_charges": Flag(
        "--compare-charges",
        Path | None,
        "Figure and table of what dynamic charges change: against the mean tensor of each atom and one "
        "scalar per element, on the same motion.",
        _CHARGES,
        "FILE.png|pdf|svg",
    ),
    "oxidation": Flag(
        "--oxidation", str | None, "Add oxidation numbers to --compare-charges.", _CHARGES, "Li=1,O=-2"
    ),
}
_MEASURED = {
    "directions": Flag(
        "--direction",
        list[str] | None,
        "Also give all functions, TO and LO along this direction: x, y, z, two letters for the mean of two "
        "equal axes, or Cartesian components; repeatable.",
        _OPTICS,
        "z|xy|1,1,0",
        read=tuple,
    ),
    "angle_deg": Flag(
        "--angle",
        float | None,
        "Reflectance at this angle of incidence, s and p polarized.",
        _OPTICS,
        "DEGREES",
    ),
    "polarization": Flag(
        "--polarization", Literal["s", "p"] | None, "Only this polarization.", _OPTICS, shown="both"
    ),
    "surface": Flag(
        "--surface",
        str | None,
        "Surface normal of a uniaxial crystal along its axis: ε in the surface and along the normal differ.",
        _OPTICS,
        "z|1,1,0",
        "isotropic average of ε",
    ),
    "thickness_um": Flag(
        "--thickness",
        float | None,
        "Reflectance and transmittance of a free-standing slab of this thickness in µm.",
        _OPTICS,
        "UM",
    ),
    "powder": Flag(
        "--powder",
        bool,
        "Mean absorption and reflectance of randomly oriented grains larger than the wavelength.",
        _OPTICS,
    ),
}
_MODES = {
    "force_constants": Flag(
        "--force-constants",
        Path | None,
        "FORCE_CONSTANTS of phonopy, its .hdf5, or .npz with force constants or eigenvectors.",
        metavar="FILE",
    ),
    "structure": Flag(
        "--structure",
        Path | None,
        "Structure that the force constants belong to (phonopy: SPOSCAR).",
        metavar="FILE",
    ),
    "force_constants_unit": Flag(
        "--force-constants-unit",
        str | None,
        "Unit of FORCE_CONSTANTS, e.g. Ry/bohr^2 (default: from phonopy.yaml, else eV/angstrom^2).",
        metavar="UNIT",
    ),
    "degeneracy_cm": Flag("--degeneracy", float, "Modes closer than this are one.", metavar="CM-1"),
}
_WRITTEN = {
    "output": Flag(
        "--output -o",
        Path | None,
        "All results with tensors, errors and parameters (opens with xarray).",
        _OUTPUT,
        "FILE.h5",
    ),
    "csv": Flag("--csv", Path | None, "One row per wavenumber.", _OUTPUT, "FILE.csv"),
    "plot": Flag("--plot", Path | None, "Figure, in the format of its suffix.", _OUTPUT, "FILE.png|pdf|svg"),
    "report": Flag("--report", Path | None, "Self-contained report.", _OUTPUT, "FILE.html"),
    "json": Flag(
        "--json",
        str | None,
        "All numbers; - writes them to stdout and everything else to stderr.",
        _OUTPUT,
        "FILE.json|-",
    ),
    "current": Flag(
        "--current",
        Path | None,
        "Where J(t) is kept, so that a second analysis takes seconds and an interrupted one goes on.",
        _OUTPUT,
        "FILE.h5",
        "NAME_current.h5",
    ),
    "overwrite": Flag("--overwrite", bool, "Compute the current anew even if it is stored.", _OUTPUT),
    "tensor": Flag("--tensor", bool, "CSV with all nine elements of the tensors too.", _OUTPUT),
    "strict": Flag(
        "--strict",
        bool,
        "Exit status 1 if a self-check fails (outputs are written all the same).",
        _OUTPUT,
    ),
    "verbose": Flag(
        "--verbose -v",
        bool,
        "Say all: units, engine, sums, corrections, every band with its width, a drawing.",
        _OUTPUT,
    ),
    "quiet": Flag("--quiet -q", bool, "Print warnings and errors only.", _OUTPUT),
}

#: Flag by argument: a field of the option classes of the rooms, or a parameter of several commands.
FLAGS: Mapping[str, Flag] = _TRAJECTORY | _OTHER_CODES | _CURRENT | _ANALYSIS | _MEASURED | _MODES | _WRITTEN


def with_options(*kinds: type, without: Iterable[str] = ()) -> Callable[[Command], Command]:
    """Give a command the options of option classes, and its own parameters their flags."""
    return flags.with_options(*kinds, flags=FLAGS, without=without)


def pick(kind: type[Chosen], given: Mapping[str, Any]) -> Chosen:
    """Return a dataclass of options, filled from the parameters of a command by name."""
    return flags.pick(kind, given, FLAGS)


def flag_of(argument: str) -> str:
    """Return the flag of an argument."""
    return flags.spellings(FLAGS[argument].names.split())[0]


def in_terms_of_options(text: str, command: Any = None) -> str:
    """Return a message in which arguments are named as flags, those of `command` first.

    Parameters
    ----------
    text
        The message; arguments stand in backticks.
    command
        The command that was called.
    """
    known = {name: flags.spellings(flag.names.split()) for name, flag in FLAGS.items()}
    known |= {"charges_key": ("--charges file:KEY",) * 2, "level": ("--level",) * 2}
    return flags.in_terms_of_flags(text, known if command is None else known | flags.flags_of(command))
