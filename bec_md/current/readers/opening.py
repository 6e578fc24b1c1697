"""Recognize and open a file that holds a current or a dipole moment rather than a trajectory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.archive import array_names
from bec_md.arrays import Array
from bec_md.current.file import is_stored_current, load_current
from bec_md.current.options import SeriesOptions
from bec_md.current.readers import columns, cp2k, gpumd, lammps
from bec_md.current.readers.dipole import differentiate, unwrap_polarization
from bec_md.current.readers.lammps_log import log_of
from bec_md.current.readers.raw import RawSeries
from bec_md.current.readers.table import is_heading, is_number
from bec_md.current.series import CurrentSeries
from bec_md.errors import DataError, UsageError
from bec_md.files import expanded, is_file, parsing, read_head, require_file
from bec_md.trajectory.plausibility import step_of

READERS: dict[str, Callable[[Path, SeriesOptions], RawSeries]] = {
    "npy": columns.read_npy,
    "npz": columns.read_npz,
    "gpumd-dpdt": gpumd.read_dpdt,
    "gpumd-dipole": gpumd.read_dipole,
    "lammps-log": lammps.read_log,
    "lammps-ave-time": lammps.read_ave_time,
    "lammps-ave-correlate": lammps.refuse_correlations,
    "cp2k": cp2k.read_cp2k,
    "columns": columns.read_plain,
}
_HEAD_BYTES = 65536
#: Steps above this share of half a polarization quantum may have lost the branch.
AMBIGUOUS = 0.7
#: A given and a stated time between samples that differ by more contradict each other.
SAME_CLOCK = 2e-3
#: Rows that tell the step to which J is rounded, and the share of this noise in ⟨J²⟩ that is said.
_TOLD_ROWS, _ROUNDED = 50_000, 1e-3
#: Correlation of ΔP and J from which on P(t) is that of this current, and misfit of their ratio that is none.
_IN_STEP, _SAME_RATE = 0.98, 0.1
_NOT_ITS_RATE = (
    "P(t) is left out, since J is not its rate of change: J of a group, a cell that changes (P moves without "
    "a current), samples too far apart, or jumps; M is the integral of J"
)


def open_current(path: str | Path, options: SeriesOptions | None = None, **changes: Any) -> CurrentSeries:
    """Return the current that a file holds: our own HDF5, or a series of J or M of another code.

    Parameters
    ----------
    path
        The file.
    options
        What the file does not say about itself.
    **changes
        Fields of `SeriesOptions` by name, instead of those in `options`.

    Returns
    -------
    CurrentSeries
        J in e Å/fs; large series are read from the file in pieces.

    Raises
    ------
    UsageError
        If timestep, units or volume are unknown, or given to a file of ours that states them.
    DataError
        If the file is damaged or of no known kind.
    """
    path = expanded(path)
    given = (options or SeriesOptions()).changed(**changes)
    given.check()
    if is_stored_current(path):
        if unused := sorted(given.given() - {"temperature_k", "format"}):
            raise UsageError(
                f"{' and '.join(f'`{name}`' for name in unused)} with the current file {path.name}",
                "a stored current states its time step, its cell and its units itself",
                "leave the option out, or name the trajectory to compute another current",
            )
        return load_current(path)
    require_file(path, "a current is read from it")
    name = given.format or recognize(path)
    if name == "columns" and given.format is None and _is_average(path):
        name = "lammps-ave-time"
    if name is None or name not in READERS:
        raise UsageError(
            f"{path.name} is not recognized as a current or a dipole moment"
            if given.format is None
            else f"unknown format {given.format!r}",
            "its content looks like none of the formats that are read here",
            f"name the format: `format={', '.join(READERS)}`",
        )
    with parsing(path, f"file of the format {name}"):
        raw = READERS[name](path, given)
    return as_current(raw, given, path)


def is_current_file(path: str | Path) -> bool:
    """Whether a file holds a current or dipole moment (and not a trajectory)."""
    path = expanded(path)
    return is_stored_current(path) or (is_file(path) and recognize(path) is not None)


def recognize(path: Path) -> str | None:
    """Return the format of a file of another code, by its content; None if it is something else."""
    if path.suffix == ".npy":
        return "npy"
    if path.suffix == ".npz":
        known = {*columns.NPZ_NAMES, *columns.NPZ_OPEN_NAMES} & set(array_names(path))
        return "npz" if known else None
    data = read_head(path, _HEAD_BYTES)
    if b"\x00" in data:
        return None
    head = data.decode("utf-8", errors="replace")
    if any(mark in head for mark in cp2k.MARKS) or "cell matrix [Debye]" in head:
        return "cp2k"
    if head.lstrip().startswith("LAMMPS (") or _looks_like_log(head):
        return "lammps-log"
    if head.startswith("# Time-averaged data for fix"):
        return "lammps-ave-time"
    if head.startswith("# Time-correlated data for fix"):
        return "lammps-ave-correlate"
    count = _numeric_columns(head, complete=len(data) < _HEAD_BYTES)
    if count in (6, 7) and path.name.startswith("dpdt"):
        return "gpumd-dpdt"
    if count == 4 and path.name.startswith("dipole"):
        return "gpumd-dipole"
    return "columns" if count is not None and count >= 3 else None


def _is_average(path: Path) -> bool:
    """Whether a log beside a table shows that a ``fix ave/time`` with titles of its own has written it."""
    found = log_of(path)
    return found is not None and found[1][3] == "ave/time"


def _looks_like_log(head: str) -> bool:
    """Whether a text holds thermo output whose beginning is missing, as of a screen or a scheduler."""
    marks = ("\nLoop time of", "\nPer MPI rank memory allocation", "\nLAMMPS (")
    return any(mark in head for mark in marks) and "Step" in head


def _numeric_columns(head: str, *, complete: bool) -> int | None:
    """Return the number of columns if the text is a table of numbers, else None."""
    lines = head.splitlines() if complete else head.splitlines()[:-1]
    rows = [line.replace(",", " ").split() for line in lines if line.strip() and line.strip()[0] not in "#@"]
    if rows and is_heading(rows[0]):
        del rows[0]
    if not rows or len({len(row) for row in rows[: max(1, len(rows) - 1)]}) != 1:
        return None
    return len(rows[0]) if all(is_number(word) for row in rows[:50] for word in row) else None


def as_current(raw: RawSeries, options: SeriesOptions, path: Path) -> CurrentSeries:
    """Return the series of what a reader found, completed by what the user gave."""
    timestep = _checked_timestep(raw, options, path)
    cell, volume = _cell_and_volume(raw, options, path)
    remarks = list(raw.remarks)
    current, scheme, notes = raw.values, "velocity", [*raw.notes]
    if raw.kind == "dipole":
        if len(raw.values) < 3:
            raise DataError(
                f"{path.name} holds {len(raw.values)} dipole moments",
                "the current is their difference in time",
                "give a longer series",
            )
        dipole, notes = _continuous(raw, notes, path)
        current, scheme = differentiate(dipole, timestep, options.scheme), options.scheme
    rounding = _rounding(current, notes, path) if raw.kind == "current" else None
    shift = {"velocity": 0.0, "midpoint": 0.5, "central": 1.0}[scheme]
    return CurrentSeries(
        current=current,
        groups=raw.groups,
        timestep_fs=timestep,
        volume_ang3=volume,
        cell_ang=cell,
        scheme=scheme,  # type: ignore[arg-type]
        start_time_fs=raw.start_time_fs + shift * timestep,
        temperature_k=options.temperature_k if options.temperature_k is not None else raw.temperature_k,
        zz_over_mass=None if raw.zz_over_mass is None else raw.zz_over_mass[None, None],
        polarization=_polarization(raw, timestep, path, remarks),
        metadata={
            "source": path.name,
            "format": raw.format,
            "charges": "as in the file",
            "input_hash": _hash(path),
            "current_rounding_e_ang_fs": rounding,
            "warnings": notes,
            "remarks": remarks,
        },
    )


def _checked_timestep(raw: RawSeries, options: SeriesOptions, path: Path) -> float:
    """Time between samples, fs, of a series that moves."""
    timestep = options.timestep_fs if options.timestep_fs is not None else raw.timestep_fs
    if raw.timestep_fs and timestep is not None and abs(timestep / raw.timestep_fs - 1.0) > SAME_CLOCK:
        raise UsageError(
            f"`timestep_fs={timestep:g}` for {path.name}, whose samples are {raw.timestep_fs:g} fs apart",
            "frequencies scale with it; it is the time between samples, not the integrator's step",
            "leave it out: the file states it",
        )
    if not raw.values.any():
        raise DataError(
            f"J is zero throughout {path.name}",
            "the velocities were zero (a LAMMPS rerun without vx vy vz), or nothing was computed",
            "store velocities with the positions, and read them: rerun FILE dump x y z vx vy vz",
        )
    if raw.temperature_k is not None and not raw.temperature_k > 0.0:
        raise DataError(
            f"the mean temperature in {path.name} is {raw.temperature_k:g} K",
            "a spectrum divides by it: the atoms have to move",
            "check its column of temperatures",
        )
    if timestep is None:
        raise UsageError(
            f"{path.name} does not say how much time lies between its samples",
            "frequencies scale with it, so it is never guessed",
            "give the time between samples as `timestep_fs`",
        )
    return timestep


def _rounding(current: Array, notes: list[str], path: Path) -> float | None:
    """Step to which J is rounded, e Å/fs, if it is; its noise is said where it counts."""
    step = step_of(np.asarray(current[:_TOLD_ROWS]))
    noise = (step or 0.0) ** 2 / 12.0 / float(np.mean(np.square(current)))
    if noise > _ROUNDED:
        notes.append(
            f"J in {path.name} is rounded to {step:.3g} e Å/fs, noise with {noise:.2g} of its mean square: "
            "let more digits be written (LAMMPS: thermo_modify format float %.8g, format of fix ave/time)"
        )
    return step


def _polarization(raw: RawSeries, timestep_fs: float, path: Path, remarks: list[str]) -> Array | None:
    """P(t) beside a current, which must be its rate of change: ΔP = ½(J + J')Δ."""
    moment = raw.polarization
    if moment is None or len(moment) < 3:
        return None
    total = raw.values.sum(axis=1)
    moved, pace = np.diff(moment, axis=0), 0.5 * timestep_fs * (total[1:] + total[:-1])
    product, square, path2 = float((moved * pace).sum()), float((pace**2).sum()), float((moved**2).sum())
    if product < _IN_STEP * np.sqrt(square * path2):
        remarks.append(_NOT_ITS_RATE)
        return None
    slope = product / square
    if abs(slope - 1.0) > _SAME_RATE:
        raise DataError(
            f"{path.name}: P(t) moves {slope:.4g} times as fast as J says with samples {timestep_fs:g} fs "
            "apart",
            "J is the rate of change of P: the time between samples, or the units, are wrong",
            "correct the time between samples, or name the columns of J with `columns`",
        )
    return moment


def _continuous(raw: RawSeries, notes: list[str], path: Path) -> tuple[np.ndarray[Any, Any], list[str]]:
    if raw.quanta_ang is None:
        return raw.values, notes
    if len(raw.groups) != 1:
        raise DataError(
            f"{path.name} holds dipole moments of {len(raw.groups)} groups to be unwrapped",
            "the polarization quantum belongs to the whole cell, not to a part of it",
            "give the total moment, or `unwrap=False` if the parts are continuous",
        )
    dipole, nearness = unwrap_polarization(raw.values[:, 0], raw.quanta_ang)
    if nearness > AMBIGUOUS:
        notes = [
            *notes,
            f"the dipole moment moves by up to {nearness:.0%} of half a polarization quantum between "
            "samples: it may have been put on the wrong branch; store it more often",
        ]
    return dipole[:, None], notes


def _cell_and_volume(
    raw: RawSeries, options: SeriesOptions, path: Path
) -> tuple[np.ndarray[Any, Any] | None, float]:
    given = options.cell_ang if options.cell_ang is not None else raw.cell_ang
    cell = None if given is None else np.asarray(given, dtype=np.float64).reshape(3, 3)
    if options.volume_ang3 is not None:
        return cell, float(options.volume_ang3)
    if options.cell_ang is None and raw.volume_ang3 is not None:
        return cell, raw.volume_ang3
    if cell is not None:
        return cell, abs(float(np.linalg.det(cell)))
    raise UsageError(
        f"{path.name} does not say the volume of the cell",
        "absorption and conductivity are per volume",
        "give `volume_ang3`, or `cell_ang` with nine numbers",
    )


def _hash(path: Path) -> str:
    from bec_md.files import fingerprint

    return fingerprint(path)
