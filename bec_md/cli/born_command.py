"""``bec-md born``: charges and ε∞ of a crystal as a BORN file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bec_md.cli.announce import describe_model
from bec_md.cli.console import Console
from bec_md.cli.options import with_options
from bec_md.cli.outputs import guard

BORN_HELP = (
    "Write Born effective charges and ε_∞ of a crystal as a BORN file.\n\n"
    "For phonopy, phono3py, ALAMODE, ShengBTE. Tensors of the symmetry-independent atoms, in the "
    "order of the file."
)


@with_options()
def born(
    structure: Annotated[
        Path, typer.Argument(metavar="STRUCTURE", help="POSCAR, CIF, extxyz, …", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="BORN", help="Where to write.", show_default="BORN"),
    ] = None,
    model: str = "auto",
    symmetry_tolerance: Annotated[
        float,
        typer.Option("--symmetry-tolerance", metavar="ANG", help="Atoms closer than this are equivalent."),
    ] = 1e-5,
    quiet: bool = False,
) -> None:
    """Predict one structure and write its independent tensors."""
    import numpy as np

    from bec_md.charges.born_file import BornFile, born_text
    from bec_md.charges.symmetry import orbits, symmetry_operations
    from bec_md.errors import UsageError
    from bec_md.network.second_opinion import remarks_on
    from bec_md.structure.ase_files import read_structure
    from bec_md.structure.from_ase import as_frame

    written = output or Path("BORN")
    guard({"--output": written})
    console = Console(quiet)
    atoms = read_structure(structure)
    if atoms.cell.rank < 3:
        raise UsageError(
            f"{structure.name} has no cell",
            "a BORN file is that of a crystal, and begins with its ε∞",
            "use `bec-md predict` for a molecule in a box",
        )
    network = _with_eps_inf(model, atoms)
    describe_model(console, network)
    prediction = network.predict_batch([atoms])
    for remark in remarks_on(network, as_frame(atoms), prediction):
        console.warn(remark)
    cell, positions = atoms.cell.array, atoms.positions
    operations = symmetry_operations(cell, positions, atoms.numbers, symmetry_tolerance)
    independent = np.unique(orbits(operations, len(atoms)), return_index=True)[1]
    chosen = tuple(int(index) for index in np.sort(independent))
    tensors = prediction.born_effective_charges[0][list(chosen)]
    content = BornFile(np.asarray(prediction.eps_inf[0]), np.asarray(tensors), chosen)
    _write(born_text(content), written, named=output is not None)
    for index, tensor in zip(chosen, tensors, strict=True):
        error = prediction.uncertainty_e[0][index]
        stated = f" ± {error:.2g}" if np.isfinite(error) else ""
        line = f"{atoms.symbols[index]:2s} tr Z/3 {np.trace(tensor) / 3:+.3f}{stated} e"
        console.item(f"atom {index + 1}", line)
    console.item("ε_∞", " ".join(f"{value:.3f}" for value in np.diag(prediction.eps_inf[0])))
    console.item("written", f"{written} ({len(chosen)} of {len(atoms)} atoms)")


def _write(text: str, path: Path, *, named: bool) -> None:
    """Write a BORN file; another one is replaced only if the user has named it."""
    from bec_md.atomic import write_text
    from bec_md.errors import UsageError
    from bec_md.files import read_text

    if not named and path.exists() and read_text(path, strict=False) != text:
        raise UsageError(
            f"another {path} is there already, and --output was not given",
            "it may hold the tensors of a calculation, and would be lost",
            f"write -o {path} to replace it, or another name",
        )
    write_text(path, text)


def _with_eps_inf(model: str, atoms: Any) -> Any:
    """Return the network of this name, one that predicts ε∞."""
    from bec_md.errors import UsageError
    from bec_md.network import load_model
    from bec_md.network.loading import name_and_level

    network = load_model(model, structures=[atoms])
    if name_and_level(model)[0] == "auto" and not network.predicts_eps_inf:
        special, network = network.name, load_model("universal")
        network.reason = f"{special} was trained without ε∞"
    if not network.predicts_eps_inf:
        raise UsageError(
            f"model {network.name} was trained without ε∞",
            "a BORN file begins with it",
            "take another model, e.g. universal",
        )
    return network
