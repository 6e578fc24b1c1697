"""``bec-md harmonic``: infrared-active modes of a crystal from its force constants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bec_md.atomic import write_text
from bec_md.cli.announce import describe_model
from bec_md.cli.console import Console
from bec_md.cli.options import with_options
from bec_md.cli.outputs import STDOUT, emit_json, guard

if TYPE_CHECKING:
    from bec_md.modes.harmonic import HarmonicPrediction
    from bec_md.modes.reference import ReferenceModes

HARMONIC_HELP = (
    "Infrared-active modes of a crystal at the zone center: intensities, ionic ε, TO and LO frequencies.\n\n"
    "It takes a phonopy.yaml (needs phonopy), or a structure with --force-constants. Errors are those of the "
    "network's charges (none for --charges born:BORN); frequencies are those of the force constants."
)

#: Errors below this are rounding of modes without charge.
ROUNDING_CM = 1e-6

ForceConstants = Annotated[
    Path | None,
    typer.Option(
        "--force-constants",
        metavar="FILE",
        help="FORCE_CONSTANTS of phonopy, its .hdf5 or an .npz, for a structure.",
        show_default=False,
    ),
]


@with_options()
def harmonic(
    source: Annotated[
        Path, typer.Argument(metavar="STRUCTURE|phonopy.yaml", help="Crystal.", show_default=False)
    ],
    force_constants: ForceConstants = None,
    force_constants_unit: str | None = None,
    charges: str = "model",
    model: str = "auto",
    direction: Annotated[
        list[str] | None,
        typer.Option(
            "--direction",
            metavar="X,Y,Z",
            help="Direction of the wave vector (Cartesian) for LO frequencies; repeat for more (x, y and z).",
            show_default=False,
        ),
    ] = None,
    csv: Path | None = None,
    json: str | None = None,
    quiet: bool = False,
) -> None:
    """Predict the charges of a crystal and resolve its infrared response into modes."""
    directions = [parse_direction(text) for text in direction or ("1,0,0", "0,1,0", "0,0,1")]
    guard({"--csv": csv, "--json": json})
    console = Console(quiet, json == STDOUT)
    modes = read_reference(console, source, force_constants, force_constants_unit)
    found = predicted(console, modes, charges, model)
    content = summary(modes, found, directions)
    show(console, content)
    if csv is not None:
        write_table(csv, content)
        console.item("table", str(csv))
    if json is not None:
        emit_json(json, content)


def parse_direction(text: str) -> tuple[float, float, float]:
    """Three numbers separated by commas, not all zero."""
    from math import hypot

    from bec_md.errors import UsageError

    try:
        x, y, z = (float(word) for word in text.split(","))
    except ValueError:
        x = y = z = 0.0
    if not 1e-100 < hypot(x, y, z) < 1e100:
        raise UsageError(
            f"--direction {text}",
            "a direction is three finite numbers, not all zero",
            "write e.g. --direction 0,0,1",
        )
    return x, y, z


def read_reference(
    console: Console, source: Path, force_constants: Path | None, unit: str | None = None
) -> ReferenceModes:
    """Modes of a phonopy calculation, or of a structure with force constants; say what is odd about them."""
    from bec_md.modes.files import ASSUMED

    modes = _read_reference(source, force_constants, unit)
    console.item("modes", modes.name)
    if modes.name.endswith(ASSUMED):
        console.warn(
            f"nothing states the unit of {force_constants}, and frequencies scale with its square root: "
            "give --force-constants-unit, or put phonopy.yaml beside the file"
        )
    if len(modes.unstable):
        text = ", ".join(f"{value:.0f}" for value in modes.unstable)
        console.warn(f"unstable modes at {text} cm⁻¹ (imaginary) are left out of ε")
    if len(modes.soft):
        text = ", ".join(f"{value:.1f}" for value in modes.soft)
        console.warn(
            f"modes at {text} cm⁻¹, too low to be told from zero, are left out of ε: rotations of molecules, "
            "or a crystal at the edge of stability, whose ε they dominate"
        )
    if not all(modes.pbc):
        console.warn("the structure is not periodic in all directions: ε is that of the cell with its vacuum")
    return modes


def _read_reference(source: Path, force_constants: Path | None, unit: str | None) -> ReferenceModes:
    from bec_md.errors import UsageError
    from bec_md.files import unpacked_name
    from bec_md.modes.files import read_modes
    from bec_md.modes.phonopy_file import read_phonopy

    if force_constants is not None:
        return read_modes(force_constants, source, units=unit)
    if unit is not None:
        raise UsageError(
            f"--force-constants-unit {unit} without --force-constants",
            "phonopy.yaml states the units of its own forces",
            "leave it out",
        )
    if not unpacked_name(source).endswith((".yaml", ".yml")):
        raise UsageError(
            f"{source.name} without force constants",
            "modes are those of a potential, which is not part of this program",
            "give --force-constants FILE, or the phonopy.yaml of a calculation",
        )
    return read_phonopy(source)


def predicted(console: Console, modes: ReferenceModes, charges: str, model: str) -> HarmonicPrediction:
    """Return the response, and say where its charges come from."""
    from bec_md.errors import UsageError
    from bec_md.modes.harmonic import predict_response
    from bec_md.network import load_model

    if charges.partition(":")[0] == "file":
        raise UsageError(
            f"--charges {charges}",
            "it takes tensors frame by frame from a trajectory, and there is none here",
            "give the file that holds those of the crystal: --charges born:FILE",
        )
    if charges != "model":
        console.item("charges", charges)
        found = predict_response(modes, charges, model)
    else:
        network = load_model(model, structures=[modes.frame])
        describe_model(console, network)
        found = predict_response(modes, network)
    for note in found.notes:
        console.warn(note)
    return found


def summary(
    modes: ReferenceModes, found: HarmonicPrediction, directions: list[tuple[float, float, float]]
) -> dict[str, Any]:
    """Everything that is shown, as plain numbers; degenerate modes are summed."""
    import numpy as np

    response = found.response
    errors = found.error(lambda r: np.array([r.intensities_km_mol[g].sum() for g in modes.degenerate()]))
    rows = []
    for number, group in enumerate(modes.degenerate()):
        row = {
            "wavenumber_cm": float(modes.frequencies_cm[group].mean()),
            "degeneracy": len(group),
            "intensity_km_mol": float(response.intensities_km_mol[group].sum()),
            "intensity_km_mol_err": None if errors is None else float(errors[number]),
            "ionic_eps": np.diag(response.strengths[group].sum(axis=0)).tolist(),
        }
        rows.append(row)
    ionic_error = found.error(lambda r: r.ionic_eps)
    content: dict[str, Any] = {
        "modes": rows,
        "unstable_cm": modes.unstable.tolist(),
        "soft_cm": modes.soft.tolist(),
        "ionic_eps": response.ionic_eps.tolist(),
        "ionic_eps_err": None if ionic_error is None else ionic_error.tolist(),
        "eps_inf": None if response.eps_inf is None else response.eps_inf.tolist(),
        "along": [],
    }
    if response.eps_inf is None:
        return content
    for direction in directions:
        q = np.array(direction)
        spread = found.error(lambda r, q=q: r.along(q))  # type: ignore[misc]
        content["along"].append(
            {
                "direction": list(direction),
                "wavenumber_cm": response.along(q).tolist(),
                "wavenumber_cm_err": None if spread is None else spread.tolist(),
            }
        )
    return content


def show(console: Console, content: dict[str, Any]) -> None:
    """Print the active modes, the permittivity and the longitudinal frequencies."""
    import numpy as np

    rows = content["modes"]
    largest = max((row["intensity_km_mol"] for row in rows), default=0.0)
    for row in rows:
        if row["intensity_km_mol"] < 1e-3 * largest:
            continue
        error = "" if row["intensity_km_mol_err"] is None else f" ± {row['intensity_km_mol_err']:.0f}"
        console.item(
            f"{row['wavenumber_cm']:.1f} cm⁻¹",
            f"{row['intensity_km_mol']:.0f}{error} km/mol, {row['degeneracy']}-fold, ionic ε "
            + " ".join(f"{value:.3f}" for value in row["ionic_eps"]),
        )
    text = " ".join(f"{value:.3f}" for value in np.diag(content["ionic_eps"]))
    if content["ionic_eps_err"] is not None:
        text += " ± " + " ".join(f"{value:.2g}" for value in np.diag(content["ionic_eps_err"]))
    console.item("ionic ε", text)
    if content["eps_inf"] is None:
        console.item("q → 0", "no LO frequencies: no ε_∞ comes with these charges")
    else:
        console.item("ε_∞", " ".join(f"{value:.3f}" for value in np.diag(content["eps_inf"])))
    for entry in content["along"]:
        errors = entry["wavenumber_cm_err"] or [0.0] * len(entry["wavenumber_cm"])
        moved = [
            f"{value:.1f} ± {error:.2g}" if error > ROUNDING_CM else f"{value:.1f}"
            for value, error in zip(entry["wavenumber_cm"], errors, strict=True)
        ]
        name = " ".join(f"{x:g}" for x in entry["direction"])
        console.item(f"q → 0 ({name})", ", ".join(moved) + " cm⁻¹")


def write_table(path: Path, content: dict[str, Any]) -> None:
    """Write the modes, one row each."""
    lines = [
        "wavenumber_cm,degeneracy,intensity_km_mol,intensity_km_mol_err,ionic_eps_xx,ionic_eps_yy,ionic_eps_zz"
    ]
    for row in content["modes"]:
        error = "" if row["intensity_km_mol_err"] is None else f"{row['intensity_km_mol_err']:.6g}"
        lines.append(
            f"{row['wavenumber_cm']:.6g},{row['degeneracy']},{row['intensity_km_mol']:.6g},{error},"
            + ",".join(f"{value:.6g}" for value in row["ionic_eps"])
        )
    write_text(path, "\n".join(lines) + "\n")
