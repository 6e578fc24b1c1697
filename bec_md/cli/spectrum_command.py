"""``bec-md spectrum``: from trajectories or stored currents to the infrared spectrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.cli import analysis_options as more
from bec_md.cli import options as opt
from bec_md.cli.charge_comparison import CompareOptions
from bec_md.cli.console import Console
from bec_md.cli.inputs import ChargeOptions, Source, TrajectoryOptions, open_sources
from bec_md.cli.outputs import STDOUT, OutputOptions, write_outputs
from bec_md.cli.shared_options import with_options
from bec_md.cli.values import parse_eps_inf, pick, require_positive
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Spectrum
    from bec_md.spectrum.analysis.charge_comparison import ChargeComparison
    from bec_md.spectrum.analysis.measured_optics import OpticsRequest


SPECTRUM_HELP = (
    "Compute the infrared spectrum of a trajectory.\n\n"
    "Without -o, --csv, --plot, --report or --json it writes NAME_spectrum.png, .csv and .h5 into the current"
    " folder. NAME_current.h5 keeps the current J(t): a second analysis takes seconds, and an interrupted "
    "run goes on where it stopped."
)


@dataclass(frozen=True)
class SpectrumOptions:
    """How the spectrum is made from the current."""

    temperature: opt.Temperature = None
    eps_inf: opt.EpsInf = None
    resolution: opt.Resolution = None
    estimator: opt.Estimator = "lag"
    window: opt.Window = "gaussian"
    sum_rule: opt.SumRule = "mass"
    quantum: opt.Quantum = "harmonic"
    max: opt.MaxCm = None
    md_timestep: opt.MdTimestep = None
    subtract_dc: opt.SubtractDc = False
    groups: opt.Groups = "species"
    thermostat_friction: more.ThermostatFriction = None
    constraints: more.Constraints = 0
    fit: more.Fit = None
    directions: more.Directions = None
    angle: more.Angle = None
    polarization: more.Polarization = None
    surface: more.Surface = None
    thickness: more.Thickness = None
    powder: more.Powder = False
    group_matrix: more.GroupMatrix = False

    @property
    def optics(self) -> OpticsRequest:
        """What is asked for beyond the usual functions."""
        from bec_md.spectrum.analysis.measured_optics import OpticsRequest

        return OpticsRequest(
            tuple(self.directions or ()),
            self.angle,
            self.polarization,
            self.surface,
            self.thickness,
            self.powder,
        )

    def check(self) -> None:
        """Refuse numbers that are not positive, and an ε_∞ that is none."""
        parse_eps_inf(self.eps_inf)
        require_positive(
            temperature=self.temperature,
            resolution=self.resolution,
            max=self.max,
            md_timestep=self.md_timestep,
            thermostat_friction=self.thermostat_friction,
        )
        self.optics.check()
        if self.eps_inf is None and self.optics.needs_eps_inf:
            raise UsageError(
                "--angle, --thickness or --powder without --eps-inf",
                "reflectance and transmittance follow from ε, which needs ε_∞",
                "give --eps-inf, e.g. --eps-inf 2.4 or --eps-inf model",
            )
        if self.fit is not None and self.quantum != "harmonic":
            raise UsageError(
                f"--fit with --quantum {self.quantum}",
                "oscillators describe the response itself; such a factor multiplies it by a function of T",
                "leave --quantum out for the fit",
            )
        if self.fit == "four-parameter" and self.eps_inf is None:
            raise UsageError(
                "--fit four-parameter without --eps-inf",
                "TO and LO frequencies are poles and zeros of ε, which needs ε_∞",
                "give --eps-inf, or use --fit lorentz",
            )


@with_options(TrajectoryOptions, ChargeOptions, CompareOptions, SpectrumOptions, OutputOptions)
def spectrum(inputs: opt.Inputs, **given: Any) -> None:
    """Compute the infrared spectrum of trajectories or stored currents."""
    run_spectrum(
        inputs,
        pick(TrajectoryOptions, given),
        pick(ChargeOptions, given),
        pick(SpectrumOptions, given),
        pick(OutputOptions, given),
        pick(CompareOptions, given),
    )


def run_spectrum(
    inputs: list[str],
    trajectory: TrajectoryOptions,
    charges: ChargeOptions,
    settings: SpectrumOptions,
    outputs: OutputOptions,
    comparison: CompareOptions | None = None,
) -> None:
    """Announce, compute the currents, analyze, write, summarize."""
    from bec_md.cli.announce import announce_source, announce_spectrum, time_grid
    from bec_md.cli.charge_comparison import draw_comparison, show_comparison
    from bec_md.cli.currents import compute_currents
    from bec_md.cli.summary import show_preview, summarize
    from bec_md.cli.values import stem_of

    settings.check()
    preview_wanted = outputs.plot is None
    outputs = outputs.with_defaults(stem_of(inputs[0]))
    outputs.check()
    console = Console(outputs.quiet, outputs.json == STDOUT)
    # partial spectra by species cost nothing to keep: "none" hides them, and the stored current stays useful
    groups = "species" if charges.groups == "none" else charges.groups
    sources = open_sources(inputs, trajectory, charges, groups=groups, temperature=settings.temperature)
    require_temperature(sources, settings)
    compared = comparison or CompareOptions()
    compared.check(sources)
    for source in sources:
        announce_source(console, source)
    announce_spectrum(console, time_grid(sources), settings.resolution, settings.estimator, settings.max)
    series = compute_currents(console, sources, charges, outputs)
    result, table = further_analysis(console, sources, series, settings, compared)
    failure: Exception | None = None
    written: list[tuple[str, Path]] = []
    try:
        written = write_outputs(result, series, outputs, console.warn, card_of(sources))
    except Exception as error:  # the summary is still worth printing
        failure = error
    summarize(console, result, series)
    if table is not None and compared.compare_charges is not None:
        show_comparison(console, table)
        draw_comparison(table, compared.compare_charges)
        written.append(("charges", compared.compare_charges))
    if preview_wanted:
        show_preview(console, result)
    console.say()
    for what, path in written:
        console.item(what, str(path))
    if failure is not None:
        raise failure
    if outputs.strict:
        result.quality.raise_on_violation()


def card_of(sources: Sequence[Source]) -> dict[str, Any] | None:
    """Return the card of the network that gives the charges, if one does."""
    for source in sources:
        model = None if source.job is None else getattr(source.job.recipe.charges, "model", None)
        if model is not None:
            return dict(model.card)
    return None


def require_temperature(sources: Sequence[Source], settings: SpectrumOptions) -> None:
    """Refuse, before anything is computed, inputs whose temperature cannot be known.

    Raises
    ------
    UsageError
        Without velocities and without ``--temperature``.
    """
    if settings.temperature is not None:
        return
    for source in sources:
        if source.job is not None and source.job.recipe.scheme != "velocity":
            raise UsageError(
                f"{source.job.info.source} has no velocities, and no temperature is given",
                "the spectrum is divided by k_B T, which is otherwise taken from the velocities",
                "give the temperature of the run with --temperature K",
            )


def further_analysis(
    console: Console,
    sources: Sequence[Source],
    series: Sequence[CurrentSeries],
    settings: SpectrumOptions,
    compared: CompareOptions,
) -> tuple[Spectrum, ChargeComparison | None]:
    """Return the spectrum, with the fit of its bands and the comparison of charges that were asked for."""
    from bec_md.cli.charge_comparison import compare
    from bec_md.spectrum.analysis.fit_table import fit_bands
    from bec_md.spectrum.analysis.measured_optics import with_optics

    result, table = analyze(series, settings), None
    if not settings.optics.empty:
        result = with_optics(result, settings.optics)
    found: dict[str, Any] = {}
    if settings.fit is not None:
        try:
            found["fit"] = fit_bands(result, settings.fit, settings.directions or ())
        except UsageError as error:
            console.warn(f"--fit {settings.fit}: {error}")
    if compared.compare_charges is not None:
        keywords = spectrum_keywords(series, settings) | {"eps_inf": result.eps_inf}
        table = compare(console, sources, series, compared, keywords)
        found["compare_charges"] = table.to_list()
    return (replace(result, parameters={**result.parameters, **found}) if found else result), table


def analyze(series: Sequence[CurrentSeries], settings: SpectrumOptions) -> Spectrum:
    """Compute the spectrum of one or several currents."""
    from bec_md.spectrum import compute_spectrum

    return compute_spectrum(list(series), **spectrum_keywords(series, settings))


def spectrum_keywords(series: Sequence[CurrentSeries], settings: SpectrumOptions) -> dict[str, Any]:
    """Return the arguments of `compute_spectrum`."""
    return {
        "temperature_k": settings.temperature,
        "eps_inf": parse_eps_inf(settings.eps_inf),
        "resolution_cm": settings.resolution,
        "estimator": settings.estimator,
        "window": settings.window,
        "sum_rule": settings.sum_rule,
        "quantum": settings.quantum,
        "max_cm": settings.max,
        "groups": settings.groups != "none",
        "md_timestep_fs": settings.md_timestep,
        "subtract_dc": settings.subtract_dc,
        "thermostat_friction_per_ps": settings.thermostat_friction,
        "constraints": settings.constraints,
        "group_matrix": settings.group_matrix,
    }
