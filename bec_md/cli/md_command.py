"""``bec-md md``: from a structure to a trajectory, its current and the spectrum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bec_md.cli.charge_comparison import CompareOptions
from bec_md.cli.console import Console, duration, times
from bec_md.cli.inputs import InputOptions
from bec_md.cli.options import pick, with_options
from bec_md.cli.outputs import OutputOptions, guard
from bec_md.cli.spectrum_command import AnalysisOptions, run_spectrum
from bec_md.errors import UsageError
from bec_md.spectrum.analysis.optics_request import OpticsRequest
from bec_md.spectrum.options import SpectrumOptions

if TYPE_CHECKING:
    from bec_md.dynamics import DynamicsOptions
    from bec_md.dynamics.estimate import Estimate

MD_HELP = (
    "Run molecular dynamics of a structure, record J(t), and compute the spectrum.\n\n"
    "A thermostat equilibrates; replicas with separate velocities then conserve their energy. Writes "
    "NAME-1.xyz, NAME-1_current.h5, … and NAME_spectrum.png, .csv, .h5. What was stopped goes on with the "
    "first replica that is not complete."
)
_RUN = "Dynamics"


@with_options()
def md(
    structure: Annotated[
        Path, typer.Argument(metavar="STRUCTURE", help="CIF, POSCAR, extxyz, …", show_default=False)
    ],
    calculator: Annotated[
        str,
        typer.Option(
            "--calculator",
            metavar="NAME|module:factory|lammps:INPUT",
            help="Potential: chgnet, 7net-0 (weights in their packages), what a module makes, or a file of "
            "LAMMPS commands.",
            rich_help_panel=_RUN,
            show_default=False,
        ),
    ],
    temperature: Annotated[
        float, typer.Option("--temperature", metavar="K", help="In K.", rich_help_panel=_RUN)
    ] = 300.0,
    time: Annotated[
        float, typer.Option("--time", metavar="PS", help="Length of every replica.", rich_help_panel=_RUN)
    ] = 10.0,
    replicas: Annotated[
        int, typer.Option("--replicas", help="Runs that are averaged.", rich_help_panel=_RUN)
    ] = 4,
    md_timestep: Annotated[
        float | None,
        typer.Option(
            "--md-timestep",
            metavar="FS",
            help="Integration step.",
            rich_help_panel=_RUN,
            show_default="0.5 with H, else 1",
        ),
    ] = None,
    equilibrate: Annotated[
        float,
        typer.Option("--equilibrate", metavar="PS", help="Thermostat before.", rich_help_panel=_RUN),
    ] = 2.0,
    supercell: Annotated[
        str | None,
        typer.Option(
            "--supercell",
            metavar="NX,NY,NZ",
            help="Cells to repeat.",
            rich_help_panel=_RUN,
            show_default="until 8 Å wide",
        ),
    ] = None,
    npt: Annotated[
        bool,
        typer.Option(
            "--npt",
            help="Take the mean cell at zero pressure instead of the given one.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    fit: Annotated[
        Literal["pod"] | None,
        typer.Option(
            "--fit",
            help="Fit a fast potential (LAMMPS pod) to --calculator first, and run that: for crystals.",
            rich_help_panel=_RUN,
            show_default=False,
        ),
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option(
            "--elements",
            metavar="Mg,O",
            help="Elements of the LAMMPS types 1, 2, ….",
            rich_help_panel=_RUN,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the velocities.", rich_help_panel=_RUN)] = 1,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Say how long it will take, and do nothing.", rich_help_panel=_RUN),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="NAME",
            help="Begin of all file names.",
            show_default="name of the structure",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over.")] = False,
    model: str = "auto",
    eps_inf: str | None = "model",
    resolution_cm: float | None = None,
    quiet: bool = False,
) -> None:
    """Run the dynamics and hand its currents over to the spectrum."""
    from bec_md.cli.announce import describe_model
    from bec_md.dynamics import DynamicsOptions, make_calculator, run_dynamics
    from bec_md.dynamics.calculators import SHORTCUTS
    from bec_md.dynamics.estimate import estimate
    from bec_md.modes.files import read_structure
    from bec_md.network import load_model

    prefix = Path(output or structure.stem)
    wanted = DynamicsOptions(
        temperature,
        time_ps=time,
        replicas=replicas,
        timestep_fs=md_timestep,
        equilibration_ps=equilibrate,
        repeat=_cells(supercell),
        relax_cell=npt,
        seed=seed,
    )
    wanted.check()
    results = OutputOptions(
        output=prefix.with_name(f"{prefix.name}_spectrum.h5"),
        csv=prefix.with_name(f"{prefix.name}_spectrum.csv"),
        plot=prefix.with_name(f"{prefix.name}_spectrum.png"),
        quiet=quiet,
    )
    named = {"--output": results.output, "--output csv": results.csv, "--output png": results.plot}
    runs = {f"--output {k}": prefix.with_name(f"{prefix.name}-{k}.xyz") for k in range(1, replicas + 1)}
    guard({**named, **runs, "--output md": prefix.with_name(f"{prefix.name}_md.json")})
    console = Console(quiet)
    atoms = read_structure(structure)
    _require_cell(atoms, structure)
    network = load_model(model, elements=sorted(set(atoms.numbers.tolist())))
    potential = make_calculator(calculator, elements.split(",") if elements else None)
    options = wanted.resolved(atoms)
    describe_model(console, network)
    console.item("potential", calculator)
    if calculator in SHORTCUTS:
        console.warn(SHORTCUTS[calculator].remark)
    expected = estimate(atoms, potential, options, network)
    announce(console, options, expected)
    if plan:
        return
    if fit is not None:
        potential = fitted(console, atoms, potential, wanted, prefix, overwrite)
    with console.progress("dynamics", total=expected.steps, unit="steps") as bar:
        found = run_dynamics(
            atoms, potential, wanted, prefix, overwrite=overwrite, progress=bar, model=network
        )
    for replica in found.replicas:
        text = f"{replica.temperature_k:.0f} K, energy drifts {replica.drift_mev_atom_ps:+.3g} meV/atom/ps"
        console.item(replica.trajectory, text)
    console.say()
    asked = {"eps_inf": eps_inf, "resolution_cm": resolution_cm, "md_timestep_fs": options.timestep_fs}
    settings = AnalysisOptions(pick(SpectrumOptions, asked), OpticsRequest())
    inputs = [str(path) for path in found.currents]
    run_spectrum(inputs, settings, InputOptions.of({}), results, CompareOptions())


def fitted(
    console: Console, atoms: Any, slow: Any, options: DynamicsOptions, prefix: Path, overwrite: bool
) -> Any:
    """Return a fast potential: fitted now, or by a run before this one."""
    from bec_md.dynamics import make_calculator
    from bec_md.dynamics.pod import fitted_to, species_of

    path = prefix.with_name(f"{prefix.name}_pod.lmp")
    settings = prefix.with_name(f"{prefix.name}_pod_param.pod")
    if overwrite or not path.exists():
        with console.progress("labels", unit="configurations") as bar:
            found = fitted_to(atoms, slow, temperature_k=options.temperature_k, progress=bar)
        found.write(prefix)
        console.item(
            "fit",
            f"held-out configurations: {found.force_error_mev_ang:.0f} meV/Å of "
            f"{1000 * found.rms_force_ev_ang:.0f}, {found.energy_error_mev_atom:.2f} meV/atom",
        )
    console.item("potential", str(path))
    return make_calculator(f"lammps:{path}", species_of(settings.read_text(encoding="utf-8")))


def announce(console: Console, options: DynamicsOptions, expected: Estimate) -> None:
    """Say what will be run, how long it takes, and what error is to be expected."""
    from bec_md.spectrum.analysis.plan import plan_run

    assert options.repeat is not None
    cells = "×".join(str(number) for number in options.repeat)
    console.item("cell", f"{cells}, {expected.n_atoms} atoms, {options.temperature_k:g} K")
    console.item(
        "run",
        f"{options.replicas} × {times(1000 * options.time_ps)} in steps of {options.step_fs:g} fs, "
        f"J every {options.interval * options.step_fs:g} fs",
    )
    planned = plan_run(10.0, 0.1, replicas=options.replicas)
    error = planned.relative_error * (planned.run_time_ps / options.time_ps) ** 0.5
    console.item("error", f"about {100 * error:.0f} % per point at 10 cm⁻¹ for a cubic crystal or a liquid")
    console.item(
        "duration",
        f"about {duration(expected.seconds)}: {expected.steps} steps of "
        f"{1000 * expected.seconds_per_step:.3g} ms, {expected.samples} × Z* of "
        f"{1000 * expected.seconds_per_sample:.3g} ms",
    )


def _cells(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    try:
        x, y, z = (int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(
            f"--supercell {text}", "a cell is repeated along three lattice vectors", "write e.g. 2,2,2"
        ) from None
    return x, y, z


def _require_cell(atoms: Any, structure: Path) -> None:
    if atoms.cell.rank < 3:
        raise UsageError(
            f"{structure.name} has no periodic cell",
            "a spectrum is per volume",
            "give a structure with three lattice vectors; for a molecule, its box",
        )
