"""Compile the native evaluator with the C++ compiler of the machine.

Needs nothing but the standard library: the package's build hook loads this file by its path.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

SOURCE_DIRECTORY = Path(__file__).parent
LIBRARY_NAME = "_bec_native.so"

COMPILE_FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-pthread",
    "-Wno-psabi",
)
#: What the sources compile without, as errors in the tests and never in a user's build.
WARNING_FLAGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")


class BuildError(Exception):
    """The evaluator could not be compiled; the message says why."""


def source_files(directory: Path = SOURCE_DIRECTORY) -> list[Path]:
    """All files that go into the library, in a fixed order."""
    return sorted(path for path in directory.iterdir() if path.suffix in (".cpp", ".h"))


def source_hash(directory: Path = SOURCE_DIRECTORY) -> str:
    """Identifies the sources and the flags; compiled into the library."""
    digest = hashlib.sha256(" ".join(COMPILE_FLAGS).encode())
    for path in source_files(directory):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def find_compiler() -> list[str] | None:
    """Command of a C++ compiler: ``$CXX``, else g++, clang++ or c++."""
    wish = os.environ.get("CXX")
    if wish:
        command = shlex.split(wish)
        return command if command and shutil.which(command[0]) else None
    for name in ("g++", "clang++", "c++"):
        if shutil.which(name):
            return [name]
    return None


def build(
    output: Path,
    directory: Path = SOURCE_DIRECTORY,
    jobs: int | None = None,
    extra_flags: Sequence[str] = (),
) -> None:
    """Compile the library; `output` appears at once or not at all.

    Parameters
    ----------
    output
        File of the library.
    directory
        Folder of the sources.
    jobs
        Compilers at a time.
    extra_flags
        Further flags of compiler and linker.

    Raises
    ------
    BuildError
        Without a compiler, when it fails, or when `output` cannot be written.
    """
    compiler = find_compiler()
    if compiler is None:
        raise BuildError("no C++ compiler was found (g++, clang++ or $CXX)")
    definition = f'-DBEC_SOURCE_HASH="{source_hash(directory)}"'
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bec-native-", dir=output.parent) as scratch:
            sources = [path for path in source_files(directory) if path.suffix == ".cpp"]
            objects = [Path(scratch) / f"{path.stem}.o" for path in sources]

            def compile_one(source: Path, target: Path) -> None:
                """Compile one source to an object file."""
                _run(
                    [
                        *compiler,
                        *COMPILE_FLAGS,
                        *extra_flags,
                        definition,
                        "-c",
                        str(source),
                        "-o",
                        str(target),
                    ]
                )

            with concurrent.futures.ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
                list(pool.map(compile_one, sources, objects))
            library = Path(scratch) / LIBRARY_NAME
            _run([*compiler, *extra_flags, "-shared", "-pthread", "-o", str(library), *map(str, objects)])
            os.replace(library, output)
    except OSError as error:
        raise BuildError(f"{output} cannot be written ({error})") from None


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        first = next((line for line in result.stderr.splitlines() if "error" in line), result.stderr[:200])
        raise BuildError(f"{command[0]} failed: {first.strip()}")
