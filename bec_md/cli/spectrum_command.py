"""``bec-md spectrum``: from trajectories or stored currents to the infrared spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bec_md.cli.charge_comparison import CompareOptions
from bec_md.cli.console import Console
from bec_md.cli.inputs import INPUT_OPTIONS, InputOptions, Source, open_sources
from bec_md.cli.options import FitName, Inputs, pick, with_options
from bec_md.cli.outputs import STDOUT, OutputOptions, show_files, write_outputs
from bec_md.cli.values import refuse_idle
from bec_md.errors import UsageError
from bec_md.spectrum.analysis.optics_request import OpticsRequest
from bec_md.spectrum.analysis.symmetry_options import SymmetryOptions
from bec_md.spectrum.options import SpectrumOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Spectrum
    from bec_md.spectrum.analysis.charge_comparison import ChargeComparison
    from bec_md.spectrum.analysis.point_group import PointGroup


SPECTRUM_HELP = (
    "Compute the infrared spectrum of a trajectory.\n\n"
    "Without -o, --csv, --plot, --report or --json it writes NAME_spectrum.png, .csv and .h5 into the current"
    " folder. NAME_current.h5 keeps the current J(t): a second analysis takes seconds, and an interrupted "
    "run goes on where it stopped."
)


@dataclass(frozen=True)
class AnalysisOptions:
    """What is made of the currents."""

    spectrum: SpectrumOptions
    optics: OpticsRequest
    fit: FitName | None = None
    symmetry: SymmetryOptions = field(default_factory=SymmetryOptions)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> AnalysisOptions:
        """Return the options among the parameters of the command, checked."""
        spectrum = pick(SpectrumOptions, given).changed(groups=given["groups"] != "none")
        found = cls(spectrum, pick(OpticsRequest, given), given["fit"], pick(SymmetryOptions, given))
        found.check()
        return found

    def check(self) -> None:
        """Refuse numbers that are not positive, an ε_∞ that is none, and what does not go together."""
        spectrum = self.spectrum
        spectrum.check()
        self.optics.check()
        self.symmetry.check()
        if spectrum.eps_inf is None and self.optics.needs_eps_inf:
            raise UsageError(
                "--angle, --thickness or --powder without --eps-inf",
                "reflectance and transmittance follow from ε, which needs ε_∞",
                "give --eps-inf, e.g. --eps-inf 2.4 or --eps-inf model",
            )
        if self.fit is not None and spectrum.quantum != "harmonic":
            raise UsageError(
                f"--fit with --quantum {spectrum.quantum}",
                "oscillators describe the response itself; such a factor multiplies it by a function of T",
                "leave --quantum out for the fit",
            )
        if self.fit == "four-parameter" and spectrum.eps_inf is None:
            raise UsageError(
                "--fit four-parameter without --eps-inf",
                "TO and LO frequencies are poles and zeros of ε, which needs ε_∞",
                "give --eps-inf, or use --fit lorentz",
            )


@with_options(*INPUT_OPTIONS, CompareOptions, SpectrumOptions, SymmetryOptions, OpticsRequest, OutputOptions)
def spectrum(inputs: Inputs, fit: FitName | None = None, **given: Any) -> None:
    """Compute the infrared spectrum of trajectories or stored currents."""
    # partial spectra by species cost nothing to keep: "none" hides them, and the stored current stays useful
    kept = given | ({"groups": "species"} if given["groups"] == "none" else {})
    outputs, implied = pick(OutputOptions, given), dict[str, Any]()
    if outputs.any_given:
        idle = {"--tensor": outputs.tensor and outputs.csv is None}
        refuse_idle(idle, "without --csv", "add --csv FILE.csv")
        idle = {"--group-matrix": given["group_matrix"] and outputs.output is None}
        refuse_idle(idle, "without --output", "add -o FILE.h5")
    if given["control_variates"] == "modes" and kept["groups"] == "species":
        implied["groups"] = "sublattices"
    if given["control_variates"] == "molecules":
        implied["motions"] = "molecules"
    run_spectrum(
        inputs,
        AnalysisOptions.of(given | {"fit": fit}),
        replace(InputOptions.of(kept), implied=implied),
        outputs,
        pick(CompareOptions, given),
    )


def run_spectrum(
    inputs: list[str],
    settings: AnalysisOptions,
    options: InputOptions,
    outputs: OutputOptions,
    compared: CompareOptions,
) -> None:
    """Announce, compute the currents, analyze, write, summarize."""
    from bec_md.cli.announce import announce_source, announce_spectrum, time_grid
    from bec_md.cli.brief import announce_sources
    from bec_md.cli.charge_comparison import draw_comparison, show_comparison
    from bec_md.cli.currents import compute_currents
    from bec_md.cli.summary import summarize
    from bec_md.cli.symmetry import check_symmetry, find_symmetry
    from bec_md.cli.values import common_stem
    from bec_md.current.replicas import in_one_order

    preview_wanted = outputs.plot is None
    outputs = outputs.with_defaults(common_stem(inputs))
    outputs.check()
    console = Console(outputs.quiet, outputs.json == STDOUT, outputs.verbose)
    sources = open_sources(inputs, options)
    asked = settings.spectrum
    require_temperature(sources, asked.temperature_k)
    require_one_system(sources)
    compared.check(sources)
    check_symmetry(settings.symmetry, sources)
    if outputs.verbose:
        for source in sources:
            announce_source(console, source)
    else:
        announce_sources(console, sources)
    announce_spectrum(console, time_grid(sources), asked.resolution_cm, asked.estimator, asked.max_cm)
    series = in_one_order(compute_currents(console, sources, options, outputs))
    group = find_symmetry(console, sources, series, settings.symmetry, options.reading)
    result, table = further_analysis(console, sources, series, settings, compared, group)
    failure: Exception | None = None
    written: list[tuple[str, Path]] = []
    try:
        written = write_outputs(result, series, outputs, console.warn, card_of(sources))
    except Exception as error:  # the summary is still worth printing
        failure = error
    summarize(console, result, series, preview=preview_wanted)
    if table is not None and compared.compare_charges is not None:
        show_comparison(console, table)
        draw_comparison(table, compared.compare_charges)
        written.append(("charges", compared.compare_charges))
    show_files(console, written)
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


def require_temperature(sources: Sequence[Source], temperature_k: float | None) -> None:
    """Refuse, before anything is computed, inputs whose temperature cannot be known.

    Raises
    ------
    UsageError
        Without velocities and without ``--temperature``.
    """
    from bec_md.structure.columns import NOT_READ

    if temperature_k is not None:
        return
    for source in sources:
        if source.job is not None and source.job.recipe.scheme != "velocity":
            unread = [f"; {said}" for said in source.job.info.warnings if NOT_READ in said]
            raise UsageError(
                f"{source.job.info.source} has no velocities, and no temperature is given",
                "the spectrum is divided by k_B T, which is otherwise taken from the velocities"
                + "".join(unread),
                "give the temperature of the run with --temperature K",
            )


def require_one_system(sources: Sequence[Source]) -> None:
    """Refuse, before anything is computed, inputs of different groups, atoms or masses.

    Raises
    ------
    UsageError
        They are no replicas.
    """
    from bec_md.current.replicas import require_same_atoms

    systems = [
        source.series if source.job is None else SimpleNamespace(**source.job.header()["system"])
        for source in sources
    ]
    require_same_atoms(systems, [Path(source.path).name for source in sources])


def further_analysis(
    console: Console,
    sources: Sequence[Source],
    series: Sequence[CurrentSeries],
    settings: AnalysisOptions,
    compared: CompareOptions,
    group: PointGroup | None = None,
) -> tuple[Spectrum, ChargeComparison | None]:
    """Return the spectrum, with the fit of its bands and the comparison of charges that were asked for."""
    from bec_md.cli.charge_comparison import compare
    from bec_md.cli.symmetry import find_axes
    from bec_md.spectrum.analysis.fit_table import fit_bands
    from bec_md.spectrum.analysis.measured_optics import with_optics
    from bec_md.spectrum.analysis.symmetrize import symmetrized

    result, table = analyze(series, settings.spectrum), None
    if group is not None:
        result = symmetrized(result, group)
    if result.eps_inf is not None or settings.fit is not None:
        result = find_axes(sources, series, result, group)
    if not settings.optics.empty:
        result = with_optics(result, settings.optics)
    found: dict[str, Any] = {}
    if settings.fit is not None:
        try:
            found["fit"] = fit_bands(result, settings.fit, settings.optics.directions)
        except UsageError as error:
            console.warn(f"--fit {settings.fit}: {error}")
    if compared.compare_charges is not None:
        table = compare(console, sources, series, compared, settings.spectrum.changed(eps_inf=result.eps_inf))
        found["compare_charges"] = table.to_list()
    return (replace(result, parameters={**result.parameters, **found}) if found else result), table


def analyze(series: Sequence[CurrentSeries], options: SpectrumOptions) -> Spectrum:
    """Compute the spectrum of one or several currents."""
    from bec_md.spectrum import compute_spectrum

    return compute_spectrum(list(series), options=options)
