"""Recognize a trajectory by its content and open it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.trajectory.files import read_head, require_file
from bec_md.trajectory.frame import Trajectory
from bec_md.trajectory.reader import FrameReader, ReaderOptions
from bec_md.trajectory.stream import FrameWindow, StreamedTrajectory

if TYPE_CHECKING:
    import ase
    import MDAnalysis  # type: ignore[import-untyped]

#: Formats read through MDAnalysis with a topology, by file name suffix.
MDANALYSIS_SUFFIXES: Mapping[str, str] = {
    ".trr": "trr", ".xtc": "xtc", ".dcd": "dcd", ".nc": "netcdf", ".ncdf": "netcdf", ".h5md": "h5md",
    ".h5": "h5md",
}  # fmt: skip
_COMPRESSION_SUFFIXES = {".gz", ".bz2", ".xz"}


def open_trajectory(
    source: str | Path | Sequence[Any] | ase.Atoms | MDAnalysis.Universe,
    *,
    timestep_fs: float | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    format: str | None = None,
    topology: str | Path | None = None,
    lammps_units: str | None = None,
    elements: Sequence[str] | Mapping[int, str] | None = None,
    charges_key: str | None = None,
    charges_transposed: bool = False,
    masses: Mapping[str, float] | None = None,
    need_velocities: bool = True,
    velocity_units: str | None = None,
) -> Trajectory:
    """Open a trajectory for streaming.

    Parameters
    ----------
    source
        Path of a file (extended XYZ, LAMMPS text dump, compact ``.npz``, anything ASE reads, or with a
        topology anything MDAnalysis reads), a pair (topology, trajectory), a sequence of `ase.Atoms`, or an
        `MDAnalysis.Universe`. Files may be compressed with gzip, bzip2 or xz.
    timestep_fs
        Time between stored frames in fs, before `stride`. Needed later unless the file carries it.
    start, stop, stride
        Which stored frames to yield, as in a slice.
    format
        "extxyz", "lammps-dump", "compact", "mdanalysis", or the name of an ASE format; by default
        recognized by content.
    topology
        Topology for MDAnalysis.
    lammps_units
        Unit style of a LAMMPS dump that does not state it.
    elements
        Elements of LAMMPS atom types, in the order of the types or by type.
    charges_key
        Name of the per-atom array with Born effective charges; by default the known names.
    charges_transposed
        Whether the first index of stored charges is the displacement.
    masses
        Masses in amu by element, e.g. ``{"H": 2.014}``.
    need_velocities
        False to leave stored velocities unread.
    velocity_units
        "ase", "ang/fs" or "ang/ps" for formats that do not state it. By default ASE's own, except for
        columns that other programs define (`bec_md.trajectory.extxyz`). The choice is stated in
        ``info.units_note`` and checked by the kinetic temperature.

    Raises
    ------
    UsageError
        For a missing file, contradictory options, or options a format needs.
    DataError
        For files that are damaged or lack what a spectrum needs.
    """
    options = ReaderOptions(
        elements=elements,
        lammps_units=lammps_units,
        velocity_units=velocity_units,
        charges_key=charges_key,
        charges_transposed=charges_transposed,
        masses=dict(masses or {}),
        need_velocities=need_velocities,
    )
    window = FrameWindow(start, stop, stride, timestep_fs)
    reader = _reader(source, options, format, None if topology is None else Path(topology))
    return StreamedTrajectory(reader, window, needs_velocities=need_velocities)


def _reader(source: Any, options: ReaderOptions, format: str | None, topology: Path | None) -> FrameReader:
    if isinstance(source, (str, Path)):
        return _file_reader(require_file(Path(source)), options, format, topology)
    raise NotImplementedError


def _file_reader(
    path: Path, options: ReaderOptions, format: str | None, topology: Path | None
) -> FrameReader:
    kind = format or recognize(path)
    if kind == "extxyz":
        from bec_md.trajectory.extxyz import ExtxyzReader

        return ExtxyzReader(path, options)
    if kind == "lammps-dump":
        from bec_md.trajectory.lammps_dump import LammpsDumpReader

        return LammpsDumpReader(path, options)
    raise NotImplementedError(kind)


def recognize(path: Path) -> str:
    """Name of the format of a file, by content first and name second."""
    head = read_head(path)
    if head.startswith(b"ITEM:"):
        return "lammps-dump"
    lines = head.decode("utf-8", "replace").split("\n", 2)
    if len(lines) > 1 and lines[0].strip().isdigit():
        return "extxyz"
    return "ase"
