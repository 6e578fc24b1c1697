"""Compile the native evaluator with AddressSanitizer and UndefinedBehaviorSanitizer, and use it badly.

    python tests/sanitized.py [--files 3000] [--seed 0] [--tests]

Thousands of damaged model files (bits, truncations, sizes that lie, other numbers, senseless weights) are
loaded and, where they load, evaluated by `tests/native/mutated_models.cpp`. ``--tests`` runs the tests of the
evaluator on the same library. The exit status is 1 after a finding.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bec_md.native import build as native

ROOT = Path(__file__).resolve().parents[1]
FLAGS = (
    "-O1",
    "-g1",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-Wno-error",
)
#: Too slow under a sanitizer, or about something else: compilers, other instruction sets.
LEFT_OUT = "not instruction_sets and not bundled and not cache and not library and not compile"


def options(**changes: str) -> dict[str, str]:
    """Environment of a sanitized program."""
    settings = {
        "detect_leaks": "1",
        "allocator_may_return_null": "1",
        "max_allocation_size_mb": "4000",
        **changes,
    }
    return {
        **os.environ,
        "ASAN_OPTIONS": ":".join(f"{name}={value}" for name, value in settings.items()),
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OMP_NUM_THREADS": "1",
    }


def write_models(folder: Path) -> list[Path]:
    """Small random networks: direct charges, and a dipole with tensor messages."""
    code = (
        "import sys; from pathlib import Path; from tests.native.conftest import random_network as make\n"
        "small = dict(channels=8, radial_width=8, scalar_width=8, members=2)\n"
        "folder = Path(sys.argv[1])\n"
        "make(folder / 'charges.safetensors', **small)\n"
        "make(folder / 'dipole.safetensors', charges='dipole', sent_tensor_channels=8, **small)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True)
    return sorted(folder.glob("*.safetensors"))


def mutate(library: Path, folder: Path, files: int, seed: int) -> int:
    """Load damaged files."""
    compiler = native.find_compiler()
    assert compiler is not None
    program = folder / "mutated_models"
    source = ROOT / "tests" / "native" / "mutated_models.cpp"
    include = f"-I{native.SOURCE_DIRECTORY}"
    place = f"-Wl,-rpath,{library.parent}"
    command = [*compiler, "-std=c++17", *FLAGS, include, str(source), str(library), place, "-o", str(program)]
    subprocess.run(command, check=True)
    models = write_models(folder)
    words = [str(folder), str(files), str(seed), *map(str, models)]
    return subprocess.run([str(program), *words], env=options(), check=False).returncode


def run_tests(library: Path, folder: Path, rooms: list[str]) -> int:
    """Run tests with a copy of the package that holds the sanitized library."""
    package = folder / "package"
    shutil.copytree(ROOT / "bec_md", package / "bec_md", dirs_exist_ok=True)
    shutil.copy(library, package / "bec_md" / "native" / native.LIBRARY_NAME)
    compiler = native.find_compiler()
    assert compiler is not None
    runtime = subprocess.run(
        [*compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    # Python and torch leak on purpose
    environment = {**options(detect_leaks="0"), "LD_PRELOAD": runtime, "PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", LEFT_OUT, *rooms]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    """Run what was asked for; 1 after a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", action="store_true", help="also the tests of the evaluator")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = folder / native.LIBRARY_NAME
        native.build(library, extra_flags=FLAGS)
        status = mutate(library, folder, arguments.files, arguments.seed)
        if arguments.tests and status == 0:
            status = run_tests(library, folder, ["tests/native"])
    return int(status != 0)


if __name__ == "__main__":
    sys.exit(main())
