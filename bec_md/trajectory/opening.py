"""Recognize a trajectory by its content and open it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.errors import UsageError
from bec_md.trajectory.files import read_head, require_file
from bec_md.trajectory.frame import Trajectory
from bec_md.trajectory.reader import FrameReader, ReaderOptions
from bec_md.trajectory.stream import FrameWindow, StreamedTrajectory

if TYPE_CHECKING:
    import ase
    import MDAnalysis

#: Formats read through MDAnalysis with a topology, by file name suffix.
MDANALYSIS_SUFFIXES = frozenset({".trr", ".xtc", ".dcd", ".nc", ".ncdf", ".h5md", ".h5"})
#: Names ASE uses for formats that have a reader here.
_ALIASES = {"xyz": "extxyz", "lammps-dump-text": "lammps-dump", "npz": "compact"}
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
    elements: Sequence[str] | Mapping[int, str] | Mapping[str, str] | None = None,
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
        Elements of LAMMPS atom types, in the order of the types or by type; with MDAnalysis, by
        atom type or name.
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
    return StreamedTrajectory(reader, window)


def _reader(source: Any, options: ReaderOptions, format: str | None, topology: Path | None) -> FrameReader:
    if isinstance(source, (str, Path)):
        return _file_reader(require_file(Path(source)), options, format, topology)
    if _is_universe(source):
        from bec_md.trajectory.mdanalysis_reader import MDAnalysisReader

        return MDAnalysisReader(source, options)
    from bec_md.trajectory.ase_reader import AtomsReader

    if hasattr(source, "get_positions") and hasattr(source, "get_atomic_numbers"):
        return AtomsReader([source], options)
    items = list(source)
    if len(items) == 2 and all(isinstance(item, (str, Path)) for item in items):
        return _file_reader(require_file(Path(items[1])), options, "mdanalysis", Path(items[0]))
    if items and all(hasattr(item, "get_positions") for item in items):
        return AtomsReader(items, options)
    raise UsageError(
        f"a sequence of {len(items)} {type(items[0]).__name__ if items else 'things'} is no trajectory",
        "it is a path, a pair (topology, trajectory), a sequence of ase.Atoms, or an MDAnalysis.Universe",
        "open several files one after the other",
    )


def _file_reader(
    path: Path, options: ReaderOptions, format: str | None, topology: Path | None
) -> FrameReader:
    kind = _ALIASES.get(format, format) if format is not None else recognize(path)
    if kind == "extxyz":
        from bec_md.trajectory.extxyz import ExtxyzReader

        return ExtxyzReader(path, options)
    if kind == "lammps-dump":
        from bec_md.trajectory.lammps_dump import LammpsDumpReader

        return LammpsDumpReader(path, options)
    if kind == "compact":
        from bec_md.trajectory.compact import CompactReader

        return CompactReader(path, options)
    if kind == "mdanalysis" or topology is not None:
        if topology is None:
            raise UsageError(
                f"{path}: a {path.suffix or 'binary'} trajectory needs a topology",
                "it holds positions but not which elements they belong to",
                "give topology= (PDB, TPR, PSF, PRMTOP, …), or convert the trajectory to extended XYZ",
            )
        from bec_md.trajectory.mdanalysis_reader import MDAnalysisReader

        return MDAnalysisReader((topology, path), options)
    if kind == "lammps-dump-binary":
        raise UsageError(
            f"{path}: a binary LAMMPS dump",
            "it does not state its columns and depends on the machine",
            "convert it with LAMMPS' binary2txt, or dump text (.gz is fine)",
        )
    from bec_md.trajectory.ase_reader import AtomsReader

    return AtomsReader(path, options, None if kind == "ase" else kind)


def _is_universe(source: object) -> bool:
    """Whether this is an MDAnalysis Universe, without importing MDAnalysis."""
    return any(base.__module__.startswith("MDAnalysis.") for base in type(source).__mro__) and hasattr(
        source, "trajectory"
    )


def recognize(path: Path) -> str:
    """Name of the format of a file, by content first and by name second."""
    head = read_head(path)
    if head.startswith(b"ITEM:"):
        return "lammps-dump"
    if head.startswith(b"PK") and path.suffix == ".npz":
        return "compact"
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _COMPRESSION_SUFFIXES]
    if suffixes and suffixes[-1] in MDANALYSIS_SUFFIXES:
        return "mdanalysis"
    if suffixes and suffixes[-1] == ".bin":
        return "lammps-dump-binary"
    lines = head.lstrip(b"\r\n \t").decode("utf-8", "replace").split("\n", 2)
    if (
        len(lines) > 1
        and lines[0].strip().isdigit()
        and (".xyz" in suffixes or ".extxyz" in suffixes or _marked(lines))
    ):
        return "extxyz"
    if suffixes and suffixes[-1] in (".xyz", ".extxyz"):
        return "extxyz"
    return "ase"


def _marked(lines: Sequence[str]) -> bool:
    return "Lattice=" in lines[1] or "Properties=" in lines[1]
