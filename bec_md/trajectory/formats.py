"""The table of trajectory formats: how each is recognized, and what opens it.

A new format is a module with a reader (`bec_md.trajectory.reader.FrameReader`) and a row here. Rows are tried
from the top: first every `sniff`, which looks at the content, then the suffixes; what no row knows is left
to ASE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from bec_md.errors import UsageError
from bec_md.files import COMPRESSIONS, read_head
from bec_md.trajectory.ase_reader import AtomsReader
from bec_md.trajectory.compact import CompactReader
from bec_md.trajectory.extxyz import ExtxyzReader
from bec_md.trajectory.lammps_dump import LammpsDumpReader
from bec_md.trajectory.mdanalysis_reader import open_with_topology
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader

#: Options that every format takes.
COMMON_OPTIONS = frozenset({
    "timestep_fs", "start", "stop", "stride", "format", "masses", "charges_key", "charges_transposed",
    "need_velocities", "temperature_k",
})  # fmt: skip


@dataclass(frozen=True)
class Head:
    """What a file is recognized by: its name and the first bytes of its decompressed content."""

    path: Path
    data: bytes

    @cached_property
    def lines(self) -> list[str]:
        """First lines as text, blank ones at the top left out."""
        return self.data.lstrip(b"\r\n \t").decode("utf-8", "replace").splitlines()

    @cached_property
    def suffix(self) -> str:
        """Suffix in lower case, before that of a compression."""
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        return next((suffix for suffix in reversed(suffixes) if suffix not in COMPRESSIONS), "")


@dataclass(frozen=True)
class Format:
    """One row of the table.

    Parameters
    ----------
    open
        Makes the reader of a file.
    suffixes
        Suffixes in lower case, without that of a compression; they decide when no content does.
    sniff
        Whether the head of a file is of this format beyond doubt.
    options
        Options that the format takes beside `COMMON_OPTIONS`; any other one given is refused.
    """

    open: Callable[[Path, ReadOptions], FrameReader]
    suffixes: tuple[str, ...] = ()
    sniff: Callable[[Head], bool] | None = None
    options: frozenset[str] = frozenset()


def _is_extxyz(head: Head) -> bool:
    """A number of atoms, then a comment with Lattice= or Properties=, or the name of an XYZ file."""
    lines = head.lines
    if len(lines) < 2 or not lines[0].strip().isdigit():
        return False
    return "Lattice=" in lines[1] or "Properties=" in lines[1] or head.suffix in (".xyz", ".extxyz")


def _refuse_binary_dump(path: Path, _: ReadOptions) -> NoReturn:
    raise UsageError(
        f"{path.name}: a binary LAMMPS dump",
        "it does not state its columns and depends on the machine",
        "convert it with LAMMPS' binary2txt, or dump text (.gz is fine)",
    )


#: Formats by name.
FORMATS: Mapping[str, Format] = {
    "lammps-dump": Format(
        LammpsDumpReader,
        (".lammpstrj",),
        lambda head: head.data.startswith(b"ITEM:"),
        frozenset({"lammps_units", "elements"}),
    ),
    "compact": Format(
        CompactReader, (".npz",), lambda head: head.data.startswith(b"PK") and head.suffix == ".npz"
    ),
    "extxyz": Format(ExtxyzReader, (".xyz", ".extxyz"), _is_extxyz, frozenset({"velocity_units"})),
    "mdanalysis": Format(
        open_with_topology,
        (".trr", ".xtc", ".dcd", ".nc", ".ncdf", ".h5md", ".h5"),
        options=frozenset({"topology", "elements"}),
    ),
    "lammps-dump-binary": Format(_refuse_binary_dump, (".bin",)),
    "ase": Format(AtomsReader, options=frozenset({"velocity_units"})),
}
#: Other names for rows: those that ASE uses.
ALIASES: Mapping[str, str] = {"xyz": "extxyz", "lammps-dump-text": "lammps-dump", "npz": "compact"}


def recognize(path: Path) -> str:
    """Name of the row of a file: by content first, by suffix second, else "ase"."""
    head = Head(path, read_head(path))
    for name, row in FORMATS.items():
        if row.sniff is not None and row.sniff(head):
            return name
    return next((name for name, row in FORMATS.items() if head.suffix in row.suffixes), "ase")


def open_file(path: Path, options: ReadOptions) -> FrameReader:
    """Open a file by its format.

    Raises
    ------
    UsageError
        If an option was given that the format does not use.
    """
    name = ALIASES.get(options.format or "", options.format) or recognize(path)
    if options.topology is not None and name in ("ase", "mdanalysis"):
        name = "mdanalysis"
    row = FORMATS.get(name, FORMATS["ase"])  # any other name is one of ASE's formats
    unused = sorted(options.given() - COMMON_OPTIONS - row.options)
    if unused:
        raise UsageError(
            f"{path.name}: {' and '.join(f'{option}=' for option in unused)} with the format {name}",
            "this format has no use for it, and an option that does nothing may hide a mistake",
            "leave it out, or name the right format with format=",
        )
    return row.open(path, options)
