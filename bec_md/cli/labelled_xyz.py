"""Write frames with their Born effective charges as extended XYZ, one after the other."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import numpy as np
from numpy.typing import NDArray

from bec_md.units import AMU_ANG2_FS2_EV

if TYPE_CHECKING:
    from bec_md.trajectory.frame import Frame

Array = NDArray[np.float64]

#: 1 Å/fs in ASE's unit of velocity, √(eV/amu).
ASE_VELOCITY_PER_ANG_FS = AMU_ANG2_FS2_EV**0.5


def open_for_writing(path: Path) -> TextIO:
    """Open a text file, compressed if its name ends in .gz or .xz."""
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "wt", encoding="utf-8"))
    if path.suffix == ".xz":
        return cast(TextIO, lzma.open(path, "wt", encoding="utf-8"))
    return path.open("w", encoding="utf-8")


def frame_text(
    frame: Frame, charges: Array, uncertainty_e: Array | None = None, eps_inf: Array | None = None
) -> str:
    """Return one frame as extended XYZ.

    Parameters
    ----------
    frame
        Geometry and, if there are any, velocities (written as momenta in ASE's units).
    charges
        (N, 3, 3) in e, written row by row as nine columns: ``bec_convention="dM/du"``.
    uncertainty_e
        (N,) standard error of a component, e.
    eps_inf
        (3, 3) electronic permittivity.
    """
    from ase.data import atomic_masses, chemical_symbols

    n_atoms = len(frame.numbers)
    columns: list[tuple[str, Array, str]] = [("pos", frame.positions_ang, "%.8f")]
    if not np.allclose(frame.masses_amu, atomic_masses[frame.numbers], rtol=1e-6):
        columns.append(("masses", frame.masses_amu[:, None], "%.6f"))
    if frame.velocities_ang_fs is not None:
        momenta = frame.masses_amu[:, None] * frame.velocities_ang_fs * ASE_VELOCITY_PER_ANG_FS
        columns.append(("momenta", momenta, "%.8g"))
    columns.append(("born_effective_charges", charges.reshape(n_atoms, 9), "%.6f"))
    if uncertainty_e is not None:
        columns.append(("charge_uncertainty_e", uncertainty_e[:, None], "%.6f"))
    properties = "species:S:1" + "".join(f":{name}:R:{values.shape[1]}" for name, values, _ in columns)
    entries: dict[str, Any] = {
        "Lattice": _quoted(frame.cell_ang),
        "Properties": properties,
        "bec_convention": '"dM/du"',
        "pbc": '"' + " ".join("T" if periodic else "F" for periodic in frame.pbc) + '"',
    }
    if frame.time_fs is not None:
        entries["time_fs"] = f"{frame.time_fs:.10g}"
    if frame.total_charge:
        entries["total_charge"] = f"{frame.total_charge:g}"
    if eps_inf is not None:
        entries["eps_inf"] = _quoted(eps_inf)
    form = "%-2s " + " ".join(" ".join([fmt] * values.shape[1]) for _, values, fmt in columns)
    numbers = np.hstack([values for _, values, _ in columns]).tolist()
    symbols = [chemical_symbols[number] for number in frame.numbers.tolist()]
    rows = [form % (symbol, *row) for symbol, row in zip(symbols, numbers, strict=True)]
    comment = " ".join(f"{key}={value}" for key, value in entries.items())
    return "\n".join([str(n_atoms), comment, *rows]) + "\n"


def _quoted(values: Array) -> str:
    return '"' + " ".join(f"{value:.10g}" for value in np.asarray(values).ravel().tolist()) + '"'
