"""``bec-md models`` and ``bec-md info``: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bec_md.cli.console import Console
from bec_md.cli.options import in_terms_of_options, pick, with_options
from bec_md.cli.outputs import STDOUT, emit_json, guard
from bec_md.errors import UsageError
from bec_md.files import expanded
from bec_md.trajectory.options import ReadOptions

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Spectrum

MODELS_HELP = "List the bundled networks: domain, elements, stated error, size."
INFO_HELP = "Say what a file is and what it holds: model, current, spectrum or trajectory."


@with_options()
def models(json: str | None = None) -> None:
    """List the bundled networks."""
    from bec_md.network.registry import bundled_models

    found = bundled_models()
    if json is not None:
        guard({"--json": json})
        emit_json(
            json, {name: {"file": model.path.name, "card": model.card} for name, model in found.items()}
        )
        return
    if not found:
        Console().say("no network is bundled with this installation; `bec-md train` makes one")
        return
    from rich.console import Console as RichConsole
    from rich.table import Column, Table

    headers = ("name", "for", "elements", "stated error", "file")
    columns = [Column(header, no_wrap=header != "for") for header in headers]
    table = Table(*columns, box=None, header_style="bold")
    for name, model in found.items():
        domain = model.card.get("domain") or {}
        elements = domain.get("elements") or _elements(model.path)
        error = model.card.get("stated_error_e")
        table.add_row(
            name,
            str(domain.get("text") or model.card.get("description", "")),
            _symbols(elements),
            "not stated" if error is None else f"{float(error):.3g} e",
            f"{model.path.stat().st_size / 1e6:.1f} MB",
        )
    terminal = RichConsole()
    terminal.width = max(terminal.width, 80)  # names are not cut where it is narrow, or says 0
    terminal.print(table)
    Console().say(
        "\nbec-md spectrum takes the one that knows the structures (--model auto), else universal; "
        "universal-mean errs less than universal on most tests and takes longer."
    )


def _elements(path: Path) -> list[int]:
    from bec_md.network.model_file import read_header

    return list(read_header(path)["config"]["elements"])


def _symbols(elements: list[int], most: int = 8) -> str:
    from ase.data import chemical_symbols

    if len(elements) > most:
        return f"{len(elements)} elements"
    return " ".join(chemical_symbols[number] for number in elements)


@with_options(ReadOptions, without=("temperature_k",))
def info(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Files of bec-md, trajectories, labels, logs, spectra."),
    ],
    json: str | None = None,
    **given: Any,
) -> None:
    """Describe files."""
    reading = pick(ReadOptions, given)
    reading.check()
    guard({"--json": json})
    console = Console(results_on_stdout=json == STDOUT)
    files = [expanded(file) for file in files]
    values = [describe(console, file, reading) for file in files]
    if len(files) > 1:
        from bec_md.description import relation_of

        together = relation_of(files, reading)
        if together:
            console.item("together", in_terms_of_options(together))
    if json is not None:
        emit_json(json, values[0] if len(values) == 1 else {"files": values})


def describe(console: Console, file: Path, reading: ReadOptions) -> dict[str, Any]:
    """Recognize a file and print what it holds."""
    from bec_md.current.file import is_stored_current, load_current
    from bec_md.network.registry import BUNDLED, means_bundled, model_path
    from bec_md.spectrum import is_spectrum_file, load_spectrum, summary

    bundled = BUNDLED / f"{file}.safetensors"
    is_model = file.suffix == ".safetensors" or (not file.exists() and means_bundled(str(file)))
    is_current = not is_model and is_stored_current(file)
    is_spectrum = not is_model and not is_current and is_spectrum_file(file)
    if (is_model or is_current or is_spectrum) and reading != ReadOptions():
        raise UsageError(
            f"{file.name} is no trajectory, but options for reading one were given",
            "an option that does nothing may hide a mistake",
            "leave them out",
        )
    if is_model:
        path = file if file.suffix == ".safetensors" and file.exists() else bundled
        return describe_model_file(console, path if path.is_file() else model_path(str(file)))
    if is_current:
        return describe_current(console, load_current(file), file.name)
    if is_spectrum:
        spectrum = load_spectrum(file)
        describe_spectrum(console, spectrum, file.name)
        return summary(spectrum)
    return describe_other(console, file, reading)


def describe_model_file(console: Console, path: Path) -> dict[str, Any]:
    """Print the card of a model."""
    from bec_md.network.model_file import read_header, shares_in_words
    from bec_md.network.registry import stated_error

    header = read_header(path)
    card, config = header["card"], header["config"]
    kind = "mean of networks" if "mean_of" in header else "network"
    console.item(
        "file", f"{path.name}: {kind}, {path.stat().st_size / 1e6:.2f} MB, schema {header['schema']}"
    )
    console.item("name", f"{card.get('name', path.stem)}; {stated_error(card)}")
    if card.get("description"):
        console.item("about", str(card["description"]))
    console.item("elements", f"{len(config['elements'])}: {_symbols(config['elements'], 200)}")
    console.item("levels", ", ".join(config["levels"]))
    if "mean_of" in header:
        console.item("mean of", shares_in_words(path, header))
    else:
        console.item(
            "shape",
            f"{config['layers']} layers, {config['channels']} channels, l ≤ {config['l_max']}, cutoff "
            f"{config['cutoff_ang']:g} Å",
        )
        console.item(
            "read-outs",
            ", ".join(
                item["name"] + (f" ({item['members']} members)" if item.get("members", 1) > 1 else "")
                for item in config["readouts"]
            ),
        )
    for key in ("data", "license", "citation"):
        if card.get(key):
            console.item(key, str(card[key]))
    return dict(header)


def describe_current(console: Console, series: CurrentSeries, name: str) -> dict[str, Any]:
    """Print what a current file holds."""
    from bec_md.cli.announce import announce_series
    from bec_md.current.replicas import common_constraints

    announce_series(console, (name, series))
    kinetic = series.kinetic_temperature(common_constraints([series]))
    if kinetic is not None:
        console.item("temperature", f"{kinetic[0]:.1f} K, kinetic")
    made = {key: series.metadata.get(key) for key in ("version", "command", "source", "charges", "units")}
    for key in ("command", "version"):
        if made[key]:
            console.item(key, str(made[key]))
    return {
        "n_frames": series.n_frames,
        "timestep_fs": series.timestep_fs,
        "n_atoms": series.n_atoms,
        "groups": list(series.groups),
        "scheme": series.scheme,
        "volume_ang3": series.volume_ang3,
        "kinetic_temperature_k": None if kinetic is None else kinetic[0],
        "metadata": dict(series.metadata),
    }


def describe_spectrum(console: Console, spectrum: Spectrum, name: str) -> None:
    """Print what a spectrum file holds."""
    from bec_md.cli.summary import summarize

    p = spectrum.parameters
    console.item(
        "file",
        f"{name}: spectrum, {spectrum.wavenumber_cm[0]:.0f} … {spectrum.wavenumber_cm[-1]:.0f} cm⁻¹ at "
        f"{p['resolution_cm']:.3g} cm⁻¹ from {p['n_frames']} samples of {p['timestep_fs']:g} fs",
    )
    for key in ("source", "charges", "command"):
        if spectrum.metadata.get(key):
            console.item(key, str(spectrum.metadata[key]))
    for warning in spectrum.metadata.get("warnings", ()):
        console.warn(str(warning))
    summarize(console, spectrum, preview=True)


def describe_other(console: Console, path: Path, reading: ReadOptions) -> dict[str, Any]:
    """Print what any other file holds, and what a spectrum from it would need."""
    from bec_md.description import describe as found_in

    found = found_in(path, reading)
    console.item("file", f"{path.name}: {found.kind}")
    for label, text in found.rows:
        console.item(label, text)
    for text in found.missing:
        console.item("missing", in_terms_of_options(text))
    for warning in found.warnings:
        console.warn(in_terms_of_options(warning))
    return found.to_dict()
