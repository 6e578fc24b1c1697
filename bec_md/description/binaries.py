"""How many frames and atoms a binary trajectory has that is without a topology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bec_md.errors import BecMDError
from bec_md.trajectory.formats import recognize


def size_of_binary(path: Path) -> tuple[tuple[tuple[str, str], ...], dict[str, Any]]:
    """Rows and values of a description; nothing for other formats and for files that cannot be read."""
    counters = {"gromacs": _of_xdr, "dcd": _of_dcd, "amber": _of_netcdf}
    count = counters.get(recognize(path))
    try:
        n_frames, n_atoms = count(path) if count is not None else (None, None)
    except (BecMDError, OSError, KeyError, ValueError, RuntimeError):
        return (), {}
    if n_frames is None:
        return (), {}
    return (("frames", str(n_frames)), ("atoms", str(n_atoms))), {"n_frames": n_frames, "n_atoms": n_atoms}


def _of_xdr(path: Path) -> tuple[int, int]:
    from bec_md.trajectory.readers.xdr import scan

    frames = list(scan(path, []))
    return len(frames), frames[0].n_atoms if frames else 0


def _of_dcd(path: Path) -> tuple[int, int]:
    from MDAnalysis.lib.formats.libdcd import DCDFile

    with DCDFile(str(path)) as file:
        return len(file), int(file.header["natoms"])


def _of_netcdf(path: Path) -> tuple[int, int]:
    from bec_md.trajectory.readers.netcdf3 import NetCDF3

    file = NetCDF3(path)
    return file.n_records, int(file.dimensions["atom"])
