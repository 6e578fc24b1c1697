"""Open a trajectory, whatever holds it: a file, a pair with a topology, frames in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.arrays import brief
from bec_md.errors import UsageError
from bec_md.files import expanded, require_file
from bec_md.kinds import require_options
from bec_md.structure.species import HIDDEN_NUMBER
from bec_md.trajectory.formats import open_file, refuse_unused
from bec_md.trajectory.frame import Trajectory
from bec_md.trajectory.joined import JoinedReader, Parts
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.visible import VisibleReader, hides
from bec_md.trajectory.readers.wrapped import GivenCellReader
from bec_md.trajectory.stream import StreamedTrajectory

if TYPE_CHECKING:
    import ase
    import MDAnalysis


def open_trajectory(
    source: str | Path | Parts | Sequence[Any] | ase.Atoms | MDAnalysis.Universe,
    options: ReadOptions | None = None,
    **changes: Any,
) -> Trajectory:
    """Open a trajectory for streaming.

    Parameters
    ----------
    source
        Path of a file in a format of `bec_md.trajectory.formats` (extended XYZ, LAMMPS text dump, compact
        ``.npz``, with a topology anything MDAnalysis reads, anything ASE reads), a pair (topology,
        trajectory), the `Parts` of one run, a sequence of `ase.Atoms`, or an `MDAnalysis.Universe`. Files may
        be compressed with gzip, bzip2 or xz.
    options
        How to read it.
    **changes
        Fields of `ReadOptions` by name, instead of those in `options`.

    Returns
    -------
    Trajectory
        Its frames are read when they are asked for, in Å, Å/fs, amu and fs.

    Raises
    ------
    UsageError
        For a missing file, contradictory options, or options a format needs or does not use.
    DataError
        For files that are damaged or lack what a spectrum needs.
    """
    require_options(options or ReadOptions(), "ReadOptions")
    chosen = (options or ReadOptions()).changed(**changes)
    chosen.check()
    if chosen.velocities == "none":
        chosen = replace(chosen, velocities=None, need_velocities=False)
    parts = source if isinstance(source, Parts) else None
    readers = [_reader(path, chosen) for path in (parts.paths if parts else [source])]
    hidden = hides(chosen)
    trajectory = _stream(readers, parts, chosen, hidden)
    if not hidden and (trajectory.info.numbers == HIDDEN_NUMBER).any():  # named so in the file itself
        return _stream(readers, parts, chosen, True)
    return trajectory


def _stream(
    readers: list[FrameReader], parts: Parts | None, options: ReadOptions, hidden: bool
) -> StreamedTrajectory:
    visible: list[FrameReader] = (
        [VisibleReader(reader, options.masses) for reader in readers] if hidden else readers
    )
    return StreamedTrajectory(visible[0] if parts is None else JoinedReader(visible, parts.repeated), options)


def _reader(source: Any, options: ReadOptions) -> FrameReader:
    if isinstance(source, (str, Path)):
        return open_file(require_file(expanded(source)), options)
    if _is_universe(source):
        from bec_md.trajectory.mdanalysis_reader import MDAnalysisReader

        refuse_unused(options, frozenset({"elements"}), "a Universe", "objects of MDAnalysis")
        return _in_given_cell(MDAnalysisReader(source, options), options)
    from bec_md.trajectory.ase_reader import AtomsReader

    if hasattr(source, "get_positions") and hasattr(source, "get_atomic_numbers"):
        source = [source]
    several = isinstance(source, Iterable) or hasattr(source, "__getitem__")  # a slice of an ASE trajectory
    items = list(source) if several else []
    if len(items) == 2 and all(isinstance(item, (str, Path)) for item in items):
        return _reader(items[1], replace(options, topology=items[0]))
    if items and all(hasattr(item, "get_positions") for item in items):
        refuse_unused(options, frozenset({"velocity_units"}), f"{len(items)} ase.Atoms", "objects of ASE")
        return _in_given_cell(AtomsReader(items, options), options)
    kind = type(items[0] if items else source).__name__
    raise UsageError(
        f"{f'a sequence of {len(items)} {kind}' if items else brief(source)} is no trajectory",
        "it is a path, a pair (topology, trajectory), a sequence of ase.Atoms, or an MDAnalysis.Universe",
        "open several files one after the other",
    )


def _in_given_cell(reader: FrameReader, options: ReadOptions) -> FrameReader:
    return reader if options.cell_ang is None else GivenCellReader(reader, options)


def _is_universe(source: object) -> bool:
    """Whether this is an MDAnalysis Universe, without importing MDAnalysis."""
    return any(base.__module__.startswith("MDAnalysis.") for base in type(source).__mro__) and hasattr(
        source, "trajectory"
    )
