"""``bec-md md``: from a structure to a trajectory, its current and the spectrum."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bec_md.cli import options
from bec_md.cli.charge_comparison import CompareOptions
from bec_md.cli.console import Console, duration, times
from bec_md.cli.failures import InterruptedByUserError, stopped_by
from bec_md.cli.flags import Flag, pick, with_options
from bec_md.cli.inputs import InputOptions
from bec_md.cli.outputs import OutputOptions, guard
from bec_md.cli.spectrum_command import AnalysisOptions, run_spectrum
from bec_md.dynamics.options import DynamicsOptions
from bec_md.errors import UsageError
from bec_md.files import expanded, read_text
from bec_md.spectrum.analysis.optics_request import OpticsRequest
from bec_md.spectrum.options import SpectrumOptions

if TYPE_CHECKING:
    from bec_md.dynamics.calculators import NamedCalculator
    from bec_md.dynamics.estimate import Estimate
    from bec_md.dynamics.run import DynamicsResult
    from bec_md.network import BecModel

MD_HELP = (
    "Run molecular dynamics of a structure, record J(t), and compute the spectrum.\n\n"
    "A thermostat equilibrates every replica, which then conserves its energy. Writes "
    "NAME-1.xyz, NAME-1_current.h5, … and NAME_spectrum.png, .csv, .h5. Replicas run side by side on the "
    "cores there are. What was stopped goes on with the replicas that are not complete."
)
_RUN = "Dynamics"


def parse_repeat(text: str) -> tuple[int, int, int]:
    """Three whole numbers separated by commas."""
    try:
        x, y, z = (int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(
            f"`repeat={text}`", "a cell is repeated along three lattice vectors", "write e.g. 2,2,2"
        ) from None
    return x, y, z


_FLAGS = {
    "temperature_k": Flag("--temperature", float, "In K.", _RUN, "K"),
    "time_ps": Flag("--time", float, "Length of every replica.", _RUN, "PS"),
    "replicas": Flag("--replicas", int, "Runs that are averaged.", _RUN),
    "md_timestep_fs": Flag(
        "--md-timestep", float | None, "Integration step.", _RUN, "FS", "0.5 with H, else 1"
    ),
    "store_fs": Flag(
        "--store", float | None, "Longest time between samples.", _RUN, "FS", "2 with H, else 4"
    ),
    "equilibration_ps": Flag("--equilibrate", float, "Thermostat before every replica.", _RUN, "PS"),
    "workers": Flag(
        "--workers", int | None, "Processes: replicas, and labels of a fit.", _RUN, "N", "as many as cores"
    ),
    "repeat": Flag(
        "--supercell", str | None, "Cells to repeat.", _RUN, "NX,NY,NZ", "until 8 Å wide", parse_repeat
    ),
    "relax_cell": Flag("--npt", bool, "Take the mean cell at zero pressure instead of the given one.", _RUN),
    "seed": Flag("--seed", int, "Of the velocities.", _RUN),
    "calculator": Flag(
        "--calculator",
        str,
        "Potential: chgnet, 7net-0 (weights in their packages), what a module makes, or a file of LAMMPS "
        "commands.",
        _RUN,
        "NAME|module:factory|lammps:INPUT",
    ),
    "elements": Flag("--elements", str | None, "Elements of the LAMMPS types 1, 2, ….", _RUN, "Mg,O"),
    "fit": Flag(
        "--fit",
        Literal["pod"] | None,
        "Fit a fast potential (LAMMPS pod) to --calculator first, and run that: for crystals.",
        _RUN,
    ),
    "plan": Flag("--plan", bool, "Say how long it will take, and do nothing.", _RUN),
    "output": Flag(
        "--output -o", str | None, "Begin of all file names.", _RUN, "NAME", "name of the structure"
    ),
    "overwrite": Flag("--overwrite", bool, "Start over.", _RUN),
}
FLAGS = {**options.FLAGS, **_FLAGS}


@with_options(DynamicsOptions, flags=FLAGS)
def md(
    structure: Annotated[
        Path, typer.Argument(metavar="STRUCTURE", help="CIF, POSCAR, extxyz, …", show_default=False)
    ],
    calculator: str,
    fit: Literal["pod"] | None = None,
    elements: str | None = None,
    workers: int | None = None,
    plan: bool = False,
    output: str | None = None,
    overwrite: bool = False,
    model: str = "auto",
    eps_inf: str | None = "model",
    resolution_cm: float | None = None,
    quiet: bool = False,
    **given: Any,
) -> None:
    """Run the dynamics and hand its currents over to the spectrum."""
    from bec_md.atomic import only_writer
    from bec_md.dynamics import run_dynamics
    from bec_md.dynamics.estimate import estimate
    from bec_md.dynamics.run import lock_of
    from bec_md.processes import cores, require_workers

    prefix = prefix_of(structure, output)
    wanted = pick(DynamicsOptions, given, FLAGS)
    wanted.check()
    asked: dict[str, Any] = {"eps_inf": eps_inf, "resolution_cm": resolution_cm}
    analysis_of(asked).check()
    require_workers(count := cores() if workers is None else workers)
    results, console = outputs_of(prefix, wanted.replicas, quiet), Console(quiet)
    system = System.of(console, structure, model, calculator, elements, count, wanted.relax_cell)
    announce_run(console, wanted.resolved(system.atoms))
    expected = estimate(system.atoms, system.potential(), wanted, system.network, workers=count)
    if fit is not None:
        announce_labels(console, system.atoms, expected, count)
    if plan:
        if fit is None:
            announce_duration(console, expected)
        return
    if fit is not None:
        with stoppable("labels of the fit are kept"), only_writer(lock_of(prefix), prefix.name):
            potential = fitted(console, system, wanted, prefix, count, overwrite)
        system = replace(system, potential=potential)
        expected = estimate(system.atoms, potential(), wanted, system.network, workers=count)
    announce_duration(console, expected)
    total = expected.options.total_steps
    kept = stoppable("complete replicas are kept, and the cell")
    with kept, console.progress("dynamics", total=total, unit="steps") as bar:
        found = run_dynamics(
            system.atoms,
            system.potential,
            wanted,
            prefix,
            overwrite=overwrite,
            workers=count,
            progress=bar,
            model=system.network,
        )
    announce_replicas(console, found)
    analyze(found, asked | {"md_timestep_fs": expected.options.md_timestep_fs}, results)


def analyze(found: DynamicsResult, asked: dict[str, Any], results: OutputOptions) -> None:
    """Compute the spectrum of all replicas."""
    inputs = [str(path) for path in found.currents]
    run_spectrum(inputs, analysis_of(asked), InputOptions.of({}), results, CompareOptions())


def prefix_of(structure: Path, output: str | None) -> Path:
    """Return the begin of all file names.

    Raises
    ------
    UsageError
        If it is no name.
    """
    prefix = expanded(output or structure.stem)
    if prefix.name in ("", ".."):
        raise UsageError(f"--output {output}", "it is the begin of file names", "give e.g. --output run/MgO")
    return prefix


def analysis_of(asked: dict[str, Any]) -> AnalysisOptions:
    """Return how the spectrum of all replicas is computed."""
    return AnalysisOptions(pick(SpectrumOptions, asked, FLAGS), OpticsRequest())


def require_samples(expected: Estimate) -> None:
    """Refuse replicas that are too short for a spectrum, or of one atom, before they are run.

    Raises
    ------
    UsageError
        With what is missing.
    """
    from bec_md.spectrum.estimators.blocks import FEWEST

    if expected.n_atoms < 2:
        raise UsageError(
            "a cell of one atom",
            "it moves against no other, and the center of mass is at rest",
            "repeat the cell, e.g. `repeat=2,2,2`",
        )
    if expected.samples < FEWEST:
        raise UsageError(
            f"{expected.samples} samples of J in each replica",
            f"a spectrum needs at least {FEWEST}",
            "give a longer `time_ps`, or a shorter `store_fs`",
        )


def announce_replicas(console: Console, found: DynamicsResult) -> None:
    """Say how each replica went."""
    for replica in found.replicas:
        text = f"{replica.temperature_k:.0f} K, energy drifts {replica.drift_mev_atom_ps:+.3g} meV/atom/ps"
        console.item(replica.trajectory, text)
    console.say()


@contextmanager
def stoppable(kept: str) -> Iterator[None]:
    """Say after Ctrl-C or another signal to end what is kept and how to go on."""
    again = "give the same command again: it goes on where it stopped"
    try:
        yield
    except KeyboardInterrupt as stop:
        raise InterruptedByUserError(stopped_by(stop), kept, again, stop) from stop


@dataclass(frozen=True)
class System:
    """What is run: atoms, the potential that moves them, the network that gives their charges."""

    atoms: Any
    potential: NamedCalculator
    network: BecModel

    @classmethod
    def of(
        cls,
        console: Console,
        structure: Path,
        model: str,
        calculator: str,
        elements: str | None,
        workers: int,
        relax_cell: bool,
    ) -> System:
        """Read and load what the command names, and say what it is.

        Raises
        ------
        UsageError
            Without a periodic cell, or if the model or the potential does not exist.
        """
        from bec_md.cli.announce import describe_model
        from bec_md.dynamics.calculators import SHORTCUTS, NamedCalculator, require_forces
        from bec_md.network import load_model
        from bec_md.processes import cores
        from bec_md.structure.ase_files import read_structure

        atoms = read_structure(structure)
        _require_cell(atoms, structure)
        potential = NamedCalculator(
            calculator, tuple(elements.replace(" ", "").split(",")) if elements else None
        )
        threads = max(1, cores() // max(1, workers))
        potential()
        _limit_torch(threads)
        network = load_model(model, structures=[atoms], threads=threads)
        describe_model(console, network)
        console.item("potential", calculator)
        if calculator in SHORTCUTS:
            console.warn(SHORTCUTS[calculator].remark)
        require_forces(atoms, potential(), stress=relax_cell)
        return cls(atoms, potential, network)


def _limit_torch(threads: int) -> None:
    """Let a potential of PyTorch take its share of the cores, as it will in every worker."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def outputs_of(prefix: Path, replicas: int, quiet: bool) -> OutputOptions:
    """Return the files of the spectrum, once all that will be written is known to replace no input."""
    files = {kind: prefix.with_name(f"{prefix.name}_spectrum.{kind}") for kind in ("h5", "csv", "png")}
    runs = [f"-{number}.xyz" for number in range(1, replicas + 1)]
    others = [prefix.with_name(prefix.name + ending) for ending in (*runs, "_md.json")]
    guard({f"--output ({path.name})": path for path in (*files.values(), *others)})
    return OutputOptions(output=files["h5"], csv=files["csv"], plot=files["png"], quiet=quiet)


def fitted(
    console: Console, system: System, options: DynamicsOptions, prefix: Path, workers: int, overwrite: bool
) -> NamedCalculator:
    """Return a fast potential: fitted now, or by a run before this one."""
    from bec_md.dynamics.calculators import NamedCalculator
    from bec_md.dynamics.labels import KeptLabels
    from bec_md.dynamics.pod import fitted_to, settings_of, species_of

    path = prefix.with_name(f"{prefix.name}_pod.lmp")
    settings = prefix.with_name(f"{prefix.name}_pod_param.pod")
    labels = prefix.with_name(f"{prefix.name}_labels.xyz")
    if overwrite:
        labels.unlink(missing_ok=True)
    relax = options.relax_cell
    about = settings_of(system.atoms, str(system.potential), options.temperature_k, relax_cell=relax)
    kept = KeptLabels(labels, about)
    if overwrite or not path.exists():
        with console.progress("labels", unit="configurations") as bar:
            found = fitted_to(
                system.atoms,
                system.potential,
                temperature_k=options.temperature_k,
                relax_cell=relax,
                workers=workers,
                kept=kept,
                progress=bar,
            )
        found.write(prefix)
        console.item(
            "fit",
            f"held-out configurations: {found.force_error_mev_ang:.0f} meV/Å of "
            f"{1000 * found.rms_force_ev_ang:.0f}, {found.energy_error_mev_atom:.2f} meV/atom",
        )
    console.item("potential", str(path))
    return NamedCalculator(f"lammps:{path}", tuple(species_of(read_text(settings))))


def announce_run(console: Console, options: DynamicsOptions) -> None:
    """Say what will be run, and what error is to be expected."""
    from bec_md.spectrum.analysis.plan import plan_run

    assert options.repeat is not None
    cells = "×".join(str(number) for number in options.repeat)
    console.item("cell", f"{cells}, {options.temperature_k:g} K")
    console.item(
        "run",
        f"{options.replicas} × {times(1000 * options.time_ps)} in steps of {options.step_fs:g} fs, "
        f"J every {options.interval * options.step_fs:g} fs",
    )
    planned = plan_run(10.0, 0.1, replicas=options.replicas)
    error = planned.relative_error * (planned.run_time_ps / options.time_ps) ** 0.5
    console.item("error", f"about {100 * error:.0f} % per point at 10 cm⁻¹ for a cubic crystal or a liquid")


def announce_labels(console: Console, atoms: Any, expected: Estimate, workers: int) -> None:
    """Say how long the labels of a fit take, by what a step of the slow potential takes."""
    from bec_md.dynamics.pod import labels_of

    count, cells = labels_of(atoms)
    seconds = count * expected.seconds_per_step * cells / expected.n_atoms / max(1, workers)
    console.item(
        "labels",
        f"about {duration(seconds)}: {count} configurations of {cells} atoms{_shared(workers)}",
    )


def announce_duration(console: Console, expected: Estimate) -> None:
    """Say how long the run takes; refuse one that is too short."""
    require_samples(expected)
    options = expected.options
    console.item(
        "duration",
        f"about {duration(expected.seconds)}: {options.total_steps} steps of {expected.n_atoms} atoms of "
        f"{1000 * expected.seconds_per_step:.3g} ms, {options.replicas * expected.samples} × Z* of "
        f"{1000 * expected.seconds_per_sample:.3g} ms{_shared(expected.workers)}",
    )


def _shared(workers: int) -> str:
    return f", {workers} processes" if workers > 1 else ""


def _require_cell(atoms: Any, structure: Path) -> None:
    if atoms.cell.rank < 3:
        raise UsageError(
            f"{structure.name} has no periodic cell",
            "a spectrum is per volume",
            "give a structure with three lattice vectors; for a molecule, its box",
        )
