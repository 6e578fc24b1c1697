"""Files without frames of a run: labels, currents, measured spectra, charges, force constants, logs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.current.options import SeriesOptions
from bec_md.description.description import Description, in_one_line
from bec_md.description.structures import composition
from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.files import read_head, read_text, unpacked_name
from bec_md.structure.names import CHARGES, EPS_INF
from bec_md.trajectory.options import ReadOptions

_CURVES = (".csv", ".dat", ".txt", ".tsv", ".yml", ".yaml", ".jdx", ".dx", ".jcamp")
_LARGEST_CURVE = 32 << 20


@dataclass(frozen=True)
class _RunLog:
    """First line of a log, what stands between its names, names of time and temperature, fs per time."""

    head: re.Pattern[str]
    between: str
    time: str
    temperature: str
    time_fs: float


_LOGS = {
    "ASE": _RunLog(re.compile(r"\s*Time\[ps\]\s+Etot"), r"\s+", "Time[ps]", "T[K]", 1e3),
    "CP2K": _RunLog(re.compile(r"#\s+Step Nr\.\s+Time\[fs\]"), r"\s{2,}", "Time[fs]", "Temp[K]", 1.0),
}


def _head(path: Path) -> str:
    data = read_head(path)
    return "" if b"\x00" in data else data.decode("utf-8", errors="replace")


# ------------------------------------------------------------------ labels of electronic-structure codes
def is_output(path: Path) -> bool:
    """Whether it is an output that `bec-md collect` reads."""
    from bec_md.training.collection import reader_of

    return reader_of(_head(path)) is not None


def describe_labels(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """Structures with tensors in an output of VASP, Quantum ESPRESSO or ABINIT."""
    from bec_md.training.collection import read_output

    left_out: list[str] = []
    frames = read_output(path, left_out=left_out)
    first, info = frames[0], frames[0].info
    said = {"code": info.get("code"), "level": info.get("functional")}
    charge = first.labels[CHARGES]
    residual = np.abs(charge.sum(axis=0) - first.total_charge * np.eye(3)).max() / len(charge)
    rows = [
        ("atoms", f"{first.n_atoms} ({composition(first.numbers)})"),
        *((name, str(value)) for name, value in said.items() if value),
        ("charges", f"Born effective charges of {len(frames)} structure(s); |ΣZ − Q|/N = {residual:.2g} e"),
    ]
    if EPS_INF in first.labels:
        rows.append(("ε_∞", f"{float(np.trace(first.labels[EPS_INF])) / 3:.4g} (a third of its trace)"))
    values = {
        "source": path.name, "n_frames": len(frames), "n_atoms": first.n_atoms, **said,
        "sum_rule_residual_e": float(residual),
    }  # fmt: skip
    return Description(
        f"labels for training and evaluation, {len(frames)} structure(s)",
        tuple(rows),
        values,
        (
            "motion: a spectrum needs frames of one run; bec-md collect makes a labelled file of this one",
            *(f"left out: {sentence}" for sentence in left_out),
        ),
    )


# ------------------------------------------------------------------ charges, force constants
def is_born(path: Path) -> bool:
    """Whether it is a BORN file of phonopy."""
    from bec_md.charges.born_file import looks_like_born

    return path.stat().st_size < _LARGEST_CURVE and looks_like_born(path)


def describe_born(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """ε_∞ and the tensors of a BORN file."""
    from bec_md.charges.born_file import read_born

    born = read_born(path)
    traces = ", ".join(f"{float(np.trace(tensor)) / 3:+.3f}" for tensor in born.tensors[:8])
    named = "" if born.atoms is None else f" (atoms {', '.join(str(atom + 1) for atom in born.atoms)})"
    return Description(
        f"BORN file, {len(born.tensors)} tensor(s)",
        (
            ("tr Z/3", f"{traces} e{named}"),
            ("ε_∞", f"{float(np.trace(born.eps_inf)) / 3:.4g} (a third of its trace)"),
        ),
        {"source": path.name, "n_tensors": len(born.tensors), "eps_inf": born.eps_inf.tolist()},
        (f"motion and structure: give a trajectory and `charges` born:{path.name},POSCAR",),
    )


def is_phonopy(path: Path) -> bool:
    """Whether it is a file that phonopy writes about itself."""
    suffixes = (".yaml", ".yml")
    return unpacked_name(path).lower().endswith(suffixes) and _head(path).lstrip("# \n").startswith("phonopy")


def describe_phonopy(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """The cells of a phonopy.yaml."""
    text = read_text(path, strict=False)
    cells = re.findall(r"^(unit_cell|primitive_cell|supercell):", text, re.MULTILINE)
    units = re.findall(r"^\s+(force_constants|length|atomic_mass):\s*\"?([^\"\n]+)", text, re.MULTILINE)
    rows = [("cells", ", ".join(cells) or "none"), *((name, unit) for name, unit in units)]
    return Description(
        "phonopy calculation",
        tuple(rows),
        {"source": path.name, "cells": cells, "units": dict(units)},
        ("motion: bec-md harmonic gives its harmonic spectrum; one at a temperature needs a trajectory",),
    )


def is_force_constants(path: Path) -> bool:
    """Whether it is a FORCE_CONSTANTS file of phonopy."""
    words = [line.split() for line in _head(path).splitlines()[:3]]
    shape = [len(row) for row in words]
    return shape in ([1, 2, 3], [2, 2, 3]) and all(word.isdigit() for row in words[:2] for word in row)


def describe_force_constants(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """The number of atoms of force constants."""
    counts = [int(word) for word in _head(path).splitlines()[0].split()]
    compact = len(counts) == 2 and counts[0] != counts[1]
    text = f"{counts[0]} × {counts[-1]} atoms" + (", compact" if compact else "")
    return Description(
        "force constants of phonopy",
        (("size", text),),
        {"source": path.name, "n_atoms": counts[-1], "compact": compact},
        ("motion and structure: bec-md modes takes them beside a trajectory",),
    )


# ------------------------------------------------------------------ spectra, currents, logs
def is_curve(path: Path) -> bool:
    """Whether it is a spectrum that `bec-md compare` reads."""
    if path.suffix.lower() not in _CURVES or path.stat().st_size > _LARGEST_CURVE:
        return False
    from bec_md.compare.sources import named_quantity

    return bool(_quantities(path)) or named_quantity(path) is not None


def _quantities(path: Path) -> dict[str, Any]:
    from bec_md.compare.curve import QUANTITIES, Curve
    from bec_md.compare.sources import named_axis, open_curve

    found = {}
    for quantity in QUANTITIES:
        try:
            found[quantity] = open_curve(path, quantity)
        except (BecMDError, ValueError):
            continue
    try:
        bare = None if found else named_axis(path)
        return found if bare is None else {"a column without a name": Curve(path.name, "n_alpha", *bare)}
    except BecMDError:
        return found


def describe_curve(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """Range and quantities of a measured or computed spectrum."""
    from bec_md.compare.sources import named_quantity, open_curve

    found = _quantities(path)
    if not found:  # its header names one, and its numbers are no such thing
        open_curve(path, str(named_quantity(path)))
    curve = next(iter(found.values()))
    low, high = float(curve.wavenumber_cm[0]), float(curve.wavenumber_cm[-1])
    return Description(
        f"spectrum to compare with, {len(curve.wavenumber_cm)} points",
        (("range", f"{low:.5g} … {high:.5g} cm⁻¹"), ("quantities", ", ".join(found))),
        {"source": path.name, "range_cm": [low, high], "quantities": list(found)},
    )


def is_run_log(path: Path) -> bool:
    """Whether it is the log of ASE's molecular dynamics, or the energies (``.ener``) of CP2K's."""
    return _program_of(_head(path)) is not None


def _program_of(line: str) -> str | None:
    return next((program for program, log in _LOGS.items() if log.head.match(line)), None)


def describe_run_log(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """Times and temperatures of a run."""
    lines = read_text(path, strict=False).splitlines()
    program = str(_program_of(lines[0]))
    log = _LOGS[program]
    names = re.split(log.between, lines[0].lstrip("# ").rstrip())
    rows = [line.split() for line in lines[1:] if not log.head.match(line)]
    try:
        table = np.array(
            [[float(word) for word in row[: len(names)]] for row in rows if len(row) >= len(names)]
        )
        times = table[:, names.index(log.time)] * log.time_fs
        kelvin = table[:, names.index(log.temperature)]
    except (ValueError, IndexError):
        raise DataError(
            f"{path.name}: rows of this log of {program} cannot be read",
            "it is damaged, or not only a log",
            "describe the trajectory of the run instead",
        ) from None
    steps = Counter(np.round(np.diff(times), 6).tolist()).most_common(1)
    apart = f"{steps[0][0]:g} fs apart" if steps else "one row"
    mean, spread = float(kelvin.mean()), float(kelvin.std())
    return Description(
        f"log of {program}'s molecular dynamics, {len(times)} rows",
        (
            ("time", f"{times[0]:g} … {times[-1]:g} fs, rows {apart}"),
            ("temperature", f"{mean:.1f} ± {spread:.1f} K (mean and standard deviation of the rows)"),
        ),
        {"source": path.name, "n_rows": len(times), "mean_temperature_k": mean},
        ("motion and charges: give the trajectory of the run; a log holds neither positions nor J",),
    )


def is_series(path: Path) -> bool:
    """Whether it is J(t) or M(t) of another code, or a log of LAMMPS."""
    from bec_md.current.readers.opening import recognize

    try:
        return recognize(path) is not None
    except BecMDError:
        return False


def describe_series(path: Path, options: ReadOptions, series: SeriesOptions) -> Description:
    """Samples of a current or dipole moment, and what the file does not say about them."""
    from bec_md.current.readers.opening import READERS, as_current, recognize

    name = str(recognize(path))
    given = series
    values: dict[str, Any] = {"source": path.name, "format": name}
    try:
        raw = READERS[name](path, given)
    except BecMDError as error:
        told = {"missing" if isinstance(error, UsageError) else "warnings": (in_one_line(error),)}
        return Description(f"current or dipole moment ({name})", (), values, **told)
    warnings, missing = [*raw.notes], []
    try:
        as_current(raw, given, path)
    except UsageError as error:
        missing.append(in_one_line(error))
    except DataError as error:
        warnings.append(in_one_line(error))
    step = given.timestep_fs or raw.timestep_fs
    kelvin = given.temperature_k or raw.temperature_k
    if kelvin is None:
        missing.append("the temperature: give `temperature_k`")
    what = "J(t)" if raw.kind == "current" else "M(t)"
    rows = [
        ("samples", f"{len(raw.values)}" + ("" if step is None else f", {step:g} fs apart")),
        ("groups", ", ".join(raw.groups[:8])),
    ]
    if raw.volume_ang3 is not None:
        rows.append(("volume", f"{raw.volume_ang3:.5g} Å³"))
    if kelvin is not None:
        rows.append(("temperature", f"{kelvin:.1f} K"))
    rows += [("", remark) for remark in raw.remarks]
    values |= {
        "n_frames": len(raw.values), "timestep_fs": step, "groups": list(raw.groups),
        "volume_ang3": raw.volume_ang3, "temperature_k": kelvin,
    }  # fmt: skip
    return Description(f"{what} ({name})", tuple(rows), values, tuple(missing), tuple(warnings))
