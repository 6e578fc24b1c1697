"""The table of trajectory formats: how each is recognized, and what opens it.

A new format is a module with a reader (`bec_md.trajectory.reader.FrameReader`) and a row here. Rows are tried
from the top: first every `sniff`, which looks at the content, then the suffixes; what no row knows is left
to ASE.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from bec_md.errors import UsageError
from bec_md.files import COMPRESSIONS, breaks_off, compression_of, read_head
from bec_md.trajectory.ase_reader import AtomsReader
from bec_md.trajectory.compact import CompactReader
from bec_md.trajectory.extxyz import ExtxyzReader
from bec_md.trajectory.lammps_dump import LammpsDumpReader
from bec_md.trajectory.mdanalysis_reader import open_with_topology
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.reader import FrameReader
from bec_md.trajectory.readers.abinit import AbinitReader, is_hist
from bec_md.trajectory.readers.aims import open_aims
from bec_md.trajectory.readers.amber import AmberReader
from bec_md.trajectory.readers.ase_traj import AseTrajReader, is_traj
from bec_md.trajectory.readers.castep import is_castep, open_castep
from bec_md.trajectory.readers.cp2k import is_cp2k, open_cp2k
from bec_md.trajectory.readers.cpx import CpReader, is_cpx
from bec_md.trajectory.readers.dcd import DcdReader
from bec_md.trajectory.readers.dlpoly import DlPolyReader, is_history
from bec_md.trajectory.readers.gro import GroReader
from bec_md.trajectory.readers.gromacs import GromacsReader
from bec_md.trajectory.readers.h5md import H5mdReader, is_h5md
from bec_md.trajectory.readers.hdf5 import is_hdf5
from bec_md.trajectory.readers.ipi import is_ipi, open_ipi
from bec_md.trajectory.readers.lammps_cfg import LammpsCfgReader
from bec_md.trajectory.readers.lammps_yaml import LammpsYamlReader, is_yaml_dump
from bec_md.trajectory.readers.outcar import OutcarReader, is_outcar
from bec_md.trajectory.readers.plain_xyz import is_dftb, open_dftb, open_plain
from bec_md.trajectory.readers.pwx import open_pwx
from bec_md.trajectory.readers.vaspout import VaspoutReader, is_vaspout
from bec_md.trajectory.readers.vasprun import VasprunReader
from bec_md.trajectory.readers.wrapped import GivenCellReader
from bec_md.trajectory.readers.xdatcar import XdatcarReader, is_xdatcar

#: A row of an XYZ file: label and three numbers with points.
_XYZ_ROW = re.compile(r"\s*\w{1,20}(?:\s+[-+]?\d{0,20}\.\d{0,20}(?:[eE][-+]?\d{1,3})?){3}(?:\s|$)")
#: Options that every format takes.
COMMON_OPTIONS = frozenset({
    "timestep_fs", "start", "stop", "stride", "format", "masses", "charges_key", "charges_transposed",
    "need_velocities", "need_cell", "time_series", "temperature_k", "cell_ang",
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
        Options that the format takes beside `COMMON_OPTIONS`; any other one given is refused. Without
        ``cell_ang`` its frames are put into the cell that is given, where they have none.
    """

    open: Callable[[Path, ReadOptions], FrameReader]
    suffixes: tuple[str, ...] = ()
    sniff: Callable[[Head], bool] | None = None
    options: frozenset[str] = frozenset()


def _comment(head: Head) -> str | None:
    """Comment of the first frame of an XYZ file, None if the first line is no number of atoms."""
    lines = head.lines
    return lines[1] if len(lines) > 1 and lines[0].strip().isdigit() else None


def _xyz(recognizes: Callable[[str], bool]) -> Callable[[Head], bool]:
    """Sniff an XYZ file by its comment."""

    def sniff(head: Head) -> bool:
        """Whether a head is that of this kind."""
        comment = _comment(head)
        return comment is not None and recognizes(comment)

    return sniff


def _is_extxyz(comment: str) -> bool:
    return any(key in comment for key in ("Lattice=", "Properties=", "lattice=", "cell="))


def _is_plain_xyz(head: Head) -> bool:
    """By its suffix, or by a first row of a label and three numbers (xtb.trj, SIESTA's .ANI)."""
    if _comment(head) is None or head.suffix in (".xyz", ".extxyz"):
        return _comment(head) is not None
    named = any(head.suffix in row.suffixes for row in FORMATS.values())  # OpenMX's .md, which states a cell
    return not named and len(head.lines) > 2 and _XYZ_ROW.match(head.lines[2]) is not None


def _hdf5(recognizes: Callable[[Path], bool]) -> Callable[[Head], bool]:
    """Sniff an HDF5 file by its groups."""
    return lambda head: is_hdf5(head.data) and recognizes(head.path)


def _begins(*starts: bytes) -> Callable[[Head], bool]:
    """Sniff a file by its first bytes."""
    return lambda head: head.data.startswith(starts)


def _refuse_binary_dump(path: Path, _: ReadOptions) -> NoReturn:
    raise UsageError(
        f"{path.name}: a binary LAMMPS dump",
        "it does not state its columns and depends on the machine",
        "convert it with LAMMPS' binary2txt, or dump text (.gz is fine)",
    )


def _open_arc(path: Path, options: ReadOptions) -> FrameReader:
    """Open a file of TINKER, which is its own topology, or of DMol."""
    if read_head(path).startswith(b"!BIOSYM"):
        return AtomsReader(path, options)
    return open_with_topology(path, replace(options, topology=options.topology or path))


_BESIDE = frozenset({"cell_ang", "velocities", "velocity_units", "elements"})
_TOPOLOGY = frozenset({"topology", "elements"})

#: Formats by name.
FORMATS: Mapping[str, Format] = {
    "lammps-dump": Format(
        LammpsDumpReader, (".lammpstrj",), _begins(b"ITEM:"), frozenset({"lammps_units", "elements"})
    ),
    "lammps-yaml": Format(
        LammpsYamlReader, (), lambda head: is_yaml_dump(head.lines), frozenset({"lammps_units", "elements"})
    ),
    "lammps-cfg": Format(
        LammpsCfgReader, (".cfg",), _begins(b"Number of particles"), frozenset({"lammps_units"})
    ),
    "compact": Format(
        CompactReader, (".npz",), lambda head: head.data.startswith(b"PK") and head.suffix == ".npz"
    ),
    "cp2k": Format(open_cp2k, (), _xyz(is_cp2k), _BESIDE),
    "i-pi": Format(open_ipi, (), _xyz(is_ipi), _BESIDE - {"cell_ang"}),
    "dftb+": Format(open_dftb, (), _xyz(is_dftb), frozenset({"cell_ang", "velocity_units", "elements"})),
    "extxyz": Format(
        ExtxyzReader,
        (".xyz", ".extxyz"),
        _xyz(_is_extxyz),
        frozenset({"velocity_units", "elements", "cell_ang"}),
    ),
    "plain-xyz": Format(open_plain, (), _is_plain_xyz, _BESIDE),
    "xdatcar": Format(
        XdatcarReader,
        (),
        lambda head: is_xdatcar(head.path.name, head.lines),
        frozenset({"cell_ang", "elements"}),
    ),
    "vasprun": Format(VasprunReader, (), lambda head: b"<modeling>" in head.data[:4096]),
    "outcar": Format(OutcarReader, (), lambda head: is_outcar(head.path.name, head.lines)),
    "vaspout": Format(VaspoutReader, (), _hdf5(is_vaspout), frozenset({"velocity_units"})),
    "pw.x": Format(open_pwx, (), lambda head: b"Program PWSCF" in head.data),
    "fhi-aims": Format(open_aims, (), lambda head: b"Invoking FHI-aims" in head.data),
    "castep-md": Format(open_castep, (".md",), lambda head: is_castep(head.lines)),
    "dlpoly-history": Format(
        DlPolyReader, (), lambda head: is_history(head.lines), frozenset({"cell_ang", "elements"})
    ),
    "cp.x": Format(CpReader, (), lambda head: is_cpx(head.lines), _BESIDE),
    "ase-traj": Format(
        AseTrajReader, (".traj",), lambda head: is_traj(head.data), frozenset({"velocity_units"})
    ),
    "gromacs": Format(
        GromacsReader,
        (".trr", ".xtc"),
        _begins(b"\x00\x00\x07\xc9", b"\x00\x00\x07\xcb", b"\x00\x00\x07\xe7"),
        _TOPOLOGY,
    ),
    "dcd": Format(DcdReader, (".dcd",), lambda head: b"CORD" in head.data[:16], _TOPOLOGY),
    "abinit-hist": Format(AbinitReader, (), lambda head: is_hist(head.path, head.data)),
    "amber": Format(AmberReader, (".nc", ".ncdf"), _begins(b"CDF"), _TOPOLOGY | {"velocity_units"}),
    "h5md": Format(
        H5mdReader,
        (".h5md", ".h5"),
        _hdf5(is_h5md),
        _TOPOLOGY | {"cell_ang", "lammps_units", "velocity_units"},
    ),
    "gro": Format(GroReader, (".gro",), options=_TOPOLOGY),
    "arc": Format(_open_arc, (".arc", ".txyz"), options=_TOPOLOGY),
    "mdanalysis": Format(open_with_topology, options=_TOPOLOGY),
    "lammps-dump-binary": Format(
        _refuse_binary_dump,
        (".bin", ".lammpsbin"),
        lambda head: head.data[8:12] == b"DUMP",
        frozenset(field.name for field in fields(ReadOptions)),
    ),
    "ase": Format(AtomsReader, options=frozenset({"velocity_units"})),
}
#: Formats that are read at any place of the file.
_UNPACKED = frozenset({"compact", "vaspout", "gromacs", "dcd", "abinit-hist", "amber", "h5md", "mdanalysis"})
#: Other names for rows: those that ASE uses.
ALIASES: Mapping[str, str] = {
    "xyz": "extxyz", "lammps-dump-text": "lammps-dump", "npz": "compact", "traj": "ase-traj",
    "vasp-xdatcar": "xdatcar", "vasp-xml": "vasprun", "vasp-out": "outcar",
    "dlp-history": "dlpoly-history", "aims-output": "fhi-aims",
    "trr": "gromacs", "xtc": "gromacs", "netcdf": "amber",
}  # fmt: skip


def recognize(path: Path) -> str:
    """Name of the row of a file: by content first, by suffix second, else "ase"."""
    head = Head(path, read_head(path))
    if is_hdf5(head.data):
        _require_unpacked(path)
    for name, row in FORMATS.items():
        if row.sniff is not None and row.sniff(head):
            return name
    return next((name for name, row in FORMATS.items() if head.suffix in row.suffixes), "ase")


def _require_unpacked(path: Path) -> None:
    if compression_of(path) is not None:
        raise UsageError(
            f"{path.name} is compressed",
            "a binary file is read at any place, which only an unpacked one allows",
            "unpack it first",
        )


def refuse_unused(options: ReadOptions, used: frozenset[str], source: str, what: str) -> None:
    """Refuse options that are neither common nor among those that a format, or a kind of objects, uses.

    Raises
    ------
    UsageError
        With their names.
    """
    unused = sorted(options.given() - COMMON_OPTIONS - used)
    if unused:
        raise UsageError(
            f"{source}: {' and '.join(f'`{option}`' for option in unused)} with {what}",
            "it has no use for it, and an option that does nothing may hide a mistake",
            "leave it out, or name the right format with `format`",
        )


def open_file(path: Path, options: ReadOptions) -> FrameReader:
    """Open a file by its format.

    Raises
    ------
    UsageError
        If an option was given that the format does not use.
    """
    name = ALIASES.get(options.format or "", options.format) or recognize(path)
    if options.topology is not None and name == "ase":
        name = "mdanalysis"
    row = FORMATS.get(name, FORMATS["ase"])  # any other name is one of ASE's formats
    refuse_unused(options, row.options, path.name, f"the format {name}")
    if name in _UNPACKED:
        _require_unpacked(path)
    reader = row.open(path, options)
    if options.cell_ang is not None and "cell_ang" not in row.options:
        reader = GivenCellReader(reader, options)
    if (
        reader.n_frames is not None
        and breaks_off(path)
        and not any("cut off" in text for text in reader.warnings)
    ):
        reader.warnings.append(f"{path.name} is cut off: its compressed data break off before their end")
    if options.velocity_units is not None and options.need_velocities and reader.velocity_units is None:
        raise UsageError(
            f"{path.name}: `velocity_units={options.velocity_units}`, but it holds no velocities",
            "an option that does nothing may hide a mistake",
            "leave it out, or name the file with the velocities by `velocities`",
        )
    return reader
