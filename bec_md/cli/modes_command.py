"""``bec-md modes``: density of states, and the spectrum resolved into normal modes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bec_md.cli.console import Console
from bec_md.cli.inputs import InputOptions, Source, open_sources
from bec_md.cli.options import pick, with_options
from bec_md.cli.outputs import STDOUT, OutputOptions, emit_json, guard
from bec_md.cli.values import refuse_idle, stem_of
from bec_md.current.options import CurrentOptions
from bec_md.errors import UsageError
from bec_md.options import refuse_not_positive
from bec_md.trajectory.options import ReadOptions

if TYPE_CHECKING:
    from bec_md.modes import ModeSpectrum, ReferenceModes, VibrationalDos
    from bec_md.trajectory.frame import Trajectory

MODES_HELP = (
    "Density of states by species; with force constants, the spectrum resolved into normal modes.\n\n"
    "The modes are those at the zone center of the cell of the force constants. Shares of the spectrum are "
    "cross-spectra with the total current: with the rest (other wave vectors, charges that depend on the "
    "displacements) they add up to it exactly. Writes NAME_modes.csv."
)


@dataclass(frozen=True)
class ModesOptions:
    """What is resolved, and how."""

    force_constants: Path | None = None
    structure: Path | None = None
    force_constants_unit: str | None = None
    degeneracy_cm: float = 1.0
    temperature_k: float | None = None
    resolution_cm: float | None = None
    max_cm: float | None = None
    csv: Path | None = None
    json: str | None = None
    quiet: bool = False

    def check(self) -> None:
        """Refuse, before anything is read, what does not go together or cannot be written."""
        refuse_not_positive(
            self,
            {
                "resolution_cm": "it is the full width at half maximum of the smoothing",
                "max_cm": "the density of states begins at zero",
                "degeneracy_cm": "it is a difference of wavenumbers",
            },
        )
        if (self.force_constants is None) != (self.structure is None):
            raise UsageError(
                "--force-constants and --structure go together",
                "force constants are numbered by the atoms of their cell",
                "give both, or neither for the density of states alone",
            )


@with_options(
    ModesOptions,
    ReadOptions,
    CurrentOptions,
    without=("charge_stride", "charge_tolerance", "groups", "motions", "device", "batch", "threads"),
)
def modes(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="Trajectory.", show_default=False)],
    **given: Any,
) -> None:
    """Resolve a spectrum into modes."""
    run_modes(source, pick(ModesOptions, given), InputOptions.of(given))


def run_modes(source: str, options: ModesOptions, inputs: InputOptions) -> None:
    """Compute the density of states, resolve the spectrum if modes are given, write the table."""
    import numpy as np

    from bec_md.modes import compute_vdos

    options.check()
    if options.force_constants is None:
        idle = {
            "--charges": inputs.current.charges != "model",
            "--model": inputs.current.model != "auto",
            "--transposed": inputs.reading.charges_transposed,
            "--force-constants-unit": options.force_constants_unit is not None,
            "--degeneracy": options.degeneracy_cm != ModesOptions.degeneracy_cm,
        }
        refuse_idle(idle, "without --force-constants", "add --force-constants and --structure")
    target = Path(f"{stem_of(source)}_modes.csv") if options.csv is None else options.csv
    guard({"--csv": target, "--json": options.json})
    console = Console(options.quiet, options.json == STDOUT)
    trajectory, found = _trajectory(source, inputs.reading), None
    dos = compute_vdos(trajectory, resolution_cm=options.resolution_cm, max_cm=options.max_cm)
    console.item("dos", f"{dos.degrees_of_freedom:.0f} states, resolution {dos.resolution_cm:g} cm⁻¹")
    for name, values in dos.species.items():
        console.item(
            "", f"{name}: {np.trapezoid(values, dos.wavenumber_cm):.1f} below the highest wavenumber"
        )
    if options.force_constants is not None and options.structure is not None:
        sources = open_sources([source], inputs)
        reference = read_modes_of(options, inputs.reading)
        found = _resolve(console, sources[0], reference, options, inputs, trajectory, dos.resolution_cm)
        _show(console, found)
    _write(target, dos, found)
    console.item("table", str(target))
    if options.json is not None:
        emit_json(options.json, _content(dos, found))


def read_modes_of(options: ModesOptions, reading: ReadOptions) -> ReferenceModes:
    """Read the reference structure and its modes."""
    from bec_md.modes import read_modes

    assert options.force_constants is not None  # checked before
    assert options.structure is not None
    masses = dict(reading.masses) or None
    return read_modes(options.force_constants, options.structure, masses, options.force_constants_unit)


def _trajectory(source: str, reading: ReadOptions) -> Trajectory:
    from bec_md.current.prepare import timestep_of
    from bec_md.trajectory import open_trajectory

    trajectory = open_trajectory(source, reading)
    timestep_of(trajectory.info, None, is_open=True)  # a given one is that of the frames before any stride
    return trajectory


def _resolve(
    console: Console,
    source: Source,
    reference: ReferenceModes,
    options: ModesOptions,
    inputs: InputOptions,
    trajectory: Trajectory,
    resolution_cm: float,
) -> ModeSpectrum:
    """Return the spectrum by modes; the current is kept in its file as by ``bec-md spectrum``."""
    from bec_md.cli.announce import announce_source
    from bec_md.cli.currents import compute_currents
    from bec_md.modes import mode_velocities, resolve_modes
    from bec_md.modes.units import check_frequencies

    if source.job is None:
        raise UsageError(
            f"{source.path} is a current",
            "modes are seen in the motion of the atoms",
            "give the trajectory; its stored current is found and used",
        )
    announce_source(console, source)
    velocities = mode_velocities(trajectory, reference)
    console.item("modes", f"{len(reference.frequencies_cm)} of {reference.name}: {velocities.mapping}")
    console.item("", check_frequencies(velocities))
    if len(reference.unstable):
        console.warn(
            f"{len(reference.unstable)} modes of {reference.name} are unstable, the lowest "
            f"{-reference.unstable[0]:.0f}i cm⁻¹: the reference is not a minimum of its potential"
        )
    current = compute_currents(console, [source], inputs, OutputOptions(quiet=options.quiet))[0]
    source_of_charges = source.job.recipe.charges
    tensors = None
    if source_of_charges.constant:  # exact, whatever the motion
        frame = next(iter(trajectory.frames()))
        tensors = velocities.reference_tensors(source_of_charges.evaluate([frame]).born_effective_charges[0])
    return resolve_modes(
        velocities,
        current,
        charges=tensors,
        temperature_k=options.temperature_k,
        degeneracy_cm=options.degeneracy_cm,
        resolution_cm=resolution_cm,  # not max_cm: ε₁ follows from ε₂ at all frequencies
    )


def _show(console: Console, found: ModeSpectrum) -> None:
    import numpy as np

    console.say()
    titles = ("mode", "position", "width (cm⁻¹)", "|Z̃| x, y, z (e/√amu)", "Δε", "T (K)")
    widths = (12, 18, 16, 24, 8, 7)
    console.say(" ".join(f"{title:>{width}}" for title, width in zip(titles, widths, strict=True)))
    for group in found.groups:
        fitted = np.isfinite(group.position_cm)
        position = f"{group.position_cm:.1f} ± {group.position_err_cm:.1f}" if fitted else "not fitted"
        width = f"{group.width_cm:.1f} ± {group.width_err_cm:.1f}" if fitted else ""
        charge = ", ".join(f"{value:.3f}" for value in group.charge)
        console.say(
            f"{group.label:>12} {position:>18} {width:>16} {charge:>24} {group.delta_eps:>8.4f} "
            f"{group.temperature_k:>7.0f}"
        )
    console.say()


def _write(path: Path, dos: VibrationalDos, found: ModeSpectrum | None) -> None:
    import numpy as np

    table = {"wavenumber_cm": dos.wavenumber_cm, "dos_per_cm": dos.total}
    for name, values in dos.species.items():
        table[f"dos_per_cm[{name}]"] = values
    for name, values in dos.species_err.items():
        table[f"dos_per_cm_err[{name}]"] = values
    if found is not None:  # both grids are uniform with steps of the same origin, but not of one length
        nu = found.spectrum.wavenumber_cm
        shares = {"n_alpha_cm": found.spectrum.n_alpha}
        shares |= {f"n_alpha_cm[{name}]": values for name, values in found.shares.items()}
        for name, share in found.eps_shares().items():
            shares |= {f"eps_real[{name}]": share.real, f"eps_imag[{name}]": share.imag}
        table |= {name: np.interp(dos.wavenumber_cm, nu, values) for name, values in shares.items()}
    from bec_md.atomic import replacing
    from bec_md.spreadsheet import header_row

    with replacing(path) as partial, partial.open("w", encoding="utf-8") as out:
        out.write(
            f"# density of states in states per cm^-1, {dos.degrees_of_freedom:g} in all; n*alpha in cm^-1 "
            "and the contribution to eps by mode group\n"
        )
        out.write(f"# resolution_cm: {dos.resolution_cm:g}\n")
        out.write(header_row(table))
        np.savetxt(out, np.column_stack(list(table.values())), fmt="%.8g", delimiter=",")


def _content(dos: VibrationalDos, found: ModeSpectrum | None) -> dict[str, Any]:
    import numpy as np

    content: dict[str, Any] = {
        "degrees_of_freedom": dos.degrees_of_freedom,
        "resolution_cm": dos.resolution_cm,
        "timestep_fs": dos.timestep_fs,
        "velocity_scheme": dos.scheme,
        "dos_integral": {n: float(np.trapezoid(v, dos.wavenumber_cm)) for n, v in dos.species.items()},
    }
    if found is not None:
        content["temperature_k"] = found.spectrum.temperature_k
        content["modes"] = [asdict(group) for group in found.groups]
    return content
