"""``bec-md plot``: figures of stored spectra, alone or over each other, with measured curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bec_md.cli.console import Console
from bec_md.cli.harmonic_command import ForceConstants, predicted, read_reference
from bec_md.cli.options import with_options
from bec_md.cli.outputs import guard
from bec_md.cli.values import refuse_idle, stems_of
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.modes.harmonic import HarmonicResponse
    from bec_md.spectrum import Spectrum

PLOT_HELP = (
    "Draw a stored spectrum: nα, ε, n and κ, α, R, loss, σ, the autocorrelation, or the self-checks.\n\n"
    "Several files are laid over each other; --experiment adds measured curves, --harmonic the modes of the "
    "crystal. A log.csv of `bec-md train` "
    "gives the learning curve."
)

Quantity = Literal[
    "n_alpha", "eps", "eps_real", "eps_imag", "nk", "n", "kappa", "alpha", "alpha_cm",
    "reflectivity", "loss", "sigma", "sigma_imag", "acf", "quality",
]  # fmt: skip
_OWN_FIGURE = ("acf", "quality")
_ADDITIVE = ("n_alpha", "eps_imag", "sigma")
_NEEDS_EPS_INF = ("eps", "eps_real", "nk", "n", "kappa", "alpha", "alpha_cm", "reflectivity", "loss")


Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Spectra written by bec-md spectrum -o.", show_default=False),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE.png|pdf|svg", help="Figure.", show_default="NAME_QUANTITY.png"
    ),
]
Components = Annotated[
    str | None,
    typer.Option(
        "--components", metavar="xx,zz", help="Tensor elements instead of the average.", show_default=False
    ),
]
Experiment = Annotated[
    list[Path] | None,
    typer.Option(
        "--experiment",
        metavar="FILE",
        help="Measured curve, read as by bec-md compare (tables with units in the header, JCAMP-DX, "
        "refractiveindex.info, spectra), or two columns: wavenumber (cm⁻¹) and value; repeatable.",
        show_default=False,
    ),
]
Harmonic = Annotated[
    Path | None,
    typer.Option(
        "--harmonic",
        metavar="phonopy.yaml|STRUCTURE",
        help="Sticks of the active modes of this crystal, as bec-md harmonic finds them; in loss the "
        "longitudinal ones.",
        show_default=False,
    ),
]


@with_options()
def plot(
    files: Files,
    output: Output = None,
    quantity: Annotated[Quantity, typer.Option("--quantity", help="What to draw.")] = "n_alpha",
    groups: Annotated[
        Literal["lines", "stacked", "none"], typer.Option("--groups", help="Partial spectra.")
    ] = "lines",
    components: Components = None,
    experiment: Experiment = None,
    harmonic: Harmonic = None,
    force_constants: ForceConstants = None,
    force_constants_unit: str | None = None,
    charges: str = "model",
    model: str = "auto",
    unit: Annotated[Literal["cm", "thz", "mev"], typer.Option("--unit", help="Of the frequencies.")] = "cm",
    xlim: Annotated[
        str | None,
        typer.Option("--xlim", metavar="LOW,HIGH", help="Range of frequencies.", show_default="the bands"),
    ] = None,
    wavelength: Annotated[bool, typer.Option("--wavelength", help="Wavelength axis on top.")] = False,
    width: Annotated[
        Literal["column", "double"], typer.Option("--width", help="Column (3.37 in) or page (6.8 in).")
    ] = "column",
    quiet: bool = False,
) -> None:
    """Draw stored spectra."""
    console = Console(quiet)
    name = "learning" if files[0].suffix == ".csv" else quantity
    target = output if output is not None else Path(f"{stems_of([str(files[0])])[0]}_{name}.png")
    guard({"--output": target}, figures=("--output",))
    of_spectra = {
        "--components": components is not None,
        "--unit": unit != "cm",
        "--xlim": xlim is not None,
        "--wavelength": wavelength,
    }
    of_modes = {
        "--force-constants": force_constants is not None,
        "--force-constants-unit": force_constants_unit is not None,
        "--charges": charges != "model",
        "--model": model != "auto",
    }
    refuse_what_draws_nothing(name, of_spectra, of_modes, bool(experiment), harmonic is not None)
    if name not in _ADDITIVE or components is not None or len(files) > 1:
        refuse_idle({"--groups stacked": groups == "stacked"}, "where no groups are drawn", "leave it out")
    if files[0].suffix == ".csv":
        figure: Any = learning_curve(files, width)
    else:
        keywords: dict[str, Any] = {"unit": unit, "wavelength": wavelength, "width": width}
        keywords["xlim"], measured = parse_range(xlim), dict[str, Any]()
        for path, stem in zip(experiment or (), different_stems(experiment or ()), strict=True):
            measured |= {"": (0.0, 0.0)} if quantity in _OWN_FIGURE else read_curves(path, quantity, stem)
        if harmonic is not None:
            reference = read_reference(console, harmonic, force_constants, force_constants_unit)
            found = predicted(console, reference, charges, model).response
            keywords["sticks"] = sticks_of(console, found, harmonic.name, quantity, components or "xyz")
        figure = draw(load(files), quantity, groups, components, measured, keywords)
    from bec_md.plot import save_figure

    save_figure(figure, target)
    console.item("figure", str(target))


def refuse_what_draws_nothing(
    name: str, of_spectra: dict[str, bool], of_modes: dict[str, bool], experiment: bool, harmonic: bool
) -> None:
    """Refuse options, True where they are given, that have no effect on the figure of this name."""
    if name == "learning":
        of_spectra |= {"--experiment": experiment, "--harmonic": harmonic}
    if name in ("learning", *_OWN_FIGURE):
        refuse_idle(of_spectra, f"with the figure {name}", "leave it out")
    if not harmonic:
        refuse_idle(of_modes, "without --harmonic", "add --harmonic STRUCTURE")


def load(files: list[Path]) -> dict[str, Spectrum]:
    """Read spectra, named after their files."""
    from bec_md.files import require_file
    from bec_md.spectrum import load_spectrum

    stems = [stem.removesuffix("_spectrum") for stem in stems_of([str(file) for file in files])]
    return {stem: load_spectrum(require_file(file)) for stem, file in zip(stems, files, strict=True)}


def draw(
    spectra: Mapping[str, Spectrum],
    quantity: str,
    groups: str,
    components: str | None,
    measured: Mapping[str, Any],
    keywords: dict[str, Any],
) -> Axes:
    """Draw one spectrum with its parts, or several over each other."""
    from bec_md.plot import plot_acf, plot_quality, plot_spectrum
    from bec_md.plot.palette import COLORS
    from bec_md.plot.style import as_text

    first = next(iter(spectra.values()))
    lacking = [name for name, spectrum in spectra.items() if spectrum.eps_inf is None]
    if quantity in _NEEDS_EPS_INF and lacking:
        raise UsageError(
            f"--quantity {quantity} of {', '.join(lacking)}, computed without ε∞",
            "the electronic response adds to ε; without it only nα, σ and ε₂ are defined",
            "run bec-md spectrum with --eps-inf model, or numbers; or plot n_alpha, sigma or eps_imag",
        )
    if quantity in _OWN_FIGURE:
        if len(spectra) > 1 or measured or "sticks" in keywords:
            raise UsageError(
                f"--quantity {quantity} of {len(spectra)} spectra"
                + (" with --experiment" if measured else "")
                + (" with --harmonic" if "sticks" in keywords else ""),
                "it is drawn for one spectrum, alone",
                "name one file",
            )
        width = keywords["width"]
        return plot_acf(first, width=width) if quantity == "acf" else plot_quality(first, width=width)
    if len(spectra) == 1:
        additive = quantity in _ADDITIVE and not components
        how: Any = groups if additive and groups != "none" else False
        return plot_spectrum(
            first, quantity, how, components=components or (), experiment=measured or None, **keywords
        )
    axes = None
    for number, (name, spectrum) in enumerate(spectra.items()):
        axes = plot_spectrum(
            spectrum,
            quantity,
            False,
            axes,
            components=components or (),
            label=as_text(name),
            color=COLORS[number % len(COLORS)],
            experiment=measured if measured and number == 0 else None,
            **(keywords if number == len(spectra) - 1 else keywords | {"wavelength": False, "sticks": None}),
        )
    assert axes is not None  # for the type checker: there is at least one spectrum
    return axes


def sticks_of(
    console: Console, response: HarmonicResponse, name: str, quantity: str, components: str
) -> dict[str, tuple[Any, Any]]:
    """Return the modes that a quantity shows along these axes: frequencies, and heights that mean areas."""
    import numpy as np

    from bec_md.spectrum.quantities import QUANTITIES
    from bec_md.spectrum.response.direction import to_direction

    axes = "".join(axis for axis in "xyz" if axis in components) or "xyz"
    if quantity == "loss":
        found = [response.longitudinal_sticks(np.eye(3)["xyz".index(axis)]) for axis in axes]
        places, heights = (np.concatenate(part) for part in zip(*found, strict=True))
    else:
        row = QUANTITIES.get(quantity)
        over_omega = row is not None and row.linear and row.over_omega
        weight = to_direction(axes).weight
        places, heights = response.transverse_sticks(over_omega=over_omega, weight=weight)
    if not len(places):
        raise UsageError(
            f"no mode of {name} is infrared-active" + (f" along {axes}" if axes != "xyz" else ""),
            "there is nothing to draw",
            "leave --harmonic out, or check the force constants",
        )
    kind = "LO" if quantity == "loss" else "TO"
    shown = dict.fromkeys(f"{place:.1f}" for place in np.sort(places))
    console.item("harmonic", f"{kind} {', '.join(shown)} cm⁻¹")
    return {f"harmonic {kind}": (places, heights)}


def learning_curve(files: list[Path], width: Any) -> Axes:
    """Draw the log of a training run."""
    from bec_md.files import require_file
    from bec_md.plot import plot_loss_curve

    if len(files) > 1:
        raise UsageError(f"{len(files)} logs", "a learning curve is drawn for one run", "name one log.csv")
    return plot_loss_curve(require_file(files[0]), width=width)


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Read ``--xlim LOW,HIGH``."""
    if text is None:
        return None
    try:
        low, high = (float(word) for word in text.replace(":", ",").split(","))
    except ValueError:
        low = high = 0.0
    if not -math.inf < low < high < math.inf:
        raise UsageError(
            f"--xlim {text!r} is no range",
            "an axis goes from a lower to a higher value",
            "write --xlim 0,1500",
        )
    return low, high


def different_stems(paths: Sequence[Path]) -> list[str]:
    """Names of files without their formats, with that of the folder or a number where they are the same."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else stems_of([str(path) for path in paths])


def read_curves(path: Path, quantity: str, stem: str = "") -> dict[str, tuple[Any, Any]]:
    """Read a measured file as ``bec-md compare`` does; values beside a frequency may be in their own units.

    The curve is called `stem`, by default as the file. A figure of two quantities (ε, n and κ) gets both
    where the file has them.
    """
    from bec_md.compare import open_curve
    from bec_md.compare.sources import named_axis
    from bec_md.files import require_file
    from bec_md.plot.quantity import quantities
    from bec_md.plot.style import as_text

    own, name = named_axis(require_file(path)), as_text(stem or path.stem)
    if own is not None:
        return {name: own}
    wanted = quantities(quantity)
    curves = [open_curve(path, item.name) for item in wanted]
    names = [name] if len(wanted) == 1 else [f"${item.symbol}$, {name}" for item in wanted]
    return {name: (c.wavenumber_cm, c.values) for name, c in zip(names, curves, strict=True)}
